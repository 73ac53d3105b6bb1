package fits

import "github.com/seltzer-soda/seltzer/pkg/pixel"

const (
	// A slab has at least leastSlab bytes if the box has, and up to mostSlab where that
	// spares to decode tiles twice.
	leastSlab = 1 << 20
	mostSlab  = 16 << 20
)

// slabs divides a box into slabs: parts that follow each other in the order of FITS, of
// which each can be held in memory. A slab is thin along one axis, has the whole box along
// those before it and one pixel along those behind it. It ends where tiles do, if that is
// not too large for memory; else its tiles are decoded again for the next.
type slabs struct {
	box        pixel.Box
	axis       int
	step, side int64 // thickness, and what it is aligned to
	at         []int64
	end        bool
}

func (s *Section) slabs() *slabs {
	t := s.tiles
	d := &slabs{box: s.box, at: append([]int64(nil), s.box.Min...)}
	shared := int64(1) // pixels of the box in a tile
	for axis, side := range t.side {
		shared *= min(side, s.box.Size(axis))
	}
	budget := max(leastSlab, s.Cost.Memory)
	per := s.run + (t.rows.Shape[0]+perTouch+shared-1)/shared // bytes of memory per pixel, then per row, plane, …
	for ; d.axis < s.box.Axes()-1 && s.box.Size(d.axis) <= budget/per; d.axis++ {
		per *= s.box.Size(d.axis)
	}
	d.step, d.side = max(budget/per, 1), t.side[d.axis]
	switch {
	case d.step >= s.box.Size(d.axis):
		d.step, d.side = s.box.Size(d.axis), 1
	case d.step >= d.side:
		d.step -= d.step % d.side
	case d.side <= mostSlab/per:
		d.step = d.side
	}
	return d
}

// next makes slab the next one, or returns false.
func (d *slabs) next(slab *pixel.Box) bool {
	if d.end {
		return false
	}
	slab.Min, slab.Max = append(slab.Min[:0], d.at...), append(slab.Max[:0], d.box.Max...)
	copy(slab.Min, d.box.Min[:d.axis])
	for axis := d.axis + 1; axis < len(d.at); axis++ {
		slab.Max[axis] = d.at[axis] + 1
	}
	at := d.at[d.axis]
	upto := at - at%d.side + d.step
	if d.step < d.side {
		upto = min(at+d.step, at-at%d.side+d.side)
	}
	slab.Max[d.axis] = min(upto, d.box.Max[d.axis])
	d.at[d.axis] = slab.Max[d.axis]
	for axis := d.axis; d.at[axis] == d.box.Max[axis]; axis++ {
		d.at[axis] = d.box.Min[axis]
		if axis+1 == len(d.at) {
			d.end = true
			return true
		}
		d.at[axis+1]++
	}
	return true
}
