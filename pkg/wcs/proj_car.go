package wcs

import "github.com/seltzer-soda/seltzer/pkg/sky"

// car is the plate carrée: Paper II, section 5.2.3.
type car struct{ cylindrical }

func newCAR(params) (projection, error) { return car{}, nil }

func (car) sphere(x, y float64) (sky.Vec, bool) { return native(x, y) }

func (car) plane(v sky.Vec) (x, y float64, ok bool) {
	x, y = angles(v)
	return x, y, true
}
