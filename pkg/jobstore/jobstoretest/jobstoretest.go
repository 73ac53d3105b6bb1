// Package jobstoretest holds the rules that every backend of package jobstore keeps, as
// tests. A backend runs them with one line:
//
//	jobstoretest.Run(t, func(t *testing.T) jobstore.Store { … })
//
// Times are real and read from the store, never from this process, and an answer may
// take seconds: the suite is for emulators and remote stores too.
package jobstoretest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// patience is how long the suite waits for what must happen.
const patience = 60 * time.Second

// Run checks a store. open returns a fresh, empty one each time and closes it when its
// test ends.
func Run(t *testing.T, open func(t *testing.T) jobstore.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s jobstore.Store)
	}{
		{"Check", testCheck},
		{"CreateAndGet", testCreateAndGet},
		{"CopiesAreTheCallers", testCopies},
		{"UnknownJob", testUnknownJob},
		{"CreateTwice", testCreateTwice},
		{"CreateAgainAfterALostAnswer", testCreateLostAnswer},
		{"EndedContext", testEndedContext},
		{"ListOrder", testListOrder},
		{"ListFilters", testListFilters},
		{"ListHides", testListHides},
		{"UpdateReturnsWhatIsStored", testUpdateReturns},
		{"UpdateKeepsWhatNamesAJob", testUpdateKeepsNames},
		{"UpdateRefused", testUpdateRefused},
		{"UpdateUnchanged", testUpdateUnchanged},
		{"UpdateAfterALostAnswer", testUpdateLostAnswer},
		{"NoUpdateIsLost", testNoUpdateIsLost},
		{"ClockGoesForward", testClock},
		{"OneWorkerTakesAJob", testOneWorker},
		{"StaleWorkerIsFencedOff", testFencing},
		{"DeleteWhileExecuting", testDeleteWhileExecuting},
		{"DueOrder", testDueOrder},
		{"DueHoldsEveryPhase", testDuePhases},
		{"TwoSweeps", testTwoSweeps},
		{"PartsAreAddedUp", testParts},
		{"Purge", testPurge},
		{"UseFollowsTheJobs", testUse},
		{"BytesOfADay", testBytesOfADay},
		{"RowsHaveRoom", testRowsHaveRoom},
		{"CreateWithinRoom", testCreateWithin},
		{"WatchUnknownJob", testWatchUnknown},
		{"WatchPresentState", testWatchPresent},
		{"WatchEndsWithContext", testWatchContext},
		{"WatchEndsOnPurge", testWatchPurge},
		{"WatchByABusyCaller", testWatchBusy},
		{"WatchLosesNoWakeUp", testWatchHammer},
		{"ManyWatchers", testManyWatchers},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// newJob returns a job to create, with instants to the microsecond, as stores keep them.
func newJob(phase uws.Phase) *uws.Job {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return &uws.Job{
		ID:                uws.NewID(),
		Owner:             "ada",
		Params:            []uws.Param{{Name: "ID", Value: "ivo://example.org/dr1?m13.fits"}, {Name: "CIRCLE", Value: "250.42 36.46 0.1"}},
		Class:             uws.Interactive,
		Kind:              uws.Async,
		Phase:             phase,
		Created:           now,
		ExecutionDuration: time.Minute,
		Destruction:       now.Add(24 * time.Hour),
		PurgeAfter:        now.Add(48 * time.Hour),
		DueAt:             now.Add(24 * time.Hour),
		Shard:             uws.NewShard(),
	}
}

func create(t *testing.T, s jobstore.Store, j *uws.Job) *uws.Job {
	t.Helper()
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func get(t *testing.T, s jobstore.Store, id string) *uws.Job {
	t.Helper()
	j, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// update applies a rule that must be legal.
func update(t *testing.T, s jobstore.Store, id string, change func(now time.Time, j *uws.Job) error) *uws.Job {
	t.Helper()
	j, err := s.Update(t.Context(), id, change)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// take claims the job as a worker does; taken is false if another was first.
func take(ctx context.Context, s jobstore.Store, id, claim string) (taken bool, err error) {
	_, err = s.Update(ctx, id, func(now time.Time, j *uws.Job) error {
		if taken = j.Take(now, claim); !taken {
			return jobstore.Unchanged
		}
		return nil
	})
	return taken && err == nil, err
}

// taken claims a job that must be free.
func taken(t *testing.T, s jobstore.Store, id string) (claim string) {
	t.Helper()
	claim = uws.NewID()
	if ok, err := take(t.Context(), s, id, claim); !ok || err != nil {
		t.Fatalf("the job was not taken: %t, %v", ok, err)
	}
	return claim
}

// expire ends the lease on a job, as time would.
func expire(now time.Time, j *uws.Job) error {
	j.LeaseUntil = now.Add(-time.Second)
	return nil
}

// storeNow asks the store for its clock.
func storeNow(t *testing.T, s jobstore.Store) time.Time {
	t.Helper()
	_, now, err := s.Due(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: error %v, want fault.%s", what, err, code)
	}
}

func wantSame(t *testing.T, what string, got, want *uws.Job) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func ids(jobs []*uws.Job) []string {
	var all []string
	for _, j := range jobs {
		all = append(all, j.ID)
	}
	return all
}

func testCheck(t *testing.T, s jobstore.Store) {
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func testCreateAndGet(t *testing.T, s jobstore.Store) {
	full := newJob(uws.Error)
	now := full.Created
	full.RunID, full.Kind, full.Class = "run <1> & \"two\" \u2028 é", uws.Sync, uws.Bulk
	full.Started, full.Ended, full.LeaseUntil = now.Add(time.Second), now.Add(2*time.Second), now.Add(3*time.Second)
	full.Results = []uws.Result{
		{ID: "result", Object: "results/x/1/cut.fits", Name: "cut.fits", MIME: "application/fits", Size: 1 << 40, CRC32C: 0xffffffff, Overlap: true},
		{ID: "note", Object: "results/x/1/no.txt", Name: "no.txt", MIME: "text/plain", Failed: true},
	}
	full.Partial = full.Results[:1]
	full.Failure = &uws.Failure{Code: string(fault.Corrupt), Message: "no END card", Transient: true, Detail: "at byte 2880"}
	full.Progress = uws.Progress{Done: 3, Total: 1 << 50, Results: 1, Of: 2}
	full.Attempt, full.Stops, full.Claim, full.Cause, full.Republish = 2, 1, "claim", "cause", 3
	full.Groups, full.SeesAll = []string{"team", "ünï <b>"}, true
	full.Rows, full.Made = 1<<40, 1<<50
	full.Parent, full.Number, full.Owes = "parent", 3, true
	full.Plan = &uws.Plan{Manifest: "owners/ada/objects.parquet", Ready: true, Rows: 5, Parts: 2, Lanes: 1, Counted: now, Running: now, Listed: true, Untold: true, Package: "zip"}
	full.Tally = uws.Tally{Rows: 5, Done: 1, Empty: 2, Failed: 1, Bytes: 1 << 41}
	full.Deleted, full.Shard, full.Revision = true, uws.Shards-1, 1
	for field, value := range reflect.ValueOf(full).Elem().Fields() {
		if value.IsZero() {
			t.Errorf("this test gives %s no value and so does not see whether the store keeps it", field.Name)
		}
	}

	bare := &uws.Job{ID: uws.NewID(), Phase: uws.Pending, Class: uws.Interactive, Kind: uws.Async, Created: now, DueAt: now}

	for name, j := range map[string]*uws.Job{"every field": full, "few fields": bare} {
		create(t, s, j)
		want := j.Clone()
		want.Revision = 1
		wantSame(t, name, get(t, s, j.ID), want)
	}
}

func testCopies(t *testing.T, s jobstore.Store) {
	j := newJob(uws.Pending)
	j.Results = []uws.Result{{ID: "result"}}
	create(t, s, j)
	want := get(t, s, j.ID)
	j.Params[0].Value, j.Results[0].ID = "changed after Create", "changed"
	got := get(t, s, j.ID)
	wantSame(t, "after changing what was created", got, want)
	got.Params[0].Value, got.Results[0].ID = "changed after Get", "changed"
	wantSame(t, "after changing what was got", get(t, s, j.ID), want)
	next := update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "why") })
	next.Params[0].Value = "changed after Update"
	if v := get(t, s, j.ID).Params[0].Value; v != want.Params[0].Value {
		t.Errorf("a parameter became %q by changing what Update returned", v)
	}
}

func testUnknownJob(t *testing.T, s jobstore.Store) {
	for _, id := range []string{uws.NewID(), "", ".", "..", "../../etc/passwd", "a/b", "a/b/c", "__id__", "\xff\xfe", "a\x00b", strings.Repeat("j", 4000), `{"id":1}`} {
		_, err := s.Get(t.Context(), id)
		wantCode(t, "Get", err, fault.NotFound)
		called := false
		_, err = s.Update(t.Context(), id, func(time.Time, *uws.Job) error { called = true; return nil })
		wantCode(t, "Update", err, fault.NotFound)
		if called {
			t.Error("Update called the function without a job")
		}
		if err := s.Purge(t.Context(), id, 1); err != nil {
			t.Errorf("Purge of %.20q: %v, want no error", id, err)
		}
		for _, err := range s.Watch(t.Context(), id) {
			wantCode(t, "Watch", err, fault.NotFound)
		}
	}
}

func testCreateTwice(t *testing.T, s jobstore.Store) {
	first := create(t, s, newJob(uws.Queued))
	taken(t, s, first.ID)
	want := get(t, s, first.ID)

	// The same job: the caller did not see the first answer. Meanwhile a worker came.
	if err := s.Create(t.Context(), first); err != nil {
		t.Errorf("the same job again: %v, want no error", err)
	}
	wantSame(t, "after the same job again", get(t, s, first.ID), want)

	other := newJob(uws.Queued)
	other.ID, other.Owner = first.ID, "eve"
	wantCode(t, "another job of that id", s.Create(t.Context(), other), fault.Usage)
	wantSame(t, "after another job of that id", get(t, s, first.ID), want)
}

func testCreateLostAnswer(t *testing.T, s jobstore.Store) {
	f := Flaky{Store: s}
	f.Lose.Store(1)
	j := newJob(uws.Queued)
	wantCode(t, "Create whose answer was lost", f.Create(t.Context(), j), fault.Unavailable)
	if err := f.Create(t.Context(), j); err != nil {
		t.Errorf("Create asked again: %v, want no error", err)
	}
	if r := get(t, s, j.ID).Revision; r != 1 {
		t.Errorf("revision %d, want 1: asking again wrote", r)
	}
}

func testEndedContext(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Pending))
	ended, end := context.WithCancel(t.Context())
	end()
	lost := newJob(uws.Pending)
	_, getErr := s.Get(ended, j.ID)
	_, updateErr := s.Update(ended, j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "") })
	_, listErr := s.List(ended, jobstore.Filter{All: true})
	_, _, dueErr := s.Due(ended, 0, 1)
	for name, err := range map[string]error{
		"Create": s.Create(ended, lost), "Get": getErr, "Update": updateErr, "List": listErr, "Due": dueErr,
		"Purge": s.Purge(ended, j.ID, 1),
	} {
		if code := fault.CodeOf(err); code != fault.Unavailable {
			t.Errorf("%s with an ended context: %v, want fault.Unavailable or the context's error", name, err)
		}
	}
	if p := get(t, s, j.ID).Phase; p != uws.Pending {
		t.Errorf("the job is %s, want PENDING: a call whose context had ended wrote", p)
	}
	_, err := s.Get(t.Context(), lost.ID)
	wantCode(t, "the job created with an ended context", err, fault.NotFound)
}

