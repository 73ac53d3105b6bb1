package uws

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// life drives one job through a random life: its owner, workers that come and go, the
// sweep, and time. Beside the job it keeps, in the simplest way, what must be true.
type life struct {
	job    *Job
	now    time.Time
	claims []string // of all workers that ever took the job, the last one last
	stops  int      // claims that ended because the server stopped
	held   bool     // the last worker has neither ended, given back nor lost its claim
	ended  time.Time
	phase  Phase // the terminal phase it ended in
	kept   []Result
	latest time.Time
}

func newLife(t *rapid.T) *life {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	l := &life{now: now, job: &Job{ID: "j", Phase: Pending, Class: Interactive, Kind: Async, Created: now, ExecutionDuration: time.Minute}}
	l.job.DestroyAt(now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "minutes to destruction"))*time.Minute), time.Hour)
	return l
}

// refused checks that err is fault.Phase and that the rule left the job as it was.
func (l *life) refused(t *rapid.T, what string, before *Job, err error) {
	if !errors.Is(err, fault.Phase) {
		t.Fatalf("%s: error %v, want fault.Phase", what, err)
	}
	if d := cmp.Diff(before, l.job); d != "" {
		t.Fatalf("%s was refused and changed the job:\n%s", what, d)
	}
}

// asWorker lets some worker, perhaps one of long ago or one that never was, apply a rule.
// It says whether the rule must succeed.
func (l *life) asWorker(t *rapid.T, what string, rule func(claim string) error) (done bool) {
	claim := rapid.SampledFrom(append([]string{"", "stranger"}, l.claims...)).Draw(t, "claim")
	if len(l.claims) > 0 && rapid.IntRange(0, 3).Draw(t, "not the last worker") > 0 {
		claim = l.claims[len(l.claims)-1]
	}
	before := l.job.Clone()
	err := rule(claim)
	if !l.held || claim != l.claims[len(l.claims)-1] {
		l.refused(t, what, before, err)
		return false
	}
	if err != nil {
		t.Fatalf("%s by the worker that holds the job: %v", what, err)
	}
	return true
}

func (l *life) advance(t *rapid.T) {
	l.now = l.now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 61, 1000}).Draw(t, "seconds")) * time.Second)
}

func (l *life) run(t *rapid.T) {
	before := l.job.Clone()
	again, err := l.job.Run(l.now)
	switch before.Phase {
	case Pending:
		if again || err != nil || l.job.Phase != Queued {
			t.Fatalf("Run of a pending job: again %t, %v, %s", again, err, l.job.Phase)
		}
	case Queued, Executing:
		if !again || err != nil || cmp.Diff(before, l.job) != "" {
			t.Fatalf("Run once more: again %t, %v; want no change", again, err)
		}
	default:
		l.refused(t, "Run", before, err)
	}
}

func (l *life) abort(t *rapid.T) {
	before := l.job.Clone()
	err := l.job.Abort(l.now, "its owner asked for it")
	if before.Phase.Terminal() {
		l.refused(t, "Abort", before, err)
		return
	}
	if err != nil || l.job.Phase != Aborted {
		t.Fatalf("Abort: %v, %s", err, l.job.Phase)
	}
	l.held = false
}

func (l *life) delete(*rapid.T) {
	l.job.Delete(l.now)
	l.held = false
	l.latest = l.now
}

func (l *life) take(t *rapid.T) {
	claim := fmt.Sprint("worker ", len(l.claims)+1)
	before := l.job.Clone()
	free := before.Phase == Queued || before.Phase == Executing && !before.LeaseUntil.After(l.now)
	taken := l.job.Take(l.now, claim)
	switch {
	case !free || before.Deleted:
		if d := cmp.Diff(before, l.job); taken || d != "" {
			t.Fatalf("a job that is not free was taken %t, or changed:\n%s", taken, d)
		}
	case l.used() == 5: // DESIGN.md, section 3: five claims, then ERROR with the last cause
		if taken || l.job.Phase != Error || l.job.Failure == nil || !l.job.Failure.Transient {
			t.Fatalf("the sixth claim: taken %t, %s, %+v; want ERROR that is transient", taken, l.job.Phase, l.job.Failure)
		}
		if before.Cause != "" && !strings.Contains(l.job.Failure.Message, before.Cause) {
			t.Fatalf("%q does not hold the last cause %q", l.job.Failure.Message, before.Cause)
		}
		l.held = false
	default:
		if !taken || l.job.Phase != Executing || !l.job.Live(l.now) || l.job.Live(l.now.Add(time.Minute)) {
			t.Fatalf("a free job: taken %t, %s until %v; want EXECUTING with a lease of a minute", taken, l.job.Phase, l.job.LeaseUntil)
		}
		l.claims, l.held = append(l.claims, claim), true
	}
}

