package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// pco is the polyconic projection: Paper II, section 5.5.2.
type pco struct{ cylindrical }

func newPCO(params) (projection, error) { return pco{}, nil }

// sphere solves x² + d² = 2 d cot θ with d = y − θ, times sin θ, for θ between the equator
// and y.
func (pco) sphere(x, y float64) (sky.Vec, bool) {
	if math.Abs(y) < 1e-13 {
		return native(x, 0)
	}
	south := y < 0
	y = math.Abs(y)
	theta, ok := solve(0, 0, min(y, math.Pi/2), func(theta float64) (f, slope float64) {
		sin, cos := math.Sincos(theta)
		d := y - theta
		return (x*x+d*d)*sin - 2*d*cos, (x*x+d*d)*cos + 2*cos
	})
	if !ok {
		return sky.Vec{}, false
	}
	sin, cos := math.Sincos(theta)
	phi := math.Atan2(x*sin, cos-(y-theta)*sin) / sin
	if south {
		theta = -theta
	}
	return native(phi, theta)
}

func (pco) plane(v sky.Vec) (x, y float64, ok bool) {
	phi, theta := angles(v)
	if v.Z == 0 {
		return phi, 0, true
	}
	cot := math.Hypot(v.X, v.Y) / v.Z
	s, c := math.Sincos(phi * v.Z / 2)
	return cot * 2 * s * c, theta + cot*2*s*s, true // 1 − cos ω = 2 sin² (ω/2)
}
