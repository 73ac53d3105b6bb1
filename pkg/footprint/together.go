package footprint

import (
	"cmp"
	"math"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// disc is the directions that are no further from a centre than a chord, a distance in
// space, which unlike a cosine tells small circles.
type disc struct {
	centre sky.Vec
	chord  float64
}

func (d disc) radius() float64 { return 2 * math.Asin(min(d.chord/2, 1)) }

func (d disc) circle() Circle {
	ra, dec := d.centre.Degrees()
	return Circle{ra, dec, d.radius() / sky.Degree * roundOff}
}

func (d disc) holds(v sky.Vec) bool {
	return d.centre.Add(v.Scale(-1)).Norm() <= d.chord*(1+1e-9)
}

// smallest returns the smallest disc that holds all directions. It adds one after the
// other; one that is outside lies on the border of the disc of those before it and itself
// (Welzl 1991, LNCS 555, 359). ok is false if there are none, or if they do not lie in
// about a hemisphere.
func smallest(all []sky.Vec) (d disc, ok bool) {
	for i, a := range all {
		if i > 0 && d.holds(a) {
			continue
		}
		d = disc{a, 0}
		for j, b := range all[:i] {
			if d.holds(b) {
				continue
			}
			d = over(a.Add(b), a)
			for _, c := range all[:j] {
				if !d.holds(c) {
					normal := b.Add(a.Scale(-1)).Cross(c.Add(a.Scale(-1)))
					d = over(normal.Scale(math.Copysign(1, normal.Dot(a))), a)
				}
			}
		}
	}
	ok = len(all) > 0 && d.radius() < hemisphere
	for _, v := range all {
		ok = ok && d.centre.Angle(v) <= d.radius()*(1+1e-6)
	}
	return d, ok
}

// over returns the disc around a centre that reaches to v.
func over(centre, v sky.Vec) disc {
	centre = centre.Unit()
	return disc{centre, centre.Add(v.Scale(-1)).Norm()}
}

// together returns the area of several images: their common outline or, if they differ, the
// convex hull of their outlines.
func together(images []Image) Area {
	if len(images) == 0 {
		return wholeSphere
	}
	same, outlines := true, true
	for _, m := range images[1:] {
		same = same && slices.Equal(m.Area.Polygon, images[0].Area.Polygon) && m.Area.Circle == images[0].Area.Circle
	}
	if same {
		return images[0].Area
	}
	var all []sky.Vec
	for _, m := range images {
		switch {
		case m.Area.Circle.Whole():
			return wholeSphere
		case m.Area.Polygon == nil:
			outlines = false
			all = append(all, ring(m.Area.Circle)...)
		default:
			for i := 0; i < len(m.Area.Polygon); i += 2 {
				all = append(all, sky.FromDegrees(m.Area.Polygon[i], m.Area.Polygon[i+1]))
			}
		}
	}
	d, ok := smallest(all)
	if !ok {
		return wholeSphere
	}
	area := Area{Circle: d.circle()}
	if hull := hull(all, d.centre); outlines && len(hull) > 2 {
		area.Polygon = degrees(hull)
	}
	return area
}

// ring returns directions on the border of a circle.
func ring(c Circle) []sky.Vec {
	const n = 64
	centre := sky.FromDegrees(c.RA, c.Dec)
	e, f := centre.Perpendicular()
	sr, cr := math.Sincos(c.Radius * sky.Degree)
	all := make([]sky.Vec, n)
	for i := range all {
		s, c := math.Sincos(2 * math.Pi * float64(i) / n)
		all[i] = centre.Scale(cr).Add(e.Scale(sr * c)).Add(f.Scale(sr * s))
	}
	return all
}

// hull returns the vertices of the convex hull of directions around a centre, by the
// gnomonic projection, in which arcs of great circles are straight (Andrew 1979,
// Inf. Proc. Lett. 9, 216).
func hull(all []sky.Vec, centre sky.Vec) []sky.Vec {
	type flat struct {
		x, y float64
		v    sky.Vec
	}
	e, f := centre.Perpendicular()
	points := make([]flat, len(all))
	for i, v := range all {
		w := v.Dot(centre)
		points[i] = flat{v.Dot(e) / w, v.Dot(f) / w, v}
	}
	slices.SortFunc(points, func(a, b flat) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	turn := func(a, b, c flat) float64 { return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x) }
	half := func(points []flat) (chain []flat) {
		for _, p := range points {
			for len(chain) > 1 && turn(chain[len(chain)-2], chain[len(chain)-1], p) <= 0 {
				chain = chain[:len(chain)-1]
			}
			chain = append(chain, p)
		}
		return chain[:len(chain)-1]
	}
	lower := half(points)
	slices.Reverse(points)
	var vertices []sky.Vec
	for _, p := range append(lower, half(points)...) {
		vertices = append(vertices, p.v)
	}
	return vertices
}
