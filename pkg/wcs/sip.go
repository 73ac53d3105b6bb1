package wcs

import (
	"fmt"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// sip is the distortion of Shupe et al. 2005: polynomials in the pixel offsets from CRPIX
// that are added to these. The forward polynomials A and B are the truth. AP and BP, if
// the header has them, only start the search for the inverse.
type sip struct {
	a, b   poly
	guess  bool
	ap, bp poly
}

// parseSIP returns nil for a header without the convention.
func parseSIP(c *cards) (*sip, error) {
	s := new(sip)
	a, err := parseSIPPoly(c, "A", &s.a)
	if err != nil {
		return nil, err
	}
	b, err := parseSIPPoly(c, "B", &s.b)
	if err != nil {
		return nil, err
	}
	if !a && !b {
		return nil, nil
	}
	if a != b {
		return nil, fault.New(fault.Corrupt, "wcs.Parse", "SIP needs A_ORDER and B_ORDER: this header has one of them")
	}
	ap, errA := parseSIPPoly(c, "AP", &s.ap)
	bp, errB := parseSIPPoly(c, "BP", &s.bp)
	s.guess = ap && bp && errA == nil && errB == nil
	return s, nil
}

func parseSIPPoly(c *cards, name string, p *poly) (bool, error) {
	n := c.integer(name+"_ORDER", -1)
	if c.err != nil || n < 0 {
		return false, c.err
	}
	if n > 9 {
		return false, fault.New(fault.Unsupported, "wcs.Parse", "%s_ORDER = %d: SIP polynomials go to order 9", name, n)
	}
	*p = newPoly(int(n))
	for i := range int(n) + 1 {
		for j := range int(n) + 1 - i {
			p.set(i, j, c.float(fmt.Sprintf("%s_%d_%d", name, i, j), 0))
		}
	}
	return true, c.err
}

func (s *sip) apply(u, v float64) (x, y float64) {
	return u + s.a.value(u, v), v + s.b.value(u, v)
}

func (s *sip) gradient(u, v float64) (x, xu, xv, y, yu, yv float64) {
	x, xu, xv = s.a.gradient(u, v)
	y, yu, yv = s.b.gradient(u, v)
	return u + x, 1 + xu, xv, v + y, yu, 1 + yv
}

// invert solves apply(u, v) = (x, y).
func (s *sip) invert(x, y float64) (u, v float64, ok bool) {
	if s.guess {
		if u, v, ok = newton(s, x, y, x+s.ap.value(x, y), y+s.bp.value(x, y), 1e-11); ok {
			return u, v, true
		}
	}
	return newton(s, x, y, x, y, 1e-11)
}
