package stencil

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

const polygonValues = "lon1 lat1 lon2 lat2 lon3 lat3 ..."

// MaxVertices is how many vertices a polygon may have.
const MaxVertices = 4096

// Polygon is a region bounded by arcs of great circles, the shorter ones, between
// neighbouring vertices.
//
// Vertices may go either way round: of the two regions that the border separates, the
// polygon is the smaller one. SODA 1.0 has counter-clockwise vertices as seen from
// inside the sphere, and its own example goes the other way. Only if both regions are
// half of the sphere does the winding decide, as SODA says.
type Polygon struct {
	values []float64 // longitude and latitude of each vertex, degrees
	v      []sky.Vec // the vertices
	n      []sky.Vec // unit normals: of the edge from v[i] to v[i+1]
	length []float64 // of that edge, radians
	area   float64   // steradians
	nodes  []node    // a tree of the edges
	origin [2]origin
}

// origin is a direction from which [Polygon.Contains] counts edges.
type origin struct {
	at     sky.Vec
	inside bool
}

// NewPolygon returns the polygon with the given vertices, the longitude and latitude of
// each in degrees. Repeated neighbours, such as a last vertex that repeats the first, are
// dropped. The error is [fault.Usage] for fewer than three vertices, or too many, or out
// of range; for neighbours on opposite sides of the sphere, between which no shorter arc
// exists; for edges that cross; and for vertices that enclose no area.
func NewPolygon(values ...float64) (Polygon, error) {
	p, err := newVertices(values)
	if err != nil {
		return Polygon{}, err
	}
	if err := p.connect(); err != nil {
		return Polygon{}, err
	}
	if i, j, ok := p.crossing(); ok {
		return Polygon{}, usage("edges %d and %d of POLYGON cross: want vertices in the order in which they follow the border", i+1, j+1)
	}
	excess := p.excess() // of the region to the left of the edges, seen from outside the sphere
	if math.Abs(excess) <= 4*rounding*p.perimeter() {
		return Polygon{}, usage("POLYGON encloses no area: its %d vertices lie on one line", len(p.v))
	}
	left := excess > 0
	if 2*math.Pi-math.Abs(excess) < 1e-12 {
		left = false // half of the sphere
	}
	p.area = math.Abs(excess)
	p.grow(0, len(p.v))
	p.orient(left)
	return p, nil
}

func parsePolygon(fields []string) (Polygon, error) {
	if n := len(fields); n < 6 || n%2 != 0 {
		return Polygon{}, usage("POLYGON has %d values: want 6 or more and an even number, %s in degrees", n, polygonValues)
	}
	if len(fields)/2 > MaxVertices+1 {
		return Polygon{}, tooManyVertices(len(fields) / 2)
	}
	values := make([]float64, len(fields))
	for i, f := range fields {
		var err error
		if values[i], err = ParseNumber(f, coordinate(i)); err != nil {
			return Polygon{}, err
		}
	}
	return NewPolygon(values...)
}

func tooManyVertices(n int) error {
	return usage("POLYGON has %d vertices: want at most %d", n, MaxVertices)
}

// coordinate names value i of a polygon.
func coordinate(i int) string {
	kind := "longitude"
	if i%2 == 1 {
		kind = "latitude"
	}
	return "the " + kind + " of " + vertex(i)
}

// vertex names the vertex of value i.
func vertex(i int) string { return "vertex " + strconv.Itoa(i/2+1) + " of POLYGON" }

// newVertices checks the values and returns a polygon that has vertices only.
func newVertices(values []float64) (p Polygon, err error) {
	if n := len(values); n < 6 || n%2 != 0 {
		return p, usage("POLYGON has %d values: want 6 or more and an even number, %s in degrees", n, polygonValues)
	}
	for i := 0; i < len(values); i += 2 {
		lon, lat := values[i], values[i+1]
		if err := CheckDirection(lon, lat, vertex(i)); err != nil {
			return p, err
		}
		v := sky.FromDegrees(lon, lat)
		if n := len(p.v); n > 0 && v.Angle(p.v[n-1]) <= rounding {
			continue
		}
		p.v = append(p.v, v)
		p.values = append(p.values, lon, lat)
	}
	for n := len(p.v); n > 1 && p.v[n-1].Angle(p.v[0]) <= rounding; n = len(p.v) {
		p.v, p.values = p.v[:n-1], p.values[:2*(n-1)]
	}
	switch n := len(p.v); {
	case n < 3:
		return p, usage("POLYGON has %d different vertices: want 3 or more", n)
	case n > MaxVertices:
		return p, tooManyVertices(n)
	}
	return p, nil
}

