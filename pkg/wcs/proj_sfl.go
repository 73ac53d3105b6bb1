package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// sfl is the Sanson-Flamsteed projection: Paper II, section 5.3.1.
type sfl struct{ cylindrical }

func newSFL(params) (projection, error) { return sfl{}, nil }

func (sfl) sphere(x, y float64) (sky.Vec, bool) {
	cos := math.Cos(y)
	if x == 0 {
		return native(0, y)
	}
	return native(x/cos, y)
}

func (sfl) plane(v sky.Vec) (x, y float64, ok bool) {
	phi, theta := angles(v)
	return phi * math.Hypot(v.X, v.Y), theta, true
}

// gls is AIPS's form of SFL: the reference point lies off the equator, and the map is not
// oblique for that: Paper II, section 6.1.4.
type gls struct {
	sfl
	y0 float64 // native latitude of the reference point, radians
}

func newGLS(p params) (projection, error) { return gls{y0: p.lat0 * sky.Degree}, nil }

func (p gls) theta0() float64 { return p.y0 / sky.Degree }

func (p gls) sphere(x, y float64) (sky.Vec, bool) { return p.sfl.sphere(x, y+p.y0) }

func (p gls) plane(v sky.Vec) (x, y float64, ok bool) {
	x, y, ok = p.sfl.plane(v)
	return x, y - p.y0, ok
}
