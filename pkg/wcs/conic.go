package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// conic is what the conic projections share: Paper II, section 5.4. A parallel at
// latitude θ is an arc of radius R(θ) around (0, y0), and longitude turns by c times
// itself.
type conic struct {
	thetaA, eta float64 // middle latitude and half distance of the standard parallels, radians
	c, y0       float64
}

func (k *conic) theta0() float64 { return k.thetaA / sky.Degree }

// parseConic reads the standard parallels; θ1 and θ2 are in radians.
func parseConic(p *params) (k conic, theta1, theta2 float64, err error) {
	middle, given := p.lat[1]
	half := p.get(2, 0)
	if !given || !(math.Abs(middle) <= 90) || !(math.Abs(half) < 90) {
		return k, 0, 0, p.bad("PV%d_1 = %g, PV%d_2 = %g: want the latitude of the middle parallel, between -90 and 90, and half the distance of the standard ones", p.latAxis, middle, p.latAxis, half)
	}
	k.thetaA, k.eta = middle*sky.Degree, half*sky.Degree
	return k, k.thetaA - k.eta, k.thetaA + k.eta, nil
}

// check returns p with an error if the constants of the cone are no numbers, as for
// parallels symmetric to the equator.
func (k *conic) check(p *params, proj projection) (projection, error) {
	if k.c == 0 || math.IsNaN(k.c+k.y0) || math.IsInf(k.c+k.y0, 0) {
		return nil, p.bad("PV%d_1 = %g, PV%d_2 = %g make no cone", p.latAxis, p.get(1, 0), p.latAxis, p.get(2, 0))
	}
	return proj, nil
}

// polar returns the radius, negative for a southern cone, and the native longitude.
func (k *conic) polar(x, y float64) (r, phi float64) {
	dy := k.y0 - y
	r = math.Copysign(math.Hypot(x, dy), k.thetaA)
	if r == 0 {
		return 0, 0
	}
	return r, math.Atan2(x/r, dy/r) / k.c
}

func (k *conic) point(v sky.Vec, r float64) (x, y float64) {
	sin, cos := math.Sincos(k.c * math.Atan2(v.Y, v.X))
	return r * sin, k.y0 - r*cos
}
