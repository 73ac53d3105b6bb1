// Package sqlitedb keeps the one SQLite file of the one-machine server, in which the
// job store and the queue live side by side, so that a job and its message can be
// written in one transaction.
//
// Durability: the file is in WAL mode with synchronous=FULL, so what [DB.Write] has
// answered survives kill -9 and a power cut (as far as the disk keeps its word).
// Throughput: a commit costs one fsync, so writes that wait at the same moment are
// committed together, each in a savepoint of its own: one that fails takes nothing but
// itself back. Reads run beside the writer on connections of their own and see what
// was committed when they began.
//
// One process owns a file: a lock beside it turns a second one away at [Open].
//
// Source for the modes: https://sqlite.org/wal.html and https://sqlite.org/pragma.html#pragma_synchronous.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// maxGroup bounds how many writes share a commit, so that the first of them does not
// wait for an endless line.
const maxGroup = 128

// DB is an open file. Methods are safe for concurrent use.
type DB struct {
	writer *sql.Conn
	stmts  map[string]*sql.Stmt // of writer; used by the group's turn holder only
	pools  []*sql.DB
	reads  *sql.DB
	shared sync.Map // query → *sql.Stmt, of reads
	lock   io.Closer

	line    chan *write // unbuffered: who has not been taken out of it may leave
	closing chan struct{}
	once    sync.Once
	stopped chan struct{} // the commit loop has returned
	closed  error         // what Close found, written once
}

// Open opens the file at path, creating it (readable by its owner only) if it is not
// there; its folder must exist. The error is [fault.Unavailable], at once, if another
// process or another DB has the file open.
func Open(path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "sqlitedb.Open", "the path %q cannot be made absolute: %w", path, err)
	}
	lock, err := acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	db := &DB{
		lock:    lock,
		stmts:   map[string]*sql.Stmt{},
		line:    make(chan *write),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	if err := db.connect(path); err != nil {
		close(db.stopped)
		_ = db.Close()
		return nil, fault.New(fault.Unavailable, "sqlitedb.Open", "the data file %s cannot be opened: %w; check that its folder exists and may be written, and that it is a data file of this program", path, err)
	}
	go db.commitLoop()
	return db, nil
}

// View opens a file that is there for reading alone, beside the process that owns it or
// without one. The error is [fault.NotFound] if there is no such file. Writes are refused.
func View(path string) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fault.New(fault.NotFound, "sqlitedb.View", "there is no data file %s: %w", path, err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "sqlitedb.View", "the path %q cannot be made absolute: %w", path, err)
	}
	db := &DB{line: make(chan *write), closing: make(chan struct{}), stopped: make(chan struct{})}
	close(db.stopped)
	if err := db.connectReads(path); err != nil {
		_ = db.Close()
		return nil, fault.New(fault.Unavailable, "sqlitedb.View", "the data file %s cannot be read: %w", path, err)
	}
	return db, nil
}

func (db *DB) connect(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator's folder; SQLite itself would let everybody read
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// fullfsync: on macOS fsync does not reach the disk without it; elsewhere it does nothing.
	pool, err := sql.Open("sqlite", dsn(path, "busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "foreign_keys(1)"))
	if err != nil {
		return err
	}
	db.pools = append(db.pools, pool)
	pool.SetMaxOpenConns(1)
	if db.writer, err = pool.Conn(context.Background()); err != nil {
		return err
	}
	return db.connectReads(path)
}

func (db *DB) connectReads(path string) (err error) {
	if db.reads, err = sql.Open("sqlite", dsn(path, "busy_timeout(10000)", "query_only(1)")); err != nil {
		return err
	}
	db.pools = append(db.pools, db.reads)
	n := max(4, 2*runtime.GOMAXPROCS(0))
	db.reads.SetMaxOpenConns(n)
	db.reads.SetMaxIdleConns(n)
	return db.reads.Ping()
}

// dsn writes path, which may hold any character, as the URI that the driver reads.
func dsn(path string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// Done is closed when the file is being closed: whoever waits for a change waits in vain.
func (db *DB) Done() <-chan struct{} { return db.closing }

// Close commits what is running, turns away what waits, closes the file and gives up
// the lock. Closing twice is harmless.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.closing)
		<-db.stopped
		var errs []error
		for _, s := range db.stmts {
			errs = append(errs, s.Close())
		}
		for _, s := range db.shared.Range {
			errs = append(errs, s.(*sql.Stmt).Close())
		}
		if db.writer != nil {
			errs = append(errs, db.writer.Close())
		}
		for _, p := range db.pools {
			errs = append(errs, p.Close())
		}
		if db.lock != nil {
			errs = append(errs, db.lock.Close())
		}
		db.closed = errors.Join(errs...)
	})
	<-db.stopped
	return db.closed
}

// Query runs one SELECT on a read connection. The text of query is kept with its
// prepared statement until Close, so it must be one of few: pass values as args.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, ok := db.shared.Load(query)
	if !ok {
		fresh, err := db.reads.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("sqlitedb.Query: %w", err)
		}
		if s, ok = db.shared.LoadOrStore(query, fresh); ok {
			_ = fresh.Close() // another call was first
		}
	}
	rows, err := s.(*sql.Stmt).QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb.Query: %w", err)
	}
	return rows, nil
}

// Check is nil if the file can be read and locked for writing.
func (db *DB) Check(ctx context.Context) error {
	rows, err := db.Query(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "sqlitedb.Check", "the data file cannot be read")
	}
	if err := rows.Close(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "sqlitedb.Check", "the data file cannot be read")
	}
	return db.Write(ctx, func(context.Context, *Tx) error { return nil })
}
