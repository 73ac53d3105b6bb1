package holdings

import (
	"slices"

	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"

	"github.com/seltzer-soda/seltzer/pkg/footprint"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Cells of holdings.
const (
	MaxLevel = 20 // of the smallest cells: about 0.3 arcseconds
	MaxCells = 24 // of one holding
)

// maxPieces is how many different areas are covered one by one. A file of more images is
// covered as a whole.
const maxPieces = 64

// cover returns the cells that cover the images of a file. They cover a little more, so
// that no position in an image is without.
func cover(f *footprint.Footprint) []s2.CellID {
	var r region
	var areas []footprint.Area
	for _, m := range f.Images {
		if slices.ContainsFunc(areas, func(a footprint.Area) bool { return sameArea(a, m.Area) }) {
			continue // a plane of an image
		}
		if areas = append(areas, m.Area); len(areas) > maxPieces {
			areas = []footprint.Area{f.Area}
			break
		}
	}
	for _, a := range areas {
		r = append(r, newPiece(a))
	}
	if r == nil {
		return nil
	}
	coverer := s2.RegionCoverer{MaxLevel: MaxLevel, LevelMod: 1, MaxCells: MaxCells}
	return coverer.Covering(r)
}

// ancestors appends the cells of all levels that hold a direction, the largest first.
func ancestors(dst []s2.CellID, v sky.Vec) []s2.CellID {
	leaf := s2.CellIDFromLatLng(s2.LatLngFromPoint(point(v)))
	for level := range MaxLevel + 1 {
		dst = append(dst, leaf.Parent(level))
	}
	return dst
}

func point(v sky.Vec) s2.Point { return s2.PointFromCoords(v.X, v.Y, v.Z) }

func direction(p s2.Point) sky.Vec { return sky.Vec{X: p.X, Y: p.Y, Z: p.Z} }

// piece is one area as S2 asks for it: what is in its circle and near its outline, if it
// has one.
type piece struct {
	circle   s2.Cap
	outline  *stencil.Polygon
	vertices []s2.Point
	near     s1.ChordAngle
}

// Outlines are true to a thousandth of the circle (package footprint), and distances of S2
// to some hundredths of an arcsecond.
const (
	outlineError  = 3e-3
	distanceError = 1e-7
)

func newPiece(a footprint.Area) piece {
	if a.Circle.Whole() {
		return piece{circle: s2.FullCap()}
	}
	radius := a.Circle.Radius * sky.Degree
	near := s1.Angle(radius*outlineError + distanceError)
	p := piece{circle: s2.CapFromCenterAngle(point(sky.FromDegrees(a.Circle.RA, a.Circle.Dec)), s1.Angle(radius)+near)}
	outline, err := stencil.NewPolygon(a.Polygon...)
	if a.Polygon == nil || err != nil {
		return p
	}
	p.outline, p.near = &outline, s1.ChordAngleFromAngle(near)
	for i := 0; i < len(a.Polygon); i += 2 {
		p.vertices = append(p.vertices, point(sky.FromDegrees(a.Polygon[i], a.Polygon[i+1])))
	}
	return p
}

// distance returns how far a cell is from the border of the outline.
func (p *piece) distance(c s2.Cell) s1.ChordAngle {
	nearest := s1.InfChordAngle()
	for i, v := range p.vertices {
		nearest = min(nearest, c.DistanceToEdge(v, p.vertices[(i+1)%len(p.vertices)]))
	}
	return nearest
}

func (p *piece) contains(c s2.Cell) bool {
	if p.outline == nil {
		return p.circle.ContainsCell(c)
	}
	return p.outline.Contains(direction(c.Center())) && p.distance(c) > 0
}

func (p *piece) intersects(c s2.Cell) bool {
	return p.circle.IntersectsCell(c) && (p.outline == nil || p.outline.Contains(direction(c.Center())) || p.distance(c) <= p.near)
}

// region is the union of some pieces: a [s2.Region].
type region []piece

// CapBound implements [s2.Region].
func (r region) CapBound() s2.Cap {
	bound := s2.EmptyCap()
	for _, p := range r {
		bound = bound.Union(p.circle)
	}
	return bound
}

// RectBound implements [s2.Region].
func (r region) RectBound() s2.Rect { return r.CapBound().RectBound() }

// CellUnionBound implements [s2.Region].
func (r region) CellUnionBound() []s2.CellID { return r.CapBound().CellUnionBound() }

// ContainsCell implements [s2.Region].
func (r region) ContainsCell(c s2.Cell) bool {
	return slices.ContainsFunc(r, func(p piece) bool { return p.contains(c) })
}

// IntersectsCell implements [s2.Region].
func (r region) IntersectsCell(c s2.Cell) bool {
	return slices.ContainsFunc(r, func(p piece) bool { return p.intersects(c) })
}

// ContainsPoint implements [s2.Region].
func (r region) ContainsPoint(v s2.Point) bool {
	return slices.ContainsFunc(r, func(p piece) bool {
		return p.circle.ContainsPoint(v) && (p.outline == nil || p.outline.Contains(direction(v)))
	})
}
