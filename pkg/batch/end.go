package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// tending is an attempt on a batch that is planned: it starts parts that nobody started,
// counts, and ends the batch when all parts have ended.
type tending struct {
	*Batches
	job   *uws.Job
	count jobstore.Parts
	ended bool

	mu      sync.Mutex
	results []uws.Result
}

// Run implements [Attempt].
func (t *tending) Run(ctx context.Context) (err error) {
	plan := t.job.Plan
	for n := range min(plan.Parts, plan.Lanes) {
		if _, err := t.start(ctx, t.job, n); err != nil {
			return err
		}
	}
	if t.count, err = t.Jobs.Parts(ctx, t.job.ID); err != nil {
		return err
	}
	if t.count.Ended < plan.Parts {
		return nil
	}
	results, others, err := t.gather(ctx, t.job, ledger.Failed)
	if err != nil {
		return err
	}
	t.count.Tally.Add(others)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results, t.ended = results, true
	return nil
}

// GiveUp implements [Attempt].
func (t *tending) GiveUp(context.Context) error {
	return fault.New(fault.Unavailable, "batch.end", "the results could not be gathered")
}

// Results implements [Attempt].
func (t *tending) Results() []uws.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.results
}

// Objects implements [Attempt].
func (t *tending) Objects() []string { return manifests(t.Results()) }

// manifests returns the objects of results that ending a batch wrote.
func manifests(results []uws.Result) (names []string) {
	for _, r := range results {
		if r.Rows > 0 || slices.Contains(manifestIDs, r.ID) {
			names = append(names, r.Object)
		}
	}
	return names
}

// Close implements [Attempt].
func (t *tending) Close() {}

// Note implements [Attempt].
func (t *tending) Note(*uws.Job) []uws.Result { return t.Results() }

// End implements [Attempt].
func (t *tending) End(now time.Time, claim string, j *uws.Job) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	t.count.Tally.Rows = j.Tally.Rows
	j.Roll(now, t.count.Tally)
	if !t.ended {
		return j.Rest(now, claim, now.Add(checkEvery))
	}
	j.Plan.Listed = true
	if j.Tally.Rows > 0 && j.Tally.Failed == j.Tally.Rows {
		if err := j.Keep(claim, t.results); err != nil {
			return err
		}
		return j.Fail(now, claim, uws.Failure{Code: string(fault.Unsupported),
			Message: fmt.Sprintf("none of the %d cutouts could be made; the manifest of results says why", j.Tally.Rows)})
	}
	return j.Complete(now, claim, t.results)
}

