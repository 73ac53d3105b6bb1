package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// bon is Bonne's projection: Paper II, section 5.5.1.
type bon struct {
	cylindrical
	theta1, y0 float64
}

func newBON(p params) (projection, error) {
	latitude, given := p.lat[1]
	if !given || !(math.Abs(latitude) <= 90) {
		return nil, p.bad("PV%d_1 = %g: want a latitude between -90 and 90", p.latAxis, latitude)
	}
	if latitude == 0 {
		return sfl{}, nil
	}
	theta1 := latitude * sky.Degree
	return bon{theta1: theta1, y0: 1/math.Tan(theta1) + theta1}, nil
}

func (p bon) sphere(x, y float64) (sky.Vec, bool) {
	dy := p.y0 - y
	r := math.Copysign(math.Hypot(x, dy), p.theta1)
	theta := p.y0 - r
	if x == 0 || r == 0 {
		return native(0, theta)
	}
	return native(math.Atan2(x/r, dy/r)*r/math.Cos(theta), theta)
}

func (p bon) plane(v sky.Vec) (x, y float64, ok bool) {
	phi, theta := angles(v)
	r := p.y0 - theta
	if r == 0 { // the pole of a map around it
		return 0, p.y0, true
	}
	sin, cos := math.Sincos(phi * math.Hypot(v.X, v.Y) / r)
	return r * sin, p.y0 - r*cos, true
}
