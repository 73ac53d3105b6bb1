package jobstoretest

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// dueJob creates a job of a shard that is due at an instant.
func dueJob(t *testing.T, s jobstore.Store, shard int, at time.Time, phase uws.Phase) *uws.Job {
	t.Helper()
	j := newJob(phase)
	j.Shard, j.DueAt = shard, at.UTC().Truncate(time.Microsecond)
	return create(t, s, j)
}

func testDueOrder(t *testing.T, s jobstore.Store) {
	now := storeNow(t, s)
	second := dueJob(t, s, 3, now.Add(-time.Minute), uws.Queued).ID
	first := dueJob(t, s, 3, now.Add(-time.Hour), uws.Executing).ID
	third := dueJob(t, s, 3, now.Add(-time.Second), uws.Completed).ID
	later := dueJob(t, s, 3, now.Add(time.Hour), uws.Queued).ID
	elsewhere := dueJob(t, s, 4, now.Add(-time.Hour), uws.Queued).ID
	at := dueJob(t, s, 5, now, uws.Queued).ID // by now, its instant has come

	for _, want := range []struct {
		shard, limit int
		ids          []string
	}{
		{3, 10, []string{first, second, third}},
		{3, 3, []string{first, second, third}},
		{3, 2, []string{first, second}},
		{4, 10, []string{elsewhere}},
		{5, 10, []string{at}},
		{6, 10, nil},
	} {
		jobs, clock, err := s.Due(t.Context(), want.shard, want.limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(jobs); !slices.Equal(got, want.ids) {
			t.Errorf("shard %d, limit %d: %v, want %v", want.shard, want.limit, got, want.ids)
		}
		if clock.Before(now) {
			t.Errorf("the store's clock went back from %v to %v", now, clock)
		}
	}
	jobs, _, err := s.Due(t.Context(), 4, 10)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v; want one", len(jobs), err)
	}
	wantSame(t, "a job that is due", jobs[0], get(t, s, elsewhere))

	update(t, s, second, func(now time.Time, j *uws.Job) error { j.DueAt = now.Add(time.Hour); return nil })
	update(t, s, later, func(now time.Time, j *uws.Job) error { j.DueAt = time.Time{}; return nil })
	jobs, _, err = s.Due(t.Context(), 3, 10)
	if got, want := ids(jobs), []string{later, first, third}; err != nil || !slices.Equal(got, want) {
		t.Errorf("after one was put off and one has no instant, which is due at once: %v, %v; want %v", got, err, want)
	}
}

func testDuePhases(t *testing.T, s jobstore.Store) {
	now := storeNow(t, s)
	var want []string
	for i, p := range uws.Phases {
		want = append(want, dueJob(t, s, 0, now.Add(time.Duration(i-100)*time.Second), p).ID)
	}
	hidden := newJob(uws.Aborted)
	hidden.Shard, hidden.DueAt, hidden.Kind, hidden.Deleted = 0, now.Add(-time.Second).Truncate(time.Microsecond), uws.Sync, true
	want = append(want, create(t, s, hidden).ID)
	jobs, _, err := s.Due(t.Context(), 0, 100)
	if got := ids(jobs); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want every phase, the sync job and the tombstone: %v", got, err, want)
	}
}

// Two sweeps at once, each asking for what is due and putting it off: each job is sent
// once more, not twice.
func testTwoSweeps(t *testing.T, s jobstore.Store) {
	const n = 12
	now := storeNow(t, s)
	for range n {
		dueJob(t, s, 7, now.Add(-time.Minute), uws.Queued)
	}
	var mu sync.Mutex
	sent := map[string]int{}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			jobs, _, err := s.Due(t.Context(), 7, 500)
			if err != nil {
				t.Error(err)
			}
			for _, j := range jobs {
				resent := false
				_, err := s.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
					if resent = !j.DueAt.After(now); !resent {
						return jobstore.Unchanged
					}
					j.Resend(now)
					return nil
				})
				if err != nil && !fault.Transient(err) {
					t.Error(err)
				}
				if resent && err == nil {
					mu.Lock()
					sent[j.ID]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(sent) != n || slices.Max(slices.Collect(maps.Values(sent))) != 1 {
		t.Errorf("sent %v, want each of %d jobs once", sent, n)
	}
	if left, _, err := s.Due(t.Context(), 7, 500); err != nil || len(left) != 0 {
		t.Errorf("%d jobs are still due, %v; want none", len(left), err)
	}
}
