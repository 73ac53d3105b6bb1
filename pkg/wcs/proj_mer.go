package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// mer is Mercator's projection: Paper II, section 5.2.4.
type mer struct{ cylindrical }

func newMER(params) (projection, error) { return mer{}, nil }

func (mer) sphere(x, y float64) (sky.Vec, bool) { return native(x, math.Atan(math.Sinh(y))) }

func (mer) plane(v sky.Vec) (x, y float64, ok bool) {
	h := math.Hypot(v.X, v.Y)
	return math.Atan2(v.Y, v.X), math.Asinh(v.Z / h), h > 0
}
