package worker

import (
	"context"
	"fmt"
	"io"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// cutting is an attempt on the cuts of a job, mostly one, and what has come of them. It begins with the
// results that the job has kept of earlier attempts, which are not made again.
type cutting struct {
	*Worker
	job     *uws.Job
	request *soda.Request
	cuts    []soda.Cut
	errs    []error  // of each cut, of this attempt
	objects []string // that this attempt wrote
	tries   int      // runs

	dataset *archive.Dataset // the one at work, with its source; nil: none
	source  objects.Source
	count   objects.Count   // what was read of it
	tiles   *fits.TileCache // which several cuts of a compressed image share; nil for one cut

	mu      sync.Mutex
	results []uws.Result // of each cut; one without an id is still to be made

	done, total atomic.Int64 // bytes of the present result

	reading atomic.Pointer[context.Context] // of the step at work; nil: its reads are not told one by one
	told    atomic.Int64                    // reads that were
}

// tileMemory is what decoded tiles take that the cuts of one job share.
const tileMemory = 16 << 20

// newCutting returns an attempt on a job. The errors are those of the request.
func (w *Worker) newCutting(j *uws.Job) (*cutting, error) {
	request, err := soda.Read(j.Params)
	if err != nil {
		return nil, err
	}
	if err := request.Complete(); err != nil {
		return nil, err
	}
	b := &cutting{Worker: w, job: j, request: request, cuts: request.Cuts()}
	b.count.Observe = b.observe
	b.results, b.errs = make([]uws.Result, len(b.cuts)), make([]error, len(b.cuts))
	if len(b.cuts) > 1 {
		b.tiles = fits.NewTileCache(tileMemory)
	}
	kept := make(map[string]uws.Result)
	for _, r := range j.Partial {
		kept[r.ID] = r
	}
	for i := range b.cuts {
		b.results[i] = kept[b.id(i)]
	}
	return b, nil
}

// Close implements [batch.Attempt].
func (b *cutting) Close() { b.closeDataset() }

func (b *cutting) closeDataset() {
	if b.dataset != nil {
		_ = b.source.Close() // it was read, and no more
		b.dataset = nil
	}
}

func (b *cutting) id(i int) string { return soda.ResultID(i, len(b.cuts)) }

// Results returns the results that are made, in the order of the cuts.
func (b *cutting) Results() (results []uws.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.results {
		if r.ID != "" {
			results = append(results, r)
		}
	}
	return results
}

// Note implements [batch.Attempt].
func (b *cutting) Note(j *uws.Job) []uws.Result {
	complete := b.Results()
	j.Progress = uws.Progress{Done: b.done.Load(), Total: b.total.Load(), Results: len(complete), Of: len(b.cuts)}
	return complete
}

// End implements [batch.Attempt].
func (b *cutting) End(now time.Time, claim string, j *uws.Job) error {
	return j.Complete(now, claim, b.Results())
}

// Objects implements [batch.Attempt].
func (b *cutting) Objects() []string { return b.objects }

// Write counts bytes of output.
func (b *cutting) Write(p []byte) (int, error) {
	b.done.Add(int64(len(p)))
	return len(p), nil
}

// Run makes the results that are not there. A cut that fails for good becomes a result that
// says why, so that it does not cost the others; if it is the only one, or all fail so, the
// error is theirs. After a transient failure Run goes on with the cuts of other datasets,
// and returns that failure at the end.
func (b *cutting) Run(ctx context.Context) (err error) {
	folder := fmt.Sprintf("results/%s/%d", b.job.ID, b.job.Attempt)
	if b.tries++; b.tries > 1 {
		folder = fmt.Sprintf("%s-%d", folder, b.tries)
	}
	for i, c := range b.cuts {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case b.results[i].ID != "":
			continue
		case i > 0 && fault.Transient(b.errs[i-1]) && b.cuts[i-1].ID == c.ID:
			b.errs[i] = b.errs[i-1]
			continue
		}
		if b.errs[i] = b.makeSafely(ctx, folder, i); b.errs[i] == nil {
			continue
		}
		b.closeDataset() // what comes next shall open its dataset anew
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case fault.Transient(b.errs[i]):
			err = b.errs[i]
			continue
		case len(b.cuts) == 1:
			return b.errs[i]
		}
		if failed := b.explain(ctx, folder, i); failed != nil {
			return failed
		}
	}
	if err != nil {
		return err
	}
	return b.allFailed()
}

