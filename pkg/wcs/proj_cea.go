package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// cea is the cylindrical equal-area projection: Paper II, section 5.2.2.
type cea struct {
	cylindrical
	lambda float64
}

func newCEA(p params) (projection, error) {
	lambda := p.get(1, 1)
	if !(lambda > 0 && lambda <= 1) {
		return nil, p.bad("PV%d_1 = %g: want more than 0, and at most 1", p.latAxis, lambda)
	}
	return cea{lambda: lambda}, nil
}

func (p cea) sphere(x, y float64) (sky.Vec, bool) {
	s, ok := sine(y * p.lambda)
	if !ok {
		return sky.Vec{}, false
	}
	return native(x, math.Asin(s))
}

func (p cea) plane(v sky.Vec) (x, y float64, ok bool) {
	return math.Atan2(v.Y, v.X), v.Z / p.lambda, true
}
