package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// xph is the butterfly, HEALPix around a pole: Calabretta & Lowe 2013, PASA 30, e050. The
// quadrants of longitude are four HEALPix facets, each turned by 45 degrees.
type xph struct{ zenithal }

func newXPH(params) (projection, error) { return xph{}, nil }

func (xph) sphere(x, y float64) (v sky.Vec, ok bool) {
	const quarter, tolerance = math.Pi / 4, 1e-12 * sky.Degree
	x, y = x/math.Sqrt2, y/math.Sqrt2
	// (xi, eta) on the facet: from its middle meridian and from the near pole.
	var xi, eta, west float64
	switch {
	case x <= 0 && y > 0:
		xi, eta, west = -x-y, x-y, -math.Pi
	case x < 0:
		xi, eta, west = x-y, x+y, -math.Pi/2
	case y < 0:
		xi, eta, west = x+y, y-x, 0
	default:
		xi, eta, west = y-x, -x-y, math.Pi/2
	}
	phi := west + quarter + xi
	eta += 2 * quarter // now from the equator
	var sin, cos float64
	if math.Abs(eta) <= quarter {
		if math.Abs(xi) > quarter+tolerance {
			return v, false
		}
		sin = eta / (1.5 * quarter)
		cos = math.Sqrt((1 - sin) * (1 + sin))
	} else {
		sigma := 2 - math.Abs(eta)/quarter
		if sigma < 0 || eta < 0 && math.Abs(xi) > sigma*quarter+tolerance {
			return v, false
		}
		if sigma > 0 {
			phi = west + quarter + xi/sigma
		}
		q := sigma * sigma / 3 // 1 − |sin θ|
		sin, cos = math.Copysign(1-q, eta), math.Sqrt(q*(2-q))
	}
	if !(math.Abs(phi) <= math.Pi+rim) {
		return v, false
	}
	sp, cp := math.Sincos(phi)
	return sky.Vec{X: cos * cp, Y: cos * sp, Z: sin}, true
}

func (xph) plane(v sky.Vec) (x, y float64, ok bool) {
	const quarter = math.Pi / 4
	phi := math.Atan2(v.Y, v.X)
	west := math.Pi / 2 * min(math.Floor(phi*2/math.Pi), 1)
	xi, eta := phi-west-quarter, 1.5*quarter*v.Z
	if math.Abs(v.Z) > 2./3 {
		sigma := math.Sqrt(3 * (v.X*v.X + v.Y*v.Y) / (1 + math.Abs(v.Z)))
		xi *= sigma
		eta = math.Copysign(quarter*(2-sigma), v.Z)
	}
	eta -= 2 * quarter
	switch {
	case phi < -math.Pi/2:
		x, y = eta-xi, -xi-eta
	case phi < 0:
		x, y = xi+eta, eta-xi
	case phi < math.Pi/2:
		x, y = xi-eta, xi+eta
	default:
		x, y = -xi-eta, xi-eta
	}
	return x / math.Sqrt2, y / math.Sqrt2, true
}
