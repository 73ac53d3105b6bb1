package uws

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// campaign drives one batch and its parts through a random life: workers that come and go
// and are late, messages that are lost and repeated, the sweep, the owner, and time. What
// workers and the sweep do with a job is here what packages batch and worker do, without
// their objects; of what must be true it keeps the simplest account.
type campaign struct {
	now      time.Time
	rows     []int64 // of each part
	lanes    int
	store    map[string]*Job
	attempts []*attempt
	holder   map[string]string    // by job: the claim that holds it
	written  map[string]time.Time // by job: when it was written last
	before   map[string]*Job      // the jobs as they were when they were checked last
	calm     bool                 // nothing goes wrong any more
	end      Phase                // in which the batch ended
}

// attempt is what a worker has in memory, who may have lost the job since.
type attempt struct {
	job, claim string
	ready      bool     // of a batch: it is planned
	kept       []Result // of a part: ledgers, each with its number of rows
	tally      Tally
	ended      int // of a batch: parts, when they were counted; less than 0: they were not
}

const batchID = "batch"

func newCampaign(t *rapid.T) *campaign {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := &campaign{
		now: now, lanes: rapid.IntRange(1, 3).Draw(t, "lanes"), rows: rapid.SliceOfN(rapid.Int64Range(1, 4), 0, 5).Draw(t, "rows"),
		store: map[string]*Job{}, holder: map[string]string{}, written: map[string]time.Time{}, before: map[string]*Job{},
	}
	j := &Job{ID: batchID, Owner: "ada", Class: Bulk, Kind: Batch, Phase: Pending, Created: now, ExecutionDuration: time.Minute, Plan: &Plan{Manifest: "m"}}
	j.DestroyAt(now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "minutes to destruction"))*time.Minute), time.Hour)
	if _, err := j.Run(now); err != nil {
		t.Fatal(err)
	}
	c.put(j)
	return c
}

func (c *campaign) put(j *Job) { c.store[j.ID], c.written[j.ID] = j, c.now }

// update changes a job as a store does: a change that is refused leaves it as it was.
func (c *campaign) update(id string, change func(j *Job) error) error {
	j := c.store[id].Clone()
	if err := change(j); err != nil {
		return err
	}
	c.put(j)
	if c.holder[id] != "" && j.Phase != Executing {
		c.holder[id] = ""
	}
	return nil
}

// parts are those that the store has, in their order.
func (c *campaign) parts() (parts []*Job) {
	for n := range c.rows {
		if j := c.store[PartID(batchID, n)]; j != nil {
			parts = append(parts, j)
		}
	}
	return parts
}

// count is what the store counts of the parts.
func (c *campaign) count() (ended int, sum Tally) {
	for _, p := range c.parts() {
		if p.Phase.Terminal() {
			ended++
		}
		sum.Add(Tally{Done: p.Tally.Done, Empty: p.Tally.Empty, Failed: p.Tally.Failed, Bytes: p.Tally.Bytes})
	}
	return ended, sum
}

func (c *campaign) total() (rows int64) {
	for _, n := range c.rows {
		rows += n
	}
	return rows
}

// goesOn draws whether a process goes on with its next step, or is lost.
func (c *campaign) goesOn(t *rapid.T) bool {
	return c.calm || rapid.IntRange(0, 9).Draw(t, "lost") > 0
}

func (c *campaign) start(n int) {
	if id := PartID(batchID, n); c.store[id] == nil {
		c.put(c.store[batchID].NewPart(c.now, n))
	}
}

func (c *campaign) startLanes() {
	for n := range min(c.lanes, len(c.rows)) {
		c.start(n)
	}
}

// work is a message: a worker takes the job, or does what follows from its end.
func (c *campaign) work(t *rapid.T, id string) {
	j := c.store[id]
	if j == nil {
		return
	}
	before := j.Clone()
	a := &attempt{job: id, claim: fmt.Sprint("worker ", len(c.attempts)+1), ended: -1}
	taken := false
	_ = c.update(id, func(j *Job) error { taken = j.Take(c.now, a.claim); return nil })
	j = c.store[id]
	free := !before.Deleted && (before.Phase == Queued || before.Phase == Executing && !before.LeaseUntil.After(c.now))
	if taken && !free || free && !taken && j.Phase != Error {
		t.Fatalf("%s that is %s until %v was taken: %t, and is %s", id, before.Phase, before.LeaseUntil, taken, j.Phase)
	}
	if taken {
		c.holder[id] = a.claim
		if j.Kind == Batch {
			a.ready = j.Plan.Ready
		}
		a.kept, a.tally = slices.Clone(j.Partial), j.Tally
		c.attempts = append(c.attempts, a)
		return
	}
	if j.Follows() {
		c.follow(t, id)
	}
}

