package jobstoretest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func testUpdateReturns(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Pending))
	next := update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		j.RunID = "m13"
		_, err := j.Run(now)
		return err
	})
	if next.Phase != uws.Queued || next.RunID != "m13" || next.Revision != 2 {
		t.Errorf("phase %s, run %q, revision %d; want QUEUED, m13 and 2", next.Phase, next.RunID, next.Revision)
	}
	wantSame(t, "what Get returns after Update", get(t, s, j.ID), next)
	claim := taken(t, s, j.ID)
	next = update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		return j.Complete(now, claim, []uws.Result{{ID: "result", Size: 5, Overlap: true}})
	})
	if next.Phase != uws.Completed || next.Revision != 4 {
		t.Errorf("phase %s, revision %d; want COMPLETED and 4", next.Phase, next.Revision)
	}
	wantSame(t, "what Get returns after the last Update", get(t, s, j.ID), next)
}

func testUpdateKeepsNames(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Pending))
	want := get(t, s, j.ID)
	got := update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		j.ID, j.Owner, j.Kind, j.Created, j.Shard, j.Revision = "other", "eve", uws.Sync, now.Add(time.Hour), (j.Shard+1)%uws.Shards, 77
		return nil
	})
	want.Revision = 2
	wantSame(t, "what Update returned", got, want)
	wantSame(t, "what is stored", get(t, s, j.ID), want)
}

func testUpdateRefused(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Completed))
	want := get(t, s, j.ID)
	refusal := errors.New("no such luck")
	_, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error {
		j.Phase, j.Params[0].Value = uws.Error, "changed before the refusal"
		return fmt.Errorf("worker: %w", refusal)
	})
	if !errors.Is(err, refusal) || err.Error() != "worker: no such luck" {
		t.Errorf("error %v, want the function's own as it is", err)
	}
	_, err = s.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "late") })
	wantCode(t, "a move that UWS does not know", err, fault.Phase)
	wantSame(t, "the job after two refusals", get(t, s, j.ID), want)
}

func testUpdateUnchanged(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Queued))
	want := get(t, s, j.ID)
	got, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error {
		j.RunID = "never mind"
		return fmt.Errorf("wrapped: %w", jobstore.Unchanged)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "the job as read", got, want)
	wantSame(t, "the job as stored", get(t, s, j.ID), want)
}

// A claimant whose Update was written and whose answer was lost re-reads the job: its
// own random claim there says that it won.
func testUpdateLostAnswer(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Queued))
	f := Flaky{Store: s}
	f.Lose.Store(1)
	mine := uws.NewID()
	won, err := take(t.Context(), &f, j.ID, mine)
	wantCode(t, "Update whose answer was lost", err, fault.Unavailable)
	if won {
		t.Error("the claimant believes that it won before it asked")
	}
	got := get(t, s, j.ID)
	if got.Holds(mine) != nil || got.Attempt != 1 {
		t.Errorf("claim %q, attempt %d; want the claimant's own %q and 1", got.Claim, got.Attempt, mine)
	}
	if other, err := take(t.Context(), s, j.ID, uws.NewID()); other || err != nil {
		t.Errorf("a second claimant: taken %t, %v; want neither", other, err)
	}
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Beat(now, mine, uws.Progress{}) })
}

func testNoUpdateIsLost(t *testing.T, s jobstore.Store) {
	const writers, each = 8, 5
	j := create(t, s, newJob(uws.Executing))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				for {
					_, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error { j.Progress.Done++; return nil })
					if err == nil {
						break
					}
					if !fault.Transient(err) { // under contention a store may ask for patience, but not forget
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got := get(t, s, j.ID); got.Progress.Done != writers*each || got.Revision != 1+writers*each {
		t.Errorf("%d increments at revision %d, want %d at %d", got.Progress.Done, got.Revision, writers*each, 1+writers*each)
	}
}

func testClock(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Pending))
	last := storeNow(t, s)
	for range 5 {
		update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
			if now.Before(last) {
				t.Errorf("the store's clock went back from %v to %v", last, now)
			}
			if now.Location() != time.UTC {
				t.Errorf("the store's clock is in %v, want UTC", now.Location())
			}
			last = now
			j.Progress.Done++
			return nil
		})
	}
	if now := storeNow(t, s); now.Before(last) {
		t.Errorf("the clock of Due, %v, is behind that of Update, %v", now, last)
	}
}

