package worker

import (
	"context"
	"errors"
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
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Why the work on a job ends before its result is there.
var (
	errFenced = errors.New("the claim on the job is over")
	errLong   = errors.New("the job ran longer than its execution duration")
	errStop   = errors.New("the worker was stopped")
)

// tries is how often a transient failure is tried again within one attempt, after pauses
// that double from pause.
const (
	tries = 3
	pause = 200 * time.Millisecond
)

// outcome is what came of an attempt.
type outcome struct {
	results []uws.Result
	err     error // nil: results are complete
	objects []string
}

// execute works on a claimed job until it is done, fails, is aborted or takes too long.
func (w *Worker) execute(ctx context.Context, j *uws.Job, claim string) outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, j.ExecutionDuration, errLong)
	defer stop()
	var done progress
	var guards sync.WaitGroup
	guards.Go(func() { w.heartbeat(ctx, cancel, j.ID, claim, &done) })
	guards.Go(func() { w.watch(ctx, cancel, j.ID, claim) })
	defer guards.Wait()
	defer cancel(nil)

	var o outcome
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(pause << (try - 1)):
			case <-ctx.Done():
			}
		}
		folder := fmt.Sprintf("results/%s/%d", j.ID, j.Attempt)
		if try > 0 {
			folder = fmt.Sprintf("%s-%d", folder, try+1)
		}
		var result *uws.Result
		if result, o.err = w.cutSafely(ctx, j, folder, &done); result != nil {
			o.objects = append(o.objects, result.Object)
			o.results = []uws.Result{*result}
		}
		if cause := context.Cause(ctx); cause != nil {
			if o.err = cause; errors.Is(cause, context.Canceled) {
				o.err = errStop
			}
		}
		if !fault.Transient(o.err) || ctx.Err() != nil {
			break
		}
	}
	return o
}

// progress counts the bytes of output.
type progress struct{ done, total atomic.Int64 }

func (p *progress) Write(b []byte) (int, error) {
	p.done.Add(int64(len(b)))
	return len(b), nil
}

func (p *progress) report() uws.Progress {
	return uws.Progress{Done: p.done.Load(), Total: p.total.Load()}
}

// heartbeat extends the lease until ctx ends, or cancels the work if the claim is over.
func (w *Worker) heartbeat(ctx context.Context, cancel context.CancelCauseFunc, id, claim string, p *progress) {
	tick := time.NewTicker(uws.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := w.Jobs.Update(ctx, id, func(now time.Time, j *uws.Job) error { return j.Beat(now, claim, p.report()) })
		switch {
		case errors.Is(err, fault.Phase), errors.Is(err, fault.NotFound):
			cancel(errFenced)
			return
		case err != nil && ctx.Err() == nil:
			w.Log.WarnContext(ctx, "a heartbeat was lost", "job", id, "error", err)
		}
	}
}

// watch cancels the work as soon as the job is aborted, deleted or claimed by another.
func (w *Worker) watch(ctx context.Context, cancel context.CancelCauseFunc, id, claim string) {
	for j, err := range w.Jobs.Watch(ctx, id) {
		if errors.Is(err, fault.NotFound) || err == nil && j.Holds(claim) != nil {
			cancel(errFenced)
			return
		}
		if err != nil {
			return // the heartbeat sees an abort too, later
		}
	}
}

// cutSafely is cut, with a panic turned into an error: one job that meets a fault of ours
// must not end the others.
func (w *Worker) cutSafely(ctx context.Context, j *uws.Job, folder string, p *progress) (result *uws.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.ErrorContext(ctx, "panic", "job", j.ID, "panic", p, "stack", string(debug.Stack()))
			result, err = nil, fault.New(fault.Internal, "worker.cut", "panic: %v", p)
		}
	}()
	return w.cut(ctx, j, folder, p)
}

// cut makes the result of a job: the object of a cutout or, if the stencil selects no
// pixel, a text that says so (SODA 1.0, section 3.4.1).
func (w *Worker) cut(ctx context.Context, j *uws.Job, folder string, p *progress) (*uws.Result, error) {
	began := time.Now()
	request, err := soda.Read(j.Params)
	if err == nil {
		err = errors.Join(request.Single(), request.Complete())
	}
	if err != nil {
		return nil, err
	}
	dataset, err := w.Archive.Resolve(ctx, request.IDs[0])
	if err != nil {
		return nil, err
	}
	source, err := dataset.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	var count objects.Count
	ask := cutoutRequest(request, request.Cuts()[0], cutout.Limits{MaxBytes: w.MaxBytes})
	ask.Source.Object, ask.Source.Generation, ask.Source.Version = dataset.Object, source.Generation(), w.Version
	plan, err := w.plan(ctx, dataset, source, &count, ask)
	var result *uws.Result
	switch {
	case errors.Is(err, fault.NoOverlap):
		text := w.ErrorText(fault.NoOverlap, "no overlap: "+fault.Sentence(err)) + "\n"
		result, err = w.write(ctx, folder, "no_overlap.txt", "text/plain", p, func(out io.Writer) error {
			_, err := io.WriteString(out, text)
			return err
		})
	case err == nil:
		p.done.Store(0)
		p.total.Store(plan.Size())
		result, err = w.write(ctx, folder, resultName(dataset.Name), request.Format, p, func(out io.Writer) error {
			_, err := plan.WriteTo(ctx, out)
			return err
		})
		if result != nil {
			result.Overlap = true
		}
	}
	if err != nil {
		return nil, err
	}
	w.Log.InfoContext(ctx, "cut", "job", j.ID, "attempt", j.Attempt, "request", request.String(), "overlap", result.Overlap,
		"bytes", result.Size, "bytesRead", count.Bytes(), "requests", count.Requests(), "ms", time.Since(began).Milliseconds())
	return result, nil
}

