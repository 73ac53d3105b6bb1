package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// cyp is the cylindrical perspective: Paper II, section 5.2.1.
type cyp struct {
	cylindrical
	mu, lambda float64
}

func newCYP(p params) (projection, error) {
	c := cyp{mu: p.get(1, 1), lambda: p.get(2, 1)}
	if c.lambda == 0 || c.mu+c.lambda == 0 {
		return nil, p.bad("PV%d_1 = %g, PV%d_2 = %g: want PV%d_2 and their sum other than 0", p.latAxis, c.mu, p.latAxis, c.lambda, p.latAxis)
	}
	return c, nil
}

func (p cyp) sphere(x, y float64) (sky.Vec, bool) {
	eta := y / (p.mu + p.lambda)
	return native(x/p.lambda, math.Atan(eta)+math.Asin(eta*p.mu/math.Sqrt(eta*eta+1)))
}

func (p cyp) plane(v sky.Vec) (x, y float64, ok bool) {
	t := p.mu + math.Hypot(v.X, v.Y)
	return p.lambda * math.Atan2(v.Y, v.X), (p.mu + p.lambda) * v.Z / t, t != 0
}