// hold applies a rule for a worker: it must be done if the worker holds the job, and else be
// refused and change nothing.
func (c *campaign) hold(t *rapid.T, a *attempt, what string, gives bool, rule func(j *Job) error) (done bool) {
	j := c.store[a.job]
	if j == nil {
		return false
	}
	before, holds := j.Clone(), c.holder[a.job] == a.claim
	err := c.update(a.job, rule)
	if holds != (err == nil) || err != nil && !errors.Is(err, fault.Phase) {
		t.Fatalf("%s of %s by %s, who holds it: %t, it is %s: %v", what, a.job, a.claim, holds, before.Phase, err)
	}
	if err != nil {
		if is := c.store[a.job]; !reflect.DeepEqual(before, is) {
			t.Fatalf("%s was refused and changed the job:\n%s", what, cmp.Diff(before, is))
		}
		return false
	}
	if gives {
		c.holder[a.job] = ""
	}
	return true
}

// partStep is one step of a worker at a part. Whatever ends or gives back an attempt keeps
// first what is complete.
func (c *campaign) partStep(t *rapid.T, a *attempt, step int) {
	p := c.store[a.job]
	if p == nil {
		return
	}
	of := c.rows[p.Number]
	a.tally.Rows = of
	cut := func(n int64) {
		for range n {
			*rapid.SampledFrom([]*int64{&a.tally.Done, &a.tally.Empty, &a.tally.Failed}).Draw(t, "outcome")++
			a.tally.Bytes += 10
		}
		if n > 0 {
			a.kept = append(slices.Clone(a.kept), Result{ID: fmt.Sprintf("%s, ledger %d", a.claim, len(a.kept)), Rows: n, Size: 10 * n})
		}
	}
	left := of - a.tally.Seen()
	grown := len(a.kept) > len(p.Partial)
	keep := func(j *Job) error {
		if err := j.Keep(a.claim, a.kept); err != nil {
			return err
		}
		j.Tally = a.tally
		return nil
	}
	then := func(rule func(j *Job) error) func(j *Job) error {
		return func(j *Job) error { return errors.Join(keep(j), rule(j)) }
	}
	switch {
	case step < 4 && left > 0: // rows are cut, and kept
		cut(rapid.Int64Range(1, left).Draw(t, "rows"))
		c.hold(t, a, "Beat", false, then(func(j *Job) error { return j.Beat(c.now, a.claim, Progress{Results: int(a.tally.Seen())}) }))
	case step == 4 && left > 0: // rows are cut, and are kept by a later step, if there is one
		cut(rapid.Int64Range(1, left).Draw(t, "rows"))
	case step == 5 && grown:
		c.hold(t, a, "Rest", true, then(func(j *Job) error { return j.Rest(c.now, a.claim, c.now) }))
	case step == 5:
		c.hold(t, a, "Expire", true, then(func(j *Job) error { return j.Expire(c.now, a.claim) }))
	case step == 6:
		c.hold(t, a, "Yield", true, then(func(j *Job) error { return j.Yield(c.now, a.claim, "the archive is down", Backoff(j.Attempt)) }))
	case step == 7:
		c.hold(t, a, "Stop", true, then(func(j *Job) error { return j.Stop(c.now, a.claim, "the server stopped") }))
	case step == 8:
		c.hold(t, a, "Fail", true, then(func(j *Job) error {
			return j.Fail(c.now, a.claim, Failure{Code: string(fault.Internal), Message: "broken"})
		}))
	case step == 9:
		if b := c.store[batchID]; b == nil || b.Phase.Terminal() {
			c.hold(t, a, "StopPart", true, then(func(j *Job) error { return j.StopPart(c.now) }))
		}
	default:
		cut(left)
		if c.hold(t, a, "Complete", true, then(func(j *Job) error { return j.Complete(c.now, a.claim, a.kept) })) && c.goesOn(t) {
			c.follow(t, a.job)
		}
	}
}

