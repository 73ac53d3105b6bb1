package stencil

import (
	"math"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

const sizeValues = "ra dec width height"

// Size is a box in the plane that touches the sphere at its centre.
type Size struct {
	Polygon
	values [4]float64 // as in the text
}

// NewSize returns the box of a width and a height in the plane that touches the sphere at
// (ra, dec), with its upper side to the north; all in degrees. It is the polygon of the
// directions with |ξ| ≤ width/2 and |η| ≤ height/2 in the gnomonic projection (Calabretta &
// Greisen 2002, section 5.1.3), which shows arcs of great circles as straight lines. The
// error is [fault.Usage] unless width and height are more than 0, by more than rounding, and
// at most 180.
func NewSize(ra, dec, width, height float64) (Size, error) {
	if err := CheckDirection(ra, dec, "SIZE"); err != nil {
		return Size{}, err
	}
	for _, side := range []float64{width, height} {
		if !(side > 0 && side <= 180) {
			return Size{}, usage("a side of SIZE is %s: want more than 0 and at most 180 degrees", format(side))
		}
	}
	sa, ca := math.Sincos(ra * sky.Degree)
	sd, cd := math.Sincos(dec * sky.Degree)
	centre := sky.Vec{X: cd * ca, Y: cd * sa, Z: sd}
	east, north := sky.Vec{X: -sa, Y: ca}, sky.Vec{X: -sd * ca, Y: -sd * sa, Z: cd}
	var values []float64
	for _, corner := range [4][2]float64{{1, -1}, {1, 1}, {-1, 1}, {-1, -1}} {
		xi, eta := corner[0]*width/2*sky.Degree, corner[1]*height/2*sky.Degree
		lon, lat := centre.Add(east.Scale(xi)).Add(north.Scale(eta)).Degrees()
		values = append(values, lon, lat)
	}
	p, err := NewPolygon(values...)
	if err != nil {
		return Size{}, usage("SIZE is %s by %s degrees, in which rounding leaves no area: want larger sides", format(width), format(height))
	}
	return Size{p, [4]float64{ra, dec, width, height}}, nil
}

// String returns "SIZE ra dec width height", which is no value of POS: SODA has no such form.
func (s Size) String() string { return text("SIZE", s.values[:]...) }

// ParseSize reads right ascension, declination, width and height in degrees. The error
// is [fault.Usage].
func ParseSize(value string) (Size, error) {
	fields := strings.Fields(value)
	if len(fields) != 4 {
		return Size{}, usage("SIZE has %d values: want 4, %s in degrees", len(fields), sizeValues)
	}
	var v [4]float64
	for i, name := range []string{"the longitude of SIZE", "the latitude of SIZE", "the width of SIZE", "the height of SIZE"} {
		var err error
		if v[i], err = ParseNumber(fields[i], name); err != nil {
			return Size{}, err
		}
	}
	return NewSize(v[0], v[1], v[2], v[3])
}