func (l *life) beat(t *rapid.T) {
	l.keep(t)
	p := Progress{Done: int64(len(l.claims)), Total: 9}
	if l.asWorker(t, "Beat", func(claim string) error { return l.job.Beat(l.now, claim, p) }) && (!l.job.Live(l.now) || l.job.Progress != p) {
		t.Fatalf("after a heartbeat: live %t, progress %v", l.job.Live(l.now), l.job.Progress)
	}
}

func (l *life) keep(t *rapid.T) {
	kept := append(slices.Clone(l.kept), Result{ID: fmt.Sprint("cutout-", len(l.kept)+1)})
	if l.asWorker(t, "Keep", func(claim string) error { return l.job.Keep(claim, kept) }) {
		l.kept = kept
	}
}

func (l *life) complete(t *rapid.T) {
	if l.asWorker(t, "Complete", func(claim string) error { return l.job.Complete(l.now, claim, []Result{{ID: "result"}}) }) {
		l.wantEnd(t, Completed)
	}
}

func (l *life) fail(t *rapid.T) {
	f := Failure{Code: string(fault.Corrupt), Message: "no END card"}
	if l.asWorker(t, "Fail", func(claim string) error { return l.job.Fail(l.now, claim, f) }) {
		l.wantEnd(t, Error)
		if *l.job.Failure != f {
			t.Fatalf("failure %+v, want %+v", *l.job.Failure, f)
		}
	}
}

func (l *life) expire(t *rapid.T) {
	if l.asWorker(t, "Expire", func(claim string) error { return l.job.Expire(l.now, claim) }) {
		l.wantEnd(t, Aborted)
		if !strings.Contains(l.job.Failure.Message, "1m0s") {
			t.Fatalf("%q does not name the limit", l.job.Failure.Message)
		}
	}
}

func (l *life) wantEnd(t *rapid.T, want Phase) {
	if l.job.Phase != want || !l.job.Ended.Equal(l.now) {
		t.Fatalf("%s, ended %v; want %s, %v", l.job.Phase, l.job.Ended, want, l.now)
	}
	l.held = false
}

func (l *life) yield(t *rapid.T) {
	delay := Backoff(l.job.Attempt)
	if !l.asWorker(t, "Yield", func(claim string) error { return l.job.Yield(l.now, claim, "the archive is down", delay) }) {
		return
	}
	l.held = false
	if l.used() == 5 {
		if l.job.Phase != Error || !strings.Contains(l.job.Failure.Message, "the archive is down") {
			t.Fatalf("the fifth attempt was given back: %s, %+v; want ERROR with its cause", l.job.Phase, l.job.Failure)
		}
		return
	}
	if l.job.Phase != Executing || l.job.Live(l.now) || l.job.DueAt.After(l.now.Add(delay)) {
		t.Fatalf("given back: %s, live %t, due %v", l.job.Phase, l.job.Live(l.now), l.job.DueAt)
	}
}

func (l *life) orphan(t *rapid.T) {
	before := l.job.Clone()
	l.job.Orphan(l.now, "the server stopped")
	if before.Phase != Executing {
		if d := cmp.Diff(before, l.job); d != "" {
			t.Fatalf("Orphan changed a job that was not EXECUTING:\n%s", d)
		}
		return
	}
	if before.Live(l.now) {
		l.stops++
	}
	if l.job.Live(l.now) || l.job.Phase != Executing {
		t.Fatalf("orphaned: live %t, %s; want EXECUTING without a lease", l.job.Live(l.now), l.job.Phase)
	}
	l.held = false
}

func (l *life) stop(t *rapid.T) {
	live := l.job.Live(l.now)
	if !l.asWorker(t, "Stop", func(claim string) error { return l.job.Stop(l.now, claim, "the server stopped") }) {
		return
	}
	if live {
		l.stops++
	}
	l.held = false
	if l.job.Phase != Executing || l.job.Live(l.now) || l.job.DueAt.After(l.now) {
		t.Fatalf("given back by a worker that stops: %s, live %t, due %v", l.job.Phase, l.job.Live(l.now), l.job.DueAt)
	}
}

