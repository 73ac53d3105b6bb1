package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// azp is the zenithal perspective projection: Paper II, section 5.1.1. The point of
// projection is mu radii from the centre, and the plane is tilted by gamma.
type azp struct {
	zenithal
	mu, sin, cos float64 // sine and cosine of gamma
}

func newAZP(p params) (projection, error) {
	a := azp{mu: p.get(1, 0)}
	a.sin, a.cos = sincosd(p.get(2, 0))
	if a.mu == -1 || a.cos == 0 {
		return nil, p.bad("PV%d_1 = %g, PV%d_2 = %g: want a point of projection off the plane, and a plane that is not seen edge-on", p.latAxis, a.mu, p.latAxis, p.get(2, 0))
	}
	return a, nil
}

func (p azp) sphere(x, y float64) (sky.Vec, bool) {
	yc := y * p.cos
	r := math.Hypot(x, yc)
	if r == 0 {
		return sky.Vec{Z: 1}, true
	}
	s := r / (p.mu + 1 + y*p.sin)
	t := s * p.mu / math.Sqrt(1+s*s)
	if math.Abs(t) > 1 {
		if math.Abs(t) > 1+1e-13 {
			return sky.Vec{}, false
		}
		t = math.Copysign(1, t)
	}
	psi, omega := math.Atan2(1, s), math.Asin(t)
	a, b := psi-omega, psi+omega+math.Pi // equation 25: of the two, the nearer to the pole
	if a > math.Pi/2 {
		a -= 2 * math.Pi
	}
	if b > math.Pi/2 {
		b -= 2 * math.Pi
	}
	theta := max(a, b)
	sin, cos := math.Sincos(theta)
	return around(x, yc, r, cos, sin), math.Abs(theta) <= math.Pi/2+rim
}

func (p azp) plane(v sky.Vec) (x, y float64, ok bool) {
	t := p.mu + v.Z + v.X*p.sin/p.cos
	k := (p.mu + 1) / t
	switch {
	case t == 0:
		return 0, 0, false
	case math.Abs(p.mu) > 1 && v.Z < -1/p.mu: // another direction lies before it
		return 0, 0, false
	case math.Abs(p.mu*p.cos) < 1 && t < 0: // behind the point of projection
		return 0, 0, false
	}
	return k * v.Y, -k * v.X / p.cos, true
}
