package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// hpx is HEALPix with h facets in longitude and k in latitude: Calabretta & Roukema 2007,
// MNRAS 381, 865, section 5.
type hpx struct {
	cylindrical
	h, k float64
	even bool // k is even: southern facets are shifted by half of one
}

func newHPX(p params) (projection, error) {
	q := hpx{h: p.get(1, 4), k: p.get(2, 3)}
	if !(q.h > 0 && q.h < 1e6 && q.k > 0 && q.k < 1e6) {
		return nil, p.bad("PV%d_1 = %g, PV%d_2 = %g: want numbers of facets", p.latAxis, q.h, p.latAxis, q.k)
	}
	q.even = math.Mod(math.Floor(q.k+0.5), 2) == 0
	return q, nil
}

// middle returns the longitude of the middle of the polar half-facet of longitude or x phi.
func (p hpx) middle(phi float64, south bool) float64 {
	turn := (phi + math.Pi) * p.h / (2 * math.Pi)
	if p.even && south {
		return 2*math.Pi/p.h*math.Floor(turn+0.5) - math.Pi
	}
	return math.Pi/p.h*(2*min(math.Floor(turn), p.h-1)+1) - math.Pi
}

func (p hpx) sphere(x, y float64) (v sky.Vec, ok bool) {
	south := y < 0
	y = math.Abs(y)
	phi := x
	var sin, cos float64
	if y <= math.Pi*(p.k-1)/(2*p.h) {
		sin = y * 2 * p.h / (math.Pi * p.k)
		cos = math.Sqrt((1 - sin) * (1 + sin))
	} else {
		sigma := (p.k+1)/2 - y*p.h/math.Pi
		q := sigma * sigma / p.k // 1 − sin θ
		if sigma < 0 || q > 2 {
			return v, false
		}
		c := p.middle(x, south)
		turn := 0.
		if x != c {
			turn = (x - c) / sigma
		}
		if !(math.Abs(turn) < math.Pi/p.h+1e-12*sky.Degree) {
			return v, false
		}
		phi, sin, cos = c+turn, 1-q, math.Sqrt(q*(2-q))
	}
	if !(math.Abs(phi) <= math.Pi+rim) {
		return v, false
	}
	if south {
		sin = -sin
	}
	sp, cp := math.Sincos(phi)
	return sky.Vec{X: cos * cp, Y: cos * sp, Z: sin}, true
}

func (p hpx) plane(v sky.Vec) (x, y float64, ok bool) {
	phi := math.Atan2(v.Y, v.X)
	if math.Abs(v.Z) <= (p.k-1)/p.k {
		return phi, math.Pi * p.k / (2 * p.h) * v.Z, true
	}
	sigma := math.Sqrt(p.k * (v.X*v.X + v.Y*v.Y) / (1 + math.Abs(v.Z)))
	c := p.middle(phi, v.Z < 0)
	return c + (phi-c)*sigma, math.Copysign(math.Pi/p.h*((p.k+1)/2-sigma), v.Z), true
}