// used returns how many claims count as attempts.
func (l *life) used() int { return len(l.claims) - l.stops }

func (l *life) resend(t *rapid.T) {
	if p := l.job.Phase; p != Queued && (p != Executing || l.job.Live(l.now)) {
		t.Skip("the sweep resends only what waits")
	}
	l.job.Resend(l.now)
	if !l.job.DueAt.After(l.now) && l.job.Destruction.After(l.now) {
		t.Fatalf("resent and still due: %v at %v", l.job.DueAt, l.now)
	}
}

func (l *life) archive(t *rapid.T) {
	before := l.job.Clone()
	err := l.job.Advance(Archived, l.now)
	if !before.Phase.Terminal() || before.Phase == Archived {
		l.refused(t, "Advance to ARCHIVED", before, err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func (l *life) destroy(t *rapid.T) {
	at := l.now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "minutes to destruction")) * time.Minute)
	l.job.DestroyAt(at, time.Hour)
	if !l.job.PurgeAfter.After(l.job.Destruction) {
		t.Fatalf("purged at %v, before the destruction at %v", l.job.PurgeAfter, l.job.Destruction)
	}
}

// check holds after every step of every life.
func (l *life) check(t *rapid.T) {
	j := l.job
	if j.Phase.Terminal() {
		if l.phase == "" {
			l.phase, l.ended = j.Phase, j.Ended
			if j.Ended.IsZero() {
				t.Fatalf("%s without an end time", j.Phase)
			}
		}
		if j.Phase != l.phase && j.Phase != Archived || !j.Ended.Equal(l.ended) {
			t.Fatalf("a job that had ended as %s at %v is %s, ended %v", l.phase, l.ended, j.Phase, j.Ended)
		}
	} else if l.phase != "" {
		t.Fatalf("a job that had ended as %s is %s again", l.phase, j.Phase)
	}
	if j.Attempt != len(l.claims) || l.used() > 5 {
		t.Fatalf("attempt %d after %d claims, of which the server ended %d; want the same, and 5 others at most", j.Attempt, len(l.claims), l.stops)
	}
	if l.held != (j.Claim != "") || l.held && j.Phase != Executing {
		t.Fatalf("held %t, claim %q, %s", l.held, j.Claim, j.Phase)
	}
	switch { // results are seen when the job has ended, and are then what was kept of it
	case l.phase == "":
		if len(j.Results) > 0 || !slices.Equal(j.Partial, l.kept) {
			t.Fatalf("%d results of a job that has not ended, and %v kept, want %v", len(j.Results), j.Partial, l.kept)
		}
	case len(j.Partial) > 0, l.phase != Completed && !slices.Equal(j.Results, l.kept):
		t.Fatalf("a job that ended as %s has the results %v, and %v kept, want %v", l.phase, j.Results, j.Partial, l.kept)
	}
	if (j.Failure != nil || l.phase == Error) && (l.phase != Error && l.phase != Aborted || j.Failure == nil) {
		t.Fatalf("%s after %q with failure %+v", j.Phase, l.phase, j.Failure)
	}
	if !j.Started.IsZero() && !j.Ended.IsZero() && j.Ended.Before(j.Started) {
		t.Fatalf("ended %v, before it started %v", j.Ended, j.Started)
	}
	// The sweep looks at every job, at its destruction at the latest.
	if last := j.Destruction; j.DueAt.IsZero() || j.DueAt.After(last) && j.DueAt.After(l.latest) {
		t.Fatalf("%s, due %v, which is after its destruction at %v", j.Phase, j.DueAt, last)
	}
	if j.Live(l.now) && j.DueAt.After(j.LeaseUntil.Add(30*time.Second)) {
		t.Fatalf("due %v, more than 30 s after the lease ends at %v", j.DueAt, j.LeaseUntil)
	}
	if d := cmp.Diff(j, j.Clone()); d != "" {
		t.Fatalf("a clone differs:\n%s", d)
	}
}

