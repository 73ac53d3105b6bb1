package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/googleapis/gax-go/v2"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Why the work on a job ends before its result is there.
var (
	errFenced = errors.New("the claim on the job is over")
	errLong   = errors.New("the job ran longer than its execution duration")
	errStop   = errors.New("the worker was stopped")
	errBatch  = errors.New("the batch has ended")
)

// tries is how often a transient failure is tried again within one attempt, after random
// pauses that double from at most firstPause.
const (
	tries      = 3
	firstPause = 400 * time.Millisecond
)

// keepEvery is how often new results of a job of several cuts are kept in the store.
const keepEvery = 2 * time.Second

// outcome is what came of an attempt.
type outcome struct {
	batch.Attempt       // nil: it did not begin
	err           error // nil: all there is to do is done
}

// begin returns an attempt on a job, by its kind.
func (w *Worker) begin(j *uws.Job) (batch.Attempt, error) {
	if j.Kind != uws.Batch && j.Kind != uws.Part {
		return w.newCutting(j)
	}
	if w.Batches == nil {
		return nil, fault.New(fault.Internal, "worker.begin", "this worker does no batches")
	}
	return w.Batches.Begin(j)
}

// stopTime is for an attempt that is stopped to put away what it has made.
const stopTime = 8 * time.Second

// stopper is an attempt that can keep unfinished work.
type stopper interface {
	Stop(ctx context.Context) error
}

// execute works on a claimed job until it is done, fails, is aborted or takes too long.
func (w *Worker) execute(ctx context.Context, j *uws.Job, claim string) outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, j.ExecutionDuration, errLong)
	defer stop()
	a, err := w.begin(j)
	if err != nil {
		return outcome{err: err}
	}
	defer a.Close()
	var guards sync.WaitGroup
	guards.Go(func() { w.heartbeat(ctx, cancel, j.ID, claim, a) })
	guards.Go(func() { w.watch(ctx, cancel, j.ID, claim) })
	if j.Kind == uws.Part {
		guards.Go(func() { w.watchBatch(ctx, cancel, j.Parent) })
	}
	defer guards.Wait()
	defer cancel(nil)

	pause := gax.Backoff{Initial: firstPause}
	for try := range tries {
		if try > 0 {
			_ = gax.Sleep(ctx, pause.Pause()) // if ctx ends, run says so
		}
		err = a.Run(ctx)
		if cause := context.Cause(ctx); cause != nil {
			if err = cause; errors.Is(cause, context.Canceled) {
				err = errStop
			}
		}
		if !fault.Transient(err) || ctx.Err() != nil {
			break
		}
	}
	if fault.Transient(err) && j.LastAttempt() {
		err = a.GiveUp(ctx)
	}
	if s, ok := a.(stopper); ok && ctx.Err() != nil && !errors.Is(err, errFenced) {
		keep, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer done()
		if stopErr := s.Stop(keep); stopErr != nil {
			w.Log.WarnContext(ctx, "what a stopped worker had made is lost", "job", j.ID, "error", stopErr)
		}
	}
	return outcome{a, err}
}

// heartbeat extends the lease until ctx ends, or cancels the work if the claim is over. A
// new result is kept soon, so that little is made again if the worker is lost.
func (w *Worker) heartbeat(ctx context.Context, cancel context.CancelCauseFunc, id, claim string, a batch.Attempt) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	last, kept := time.Now(), len(a.Results())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		complete := a.Results()
		if time.Since(last) < uws.Heartbeat && len(complete) == kept {
			continue
		}
		last, kept = time.Now(), len(complete)
		_, err := w.Jobs.Update(ctx, id, func(now time.Time, j *uws.Job) error {
			if err := j.Keep(claim, a.Note(j)); err != nil {
				return err
			}
			return j.Beat(now, claim, j.Progress)
		})
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

// watchBatch cancels the work on a part as soon as its batch has ended or is gone.
func (w *Worker) watchBatch(ctx context.Context, cancel context.CancelCauseFunc, id string) {
	for j, err := range w.Jobs.Watch(ctx, id) {
		if errors.Is(err, fault.NotFound) || err == nil && (j.Phase.Terminal() || j.Deleted) {
			cancel(errBatch)
			return
		}
		if err != nil {
			return // the part goes on to its end
		}
	}
}

// finish writes what came of an attempt into the job. A nil error acknowledges the message.
func (w *Worker) finish(ctx context.Context, j *uws.Job, claim string, o outcome) (err error) {
	ctx, span := telemetry.Start(ctx, "complete")
	defer func() { span.End(err) }()
	end := func(now time.Time, j *uws.Job) error {
		before := len(j.Partial)
		if o.Attempt != nil {
			if err := j.Keep(claim, o.Note(j)); err != nil {
				return err
			}
		}
		switch {
		case o.err == nil:
			return o.End(now, claim, j)
		case errors.Is(o.err, errFenced):
			return jobstore.Unchanged
		case errors.Is(o.err, errBatch):
			return j.StopPart(now)
		case errors.Is(o.err, errLong) && j.Kind == uws.Part && len(j.Partial) > before:
			return j.Rest(now, claim, now) // and goes on at once
		case errors.Is(o.err, errLong) && j.Kind == uws.Batch:
			return j.Yield(now, claim, "it takes longer than its execution duration to plan", uws.Backoff(j.Attempt))
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
	case err != nil, o.err == nil && !o.named(after):
		log.WarnContext(ctx, "fenced: the job was aborted, deleted or taken by another worker")
	case o.err != nil:
		log.WarnContext(ctx, "not cut", "phase", after.Phase, "error", o.err)
	default:
		log.InfoContext(ctx, "completed")
	}
	if o.Attempt != nil {
		w.discard(ctx, j.ID, o.Objects(), after)
	}
	w.follow(ctx, after)
	return nil
}

// named reports whether a job names what the attempt has made, if it has made anything.
func (o outcome) named(after *uws.Job) bool {
	results := o.Results()
	return len(results) == 0 || named(after, results[0].Object)
}

// follow does what follows from the state of a batch or a part. What fails is done by the
// sweep.
func (w *Worker) follow(ctx context.Context, j *uws.Job) {
	if j == nil || w.Batches == nil || j.Kind != uws.Batch && j.Kind != uws.Part {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := w.Batches.Follow(ctx, j)
	if err == nil && j.Kind == uws.Part && j.Phase == uws.Executing && j.Claim == "" && j.Attempt == 0 { // it rests, with more to do
		err = w.Queue.Publish(ctx, j.Class, j.ID)
	}
	if err != nil {
		w.Log.WarnContext(ctx, "what follows from a job is left to the sweep", "job", j.ID, "kind", j.Kind, "phase", j.Phase, "error", err)
	}
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
	is := func(r uws.Result) bool { return r.Object == object }
	return slices.ContainsFunc(j.Results, is) || slices.ContainsFunc(j.Partial, is)
}