// start makes part n of a batch and queues it, unless it is there: fresh is false then.
func (b *Batches) start(ctx context.Context, job *uws.Job, n int) (fresh bool, err error) {
	if there, err := b.started(ctx, job, n); there || err != nil {
		return false, err
	}
	part := job.NewPart(time.Now().UTC(), n)
	if err := b.Jobs.Create(ctx, part); fault.CodeOf(err) == fault.Usage { // another worker did at this moment
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, b.Queue.Publish(ctx, part.Class, part.ID)
}

func (b *Batches) started(ctx context.Context, job *uws.Job, n int) (bool, error) {
	_, err := b.Jobs.Get(ctx, uws.PartID(job.ID, n))
	return err == nil, ignoreMissing(err)
}

// Follow does what follows after an attempt on a batch or a part was written down, j being
// the job as it is now. What is not done because of an error is done by the sweep, which
// wakes the job again.
func (b *Batches) Follow(ctx context.Context, j *uws.Job) error {
	switch {
	case j.Kind == uws.Part && j.Follows():
		return b.afterPart(ctx, j)
	case j.Kind == uws.Batch && j.Follows():
		return b.afterBatch(ctx, j)
	case j.Kind == uws.Batch && j.Phase == uws.Executing && j.Plan.Ready:
		return b.afterRest(ctx, j)
	}
	return nil
}

// afterRest starts the parts of a batch that was just planned, and looks again for parts
// that ended while somebody counted.
func (b *Batches) afterRest(ctx context.Context, j *uws.Job) error {
	for n := range min(j.Plan.Parts, j.Plan.Lanes) {
		if _, err := b.start(ctx, j, n); err != nil {
			return err
		}
	}
	count, err := b.Jobs.Parts(ctx, j.ID)
	if err != nil || count.Ended < j.Plan.Parts {
		return err
	}
	return b.Queue.Publish(ctx, uws.Bulk, j.ID)
}

// rollEvery is how often parts bring the tally of their batch up to date.
const rollEvery = 5 * time.Second

// afterPart starts the next part of the lane or, at its end, one of another lane. If there is
// none it wakes the batch.
func (b *Batches) afterPart(ctx context.Context, part *uws.Job) error {
	batch, err := b.Jobs.Get(ctx, part.Parent)
	switch {
	case errors.Is(err, fault.NotFound):
		return b.followed(ctx, part)
	case err != nil:
		return err
	case batch.Phase.Terminal():
	case !batch.Plan.Ready:
		return fault.New(fault.Internal, "batch.afterPart", "part %d of %s ended before the batch was planned", part.Number, batch.ID)
	default:
		fresh, err := b.startNext(ctx, batch, part.Number)
		if err != nil {
			return err
		}
		if !fresh {
			break
		}
		if err := b.roll(ctx, batch); err != nil {
			return err
		}
		return b.followed(ctx, part)
	}
	if batch.Phase == uws.Executing || batch.Follows() {
		if err := b.Queue.Publish(ctx, uws.Bulk, batch.ID); err != nil {
			return err
		}
	}
	return b.followed(ctx, part)
}

// startNext starts the part behind part n in its lane. If that is there, or the lane ends, it
// starts the part in the middle of those that are left of another lane, and so halves them.
// fresh is false if no lane has any left.
//
// Each part is started by the one before it in its lane, whatever is started out of turn: a
// part is there for good, and whoever comes to it goes elsewhere.
func (b *Batches) startNext(ctx context.Context, batch *uws.Job, n int) (fresh bool, err error) {
	parts, lanes := batch.Plan.Parts, batch.Plan.Lanes
	if n += lanes; n < parts {
		if fresh, err := b.start(ctx, batch, n); fresh || err != nil {
			return fresh, err
		}
	}
	for k := range min(lanes, parts) {
		lane := (n + 1 + k) % min(lanes, parts)
		m, err := b.middle(ctx, batch, lane)
		if err != nil {
			return false, err
		}
		if m < 0 {
			continue
		}
		if fresh, err := b.start(ctx, batch, m); fresh || err != nil {
			return fresh, err
		}
	}
	return false, nil
}

// middle returns the number of a part in the middle of those of a lane that are not there,
// -1 if all are. It asks for few: of several gaps it finds one, and one it may miss that is
// less than an eighth of what is there behind it.
func (b *Batches) middle(ctx context.Context, batch *uws.Job, lane int) (int, error) {
	lanes := batch.Plan.Lanes
	there := func(i int) (bool, error) { return b.started(ctx, batch, lane+i*lanes) }
	end := (batch.Plan.Parts - 1 - lane) / lanes
	for behind := 0; behind < end; behind += 1 + behind/8 { // the first of a lane is there
		last := end - behind
		if ok, err := there(last); err != nil {
			return -1, err
		} else if ok {
			continue
		}
		before, first := 0, last // which are there, and not
		for first-before > 1 {
			i := (before + first) / 2
			ok, err := there(i)
			if err != nil {
				return -1, err
			}
			if ok {
				before = i
			} else {
				first = i
			}
		}
		return lane + (first+last+1)/2*lanes, nil
	}
	return -1, nil
}

// followed notes that what follows the end of a job is done.
func (b *Batches) followed(ctx context.Context, j *uws.Job) error {
	_, err := b.Jobs.Update(ctx, j.ID, func(_ time.Time, j *uws.Job) error {
		if !j.Follows() {
			return jobstore.Unchanged
		}
		j.Followed()
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// roll brings the tally of a batch up to date, if that was not done for a while.
func (b *Batches) roll(ctx context.Context, batch *uws.Job) error {
	if time.Since(batch.Plan.Counted) < rollEvery && time.Since(batch.Plan.Counted) >= 0 {
		return nil
	}
	count, err := b.Jobs.Parts(ctx, batch.ID)
	if err != nil {
		return err
	}
	_, err = b.Jobs.Update(ctx, batch.ID, func(now time.Time, j *uws.Job) error {
		if j.Phase != uws.Executing || now.Sub(j.Plan.Counted) < rollEvery {
			return jobstore.Unchanged
		}
		count.Tally.Rows = j.Tally.Rows
		j.Roll(now, count.Tally)
		return nil
	})
	return err
}

// afterBatch does what follows when a batch has ended: the results of one that was aborted
// or failed are gathered, whoever asked is told, and the parts are forgotten.
func (b *Batches) afterBatch(ctx context.Context, j *uws.Job) error {
	if !j.Plan.Listed {
		stopped, err := b.stopParts(ctx, j)
		if err != nil || !stopped {
			return err
		}
		if j, err = b.list(ctx, j); err != nil {
			return err
		}
	}
	if j.Plan.Untold {
		if b.Teller != nil {
			if err := b.Teller.JobEnded(ctx, j.ID, j.Phase); err != nil {
				return err
			}
		}
		b.Log.InfoContext(ctx, "batch ended", "job", j.ID, "phase", j.Phase, "rows", j.Tally.Rows, "done", j.Tally.Done, "empty", j.Tally.Empty, "failed", j.Tally.Failed, "bytes", j.Tally.Bytes)
		var err error
		if j, err = b.Jobs.Update(ctx, j.ID, func(_ time.Time, j *uws.Job) error { j.Plan.Untold = false; return nil }); err != nil {
			return ignoreMissing(err)
		}
	}
	for n := range j.Plan.Parts {
		part, err := b.Jobs.Get(ctx, uws.PartID(j.ID, n))
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err == nil {
			err = b.Jobs.Purge(ctx, part.ID, part.Revision)
		}
		if err != nil {
			return err
		}
	}
	return b.followed(ctx, j)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// stopTime is how long the workers of an aborted batch have to put their packages away.
const stopTime = 10 * time.Second

// stopParts ends the parts of a batch that has ended. stopped is false while some are at
// work: their workers see the end of the batch, and keep what they have made.
func (b *Batches) stopParts(ctx context.Context, j *uws.Job) (stopped bool, err error) {
	stopped = true
	for n := range j.Plan.Parts {
		_, err := b.Jobs.Update(ctx, uws.PartID(j.ID, n), func(now time.Time, part *uws.Job) error {
			switch {
			case part.Phase.Terminal():
				return jobstore.Unchanged
			case part.Live(now) && now.Sub(j.Ended) < stopTime:
				stopped = false
				return jobstore.Unchanged
			}
			return part.StopPart(now)
		})
		if err := ignoreMissing(err); err != nil {
			return false, err
		}
	}
	return stopped, nil
}

// list makes what was done the results of a batch that was aborted or failed.
func (b *Batches) list(ctx context.Context, j *uws.Job) (*uws.Job, error) {
	var results []uws.Result
	var count jobstore.Parts
	if j.Plan.Ready && !j.Deleted {
		var err error
		var others uws.Tally
		if results, others, err = b.gather(ctx, j, ledger.Absent); err != nil {
			return nil, err
		}
		if count, err = b.Jobs.Parts(ctx, j.ID); err != nil {
			return nil, err
		}
		count.Tally.Add(others)
	}
	mine := false
	after, err := b.Jobs.Update(ctx, j.ID, func(now time.Time, j *uws.Job) error {
		if mine = j.Follows() && !j.Plan.Listed; !mine {
			return jobstore.Unchanged
		}
		j.Listed(now, results, count.Tally)
		return nil
	})
	if err == nil && mine {
		return after, nil
	}
	for _, name := range manifests(results) {
		err = errors.Join(err, b.Config.Results.Delete(ctx, name))
	}
	return after, err
}
