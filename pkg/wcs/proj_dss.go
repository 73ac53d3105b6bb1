package wcs

import (
	"fmt"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// dss is the plate solution of the Digitized Sky Surveys: TAN around the plate's centre of
// standard coordinates that are polynomials in the place on the plate (the booklet of the
// DSS discs; wcslib's wcspih). It has keywords of its own and no code in CTYPE; as in
// wcslib it goes before a CTYPE in the same header, which only approximates it.
type dss struct {
	tan
	x, y  poly    // millimetres on the plate to arcseconds on the sky; y takes (y, x)
	scale float64 // radians per millimetre: the unit in which the plane is given
}

// isPlate reports whether a header has a plate solution.
func isPlate(c *cards) bool {
	for _, key := range []string{"AMDX1", "AMDY1", "PPO3", "PPO6", "XPIXELSZ", "YPIXELSZ", "PLTRAH", "PLTDECD", "CNPIX1", "CNPIX2"} {
		if _, ok, err := c.h.Float(key); !ok || err != nil {
			return false
		}
	}
	return true
}

// parsePlate sets the linear part and the projection, and returns the celestial position
// of the plate's centre.
func (s *System) parsePlate(c *cards) (center pole, err error) {
	d := &dss{x: plateBranch(c, "AMDX"), y: plateBranch(c, "AMDY"), scale: c.float("AMDX1", 0) * arcsec}
	size := [2]float64{c.float("XPIXELSZ", 0) / 1000, c.float("YPIXELSZ", 0) / 1000} // mm
	origin := [2]float64{c.float("PPO3", 0) / 1000, c.float("PPO6", 0) / 1000}
	for i := range 2 {
		s.crpix[i] = origin[i]/size[i] - c.float(fmt.Sprintf("CNPIX%d", i+1), 0) + 0.5
	}
	if err := s.setMatrix([2][2]float64{{-size[0] * d.scale, 0}, {0, size[1] * d.scale}}); err != nil {
		return pole{}, err
	}
	ra := 15 * (c.float("PLTRAH", 0) + c.float("PLTRAM", 0)/60 + c.float("PLTRAS", 0)/3600)
	dec := c.float("PLTDECD", 0) + c.float("PLTDECM", 0)/60 + c.float("PLTDECS", 0)/3600
	if strings.HasPrefix(c.text("PLTDECSN"), "-") {
		dec = -dec
	}
	if c.err == nil && !(dec >= -90 && dec <= 90) {
		c.fail(fault.New(fault.Corrupt, "wcs.Parse", "PLTDECD = %g: want a declination between -90 and 90", dec))
	}
	s.proj = d
	return pole{lon0: ra, lat0: dec, theta0: 90, lonpole: 180}, c.err
}

// plateBranch reads AMDXm or AMDYm into a polynomial whose first variable is the one
// along the axis.
func plateBranch(c *cards, name string) poly {
	a := func(m int) float64 { return c.float(fmt.Sprintf("%s%d", name, m), 0) }
	p := newPoly(5)
	p.set(0, 0, a(3))
	p.set(1, 0, a(1))
	p.set(0, 1, a(2))
	p.set(2, 0, a(4)+a(7))
	p.set(1, 1, a(5))
	p.set(0, 2, a(6)+a(7))
	p.set(3, 0, a(8)+a(12))
	p.set(2, 1, a(9))
	p.set(1, 2, a(10)+a(12))
	p.set(0, 3, a(11))
	p.set(5, 0, a(13))
	p.set(3, 2, 2*a(13))
	p.set(1, 4, a(13))
	return p
}

func (d *dss) gradient(x, y float64) (u, ux, uy, v, vx, vy float64) {
	u, ux, uy = d.x.gradient(x, y)
	v, vy, vx = d.y.gradient(y, x)
	return u, ux, uy, v, vx, vy
}

func (d *dss) sphere(x, y float64) (sky.Vec, bool) {
	x, _, _, y, _, _ = d.gradient(x/d.scale, y/d.scale)
	return d.tan.sphere(x*arcsec, y*arcsec)
}

func (d *dss) plane(v sky.Vec) (x, y float64, ok bool) {
	if x, y, ok = d.tan.plane(v); !ok {
		return 0, 0, false
	}
	x, y, ok = newton(d, x/arcsec, y/arcsec, x/d.scale, y/d.scale, 1e-12)
	return x * d.scale, y * d.scale, ok
}
