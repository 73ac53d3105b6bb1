package uws

import (
	"fmt"
	"slices"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Times of the job's life with a worker. Together they say how long a lost worker goes
// unnoticed: at most Lease + SweepGrace + the sweep's own period.
const (
	Lease       = 60 * time.Second // a claim or heartbeat holds for this long
	Heartbeat   = 20 * time.Second // a worker extends its lease this often
	SweepGrace  = 30 * time.Second // the sweep looks this long after a lease ended
	Follow      = 10 * time.Second // the sweep looks this long after a batch or a part has ended
	FirstResend = 15 * time.Minute // a queued job is published again after this, then after twice that, …
	SoonResend  = 30 * time.Second // … but after this, if publishing it failed
	MaxAttempts = 5                // claims, before the job ends in ERROR
	MaxStops    = 50               // claims more, that ended because the server stopped
	Day         = 24 * time.Hour   // what a job made counts for its owner this long after its end
)

// moves lists the legal moves between phases (UWS 1.1, figure 2 and table 7.2 of section 2.1.3).
var moves = map[Phase][]Phase{
	Pending:   {Queued, Executing, Held, Aborted, Error},
	Held:      {Queued, Executing, Aborted, Error},
	Queued:    {Executing, Aborted, Error},
	Executing: {Completed, Error, Aborted, Suspended},
	Suspended: {Executing, Aborted, Error},
	Completed: {Archived},
	Error:     {Archived},
	Aborted:   {Archived},
	Archived:  {},
}

// Advance moves the job to phase to at the instant now, and sets startTime and endTime.
// The error is [fault.Phase] for a move that UWS does not know.
func (j *Job) Advance(to Phase, now time.Time) error {
	if !slices.Contains(moves[j.Phase], to) {
		return fault.New(fault.Phase, "uws.Advance", "the job is %s and cannot become %s; want one of %v first, or a new job", j.Phase, to, before(to))
	}
	j.Phase = to
	if to == Executing && j.Started.IsZero() {
		j.Started = now
	}
	if to.Terminal() && to != Archived {
		j.Ended = now
		if to != Completed { // what was made so far stays (UWS 1.1, section 2.1.3)
			j.Results = j.Partial
		}
		j.Partial = nil
		j.Made = j.made()
		j.Claim = ""
		if to != Aborted { // an aborted worker may still be writing until its lease ends
			j.LeaseUntil = time.Time{}
		}
		j.DueAt = j.Destruction
		j.owe(now)
	}
	return nil
}

// made returns the bytes of the results; those of a part are its batch's.
func (j *Job) made() (bytes int64) {
	if j.Kind == Part {
		return 0
	}
	for _, r := range j.Results {
		bytes += r.Size
	}
	return bytes
}

// before returns the phases from which a job may move to phase to, in the standard's order.
func before(to Phase) (phases []Phase) {
	for _, p := range Phases {
		if slices.Contains(moves[p], to) {
			phases = append(phases, p)
		}
	}
	return phases
}

// DestroyAt sets the destruction instant, and when the store may forget the job after it.
// What follows from the end of a batch does not wait for it.
func (j *Job) DestroyAt(t time.Time, remember time.Duration) {
	j.Destruction, j.PurgeAfter = t, t.Add(remember)
	if j.Phase == Pending || j.Phase.Terminal() && !j.Owes {
		j.DueAt = t
	}
	j.lookAt(j.DueAt)
}

// lookAt makes the job due at t, or at its destruction if that comes first.
func (j *Job) lookAt(t time.Time) {
	if !j.Destruction.IsZero() && j.Destruction.Before(t) {
		t = j.Destruction
	}
	j.DueAt = t
}

// Run queues a job that is PENDING. A job that is QUEUED or EXECUTING already stays as
// it is, and again is true: a client that repeats RUN never starts a job twice.
func (j *Job) Run(now time.Time) (again bool, err error) {
	if j.Phase == Queued || j.Phase == Executing {
		return true, nil
	}
	if err := j.Advance(Queued, now); err != nil {
		return false, err
	}
	j.lookAt(now.Add(FirstResend))
	return false, nil
}

// Abort ends a job that has not ended. The worker learns of it at its next heartbeat or
// by watching. The error is [fault.Phase] if the job has ended already.
func (j *Job) Abort(now time.Time, why string) error {
	if err := j.Advance(Aborted, now); err != nil {
		return err
	}
	j.Cause = why
	return nil
}

// Counts reports whether what the job made counts at the instant now, even if it was deleted
// since.
func (j *Job) Counts(now time.Time) bool { return j.Made > 0 && now.Before(j.Ended.Add(Day)) }

// Live reports whether a worker holds the job at the instant now.
func (j *Job) Live(now time.Time) bool { return j.Phase == Executing && j.LeaseUntil.After(now) }

// Delete sets the tombstone, aborting the job if need be, and makes it due for the sweep.
func (j *Job) Delete(now time.Time) {
	if !j.Phase.Terminal() {
		_ = j.Abort(now, "deleted by its owner") // legal from every phase that is not terminal
	}
	j.Deleted = true
	j.DueAt = now
}

// Take claims the job for a worker under the random name claim. Taken is false, and the
// job unchanged, if there is nothing to do for this worker: the job has ended, is not
// queued yet, or another worker holds it. A job that has used up its attempts is moved
// to ERROR instead, with the cause of the last one, and taken is false.
func (j *Job) Take(now time.Time, claim string) (taken bool) {
	switch {
	case j.Deleted, j.Phase != Queued && j.Phase != Executing, j.Live(now):
		return false
	case j.spent():
		j.giveUp(now)
		return false
	}
	if j.Phase == Queued {
		_ = j.Advance(Executing, now)
	}
	j.Attempt++
	j.Claim = claim
	j.extend(now)
	return true
}

func (j *Job) giveUp(now time.Time) {
	cause := j.Cause
	if cause == "" {
		cause = "its worker was lost each time"
	}
	if j.Phase == Queued {
		_ = j.Advance(Executing, now)
	}
	_ = j.Advance(Error, now)
	j.Failure = &Failure{Code: string(fault.Unavailable), Transient: true,
		Message: fmt.Sprintf("given up after %d attempts: %s", j.Attempt, cause)}
}

func (j *Job) extend(now time.Time) {
	j.LeaseUntil = now.Add(Lease)
	j.lookAt(j.LeaseUntil.Add(SweepGrace))
}

// Holds is nil while claim holds the job, which is what every write of a worker asks
// first: a stale worker is fenced off here. The error is [fault.Phase].
func (j *Job) Holds(claim string) error {
	if j.Phase != Executing || claim == "" || j.Claim != claim {
		return fault.New(fault.Phase, "uws.Holds", "the claim on the job is over: it is %s", j.Phase)
	}
	return nil
}

// Keep notes the results that claim has completed, so that they stay however the
// attempt ends.
func (j *Job) Keep(claim string, partial []Result) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Partial = partial
	return nil
}