// next returns the number of the vertex at the end of edge i.
func (p *Polygon) next(i int) int {
	if i++; i == len(p.v) {
		i = 0
	}
	return i
}

// connect computes the edges.
func (p *Polygon) connect() error {
	p.n, p.length = make([]sky.Vec, len(p.v)), make([]float64, len(p.v))
	for i, a := range p.v {
		j := p.next(i)
		b := p.v[j]
		if a.Add(b).Norm() <= 1e-9 {
			return usage("vertices %d and %d of POLYGON are opposite on the sphere: want less than 180 degrees between neighbours", i+1, j+1)
		}
		// (b - a) × (b + a) is 2 a × b without the cancellation that a × b suffers for short edges.
		p.n[i] = a.Add(b).Cross(b.Add(a.Scale(-1))).Unit()
		p.length[i] = a.Angle(b)
	}
	return nil
}

func (p *Polygon) perimeter() (sum float64) {
	for _, l := range p.length {
		sum += l
	}
	return sum
}

// excess returns the area to the left of the edges in steradians, as a number in
// (-2π, 2π]: negative values are the area to the right. It adds the signed triangles
// that the edges form with the first vertex (Eriksson 1990, Mathematics Magazine 63, 184).
func (p *Polygon) excess() float64 {
	var sum float64
	a := p.v[0]
	for i := 1; i+1 < len(p.v); i++ {
		b, c := p.v[i], p.v[i+1]
		ab, ac := b.Add(a.Scale(-1)), c.Add(a.Scale(-1))
		sum += 2 * math.Atan2(a.Dot(ab.Cross(ac)), 1+a.Dot(b)+b.Dot(c)+c.Dot(a))
	}
	sum = math.Remainder(sum, 4*math.Pi)
	if sum == -2*math.Pi {
		sum = 2 * math.Pi
	}
	return sum
}

// crossing returns two edges that cross each other, counted from 0. Edges that only
// touch do not cross. Edges are held against each other in the order of their
// lowest points, so that few of the pairs are looked at.
func (p *Polygon) crossing() (i, j int, ok bool) {
	type extent struct {
		edge   int
		lo, hi float64 // of Z along the edge
	}
	extents := make([]extent, len(p.v))
	for i, a := range p.v {
		b := p.v[p.next(i)]
		e := extent{i, min(a.Z, b.Z), max(a.Z, b.Z)}
		top := math.Hypot(p.n[i].X, p.n[i].Y) // of the whole great circle
		up := sky.Vec{Z: 1}.Add(p.n[i].Scale(-p.n[i].Z))
		for _, s := range []float64{1, -1} { // its highest and its lowest point
			if d := up.Scale(s); a.Cross(d).Dot(p.n[i]) > 0 && d.Cross(b).Dot(p.n[i]) > 0 {
				e.lo, e.hi = min(e.lo, s*top), max(e.hi, s*top)
			}
		}
		extents[i] = e
	}
	slices.SortFunc(extents, func(x, y extent) int { return cmp.Compare(x.lo, y.lo) })
	for k, x := range extents {
		for _, y := range extents[k+1:] {
			if y.lo > x.hi {
				break
			}
			if p.cross(x.edge, y.edge) {
				return min(x.edge, y.edge), max(x.edge, y.edge), true
			}
		}
	}
	return 0, 0, false
}

// cross reports whether two edges have a point in common that is not near an end of
// either.
func (p *Polygon) cross(i, j int) bool {
	a, b, c, d := p.v[i], p.v[p.next(i)], p.v[j], p.v[p.next(j)]
	ca, cb := p.n[j].Dot(a), p.n[j].Dot(b)
	ac, ad := p.n[i].Dot(c), p.n[i].Dot(d)
	const near = 4 * rounding
	return (ca > near && cb < -near && ac < -near && ad > near) || (ca < -near && cb > near && ac > near && ad < -near)
}

