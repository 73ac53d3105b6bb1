// Package quota bounds how much one owner may ask of the service: jobs that are live, rows
// (cutouts) of these, bytes of results in a day, and requests in a minute; and it turns sync
// requests away before async ones when too many wait.
//
// All but requests is counted from the jobs in the store, so nothing can drift, and deleting
// a job gives nothing of the day back. Bytes count when their job has ended, so an owner may
// pass the limit by what the jobs make that are live at that time. Requests are counted by
// each instance of the service for itself, by the caller's name or, of who has none, by
// address. Callers without a name are one owner for everything else, who may have [Crowd]
// times as much.
//
// Who is over a limit is told how much is used, what the limit is and when to ask again:
// [fault.Quota], whose After is that time. No job that was taken is put back for a quota.
//
// To bound something else, write a field of [Limits] and a method of [Quota].
package quota

import (
	"context"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Limits bounds what one owner may ask; 0 stands for any number.
type Limits struct {
	Jobs     int64 // that are live: neither ended nor deleted
	Rows     int64 // cutouts of these
	Bytes    int64 // of results in 24 hours
	Requests int64 // in a minute, to each instance of the service
	Backlog  int64 // interactive jobs of all owners, from which on sync requests are refused
}

// Defaults bounds a service that several people share.
var Defaults = Limits{Jobs: 200, Rows: 1_000_000, Bytes: 200 << 30, Requests: 3000, Backlog: 500}

// Crowd is how many owners those without a name count for together.
const Crowd = 10

// of returns a limit for an owner.
func of(owner string, limit int64) int64 {
	if owner == "" {
		return limit * Crowd
	}
	return limit
}

// What an instance remembers of owners: of how many, and how long.
const (
	owners    = 10_000
	dayTime   = 2 * time.Second  // the bytes of an owner who is far from the limit, or over it
	rushTime  = 2 * time.Second  // the backlog
	jobsAfter = 30 * time.Second // after which live jobs are thought to have ended
	rushAfter = 10 * time.Second // after which a backlog is thought to be shorter
)

// Quota counts. It is safe for concurrent use.
type Quota struct {
	Limits
	jobs    jobstore.Store
	clock   func() time.Time
	days    *memory[string, day]
	backlog *memory[uws.Class, int64]
	rates   rates
}

// day is what an owner made of late.
type day struct {
	bytes int64
	free  time.Time // when the limit allows more again
}

// New returns a quota over the jobs of a store.
func New(jobs jobstore.Store, l Limits) *Quota {
	return &Quota{
		Limits: l, jobs: jobs, clock: time.Now,
		days:    newMemory[string, day](owners, dayTime),
		backlog: newMemory[uws.Class, int64](len(uws.Classes), rushTime),
		rates:   newRates(l.Requests),
	}
}

// over returns the error of who is over a limit.
func over(after time.Duration, format string, args ...any) error {
	err := fault.New(fault.Quota, "quota", format, args...)
	err.After = after
	return err
}

// Create writes a new job of j.Rows rows, unless its owner is over a limit. The errors are
// [fault.Quota], [fault.TooLarge] for more rows than anybody may have, and the store's.
func (q *Quota) Create(ctx context.Context, j *uws.Job) error {
	if err := q.fits(j.Owner, j.Rows); err != nil {
		return err
	}
	if err := q.Day(ctx, j.Owner); err != nil {
		return err
	}
	room := jobstore.Room{Jobs: of(j.Owner, q.Jobs), Rows: of(j.Owner, q.Rows)}
	if room == (jobstore.Room{}) {
		return q.jobs.Create(ctx, j)
	}
	used, err := q.jobs.CreateWithin(ctx, j, room)
	if fault.CodeOf(err) != fault.Quota {
		return err
	}
	if (jobstore.Room{Jobs: room.Jobs}).Holds(used.Jobs+1, 0) {
		return q.full(used, j.Rows)
	}
	return over(jobsAfter, "%s %d live jobs and may have %d; one less counts when one has ended, or is deleted: ask again then", who(j.Owner), used.Jobs, room.Jobs)
}

// who begins a sentence.
func who(owner string) string {
	if owner == "" {
		return "all who do not log in have together"
	}
	return "you have"
}

func (q *Quota) fits(owner string, rows int64) error {
	if limit := of(owner, q.Rows); limit > 0 && rows > limit {
		return fault.New(fault.TooLarge, "quota", "the job is for %d cutouts, and %d are allowed at once; divide it", rows, limit)
	}
	return nil
}

func (q *Quota) full(used jobstore.Use, more int64) error {
	return over(jobsAfter, "%s live jobs of %d cutouts, and these would be %d more where %d are allowed; they count no more when their jobs have ended, or are deleted: ask again then",
		who(used.Owner), used.Rows, more, of(used.Owner, q.Rows))
}

// Grow is nil if an owner may have so many more rows in a job that is there. Of several such
// requests at once each is held against what was there before all of them.
func (q *Quota) Grow(ctx context.Context, owner string, more int64) error {
	limit := of(owner, q.Rows)
	if limit <= 0 || more <= 0 {
		return nil
	}
	if err := q.fits(owner, more); err != nil {
		return err
	}
	used, err := q.jobs.Use(ctx, owner, q.clock())
	if err == nil && used.Rows+more > limit {
		err = q.full(used, more)
	}
	return err
}

// Day is nil if an owner may have more bytes today. One who has used less than half of them
// is asked about again only after a while.
func (q *Quota) Day(ctx context.Context, owner string) error {
	limit := of(owner, q.Bytes)
	if limit <= 0 {
		return nil
	}
	now := q.clock()
	d, known := q.days.get(owner, now)
	if !known {
		since := now.Add(-uws.Day)
		used, err := q.jobs.Use(ctx, owner, since)
		if err != nil {
			return err
		}
		if d.bytes = used.Bytes; d.bytes >= limit {
			at, err := q.jobs.Freed(ctx, owner, since, d.bytes-limit+1)
			if err != nil {
				return err
			}
			d.free = at.Add(uws.Day)
		}
		if d.bytes < limit/2 || d.bytes >= limit {
			q.days.put(owner, d, now)
		}
	}
	if d.bytes < limit {
		return nil
	}
	return over(max(d.free.Sub(now), time.Second), "%s results of %d bytes in 24 hours and may have %d; from %s on there is room again, and deleting jobs makes none",
		who(owner), d.bytes, limit, d.free.UTC().Format(time.RFC3339))
}

// Sync is nil if a request may wait for its job, where so many of the places to wait are
// taken; the last tenth of them is for those who wait for async jobs. The error is
// [fault.Unavailable]: it is no one caller's doing.
func (q *Quota) Sync(ctx context.Context, taken, places int) error {
	if taken >= places-places/10 {
		return busy("%d requests wait already, of %d that can; send this one to /async, or ask again later", taken, places)
	}
	if q.Backlog <= 0 {
		return nil
	}
	now := q.clock()
	n, known := q.backlog.get(uws.Interactive, now)
	if !known {
		var err error
		if n, err = q.jobs.Active(ctx, uws.Interactive); err != nil {
			return err
		}
		q.backlog.put(uws.Interactive, n, now)
	}
	if n < q.Backlog {
		return nil
	}
	return busy("%d small jobs wait or run, and below %d a sync request is taken; send this one to /async, or ask again later", n, q.Backlog)
}

func busy(format string, args ...any) error {
	err := fault.New(fault.Unavailable, "quota.Sync", format, args...)
	err.After = rushAfter
	return err
}