// made creates a job that was made d after the base instant.
func made(t *testing.T, s jobstore.Store, base time.Time, d time.Duration, edit func(j *uws.Job)) string {
	t.Helper()
	j := newJob(uws.Completed)
	j.Created = base.Add(d)
	if edit != nil {
		edit(j)
	}
	return create(t, s, j).ID
}

func wantList(t *testing.T, s jobstore.Store, what string, f jobstore.Filter, want ...string) {
	t.Helper()
	jobs, err := s.List(t.Context(), f)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got := ids(jobs); !slices.Equal(got, want) {
		t.Errorf("%s: jobs %v, want %v", what, got, want)
	}
}

var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testListOrder(t *testing.T, s jobstore.Store) {
	third := made(t, s, base, 2*time.Microsecond, nil)
	first := made(t, s, base, 0, nil)
	second := made(t, s, base, time.Microsecond, nil) // the order is that of the full precision, not of the second
	tied := func(id string) string {
		return made(t, s, base, time.Hour, func(j *uws.Job) { j.ID = id + j.ID[1:] })
	}
	b, c, a := tied("b"), tied("c"), tied("a")
	wantList(t, s, "all of the owner, ties by id", jobstore.Filter{Owner: "ada"}, c, b, a, third, second, first)
	wantList(t, s, "the last two", jobstore.Filter{Owner: "ada", Last: 2}, c, b)
	wantList(t, s, "more than there are", jobstore.Filter{Owner: "ada", Last: 100}, c, b, a, third, second, first)
	wantList(t, s, "after an instant is later than it", jobstore.Filter{Owner: "ada", After: base.Add(time.Microsecond)}, c, b, a, third)
	wantList(t, s, "after and last", jobstore.Filter{Owner: "ada", After: base, Last: 4}, c, b, a, third)
	wantList(t, s, "after the newest", jobstore.Filter{Owner: "ada", After: base.Add(time.Hour)})

	jobs, err := s.List(t.Context(), jobstore.Filter{Owner: "ada", Last: 1})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v; want one", len(jobs), err)
	}
	wantSame(t, "a job of the list", jobs[0], get(t, s, c))
}

