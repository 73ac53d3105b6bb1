// Package sqliteholdings keeps holdings in the SQLite file of the one-machine server.
//
// A holding is one row, and one row for each of its cells.
package sqliteholdings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/golang/geo/s2"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

// Cells are the numbers of S2 with their bits as SQLite's signed integers.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS holdings (
		n           INTEGER PRIMARY KEY,
		id          TEXT NOT NULL UNIQUE,
		collection  TEXT NOT NULL,
		object      TEXT NOT NULL,
		generation  TEXT NOT NULL,
		size        INTEGER NOT NULL,
		modified_ns INTEGER NOT NULL,
		cells       TEXT NOT NULL,
		headers     BLOB NOT NULL
	) STRICT`,
	`CREATE INDEX IF NOT EXISTS holdings_listed ON holdings (collection, id)`,
	`CREATE TABLE IF NOT EXISTS holding_cells (
		cell INTEGER NOT NULL,
		n    INTEGER NOT NULL REFERENCES holdings (n) ON DELETE CASCADE,
		PRIMARY KEY (cell, n)
	) STRICT, WITHOUT ROWID`,
	`CREATE INDEX IF NOT EXISTS holding_cells_of ON holding_cells (n)`,
}

// Store implements [holdings.Store].
type Store struct{ db *sqlitedb.DB }

var _ holdings.Store = (*Store)(nil)

// New returns the store in db, making its tables if they are not there.
func New(ctx context.Context, db *sqlitedb.DB) (*Store, error) {
	err := db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		for _, statement := range schema {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed(err, "New", "the table of holdings cannot be made")
	}
	return &Store{db}, nil
}

// failed gives an error of the database a kind; one that has a kind already keeps it.
func failed(err error, op, sentence string) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "sqliteholdings."+op, "%s", sentence)
}

// signed returns cells as the database has them, as JSON.
func signed(cells []s2.CellID) (string, error) {
	numbers := make([]int64, len(cells))
	for i, c := range cells {
		numbers[i] = int64(c) // #nosec G115 -- the same bits
	}
	text, err := json.Marshal(numbers)
	return string(text), err
}

// unsigned reads what signed wrote.
func unsigned(text string) ([]s2.CellID, error) {
	var numbers []int64
	err := json.Unmarshal([]byte(text), &numbers)
	var cells []s2.CellID
	for _, n := range numbers {
		cells = append(cells, s2.CellID(n)) // #nosec G115 -- the same bits
	}
	return cells, err
}

// nanos is t as it stands in a column: the smallest number for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Put implements [holdings.Store].
func (s *Store) Put(ctx context.Context, h *holdings.Holding, seen string) (kept bool, err error) {
	headers, err := h.Index.MarshalBinary()
	if err != nil {
		return false, err
	}
	cells, err := signed(h.Cells)
	if err != nil {
		return false, failed(err, "Put", "the cells cannot be written as JSON")
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		var n int64
		present := ""
		rows, err := tx.Query(ctx, `SELECT n, generation FROM holdings WHERE id = ?`, h.ID)
		if err == nil {
			err = each(rows, func() error { return rows.Scan(&n, &present) })
		}
		if kept = err == nil && present == seen; !kept {
			return err
		}
		if n != 0 {
			_, err = tx.Exec(ctx, `DELETE FROM holdings WHERE n = ?`, n)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO holdings (id, collection, object, generation, size, modified_ns, cells, headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
				h.ID, h.Collection, h.Object, h.Generation, h.Size, nanos(h.Modified), cells, headers)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO holding_cells (cell, n) SELECT value, last_insert_rowid() FROM json_each(?)`, cells)
		}
		return err
	})
	if err != nil {
		return false, failed(err, "Put", "the holding cannot be written")
	}
	return kept, nil
}

