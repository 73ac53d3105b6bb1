package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// air is Airy's projection: Paper II, section 5.1.9. w is its constant, equation 76:
// ln(cos ξb) / tan² ξb.
type air struct {
	zenithal
	w float64
}

func newAIR(p params) (projection, error) {
	latitude := p.get(1, 90)
	if !(latitude > -90 && latitude <= 90) {
		return nil, p.bad("PV%d_1 = %g: want more than -90, and at most 90", p.latAxis, latitude)
	}
	if latitude == 90 {
		return air{w: -0.5}, nil
	}
	_, cos := math.Sincos((90 - latitude) / 2 * sky.Degree)
	return air{w: math.Log(cos) * cos * cos / ((1 - cos) * (1 + cos))}, nil
}

// radius returns the distance on the plane, and its derivative, for half the distance xi
// from the native pole.
func (p air) radius(xi float64) (r, slope float64) {
	if xi < 1e-4 { // ln(cos ξ) / tan ξ = −ξ/2 + ξ³/12 + …
		return 2 * xi * (0.5 - p.w - xi*xi*(1./12+p.w/3)), 1 - 2*p.w - xi*xi*(0.5+2*p.w)
	}
	sin, cos := math.Sincos(xi)
	h := math.Sin(xi / 2)
	log := math.Log1p(-2 * h * h) // of cos ξ
	return -2 * (log*cos/sin + p.w*sin/cos), 2 * (1 + log/(sin*sin) - p.w/(cos*cos))
}

func (p air) sphere(x, y float64) (sky.Vec, bool) {
	r := math.Hypot(x, y)
	// wcslib looks no nearer to the antipode than this.
	xi, ok := solve(r, 0, math.Acos(0x1p-30), p.radius)
	if far, _ := p.radius(math.Acos(0x1p-30)); r > far {
		ok = false
	}
	sin, cos := math.Sincos(2 * xi)
	return around(x, y, r, sin, cos), ok
}

func (p air) plane(v sky.Vec) (x, y float64, ok bool) {
	h := math.Hypot(v.X, v.Y)
	r, _ := p.radius(math.Atan2(h, v.Z) / 2)
	x, y = towards(v, r)
	return x, y, h > 0 || v.Z > 0
}
