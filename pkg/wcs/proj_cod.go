package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// cod is the conic equidistant projection: Paper II, section 5.4.3.
type cod struct{ conic }

func newCOD(p params) (projection, error) {
	k, _, _, err := parseConic(&p)
	if err != nil {
		return nil, err
	}
	q := &cod{conic: k}
	q.c, q.y0 = math.Sin(k.thetaA), 1/math.Tan(k.thetaA)
	if k.eta != 0 {
		q.c *= math.Sin(k.eta) / k.eta
		q.y0 *= k.eta / math.Tan(k.eta)
	}
	return q.check(&p, q)
}

func (p *cod) sphere(x, y float64) (sky.Vec, bool) {
	r, phi := p.polar(x, y)
	return native(phi, p.thetaA+p.y0-r)
}

func (p *cod) plane(v sky.Vec) (x, y float64, ok bool) {
	_, theta := angles(v)
	x, y = p.point(v, p.thetaA+p.y0-theta)
	return x, y, true
}
