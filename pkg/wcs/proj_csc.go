package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// csc is the COBE quadrilateralised spherical cube: Paper II, section 5.6.2. Its two
// directions are separate fits there, which disagree by some arcseconds. The fit from the
// plane to the sphere is taken as the truth and the other direction is its inverse.
type csc struct{ cylindrical }

func newCSC(params) (projection, error) { return csc{}, nil }

// cscFit holds the polynomial in (X², Y²) of equation 177: P_ij stands in row i.
var cscFit = poly{6, []float64{
	-0.27292696, -0.02819452, 0.27058160, -0.60441560, 0.93412077, -0.63915306, 0.14381585,
	-0.07629969, -0.01471565, -0.56800938, 1.50880086, -1.41601920, 0.52032238, 0,
	-0.22797056, 0.48051509, 0.30803317, -0.93678576, 0.33887446, 0, 0,
	0.54852384, -1.74114454, 0.98938102, 0.08693841, 0, 0, 0,
	-0.62930065, 1.71547508, -0.83180469, 0, 0, 0, 0,
	0.25795794, -0.53022337, 0, 0, 0, 0, 0,
	0.02584375, 0, 0, 0, 0, 0, 0,
}}

// cscBend returns χ(X, Y) = X + X (1 − X²) P(X², Y²) and its derivatives. ψ is χ(Y, X).
func cscBend(x, y float64) (f, fx, fy float64) {
	xx := x * x
	p, pu, pv := cscFit.gradient(xx, y*y)
	return x + x*(1-xx)*p, 1 + (1-3*xx)*p + 2*xx*(1-xx)*pu, 2 * x * y * (1 - xx) * pv
}

func (csc) gradient(x, y float64) (u, ux, uy, v, vx, vy float64) {
	u, ux, uy = cscBend(x, y)
	v, vy, vx = cscBend(y, x)
	return u, ux, uy, v, vx, vy
}

func (p csc) sphere(x, y float64) (sky.Vec, bool) {
	face, x, y, ok := faceAt(x, y)
	if !ok {
		return sky.Vec{}, false
	}
	u, _, _, v, _, _ := p.gradient(x, y)
	zeta := 1 / math.Sqrt(1+u*u+v*v)
	return faceVec(face, u*zeta, v*zeta, zeta), true
}

func (p csc) plane(d sky.Vec) (x, y float64, ok bool) {
	face, xi, eta, zeta := faceOf(d)
	u, v := xi/zeta, eta/zeta
	if x, y, ok = newton(p, u, v, u, v, 1e-14); !ok {
		return 0, 0, false
	}
	return facePoint(face, x, y)
}