// orient chooses two origins far from all edges and finds out whether they are inside;
// left says whether the polygon is what lies to the left of its edges.
func (p *Polygon) orient(left bool) {
	c := p.mean()
	if c == (sky.Vec{}) {
		c = p.v[0]
	}
	e, f := c.Perpendicular()
	var best [2]float64
	for _, k := range [][3]float64{
		{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1},
		{3, 2, 1}, {3, -1, 2}, {-2, 1, 3}, {-1, -3, 2}, {-3, 2, -1}, {1, 3, -2}, {2, -3, -1}, {-1, -2, -3},
	} {
		at := c.Scale(k[0]).Add(e.Scale(k[1])).Add(f.Scale(k[2])).Unit()
		far := p.borderDistance(at, p.nearVertex(at))
		switch {
		case far > best[0]:
			if math.Abs(at.Dot(p.origin[0].at)) < 0.9 {
				best[1], p.origin[1].at = best[0], p.origin[0].at
			}
			best[0], p.origin[0].at = far, at
		case far > best[1] && math.Abs(at.Dot(p.origin[0].at)) < 0.9:
			best[1], p.origin[1].at = far, at
		}
	}
	for i := range p.origin {
		p.origin[i].inside = p.left(p.origin[i].at) == left
	}
}

// left reports whether q lies to the left of the edges: it looks from q at the middle of
// the longest edge, counts the edges between, and sees from which side it arrives.
func (p *Polygon) left(q sky.Vec) bool {
	var k int
	for i := range p.length {
		if p.length[i] > p.length[k] && math.Abs(p.n[i].Dot(q)) > 1e-6 || math.Abs(p.n[k].Dot(q)) <= 1e-6 {
			k = i
		}
	}
	middle := p.v[k].Add(p.v[p.next(k)]).Unit()
	return (p.n[k].Dot(q) > 0) == (p.crossings(q, middle, k)%2 == 0)
}

// Contains counts the edges between x and a direction of which it is known whether it is
// inside.
func (p Polygon) Contains(x sky.Vec) bool {
	if p.borderDistance(x, 2*rounding) <= rounding {
		return true
	}
	o := p.origin[0]
	if math.Abs(o.at.Dot(x)) > 0.95 {
		o = p.origin[1]
	}
	return o.inside == (p.crossings(o.at, x, -1)%2 == 0)
}

// Distance returns the angle in radians from x to the polygon, 0 inside.
func (p Polygon) Distance(x sky.Vec) float64 {
	if p.Contains(x) {
		return 0
	}
	return p.borderDistance(x, p.nearVertex(x))
}

// mean returns the direction of the mean of the vertices, zero if they cancel.
func (p *Polygon) mean() sky.Vec {
	var sum sky.Vec
	for _, v := range p.v {
		sum = sum.Add(v)
	}
	if sum.Norm() < 1e-9*float64(len(p.v)) {
		return sky.Vec{}
	}
	return sum.Unit()
}

// Centre returns the mean of the vertices, if the polygon contains it.
func (p Polygon) Centre() (sky.Vec, bool) {
	c := p.mean()
	if c == (sky.Vec{}) || !p.Contains(c) {
		return sky.Vec{}, false
	}
	return c, true
}

// Border returns the edges.
func (p Polygon) Border() []Curve {
	border := make([]Curve, len(p.v))
	for i, a := range p.v {
		ahead, length := p.n[i].Cross(a), p.length[i]
		border[i] = func(t float64) sky.Vec {
			s, c := math.Sincos(t * length)
			return a.Scale(c).Add(ahead.Scale(s))
		}
	}
	return border
}

// Area returns the solid angle in steradians.
func (p Polygon) Area() float64 { return p.area }

// String returns "POLYGON lon1 lat1 lon2 lat2 …", with no vertex repeated.
func (p Polygon) String() string { return text("POLYGON", p.values...) }
