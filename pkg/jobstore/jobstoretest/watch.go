package jobstoretest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// watch watches a job in a goroutine; what it sees comes through the channels.
func watch(ctx context.Context, s jobstore.Store, id string) (jobs <-chan *uws.Job, end <-chan error) {
	seen, ended := make(chan *uws.Job, 100), make(chan error, 1)
	go func() {
		for j, err := range s.Watch(ctx, id) {
			if err != nil {
				ended <- err
				continue // an error must be the last
			}
			seen <- j
		}
		close(ended)
	}()
	return seen, ended
}

// await returns what comes through c, which must be soon.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
		panic("unreachable") // Fatalf does not return; the compiler does not know it
	}
}

// atEnd checks that a watch ended with one error, and then said no more.
func atEnd(t *testing.T, end <-chan error, want error) {
	t.Helper()
	if err := await(t, "the end of the watch", end); !errors.Is(err, want) {
		t.Errorf("the watch ended with %v, want %v", err, want)
	}
	if err := await(t, "the close after the end", end); err != nil {
		t.Errorf("after its end the watch yielded another error: %v", err)
	}
}

func testWatchUnknown(t *testing.T, s jobstore.Store) {
	jobs, end := watch(t.Context(), s, uws.NewID())
	atEnd(t, end, fault.NotFound)
	if len(jobs) != 0 {
		t.Error("the watch of an unknown job yielded one")
	}
}

// The watch begins with the state as it is, so a change just before it is not lost.
func testWatchPresent(t *testing.T, s jobstore.Store) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	j := create(t, s, newJob(uws.Queued))
	claim := taken(t, s, j.ID)
	jobs, end := watch(ctx, s, j.ID)
	first := await(t, "the present state", jobs)
	wantSame(t, "the present state", first, get(t, s, j.ID))
	for i := range 3 {
		want := update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Beat(now, claim, uws.Progress{Done: int64(i + 1)}) })
		wantSame(t, "the state after a change", await(t, "a change", jobs), want)
	}
	if _, err := s.Update(t.Context(), j.ID, func(time.Time, *uws.Job) error { return jobstore.Unchanged }); err != nil {
		t.Fatal(err)
	}
	want := update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Complete(now, claim, nil) })
	wantSame(t, "the last state", await(t, "the end of the job", jobs), want)
	stop()
	atEnd(t, end, context.Canceled)
}

func testWatchContext(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Queued))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	jobs, end := watch(ctx, s, j.ID)
	await(t, "the present state", jobs)
	stop()
	atEnd(t, end, context.Canceled)

	ctx, stop = context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	<-ctx.Done()
	_, end = watch(ctx, s, j.ID)
	atEnd(t, end, context.DeadlineExceeded)
}

func testWatchPurge(t *testing.T, s jobstore.Store) {
	j := create(t, s, newJob(uws.Completed))
	jobs, end := watch(t.Context(), s, j.ID)
	await(t, "the present state", jobs)
	if err := s.Purge(t.Context(), j.ID, 1); err != nil {
		t.Fatal(err)
	}
	atEnd(t, end, fault.NotFound)
}

// A change that comes while the caller is busy with the state before it is not lost.
// Here it surely comes then, because the caller makes it.
func testWatchBusy(t *testing.T, s jobstore.Store) {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	j := create(t, s, newJob(uws.Executing))
	const changes = 5
	for j, err := range s.Watch(ctx, j.ID) {
		if err != nil {
			t.Fatalf("the watch ended with %v; a change was lost", err)
		}
		if j.Progress.Done == changes {
			return
		}
		for range 2 { // two in a row may be seen as one
			update(t, s, j.ID, func(_ time.Time, j *uws.Job) error {
				j.Progress.Done = min(j.Progress.Done+1, changes)
				return nil
			})
		}
	}
}

// A whole life of a job races with the beginning of a watch: wherever the watch
// begins, it sees the end, and never an older state after a newer one.
func testWatchHammer(t *testing.T, s jobstore.Store) {
	const lanes, rounds = 8, 12
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for range rounds {
				watchALife(t, s)
			}
		})
	}
	wg.Wait()
}

func watchALife(t *testing.T, s jobstore.Store) {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	j := newJob(uws.Queued)
	if err := s.Create(ctx, j); err != nil {
		t.Error(err)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		claim := uws.NewID()
		if ok, err := take(ctx, s, j.ID, claim); !ok || err != nil {
			t.Errorf("taken %t, %v", ok, err)
		}
		if _, err := s.Update(ctx, j.ID, func(now time.Time, j *uws.Job) error { return j.Complete(now, claim, nil) }); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	var last int64
	for j, err := range s.Watch(ctx, j.ID) {
		if err != nil {
			t.Errorf("the watch ended with %v at revision %d before it saw the job's end", err, last)
			return
		}
		if j.Revision <= last {
			t.Errorf("revision %d came after %d", j.Revision, last)
		}
		last = j.Revision
		if j.Phase == uws.Completed {
			return // which ends the watch
		}
	}
	t.Error("the watch ended without an error")
}

func testManyWatchers(t *testing.T, s jobstore.Store) {
	const n = 20
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	j := create(t, s, newJob(uws.Queued))
	other := create(t, s, newJob(uws.Queued))
	var started, wg sync.WaitGroup
	for range n {
		started.Add(1)
		wg.Go(func() {
			first := true
			for j, err := range s.Watch(ctx, j.ID) {
				if first {
					started.Done()
					first = false
				}
				if err != nil {
					t.Error(err)
					return
				}
				if j.Phase == uws.Aborted {
					return
				}
			}
		})
	}
	started.Wait()
	jobs, _ := watch(ctx, s, other.ID)
	await(t, "the present state of the other job", jobs)
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "") })
	wg.Wait()
	if len(jobs) != 0 {
		t.Error("the watcher of another job was given a change that is none of its own")
	}
}