// batchStep is one step of a worker at a batch.
func (c *campaign) batchStep(t *rapid.T, a *attempt, step int) {
	rest := func(done bool) {
		if done && c.goesOn(t) {
			c.follow(t, batchID)
		}
	}
	switch {
	case step == 6:
		c.hold(t, a, "Yield", true, func(j *Job) error { return j.Yield(c.now, a.claim, "the archive is down", Backoff(j.Attempt)) })
	case step == 7:
		c.hold(t, a, "Stop", true, func(j *Job) error { return j.Stop(c.now, a.claim, "the server stopped") })
	case step == 8 && !a.ready:
		rest(c.hold(t, a, "Fail", true, func(j *Job) error {
			return j.Fail(c.now, a.claim, Failure{Code: string(fault.Usage), Message: "no manifest"})
		}))
	case step < 3:
		c.hold(t, a, "Beat", false, func(j *Job) error { return j.Beat(c.now, a.claim, j.Progress) })
	case !a.ready:
		rest(c.hold(t, a, "Planned", true, func(j *Job) error { return j.Planned(c.now, a.claim, c.total(), c.total(), len(c.rows), c.lanes) }))
	case a.ended < 0 || step < 5:
		if c.store[batchID] == nil {
			return
		}
		c.startLanes()
		a.ended, a.tally = c.count()
	case a.ended < len(c.rows):
		rest(c.hold(t, a, "Rest", true, func(j *Job) error {
			if err := j.Holds(a.claim); err != nil {
				return err
			}
			a.tally.Rows = j.Tally.Rows
			j.Roll(c.now, a.tally)
			return j.Rest(c.now, a.claim, c.now.Add(time.Minute))
		}))
	default: // all parts have ended, so nothing of what was counted has changed
		results := c.gather()
		all := a.tally
		if left := c.total() - all.Seen(); left > 0 { // to which its part did not come
			all.Failed += left
			results = append(results, Result{ID: "complement", Rows: left})
		}
		rest(c.hold(t, a, "Complete", true, func(j *Job) error {
			if err := j.Holds(a.claim); err != nil {
				return err
			}
			all.Rows = j.Tally.Rows
			j.Roll(c.now, all)
			j.Plan.Listed = true
			if all.Rows > 0 && all.Failed == all.Rows {
				return errors.Join(j.Keep(a.claim, results), j.Fail(c.now, a.claim, Failure{Code: string(fault.Unsupported), Message: "none could be made"}))
			}
			return j.Complete(c.now, a.claim, results)
		}))
	}
}

// sumRows returns of how many rows results are ledgers.
func sumRows(results []Result) (rows int64) {
	for _, r := range results {
		rows += r.Rows
	}
	return rows
}

// gather lists what the parts have made.
func (c *campaign) gather() (results []Result) {
	results = append(results, Result{ID: "manifest"})
	for _, p := range c.parts() {
		results = append(results, append(p.Results, p.Partial...)...)
	}
	return results
}

// follow does what follows from a job, as packages batch does, or the first steps of it.
func (c *campaign) follow(t *rapid.T, id string) {
	j := c.store[id]
	switch {
	case j == nil:
	case j.Kind == Part && j.Follows():
		c.afterPart(t, j)
	case j.Kind == Batch && j.Follows():
		c.afterBatch(t)
	case j.Kind == Batch && j.Phase == Executing && j.Plan.Ready:
		c.startLanes()
	}
}

func (c *campaign) followed(id string) {
	if j := c.store[id]; j == nil || !j.Follows() {
		return
	}
	_ = c.update(id, func(j *Job) error { j.Followed(); return nil })
}

func (c *campaign) afterPart(t *rapid.T, p *Job) {
	b := c.store[batchID]
	switch {
	case b == nil, b.Phase.Terminal():
	case p.Number+c.lanes < len(c.rows):
		c.start(p.Number + c.lanes)
		if !c.goesOn(t) {
			return
		}
		c.roll()
	default: // it wakes the batch, by a message that may be lost
		if !c.goesOn(t) {
			return
		}
		if rapid.Bool().Draw(t, "woken") {
			c.work(t, batchID)
		}
	}
	c.followed(p.ID)
}

