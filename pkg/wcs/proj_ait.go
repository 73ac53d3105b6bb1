package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// ait is the Hammer-Aitoff projection: Paper II, section 5.3.4.
type ait struct{ cylindrical }

func newAIT(params) (projection, error) { return ait{}, nil }

func (ait) sphere(x, y float64) (v sky.Vec, ok bool) {
	z2 := 1 - x*x/16 - y*y/4
	if z2 < 0.5 {
		if z2 < 0.5-1e-13 {
			return v, false
		}
		z2 = 0.5
	}
	z := math.Sqrt(z2)
	s := y * z // the sine of the latitude
	if math.Abs(s) > 1 {
		if math.Abs(s) > 1+1e-13 {
			return v, false
		}
		s = math.Copysign(1, s)
	}
	phi := 2 * math.Atan2(x*z/2, 2*z2-1)
	sin, cos := math.Sincos(phi)
	c := math.Sqrt((1 - s) * (1 + s))
	return sky.Vec{X: c * cos, Y: c * sin, Z: s}, true
}

func (ait) plane(v sky.Vec) (x, y float64, ok bool) {
	c := math.Hypot(v.X, v.Y)
	sin, cos := math.Sincos(math.Atan2(v.Y, v.X) / 2)
	g := math.Sqrt(2 / (1 + c*cos))
	return 2 * g * c * sin, g * v.Z, true
}
