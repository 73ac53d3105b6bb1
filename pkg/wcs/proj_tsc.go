package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// tsc is the tangential spherical cube: Paper II, section 5.6.1.
type tsc struct{ cylindrical }

func newTSC(params) (projection, error) { return tsc{}, nil }

func (tsc) sphere(x, y float64) (sky.Vec, bool) {
	face, u, v, ok := faceAt(x, y)
	if !ok {
		return sky.Vec{}, false
	}
	zeta := 1 / math.Sqrt(1+u*u+v*v)
	return faceVec(face, u*zeta, v*zeta, zeta), true
}

func (tsc) plane(d sky.Vec) (x, y float64, ok bool) {
	face, xi, eta, zeta := faceOf(d)
	return facePoint(face, xi/zeta, eta/zeta)
}
