package sqlitejobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// querier is the file or a transaction on it.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func get(ctx context.Context, q querier, id string) (*uws.Job, error) {
	jobs, err := collect(q.Query(ctx, `SELECT document FROM jobs WHERE id = ?`, id))
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, fault.New(fault.NotFound, "sqlitejobs.Get", "there is no job %s", id)
	}
	return jobs[0], nil
}

// collect reads and closes what a query returned.
func collect(rows *sql.Rows, err error) ([]*uws.Job, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []*uws.Job
	for rows.Next() {
		var document sql.RawBytes
		if err := rows.Scan(&document); err != nil {
			return nil, err
		}
		j := new(uws.Job)
		if err := json.Unmarshal(document, j); err != nil {
			return nil, fault.New(fault.Internal, "sqlitejobs.Get", "the document of a job cannot be read: %w", err)
		}
		jobs = append(jobs, j)
	}
	return jobs, errors.Join(rows.Err(), rows.Close())
}

const (
	listed   = `SELECT document FROM jobs WHERE kind NOT IN ('sync', 'part') AND deleted = 0 AND created_ns > ? AND phase IN (SELECT value FROM json_each(?))`
	newest   = ` ORDER BY created_ns DESC, id DESC LIMIT ?`
	listAll  = listed + newest
	listOnly = listed + ` AND owner = ?` + newest
)

// List implements [jobstore.Store].
func (s *Store) List(ctx context.Context, f jobstore.Filter) ([]*uws.Job, error) {
	phases := f.Phases
	if len(phases) == 0 {
		phases = slices.DeleteFunc(slices.Clone(uws.Phases), func(p uws.Phase) bool { return p == uws.Archived })
	}
	wanted, err := json.Marshal(phases)
	if err != nil {
		return nil, fault.New(fault.Internal, "sqlitejobs.List", "the phases cannot be written as JSON: %w", err)
	}
	limit := f.Last
	if limit <= 0 {
		limit = -1 // none
	}
	query, args := listAll, []any{nanos(f.After), string(wanted), limit}
	if !f.All {
		query, args = listOnly, []any{nanos(f.After), string(wanted), f.Owner, limit}
	}
	jobs, err := collect(s.db.Query(ctx, query, args...))
	if err != nil {
		return nil, failed(err, "List", "the jobs cannot be read")
	}
	return jobs, nil
}

// Due implements [jobstore.Store].
func (s *Store) Due(ctx context.Context, shard, limit int) ([]*uws.Job, time.Time, error) {
	now := s.now()
	jobs, err := collect(s.db.Query(ctx, `SELECT document FROM jobs WHERE shard = ? AND due_ns <= ? ORDER BY due_ns, id LIMIT ?`, shard, nanos(now), limit))
	if err != nil {
		return nil, now, failed(err, "Due", "the jobs that are due cannot be read")
	}
	return jobs, now, nil
}

// parts adds up the parts of a batch that are not forgotten.
const parts = `SELECT COALESCE(SUM(phase IN ('COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED')), 0),
	COALESCE(SUM(CAST(document AS TEXT) ->> '$.tally.done'), 0), COALESCE(SUM(CAST(document AS TEXT) ->> '$.tally.empty'), 0),
	COALESCE(SUM(CAST(document AS TEXT) ->> '$.tally.failed'), 0), COALESCE(SUM(CAST(document AS TEXT) ->> '$.tally.bytes'), 0)
	FROM jobs WHERE kind = 'part' AND CAST(document AS TEXT) ->> '$.parent' = ?`

// Parts implements [jobstore.Store].
func (s *Store) Parts(ctx context.Context, batch string) (p jobstore.Parts, err error) {
	rows, err := s.db.Query(ctx, parts, batch)
	if err == nil {
		defer rows.Close()
		if rows.Next() {
			t := &p.Tally
			err = rows.Scan(&p.Ended, &t.Done, &t.Empty, &t.Failed, &t.Bytes)
		}
		err = errors.Join(err, rows.Err(), rows.Close())
	}
	if err != nil {
		return jobstore.Parts{}, failed(err, "Parts", "the parts of the batch cannot be counted")
	}
	return p, nil
}
