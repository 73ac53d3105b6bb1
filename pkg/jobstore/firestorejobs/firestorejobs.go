// Package firestorejobs keeps jobs in Google Cloud Firestore.
//
// A job is one document of the collection [Collection], under its id: the job as JSON in
// one field, and beside it the fields that are searched. The store's clock is Firestore's,
// the instant at which a document was read, so the clocks of workers may be wrong. A write
// is a compare-and-set on the document's time of update, and carries a random name, by
// which a writer whose answer was lost finds that its write was done. No transaction
// reads: readers of a Firestore transaction wait for each other's locks, for seconds.
//
// Above [MaxListed] results the list of them stands in documents of its own below the job,
// written and removed by the same commit as the job itself.
//
// The indexes that the queries need, and the fields that must not be indexed one by one,
// are in indexes.json, in the form of Firebase's firestore.indexes.json. The field
// purgeAfter is for a time-to-live rule, which is a net below the sweep's own purging.
package firestorejobs

import (
	"context"
	_ "embed" // indexes.json
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Indexes is what must be made in the database: indexes.json.
//
//go:embed indexes.json
var Indexes []byte

const (
	Collection            = "jobs"   // of jobs
	checks                = "checks" // of the documents that Check writes
	WatchersPerConnection = 80       // one connection carries about 100 streams, and then hangs

	keep = 30 * time.Second // a connection that is silent for so long is asked whether it lives
)

// Config says where the jobs are.
type Config struct {
	Project     string
	Database    string // default firestore.DefaultDatabaseID
	Connections int    // for Watch, each opened when those before it are full; default 4
}

// Store implements [jobstore.Store]. Against an emulator (FIRESTORE_EMULATOR_HOST) it works
// without credentials.
type Store struct {
	client   *firestore.Client
	watchers *pool
}

var _ jobstore.Store = (*Store)(nil)

// Open returns the store. It makes no call: a store that cannot be reached is found by the
// first call, or by Check. The error is [fault.Usage].
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Database == "" {
		c.Database = firestore.DefaultDatabaseID
	}
	if c.Connections <= 0 {
		c.Connections = 4
	}
	var options []option.ClientOption
	if os.Getenv("FIRESTORE_EMULATOR_HOST") == "" { // the client's own connection to an emulator takes none
		options = append(options, option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keep, Timeout: keep / 2})))
	}
	dial := func() (*firestore.Client, error) {
		ctx := context.WithoutCancel(ctx)
		if c.Database == firestore.DefaultDatabaseID {
			return firestore.NewClient(ctx, c.Project, options...)
		}
		return firestore.NewClientWithDatabase(ctx, c.Project, c.Database, options...)
	}
	client, err := dial()
	if err != nil {
		return nil, fault.New(fault.Usage, "firestorejobs.Open", "the database %s of project %q cannot be opened: %w", c.Database, c.Project, err)
	}
	return &Store{client: client, watchers: &pool{dial: dial, lines: make([]line, c.Connections)}}, nil
}

// Close ends all connections.
func (s *Store) Close() error { return errors.Join(s.client.Close(), s.watchers.close()) }

func (s *Store) ref(client *firestore.Client, id string) *firestore.DocumentRef {
	return client.Collection(Collection).Doc(id)
}

// Create implements [jobstore.Store].
func (s *Store) Create(ctx context.Context, j *uws.Job) error {
	first := j.Clone()
	first.Revision = 1
	d, err := newDocument(first, uws.NewID())
	if err != nil {
		return err
	}
	bounded, cancel := firestoredb.Bound(ctx)
	defer cancel()
	err = s.commit(bounded, first.ID, nil, d)
	if status.Code(err) == codes.AlreadyExists {
		old, err := s.Get(ctx, first.ID)
		if err != nil {
			return err
		}
		if !jobstore.Same(old, first) {
			return fault.New(fault.Usage, "firestorejobs.Create", "there is another job %s already; want a new random id for each job", first.ID)
		}
		return nil // the client asked again after a lost answer, or the caller did
	}
	if err != nil {
		return firestoredb.Failed(err, "firestorejobs.Create", "the job cannot be written")
	}
	return nil
}

