package sqlitejobs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/jobstoretest"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openDB(t testing.TB, path string) *sqlitedb.DB {
	t.Helper()
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func open(t testing.TB, opts ...sqlitejobs.Option) (*sqlitejobs.Store, *sqlitedb.DB) {
	t.Helper()
	db := openDB(t, filepath.Join(t.TempDir(), "jobs.db"))
	s, err := sqlitejobs.New(t.Context(), db, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

func TestContract(t *testing.T) {
	jobstoretest.Run(t, func(t *testing.T) jobstore.Store {
		s, _ := open(t)
		return s
	})
}

func newJob(phase uws.Phase) *uws.Job {
	now := time.Now().UTC()
	return &uws.Job{
		ID: uws.NewID(), Owner: "ada", Params: []uws.Param{{Name: "ID", Value: "ivo://example.org/dr1?m13.fits"}},
		Class: uws.Interactive, Kind: uws.Async, Phase: phase,
		Created: now, Destruction: now.Add(24 * time.Hour), DueAt: now.Add(time.Hour), Shard: uws.NewShard(),
	}
}

func update(t testing.TB, s *sqlitejobs.Store, id string, change func(now time.Time, j *uws.Job) error) *uws.Job {
	t.Helper()
	j, err := s.Update(t.Context(), id, change)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func take(now time.Time, j *uws.Job) error {
	if !j.Take(now, uws.NewID()) {
		return jobstore.Unchanged
	}
	return nil
}

// outbox notes in a table of its own which jobs it was called for.
func outbox(ctx context.Context, tx *sqlitedb.Tx, j *uws.Job) error {
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS outbox (job TEXT)"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO outbox VALUES (?)", j.ID)
	return err
}

func sent(t testing.TB, db *sqlitedb.DB) (ids []string) {
	t.Helper()
	rows, err := db.Query(t.Context(), "SELECT job FROM outbox ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestOutboxIsCalledWhenAJobBecomesQueued(t *testing.T) {
	s, db := open(t, sqlitejobs.WithOutbox(outbox))
	queued, pending := newJob(uws.Queued), newJob(uws.Pending)
	for _, j := range []*uws.Job{queued, pending} {
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(t.Context(), queued); err != nil { // again, after a lost answer
		t.Fatal(err)
	}
	update(t, s, queued.ID, func(now time.Time, j *uws.Job) error { j.Resend(now); return nil }) // QUEUED stays QUEUED
	if got, want := sent(t, db), []string{queued.ID}; !slices.Equal(got, want) {
		t.Errorf("called for %v, want once for the job created QUEUED: %v", got, want)
	}
	update(t, s, pending.ID, func(now time.Time, j *uws.Job) error { _, err := j.Run(now); return err })
	if got, want := sent(t, db), []string{queued.ID, pending.ID}; !slices.Equal(got, want) {
		t.Errorf("called for %v, want also for the job that was run: %v", got, want)
	}
	update(t, s, pending.ID, take)
	if n := len(sent(t, db)); n != 2 {
		t.Errorf("called %d times, want 2: a claim queues nothing", n)
	}
}

// Job and message stand or fall together.
func TestOutboxThatFailsKeepsTheJobAsItWas(t *testing.T) {
	full := fault.New(fault.Unavailable, "test", "the outbox is full")
	s, _ := open(t, sqlitejobs.WithOutbox(func(context.Context, *sqlitedb.Tx, *uws.Job) error { return full }))
	queued, pending := newJob(uws.Queued), newJob(uws.Pending)
	if err := s.Create(t.Context(), queued); !errors.Is(err, full) {
		t.Errorf("Create: %v, want the error of the outbox", err)
	}
	if _, err := s.Get(t.Context(), queued.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("Get: %v, want fault.NotFound", err)
	}
	if err := s.Create(t.Context(), pending); err != nil {
		t.Fatal(err)
	}
	_, err := s.Update(t.Context(), pending.ID, func(now time.Time, j *uws.Job) error { _, err := j.Run(now); return err })
	if !errors.Is(err, full) {
		t.Errorf("Update: %v, want the error of the outbox", err)
	}
	if j, err := s.Get(t.Context(), pending.ID); err != nil || j.Phase != uws.Pending || j.Revision != 1 {
		t.Errorf("after the refusal: %v, %v; want the job PENDING at revision 1", j, err)
	}
}

// The server was killed while jobs waited and ran.
func TestRecoverResumesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	db := openDB(t, path)
	s, err := sqlitejobs.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[uws.Phase]*uws.Job{}
	for i, p := range []uws.Phase{uws.Pending, uws.Queued, uws.Executing, uws.Completed} {
		j := newJob(p)
		if p == uws.Executing {
			j.Phase = uws.Queued
		}
		j.Created = j.Created.Add(time.Duration(i))
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if p == uws.Executing {
			update(t, s, j.ID, take)
		}
		jobs[p] = j
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = openDB(t, path)
	s, err = sqlitejobs.New(t.Context(), db, sqlitejobs.WithOutbox(outbox))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Recover(t.Context()); n != 2 || err != nil {
		t.Errorf("recovered %d jobs, %v; want 2", n, err)
	}
	if got, want := sent(t, db), []string{jobs[uws.Queued].ID, jobs[uws.Executing].ID}; !slices.Equal(got, want) {
		t.Errorf("messages for %v, want for the one that waited and the one that ran: %v", got, want)
	}
	j := update(t, s, jobs[uws.Executing].ID, take)
	if j.Attempt != 2 || j.Phase != uws.Executing || j.Cause != "the server stopped while it worked on the job" {
		t.Errorf("attempt %d, %s, cause %q; want the second attempt, EXECUTING, and why", j.Attempt, j.Phase, j.Cause)
	}
}

func TestJobsThatKillTheServerAreGivenUp(t *testing.T) {
	s, _ := open(t)
	j := newJob(uws.Queued)
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for range uws.MaxStops + uws.MaxAttempts {
		update(t, s, j.ID, take)
		if _, err := s.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	last := update(t, s, j.ID, func(now time.Time, j *uws.Job) error { j.Take(now, "one too many"); return nil })
	if last.Phase != uws.Error || !strings.Contains(last.Failure.Message, "the server stopped") {
		t.Errorf("%s, %+v; want ERROR that says why", last.Phase, last.Failure)
	}
}

func TestClock(t *testing.T) {
	instant := time.Date(2031, 5, 6, 7, 8, 9, 10, time.FixedZone("CEST", 7200))
	now := instant
	s, _ := open(t, sqlitejobs.WithClock(func() time.Time { return now }))
	j := newJob(uws.Queued)
	j.DueAt = instant
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for ahead, due := range map[time.Duration]int{-time.Nanosecond: 0, 0: 1, time.Hour: 1} {
		now = instant.Add(ahead)
		jobs, clock, err := s.Due(t.Context(), j.Shard, 9)
		if err != nil || len(jobs) != due || !clock.Equal(now) {
			t.Errorf("%v after the instant: %d jobs at %v, %v; want %d at %v", ahead, len(jobs), clock, err, due, now)
		}
		update(t, s, j.ID, func(got time.Time, _ *uws.Job) error {
			if !got.Equal(now) {
				t.Errorf("Update saw %v, want %v", got, now)
			}
			return jobstore.Unchanged
		})
	}
}

// Instants that no 64-bit count of nanoseconds holds still sort as they should.
func TestFarInstants(t *testing.T) {
	s, _ := open(t)
	never, always := newJob(uws.Completed), newJob(uws.Completed)
	never.DueAt, never.Shard = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 0
	always.DueAt, always.Shard = time.Time{}, 0
	for _, j := range []*uws.Job{never, always} {
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	jobs, _, err := s.Due(t.Context(), 0, 9)
	if err != nil || len(jobs) != 1 || jobs[0].ID != always.ID {
		t.Errorf("%d jobs, %v; want the one without an instant", len(jobs), err)
	}
	tooFar := newJob(uws.Pending)
	tooFar.Destruction = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Create(t.Context(), tooFar); !errors.Is(err, fault.Internal) {
		t.Errorf("a year that JSON cannot say: %v, want fault.Internal", err)
	}
}

func TestClosedFile(t *testing.T) {
	s, db := open(t)
	j := newJob(uws.Queued)
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	watched := make(chan error, 2)
	go func() {
		for _, err := range s.Watch(t.Context(), j.ID) {
			watched <- err
		}
	}()
	if err := <-watched; err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; !errors.Is(err, fault.Unavailable) {
		t.Errorf("the watch ended with %v, want fault.Unavailable", err)
	}
	_, getErr := s.Get(t.Context(), j.ID)
	_, updateErr := s.Update(t.Context(), j.ID, take)
	_, recoverErr := s.Recover(t.Context())
	for name, err := range map[string]error{"Check": s.Check(t.Context()), "Create": s.Create(t.Context(), newJob(uws.Pending)),
		"Get": getErr, "Update": updateErr, "Recover": recoverErr, "Purge": s.Purge(t.Context(), j.ID, 1)} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v, want fault.Unavailable", name, err)
		}
	}
}

// Two writers that read the same revision: the second one's function runs again, in
// its turn, on what the first wrote, and may find that there is nothing left to do.
func TestUpdateRunsAgainOnWhatCameBetween(t *testing.T) {
	s, _ := open(t)
	for name, last := range map[string]error{"writes": nil, "unchanged": jobstore.Unchanged, "refuses": errors.New("too late")} {
		j := newJob(uws.Queued)
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		runs := 0
		got, err := s.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
			if runs++; runs == 1 {
				update(t, s, j.ID, func(_ time.Time, j *uws.Job) error { j.RunID = "between"; return nil })
				return nil
			}
			if j.RunID != "between" {
				t.Errorf("%s: the second run saw run %q, want what came between", name, j.RunID)
			}
			return last
		})
		want := int64(2)
		if last == nil {
			want = 3
		}
		if runs != 2 {
			t.Errorf("%s: %d runs, want 2", name, runs)
		}
		if name == "refuses" {
			if err != last {
				t.Errorf("%s: error %v, want %v", name, err, last)
			}
		} else if err != nil || got.Revision != want {
			t.Errorf("%s: %v, %v; want revision %d", name, got, err, want)
		}
		if stored, err := s.Get(t.Context(), j.ID); err != nil || stored.Revision != want {
			t.Errorf("%s: stored %v, %v; want revision %d", name, stored, err, want)
		}
	}
}

// An Update that changes nothing, such as a message of a job that has ended, does not
// wait for the writer.
func TestUnchangedWaitsForNoWriter(t *testing.T) {
	s, db := open(t)
	j := newJob(uws.Completed)
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(context.Context, *sqlitedb.Tx) error {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		_, err := s.Update(ctx, j.ID, take)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			s, _ := open(b)
			ids := make([]string, clients)
			for i := range ids {
				j := newJob(uws.Executing)
				if err := s.Create(b.Context(), j); err != nil {
					b.Fatal(err)
				}
				ids[i] = j.ID
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for _, id := range ids {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if _, err := s.Update(b.Context(), id, func(_ time.Time, j *uws.Job) error { j.Progress.Done++; return nil }); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s, _ := open(b)
	j := newJob(uws.Executing)
	if err := s.Create(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), j.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnchanged(b *testing.B) {
	s, _ := open(b)
	j := newJob(uws.Completed)
	if err := s.Create(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Update(b.Context(), j.ID, take); err != nil {
			b.Fatal(err)
		}
	}
}
