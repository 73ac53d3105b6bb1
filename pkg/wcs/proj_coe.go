package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// coe is the conic equal-area projection: Paper II, section 5.4.2.
type coe struct {
	conic
	gamma, b float64 // sin θ1 + sin θ2, 1 + sin θ1 sin θ2
}

func newCOE(p params) (projection, error) {
	k, theta1, theta2, err := parseConic(&p)
	if err != nil {
		return nil, err
	}
	s1, s2 := math.Sin(theta1), math.Sin(theta2)
	q := &coe{conic: k, gamma: s1 + s2, b: 1 + s1*s2}
	q.c = q.gamma / 2
	q.y0 = q.radius(math.Sin(k.thetaA))
	return q.check(&p, q)
}

func (p *coe) radius(sin float64) float64 {
	return 2 / p.gamma * math.Sqrt(max(0, p.b-p.gamma*sin))
}

func (p *coe) sphere(x, y float64) (sky.Vec, bool) {
	r, phi := p.polar(x, y)
	s, ok := sine((p.b - r*r*p.c*p.c) / p.gamma)
	if !ok {
		return sky.Vec{}, false
	}
	return native(phi, math.Asin(s))
}

func (p *coe) plane(v sky.Vec) (x, y float64, ok bool) {
	x, y = p.point(v, p.radius(v.Z))
	return x, y, true
}