// Get implements [jobstore.Store].
func (s *Store) Get(ctx context.Context, id string) (*uws.Job, error) {
	r, err := s.read(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.job, nil
}

// patience is how often a write is tried, against other writers or after answers that were
// lost, and lost how many of those there may be.
const (
	patience = 20
	lost     = 3
)

// Update implements [jobstore.Store].
func (s *Store) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	name := uws.NewID()
	failures := 0
	for try := range patience {
		if err := firestoredb.Pause(ctx, try); err != nil {
			return nil, firestoredb.Failed(err, "firestorejobs.Update", "the job was not written in time")
		}
		r, err := s.read(ctx, id)
		if err != nil {
			return nil, err
		}
		if r.document.Write == name { // done before, and the answer lost
			return r.job, nil
		}
		next, err := jobstore.Apply(r.job, r.now, change)
		if errors.Is(err, jobstore.Unchanged) {
			return r.job, nil
		}
		if err != nil {
			return nil, err
		}
		d, err := newDocument(next, name)
		if err != nil {
			return nil, err
		}
		bounded, cancel := firestoredb.Bound(ctx)
		err = s.commit(bounded, id, r, d)
		cancel()
		switch code := status.Code(err); {
		case err == nil:
			return next, nil
		case code == codes.NotFound:
			return nil, missing(id)
		case code == codes.FailedPrecondition, code == codes.Aborted: // another was first, or this one the time before
		case failures < lost && ctx.Err() == nil && firestoredb.Uncertain(err):
			failures++
		default:
			return nil, firestoredb.Failed(err, "firestorejobs.Update", "the job cannot be written")
		}
	}
	return nil, fault.New(fault.Unavailable, "firestorejobs.Update", "too many write to the job %s at once; ask again later", id)
}

// Purge implements [jobstore.Store].
func (s *Store) Purge(ctx context.Context, id string, revision int64) error {
	r, err := s.read(ctx, id)
	if errors.Is(err, fault.NotFound) || err == nil && r.document.Revision != revision {
		return nil
	}
	if err != nil {
		return err
	}
	bounded, cancel := firestoredb.Bound(ctx)
	defer cancel()
	err = s.commit(bounded, id, r, nil)
	switch status.Code(err) {
	case codes.OK, codes.NotFound, codes.FailedPrecondition:
		return nil
	}
	return firestoredb.Failed(err, "firestorejobs.Purge", "the job cannot be purged")
}

// Check implements [jobstore.Store]. It writes to one of some documents at random: one
// document takes about a write a second.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	d := s.client.Collection(checks).Doc(strconv.Itoa(rand.IntN(uws.Shards))) // #nosec G404 -- spreads writes
	if _, err := d.Set(ctx, map[string]any{"at": firestore.ServerTimestamp}); err != nil {
		return fault.Wrap(err, fault.Unavailable, "firestorejobs.Check", "the store of jobs cannot be written")
	}
	if _, err := d.Get(ctx); err != nil {
		return fault.Wrap(err, fault.Unavailable, "firestorejobs.Check", "the store of jobs cannot be read")
	}
	return nil
}

// pool lends connections to watchers.
type pool struct {
	dial  func() (*firestore.Client, error)
	mu    sync.Mutex
	lines []line
}

type line struct {
	client   *firestore.Client // nil until it is needed
	watchers int
}

// join returns the first connection that has room, and what leaves it again.
func (p *pool) join() (client *firestore.Client, leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.lines {
		l := &p.lines[i]
		if l.watchers == WatchersPerConnection {
			continue
		}
		if l.client == nil {
			if l.client, err = p.dial(); err != nil {
				return nil, nil, firestoredb.Failed(err, "firestorejobs.Watch", "no further connection to the store of jobs can be opened")
			}
		}
		l.watchers++
		return l.client, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			l.watchers--
		}, nil
	}
	return nil, nil, fault.New(fault.Unavailable, "firestorejobs.Watch", "%d requests wait for jobs already; ask again later", len(p.lines)*WatchersPerConnection)
}

func (p *pool) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.client != nil {
			err = errors.Join(err, l.client.Close())
		}
	}
	return err
}
