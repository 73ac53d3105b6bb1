// Package sqlitejobs keeps jobs in the SQLite file of the one-machine server.
//
// A job is one row: its JSON document, and beside it the columns that are searched.
// The store's clock is that of this process. Watchers are woken inside the process, so
// all that use the file must use one [Store]; package sqlitedb lets no second process in.
package sqlitejobs

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Instants are nanoseconds since 1970. The list's indexes hold what a list may show, those
// named live and made what is counted; the others are for the sweep and for Recover.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS jobs (
		id         TEXT PRIMARY KEY,
		owner      TEXT NOT NULL,
		kind       TEXT NOT NULL,
		phase      TEXT NOT NULL,
		deleted    INTEGER NOT NULL,
		created_ns INTEGER NOT NULL,
		shard      INTEGER NOT NULL,
		due_ns     INTEGER NOT NULL,
		revision   INTEGER NOT NULL,
		document   BLOB NOT NULL,
		live       TEXT NOT NULL DEFAULT '', -- see jobstore.Live
		asked      INTEGER NOT NULL DEFAULT 0, -- rows
		made       INTEGER NOT NULL DEFAULT 0, -- bytes
		ended_ns   INTEGER NOT NULL DEFAULT 0
	) STRICT`,
	`CREATE INDEX IF NOT EXISTS jobs_listed ON jobs (owner, created_ns DESC, id DESC) WHERE kind NOT IN ('sync', 'part') AND deleted = 0`,
	`CREATE INDEX IF NOT EXISTS jobs_listed_all ON jobs (created_ns DESC, id DESC) WHERE kind NOT IN ('sync', 'part') AND deleted = 0`,
	`CREATE INDEX IF NOT EXISTS jobs_due ON jobs (shard, due_ns)`,
	`CREATE INDEX IF NOT EXISTS jobs_active ON jobs (phase) WHERE phase IN ('QUEUED', 'EXECUTING')`,
	`CREATE INDEX IF NOT EXISTS jobs_live ON jobs (owner, live, asked) WHERE live <> ''`,
	`CREATE INDEX IF NOT EXISTS jobs_made ON jobs (owner, ended_ns, made) WHERE made > 0`,
	`CREATE INDEX IF NOT EXISTS jobs_parts ON jobs (CAST(document AS TEXT) ->> '$.parent') WHERE kind = 'part'`,
}

// Outbox queues the message of a job that has become QUEUED, in the transaction that
// made it so.
type Outbox func(ctx context.Context, tx *sqlitedb.Tx, j *uws.Job) error

// Store implements [jobstore.Store].
type Store struct {
	db     *sqlitedb.DB
	outbox Outbox
	clock  func() time.Time
	hub    hub
}

var _ jobstore.Store = (*Store)(nil)

// Option changes how a store works.
type Option func(*Store)

// WithOutbox has the store call o inside each transaction that makes a job QUEUED.
func WithOutbox(o Outbox) Option { return func(s *Store) { s.outbox = o } }

// WithClock has the store take the time from clock instead of time.Now.
func WithClock(clock func() time.Time) Option { return func(s *Store) { s.clock = clock } }

// New returns the store in db, making its tables if they are not there.
func New(ctx context.Context, db *sqlitedb.DB, opts ...Option) (*Store, error) {
	s := &Store{db: db, clock: time.Now, outbox: func(context.Context, *sqlitedb.Tx, *uws.Job) error { return nil }}
	for _, o := range opts {
		o(s)
	}
	err := db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		if err := addColumns(ctx, tx); err != nil {
			return err
		}
		for _, statement := range schema {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed(err, "New", "the table of jobs cannot be made")
	}
	return s, nil
}

// View returns the store in db for reading alone, as it was made by [New].
func View(db *sqlitedb.DB) *Store { return &Store{db: db, clock: time.Now} }

// added holds the columns that a table of before they were known gets. Its jobs count from
// when they are next written.
var added = []string{
	`ALTER TABLE jobs ADD COLUMN live TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE jobs ADD COLUMN asked INTEGER NOT NULL DEFAULT 0`,
	`ALTER TABLE jobs ADD COLUMN made INTEGER NOT NULL DEFAULT 0`,
	`ALTER TABLE jobs ADD COLUMN ended_ns INTEGER NOT NULL DEFAULT 0`,
}

func addColumns(ctx context.Context, tx *sqlitedb.Tx) error {
	sums, err := sum(tx.Query(ctx, `SELECT '', count(*), coalesce(sum(name = 'live'), 0), 0 FROM pragma_table_info('jobs')`))
	if err != nil || sums[0].Jobs == 0 || sums[0].Rows > 0 {
		return err
	}
	for _, statement := range added {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// failed gives an error of the database a kind; one that has a kind already keeps it.
func failed(err error, op, sentence string) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "sqlitejobs."+op, "%s", sentence)
}

func (s *Store) now() time.Time { return s.clock().UTC().Round(0) }

// nanos is t as it stands in a column; instants too far away become the farthest.
func nanos(t time.Time) int64 {
	switch {
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func encode(j *uws.Job, op string) ([]byte, error) {
	document, err := json.Marshal(j)
	if err != nil {
		return nil, fault.New(fault.Internal, "sqlitejobs."+op, "job %s cannot be written as JSON: %w", j.ID, err)
	}
	return document, nil
}

// Create implements [jobstore.Store].
func (s *Store) Create(ctx context.Context, j *uws.Job) error {
	return s.create(ctx, j, func(context.Context, *sqlitedb.Tx) error { return nil })
}

// create writes a job, unless allow, which sees it written, returns an error.
func (s *Store) create(ctx context.Context, j *uws.Job, allow func(context.Context, *sqlitedb.Tx) error) error {
	first := j.Clone()
	first.Revision = 1
	document, err := encode(first, "Create")
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		r, err := tx.Exec(ctx, `INSERT INTO jobs (id, owner, kind, phase, deleted, created_ns, shard, due_ns, revision, document, live, asked, made, ended_ns)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			first.ID, first.Owner, first.Kind, first.Phase, first.Deleted, nanos(first.Created), first.Shard, nanos(first.DueAt), document,
			jobstore.Live(first), first.Rows, first.Made, nanos(first.Ended))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			if err != nil {
				return err
			}
			if err := allow(ctx, tx); err != nil || first.Phase != uws.Queued {
				return err
			}
			return s.outbox(ctx, tx, first)
		}
		old, err := get(ctx, tx, first.ID)
		if err != nil {
			return err
		}
		if !jobstore.Same(old, first) {
			return fault.New(fault.Usage, "sqlitejobs.Create", "there is another job %s already; want a new random id for each job", first.ID)
		}
		return nil
	})
	if err != nil {
		return failed(err, "Create", "the job cannot be written")
	}
	s.hub.changed(first.ID)
	return nil
}

