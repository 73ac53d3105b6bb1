package faulty_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/faulty"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	_ "github.com/seltzer-soda/seltzer/pkg/objects/drivers"
	"github.com/seltzer-soda/seltzer/pkg/objects/gcstest"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/signer"
	"github.com/seltzer-soda/seltzer/pkg/signing/hmacsigning"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
	"github.com/seltzer-soda/seltzer/pkg/worker"
)

const (
	prefix = "ivo://example.org/a?"
	circle = "10 20 0.005"
	base   = "http://soda.test"
)

// patience is for what must happen, on a busy machine.
const patience = 2 * time.Minute

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// writeImage writes a small image of the sky around (ra, 20) degrees.
func writeImage(file string, ra float64) error {
	const n = 48
	h := fits.NewPrimary(-32, []int64{n, n})
	for _, c := range []struct {
		key   string
		value any
	}{
		{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", ra}, {"CRVAL2", 20.0}, {"CRPIX1", 24.5}, {"CRPIX2", 24.5},
		{"CDELT1", -0.001}, {"CDELT2", 0.001}, {"RADESYS", "ICRS"},
	} {
		if err := h.Set(c.key, c.value, ""); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := fits.NewWriter(&b).WriteHDU(context.Background(), h, 4*n*n, func(_ context.Context, emit func([]byte) error) error {
		var pixels []byte
		for i := range n * n {
			pixels = binary.BigEndian.AppendUint32(pixels, math.Float32bits(float32(i)))
		}
		return emit(pixels)
	}); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// backends opens the true parts of a world.
var backends = map[string]func(t *testing.T) (jobstore.Store, *objects.Bucket){
	"SQLite": func(t *testing.T) (jobstore.Store, *objects.Bucket) {
		return openSQLite(t), openBucket(t, filepath.Join(t.TempDir(), "bucket"))
	},
	"emulators": func(t *testing.T) (jobstore.Store, *objects.Bucket) {
		outside.Firestore(t)
		store, err := firestorejobs.Open(t.Context(), firestorejobs.Config{Project: "seltzer-" + uws.NewID()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		s, err := gcstest.Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0", "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		s.CreateBucket("results")
		t.Setenv("STORAGE_EMULATOR_HOST", s.API)
		return store, openBucket(t, "gs://results")
	},
}

func openSQLite(t *testing.T, options ...sqlitejobs.Option) *sqlitejobs.Store {
	t.Helper()
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := sqlitejobs.New(t.Context(), db, options...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func openBucket(t *testing.T, place string) *objects.Bucket {
	t.Helper()
	bucket, err := objects.OpenBucket(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	return bucket
}

// overBackends runs a test over each backend.
func overBackends(t *testing.T, test func(t *testing.T, w *world)) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			store, bucket := open(t)
			test(t, newWorld(t, store, bucket))
		})
	}
}

// world is a service whose every port goes through a plan, and the true parts beneath, which
// a test looks at.
type world struct {
	t       *testing.T
	plan    *faulty.Plan
	jobs    *observed
	results *objects.Bucket
	archive objects.Root
	inbox   *inbox
	indexes *indexes.Cache // nil: one of each process

	mu  sync.Mutex
	end context.CancelFunc // of the process at work
}

// images is a folder with one image, the same for all worlds.
var images = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "seltzer-faulty-"); err != nil {
		return "", err
	}
	return dir, writeImage(filepath.Join(dir, "image.fits"), 10)
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := images(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

func newWorld(t *testing.T, jobs jobstore.Store, results *objects.Bucket) *world {
	t.Helper()
	dir, err := images()
	if err != nil {
		t.Fatal(err)
	}
	images, err := objects.OpenRoot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = images.Close() })
	return &world{t: t, plan: new(faulty.Plan), jobs: &observed{Store: jobs, ends: map[string][]uws.Phase{}}, results: results, archive: images, inbox: new(inbox)}
}

// observed notes how often a write ends a job.
type observed struct {
	jobstore.Store
	mu   sync.Mutex
	ends map[string][]uws.Phase
}

func (o *observed) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	var before uws.Phase
	j, err := o.Store.Update(ctx, id, func(now time.Time, j *uws.Job) error {
		before = j.Phase
		return change(now, j)
	})
	if err == nil && j.Phase.Terminal() && j.Phase != uws.Archived && !before.Terminal() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.ends[id] = append(o.ends[id], j.Phase)
	}
	return j, err
}

// inbox is a queue that keeps its messages until they are delivered.
type inbox struct {
	mu  sync.Mutex
	ids []string
}

