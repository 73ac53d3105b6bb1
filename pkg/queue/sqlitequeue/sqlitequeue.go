// Package sqlitequeue is the queue of the one-machine server:
// it keeps messages in the SQLite file beside the jobs and posts them to the same HTTP
// handlers, in the same JSON, as a push subscription of Pub/Sub does.
//
// The file holds what is not acknowledged yet; it is written when a message comes, goes
// or fails. Order, waiting times and what is on its way live in memory, so handing out
// a message costs no write, and after a crash everything that was not acknowledged is
// delivered again, at once. A message is kept under its job's id: one that waits
// already is not kept twice.
package sqlitequeue

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Config says where messages go and how patiently. Only Endpoints has no default.
type Config struct {
	Endpoints   map[uws.Class]string // URL of each class
	DeadLetter  string               // URL that takes messages after MaxAttempts; "" drops them with an error in the log
	Slots       map[uws.Class]int    // posts at a time; default 4 each
	AckDeadline time.Duration        // a post unanswered for this long is given up and repeated; default 600 s
	MinBackoff  time.Duration        // before the first repetition; doubles; default 10 ms
	MaxBackoff  time.Duration        // default 60 s
	MaxAttempts int                  // default 100
	Grace       time.Duration        // for posts on their way when Run is told to stop; default 10 s
	Client      *http.Client         // default: one of the queue's own that follows no redirect
	Logger      *slog.Logger         // default slog.Default()
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&c.AckDeadline, 600 * time.Second},
		{&c.MinBackoff, 10 * time.Millisecond},
		{&c.MaxBackoff, 60 * time.Second},
		{&c.Grace, 10 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.unset
		}
	}
	if c.MaxAttempts <= 0 {
		c.MaxAttempts = 100
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Queue implements [queue.Publisher]. It delivers while [Queue.Run] runs.
type Queue struct {
	db     *sqlitedb.DB
	config Config

	running atomic.Bool   // while Run runs
	started chan struct{} // closed when Run first begins
	begin   sync.Once

	mu       sync.Mutex
	messages map[string]*message // what is in the file, by job id
	lanes    map[uws.Class]*lane
}

var _ queue.Publisher = (*Queue)(nil)

// New returns the queue in db, making its table if it is not there, with all messages
// that the last process left. The error is [fault.Usage] if config names no endpoint
// for a class.
func New(ctx context.Context, db *sqlitedb.DB, config Config) (*Queue, error) {
	config.setDefaults()
	q := &Queue{db: db, config: config, started: make(chan struct{}), messages: map[string]*message{}, lanes: map[uws.Class]*lane{}}
	for _, class := range uws.Classes {
		if config.Endpoints[class] == "" {
			return nil, fault.New(fault.Usage, "sqlitequeue.New", "there is no endpoint for class %s; want a URL for each of %v", class, uws.Classes)
		}
		slots := config.Slots[class]
		if slots <= 0 {
			slots = 4
		}
		q.lanes[class] = &lane{class: class, url: config.Endpoints[class], slots: slots, wake: make(chan struct{}, 1)}
	}
	err := db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS messages (
			n            INTEGER PRIMARY KEY AUTOINCREMENT,
			job          TEXT NOT NULL UNIQUE,
			class        TEXT NOT NULL,
			published_ns INTEGER NOT NULL,
			attempts     INTEGER NOT NULL,
			trace        TEXT NOT NULL DEFAULT ''
		) STRICT`)
		if err != nil {
			return err
		}
		return addTrace(ctx, tx)
	})
	if err == nil {
		err = q.load(ctx)
	}
	if err != nil {
		return nil, failed(err, "New", "the table of messages cannot be read")
	}
	return q, nil
}

// addTrace adds the column trace to a table that an older program made.
func addTrace(ctx context.Context, tx *sqlitedb.Tx) error {
	rows, err := tx.Query(ctx, `SELECT 1 FROM pragma_table_info('messages') WHERE name = 'trace'`)
	if err != nil {
		return err
	}
	there := rows.Next()
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || there {
		return err
	}
	_, err = tx.Exec(ctx, `ALTER TABLE messages ADD COLUMN trace TEXT NOT NULL DEFAULT ''`)
	return err
}

func failed(err error, op, sentence string) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "sqlitequeue."+op, "%s", sentence)
}

// load takes up what the last process left, the oldest first.
func (q *Queue) load(ctx context.Context) error {
	rows, err := q.db.Query(ctx, `SELECT job, class, published_ns, attempts, trace FROM messages ORDER BY n`)
	if err != nil {
		return err
	}
	defer rows.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	for rows.Next() {
		m := new(message)
		var ns int64
		if err := rows.Scan(&m.job, &m.class, &ns, &m.attempts, &m.trace); err != nil {
			return err
		}
		m.published = time.Unix(0, ns).UTC()
		q.messages[m.job] = m
		q.lane(m.class).push(m)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// lane returns the lane of a class; classes are checked where they come in.
func (q *Queue) lane(class uws.Class) *lane {
	if l := q.lanes[class]; l != nil {
		return l
	}
	return q.lanes[uws.Bulk] // a class that an older program wrote
}

// Publish implements [queue.Publisher]. A message that waits already costs no write.
func (q *Queue) Publish(ctx context.Context, class uws.Class, id string) error {
	if q.again(id) {
		return nil
	}
	return q.db.Write(ctx, func(ctx context.Context, tx *sqlitedb.Tx) error { return q.Enqueue(ctx, tx, class, id) })
}

// Enqueue queues a message in a transaction of the caller; it is delivered once that is
// committed. It is what an outbox calls: sqlitejobs.Outbox.
func (q *Queue) Enqueue(ctx context.Context, tx *sqlitedb.Tx, class uws.Class, id string) error {
	if !slices.Contains(uws.Classes, class) || id == "" {
		return fault.New(fault.Usage, "sqlitequeue.Enqueue", "job %q of class %q cannot be queued; want an id and a class of %v", id, class, uws.Classes)
	}
	m := &message{job: id, class: class, published: time.Now().UTC(), trace: telemetry.Parent(ctx)}
	_, err := tx.Exec(ctx, `INSERT INTO messages (job, class, published_ns, attempts, trace) VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`,
		id, class, m.published.UnixNano(), m.trace)
	if err != nil {
		return failed(err, "Enqueue", "the message cannot be written")
	}
	tx.OnCommit(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if old := q.messages[id]; old != nil {
			old.again = old.posted
			return
		}
		q.messages[id] = m
		q.lane(class).push(m)
	})
	return nil
}

// again reports whether the message of the job is in the file and will be delivered
// after this call: because it waits, or because it is on its way now and is marked to
// be delivered once more.
func (q *Queue) again(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.messages[id]
	if m == nil || m.leaving {
		return false
	}
	m.again = m.posted
	return true
}

// Check implements [queue.Publisher]: messages can be kept, and are delivered. Of a server
// that is just starting it waits for Run, a second at most.
func (q *Queue) Check(ctx context.Context) error {
	select {
	case <-q.started:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
	}
	if !q.running.Load() {
		return fault.New(fault.Unavailable, "sqlitequeue.Check", "nothing delivers the messages")
	}
	return q.db.Check(ctx)
}

// Waiting returns how many messages are not acknowledged, by class.
func (q *Queue) Waiting() map[uws.Class]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := map[uws.Class]int{}
	for m := range maps.Values(q.messages) {
		n[m.class]++
	}
	return n
}
