package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// arc is the zenithal equidistant projection: Paper II, section 5.1.6.
type arc struct{ zenithal }

func newARC(params) (projection, error) { return arc{}, nil }

func (arc) sphere(x, y float64) (sky.Vec, bool) {
	r := math.Hypot(x, y)
	sin, cos := math.Sincos(r)
	return around(x, y, r, sin, cos), r <= math.Pi+rim
}

func (arc) plane(v sky.Vec) (x, y float64, ok bool) {
	x, y = towards(v, math.Atan2(math.Hypot(v.X, v.Y), v.Z))
	return x, y, true
}