func testListFilters(t *testing.T, s jobstore.Store) {
	made := func(d time.Duration, owner string, phase uws.Phase) string {
		return made(t, s, base, d, func(j *uws.Job) { j.Owner, j.Phase = owner, phase })
	}
	pending := made(1*time.Second, "ada", uws.Pending)
	queued := made(2*time.Second, "ada", uws.Queued)
	executing := made(3*time.Second, "ada", uws.Executing)
	archived := made(4*time.Second, "ada", uws.Archived)
	failed := made(5*time.Second, "ada", uws.Error)
	eves := made(6*time.Second, "eve", uws.Queued)
	nobodys := made(7*time.Second, "", uws.Queued)

	wantList(t, s, "no phase is all but ARCHIVED", jobstore.Filter{Owner: "ada"}, failed, executing, queued, pending)
	wantList(t, s, "one phase", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Queued}}, queued)
	wantList(t, s, "phases are alternatives", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Queued, uws.Error, uws.Pending}}, failed, queued, pending)
	wantList(t, s, "a phase named twice", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Queued, uws.Queued}}, queued)
	wantList(t, s, "ARCHIVED when asked for", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Archived, uws.Pending}}, archived, pending)
	wantList(t, s, "every phase", jobstore.Filter{Owner: "ada", Phases: uws.Phases}, failed, archived, executing, queued, pending)
	wantList(t, s, "a phase of no job", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Held}})
	wantList(t, s, "last counts what is selected", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Queued, uws.Pending}, Last: 1}, queued)
	wantList(t, s, "another owner", jobstore.Filter{Owner: "eve"}, eves)
	wantList(t, s, "the anonymous owner is an owner, not a wildcard", jobstore.Filter{}, nobodys)
	wantList(t, s, "every owner", jobstore.Filter{All: true, Owner: "ada"}, nobodys, eves, failed, executing, queued, pending)
	wantList(t, s, "every owner's queued jobs", jobstore.Filter{All: true, Phases: []uws.Phase{uws.Queued}, After: base.Add(2 * time.Second)}, nobodys, eves)

	taken(t, s, queued)
	wantList(t, s, "the phase after a change", jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Executing}}, executing, queued)
}

func testListHides(t *testing.T, s jobstore.Store) {
	made(t, s, base, 0, func(j *uws.Job) { j.Kind = uws.Sync })
	gone := made(t, s, base, 1, nil)
	kept := made(t, s, base, time.Second, nil)
	update(t, s, gone, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil })
	wantList(t, s, "sync jobs and tombstones are hidden", jobstore.Filter{Owner: "ada"}, kept)
	wantList(t, s, "from everybody", jobstore.Filter{All: true, Phases: uws.Phases}, kept)
	if j := get(t, s, gone); !j.Deleted {
		t.Error("Get shows no tombstone")
	}
}
