package holdings

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/golang/geo/s2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// Limits of what one question takes at once, and of what a Finder remembers.
const (
	positionsAtOnce = 4096
	holdingsAtOnce  = 64
	geometriesKept  = 4096 // some 2 KB each
)

// Finder finds images by position. It is safe for concurrent use.
type Finder struct {
	store   Store
	archive archive.Resolver

	mu    sync.Mutex
	known *simplelru.LRU[Key, geometry]
}

// NewFinder returns a finder of what a store holds of an archive.
func NewFinder(store Store, archive archive.Resolver) *Finder {
	// No error: the number of geometries is positive.
	known, _ := simplelru.NewLRU[Key, geometry](geometriesKept, nil)
	return &Finder{store: store, archive: archive, known: known}
}

// Holding returns for each of some ICRS directions the IDs, in their order, of the datasets
// an image of which holds it and which viewer may see. Many directions at once cost much
// less than as many calls; those that are near each other cost least.
func (f *Finder) Holding(ctx context.Context, viewer archive.Viewer, positions []sky.Vec) ([][]string, error) {
	found := make([][]string, 0, len(positions))
	q := question{Finder: f, viewer: viewer, seen: map[string]bool{}}
	for some := range slices.Chunk(positions, positionsAtOnce) {
		ids, err := q.answer(ctx, some)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	return found, nil
}

// question is one call of Holding.
type question struct {
	*Finder
	viewer archive.Viewer
	seen   map[string]bool // whether viewer may see a dataset
}

func (q *question) answer(ctx context.Context, positions []sky.Vec) ([][]string, error) {
	var cells []s2.CellID
	for _, v := range positions {
		cells = ancestors(cells, v)
	}
	distinct := slices.Clone(cells)
	slices.Sort(distinct)
	at, err := q.store.At(ctx, slices.Compact(distinct))
	if err != nil {
		return nil, err
	}
	candidates := make([][]Key, len(positions))
	wanted := map[Key]geometry{}
	for i := range positions {
		for _, c := range cells[i*(MaxLevel+1):][:MaxLevel+1] {
			for _, key := range at[c] {
				ok, err := q.sees(ctx, key.ID)
				if err != nil {
					return nil, err
				}
				if ok {
					wanted[key] = nil
					candidates[i] = append(candidates[i], key)
				}
			}
		}
	}
	if err := q.geometries(ctx, wanted); err != nil {
		return nil, err
	}
	found := make([][]string, len(positions))
	for i, v := range positions {
		for _, key := range candidates[i] {
			if wanted[key].holds(v) {
				found[i] = append(found[i], key.ID)
			}
		}
		slices.Sort(found[i])
		found[i] = slices.Compact(found[i])
	}
	return found, ctx.Err()
}

// sees asks the archive, once for each dataset.
func (q *question) sees(ctx context.Context, id string) (bool, error) {
	if ok, known := q.seen[id]; known {
		return ok, nil
	}
	_, err := q.archive.Resolve(ctx, id, q.viewer)
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Usage) {
		return false, err
	}
	q.seen[id] = err == nil
	return err == nil, nil
}

// geometries fills in the geometries of holdings. One that is gone, or was replaced since,
// has none and is found the next time.
func (f *Finder) geometries(ctx context.Context, wanted map[Key]geometry) error {
	var missing []string
	f.mu.Lock()
	for key := range wanted {
		if g, ok := f.known.Get(key); ok {
			wanted[key] = g
		} else {
			missing = append(missing, key.ID)
		}
	}
	f.mu.Unlock()
	slices.Sort(missing)
	for some := range slices.Chunk(slices.Compact(missing), holdingsAtOnce) {
		holdings, err := f.store.Get(ctx, some...)
		if err != nil {
			return err
		}
		for id, h := range holdings {
			if h.Index == nil {
				continue
			}
			key, g := Key{id, h.Generation}, newGeometry(h.Index)
			if _, ok := wanted[key]; ok {
				wanted[key] = g
			}
			f.mu.Lock()
			f.known.Add(key, g)
			f.mu.Unlock()
		}
	}
	return nil
}

// Headers returns what asks a store for the headers of datasets, by ID and generation, or by
// ID alone, for a cache of indexes: of what is held, no header is read.
func Headers(store Store) indexes.Kept {
	return func(ctx context.Context, key indexes.Key) *fits.Index {
		held, err := store.Get(ctx, key.Object)
		if h := held[key.Object]; err == nil && h != nil && (key.Generation == "" || h.Generation == key.Generation) {
			return h.Index
		}
		return nil
	}
}
