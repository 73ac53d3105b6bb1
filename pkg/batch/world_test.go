package batch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/faulty"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
	"github.com/seltzer-soda/seltzer/pkg/worker"
)

const prefix = "ivo://example.org/a?"

// patience is for what must happen, on a busy machine.
const patience = 2 * time.Minute

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// writeImage writes an image of the sky around (10, 20) degrees.
func writeImage(tb testing.TB, file string, n int64) {
	tb.Helper()
	h := fits.NewPrimary(-32, []int64{n, n})
	for _, c := range []struct {
		key   string
		value any
	}{
		{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", 10.0}, {"CRVAL2", 20.0}, {"CRPIX1", float64(n)/2 + 0.5}, {"CRPIX2", float64(n)/2 + 0.5},
		{"CDELT1", -0.001}, {"CDELT2", 0.001}, {"RADESYS", "ICRS"},
	} {
		if err := h.Set(c.key, c.value, ""); err != nil {
			tb.Fatal(err)
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
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// inbox is a queue that keeps its messages until they are delivered.
type inbox struct {
	mu  sync.Mutex
	ids []string
}

func (q *inbox) Publish(_ context.Context, _ uws.Class, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.ids, id) {
		q.ids = append(q.ids, id)
	}
	return nil
}

func (q *inbox) Check(context.Context) error { return nil }

func (q *inbox) take() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids, q.ids = q.ids, nil
	return ids
}

// world is a store, a bucket and an archive, with workers whose ports go through a plan.
type world struct {
	tb        testing.TB
	plan      *faulty.Plan
	jobs      *sqlitejobs.Store
	results   *objects.Bucket
	archive   objects.Root
	manifests string
	inbox     *inbox
	told      atomic.Int32 // how often somebody heard of the end of a batch
	ahead     atomic.Int64 // of the store's clock
	lanes     int
	held      holdings.Store // nil: each row must name its image

	mu  sync.Mutex
	end context.CancelFunc // of the process at work
}

func newWorld(tb testing.TB, side int64) *world {
	tb.Helper()
	dir := tb.TempDir()
	w := &world{tb: tb, plan: new(faulty.Plan), inbox: new(inbox), lanes: 2, manifests: filepath.Join(dir, "manifests")}
	db, err := sqlitedb.Open(filepath.Join(dir, "jobs.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if w.jobs, err = sqlitejobs.New(tb.Context(), db, sqlitejobs.WithClock(func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) })); err != nil {
		tb.Fatal(err)
	}
	if w.results, err = objects.OpenBucket(tb.Context(), filepath.Join(dir, "bucket")); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.results.Close() })
	for _, d := range []string{"images", "manifests"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range []string{"one.fits", "two.fits"} {
		writeImage(tb, filepath.Join(dir, "images", name), side)
	}
	if w.archive, err = objects.OpenRoot(tb.Context(), filepath.Join(dir, "images")); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.archive.Close() })
	return w
}

// index holds what is in the archive, so that rows need not name their image.
func (w *world) index() {
	w.tb.Helper()
	db, err := sqlitedb.Open(filepath.Join(w.tb.TempDir(), "holdings.db"))
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { _ = db.Close() })
	if w.held, err = sqliteholdings.New(w.tb.Context(), db); err != nil {
		w.tb.Fatal(err)
	}
	c := archive.Collection{Prefix: prefix, Root: w.archive}
	resolver, err := archive.NewCollections(c)
	if err != nil {
		w.tb.Fatal(err)
	}
	indexer := &holdings.Indexer{Store: w.held, Archive: resolver}
	if err := indexer.Collection(w.tb.Context(), c, func(id string, outcome holdings.Outcome, err error) {
		if outcome != holdings.Read {
			w.tb.Errorf("%s is %s: %v", id, outcome, err)
		}
	}); err != nil {
		w.tb.Fatal(err)
	}
}

// JobEnded implements [batch.Teller].
func (w *world) JobEnded(context.Context, string, uws.Phase) error {
	w.told.Add(1)
	return nil
}

// batches returns what does batches in a new process.
func (w *world) batches() *batch.Batches {
	w.tb.Helper()
	resolver, err := archive.NewCollections(archive.Collection{Prefix: prefix, Root: w.plan.Archive(w.archive)})
	if err != nil {
		w.tb.Fatal(err)
	}
	manifests, err := objects.OpenRoot(w.tb.Context(), w.manifests)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { _ = manifests.Close() })
	var finder batch.Finder
	if w.held != nil {
		finder = holdings.NewFinder(w.plan.Holdings(w.held), resolver)
	}
	return batch.New(batch.Config{
		Jobs: w.plan.Jobs(w.jobs), Queue: w.plan.Queue(w.inbox), Archive: resolver, Results: w.plan.Results(w.results), Manifests: manifests,
		Teller: w, Finder: finder, Indexes: indexes.New(1<<20, nil), Lanes: w.lanes, Version: "test", RowsOwner: "rows", Log: quiet,
	})
}

