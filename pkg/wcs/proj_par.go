package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// par is the parabolic projection: Paper II, section 5.3.2.
type par struct{ cylindrical }

func newPAR(params) (projection, error) { return par{}, nil }

func (par) sphere(x, y float64) (sky.Vec, bool) {
	s := y / math.Pi
	if !(math.Abs(s) <= 1) {
		return sky.Vec{}, false
	}
	theta := 3 * math.Asin(s)
	if x == 0 {
		return native(0, theta)
	}
	return native(x/(1-4*s*s), theta)
}

func (par) plane(v sky.Vec) (x, y float64, ok bool) {
	phi, theta := angles(v)
	s := math.Sin(theta / 3)
	return phi * (1 - 4*s*s), math.Pi * s, true
}
