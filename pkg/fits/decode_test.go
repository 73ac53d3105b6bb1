package fits

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// Slabs follow each other in the order of FITS, together they are the box, and each can be
// held in memory, whatever the box and the tiles.
func TestSlabsAreTheBox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		axes := rapid.IntRange(1, 4).Draw(t, "axes")
		s := &Section{run: rapid.SampledFrom([]int64{1, 2, 4, 8}).Draw(t, "pixel"), Cost: rapid.SampledFrom([]Cost{Local, Bucket}).Draw(t, "cost")}
		s.tiles = &tiling{rows: &HDU{Shape: []int64{rapid.Int64Range(8, 60).Draw(t, "row")}}}
		for range axes {
			lo := rapid.Int64Range(0, 5000).Draw(t, "min")
			s.box.Min = append(s.box.Min, lo)
			s.box.Max = append(s.box.Max, lo+rapid.Int64Range(1, 20_000).Draw(t, "size"))
			s.tiles.side = append(s.tiles.side, rapid.OneOf(rapid.Just(int64(1)), rapid.Int64Range(1, 30_000)).Draw(t, "side"))
		}
		var at int64 // the pixel of the box where the next slab must begin
		d, slab := s.slabs(), pixel.Box{}
		for i := 0; d.next(&slab); i++ {
			first, stride, n := int64(0), int64(1), int64(1)
			whole := true // along all axes so far
			for axis := range axes {
				size := slab.Size(axis)
				if slab.Min[axis] < s.box.Min[axis] || slab.Max[axis] > s.box.Max[axis] || size < 1 || !whole && size > 1 {
					t.Fatalf("slab %d is %s of %s", i, slab, s.box)
				}
				whole = whole && size == s.box.Size(axis)
				first += (slab.Min[axis] - s.box.Min[axis]) * stride
				stride *= s.box.Size(axis)
				n *= size
			}
			if first != at {
				t.Fatalf("slab %d, %s of %s, begins at pixel %d, want %d", i, slab, s.box, first, at)
			}
			if n*s.run > mostSlab {
				t.Fatalf("slab %d, %s of %s, has %d bytes", i, slab, s.box, n*s.run)
			}
			if at += n; i > 200 {
				return // it goes on like this
			}
		}
		if want, _ := s.box.Bytes(1); at != want {
			t.Fatalf("the slabs have %d pixels, the box has %d", at, want)
		}
	})
}

// A tile is decoded once where the slab that holds it can be held in memory.
func TestSlabsEndWhereTilesDo(t *testing.T) {
	s := &Section{run: 4, Cost: Local, tiles: &tiling{rows: &HDU{Shape: []int64{32}}, side: []int64{256, 256}},
		box: pixel.Box{Min: []int64{100, 100}, Max: []int64{8292, 3000}}}
	d, slab := s.slabs(), pixel.Box{}
	for i := 0; d.next(&slab); i++ {
		if end := slab.Max[1]; end%256 != 0 && end != 3000 {
			t.Errorf("slab %d, %s, ends within tiles", i, slab)
		}
	}
}