// worker returns a worker of a new process.
func (w *world) worker() *worker.Worker {
	w.tb.Helper()
	b := w.batches()
	made, err := worker.New(worker.Config{
		Jobs: b.Jobs, Queue: b.Queue, Archive: b.Archive, Results: b.Config.Results, Batches: b,
		Memory: 4 * worker.JobMemory, Version: "test", ErrorText: func(code fault.Code, s string) string { return string(code) + ": " + s }, Log: quiet,
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return made
}

// rows is a manifest of n rows that can be cut, over two images, and three that cannot.
func rows(n int) string {
	var b bytes.Buffer
	b.WriteString("ID,ra,dec,stamp,label\n")
	for i := range n {
		fmt.Fprintf(&b, "%s%s.fits,%.5f,%.5f,8,row %d\n", prefix, []string{"one", "two"}[i%2], 10+float64(i%17-8)/1000, 20+float64(i%13-6)/1000, i+1)
	}
	fmt.Fprintf(&b, "%sone.fits,200,-40,8,away\n%sone.fits,x,20,8,broken\n%snone.fits,10,20,8,unknown\n", prefix, prefix, prefix)
	return b.String()
}

// make queues a batch of a manifest in the folder of ada.
func (w *world) make(manifest string, params ...uws.Param) *uws.Job {
	w.tb.Helper()
	name := batch.Folder("ada") + "objects.csv"
	file := filepath.Join(w.manifests, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(manifest), 0o600)
	}
	now := time.Now().Add(time.Duration(w.ahead.Load())).UTC()
	j := batch.NewJob(uws.NewID(), now, name)
	j.Owner, j.ExecutionDuration = "ada", 5*time.Minute
	j.Params = append([]uws.Param{{Name: batch.Manifest, Value: "objects.csv"}}, params...)
	j.DestroyAt(now.Add(365*24*time.Hour), time.Hour)
	if err == nil {
		_, err = j.Run(now)
	}
	if err == nil {
		err = w.jobs.Create(w.tb.Context(), j)
	}
	if err == nil {
		err = w.inbox.Publish(w.tb.Context(), j.Class, j.ID)
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	return j
}

func (w *world) get(id string) *uws.Job {
	w.tb.Helper()
	j, err := w.jobs.Get(w.tb.Context(), id)
	if err != nil {
		w.tb.Fatal(err)
	}
	return j
}

// process runs what one process does, until it is done or lost. The next one is not.
func (w *world) process(do func(ctx context.Context)) {
	ctx, end := context.WithTimeout(w.tb.Context(), patience)
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

// lose is a fault by which the process is lost at the n-th call.
func (w *world) lose(kind faulty.Kind, n int) faulty.Fault {
	return faulty.Fault{Kind: kind, N: n, Cut: true, Then: func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end()
	}}
}

// deliver delivers the messages that wait, each to a process of its own.
func (w *world) deliver() (any bool) {
	for _, id := range w.inbox.take() {
		any = true
		w.process(func(ctx context.Context) {
			if w.worker().Work(ctx, id) != nil {
				_ = w.inbox.Publish(ctx, uws.Bulk, id)
			}
		})
	}
	return any
}

// drive lets messages and sweeps do their work until a batch has ended and nothing follows.
func (w *world) drive(id string) *uws.Job {
	w.tb.Helper()
	for range 200 {
		if w.deliver() {
			continue
		}
		if j := w.get(id); j.Phase.Terminal() && !j.Owes {
			return j
		}
		w.ahead.Add(int64(uws.FirstResend << 3))
		w.process(func(ctx context.Context) { _, _ = w.worker().Sweep(ctx) })
	}
	j := w.get(id)
	w.tb.Fatalf("the batch is %s after 200 rounds: %+v %+v", j.Phase, j, j.Plan)
	return nil
}

// lines returns the manifest of results of a batch.
func (w *world) lines(j *uws.Job) (lines []ledger.Row) {
	w.tb.Helper()
	i := slices.IndexFunc(j.Results, func(r uws.Result) bool { return r.ID == "manifest" })
	if i < 0 {
		w.tb.Fatalf("the batch is %s (%+v) and has no manifest of results among %d results", j.Phase, j.Failure, len(j.Results))
	}
	text := w.read(j.Results[i].Object)
	r, err := ledger.Open(w.tb.Context(), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		w.tb.Fatal(err)
	}
	for line, err := range r.Rows() {
		if err != nil {
			w.tb.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func (w *world) read(object string) []byte {
	w.tb.Helper()
	o, err := w.results.Open(w.tb.Context(), object)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer o.Close()
	text, err := io.ReadAll(o)
	if err != nil {
		w.tb.Fatal(err)
	}
	return text
}
