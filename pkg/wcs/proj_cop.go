package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// cop is the conic perspective: Paper II, section 5.4.1.
type cop struct {
	conic
	cosEta, cotA float64
}

func newCOP(p params) (projection, error) {
	k, _, _, err := parseConic(&p)
	if err != nil {
		return nil, err
	}
	q := &cop{conic: k, cosEta: math.Cos(k.eta), cotA: 1 / math.Tan(k.thetaA)}
	q.c = math.Sin(k.thetaA)
	q.y0 = q.cosEta * q.cotA
	return q.check(&p, q)
}

func (p *cop) sphere(x, y float64) (sky.Vec, bool) {
	r, phi := p.polar(x, y)
	return native(phi, p.thetaA+math.Atan(p.cotA-r/p.cosEta))
}

func (p *cop) plane(v sky.Vec) (x, y float64, ok bool) {
	_, theta := angles(v)
	r := p.cosEta * (p.cotA - math.Tan(theta-p.thetaA))
	x, y = p.point(v, r)
	return x, y, r*p.c >= 0
}
