// Package holdings keeps what a service holds: of each dataset what its headers say, and
// where on the sky its images are, so that links are described, requests are quoted and
// images are found by position without a read of the archive.
//
// A [Store] is the port; what its backends keep in common is the contract suite, package
// holdingstest. A [Finder] answers which images hold a position, exactly: the store finds
// candidates by cells of the sphere, and the image's own coordinates decide. An [Indexer]
// fills a store and keeps it fresh. Who may see a dataset is not kept here: the archive is
// asked each time, so that rights that change count at once.
//
// Directions are ICRS. Cells are those of S2 (github.com/golang/geo/s2), levels 0 to
// [MaxLevel].
package holdings

import (
	"context"
	"iter"
	"time"

	"github.com/golang/geo/s2"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/footprint"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Holding is what is known of one dataset at one generation of its object.
type Holding struct {
	ID         string
	Collection string // the prefix of its IDs
	Object     string // its name in the collection
	Generation string
	Size       int64     // bytes of the object
	Modified   time.Time // zero if unknown

	Cells []s2.CellID // that cover its images of the sky, ascending; none if it has none
	Index *fits.Index // what its headers say; nil in lists, and if this version cannot read what another has kept
}

// New returns what is known of an object of a collection, whose headers were read.
func New(collection string, source objects.Source, x *fits.Index) *Holding {
	return &Holding{
		ID: collection + source.Name(), Collection: collection, Object: source.Name(), Generation: source.Generation(),
		Size: source.Size(), Modified: source.ModTime().UTC(), Cells: cover(footprint.Of(x)), Index: x,
	}
}

// Key names a holding at one generation.
type Key struct{ ID, Generation string }

// Store keeps holdings. Methods are safe for concurrent use. Errors are
// [fault.Unavailable] unless said otherwise.
type Store interface {
	// Get returns the holdings of some IDs by ID. What is not held is absent.
	Get(ctx context.Context, ids ...string) (map[string]*Holding, error)

	// Put keeps h in place of the holding of the same ID that has the generation seen, or of
	// none if seen is empty. It reports false, and keeps what is there, if that is another: a
	// writer who was slow does not replace what one who came later has read. The error is
	// [fault.TooLarge] if the headers are too long for the store.
	Put(ctx context.Context, h *Holding, seen string) (kept bool, err error)

	// Delete forgets the holding of an ID if it has that generation.
	Delete(ctx context.Context, id, generation string) error

	// List yields the holdings of a collection by ID, without indexes. What is written
	// meanwhile may be missing. The iteration ends after it yields an error.
	List(ctx context.Context, collection string) iter.Seq2[*Holding, error]

	// At returns for each of some cells the holdings that have this very cell. Cells of no
	// holding are absent.
	At(ctx context.Context, cells []s2.CellID) (map[s2.CellID][]Key, error)

	// Check is nil if the store can answer.
	Check(ctx context.Context) error
}