// GiveUp ends the last attempt of a job: cuts that still fail become results that say why,
// unless nothing else was made.
func (b *cutting) GiveUp(ctx context.Context) error {
	var last error
	for i, r := range b.results {
		if r.ID == "" {
			last = b.errs[i]
		}
	}
	if len(b.Results()) == 0 {
		return last
	}
	folder := fmt.Sprintf("results/%s/%d-last", b.job.ID, b.job.Attempt)
	for i, r := range b.results {
		if r.ID == "" {
			if err := b.explain(ctx, folder, i); err != nil {
				return err
			}
		}
	}
	return b.allFailed()
}

// allFailed is an error if no cutout could be made, and not for want of overlap.
func (b *cutting) allFailed() error {
	for _, r := range b.results {
		if !r.Failed {
			return nil
		}
	}
	for i, err := range b.errs {
		if err != nil {
			return fault.New(fault.CodeOf(err), "worker.run", "none of the %d cutouts could be made, each result says why; %s: %s", len(b.cuts), b.id(i), fault.Sentence(err))
		}
	}
	return fault.New(fault.Unsupported, "worker.run", "none of the %d cutouts could be made; each result says why", len(b.cuts))
}

// explain makes the text that says why cut i failed its result.
func (b *cutting) explain(ctx context.Context, folder string, i int) error {
	err := b.errs[i]
	b.Log.WarnContext(ctx, "not cut", "job", b.job.ID, "result", b.id(i), "error", err)
	return b.writeText(ctx, folder, i, "error", b.ErrorText(fault.CodeOf(err), fault.Sentence(err)), uws.Result{Failed: true})
}

// makeSafely is make, with a panic turned into an error: one cut that meets a fault of ours
// must not end the others.
func (b *cutting) makeSafely(ctx context.Context, folder string, i int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.Log.ErrorContext(ctx, "panic", "job", b.job.ID, "panic", p, "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "worker.cut", "panic: %v", p)
		}
	}()
	return b.make(ctx, folder, i)
}

// make makes the result of cut i: the object of a cutout or, if it selects no pixel, a text
// that says so (SODA 1.0, section 3.4.1).
func (b *cutting) make(ctx context.Context, folder string, i int) error {
	began := time.Now()
	c := b.cuts[i]
	if err := b.open(ctx, c.ID); err != nil {
		return err
	}
	bytesBefore, requestsBefore := b.count.Bytes(), b.count.Requests()
	plan, err := b.plan(ctx, cutoutRequest(b.request, c, cutout.Limits{MaxBytes: b.MaxBytes}))
	overlap := err == nil
	switch {
	case fault.CodeOf(err) == fault.NoOverlap:
		err = b.writeText(ctx, folder, i, "no_overlap", b.ErrorText(fault.NoOverlap, "no overlap: "+fault.Sentence(err)), uws.Result{})
	case err == nil:
		b.done.Store(0)
		b.total.Store(plan.Size())
		name := fileName(b.request.Name, b.dataset.Name)
		err = b.write(ctx, folder, i, name, uws.Result{MIME: b.request.Format, Overlap: true}, func(out io.Writer) error {
			return b.step(ctx, "write", func(ctx context.Context) error {
				_, err := plan.WriteTo(ctx, out)
				return err
			})
		})
	}
	if err != nil {
		return err
	}
	telemetry.From(ctx).ArchiveRead(ctx, b.count.Bytes()-bytesBefore, b.count.Requests()-requestsBefore)
	b.Log.InfoContext(ctx, "cut", "job", b.job.ID, "attempt", b.job.Attempt, "result", b.id(i), "id", c.ID, "request", b.request.Describe(c), "overlap", overlap,
		"bytes", b.results[i].Size, "bytesRead", b.count.Bytes()-bytesBefore, "requests", b.count.Requests()-requestsBefore, "ms", time.Since(began).Milliseconds())
	return nil
}