// each calls do for each row, and closes them.
func each(rows *sql.Rows, do func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Delete implements [holdings.Store].
func (s *Store) Delete(ctx context.Context, id, generation string) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM holdings WHERE id = ? AND generation = ?`, id, generation)
		return err
	})
	if err != nil {
		return failed(err, "Delete", "the holding cannot be deleted")
	}
	return nil
}

// columns are those of a holding but for its headers.
const columns = `id, collection, object, generation, size, modified_ns, cells`

// scan reads a row of columns, and of more behind them.
func scan(rows *sql.Rows, more ...any) (*holdings.Holding, error) {
	h := &holdings.Holding{}
	var modified int64
	var cells string
	err := rows.Scan(append([]any{&h.ID, &h.Collection, &h.Object, &h.Generation, &h.Size, &modified, &cells}, more...)...)
	if err == nil {
		h.Modified = instant(modified)
		h.Cells, err = unsigned(cells)
	}
	return h, err
}

// Get implements [holdings.Store].
func (s *Store) Get(ctx context.Context, ids ...string) (map[string]*holdings.Holding, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, failed(err, "Get", "the IDs cannot be written as JSON")
	}
	found := map[string]*holdings.Holding{}
	rows, err := s.db.Query(ctx, `SELECT `+columns+`, headers FROM holdings WHERE id IN (SELECT value FROM json_each(?))`, string(list))
	if err == nil {
		err = each(rows, func() error {
			var headers []byte
			h, err := scan(rows, &headers)
			if err != nil {
				return err
			}
			found[h.ID] = h
			if x := new(fits.Index); x.UnmarshalBinary(headers) == nil {
				h.Index = x
			}
			return nil
		})
	}
	if err != nil {
		return nil, failed(err, "Get", "the holdings cannot be read")
	}
	return found, nil
}

// page is how many rows are read at once, so that who is slow holds no reading open.
const page = 500

// List implements [holdings.Store].
func (s *Store) List(ctx context.Context, collection string) iter.Seq2[*holdings.Holding, error] {
	return func(yield func(*holdings.Holding, error) bool) {
		for last := ""; ; {
			var some []*holdings.Holding
			rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM holdings WHERE collection = ? AND id > ? ORDER BY id LIMIT ?`, collection, last, page)
			if err == nil {
				err = each(rows, func() error {
					h, err := scan(rows)
					some = append(some, h)
					return err
				})
			}
			if err != nil {
				yield(nil, failed(err, "List", "the holdings cannot be listed"))
				return
			}
			for _, h := range some {
				if !yield(h, nil) {
					return
				}
				last = h.ID
			}
			if len(some) < page {
				return
			}
		}
	}
}

// cellsAtOnce bounds the cells of one query.
const cellsAtOnce = 10_000

// At implements [holdings.Store].
func (s *Store) At(ctx context.Context, cells []s2.CellID) (map[s2.CellID][]holdings.Key, error) {
	found := map[s2.CellID][]holdings.Key{}
	for some := range slices.Chunk(cells, cellsAtOnce) {
		list, err := signed(some)
		if err != nil {
			return nil, failed(err, "At", "the cells cannot be written as JSON")
		}
		rows, err := s.db.Query(ctx, `SELECT c.cell, h.id, h.generation FROM json_each(?) AS j
			CROSS JOIN holding_cells AS c ON c.cell = j.value CROSS JOIN holdings AS h ON h.n = c.n`, list)
		if err == nil {
			err = each(rows, func() error {
				var cell int64
				var key holdings.Key
				err := rows.Scan(&cell, &key.ID, &key.Generation)
				id := s2.CellID(cell) // #nosec G115 -- the same bits
				found[id] = append(found[id], key)
				return err
			})
		}
		if err != nil {
			return nil, failed(err, "At", "the holdings of cells cannot be read")
		}
	}
	return found, nil
}

// Check implements [holdings.Store].
func (s *Store) Check(ctx context.Context) error { return s.db.Check(ctx) }
