package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// tan is the gnomonic projection: Paper II, section 5.1.3.
type tan struct{ zenithal }

// newTAN returns TPV if the longitude axis has a PVi_m with m > 4, which mean nothing else:
// SCAMP wrote its distortions under the code TAN before TPV was registered. Other
// parameters mean what they do for any projection, as in wcslib.
func newTAN(p params) (projection, error) {
	for m := range p.lon {
		if m > 4 {
			return newTPV(p)
		}
	}
	return tan{}, nil
}

func (tan) sphere(x, y float64) (sky.Vec, bool) {
	n := 1 / math.Sqrt(1+x*x+y*y)
	return sky.Vec{X: -y * n, Y: x * n, Z: n}, true
}

func (tan) plane(v sky.Vec) (x, y float64, ok bool) {
	return v.Y / v.Z, -v.X / v.Z, v.Z > 0
}
