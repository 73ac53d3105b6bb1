// Package firestoreholdings keeps holdings in Google Cloud Firestore.
//
// A holding is one document of the collection [Collection], named by a hash of its ID. What
// its headers say stands in it, or above [firestoredb.MaxDocument] bytes in documents below
// it, written by the same commit. A write is a compare-and-set on the document's time of update.
//
// The indexes that the queries need, and the fields that must not be indexed one by one,
// are in indexes.json, in the form of Firebase's firestore.indexes.json. Cells are an array,
// each of whose numbers is in the index.
package firestoreholdings

import (
	"context"
	"crypto/sha256"
	_ "embed" // indexes.json
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"sync"

	"cloud.google.com/go/firestore"
	"github.com/golang/geo/s2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
)

// Indexes is what must be made in the database: indexes.json.
//
//go:embed indexes.json
var Indexes []byte

// Collection is that of holdings.
const Collection = "holdings"

const (
	patience    = 10  // how often a write is tried, against other writers or after answers that were lost
	cellsAtOnce = 30  // that a query takes
	queries     = 16  // at the same time
	page        = 500 // holdings that are listed at once
)

// Config says where the holdings are.
type Config struct {
	Project  string
	Database string // default firestore.DefaultDatabaseID
}

// Store implements [holdings.Store]. Against an emulator (FIRESTORE_EMULATOR_HOST) it works
// without credentials.
type Store struct{ client *firestore.Client }

var _ holdings.Store = (*Store)(nil)

// Open returns the store. It makes no call: a store that cannot be reached is found by the
// first call, or by Check. The error is [fault.Usage].
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Database == "" {
		c.Database = firestore.DefaultDatabaseID
	}
	client, err := firestore.NewClientWithDatabase(context.WithoutCancel(ctx), c.Project, c.Database)
	if err != nil {
		return nil, fault.New(fault.Usage, "firestoreholdings.Open", "the database %s of project %q cannot be opened: %w", c.Database, c.Project, err)
	}
	return &Store{client}, nil
}

// Close ends all connections.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) ref(id string) *firestore.DocumentRef {
	sum := sha256.Sum256([]byte(id))
	return s.client.Collection(Collection).Doc(hex.EncodeToString(sum[:20]))
}

// Get implements [holdings.Store].
func (s *Store) Get(ctx context.Context, ids ...string) (map[string]*holdings.Holding, error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	found := map[string]*holdings.Holding{}
	var refs []*firestore.DocumentRef
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			refs = append(refs, s.ref(id))
		}
	}
	for try := 0; len(refs) > 0; try++ {
		snapshots, err := s.client.GetAll(ctx, refs)
		if err == nil && try == patience {
			err = context.DeadlineExceeded
		}
		if err != nil {
			return nil, firestoredb.Failed(err, "firestoreholdings.Get", "the holdings cannot be read")
		}
		refs = nil
		for _, snapshot := range snapshots {
			if !snapshot.Exists() {
				continue
			}
			h, err := s.decode(ctx, snapshot)
			if errors.Is(err, errMoved) {
				refs = append(refs, snapshot.Ref)
				continue
			}
			if err != nil {
				return nil, err
			}
			found[h.ID] = h
		}
	}
	return found, nil
}

// Put implements [holdings.Store].
func (s *Store) Put(ctx context.Context, h *holdings.Holding, seen string) (kept bool, err error) {
	d, err := newDocument(h)
	if err != nil {
		return false, err
	}
	for try := range patience {
		if err = firestoredb.Pause(ctx, try); err != nil {
			break
		}
		var old *reading
		if old, err = s.read(ctx, h.ID); err != nil {
			break
		}
		switch present := old.generation(); {
		case present == h.Generation && try > 0: // done before, and the answer lost, or by another
			return true, nil
		case present != seen:
			return false, nil
		}
		if err = s.commit(ctx, h.ID, old, d); err == nil {
			return true, nil
		}
		if !retry(err) {
			break
		}
	}
	return false, firestoredb.Failed(err, "firestoreholdings.Put", "the holding cannot be written")
}

// retry reports whether a commit may go better the next time: another was first, or nobody
// knows.
func retry(err error) bool {
	switch status.Code(err) {
	case codes.FailedPrecondition, codes.AlreadyExists, codes.NotFound:
		return true
	}
	return firestoredb.Uncertain(err)
}

// Delete implements [holdings.Store].
func (s *Store) Delete(ctx context.Context, id, generation string) (err error) {
	for try := range patience {
		if err = firestoredb.Pause(ctx, try); err != nil {
			break
		}
		var old *reading
		if old, err = s.read(ctx, id); err != nil {
			break
		}
		if old == nil || old.Generation != generation {
			return nil
		}
		if err = s.commit(ctx, id, old, nil); err == nil || !retry(err) {
			break
		}
	}
	if err != nil {
		return firestoredb.Failed(err, "firestoreholdings.Delete", "the holding cannot be deleted")
	}
	return nil
}

// List implements [holdings.Store].
func (s *Store) List(ctx context.Context, collection string) iter.Seq2[*holdings.Holding, error] {
	return func(yield func(*holdings.Holding, error) bool) {
		for last := ""; ; {
			some, err := s.page(ctx, collection, last)
			if err != nil {
				yield(nil, firestoredb.Failed(err, "firestoreholdings.List", "the holdings cannot be listed"))
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

func (s *Store) page(ctx context.Context, collection, last string) (some []*holdings.Holding, err error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	snapshots, err := s.listed(collection, last).Documents(ctx).GetAll()
	if err != nil {
		return nil, err
	}
	for _, snapshot := range snapshots {
		var d document
		if err := snapshot.DataTo(&d); err != nil {
			return nil, unreadable(snapshot, err)
		}
		some = append(some, d.holding())
	}
	return some, nil
}

// listed is the query of a page of a list.
func (s *Store) listed(collection, last string) firestore.Query {
	return s.client.Collection(Collection).Where("collection", "==", collection).OrderBy("id", firestore.Asc).StartAfter(last).
		Select("id", "collection", "object", "generation", "size", "modified", "cells").Limit(page)
}

// At implements [holdings.Store].
func (s *Store) At(ctx context.Context, cells []s2.CellID) (map[s2.CellID][]holdings.Key, error) {
	var mu sync.Mutex
	found := map[s2.CellID][]holdings.Key{}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(queries)
	for some := range slices.Chunk(signed(cells), cellsAtOnce) {
		g.Go(func() error {
			ctx, cancel := firestoredb.Bound(ctx)
			defer cancel()
			snapshots, err := s.at(some).Documents(ctx).GetAll()
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, snapshot := range snapshots {
				var d document
				if err := snapshot.DataTo(&d); err != nil {
					return unreadable(snapshot, err)
				}
				for _, n := range d.Cells {
					if slices.Contains(some, n) {
						c := s2.CellID(n) // #nosec G115 -- the same bits
						found[c] = append(found[c], holdings.Key{ID: d.ID, Generation: d.Generation})
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, firestoredb.Failed(err, "firestoreholdings.At", "the holdings of cells cannot be read")
	}
	return found, nil
}

// at is the query of some cells.
func (s *Store) at(cells []int64) firestore.Query {
	return s.client.Collection(Collection).Where("cells", "array-contains-any", cells).Select("id", "generation", "cells")
}

// Check implements [holdings.Store].
func (s *Store) Check(ctx context.Context) error {
	_, err := s.read(ctx, "check")
	return err
}
