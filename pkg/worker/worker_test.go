package worker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/jobstoretest"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

const id = "ivo://localhost/a?image.fits"

// image returns a small FITS image of the sky around (10, 20) degrees.
func image(t *testing.T) []byte {
	t.Helper()
	const n = 48
	h := fits.NewPrimary(-32, []int64{n, n})
	for _, c := range []struct {
		key   string
		value any
	}{
		{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", 10.0}, {"CRVAL2", 20.0}, {"CRPIX1", 24.5}, {"CRPIX2", 24.5},
		{"CDELT1", -0.001}, {"CDELT2", 0.001}, {"RADESYS", "ICRS"},
	} {
		if err := h.Set(c.key, c.value, ""); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := fits.NewWriter(&b).WriteHDU(t.Context(), h, 4*n*n, func(_ context.Context, emit func([]byte) error) error {
		var pixels []byte
		for i := range n * n {
			pixels = binary.BigEndian.AppendUint32(pixels, math.Float32bits(float32(i)))
		}
		return emit(pixels)
	}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// root is an archive of one image whose opening a test can watch, hold up or spoil.
type root struct {
	bytes  []byte
	opened atomic.Int32
	before func(ctx context.Context, n int32) error // nil: nothing
	spoil  map[string]error                         // of the images of these names
}

func (r *root) Open(ctx context.Context, name string) (objects.Source, error) {
	n := r.opened.Add(1)
	if r.before != nil {
		if err := r.before(ctx, n); err != nil {
			return nil, err
		}
	}
	if err := r.spoil[name]; err != nil {
		return nil, err
	}
	return source{bytes.NewReader(r.bytes)}, nil
}

func (r *root) Close() error { return nil }

func (r *root) Check(context.Context) error { return nil }

func (r *root) String() string { return "test" }

type source struct{ r *bytes.Reader }

func (s source) Name() string       { return "image.fits" }
func (s source) Size() int64        { return s.r.Size() }
func (s source) Generation() string { return "1" }
func (s source) ModTime() time.Time { return time.Time{} }
func (s source) Close() error       { return nil }
func (s source) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.ReadAt(p, off)
}

// published is a queue that remembers what was published, and fails while broken.
type published struct {
	mu     sync.Mutex
	ids    []string
	broken bool
}

func (p *published) Publish(_ context.Context, _ uws.Class, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return fault.New(fault.Unavailable, "test", "the queue is down")
	}
	p.ids = append(p.ids, id)
	return nil
}

func (p *published) Check(context.Context) error { return nil }

// bench is a worker with all that it needs, and a clock that a test can put forward.
type bench struct {
	*Worker
	root  *root
	queue *published
	jobs  *sqlitejobs.Store
	ahead atomic.Int64
}

func newBench(t *testing.T, wrap func(jobstore.Store) jobstore.Store) *bench {
	t.Helper()
	b := &bench{root: &root{bytes: image(t)}, queue: &published{}}
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.jobs, err = sqlitejobs.New(t.Context(), db, sqlitejobs.WithClock(func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }))
	if err != nil {
		t.Fatal(err)
	}
	resolver, err := archive.NewCollections(archive.Collection{Prefix: "ivo://localhost/a?", Root: b.root})
	if err != nil {
		t.Fatal(err)
	}
	results, err := objects.OpenBucket(t.Context(), filepath.Join(t.TempDir(), "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = results.Close() })
	var store jobstore.Store = b.jobs
	if wrap != nil {
		store = wrap(store)
	}
	b.Worker, err = New(Config{
		Jobs: store, Queue: b.queue, Archive: resolver, Results: results, Memory: 4 * JobMemory, Version: "test",
		ErrorText: func(code fault.Code, sentence string) string { return string(code) + ": " + sentence },
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// queued makes a job that waits in the queue.
func (b *bench) queued(t *testing.T, change ...func(*uws.Job)) *uws.Job {
	t.Helper()
	now := time.Now().Add(time.Duration(b.ahead.Load())).UTC()
	j := &uws.Job{
		ID: uws.NewID(), Params: []uws.Param{{Name: "ID", Value: id}, {Name: "CIRCLE", Value: "10 20 0.005"}}, Class: uws.Interactive, Kind: uws.Async,
		Phase: uws.Pending, Created: now, ExecutionDuration: time.Minute, Shard: uws.NewShard(),
	}
	j.DestroyAt(now.Add(time.Hour), time.Hour)
	for _, c := range change {
		c(j)
	}
	if _, err := j.Run(now); err != nil {
		t.Fatal(err)
	}
	if err := b.jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func (b *bench) get(t *testing.T, id string) *uws.Job {
	t.Helper()
	j, err := b.jobs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// kept returns the names of the objects of a job.
func (b *bench) kept(t *testing.T, id string) (names []string) {
	t.Helper()
	for name, err := range b.Results.List(t.Context(), "results/"+id+"/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func (b *bench) work(t *testing.T, id string) {
	t.Helper()
	if err := b.Work(t.Context(), id); err != nil {
		t.Errorf("Work(%s) = %v, want the message acknowledged", id, err)
	}
}

func (b *bench) sweep(t *testing.T) Report {
	t.Helper()
	r, err := b.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) forward(d time.Duration) { b.ahead.Add(int64(d)) }

// wantDone checks that a job is COMPLETED with one result, whose object and no other is there.
func (b *bench) wantDone(t *testing.T, id string) *uws.Job {
	t.Helper()
	j := b.get(t, id)
	if j.Phase != uws.Completed || len(j.Results) != 1 {
		t.Fatalf("the job is %s with %d results (%+v), want COMPLETED with one", j.Phase, len(j.Results), j.Failure)
	}
	if got := b.kept(t, id); !slices.Equal(got, []string{j.Results[0].Object}) {
		t.Errorf("the bucket keeps %v, want %s alone", got, j.Results[0].Object)
	}
	return j
}

func TestAMessageBecomesACutout(t *testing.T) {
	b := newBench(t, nil)
	j := b.queued(t)
	body := `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(j.ID)) + `","messageId":"1"},"subscription":"s"}`
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	if w.Code != http.StatusNoContent {
		t.Fatalf("POST /: %d %s, want 204", w.Code, w.Body)
	}
	r := b.wantDone(t, j.ID).Results[0]
	if r.ID != "result" || r.MIME != "application/fits" || !r.Overlap || r.Name != "image_cutout.fits" || r.Size%2880 != 0 {
		t.Errorf("the result is %+v", r)
	}
	w = httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	if w.Code != http.StatusNoContent || b.root.opened.Load() != 1 {
		t.Errorf("the same message again: %d, and the image was opened %d times; want 204 and once", w.Code, b.root.opened.Load())
	}
}

func TestNoOverlapIsAText(t *testing.T) {
	b := newBench(t, nil)
	j := b.queued(t, func(j *uws.Job) { j.Params[1].Value = "200 -40 0.01" })
	b.work(t, j.ID)
	r := b.wantDone(t, j.ID).Results[0]
	o, err := b.Results.Open(t.Context(), r.Object)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	text, err := io.ReadAll(o)
	if err != nil || r.Overlap || r.MIME != "text/plain" || !strings.HasPrefix(string(text), "NoOverlap: no overlap: ") {
		t.Errorf("the result is %+v, its text %q, %v", r, text, err)
	}
}

// A worker that sleeps past its lease comes back to a job that another one has done.
func TestPausedWorkerIsFenced(t *testing.T) {
	b := newBench(t, nil)
	paused, resume := make(chan struct{}), make(chan struct{})
	b.root.before = func(_ context.Context, n int32) error {
		if n == 1 {
			close(paused)
			<-resume
		}
		return nil
	}
	j := b.queued(t)
	var first sync.WaitGroup
	first.Go(func() { b.work(t, j.ID) })
	<-paused
	b.work(t, j.ID)
	if n := b.root.opened.Load(); n != 1 {
		t.Fatalf("a second worker took a job whose lease lives")
	}
	b.forward(uws.Lease + uws.SweepGrace + time.Second)
	if r := b.sweep(t); r.Published != 1 {
		t.Errorf("the sweep published %d messages for the lost job, want 1", r.Published)
	}
	b.work(t, j.ID)
	done := b.wantDone(t, j.ID)
	close(resume)
	first.Wait()
	after := b.wantDone(t, j.ID)
	if after.Attempt != 2 || after.Revision != done.Revision || after.Results[0] != done.Results[0] {
		t.Errorf("the stale worker changed the job: attempt %d, revision %d, want 2 and %d", after.Attempt, after.Revision, done.Revision)
	}
}

func TestAbortStopsTheReadInFlight(t *testing.T) {
	for _, how := range []string{"abort", "delete"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t, nil)
			reading := make(chan struct{})
			b.root.before = func(ctx context.Context, _ int32) error {
				close(reading)
				<-ctx.Done() // a read that only the context ends
				return ctx.Err()
			}
			j := b.queued(t)
			var worker sync.WaitGroup
			worker.Go(func() { b.work(t, j.ID) })
			<-reading
			if _, err := b.jobs.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
				if how == "delete" {
					j.Delete(now)
					return nil
				}
				return j.Abort(now, "test")
			}); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { worker.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Fatal("the read goes on 5 s after the job was ended")
			}
			if got := b.get(t, j.ID); got.Phase != uws.Aborted || len(got.Results) != 0 || len(b.kept(t, j.ID)) != 0 {
				t.Errorf("the job is %s with %v and objects %v", got.Phase, got.Results, b.kept(t, j.ID))
			}
			if how == "delete" {
				b.forward(uws.Lease + time.Second)
				if r := b.sweep(t); r.Purged != 1 {
					b.forward(uws.SweepGrace)
					r = b.sweep(t)
					if r.Purged != 1 {
						t.Errorf("the sweep purged %d jobs, want the deleted one", r.Purged)
					}
				}
				if _, err := b.jobs.Get(t.Context(), j.ID); !errors.Is(err, fault.NotFound) {
					t.Errorf("a purged job is %v, want not found", err)
				}
			}
		})
	}
}

func TestTransientFailures(t *testing.T) {
	t.Run("that pass are not seen", func(t *testing.T) {
		b := newBench(t, nil)
		b.root.before = func(_ context.Context, n int32) error {
			if n < tries {
				return fault.New(fault.Unavailable, "test", "the archive is busy")
			}
			return nil
		}
		j := b.queued(t)
		b.work(t, j.ID)
		if done := b.wantDone(t, j.ID); done.Attempt != 1 {
			t.Errorf("it took %d attempts, want 1", done.Attempt)
		}
	})
	t.Run("that stay end the job after five attempts", func(t *testing.T) {
		b := newBench(t, nil)
		b.root.before = func(context.Context, int32) error { return fault.New(fault.Unavailable, "test", "the archive is down") }
		j := b.queued(t)
		b.work(t, j.ID)
		for attempt := 1; attempt < uws.MaxAttempts; attempt++ {
			got := b.get(t, j.ID)
			if got.Phase != uws.Executing || got.Attempt != attempt || got.Claim != "" {
				t.Fatalf("after attempt %d the job is %s, attempt %d, claim %q", attempt, got.Phase, got.Attempt, got.Claim)
			}
			if r := b.sweep(t); r.Published != 0 {
				t.Errorf("attempt %d is repeated without a pause", attempt)
			}
			b.forward(uws.Backoff(attempt) + time.Second)
			if r := b.sweep(t); r.Published != 1 {
				t.Fatalf("attempt %d is not repeated after its pause", attempt)
			}
			b.work(t, j.ID)
		}
		got := b.get(t, j.ID)
		if got.Phase != uws.Error || !got.Failure.Transient || !strings.Contains(got.Failure.Message, "the archive is down") {
			t.Errorf("after five attempts the job is %s: %+v", got.Phase, got.Failure)
		}
	})
}

func TestPermanentFailureEndsTheJobAtOnce(t *testing.T) {
	b := newBench(t, nil)
	b.root.bytes = []byte("Dear reader, this is no image.")
	j := b.queued(t)
	b.work(t, j.ID)
	if got := b.get(t, j.ID); got.Phase != uws.Error || got.Failure.Code != string(fault.Corrupt) || got.Attempt != 1 {
		t.Errorf("the job is %s after %d attempts: %+v", got.Phase, got.Attempt, got.Failure)
	}
}

func TestPanicEndsItsJobAlone(t *testing.T) {
	b := newBench(t, nil)
	b.root.before = func(_ context.Context, n int32) error {
		if n == 1 {
			panic("a fault of ours")
		}
		return nil
	}
	j, other := b.queued(t), b.queued(t)
	b.work(t, j.ID)
	b.work(t, other.ID)
	if got := b.get(t, j.ID); got.Phase != uws.Error || got.Failure.Code != string(fault.Internal) || strings.Contains(got.Failure.Message, "a fault of ours") {
		t.Errorf("the job is %s: %+v; want ERROR without our internals", got.Phase, got.Failure)
	}
	b.wantDone(t, other.ID)
}

// A worker that is told to stop gives its job back, and the attempt does not count.
func TestStoppedWorkerGivesItsJobBack(t *testing.T) {
	b := newBench(t, nil)
	reading := make(chan struct{})
	b.root.before = func(ctx context.Context, n int32) error {
		if n == 1 {
			close(reading)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	j := b.queued(t)
	ctx, stop := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := b.Work(ctx, j.ID); err != nil {
			t.Errorf("Work of a worker that stops = %v", err)
		}
	})
	<-reading
	stop()
	worker.Wait()
	if got := b.get(t, j.ID); got.Phase != uws.Executing || got.Live(time.Now()) || got.Stops != 1 {
		t.Errorf("the job is %s, live %t, after %d stops; want EXECUTING without a lease, and one stop", got.Phase, got.Live(time.Now()), got.Stops)
	}
	if r := b.sweep(t); r.Published != 1 {
		t.Errorf("the sweep published %d messages for the job that was given back, want 1", r.Published)
	}
	b.work(t, j.ID)
	b.wantDone(t, j.ID)
}

func TestExecutionDurationEndsTheJobAsAborted(t *testing.T) {
	b := newBench(t, nil)
	b.root.before = func(ctx context.Context, _ int32) error {
		<-ctx.Done()
		return ctx.Err()
	}
	j := b.queued(t, func(j *uws.Job) { j.ExecutionDuration = 50 * time.Millisecond })
	b.work(t, j.ID)
	if got := b.get(t, j.ID); got.Phase != uws.Aborted || got.Failure == nil || !strings.Contains(got.Failure.Message, "execution duration") {
		t.Errorf("UWS-37: the job is %s: %+v", got.Phase, got.Failure)
	}
}

// The store commits, and its answer is lost: at the claim, at the end, at both.
func TestUncertainCommits(t *testing.T) {
	for _, tt := range []struct {
		name           string
		atClaim, atEnd int32 // answers lost
	}{
		{"at the claim", 1, 0}, {"at the end", 0, 1}, {"at both", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flaky := new(jobstoretest.Flaky)
			b := newBench(t, func(s jobstore.Store) jobstore.Store {
				flaky.Store = s
				return flaky
			})
			b.root.before = func(context.Context, int32) error {
				flaky.Lose.Store(tt.atEnd)
				return nil
			}
			j := b.queued(t)
			flaky.Lose.Store(tt.atClaim)
			b.work(t, j.ID)
			if done := b.wantDone(t, j.ID); done.Attempt != 1 || b.root.opened.Load() != 1 {
				t.Errorf("it took %d attempts and %d openings, want one of each", done.Attempt, b.root.opened.Load())
			}
			if n := flaky.Lose.Load(); n != 0 {
				t.Errorf("%d answers were not lost", n)
			}
		})
	}
}

func TestSweep(t *testing.T) {
	t.Run("a lost publish", func(t *testing.T) {
		b := newBench(t, nil)
		j := b.queued(t)
		b.sweep(t)
		if len(b.queue.ids) != 0 {
			t.Fatal("the sweep published a job that was queued a moment ago")
		}
		b.queue.broken = true
		b.forward(uws.FirstResend + time.Second)
		if r := b.sweep(t); r.Failed != 1 {
			t.Errorf("a queue that is down: %+v, want one failure", r)
		}
		b.queue.broken = false
		b.forward(uws.SoonResend + time.Second)
		b.sweep(t)
		b.sweep(t)
		if !slices.Equal(b.queue.ids, []string{j.ID}) {
			t.Errorf("published: %v, want the job once", b.queue.ids)
		}
	})
	t.Run("twice at once", func(t *testing.T) {
		b := newBench(t, nil)
		for range 40 {
			b.queued(t)
		}
		b.forward(uws.FirstResend + time.Second)
		var sweeps sync.WaitGroup
		for range 2 {
			sweeps.Go(func() { b.sweep(t) })
		}
		sweeps.Wait()
		slices.Sort(b.queue.ids)
		if n := len(slices.Compact(b.queue.ids)); n != 40 || len(b.queue.ids) != 40 {
			t.Errorf("%d messages for %d of 40 jobs, want one for each", len(b.queue.ids), n)
		}
	})
	t.Run("destruction, then the job is remembered, then forgotten", func(t *testing.T) {
		b := newBench(t, nil)
		j := b.queued(t)
		b.work(t, j.ID)
		b.wantDone(t, j.ID)
		b.forward(time.Hour + time.Second)
		if r := b.sweep(t); r.Archived != 1 {
			t.Errorf("at its destruction: %+v, want one archived", r)
		}
		if got := b.get(t, j.ID); got.Phase != uws.Archived || len(got.Results) != 0 || len(b.kept(t, j.ID)) != 0 {
			t.Errorf("a destroyed job is %s with results %v and objects %v", got.Phase, got.Results, b.kept(t, j.ID))
		}
		b.forward(time.Hour)
		if r := b.sweep(t); r.Purged != 1 {
			t.Errorf("after its time: %+v, want one purged", r)
		}
	})
	t.Run("a job that waits when its destruction comes is aborted", func(t *testing.T) {
		b := newBench(t, nil)
		j := b.queued(t)
		b.forward(time.Hour + time.Second)
		b.sweep(t)
		b.work(t, j.ID)
		if got := b.get(t, j.ID); got.Phase != uws.Archived || b.root.opened.Load() != 0 {
			t.Errorf("UWS-50: the job is %s, and the image was opened %d times", got.Phase, b.root.opened.Load())
		}
	})
	t.Run("a deleted job's objects go, and the job when what it made no longer counts", func(t *testing.T) {
		b := newBench(t, nil)
		j, other := b.queued(t), b.queued(t)
		b.work(t, j.ID)
		b.work(t, other.ID)
		if _, err := b.jobs.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil }); err != nil {
			t.Fatal(err)
		}
		b.sweep(t)
		if got := b.get(t, j.ID); !got.Deleted || len(got.Results) != 0 || got.Made == 0 || len(b.kept(t, j.ID)) != 0 {
			t.Errorf("the deleted job: %+v, objects %v", got, b.kept(t, j.ID))
		}
		b.wantDone(t, other.ID)
		b.forward(uws.Day - time.Minute)
		b.sweep(t)
		b.get(t, j.ID)
		b.forward(2 * time.Minute)
		b.sweep(t)
		if _, err := b.jobs.Get(t.Context(), j.ID); !errors.Is(err, fault.NotFound) {
			t.Errorf("the deleted job, after its day: %v", err)
		}
	})
}

// One job that hangs does not hold the others up, and memory bounds how many run at once.
func TestJobsShareTheMemory(t *testing.T) {
	b := newBench(t, nil)
	var running, most atomic.Int32
	hang := make(chan struct{})
	b.root.before = func(_ context.Context, n int32) error {
		if n == 1 {
			<-hang
			return nil
		}
		now := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		return nil
	}
	slow := b.queued(t)
	var first, rest sync.WaitGroup
	first.Go(func() { b.work(t, slow.ID) })
	for b.root.opened.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var jobs []*uws.Job
	for range 12 {
		jobs = append(jobs, b.queued(t))
	}
	for _, j := range jobs {
		rest.Go(func() { b.work(t, j.ID) })
	}
	rest.Wait()
	for _, j := range jobs {
		b.wantDone(t, j.ID)
	}
	if most.Load() > 3 || most.Load() < 2 {
		t.Errorf("%d jobs ran at once beside the one that hangs; the memory is for 3", most.Load())
	}
	close(hang)
	first.Wait()
	b.wantDone(t, slow.ID)
}
