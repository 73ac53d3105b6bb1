package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Tx is the transaction that a function given to [DB.Write] writes in. It is good only
// until that function returns. Query texts are kept as for [DB.Query].
type Tx struct {
	db    *DB
	after []func()
}

// write is one call of Write in the line.
type write struct {
	turn chan *Tx   // the commit loop lends the transaction, to one at a time …
	ran  chan error // … and gets it back with the function's error
	done chan error // buffered; how it ended: the function's error or the commit's
	tx   Tx
}

var errPanicked = errors.New("sqlitedb: the function did not return")

// Write runs fn in a transaction and returns when it is durable, or with fn's error,
// or with [fault.Unavailable] if the file cannot be written; in both cases nothing that
// fn wrote stays. A ctx that ends while the call waits in line takes it out of the
// line; once fn has begun it is not disturbed any more. All other writes wait for
// fn, so it must not wait for anything itself, least of all for another Write.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	w := &write{turn: make(chan *Tx), ran: make(chan error), done: make(chan error, 1)}
	if err := ctx.Err(); err != nil { // a select with several cases ready takes any of them
		return fmt.Errorf("sqlitedb.Write: %w", err)
	}
	if db.writer == nil {
		return fault.New(fault.Unavailable, "sqlitedb.Write", "the data file is open for reading alone")
	}
	select {
	case db.line <- w:
	case <-ctx.Done():
		return fmt.Errorf("sqlitedb.Write: %w", ctx.Err())
	case <-db.closing:
		return fault.New(fault.Unavailable, "sqlitedb.Write", "the data file is closed")
	}
	select {
	case tx := <-w.turn:
		w.run(ctx, tx, fn)
		return <-w.done
	case err := <-w.done: // the transaction could not begin
		return err
	}
}

// run calls fn on the caller's own goroutine, so that a panic stays the caller's affair.
func (w *write) run(ctx context.Context, tx *Tx, fn func(context.Context, *Tx) error) {
	err := errPanicked
	defer func() { w.ran <- err }()
	if err = ctx.Err(); err == nil {
		err = errPanicked
		err = fn(context.WithoutCancel(ctx), tx)
	}
}

// OnCommit has f called once, after the transaction is durable and before Write
// returns, in the order of the writes. All writes wait for f.
func (tx *Tx) OnCommit(f func()) { tx.after = append(tx.after, f) }

// Exec runs one statement that returns no rows.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := tx.db.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// Query runs one statement that returns rows; close them before the next statement.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := tx.db.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (db *DB) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := db.stmts[query]; ok {
		return s, nil
	}
	s, err := db.writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	db.stmts[query] = s
	return s, nil
}

// exec runs one statement of the commit loop.
func (db *DB) exec(query string) error {
	s, err := db.prepare(context.Background(), query)
	if err == nil {
		_, err = s.ExecContext(context.Background())
	}
	return err
}

func (db *DB) commitLoop() {
	defer close(db.stopped)
	for {
		select {
		case w := <-db.line:
			db.commit(w)
		case <-db.closing:
			return
		}
	}
}

// commit runs first and all that wait behind it in one transaction.
func (db *DB) commit(first *write) {
	if err := db.exec("BEGIN IMMEDIATE"); err != nil {
		first.done <- unwritable(err)
		return
	}
	group := []*write{} // to be answered by the commit
	var broken error
	for w, n := first, 1; w != nil; w, n = db.next(n), n+1 {
		var own error
		if own, broken = db.try(w); own == nil || broken != nil {
			group = append(group, w)
		} else {
			w.done <- own
		}
		if broken != nil {
			break
		}
	}
	if broken == nil {
		broken = db.exec("COMMIT")
	}
	if broken != nil {
		_ = db.exec("ROLLBACK") // refused if SQLite has done it already
	}
	for _, w := range group {
		if broken != nil {
			w.done <- unwritable(broken)
			continue
		}
		for _, f := range w.tx.after {
			f()
		}
		w.done <- nil
	}
}

func unwritable(err error) error {
	return fault.Wrap(err, fault.Unavailable, "sqlitedb.Write", "the data file cannot be written")
}

// next takes a write that is waiting now out of the line, if n leave room for it.
func (db *DB) next(n int) *write {
	if n >= maxGroup {
		return nil
	}
	select {
	case w := <-db.line:
		return w
	default:
		return nil
	}
}

// try runs one write in its own savepoint. own is its own error, after which nothing of
// it is left; broken says that the whole transaction is lost.
func (db *DB) try(w *write) (own, broken error) {
	if broken = db.exec("SAVEPOINT w"); broken != nil {
		return nil, broken
	}
	w.tx.db = db
	w.turn <- &w.tx
	if own = <-w.ran; own != nil {
		if broken = db.exec("ROLLBACK TO w"); broken != nil { // SQLite rolls everything back by itself when a disk is full
			return own, broken
		}
	}
	return own, db.exec("RELEASE w")
}