func testOneWorker(t *testing.T, s jobstore.Store) {
	for range 10 {
		j := create(t, s, newJob(uws.Queued))
		var winners atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				claim := uws.NewID()
				won, err := take(t.Context(), s, j.ID, claim)
				if err != nil && !fault.Transient(err) {
					t.Error(err)
				}
				if won {
					winners.Add(1)
					winner.Store(claim)
				}
			})
		}
		wg.Wait()
		got := get(t, s, j.ID)
		if winners.Load() != 1 || got.Claim != winner.Load() || got.Attempt != 1 || got.Phase != uws.Executing {
			t.Fatalf("%d winners; claim %q of %v, attempt %d, phase %s", winners.Load(), got.Claim, winner.Load(), got.Attempt, got.Phase)
		}
	}
}

// The first worker stood still, as in a long pause, while its lease ran out (UWS-39).
func testFencing(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Queued))
	first := taken(t, s, j.ID)
	if ok, err := take(t.Context(), s, j.ID, uws.NewID()); ok || err != nil {
		t.Fatalf("taken %t, %v while the lease is alive", ok, err)
	}
	update(t, s, j.ID, expire)
	second := taken(t, s, j.ID)
	want := get(t, s, j.ID)
	for name, change := range map[string]func(time.Time, *uws.Job) error{
		"Complete": func(now time.Time, j *uws.Job) error { return j.Complete(now, first, nil) },
		"Beat":     func(now time.Time, j *uws.Job) error { return j.Beat(now, first, uws.Progress{Done: 1}) },
		"Fail":     func(now time.Time, j *uws.Job) error { return j.Fail(now, first, uws.Failure{}) },
		"Yield":    func(now time.Time, j *uws.Job) error { return j.Yield(now, first, "", 0) },
		"Expire":   func(now time.Time, j *uws.Job) error { return j.Expire(now, first) },
	} {
		_, err := s.Update(t.Context(), j.ID, change)
		wantCode(t, "the first worker's "+name, err, fault.Phase)
	}
	wantSame(t, "the job after the first worker tried", get(t, s, j.ID), want)
	done := update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Complete(now, second, nil) })
	if done.Phase != uws.Completed || done.Attempt != 2 {
		t.Errorf("phase %s after attempt %d, want COMPLETED after 2", done.Phase, done.Attempt)
	}
}

func testDeleteWhileExecuting(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Queued))
	claim := taken(t, s, j.ID)
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil })
	_, err := s.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
		return j.Complete(now, claim, []uws.Result{{ID: "result"}})
	})
	wantCode(t, "the worker's Complete", err, fault.Phase)
	if ok, err := take(t.Context(), s, j.ID, uws.NewID()); ok || err != nil {
		t.Errorf("a deleted job was taken: %t, %v", ok, err)
	}
	got := get(t, s, j.ID)
	if !got.Deleted || got.Phase != uws.Aborted || len(got.Results) != 0 {
		t.Errorf("deleted %t, phase %s, %d results; want the tombstone, ABORTED and none", got.Deleted, got.Phase, len(got.Results))
	}
	due, _, err := s.Due(t.Context(), got.Shard, 10)
	if err != nil || !slices.Equal(ids(due), []string{j.ID}) {
		t.Errorf("due: %v, %v; want the deleted job", ids(due), err)
	}
}

func testPurge(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Completed))
	update(t, s, j.ID, func(time.Time, *uws.Job) error { return nil })
	if err := s.Purge(t.Context(), j.ID, 1); err != nil {
		t.Errorf("Purge of a stale revision: %v, want no error", err)
	}
	if r := get(t, s, j.ID).Revision; r != 2 {
		t.Errorf("revision %d after a stale Purge, want 2", r)
	}
	for range 2 { // the second finds nothing, as after a lost answer
		if err := s.Purge(t.Context(), j.ID, 2); err != nil {
			t.Errorf("Purge: %v", err)
		}
	}
	_, err := s.Get(t.Context(), j.ID)
	wantCode(t, "Get after Purge", err, fault.NotFound)
	_, err = s.Update(t.Context(), j.ID, func(time.Time, *uws.Job) error { return nil })
	wantCode(t, "Update after Purge", err, fault.NotFound)
	wantList(t, s, "the list after Purge", jobstore.Filter{All: true})
}
