// Package footprint tells where on the sky the images of a FITS file are: the outline and
// the circle around it that descriptors announce (SODA 1.0, section 4.1), and the shape and
// the size of a pixel.
//
// It needs the headers alone. Directions are ICRS, in degrees.
package footprint

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// Circle is all directions within Radius of a centre.
type Circle struct{ RA, Dec, Radius float64 }

// Whole reports whether the circle is the whole sphere.
func (c Circle) Whole() bool { return c.Radius >= 180 }

// String writes the circle as SODA's CIRCLE: in decimals that tell a thousandth of it, the
// radius rounded up.
func (c Circle) String() string {
	n := decimals(c.Radius)
	up := math.Pow10(-n)
	return text(n, c.RA, c.Dec, min(math.Ceil(c.Radius/up-1e-6)*up, 180))
}

func decimals(radius float64) int { return min(max(int(math.Ceil(4-math.Log10(radius))), 0), 14) }

func text(decimals int, values ...float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.FormatFloat(math.Round(v*math.Pow10(decimals))/math.Pow10(decimals), 'f', -1, 64)
	}
	return strings.Join(words, " ")
}

// Area is where something lies on the sky.
type Area struct {
	// Circle holds all of it and is nearly the smallest that does; the whole sphere if
	// that would be more than about a hemisphere.
	Circle Circle

	// Polygon holds the longitude and latitude of each vertex of the outline, counter-
	// clockwise as seen from inside the sphere, north up and east to the left. Between two
	// neighbours runs an arc of a great circle. It is nil if there is no such outline: the
	// image reaches beyond a hemisphere, or meets itself around a pole.
	Polygon []float64
}

// Vertices writes the polygon as SODA's POLYGON, in decimals that tell a thousandth of it.
func (a Area) Vertices() string { return text(decimals(a.Circle.Radius), a.Polygon...) }

// Image is one image of the sky.
type Image struct {
	HDU        *fits.HDU
	Area       Area
	PixelScale float64 // degrees, at the reference point
	RA, Dec    float64 // of the middle of the image; NaN where that has no sky
}

// Footprint is where the images of a file are.
type Footprint struct {
	Images []Image // of the sky
	Area   Area    // of all of them; its polygon is convex if they differ
}

// Example returns, as SODA's CIRCLE, a circle of about 32 pixels radius around the middle of
// the first image whose middle has a sky.
func (f *Footprint) Example() (circle string, ok bool) {
	for _, m := range f.Images {
		if r := min(32*m.PixelScale, 45); !math.IsNaN(m.RA) && r > 0 {
			return Circle{m.RA, m.Dec, r}.String(), true
		}
	}
	return "", false
}

// Of returns the footprint of a file; what an image's header says is worked out once for
// its index. Images whose coordinates cannot be read, and those of no sky, are left out; a
// file may have none left.
func Of(x *fits.Index) *Footprint {
	f := &Footprint{}
	for _, u := range x.HDUs {
		if u.Err != nil || !u.Image() {
			continue
		}
		type key struct{}
		if m := u.Remember(key{}, func() any { return look(u) }).(*Image); m != nil {
			f.Images = append(f.Images, *m)
		}
	}
	f.Area = together(f.Images)
	return f
}

// look returns what is known of one image, or nil if it is none of the sky.
func look(u *fits.HDU) *Image {
	system, err := cutout.System(u)
	if err != nil {
		return nil
	}
	x, y := system.Axes()
	w := &walker{system: system, nx: float64(u.Shape[x]), ny: float64(u.Shape[y])}
	m := &Image{HDU: u, PixelScale: system.PixelScale(), RA: math.NaN(), Dec: math.NaN()}
	if middle, ok := system.Direction((w.nx+1)/2, (w.ny+1)/2); ok {
		m.RA, m.Dec = middle.Degrees()
	}
	m.Area = w.area()
	return m
}

// Positions that are looked at.
const (
	perSide  = 64 // along each side of an image
	gridSide = 9  // along each side of a grid over it
)

// roundOff is by how much a circle is larger than that around the positions looked at, for
// what lies between two of them, and for outlines that are true to a thousandth.
const roundOff = 1.002

