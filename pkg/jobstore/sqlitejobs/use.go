package sqlitejobs

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// The conditions of the indexes jobs_live and jobs_made, by which these queries read nothing else.
const (
	sumLive = `SELECT ?1, count(*), coalesce(sum(asked), 0), 0 FROM jobs WHERE live <> '' AND owner = ?1`
	sumMade = `SELECT ?1, 0, 0, coalesce(sum(made), 0) FROM jobs WHERE made > 0 AND owner = ?1 AND ended_ns > ?2`
	allLive = `SELECT owner, count(*), coalesce(sum(asked), 0), 0 FROM jobs WHERE live <> '' GROUP BY owner`
	allMade = `SELECT owner, 0, 0, coalesce(sum(made), 0) FROM jobs WHERE made > 0 AND ended_ns > ? GROUP BY owner`
)

// CreateWithin implements [jobstore.Store]: it counts and writes in one transaction.
func (s *Store) CreateWithin(ctx context.Context, j *uws.Job, room jobstore.Room) (u jobstore.Use, err error) {
	return u, s.create(ctx, j, func(ctx context.Context, tx *sqlitedb.Tx) error {
		sums, err := sum(tx.Query(ctx, sumLive, j.Owner))
		if err != nil {
			return err
		}
		u = jobstore.Use{Owner: j.Owner, Jobs: sums[0].Jobs - 1, Rows: sums[0].Rows - j.Rows}
		if room.Holds(sums[0].Jobs, sums[0].Rows) {
			return nil
		}
		return jobstore.Full(u)
	})
}

// Use implements [jobstore.Store].
func (s *Store) Use(ctx context.Context, owner string, since time.Time) (jobstore.Use, error) {
	live, liveErr := sum(s.db.Query(ctx, sumLive, owner))
	made, madeErr := sum(s.db.Query(ctx, sumMade, owner, nanos(since)))
	if err := errors.Join(liveErr, madeErr); err != nil {
		return jobstore.Use{}, failed(err, "Use", "the jobs cannot be counted")
	}
	return jobstore.Sum(append(live, made...))[0], nil
}

// Uses implements [jobstore.Store].
func (s *Store) Uses(ctx context.Context, since time.Time) ([]jobstore.Use, error) {
	live, liveErr := sum(s.db.Query(ctx, allLive))
	made, madeErr := sum(s.db.Query(ctx, allMade, nanos(since)))
	if err := errors.Join(liveErr, madeErr); err != nil {
		return nil, failed(err, "Uses", "the jobs cannot be counted")
	}
	return jobstore.Sum(append(live, made...)), nil
}

func sum(rows *sql.Rows, err error) ([]jobstore.Use, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sums []jobstore.Use
	for rows.Next() {
		var u jobstore.Use
		if err := rows.Scan(&u.Owner, &u.Jobs, &u.Rows, &u.Bytes); err != nil {
			return nil, err
		}
		sums = append(sums, u)
	}
	return sums, errors.Join(rows.Err(), rows.Close())
}

// Freed implements [jobstore.Store].
func (s *Store) Freed(ctx context.Context, owner string, since time.Time, bytes int64) (time.Time, error) {
	rows, err := s.db.Query(ctx, `SELECT ended_ns, made FROM jobs WHERE made > 0 AND owner = ? AND ended_ns > ? ORDER BY ended_ns`, owner, nanos(since))
	if err != nil {
		return time.Time{}, failed(err, "Freed", "the jobs cannot be counted")
	}
	defer rows.Close()
	for rows.Next() {
		var ended, made int64
		if err := rows.Scan(&ended, &made); err != nil {
			return time.Time{}, failed(err, "Freed", "the jobs cannot be counted")
		}
		if bytes -= made; bytes <= 0 {
			return time.Unix(0, ended).UTC(), nil
		}
	}
	if err := rows.Err(); err != nil {
		return time.Time{}, failed(err, "Freed", "the jobs cannot be counted")
	}
	return time.Time{}, nil
}

// Active implements [jobstore.Store].
func (s *Store) Active(ctx context.Context, class uws.Class) (int64, error) {
	sums, err := sum(s.db.Query(ctx, `SELECT '', count(*), 0, 0 FROM jobs WHERE live <> '' AND live = ?`, class))
	if err != nil {
		return 0, failed(err, "Active", "the jobs cannot be counted")
	}
	return sums[0].Jobs, nil
}