// open opens the dataset of an ID, unless it is the one at work.
func (b *cutting) open(ctx context.Context, id string) (err error) {
	if b.dataset != nil && b.dataset.ID == id {
		return nil
	}
	b.closeDataset()
	ctx, span := telemetry.Wait(ctx, "archive.open")
	defer func() { span.End(err) }()
	dataset, err := b.Archive.Resolve(ctx, id, archive.Owner(b.job))
	if err != nil {
		return err
	}
	source, err := dataset.Open(ctx)
	if err != nil {
		return err
	}
	b.dataset, b.source = dataset, source
	return nil
}

// plan plans a cut of the dataset at work.
func (b *cutting) plan(ctx context.Context, request cutout.Request) (plan *cutout.Plan, err error) {
	request.Source.Object, request.Source.Generation, request.Source.Version = b.dataset.Object, b.source.Generation(), b.Version
	var file *fits.File
	if err := b.step(ctx, "headers", func(context.Context) (err error) { // the file is read until the whole cut ends: by ctx
		file, err = b.dataset.FITS(ctx, b.Indexes, b.source, &b.count)
		return err
	}); err != nil {
		return nil, err
	}
	file.Tiles = b.tiles
	err = b.step(ctx, "plan", func(context.Context) (err error) {
		plan, err = cutout.New(file, request)
		return err
	})
	return plan, err
}

// fileName names a cutout as was asked, or after its dataset.
func fileName(asked, dataset string) string {
	if asked != "" {
		return stem(asked) + ".fits"
	}
	return stem(dataset) + "_cutout.fits"
}

// stem returns a file name without the extensions of FITS files.
func stem(name string) string {
	for _, ext := range []string{".gz", ".fz", ".fits", ".fit", ".fts"} {
		if len(name) > len(ext) && strings.EqualFold(path.Ext(name), ext) {
			name = name[:len(name)-len(ext)]
		}
	}
	return name
}

// writeText makes a text the result of cut i.
func (b *cutting) writeText(ctx context.Context, folder string, i int, name, text string, r uws.Result) error {
	r.MIME = "text/plain"
	return b.write(ctx, folder, i, name+".txt", r, func(out io.Writer) error {
		_, err := io.WriteString(out, text+"\n")
		return err
	})
}

// write makes an object under folder, whole or not at all, and r the result of cut i. The
// names of several results end in the number of the cut.
func (b *cutting) write(ctx context.Context, folder string, i int, name string, r uws.Result, fill func(io.Writer) error) error {
	r.ID, r.Name = b.id(i), name
	if len(b.cuts) > 1 {
		ext := path.Ext(name)
		r.Name = fmt.Sprintf("%s-%04d%s", strings.TrimSuffix(name, ext), i+1, ext)
	}
	_, span := telemetry.Wait(ctx, "results.create")
	out, err := b.Worker.Results.Create(ctx, folder+"/"+r.Name, r.MIME)
	span.End(err)
	if err != nil {
		return err
	}
	defer out.Abort()
	if err := fill(io.MultiWriter(out, b)); err != nil {
		return err
	}
	_, span = telemetry.Wait(ctx, "results.store")
	err = out.Close()
	span.End(err)
	if err != nil {
		return err
	}
	r.Object, r.Size, r.CRC32C = out.Name(), out.Size(), out.CRC32C()
	b.objects = append(b.objects, r.Object)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results[i] = r
	return nil
}