func (q *inbox) Publish(_ context.Context, _ uws.Class, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ids = append(q.ids, id)
	return nil
}

func (q *inbox) Check(context.Context) error { return nil }

func (q *inbox) take() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids, q.ids = q.ids, nil
	return ids
}

func (w *world) resolver() archive.Resolver {
	w.t.Helper()
	r, err := archive.NewCollections(archive.Collection{Prefix: prefix, Root: w.plan.Archive(w.archive)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// worker returns a worker of a new process.
func (w *world) worker() *worker.Worker {
	w.t.Helper()
	made, err := worker.New(worker.Config{
		Jobs: w.plan.Jobs(w.jobs), Queue: w.plan.Queue(w.inbox), Archive: w.resolver(), Results: w.plan.Results(w.results),
		Indexes: w.indexes, Memory: 4 * worker.JobMemory, Version: "test", ErrorText: api.ErrorText, Log: quiet,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// soda returns the face of a new process. Signed URLs lead nowhere.
func (w *world) soda(client *http.Client) http.Handler {
	w.t.Helper()
	sign, err := hmacsigning.New(bytes.Repeat([]byte{1}, 32), base+"/results")
	if err != nil {
		w.t.Fatal(err)
	}
	if client == nil {
		client = &http.Client{Transport: handled{signer.Handler(w.jobs, w.plan.Signer(sign), quiet)}}
	}
	limits := api.DefaultLimits
	limits.Remember = time.Hour
	return api.New(api.Config{
		Jobs: w.plan.Jobs(w.jobs), Queue: w.plan.Queue(w.inbox), Archive: w.resolver(), Auth: auth.None{}, PublicURL: base, Limits: limits,
		Indexes: w.indexes,
		Results: &signer.Client{URL: "http://signer", HTTP: client}, Log: quiet,
		Checks: []api.Check{{Name: "queue", Spare: true, Run: w.plan.Queue(w.inbox).Check}},
	})
}

// handled is a transport that a handler serves.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// ask sends a request to a handler; the parameters of a POST are its body.
func ask(h http.Handler, method, path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(method, base+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// make makes a job that runs, and asks again until that is acknowledged.
func (w *world) make() (id string) {
	w.t.Helper()
	for range 5 {
		var rec *httptest.ResponseRecorder
		w.process(func(context.Context) {
			rec = ask(w.soda(nil), "POST", "/async", "ID", prefix+"image.fits", "CIRCLE", circle, "PHASE", "RUN")
		})
		if id, made := strings.CutPrefix(rec.Header().Get("Location"), base+"/async/"); made {
			return id
		}
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			w.t.Fatalf("POST /async: %d %s; want 303, or 503 with Retry-After", rec.Code, rec.Body)
		}
	}
	w.t.Fatal("no job is acknowledged")
	return ""
}

// all returns all jobs.
func (w *world) all() []*uws.Job {
	w.t.Helper()
	jobs, err := w.jobs.List(w.t.Context(), jobstore.Filter{All: true, Phases: uws.Phases})
	if err != nil {
		w.t.Fatal(err)
	}
	return jobs
}

func (w *world) get(id string) *uws.Job {
	w.t.Helper()
	j, err := w.jobs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// change changes a job beneath the plan.
func (w *world) change(id string, change func(now time.Time, j *uws.Job)) *uws.Job {
	w.t.Helper()
	j, err := w.jobs.Store.Update(w.t.Context(), id, func(now time.Time, j *uws.Job) error {
		change(now, j)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// age makes d pass, by moving what the jobs say of instants back.
func (w *world) age(d time.Duration) {
	w.t.Helper()
	for _, j := range w.all() {
		w.change(j.ID, func(_ time.Time, j *uws.Job) {
			for _, at := range []*time.Time{&j.LeaseUntil, &j.DueAt, &j.Destruction, &j.PurgeAfter} {
				if !at.IsZero() {
					*at = at.Add(-d)
				}
			}
		})
	}
}

// process runs what one process does, until it is done or lost. The next one is not.
func (w *world) process(do func(ctx context.Context)) {
	ctx, end := context.WithTimeout(w.t.Context(), patience)
	defer end()
	w.mu.Lock()
	w.end = end
	w.mu.Unlock()
	before := w.plan.Met()
	do(ctx)
	if w.plan.Met() > before {
		w.plan.Heal()
	}
}

// lose is a fault by which the process is lost at the n-th call of a method.
func (w *world) lose(kind faulty.Kind, method string, n int) faulty.Fault {
	return faulty.Fault{Kind: kind, Method: method, N: n, Cut: true, Then: func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end()
	}}
}

func (w *world) sweep() {
	w.process(func(ctx context.Context) { _, _ = w.worker().Sweep(ctx) })
}

// deliver delivers the messages that wait, each to a process of its own. What is refused
// waits again.
func (w *world) deliver() {
	for _, id := range w.inbox.take() {
		w.process(func(ctx context.Context) {
			if w.worker().Work(ctx, id) != nil {
				_ = w.inbox.Publish(ctx, uws.Interactive, id)
			}
		})
	}
}

// drive lets messages and sweeps do their work until all jobs have ended. Between two rounds
// so much time passes that whatever waits is due.
func (w *world) drive() {
	w.t.Helper()
	for range 12 {
		w.deliver()
		if !slices.ContainsFunc(w.all(), func(j *uws.Job) bool { return !j.Phase.Terminal() }) {
			return
		}
		w.age(uws.FirstResend << 6)
		w.sweep()
	}
	for _, j := range w.all() {
		w.t.Errorf("job %s is %s after 12 rounds: %+v", j.ID, j.Phase, j)
	}
	w.t.FailNow()
}

// objects returns the names of a job's objects.
func (w *world) objects(id string) (names []string) {
	w.t.Helper()
	for name, err := range w.results.List(w.t.Context(), "results/"+id) {
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// reference is the cutout of an undisturbed world, without its cards of time.
func reference(t *testing.T) []byte {
	t.Helper()
	w := newWorld(t, openSQLite(t), openBucket(t, filepath.Join(t.TempDir(), "bucket")))
	id := w.make()
	w.drive()
	return w.bytes(id)
}

// bytes returns the result of a job, without its cards of time.
func (w *world) bytes(id string) []byte {
	w.t.Helper()
	j := w.get(id)
	if j.Phase != uws.Completed || len(j.Results) != 1 {
		w.t.Fatalf("the job is %s with %d results (%+v, %s), want COMPLETED with one", j.Phase, len(j.Results), j.Failure, j.Cause)
	}
	o, err := w.results.Open(w.t.Context(), j.Results[0].Object)
	if err != nil {
		w.t.Fatal(err)
	}
	defer o.Close()
	text, err := io.ReadAll(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return outside.Timeless(text)
}

// wantDone checks that a job ended once, COMPLETED, with the right bytes.
func (w *world) wantDone(id string, want []byte) {
	w.t.Helper()
	if got := w.bytes(id); !bytes.Equal(got, want) {
		w.t.Errorf("the result has %d bytes that are not those of an undisturbed cut (%d)", len(got), len(want))
	}
	w.jobs.mu.Lock()
	defer w.jobs.mu.Unlock()
	if ends := w.jobs.ends[id]; len(ends) != 1 {
		w.t.Errorf("the job ended %d times: %v", len(ends), ends)
	}
}

// wantOnlyNamed checks that the bucket holds the objects that a job names and no other.
func (w *world) wantOnlyNamed(id string) {
	w.t.Helper()
	var named []string
	for _, r := range w.get(id).Results {
		named = append(named, r.Object)
	}
	if got := w.objects(id); !slices.Equal(got, named) {
		w.t.Errorf("the bucket holds %v, want %v", got, named)
	}
}

// destroy has all jobs reach their destruction, and sweeps until they are ARCHIVED; then
// until they are purged. It checks that no object is left.
func (w *world) destroy() {
	w.t.Helper()
	jobs := w.all()
	sweepUntil := func(what string, d time.Duration, done func() bool) {
		w.t.Helper()
		for range 12 {
			if done() {
				return
			}
			w.age(d)
			w.sweep()
		}
		w.t.Errorf("no job is %s after 12 sweeps: %+v", what, w.all()[0])
	}
	for _, j := range jobs {
		w.change(j.ID, func(now time.Time, j *uws.Job) { j.DestroyAt(now, 24*time.Hour) })
	}
	sweepUntil("archived", uws.Lease+uws.SweepGrace, func() bool {
		return !slices.ContainsFunc(w.all(), func(j *uws.Job) bool { return j.Phase != uws.Archived || !j.DueAt.Equal(j.PurgeAfter) })
	})
	for _, j := range jobs {
		if left := w.objects(j.ID); len(left) > 0 {
			w.t.Errorf("objects are left after the destruction: %v", left)
		}
	}
	sweepUntil("purged", 24*time.Hour, func() bool { return len(w.all()) == 0 })
}
