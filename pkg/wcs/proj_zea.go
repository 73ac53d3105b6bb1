package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// zea is the zenithal equal-area projection: Paper II, section 5.1.8.
type zea struct{ zenithal }

func newZEA(params) (projection, error) { return zea{}, nil }

func (zea) sphere(x, y float64) (sky.Vec, bool) {
	r := math.Hypot(x, y)
	h := r / 2 // the sine of half the distance
	if h > 1 {
		if h > 1+1e-12 {
			return sky.Vec{}, false
		}
		h = 1
	}
	return around(x, y, r, 2*h*math.Sqrt((1-h)*(1+h)), 1-2*h*h), true
}

func (zea) plane(v sky.Vec) (x, y float64, ok bool) {
	if v.Z > 0 {
		f := math.Sqrt(2 / (1 + v.Z))
		return v.Y * f, -v.X * f, true
	}
	x, y = towards(v, math.Sqrt(2*(1-v.Z)))
	return x, y, true
}
