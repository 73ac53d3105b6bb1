// Package jobstore is the port to the store of jobs. The store drives the service:
// messages only wake workers, and what is written here is what is true.
//
// The rules that every backend keeps are the contract suite, package jobstoretest.
package jobstore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Unchanged is what a function given to [Store.Update] returns to leave the job as it is
// without an error.
//
//lint:ignore ST1012 it reads as jobstore.Unchanged, and is no failure
var Unchanged = errors.New("jobstore: unchanged")

// Store keeps jobs. Methods are safe for concurrent use and return their own copies.
// Errors are [fault.NotFound] where said, else [fault.Unavailable] if asking again may help.
type Store interface {
	// Create writes a new job with revision 1. If j.Phase is QUEUED, a backend that can
	// also queues its message in the same transaction. After an uncertain commit
	// (committed, answer lost) asking again with the same job succeeds. The error is
	// [fault.Usage] if another job has that id.
	Create(ctx context.Context, j *uws.Job) error

	// CreateWithin is Create, unless the owner would then have more live jobs, or more rows of
	// them, than room allows. Callers at once get no more than the room together: the jobs
	// that were written first stay. The error is [fault.Quota], with what the owner uses
	// without this job. Asked again after a lost answer, it may count the job itself.
	CreateWithin(ctx context.Context, j *uws.Job, room Room) (Use, error)

	// Get returns a job, also a deleted one that is not purged yet, or [fault.NotFound].
	Get(ctx context.Context, id string) (*uws.Job, error)

	// List returns the jobs that f selects, newest first (by creation time to its full
	// precision, then by id), without sync jobs, parts of batches and deleted ones.
	List(ctx context.Context, f Filter) ([]*uws.Job, error)

	// Update changes a job by compare-and-set: it reads the job, applies change to a copy,
	// and writes the copy with the next revision if nobody wrote in between, else starts
	// again. So change may run more than once and must be pure. What names a job for the
	// store, see [Apply], stays as it is whatever change does. now is the store's clock,
	// which all workers share. If change returns [Unchanged] nothing is written and the job
	// as read is returned; any other error of change is returned as it is. [fault.NotFound]
	// if there is no such job.
	Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error)

	// Due returns up to limit jobs of one shard that are due by the store's clock, the
	// longest due first, and that clock. A job that is deleted or archived is among them
	// when it is due; a zero DueAt is due at once.
	Due(ctx context.Context, shard, limit int) (jobs []*uws.Job, now time.Time, err error)

	// Parts adds up what the parts of a batch have done. The store counts: no part is read.
	Parts(ctx context.Context, batch string) (Parts, error)

	// Purge forgets a job if its revision is still the one given; a job that is not there
	// or has changed is no error.
	Purge(ctx context.Context, id string, revision int64) error

	// Watch yields the job as it is now and then after each change, until ctx ends or the
	// caller breaks off. No change is lost, though several may be seen as one: what is
	// yielded is state, not history. It ends with [fault.NotFound] when the job is not
	// there or is purged, and with ctx's error when ctx ends.
	Watch(ctx context.Context, id string) iter.Seq2[*uws.Job, error]

	// Use returns what an owner uses: live jobs, and what those made that ended after since.
	// A store may count by whole hours, and then the hour of since as a whole.
	Use(ctx context.Context, owner string, since time.Time) (Use, error)

	// Uses is Use of every owner who uses anything, by name.
	Uses(ctx context.Context, since time.Time) ([]Use, error)

	// Freed returns the instant that since must reach for at least bytes less to count in
	// Use; it is zero if so many do not count.
	Freed(ctx context.Context, owner string, since time.Time, bytes int64) (time.Time, error)

	// Active counts the jobs of a class that are QUEUED or EXECUTING, of all owners.
	Active(ctx context.Context, class uws.Class) (int64, error)

	// Check is nil if the store can be read and written.
	Check(ctx context.Context) error
}

// Filter selects jobs of a list; see UWS 1.1, section 2.2.2.1.
type Filter struct {
	Owner  string      // exactly this owner …
	All    bool        // … or, if true, every owner
	Phases []uws.Phase // any of these; none means all but ARCHIVED
	After  time.Time   // created later than this; zero means any time
	Last   int         // at most this many, the newest; 0 means all
}

// Parts is what the parts of one batch come to.
type Parts struct {
	Ended int       // that have ended
	Tally uws.Tally // of all, but for the number of rows
}

// Apply is one step of [Store.Update], for backends: it runs change on a copy of j and
// returns the copy with the next revision, or nil and change's error. What names the
// job for the store (ID, Owner, Kind, Parent, Created and Shard) stays as it is in j.
func Apply(j *uws.Job, now time.Time, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	next := j.Clone()
	if err := change(now, next); err != nil {
		return nil, err
	}
	next.ID, next.Owner, next.Kind, next.Parent, next.Created, next.Shard = j.ID, j.Owner, j.Kind, j.Parent, j.Created, j.Shard
	next.Revision = j.Revision + 1
	return next, nil
}

// Same reports whether a and b are one job, perhaps at different revisions: what a
// backend asks when [Store.Create] finds its id taken, perhaps by the same call's
// own commit. Instants are compared to the microsecond, as stores keep them.
func Same(a, b *uws.Job) bool {
	return a.ID == b.ID && a.Owner == b.Owner && a.Kind == b.Kind && a.Parent == b.Parent && a.Shard == b.Shard &&
		a.Created.Truncate(time.Microsecond).Equal(b.Created.Truncate(time.Microsecond)) &&
		slices.Equal(a.Params, b.Params)
}
