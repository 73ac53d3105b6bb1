package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// szp is the slant zenithal perspective: Paper II, section 5.1.2. (px, py, pz) is the point
// of projection from the plane's tangent point, equations 30 to 32.
type szp struct {
	zenithal
	mu, px, py, pz float64
}

func newSZP(p params) (projection, error) {
	mu, phi, theta := p.get(1, 0), p.get(2, 0), p.get(3, 90)
	sp, cp := sincosd(phi)
	st, ct := sincosd(theta)
	s := szp{mu: mu, px: -mu * ct * sp, py: mu * ct * cp, pz: mu*st + 1}
	if s.pz == 0 {
		return nil, p.bad("PV%d_1 = %g, PV%d_3 = %g: want a point of projection off the plane", p.latAxis, mu, p.latAxis, theta)
	}
	return s, nil
}

func (p szp) sphere(x, y float64) (v sky.Vec, ok bool) {
	return nearSide(x, y, (x-p.px)/p.pz, (y-p.py)/p.pz)
}

func (p szp) plane(v sky.Vec) (x, y float64, ok bool) {
	s := 1 - v.Z
	if v.Z > 0 {
		s = (v.X*v.X + v.Y*v.Y) / (1 + v.Z)
	}
	t := p.pz - s
	switch {
	case t == 0:
		return 0, 0, false
	case math.Abs(p.pz-1) < 1 && t < 0: // behind the point of projection
		return 0, 0, false
	}
	// v along the line from the centre to the point of projection: past 1, another
	// direction lies before it.
	if along := p.px*v.Y - p.py*v.X - (p.pz-1)*v.Z; p.mu > 1 && along > 1 || p.mu < -1 && along < 1 {
		return 0, 0, false
	}
	return (p.pz*v.Y - p.px*s) / t, -(p.pz*v.X + p.py*s) / t, true
}