// Get implements [jobstore.Store].
func (s *Store) Get(ctx context.Context, id string) (*uws.Job, error) {
	j, err := get(ctx, s.db, id)
	if err != nil {
		return nil, failed(err, "Get", "the job cannot be read")
	}
	return j, nil
}

// Update implements [jobstore.Store]. The function first runs on the job as committed,
// outside of the transaction: if it changes nothing, no writer is disturbed and nothing
// is synced. Only if another write came between does it run again, then inside.
func (s *Store) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	old, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	next, err := jobstore.Apply(old, s.now(), change)
	if errors.Is(err, jobstore.Unchanged) {
		return old, nil
	}
	if err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		written, err := s.replace(ctx, tx, old, next)
		if written || err != nil {
			return err
		}
		if old, err = get(ctx, tx, id); err != nil {
			return err
		}
		if next, err = jobstore.Apply(old, s.now(), change); err != nil {
			return own{err}
		}
		_, err = s.replace(ctx, tx, old, next)
		return err
	})
	if e, ok := errors.AsType[own](err); ok {
		if errors.Is(e.error, jobstore.Unchanged) {
			return old, nil
		}
		return nil, e.error
	}
	if err != nil {
		return nil, failed(err, "Update", "the job cannot be written")
	}
	s.hub.changed(id)
	return next, nil
}

// own is an error of the function given to Update, on its way through Write.
type own struct{ error }

// replace writes next over old unless somebody wrote in between.
func (s *Store) replace(ctx context.Context, tx *sqlitedb.Tx, old, next *uws.Job) (written bool, err error) {
	document, err := encode(next, "Update")
	if err != nil {
		return false, err
	}
	r, err := tx.Exec(ctx, `UPDATE jobs SET phase = ?, deleted = ?, due_ns = ?, revision = ?, document = ?, live = ?, asked = ?, made = ?, ended_ns = ?
		WHERE id = ? AND revision = ?`,
		next.Phase, next.Deleted, nanos(next.DueAt), next.Revision, document, jobstore.Live(next), next.Rows, next.Made, nanos(next.Ended), old.ID, old.Revision)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if next.Phase == uws.Queued && old.Phase != uws.Queued {
		return true, s.outbox(ctx, tx, next)
	}
	return true, nil
}

// Purge implements [jobstore.Store].
func (s *Store) Purge(ctx context.Context, id string, revision int64) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM jobs WHERE id = ? AND revision = ?`, id, revision)
		return err
	})
	if err != nil {
		return failed(err, "Purge", "the job cannot be purged")
	}
	s.hub.changed(id)
	return nil
}

// Watch implements [jobstore.Store].
func (s *Store) Watch(ctx context.Context, id string) iter.Seq2[*uws.Job, error] {
	return func(yield func(*uws.Job, error) bool) {
		changed, leave := s.hub.join(id) // before the first read, so that no change falls between
		defer leave()
		var seen int64
		for {
			j, err := s.Get(ctx, id)
			switch {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case err != nil:
				yield(nil, err)
				return
			case j.Revision != seen && !yield(j, nil):
				return
			}
			seen = j.Revision
			select {
			case <-changed:
			case <-ctx.Done():
			case <-s.db.Done():
				yield(nil, fault.New(fault.Unavailable, "sqlitejobs.Watch", "the service is stopping"))
				return
			}
		}
	}
}

// Check implements [jobstore.Store].
func (s *Store) Check(ctx context.Context) error { return s.db.Check(ctx) }

// Recover is for the start of the process, before any worker runs: no lease can be
// alive then. It ends the lease of each job that is EXECUTING and sends each that is
// QUEUED or EXECUTING through the outbox, which leaves a message that is there alone.
// n counts these jobs.
func (s *Store) Recover(ctx context.Context) (n int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		jobs, err := collect(tx.Query(ctx, `SELECT document FROM jobs WHERE phase IN ('QUEUED', 'EXECUTING') AND deleted = 0 ORDER BY created_ns`))
		if err != nil {
			return err
		}
		n = len(jobs)
		for _, j := range jobs {
			if j.Phase == uws.Executing {
				j, err = s.orphan(ctx, tx, j)
				if err != nil {
					return err
				}
			}
			if err := s.outbox(ctx, tx, j); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, failed(err, "Recover", "the jobs of the last run cannot be taken up")
	}
	return n, nil
}

func (s *Store) orphan(ctx context.Context, tx *sqlitedb.Tx, j *uws.Job) (*uws.Job, error) {
	next, err := jobstore.Apply(j, s.now(), func(now time.Time, j *uws.Job) error {
		j.Orphan(now, "the server stopped while it worked on the job")
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = s.replace(ctx, tx, j, next)
	return next, err
}
