package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// qsc is the quadrilateralised spherical cube: Paper II, section 5.6.3.
type qsc struct{ cylindrical }

func newQSC(params) (projection, error) { return qsc{}, nil }

func (qsc) sphere(x, y float64) (d sky.Vec, ok bool) {
	face, u, v, ok := faceAt(x, y)
	if !ok {
		return d, false
	}
	steep := math.Abs(v) >= math.Abs(u) // then the roles change
	if steep {
		u, v = v, u
	}
	if u == 0 {
		return faceVec(face, 0, 0, 1), true
	}
	sin, cos := math.Sincos(v / u * math.Pi / 12)
	omega := sin / (cos - math.Sqrt2/2)
	t := 1 + omega*omega
	depth := u * u * (1 - 1/math.Sqrt(1+t)) // 1 − ζ
	xi := math.Copysign(math.Sqrt(depth*(2-depth)/t), u)
	eta := xi * omega
	if steep {
		xi, eta = eta, xi
	}
	return faceVec(face, xi, eta, 1-depth), depth <= 2
}

func (qsc) plane(d sky.Vec) (x, y float64, ok bool) {
	face, xi, eta, zeta := faceOf(d)
	steep := math.Abs(eta) >= math.Abs(xi)
	if steep {
		xi, eta = eta, xi
	}
	if xi == 0 {
		return facePoint(face, 0, 0)
	}
	omega := eta / xi
	t := 1 + omega*omega
	depth := xi * xi * t / (1 + zeta) // 1 − ζ, without cancellation
	u := math.Copysign(math.Sqrt(depth/(1-1/math.Sqrt(1+t))), xi)
	v := u * 12 / math.Pi * (math.Atan(omega) - math.Asin(omega/math.Sqrt(2*t)))
	if steep {
		u, v = v, u
	}
	return facePoint(face, u, v)
}
