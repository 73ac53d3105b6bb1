package firestoreholdings

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloud.google.com/go/firestore"
	"github.com/golang/geo/s2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
)

// document is a holding as it stands in Firestore.
type document struct {
	ID         string    `firestore:"id"`
	Collection string    `firestore:"collection"`
	Object     string    `firestore:"object"`
	Generation string    `firestore:"generation"`
	Size       int64     `firestore:"size"`
	Modified   time.Time `firestore:"modified,omitempty"`
	Cells      []int64   `firestore:"cells,omitempty"`
	Headers    []byte    `firestore:"headers,omitempty"` // nothing if they are in Parts documents
	Parts      int       `firestore:"parts,omitempty"`

	pieces [][]byte // of the parts
}

// part is one piece of long headers: a document of the collection headers below the
// holding's, named by its number.
type part struct {
	Generation string `firestore:"generation"` // of the holding that it was written with
	Headers    []byte `firestore:"headers"`
}

const parts = "headers"

// signed returns cells as Firestore has them, which knows no unsigned numbers.
func signed(cells []s2.CellID) []int64 {
	numbers := make([]int64, len(cells))
	for i, c := range cells {
		numbers[i] = int64(c) // #nosec G115 -- the same bits
	}
	return numbers
}

// newDocument writes a holding as a document. The error is [fault.TooLarge].
func newDocument(h *holdings.Holding) (*document, error) {
	headers, err := h.Index.MarshalBinary()
	if err != nil {
		return nil, err
	}
	d := &document{
		ID: h.ID, Collection: h.Collection, Object: h.Object, Generation: h.Generation, Size: h.Size, Modified: h.Modified, Cells: signed(h.Cells),
	}
	switch {
	case len(headers) > firestoredb.MaxCommit:
		return nil, fault.New(fault.TooLarge, "firestoreholdings", "the headers of %s take %d bytes when packed; the store takes %d", h.ID, len(headers), firestoredb.MaxCommit)
	case len(headers) > firestoredb.MaxDocument:
		d.pieces = slices.Collect(slices.Chunk(headers, firestoredb.MaxDocument))
		d.Parts = len(d.pieces)
	default:
		d.Headers = headers
	}
	return d, nil
}

// holding returns what a document says, without the index.
func (d *document) holding() *holdings.Holding {
	h := &holdings.Holding{ID: d.ID, Collection: d.Collection, Object: d.Object, Generation: d.Generation, Size: d.Size, Modified: d.Modified.UTC()}
	for _, n := range d.Cells {
		h.Cells = append(h.Cells, s2.CellID(n)) // #nosec G115 -- the same bits
	}
	return h
}

func unreadable(snapshot *firestore.DocumentSnapshot, err error) error {
	return fault.New(fault.Internal, "firestoreholdings", "the document of the holding %s cannot be read: %w", snapshot.Ref.ID, err)
}

// errMoved says that a holding was written anew between the readings of its documents.
var errMoved = errors.New("firestoreholdings: the holding was written anew")

// decode reads a holding from its document, and its headers if they stand elsewhere.
func (s *Store) decode(ctx context.Context, snapshot *firestore.DocumentSnapshot) (*holdings.Holding, error) {
	var d document
	if err := snapshot.DataTo(&d); err != nil {
		return nil, unreadable(snapshot, err)
	}
	headers := d.Headers
	if d.Parts > 0 {
		pieces, err := s.client.GetAll(ctx, firestoredb.Pieces(snapshot.Ref, parts, d.Parts))
		if err != nil {
			return nil, firestoredb.Failed(err, "firestoreholdings.Get", "the headers of a holding cannot be read")
		}
		for _, piece := range pieces {
			var p part
			if !piece.Exists() {
				return nil, errMoved
			}
			if err := piece.DataTo(&p); err != nil {
				return nil, unreadable(snapshot, err)
			}
			if p.Generation != d.Generation {
				return nil, errMoved
			}
			headers = append(headers, p.Headers...)
		}
	}
	h := d.holding()
	if x := new(fits.Index); x.UnmarshalBinary(headers) == nil {
		h.Index = x
	}
	return h, nil
}

// reading is a document as it was read.
type reading struct {
	document
	updated time.Time
}

// generation returns that of what is held; "" of nothing.
func (r *reading) generation() string {
	if r == nil {
		return ""
	}
	return r.Generation
}

// read reads a document, without its parts; nil if there is none.
func (s *Store) read(ctx context.Context, id string) (*reading, error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	snapshot, err := s.ref(id).Get(ctx)
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, firestoredb.Failed(err, "firestoreholdings.read", "the store of holdings cannot be read")
	}
	r := &reading{updated: snapshot.UpdateTime}
	if err := snapshot.DataTo(&r.document); err != nil {
		return nil, unreadable(snapshot, err)
	}
	return r, nil
}

// commit writes d, which is nil to remove the holding, in place of what was read, which is
// nil if there was nothing. Long headers move in the same commit.
func (s *Store) commit(ctx context.Context, id string, old *reading, d *document) error {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	ref := s.ref(id)
	had, kept := 0, 0
	if old != nil {
		had = old.Parts
	}
	if d != nil {
		kept = d.Parts
	}
	// This transaction reads nothing, so it waits for nobody: it only joins the writes.
	return s.client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
		var err error
		switch {
		case old == nil:
			err = tx.Create(ref, d)
		case d == nil:
			err = tx.Delete(ref, firestore.LastUpdateTime(old.updated))
		default: // Set takes no condition: the first write brings it
			err = errors.Join(tx.Update(ref, []firestore.Update{{Path: "id", Value: d.ID}}, firestore.LastUpdateTime(old.updated)), tx.Set(ref, d))
		}
		return errors.Join(err, firestoredb.SetPieces(tx, ref, parts, had, kept, func(i int) any {
			return part{Generation: d.Generation, Headers: d.pieces[i]}
		}))
	}, firestore.MaxAttempts(1))
}
