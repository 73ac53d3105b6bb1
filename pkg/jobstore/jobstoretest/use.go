package jobstoretest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// A job is live until it ends or is deleted, whatever becomes of it; a sync job too.
func testUse(t *testing.T, s jobstore.Store) {
	since := storeNow(t, s).Add(-uws.Day)
	wantUse := func(when string, want jobstore.Use, interactive int64) {
		t.Helper()
		if got, err := s.Use(t.Context(), want.Owner, since); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", when, got, err, want)
		}
		if got, err := s.Active(t.Context(), uws.Interactive); err != nil || got != interactive {
			t.Errorf("%s: %d interactive jobs are active, %v; want %d", when, got, err, interactive)
		}
	}
	wantUse("nothing", jobstore.Use{Owner: "ada"}, 0)
	j := newJob(uws.Pending)
	j.Rows = 3
	create(t, s, j)
	wantUse("a pending job", jobstore.Use{Owner: "ada", Jobs: 1, Rows: 3}, 0)
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		j.Rows = 4
		_, err := j.Run(now)
		return err
	})
	wantUse("queued with one row more", jobstore.Use{Owner: "ada", Jobs: 1, Rows: 4}, 1)
	claim := taken(t, s, j.ID)
	wantUse("executing", jobstore.Use{Owner: "ada", Jobs: 1, Rows: 4}, 1)

	other := newJob(uws.Queued)
	other.Owner, other.Kind, other.Class, other.Rows = "", uws.Sync, uws.Bulk, 1
	create(t, s, other)
	wantUse("beside another's", jobstore.Use{Owner: "ada", Jobs: 1, Rows: 4}, 1)
	wantUse("the anonymous one's", jobstore.Use{Jobs: 1, Rows: 1}, 1)

	update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		return j.Complete(now, claim, []uws.Result{{ID: "a", Size: 700}, {ID: "b", Size: 77}})
	})
	wantUse("completed", jobstore.Use{Owner: "ada", Bytes: 777}, 0)
	all, err := s.Uses(t.Context(), since)
	if d := cmp.Diff([]jobstore.Use{{Jobs: 1, Rows: 1}, {Owner: "ada", Bytes: 777}}, all); d != "" || err != nil {
		t.Errorf("the uses of all: %v (-want +got)\n%s", err, d)
	}
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil })
	wantUse("deleted: the day keeps what was made", jobstore.Use{Owner: "ada", Bytes: 777}, 0)
	update(t, s, other.ID, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil })
	wantUse("deleted while it waits", jobstore.Use{}, 0)
}

// ended creates a job of ada's that ended some time ago with so many bytes.
func ended(t *testing.T, s jobstore.Store, ago time.Duration, bytes int64) {
	t.Helper()
	j := create(t, s, newJob(uws.Queued))
	claim := taken(t, s, j.ID)
	update(t, s, j.ID, func(now time.Time, j *uws.Job) error {
		return j.Complete(now.Add(-ago), claim, []uws.Result{{ID: "result", Size: bytes}})
	})
}

// What a store counts by hours may count for an hour more, never less.
func testBytesOfADay(t *testing.T, s jobstore.Store) {
	since := storeNow(t, s).Add(-uws.Day)
	for ago, bytes := range map[time.Duration]int64{26 * time.Hour: 1, 22 * time.Hour: 10, 12 * time.Hour: 100, 0: 1000} {
		ended(t, s, ago, bytes)
	}
	if u, err := s.Use(t.Context(), "ada", since); err != nil || u.Bytes != 1110 {
		t.Errorf("%+v, %v; want the 1110 bytes of the day", u, err)
	}
	for _, tt := range []struct {
		bytes int64
		ago   time.Duration // when the last of them was made
	}{{1, 22 * time.Hour}, {10, 22 * time.Hour}, {11, 12 * time.Hour}, {110, 12 * time.Hour}, {111, 0}} {
		at, err := s.Freed(t.Context(), "ada", since, tt.bytes)
		end := since.Add(uws.Day - tt.ago)
		if late := at.Sub(end); err != nil || late < -time.Minute || late > time.Hour+time.Minute {
			t.Errorf("%d bytes are free when since is %v, %v; want %v or up to an hour later", tt.bytes, at, err, end)
			continue
		}
		before, err := s.Use(t.Context(), "ada", at.Add(-time.Millisecond))
		after, afterErr := s.Use(t.Context(), "ada", at)
		if err := errors.Join(err, afterErr); err != nil || before.Bytes <= 1110-tt.bytes || after.Bytes > 1110-tt.bytes {
			t.Errorf("%d bytes at %v: %d count before and %d from then on, %v; want %d or fewer only then", tt.bytes, at, before.Bytes, after.Bytes, err, 1110-tt.bytes)
		}
	}
	if at, err := s.Freed(t.Context(), "ada", since, 1111); err != nil || !at.IsZero() {
		t.Errorf("more than there is becomes free at %v, %v; want never", at, err)
	}
	if at, err := s.Freed(t.Context(), "eve", since, 1); err != nil || !at.IsZero() {
		t.Errorf("what eve does not use becomes free at %v, %v; want never", at, err)
	}
}

func testRowsHaveRoom(t *testing.T, s jobstore.Store) {
	for _, tt := range []struct {
		rows  int64
		room  jobstore.Room
		fits  bool
		after jobstore.Use
	}{
		{7, jobstore.Room{Rows: 6}, false, jobstore.Use{}},
		{7, jobstore.Room{Rows: 7}, true, jobstore.Use{Jobs: 1, Rows: 7}},
		{3, jobstore.Room{Rows: 9}, false, jobstore.Use{Jobs: 1, Rows: 7}},
		{3, jobstore.Room{Rows: 10, Jobs: 1}, false, jobstore.Use{Jobs: 1, Rows: 7}},
		{3, jobstore.Room{Rows: 10, Jobs: 2}, true, jobstore.Use{Jobs: 2, Rows: 10}},
		{100, jobstore.Room{}, true, jobstore.Use{Jobs: 3, Rows: 110}},
	} {
		j := newJob(uws.Pending)
		j.Rows, j.Owner = tt.rows, ""
		before, err := s.Use(t.Context(), "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		used, err := s.CreateWithin(t.Context(), j, tt.room)
		if (err == nil) != tt.fits || err != nil && fault.CodeOf(err) != fault.Quota || used != before {
			t.Errorf("%d rows in %+v beside %+v: used %+v, %v; want that it fits: %t", tt.rows, tt.room, before, used, err, tt.fits)
		}
		if got, err := s.Use(t.Context(), "", time.Now()); err != nil || got != tt.after {
			t.Errorf("%d rows in %+v: %+v, %v; want %+v", tt.rows, tt.room, got, err, tt.after)
		}
		if _, err := s.Get(t.Context(), j.ID); (err == nil) != tt.fits {
			t.Errorf("%d rows in %+v: the job: %v", tt.rows, tt.room, err)
		}
	}
}

// However many come at once, exactly as many stay as there is room for.
func testCreateWithin(t *testing.T, s jobstore.Store) {
	const n, room = 100, 10
	var made atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			j := newJob(uws.Queued)
			j.Rows = 1
			switch _, err := s.CreateWithin(t.Context(), j, jobstore.Room{Jobs: room}); fault.CodeOf(err) {
			case "":
				made.Add(1)
			case fault.Quota:
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	u, err := s.Use(t.Context(), "ada", time.Now())
	if err != nil || made.Load() != room || u.Jobs != room || u.Rows != room {
		t.Errorf("%d of %d jobs were made, and %+v are there, %v; want %d", made.Load(), n, u, err, room)
	}
}