// Beat extends the lease of claim and reports progress.
func (j *Job) Beat(now time.Time, claim string, p Progress) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Progress = p
	j.extend(now)
	return nil
}

// Complete ends the job of claim with its results.
func (j *Job) Complete(now time.Time, claim string, results []Result) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Results = results
	return j.Advance(Completed, now)
}

// Fail ends the job of claim in ERROR: trying again would not help.
func (j *Job) Fail(now time.Time, claim string, f Failure) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Failure = &f
	return j.Advance(Error, now)
}

// Expire ends the job of claim as ABORTED because it ran longer than its executionDuration.
func (j *Job) Expire(now time.Time, claim string) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	limit := j.ExecutionDuration
	if err := j.Abort(now, "ran longer than its execution duration"); err != nil {
		return err
	}
	j.Failure = &Failure{Code: string(fault.TooLarge),
		Message: fmt.Sprintf("the job ran longer than its execution duration of %s; set a longer one or ask for less", limit)}
	return nil
}

// Yield gives the job of claim back after a transient failure: the lease ends, the cause
// is kept and the sweep looks again after delay. The phase stays EXECUTING, because UWS
// has no way back; after the last attempt the job ends in ERROR.
func (j *Job) Yield(now time.Time, claim, cause string, delay time.Duration) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Cause = cause
	j.Claim, j.LeaseUntil = "", time.Time{}
	j.lookAt(now.Add(delay))
	if j.spent() {
		j.giveUp(now)
	}
	return nil
}

// LastAttempt reports whether the job has no attempt after the present one.
func (j *Job) LastAttempt() bool { return j.spent() }

// spent reports whether the job has used up its attempts. A server that is stopped or
// killed costs the jobs at work an attempt that was not theirs; but a job that kills the
// server each time ends too.
func (j *Job) spent() bool { return j.Attempt-min(j.Stops, MaxStops) >= MaxAttempts }

// Stop gives the job of claim back because the worker itself stops. The attempt does not
// count, and any worker may take the job at once.
func (j *Job) Stop(now time.Time, claim, cause string) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Orphan(now, cause)
	j.lookAt(now)
	return nil
}

// Orphan ends the lease of a job whose worker is known to be gone, and keeps why. The
// attempt does not count, and any worker may take the job at once.
func (j *Job) Orphan(now time.Time, cause string) {
	if j.Live(now) {
		j.Cause = cause
		j.Stops++
	}
	if j.Phase == Executing {
		j.Claim, j.LeaseUntil = "", time.Time{}
		j.lookAt(now.Add(Lease + SweepGrace))
	}
}

// Resend notes that the sweep publishes the job once more, and when to look again. A
// job whose lease ran out is looked at after the sweep's grace, a queued one after a
// time that doubles.
func (j *Job) Resend(now time.Time) {
	if j.Phase == Executing {
		j.lookAt(now.Add(Lease + SweepGrace))
		return
	}
	j.Republish++
	j.lookAt(now.Add(FirstResend << min(j.Republish, 6)))
}

// Backoff returns how long the sweep waits before the attempt after the given one: 5 s
// after the first, doubling to 80 s.
func Backoff(attempt int) time.Duration {
	return 5 * time.Second << min(max(attempt-1, 0), 4)
}
