package holdings

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Indexer reads headers of an archive into a store. It is safe for concurrent use.
type Indexer struct {
	Store    Store
	Archive  archive.Resolver
	Parallel int // objects that are read at once; 0: usualParallel
}

const usualParallel = 8

// Outcome is what became of a dataset.
type Outcome string

// The outcomes.
const (
	Read   Outcome = "read"   // its headers were read, and are held
	Known  Outcome = "known"  // its object is at the generation that is held
	Gone   Outcome = "gone"   // there is no such object any more, and it is not held any more
	Broken Outcome = "broken" // its headers cannot be read, whoever tries; it is not held
	Failed Outcome = "failed" // it could not be read now
)

// races is how often a dataset is looked at that others change meanwhile.
const races = 5

// everybody sees all of the archive.
var everybody = archive.Viewer{All: true}

// Refresh looks at the object of one dataset and brings what is held of it up to date. The
// error says why it is Broken or Failed.
func (x *Indexer) Refresh(ctx context.Context, id string) (Outcome, error) {
	dataset, err := x.Archive.Resolve(ctx, id, everybody)
	if err != nil {
		return Failed, err
	}
	for range races {
		outcome, err := x.look(ctx, dataset)
		if outcome != "" || err != nil {
			return outcome, err
		}
	}
	return Failed, fault.New(fault.Unavailable, "holdings.Refresh", "others write what is held of %s at the same time; ask again later", id)
}

// look is one attempt of Refresh; the outcome is empty if another was first.
func (x *Indexer) look(ctx context.Context, dataset *archive.Dataset) (outcome Outcome, err error) {
	held, err := x.Store.Get(ctx, dataset.ID)
	if err != nil {
		return Failed, err
	}
	seen := ""
	h := held[dataset.ID]
	if h != nil {
		seen = h.Generation
	}
	forget := func(outcome Outcome, because error) (Outcome, error) {
		if h == nil {
			return outcome, because
		}
		if err := x.Store.Delete(ctx, dataset.ID, seen); err != nil {
			return Failed, err
		}
		return outcome, because
	}
	source, err := dataset.Open(ctx)
	if errors.Is(err, fault.NotFound) {
		return forget(Gone, nil)
	}
	if err != nil {
		return Failed, err
	}
	defer source.Close()
	if h != nil && h.Index != nil && source.Generation() == seen {
		return Known, nil
	}
	index, err := readHeaders(ctx, dataset, source)
	if err == nil {
		var kept bool
		kept, err = x.Store.Put(ctx, New(strings.TrimSuffix(dataset.ID, dataset.Object), source, index), seen)
		if err == nil && !kept {
			return "", nil
		}
	}
	switch {
	case err == nil:
		return Read, nil
	case slices.Contains([]fault.Code{fault.Corrupt, fault.Unsupported, fault.TooLarge}, fault.CodeOf(err)):
		return forget(Broken, err)
	}
	return Failed, err
}

// readHeaders reads the headers of an object. A panic is an error of this one object.
func readHeaders(ctx context.Context, dataset *archive.Dataset, source objects.Source) (index *fits.Index, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "holdings.readHeaders", "panic at %q: %v", dataset.ID, p)
		}
	}()
	file, err := fits.CostOf(dataset.Root.String()).Open(objects.Bind(ctx, source, nil), source.Size())
	if err != nil {
		return nil, err
	}
	return file.Index, nil
}

// Report is told what became of each dataset, by one goroutine at a time; err says why it
// is Broken or Failed.
type Report func(id string, outcome Outcome, err error)

// Collection looks at every object of a collection that is named like a FITS file, and at
// all that is held of it: what is known is not read again, so what was begun goes on. The
// error is [fault.Unsupported] if the collection cannot be listed, and that of the listing;
// what one dataset lacks is reported, and stops nothing.
func (x *Indexer) Collection(ctx context.Context, c archive.Collection, report Report) error {
	lister, ok := c.Root.(objects.Lister)
	if !ok {
		return fault.New(fault.Unsupported, "holdings.Collection", "the archive of %s cannot list what it holds; index a folder or a bucket", c.Prefix)
	}
	var mu sync.Mutex
	g := new(errgroup.Group)
	if g.SetLimit(usualParallel); x.Parallel > 0 {
		g.SetLimit(x.Parallel)
	}
	refresh := func(id string) {
		g.Go(func() error {
			outcome, err := x.Refresh(ctx, id)
			if ctx.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				report(id, outcome, err)
			}
			return nil
		})
	}
	seed := maphash.MakeSeed()
	listed := map[uint64]bool{}
	list := func() error {
		for name, err := range lister.List(ctx) {
			if err != nil {
				return err
			}
			if archive.IsImage(name) && x.holds(ctx, c, name) {
				listed[maphash.String(seed, name)] = true
				refresh(c.Prefix + name)
			}
		}
		for h, err := range x.Store.List(ctx, c.Prefix) {
			if err != nil {
				return err
			}
			if !listed[maphash.String(seed, h.Object)] {
				refresh(h.ID)
			}
		}
		return ctx.Err()
	}
	err := list()
	_ = g.Wait() // what is at work is reported before
	return err
}

// holds reports whether an object of a collection is in no other one whose prefix is longer.
func (x *Indexer) holds(ctx context.Context, c archive.Collection, name string) bool {
	dataset, err := x.Archive.Resolve(ctx, c.Prefix+name, everybody)
	return err == nil && dataset.Object == name
}
