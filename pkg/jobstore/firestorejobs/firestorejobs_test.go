package firestorejobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb/firestoredbtest"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/jobstoretest"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns an empty store.
func open(t testing.TB, connections int) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Project: firestoredbtest.Project(t), Connections: connections})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	jobstoretest.Run(t, func(t *testing.T) jobstore.Store { return open(t, 0) })
}

func newJob() *uws.Job {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return &uws.Job{
		ID: uws.NewID(), Owner: "ada", Params: []uws.Param{{Name: "ID", Value: "ivo://example.org/dr1?m13.fits"}},
		Class: uws.Bulk, Kind: uws.Async, Phase: uws.Executing, Claim: "c", LeaseUntil: now.Add(time.Hour),
		Created: now, Destruction: now.Add(24 * time.Hour), PurgeAfter: now.Add(48 * time.Hour), DueAt: now.Add(time.Hour), Shard: uws.NewShard(),
	}
}

func create(t testing.TB, s *Store, j *uws.Job) *uws.Job {
	t.Helper()
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func results(n int) (all []uws.Result) {
	for i := range n {
		all = append(all, uws.Result{ID: fmt.Sprintf("result-%d", i), Object: fmt.Sprintf("results/j/1/%d.fits", i), Name: fmt.Sprintf("%d.fits", i), Size: int64(i)})
	}
	return all
}

// A list of results that is too long for the job's document is kept whole, changes with the
// job, and leaves nothing behind.
func TestLongListsOfResults(t *testing.T) {
	s := open(t, 0)
	ctx := t.Context()
	for _, n := range []int{MaxListed, MaxListed + 1, 2*MaxListed + 7} {
		j := create(t, s, newJob())
		pieces := func() int {
			t.Helper()
			found, err := s.ref(s.client, j.ID).Collection(parts).Documents(ctx).GetAll()
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		want, err := s.Update(ctx, j.ID, func(now time.Time, j *uws.Job) error { return j.Complete(now, "c", results(n)) })
		if err != nil {
			t.Fatal(err)
		}
		if p := pieces(); (n > MaxListed) != (p > 0) {
			t.Errorf("%d results stand in %d documents of their own", n, p)
		}
		got, err := s.Get(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d results (-want +got):\n%s", n, d)
		}
		listed, err := s.List(ctx, jobstore.Filter{Owner: "ada", Last: 1})
		if err != nil || len(listed) != 1 || len(listed[0].Results) != n {
			t.Errorf("the list shows %d jobs, %v; want one with %d results", len(listed), err, n)
		}
		for watched, err := range s.Watch(ctx, j.ID) {
			if err != nil || len(watched.Results) != n {
				t.Errorf("Watch: %v, %v; want %d results", watched, err, n)
			}
			break
		}
		again, err := s.Update(ctx, j.ID, func(_ time.Time, j *uws.Job) error { j.Results = j.Results[:n-10]; return nil })
		if err != nil || len(again.Results) != n-10 {
			t.Fatalf("%d results, %v; want %d", len(again.Results), err, n-10)
		}
		if got, err = s.Get(ctx, j.ID); err != nil || len(got.Results) != n-10 {
			t.Errorf("%d results, %v; want %d", len(got.Results), err, n-10)
		}
		if err := s.Purge(ctx, j.ID, again.Revision); err != nil {
			t.Fatal(err)
		}
		if p := pieces(); p != 0 {
			t.Errorf("%d documents of results are left of a purged job", p)
		}
		if _, err := s.Get(ctx, j.ID); !errors.Is(err, fault.NotFound) {
			t.Errorf("after Purge: %v, want %s", err, fault.NotFound)
		}
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t, 0)
	large := newJob()
	large.Params[0].Value = strings.Repeat("x", firestoredb.MaxDocument)
	if err := s.Create(t.Context(), large); !errors.Is(err, fault.TooLarge) {
		t.Errorf("Create: %v, want %s", err, fault.TooLarge)
	}
	fits := newJob()
	fits.Params[0].Value = strings.Repeat("x", firestoredb.MaxDocument-2000)
	create(t, s, fits)
	for name, change := range map[string]func(j *uws.Job){
		"parameters": func(j *uws.Job) { j.Params = append(j.Params, large.Params...) },
		"results": func(j *uws.Job) {
			j.Results = results(20 * MaxListed)
			for i := range j.Results {
				j.Results[i].Name = strings.Repeat("x", 1000)
			}
		},
	} {
		if _, err := s.Update(t.Context(), fits.ID, func(_ time.Time, j *uws.Job) error { change(j); return nil }); !errors.Is(err, fault.TooLarge) {
			t.Errorf("Update with too many %s: %v, want %s", name, err, fault.TooLarge)
		}
	}
	got, err := s.Get(t.Context(), fits.ID)
	if err != nil || got.Revision != 1 || len(got.Results) != 0 {
		t.Errorf("%v, %v; want the job as it was created", got, err)
	}
}

// A watcher more than the connections carry is told to come back, and can once another left.
func TestConnectionsAreFilledAndNoMore(t *testing.T) {
	const connections = 2
	s := open(t, connections)
	j := create(t, s, newJob())
	ctx, end := context.WithCancel(t.Context())
	defer end()
	started, ended := make(chan error, connections*WatchersPerConnection), make(chan struct{})
	for range connections * WatchersPerConnection {
		go func() {
			for j, err := range s.Watch(ctx, j.ID) {
				if err == nil && j.Revision == 1 || err != nil && ctx.Err() == nil {
					started <- err
				}
			}
			ended <- struct{}{}
		}()
	}
	for range connections * WatchersPerConnection {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range s.Watch(t.Context(), j.ID) {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("one watcher more: %v, want %s", err, fault.Unavailable)
		}
		break
	}
	end()
	for range connections * WatchersPerConnection {
		<-ended
	}
	for _, err := range s.Watch(t.Context(), j.ID) {
		if err != nil {
			t.Errorf("after the others left: %v", err)
		}
		break
	}
}

// The clock that an update sees is Firestore's, read anew for each try.
func TestUpdateUnderContentionSeesTheJobAsItIs(t *testing.T) {
	s := open(t, 0)
	j := create(t, s, newJob())
	var revisions []int64
	_, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error {
		revisions = append(revisions, j.Revision)
		if len(revisions) < 4 { // another writer comes between
			if _, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error { j.RunID += "x"; return nil }); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil || !slices.Equal(revisions, []int64{1, 2, 3, 4}) {
		t.Errorf("the change was tried on revisions %v, %v; want 1 to 4", revisions, err)
	}
}
