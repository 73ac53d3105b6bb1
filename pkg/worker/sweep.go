package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// perShard is how many due jobs of one shard one sweep looks at.
const perShard = 500

// Report says what a sweep did.
type Report struct {
	Published int `json:"published"` // messages sent again
	Archived  int `json:"archived"`  // jobs whose results were destroyed, and that are kept
	Purged    int `json:"purged"`    // jobs forgotten
	Failed    int `json:"failed"`    // jobs that could not be looked after this time
}

// Sweep looks after every job that is due: it wakes workers for those that wait or lost
// theirs, and destroys what has reached its time. Two sweeps at once do no harm, since
// each step is a compare-and-set on the job. The error is that of the store's first query
// that fails; jobs that fail one by one are logged, counted and looked at again next time.
func (w *Worker) Sweep(ctx context.Context) (Report, error) {
	var report Report
	for shard := range uws.Shards {
		jobs, _, err := w.Jobs.Due(ctx, shard, perShard)
		if err != nil {
			return report, fmt.Errorf("worker: sweep of shard %d: %w", shard, err)
		}
		for _, j := range jobs {
			if err := w.tend(ctx, j, &report); err != nil {
				if ctx.Err() != nil {
					return report, ctx.Err()
				}
				report.Failed++
				w.Log.ErrorContext(ctx, "the sweep could not look after a job", "job", j.ID, "error", err)
			}
		}
	}
	return report, nil
}

// Tend does for one job what the sweep does: it is the handler of dead letters.
func (w *Worker) Tend(ctx context.Context, id string) error {
	j, err := w.Jobs.Get(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.tend(ctx, j, &Report{})
}

// step is what a due job needs next.
type step int

const (
	nothing step = iota
	publish
	destroy // its objects: it was archived, or deleted while what it made still counts
	purge   // its objects, then the job itself
)

// next decides what job j needs at the instant now, and changes it accordingly. It is
// the sweep's only rule, and pure.
func next(now time.Time, j *uws.Job) (step, error) {
	if j.DueAt.After(now) {
		return nothing, jobstore.Unchanged
	}
	if !j.Phase.Terminal() && !j.Destruction.After(now) {
		_ = j.Abort(now, "reached its destruction time") // legal: it has not ended
	}
	switch {
	case j.Phase.Terminal() && j.LeaseUntil.After(now): // an aborted worker may still be writing
		j.DueAt = j.LeaseUntil
		return nothing, nil
	case j.Follows():
		j.DueAt = now.Add(uws.Lease)
		return publish, nil
	case j.Deleted && j.Counts(now): // its objects go now, the tombstone when the day is over
		j.Results = nil
		j.DueAt = now.Add(uws.SoonResend)
		return destroy, nil
	case j.Deleted:
		return purge, jobstore.Unchanged
	case j.Phase == uws.Archived && !j.PurgeAfter.After(now):
		return purge, jobstore.Unchanged
	case j.Phase == uws.Archived: // its objects were not all deleted last time
		j.DueAt = now.Add(uws.SoonResend)
		return destroy, nil
	case j.Phase.Terminal() && j.Destruction.After(now):
		j.DueAt = j.Destruction
		return nothing, nil
	case j.Phase.Terminal(): // hide the results first, so that no job names an object that is gone
		j.Results = nil
		j.DueAt = now.Add(uws.SoonResend)
		return destroy, j.Advance(uws.Archived, now)
	case j.Phase == uws.Pending:
		j.DueAt = j.Destruction
		return nothing, nil
	case j.Live(now):
		j.DueAt = j.LeaseUntil.Add(uws.SweepGrace)
		return nothing, nil
	}
	j.Resend(now)
	return publish, nil
}

func (w *Worker) tend(ctx context.Context, j *uws.Job, report *Report) error {
	var batch *uws.Job // of a part
	var err error
	if j.Kind == uws.Part {
		if batch, err = w.Jobs.Get(ctx, j.Parent); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	var todo step
	j, err = w.Jobs.Update(ctx, j.ID, func(now time.Time, j *uws.Job) (err error) {
		if batch != nil {
			j.Outlast(batch)
		}
		todo, err = next(now, j)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch todo {
	case publish:
		if err := w.Queue.Publish(ctx, j.Class, j.ID); err != nil {
			_, updateErr := w.settle(ctx, j.ID, func(now time.Time, j *uws.Job) error {
				j.DueAt = now.Add(uws.SoonResend)
				return nil
			})
			return errors.Join(err, updateErr)
		}
		report.Published++
	case destroy:
		if err := w.deleteObjects(ctx, j.ID); err != nil {
			return err
		}
		if _, err := w.Jobs.Update(ctx, j.ID, func(now time.Time, j *uws.Job) error {
			switch {
			case !j.Deleted:
				j.DueAt = j.PurgeAfter
			case j.Counts(now):
				j.DueAt = j.Ended.Add(uws.Day)
			default: // deleted since, and due now
				return jobstore.Unchanged
			}
			return nil
		}); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		report.Archived++
	case purge:
		if err := w.deleteObjects(ctx, j.ID); err != nil {
			return err
		}
		if err := w.Jobs.Purge(ctx, j.ID, j.Revision); err != nil {
			return err
		}
		report.Purged++
	}
	return nil
}

// deleteObjects deletes everything under results/<job>/.
func (w *Worker) deleteObjects(ctx context.Context, id string) error {
	for name, err := range w.Results.List(ctx, "results/"+id+"/") {
		if err != nil {
			return err
		}
		if err := w.Results.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
