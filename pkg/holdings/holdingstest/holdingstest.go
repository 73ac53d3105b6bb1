// Package holdingstest holds the rules that every backend of package holdings keeps, as
// tests. A backend runs them with one line:
//
//	holdingstest.Run(t, func(t *testing.T) holdings.Store { … })
package holdingstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/geo/s2"
	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
)

// Run checks a store. open returns a fresh, empty one each time and closes it when its
// test ends.
func Run(t *testing.T, open func(t *testing.T) holdings.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s holdings.Store)
	}{
		{"KeepsAll", testKeepsAll},
		{"ReplacesWhatWasSeen", testReplaces},
		{"OneWriterIsFirst", testOneWriter},
		{"DeletesWhatWasSeen", testDeletes},
		{"ListsACollection", testLists},
		{"FindsCells", testCells},
		{"LongHeaders", testLongHeaders},
		{"EndsWithTheContext", testContext},
		{"Check", testCheck},
		{"Positions", testPositions},
		{"ShowsToWhoMaySee", testRights},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Prefix begins the IDs of the suite's holdings.
const Prefix = "ivo://example.org/sky?"

// source is an object without bytes.
type source struct {
	name, generation string
	size             int64
	modified         time.Time
}

func (s source) Name() string       { return s.name }
func (s source) Size() int64        { return s.size }
func (s source) Generation() string { return s.generation }
func (s source) ModTime() time.Time { return s.modified }

// ReadAt is never called: a holding is made of an index, and reads no byte.
func (s source) ReadAt(context.Context, []byte, int64) (int, error) { panic("read") }
func (s source) Close() error                                       { return nil }

// pointing returns the cards of a small image around a place, in degrees.
func pointing(ra, dec float64, more ...string) []string {
	return append([]string{
		"SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2", "NAXIS1  =                   10", "NAXIS2  =                   10",
		"CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRPIX1  = 5.5", "CRPIX2  = 5.5", "CDELT1  = -0.01", "CDELT2  = 0.01",
		fmt.Sprintf("CRVAL1  = %g", ra), fmt.Sprintf("CRVAL2  = %g", dec),
	}, more...)
}

// index returns the index of a file of one header.
func index(t testing.TB, cards []string) *fits.Index {
	t.Helper()
	h, err := fits.ParseText(strings.Join(cards, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	bitpix, _, _ := h.Int("BITPIX")
	size := max(bitpix, -bitpix) / 8
	naxis, _, _ := h.Int("NAXIS")
	for axis := range naxis {
		n, _, _ := h.Int(fmt.Sprintf("NAXIS%d", axis+1))
		size *= n
	}
	header := h.Bytes()
	x, err := fits.ReadIndex(&zeros{header}, int64(len(header))+(size+2879)/2880*2880)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// zeros is a file of a header and zeros.
type zeros struct{ header []byte }

func (z *zeros) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(z.header)) {
		copy(p, z.header[off:])
	}
	return len(p), nil
}

// Image returns a holding of a small image around a place, in degrees.
func Image(t testing.TB, name, generation string, ra, dec float64) *holdings.Holding {
	t.Helper()
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	return holdings.New(Prefix, source{name, generation, 5760, at}, index(t, pointing(ra, dec, fmt.Sprintf("OBJECT  = '%s'", generation))))
}

// put keeps a holding, or fails the test.
func put(t testing.TB, s holdings.Store, h *holdings.Holding, seen string) {
	t.Helper()
	if kept, err := s.Put(t.Context(), h, seen); err != nil || !kept {
		t.Fatalf("%s at generation %s in place of %q was kept: %t, %v", h.ID, h.Generation, seen, kept, err)
	}
}

// get returns the holding of an ID, or nil.
func get(t testing.TB, s holdings.Store, id string) *holdings.Holding {
	t.Helper()
	found, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found[id]
}

// equal compares holdings, and their headers by the bytes.
func equal(t testing.TB, got, want *holdings.Holding) {
	t.Helper()
	if got == nil {
		t.Errorf("%s is not held", want.ID)
		return
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Index" }, cmp.Comparer(sameIndex))); diff != "" {
		t.Errorf("%s came back different (-want +got):\n%s", want.ID, diff)
	}
}

func sameIndex(a, b *fits.Index) bool {
	if a == nil || b == nil || a.Size != b.Size || len(a.HDUs) != len(b.HDUs) {
		return a == b
	}
	for i, u := range a.HDUs {
		v := b.HDUs[i]
		if !slices.Equal(u.Header.Bytes(), v.Header.Bytes()) || !slices.Equal(u.Shape, v.Shape) || u.DataOffset != v.DataOffset {
			return false
		}
	}
	return true
}

func testKeepsAll(t *testing.T, s holdings.Store) {
	first, second := Image(t, "a b/ü&%#?.fits", "g1", 10, 20), Image(t, "b.fits", "g2", 359.99, -89.99)
	noSky := holdings.New(Prefix, source{"table.fits", "g", 2880, time.Time{}}, index(t, []string{"SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0"}))
	if noSky.Cells != nil || !noSky.Modified.IsZero() {
		t.Errorf("a file of no sky has the cells %v; modified %v", noSky.Cells, noSky.Modified)
	}
	for _, h := range []*holdings.Holding{first, second, noSky} {
		put(t, s, h, "")
	}
	found, err := s.Get(t.Context(), first.ID, noSky.ID, Prefix+"unknown.fits", second.ID, first.ID)
	if err != nil || len(found) != 3 {
		t.Fatalf("%d holdings, %v; want 3", len(found), err)
	}
	for _, h := range []*holdings.Holding{first, second, noSky} {
		equal(t, found[h.ID], h)
	}
	if found, err := s.Get(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("of no IDs: %v, %v", found, err)
	}
}

func testReplaces(t *testing.T, s holdings.Store) {
	first, second, other := Image(t, "a.fits", "g1", 10, 20), Image(t, "a.fits", "g2", 10, -20), Image(t, "a.fits", "g3", 10, 0)
	if kept, err := s.Put(t.Context(), second, "g1"); kept || err != nil {
		t.Errorf("in place of a generation that is not there: kept %t, %v", kept, err)
	}
	put(t, s, first, "")
	for _, seen := range []string{"", "g2", "g3"} {
		if kept, err := s.Put(t.Context(), other, seen); kept || err != nil {
			t.Errorf("in place of %q while g1 is there: kept %t, %v", seen, kept, err)
		}
	}
	equal(t, get(t, s, first.ID), first)
	put(t, s, second, "g1")
	equal(t, get(t, s, first.ID), second)
	put(t, s, second, "g2") // the same again
	at, err := s.At(t.Context(), append(slices.Clone(first.Cells), second.Cells...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range first.Cells {
		if len(at[c]) > 0 {
			t.Errorf("a cell of the first generation is still held: %v", at[c])
		}
	}
	for _, c := range second.Cells {
		if want := []holdings.Key{{ID: second.ID, Generation: "g2"}}; !slices.Equal(at[c], want) {
			t.Errorf("at a cell of the second generation: %v, want %v", at[c], want)
		}
	}
}

func testOneWriter(t *testing.T, s holdings.Store) {
	const writers = 8
	var first atomic.Int32
	var wg sync.WaitGroup
	for i := range writers {
		h := Image(t, "a.fits", fmt.Sprintf("g%d", i), 10, float64(i))
		wg.Go(func() {
			kept, err := s.Put(t.Context(), h, "")
			if err != nil {
				t.Error(err)
			}
			if kept {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if n := first.Load(); n != 1 {
		t.Errorf("%d of %d writers were first, want 1", n, writers)
	}
}

func testDeletes(t *testing.T, s holdings.Store) {
	h := Image(t, "a.fits", "g2", 10, 20)
	put(t, s, h, "")
	for _, generation := range []string{"g1", "", "g2", "g2"} {
		if get(t, s, h.ID) == nil != (generation == "g2" && len(atCells(t, s, h)) == 0) {
			t.Errorf("before generation %q is deleted the holding is there: %t", generation, get(t, s, h.ID) != nil)
		}
		if err := s.Delete(t.Context(), h.ID, generation); err != nil {
			t.Errorf("generation %q: %v", generation, err)
		}
	}
	if get(t, s, h.ID) != nil || len(atCells(t, s, h)) > 0 {
		t.Errorf("the holding or its cells are still there: %v", atCells(t, s, h))
	}
	put(t, s, h, "")
	equal(t, get(t, s, h.ID), h)
}

func atCells(t *testing.T, s holdings.Store, h *holdings.Holding) map[s2.CellID][]holdings.Key {
	t.Helper()
	at, err := s.At(t.Context(), h.Cells)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func testLists(t *testing.T, s holdings.Store) {
	const n = 1203 // more than a page of any backend
	x := index(t, pointing(1, 2))
	var want []string
	var wg sync.WaitGroup
	for i := range n {
		h := holdings.New(Prefix, source{fmt.Sprintf("%04d.fits", i), "g", int64(i), time.Time{}}, x)
		want = append(want, h.ID)
		wg.Go(func() {
			if kept, err := s.Put(t.Context(), h, ""); !kept || err != nil {
				t.Errorf("%s: %t, %v", h.ID, kept, err)
			}
		})
		if i%32 == 31 {
			wg.Wait()
		}
	}
	wg.Wait()
	put(t, s, holdings.New("ivo://example.org/sky", source{"?not-this.fits", "g", 1, time.Time{}}, x), "")
	put(t, s, holdings.New("ivo://example.org/sky?sub/", source{"nor-this.fits", "g", 1, time.Time{}}, x), "")
	var got []string
	for h, err := range s.List(t.Context(), Prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, h.ID); h.Index != nil || h.Collection != Prefix || h.Generation != "g" || h.Size != int64(len(got)-1) || len(h.Cells) == 0 {
			t.Fatalf("listed as %+v", h)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d holdings are listed, want %d in the order of their IDs", len(got), n)
	}
	for range s.List(t.Context(), Prefix) {
		break // leaving early is no error
	}
	for h, err := range s.List(t.Context(), "ivo://example.org/none?") {
		t.Errorf("a collection of none lists %v, %v", h, err)
	}
}

// Cells are found as they are: neither those within nor those around.
func testCells(t *testing.T, s holdings.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	var cells []s2.CellID
	want := map[s2.CellID][]holdings.Key{}
	for i := range 3 {
		h := Image(t, fmt.Sprintf("%d.fits", i), "g", 10, 20) // all at one place
		put(t, s, h, "")
		for _, c := range h.Cells {
			want[c] = append(want[c], holdings.Key{ID: h.ID, Generation: "g"})
			cells = append(cells, c, c.Parent(c.Level()-1), c.ChildBegin())
		}
	}
	for range 500 {
		cells = append(cells, s2.CellIDFromFace(random.IntN(6)).ChildBeginAtLevel(holdings.MaxLevel).Advance(random.Int64N(1<<40)))
	}
	slices.Sort(cells)
	got, err := s.At(t.Context(), slices.Compact(cells))
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range got {
		slices.SortFunc(keys, func(a, b holdings.Key) int { return strings.Compare(a.ID, b.ID) })
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if got, err := s.At(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("at no cells: %v, %v", got, err)
	}
}

// A header of a megabyte that cannot be packed is kept, too.
func testLongHeaders(t *testing.T, s holdings.Store) {
	random := rand.New(rand.NewPCG(3, 4))
	cards := pointing(10, 20)
	for range 30_000 {
		line := make([]byte, 60)
		for i := range line {
			line[i] = byte('!' + random.IntN('~'-'!'+1))
		}
		cards = append(cards, "COMMENT   "+string(line))
	}
	h := holdings.New(Prefix, source{"long.fits", "g1", 1, time.Time{}}, index(t, cards))
	put(t, s, h, "")
	equal(t, get(t, s, h.ID), h)
	short := Image(t, "long.fits", "g2", 10, 20)
	put(t, s, short, "g1")
	equal(t, get(t, s, h.ID), short)
	put(t, s, h, "g2")
	equal(t, get(t, s, h.ID), h)
	if err := s.Delete(t.Context(), h.ID, "g1"); err != nil || get(t, s, h.ID) != nil {
		t.Errorf("deleted: %v, and there: %v", err, get(t, s, h.ID))
	}
}

func testContext(t *testing.T, s holdings.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := Image(t, "a.fits", "g", 10, 20)
	if _, err := s.Put(ctx, h, ""); err == nil {
		t.Error("Put goes on")
	}
	if _, err := s.Get(ctx, h.ID); err == nil {
		t.Error("Get goes on")
	}
	if _, err := s.At(ctx, h.Cells); err == nil {
		t.Error("At goes on")
	}
	failed := false
	for _, err := range s.List(ctx, Prefix) {
		failed = err != nil
	}
	if !failed {
		t.Error("List goes on")
	}
}

func testCheck(t *testing.T, s holdings.Store) {
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