func (w *Worker) plan(ctx context.Context, dataset *archive.Dataset, source objects.Source, count *objects.Count, request cutout.Request) (*cutout.Plan, error) {
	root := dataset.Root.String()
	key := indexes.Key{Object: root + "\x00" + source.Name(), Generation: source.Generation()}
	file, err := w.Indexes.Open(ctx, key, objects.Bind(ctx, source, count), source.Size(), fits.CostOf(root))
	if err != nil {
		return nil, err
	}
	return cutout.New(file, request)
}

// resultName names a cutout after its dataset.
func resultName(dataset string) string {
	stem := dataset
	for _, ext := range []string{".gz", ".fz", ".fits", ".fit", ".fts"} {
		if len(stem) > len(ext) && strings.EqualFold(path.Ext(stem), ext) {
			stem = stem[:len(stem)-len(ext)]
		}
	}
	return stem + "_cutout.fits"
}

// write makes one object under folder; it appears whole or not at all.
func (w *Worker) write(ctx context.Context, folder, name, mime string, p *progress, fill func(io.Writer) error) (*uws.Result, error) {
	out, err := w.Results.Create(ctx, folder+"/"+name, mime)
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	if err := fill(io.MultiWriter(out, p)); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return &uws.Result{ID: "result", Object: out.Name(), Name: name, MIME: mime, Size: out.Size(), CRC32C: out.CRC32C()}, nil
}

// finish writes what came of an attempt into the job. A nil error acknowledges the message.
func (w *Worker) finish(ctx context.Context, j *uws.Job, claim string, o outcome) error {
	end := func(now time.Time, j *uws.Job) error {
		switch {
		case o.err == nil:
			return j.Complete(now, claim, o.results)
		case errors.Is(o.err, errFenced):
			return j.Holds(claim)
		case errors.Is(o.err, errLong):
			return j.Expire(now, claim)
		case errors.Is(o.err, errStop):
			return j.Stop(now, claim, "the server stopped while it worked on the job")
		case fault.Transient(o.err):
			return j.Yield(now, claim, fault.Sentence(o.err), uws.Backoff(j.Attempt))
		}
		return j.Fail(now, claim, uws.Failure{Code: string(fault.CodeOf(o.err)), Message: fault.Sentence(o.err)})
	}
	log := w.Log.With("job", j.ID, "attempt", j.Attempt)
	after, err := w.settle(ctx, j.ID, end)
	if fault.Transient(err) { // perhaps committed, with the answer lost: the job itself tells
		if after, err = w.read(ctx, j.ID); err == nil && after.Holds(claim) == nil {
			after, err = w.settle(ctx, j.ID, end)
		}
	}
	switch {
	case err != nil && !errors.Is(err, fault.Phase) && !errors.Is(err, fault.NotFound):
		return fmt.Errorf("worker: end of job %s: %w", j.ID, err)
	case err != nil, o.err == nil && !named(after, o.results[0].Object):
		log.WarnContext(ctx, "fenced: the job was aborted, deleted or taken by another worker")
	case o.err != nil:
		log.WarnContext(ctx, "not cut", "phase", after.Phase, "error", o.err)
	default:
		log.InfoContext(ctx, "completed")
	}
	w.discard(ctx, j.ID, o.objects, after)
	return nil
}

func (w *Worker) read(ctx context.Context, id string) (*uws.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return w.Jobs.Get(ctx, id)
}

// discard deletes the objects of this worker's that the job does not name. after is the
// job as this worker's last write left it, nil if it was fenced: the job is then read again.
func (w *Worker) discard(ctx context.Context, id string, objects []string, after *uws.Job) {
	for _, object := range objects {
		if after == nil {
			var err error
			if after, err = w.read(ctx, id); err != nil && !errors.Is(err, fault.NotFound) {
				w.Log.WarnContext(ctx, "objects that no job may name are left", "job", id, "error", err)
				return
			}
		}
		if after != nil && named(after, object) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		err := w.Results.Delete(ctx, object)
		cancel()
		if err != nil {
			w.Log.WarnContext(ctx, "an object that no job names is left", "object", object, "error", err)
		}
	}
}

func named(j *uws.Job, object string) bool {
	for _, r := range j.Results {
		if r.Object == object {
			return true
		}
	}
	return false
}
