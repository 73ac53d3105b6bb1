package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// coo is the conic orthomorphic projection: Paper II, section 5.4.4.
type coo struct {
	conic
	psi float64
}

func newCOO(p params) (projection, error) {
	k, theta1, theta2, err := parseConic(&p)
	if err != nil {
		return nil, err
	}
	half := func(theta float64) float64 { return math.Tan((math.Pi/2 - theta) / 2) }
	q := &coo{conic: k}
	q.c = math.Sin(theta1)
	if theta1 != theta2 {
		q.c = math.Log(math.Cos(theta2)/math.Cos(theta1)) / math.Log(half(theta2)/half(theta1))
	}
	q.psi = math.Cos(theta1) / (q.c * math.Pow(half(theta1), q.c))
	q.y0 = q.psi * math.Pow(half(k.thetaA), q.c)
	if q.psi == 0 || math.IsNaN(q.psi) {
		q.c = 0
	}
	return q.check(&p, q)
}

func (p *coo) sphere(x, y float64) (sky.Vec, bool) {
	r, phi := p.polar(x, y)
	if r == 0 {
		return sky.Vec{Z: math.Copysign(1, p.c)}, true
	}
	return native(phi, math.Pi/2-2*math.Atan(math.Pow(r/p.psi, 1/p.c)))
}

func (p *coo) plane(v sky.Vec) (x, y float64, ok bool) {
	h := math.Hypot(v.X, v.Y)
	if h == 0 && v.Z*p.c < 0 { // the pole that is infinitely far
		return 0, 0, false
	}
	half := h / (1 + v.Z) // the tangent of half the polar distance
	if v.Z < 0 {
		half = (1 - v.Z) / h
	}
	x, y = p.point(v, p.psi*math.Pow(half, p.c))
	return x, y, true
}