// roll is what parts and who asks do to the tally of a batch that runs.
func (c *campaign) roll() {
	if b := c.store[batchID]; b == nil || b.Phase != Executing || !b.Plan.Ready {
		return
	}
	_, sum := c.count()
	_ = c.update(batchID, func(j *Job) error {
		sum.Rows = j.Tally.Rows
		j.Roll(c.now, sum)
		return nil
	})
}

func (c *campaign) afterBatch(t *rapid.T) {
	b := c.store[batchID]
	if !b.Plan.Listed {
		for _, p := range c.parts() {
			switch {
			case p.Phase.Terminal():
			case p.Live(c.now) && c.now.Sub(b.Ended) < 10*time.Second: // its worker may keep what it has
				return
			default:
				if err := c.update(p.ID, func(j *Job) error { return j.StopPart(c.now) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !c.goesOn(t) {
			return
		}
		var results []Result
		var sum Tally
		if b.Plan.Ready && !b.Deleted {
			results = c.gather()
			_, sum = c.count()
		}
		_ = c.update(batchID, func(j *Job) error { j.Listed(c.now, results, sum); return nil })
	}
	if !c.goesOn(t) {
		return
	}
	_ = c.update(batchID, func(j *Job) error { j.Plan.Untold = false; return nil })
	for _, p := range c.parts() {
		if !c.goesOn(t) {
			return
		}
		c.purge(p.ID)
	}
	c.followed(batchID)
}

func (c *campaign) purge(id string) {
	delete(c.store, id)
	delete(c.before, id)
	delete(c.holder, id)
}

// sweep looks after all jobs that are due.
func (c *campaign) sweep(t *rapid.T) {
	for _, id := range slices.Sorted(maps.Keys(c.store)) {
		j := c.store[id]
		if j == nil || j.DueAt.After(c.now) {
			continue
		}
		publish, purge := false, false
		_ = c.update(id, func(j *Job) error {
			if b := c.store[batchID]; j.Kind == Part && b != nil {
				j.Outlast(b)
			}
			if !j.Phase.Terminal() && !j.Destruction.After(c.now) {
				_ = j.Abort(c.now, "reached its destruction time")
			}
			switch {
			case j.Phase.Terminal() && j.LeaseUntil.After(c.now):
				j.DueAt = j.LeaseUntil
			case j.Follows():
				publish, j.DueAt = true, c.now.Add(Lease)
			case j.Deleted && j.Counts(c.now):
				j.Results, j.DueAt = nil, j.Ended.Add(Day)
			case j.Deleted, j.Phase == Archived && !j.PurgeAfter.After(c.now):
				purge = true
			case j.Phase == Archived:
				j.DueAt = j.PurgeAfter
			case j.Phase.Terminal() && j.Destruction.After(c.now):
				j.DueAt = j.Destruction
			case j.Phase.Terminal():
				j.Results, j.DueAt = nil, j.PurgeAfter
				return j.Advance(Archived, c.now)
			case j.Live(c.now):
				j.DueAt = j.LeaseUntil.Add(SweepGrace)
			default:
				j.Resend(c.now)
				publish = true
			}
			return nil
		})
		if purge {
			c.purge(id)
		}
		if publish && c.goesOn(t) {
			c.work(t, id)
		}
	}
}

// check holds after every step.
func (c *campaign) check(t *rapid.T) {
	for id, j := range c.store {
		c.checkJob(t, j)
		if was := c.before[id]; was != nil {
			c.checkChange(t, was, j)
		}
		c.before[id] = j.Clone()
	}
	b := c.store[batchID]
	if b != nil && c.end == "" && b.Phase.Terminal() {
		c.end = b.Phase
	}
	if b == nil || !b.Plan.Ready {
		return
	}
	_, sum := c.count()
	seen, rows := b.Tally.Seen(), b.Tally.Rows
	if rows != c.total() || b.Rows != rows || seen > rows {
		t.Fatalf("the batch has counted %+v of %d rows", b.Tally, c.total())
	}
	if !b.Phase.Terminal() && seen > sum.Seen() {
		t.Fatalf("the batch that runs has counted %+v, its parts %+v", b.Tally, sum)
	}
	if b.Phase == Completed && seen != rows {
		t.Fatalf("the batch is %s with %+v", b.Phase, b.Tally)
	}
	if b.Plan.Listed && c.now.Before(b.Destruction) && !b.Deleted && sumRows(b.Results) != seen {
		t.Fatalf("the batch is %s with %+v, and results of %d rows", b.Phase, b.Tally, sumRows(b.Results))
	}
	if at := b.Predicted(); !at.IsZero() && at.Before(b.Plan.Counted) {
		t.Fatalf("it will have ended at %v, before it was counted at %v", at, b.Plan.Counted)
	}
}

func (c *campaign) checkJob(t *rapid.T, j *Job) {
	if clone := j.Clone(); !reflect.DeepEqual(j, clone) {
		t.Fatalf("a clone differs:\n%s", cmp.Diff(j, clone))
	}
	if holder := c.holder[j.ID]; (holder != "") != (j.Claim != "") || holder != j.Claim {
		t.Fatalf("%s is %s, claimed by %q, held by %q", j.ID, j.Phase, j.Claim, holder)
	}
	if j.Attempt-j.Stops > MaxAttempts {
		t.Fatalf("%s is at its attempt %d, of which %d were stopped", j.ID, j.Attempt, j.Stops)
	}
	if j.Kind == Part {
		kept := sumRows(j.Partial) + sumRows(j.Results)
		if rows := c.rows[j.Number]; j.Tally.Seen() > rows || j.Phase != Archived && kept != j.Tally.Seen() || j.Phase == Completed && kept != rows {
			t.Fatalf("part %d of %d rows is %s with %+v, and ledgers of %d", j.Number, rows, j.Phase, j.Tally, kept)
		}
	}
	// The sweep looks at every job again, soon after somebody was to do something.
	last := c.written[j.ID]
	var latest time.Time
	switch {
	case j.Deleted && j.Counts(last):
		latest = j.Ended.Add(Day)
	case j.Deleted, j.Follows():
		latest = last.Add(Lease)
	case j.Phase == Archived:
		latest = j.PurgeAfter
	case j.Phase.Terminal(): // whose worker may still be writing
		latest = slices.MaxFunc([]time.Time{j.Destruction, j.LeaseUntil}, time.Time.Compare)
	case j.Live(last):
		latest = j.LeaseUntil.Add(SweepGrace)
	case j.Phase == Executing:
		latest = last.Add(Lease + SweepGrace)
	default:
		latest = last.Add(FirstResend << 6)
	}
	if j.DueAt.IsZero() || j.DueAt.After(latest) || !j.Phase.Terminal() && j.DueAt.After(j.Destruction.Add(Lease+SweepGrace)) && j.DueAt.After(last) {
		t.Fatalf("%s is %s, and owes %t: due %v, which is after %v; written %v, to be destroyed %v", j.ID, j.Phase, j.Owes, j.DueAt, latest, last, j.Destruction)
	}
}

// checkChange compares a job with itself at the check before.
func (c *campaign) checkChange(t *rapid.T, was, is *Job) {
	if was.Phase.Terminal() && (is.Phase != was.Phase && is.Phase != Archived || !is.Ended.Equal(was.Ended) || was.Made > is.Made || !was.Owes && is.Owes) {
		t.Fatalf("%s had ended as %s at %v (owes %t, made %d), and is %s, %v (%t, %d)", is.ID, was.Phase, was.Ended, was.Owes, was.Made, is.Phase, is.Ended, is.Owes, is.Made)
	}
	if was.Deleted && !is.Deleted || was.Plan != nil && (was.Plan.Ready && !is.Plan.Ready || was.Plan.Listed && !is.Plan.Listed) {
		t.Fatalf("%s was taken back: %+v, %+v", is.ID, is, is.Plan)
	}
	gone := is.Phase == Archived || is.Deleted
	made := func(j *Job) []Result { return append(slices.Clone(j.Results), j.Partial...) }
	if a, b := made(was), made(is); !gone && (len(b) < len(a) || !slices.Equal(a, b[:len(a)])) {
		t.Fatalf("%s was %s with the results %v, and is %s with %v", is.ID, was.Phase, a, is.Phase, b)
	}
	if was.Phase.Terminal() && was.Kind == Batch && was.Plan.Listed && was.Tally != is.Tally {
		t.Fatalf("a batch that has ended with %+v has %+v", was.Tally, is.Tally)
	}
	if !is.Deleted && c.now.Before(is.Destruction) && is.Tally.Seen() < was.Tally.Seen() || is.Tally.Rows < was.Tally.Rows {
		t.Fatalf("%s, which is %s, had counted %+v, and now %+v", is.ID, is.Phase, was.Tally, is.Tally)
	}
}

// settle lets time pass, in which the sweep alone finds what is to be done and workers do it,
// until the batch has ended and nothing follows; then until all of it is forgotten.
func (c *campaign) settle(t *rapid.T) {
	c.calm = true
	for round := 0; len(c.store) > 0; round++ {
		if round > 300 {
			t.Fatalf("after %d rounds there are %d jobs, the batch %+v", round, len(c.store), c.store[batchID])
		}
		first := slices.MinFunc(slices.Collect(maps.Values(c.store)), func(a, b *Job) int { return a.DueAt.Compare(b.DueAt) }).DueAt
		if first.After(c.now) {
			c.now = first
		}
		c.sweep(t)
		c.check(t)
		for range 3 { // who starts, counts, ends
			for _, a := range c.attempts {
				switch {
				case c.holder[a.job] != a.claim:
					continue
				case a.job == batchID:
					c.batchStep(t, a, 5)
				default:
					c.partStep(t, a, 10)
				}
				c.check(t)
			}
		}
	}
}

func TestEveryBatchKeepsTheRules(t *testing.T) {
	often(t, 400, 100)
	reached := map[Phase]int{}
	rapid.Check(t, func(t *rapid.T) {
		c := newCampaign(t)
		some := func(t *rapid.T) string { return rapid.SampledFrom(slices.Sorted(maps.Keys(c.store))).Draw(t, "job") }
		step := func(t *rapid.T) {
			if len(c.attempts) == 0 {
				t.Skip("nobody is at work")
			}
			a := c.attempts[len(c.attempts)-1-rapid.IntRange(0, min(len(c.attempts)-1, 4)).Draw(t, "worker, from the last")]
			n := rapid.IntRange(0, 12).Draw(t, "step")
			if a.job == batchID {
				c.batchStep(t, a, n)
			} else {
				c.partStep(t, a, n)
			}
		}
		work := func(t *rapid.T) {
			if len(c.store) == 0 {
				t.Skip("all is forgotten")
			}
			c.work(t, some(t))
		}
		t.Repeat(map[string]func(*rapid.T){
			"": c.check,
			"advance": func(t *rapid.T) {
				c.now = c.now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 9, 11, 59, 61, 90, 1000}).Draw(t, "seconds")) * time.Second)
			},
			"work": work, "work on": work,
			"step": step, "another step": step, "one more step": step,
			"sweep": c.sweep,
			"roll":  func(*rapid.T) { c.roll() },
			"rare": func(t *rapid.T) {
				b := c.store[batchID]
				if b == nil {
					t.Skip("all is forgotten")
				}
				switch rapid.IntRange(0, 40).Draw(t, "what") {
				case 40:
					err := c.update(batchID, func(j *Job) error { return j.Abort(c.now, "its owner asked for it") })
					if (err == nil) == b.Phase.Terminal() {
						t.Fatalf("Abort of a batch that is %s: %v", b.Phase, err)
					}
				case 39:
					_ = c.update(batchID, func(j *Job) error { j.Delete(c.now); return nil })
				case 38, 37:
					if !b.Deleted && c.now.Before(b.Destruction) { // else its parts may be gone
						at := c.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minutes to destruction")) * time.Minute)
						_ = c.update(batchID, func(j *Job) error { j.DestroyAt(at, time.Hour); return nil })
					}
				case 36: // the server stops
					for id := range c.store {
						_ = c.update(id, func(j *Job) error { j.Orphan(c.now, "the server stopped"); return nil })
						c.holder[id] = ""
					}
				}
			},
		})
		c.settle(t)
		reached[c.end]++
	})
	t.Logf("batches ended: %v", reached)
	for _, want := range []Phase{Completed, Error, Aborted} {
		if reached[want] == 0 {
			t.Errorf("no batch came to %s, so this test says less than it seems to: %v", want, reached)
		}
	}
}
