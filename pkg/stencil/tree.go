package stencil

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// leafEdges is how many edges of a polygon are looked at one by one.
const leafEdges = 6

// node is a cap around some consecutive edges of a polygon. The nodes of a tree stand in
// preorder: the first child follows its parent, and skip is the node after the
// last descendant.
type node struct {
	centre     sky.Vec
	radius     float64 // a chord: the distance through the sphere from centre to its farthest edge
	first, end int     // edges
	skip       int
	leaf       bool
}

// grow appends the node of the edges first to end-1 and its descendants.
func (p *Polygon) grow(first, end int) {
	at := len(p.nodes)
	n := node{first: first, end: end, leaf: end-first <= leafEdges}
	sum := p.v[end%len(p.v)]
	for _, v := range p.v[first:end] {
		sum = sum.Add(v)
	}
	if n.centre = sum.Unit(); n.centre == (sky.Vec{}) {
		n.centre = p.v[first]
	}
	n.radius = p.v[end%len(p.v)].Add(n.centre.Scale(-1)).Norm()
	for _, v := range p.v[first:end] {
		n.radius = max(n.radius, v.Add(n.centre.Scale(-1)).Norm())
	}
	// A cap of less than half of the sphere holds the arcs between its points.
	if n.radius += 4 * rounding; n.radius >= math.Sqrt2 {
		n.radius = 2
	}
	p.nodes = append(p.nodes, n)
	if !n.leaf {
		middle := (first + end) / 2
		p.grow(first, middle)
		p.grow(middle, end)
	}
	p.nodes[at].skip = len(p.nodes)
}

// crossings counts the edges, apart from the edge skip, that the arc from q to x crosses.
// x must not lie on one of them.
//
// Each edge whose ends are on different sides of the plane of q and x meets that plane in
// one point; the side of a vertex is the same for both of its edges, so that an arc
// through a vertex crosses one of them, or both, or none, as it should.
func (p *Polygon) crossings(q, x sky.Vec, skip int) (count int) {
	m := q.Cross(x)
	fromQ, fromX := m.Cross(q), x.Cross(m) // along the arc, from each of its ends to the other
	reach := m.Norm() * (1 + 4*rounding)
	for i := 0; i < len(p.nodes); {
		n := &p.nodes[i]
		if math.Abs(m.Dot(n.centre)) > reach*n.radius { // a chord is longer than a height above the plane
			i = n.skip
			continue
		}
		i++
		if !n.leaf {
			continue
		}
		a := p.v[n.first]
		da := m.Dot(a)
		for edge := n.first; edge < n.end; edge++ {
			b := p.v[p.next(edge)]
			db := m.Dot(b)
			if (da >= 0) != (db >= 0) && edge != skip {
				at := a.Scale(math.Abs(db)).Add(b.Scale(math.Abs(da)))
				if fromQ.Dot(at) > 0 && fromX.Dot(at) > 0 {
					count++
				}
			}
			a, da = b, db
		}
	}
	return count
}

// borderDistance returns the angle in radians from x to the nearest edge if that is less
// than within, and within if not.
func (p *Polygon) borderDistance(x sky.Vec, within float64) float64 {
	best := within
	chord := 2 * math.Sin(min(best, math.Pi)/2)
	for i := 0; i < len(p.nodes); {
		n := &p.nodes[i]
		d := x.Add(n.centre.Scale(-1))
		if reach := chord + n.radius + rounding; d.Dot(d) > reach*reach {
			i = n.skip
			continue
		}
		i++
		if !n.leaf {
			continue
		}
		for edge := n.first; edge < n.end; edge++ {
			if math.Abs(p.n[edge].Dot(x)) > chord { // no farther from the arc than from its plane
				continue
			}
			if a := arcDistance(x, p.v[edge], p.v[p.next(edge)], p.n[edge]); a < best {
				best, chord = a, 2*math.Sin(a/2)
			}
		}
	}
	return best
}

// nearVertex returns an upper bound of the angle from x to the nearest edge: that to the
// nearest of some vertices.
func (p *Polygon) nearVertex(x sky.Vec) float64 {
	best, near, step := math.Inf(1), 0, max(1, len(p.v)/64)
	for i := 0; i < len(p.v); i += step {
		d := x.Add(p.v[i].Scale(-1))
		if square := d.Dot(d); square < best {
			best, near = square, i
		}
	}
	return x.Angle(p.v[near]) + rounding // a chord does not tell small angles beside 180° apart
}
