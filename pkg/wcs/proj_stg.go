package wcs

import (
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// stg is the stereographic projection: Paper II, section 5.1.4.
type stg struct{ zenithal }

func newSTG(params) (projection, error) { return stg{}, nil }

func (stg) sphere(x, y float64) (sky.Vec, bool) {
	q := (x*x + y*y) / 4 // the squared tangent of half the distance
	f := 1 / (1 + q)
	return sky.Vec{X: -y * f, Y: x * f, Z: (1 - q) * f}, true
}

func (stg) plane(v sky.Vec) (x, y float64, ok bool) {
	s := 1 + v.Z
	if v.Z < 0 {
		s = (v.X*v.X + v.Y*v.Y) / (1 - v.Z) // without cancellation
	}
	return 2 * v.Y / s, -2 * v.X / s, s > 0
}