// often has rapid make so many lives of so many steps, where the command line does not say how
// many.
func often(t *testing.T, checks, steps int) {
	t.Helper()
	said := commandLine()
	for name, n := range map[string]int{"rapid.checks": checks, "rapid.steps": steps} {
		if said[name] {
			continue
		}
		if err := flag.Set(name, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// commandLine names the flags of the command line, which flag forgets once others are set.
var commandLine = sync.OnceValue(func() map[string]bool {
	said := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { said[f.Name] = true })
	return said
})

func TestEveryLifeKeepsTheRules(t *testing.T) {
	often(t, 400, 60)
	reached := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		t.Repeat(map[string]func(*rapid.T){
			"":        l.check,
			"advance": l.advance,
			"run":     l.run,
			"take":    l.take,
			"retake":  func(t *rapid.T) { l.advance(t); l.take(t) },
			"beat":    l.beat,
			"yield":   l.yield,
			"orphan":  l.orphan,
			"stop":    l.stop,
			"resend":  l.resend,
			"destroy": l.destroy,
			"end": func(t *rapid.T) { // seldom, and mostly by a worker, so that lives are long
				switch end := rapid.IntRange(0, 60).Draw(t, "end"); {
				case end < 2: // rapid draws small numbers more often
					l.complete(t)
				case end < 4:
					l.fail(t)
				case end == 4:
					l.expire(t)
				case end == 60:
					l.abort(t)
				case end == 59:
					l.delete(t)
				case end == 58:
					l.archive(t)
				}
			},
		})
		reached[fmt.Sprint(l.phase, " after ", len(l.claims))]++
	})
	for _, want := range []string{"COMPLETED", "ERROR", "ERROR after 5", "ABORTED"} {
		n := 0
		for life, times := range reached {
			if strings.HasPrefix(life, want) {
				n += times
			}
		}
		if n == 0 {
			t.Errorf("no life came to %q, so this test says less than it seems to: %v", want, reached)
		}
	}
}

// UWS-31: every pair of phases, against section 2.1.3 of UWS 1.1: the moves of its figure, with
// ERROR and ABORTED from each phase that has not ended, and ARCHIVED from each that has.
func TestMovesBetweenPhases(t *testing.T) {
	legal := map[string]bool{}
	for _, m := range strings.Fields(`PENDING>QUEUED PENDING>EXECUTING PENDING>HELD HELD>QUEUED HELD>EXECUTING
		QUEUED>EXECUTING EXECUTING>COMPLETED EXECUTING>SUSPENDED SUSPENDED>EXECUTING
		COMPLETED>ARCHIVED ERROR>ARCHIVED ABORTED>ARCHIVED`) {
		legal[m] = true
	}
	for _, from := range []Phase{Pending, Held, Queued, Executing, Suspended} {
		legal[string(from+">"+Error)], legal[string(from+">"+Aborted)] = true, true
	}
	for _, from := range Phases {
		for _, to := range Phases {
			j := &Job{Phase: from}
			err := j.Advance(to, noon)
			move := string(from + ">" + to)
			if legal[move] && (err != nil || j.Phase != to) {
				t.Errorf("%s: %v, %s; want it done", move, err, j.Phase)
			}
			if !legal[move] && (!errors.Is(err, fault.Phase) || j.Phase != from) {
				t.Errorf("%s: %v, %s; want fault.Phase and no change", move, err, j.Phase)
			}
		}
	}
}

func TestResendDoubles(t *testing.T) {
	j := &Job{Phase: Queued}
	for i, want := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 16 * time.Hour} {
		j.Resend(noon)
		if got := j.DueAt.Sub(noon); got != want {
			t.Errorf("resend %d: due after %v, want %v", i+1, got, want)
		}
	}
}

func TestBackoffDoublesToItsLimit(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 9: 80 * time.Second} {
		if got := Backoff(attempt); got != want {
			t.Errorf("after attempt %d: %v, want %v", attempt, got, want)
		}
	}
}

func TestNewIDIsRandomAndSafeInNames(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if len(id) != 26 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[id] {
			t.Fatalf("id %q: want 26 characters of lower-case base32, each id once", id)
		}
		seen[id] = true
	}
	shards := map[int]bool{}
	for range 2000 {
		shards[NewShard()] = true
	}
	if len(shards) != Shards || slices.Min(slices.Collect(maps.Keys(shards))) != 0 || slices.Max(slices.Collect(maps.Keys(shards))) != Shards-1 {
		t.Errorf("shards %v, want all of 0 to %d", slices.Sorted(maps.Keys(shards)), Shards-1)
	}
}