// hemisphere is the largest radius of a circle that an outline may have, in radians.
const hemisphere = 85 * sky.Degree

// wholeSphere is where an image lies of which no less can be said.
var wholeSphere = Area{Circle: Circle{Radius: 180}}

type walker struct {
	system *wcs.System
	nx, ny float64
	hidden bool // a position had no sky
}

// at returns the direction of a position in the image, (0, 0) and (1, 1) being its corners.
func (w *walker) at(s, t float64) (sky.Vec, bool) {
	v, ok := w.system.Direction(0.5+s*w.nx, 0.5+t*w.ny)
	w.hidden = w.hidden || !ok
	return v, ok
}

// area works out where the image is.
func (w *walker) area() Area {
	var rim, seen []sky.Vec
	for i := range 4 * perSide {
		t := float64(i%perSide) / perSide
		p := [4][2]float64{{t, 0}, {1, t}, {1 - t, 1}, {0, 1 - t}}[i/perSide]
		if v, ok := w.at(p[0], p[1]); ok {
			rim = append(rim, v)
		}
	}
	seen = append(seen, rim...)
	for i := range gridSide {
		for j := range gridSide {
			if v, ok := w.at(float64(i)/(gridSide-1), float64(j)/(gridSide-1)); ok {
				seen = append(seen, v)
			}
		}
	}
	c, ok := smallest(seen)
	if !ok || w.hidden {
		// What lies between the positions that have a sky cannot be told from them.
		return wholeSphere
	}
	area := Area{Circle: c.circle()}
	tolerance := c.radius() / 1000
	var outline []sky.Vec
	for side := range 4 {
		line := slices.Concat(rim[side*perSide:(side+1)*perSide], rim[(side+1)%4*perSide:][:1])
		outline = append(outline, simplify(line, tolerance)...)
	}
	if w.meets(rim) {
		return area
	}
	polygon := degrees(outline)
	if p, err := stencil.NewPolygon(polygon...); err == nil && holds(p, seen[len(rim):], tolerance) {
		area.Polygon = polygon
	}
	return area
}

// meets reports whether opposite sides of the image are the same line on the sky.
func (w *walker) meets(rim []sky.Vec) bool {
	const half = perSide / 2
	near := w.system.PixelScale() * sky.Degree / 2
	return rim[half].Angle(rim[2*perSide+half]) < near || rim[perSide+half].Angle(rim[3*perSide+half]) < near
}

// holds reports whether directions lie in a polygon, or next to it.
func holds(p stencil.Polygon, all []sky.Vec, tolerance float64) bool {
	for _, v := range all {
		if p.Distance(v) > 2*tolerance {
			return false
		}
	}
	return true
}

// simplify returns the vertices of a line that follows another to a tolerance in radians,
// without the last one (Douglas & Peucker 1973, Cartographica 10, 112).
func simplify(line []sky.Vec, tolerance float64) []sky.Vec {
	first, last := line[0], line[len(line)-1]
	normal := first.Cross(last).Unit()
	farthest, away := 0, tolerance
	for i, v := range line[1 : len(line)-1] {
		// first is on the plane; the small difference to it keeps its digits.
		if d := math.Abs(v.Add(first.Scale(-1)).Dot(normal)); d > away {
			farthest, away = i+1, d
		}
	}
	if farthest == 0 {
		return line[:1]
	}
	return slices.Concat(simplify(line[:farthest+1], tolerance), simplify(line[farthest:], tolerance))
}

// degrees returns the vertices of a polygon counter-clockwise as seen from inside the
// sphere: with longitude to the left, so clockwise in the plane that touches it.
func degrees(vertices []sky.Vec) []float64 {
	var sum sky.Vec
	for i, v := range vertices {
		sum = sum.Add(v.Cross(vertices[(i+1)%len(vertices)]))
	}
	values := make([]float64, 0, 2*len(vertices))
	for i := range vertices {
		v := vertices[i]
		if sum.Dot(vertices[0]) > 0 {
			v = vertices[(len(vertices)-i)%len(vertices)]
		}
		ra, dec := v.Degrees()
		values = append(values, ra, dec)
	}
	return values
}
