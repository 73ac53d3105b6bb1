package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// tpv is TAN of a plane that a polynomial of degree 7 has distorted, as in the FITS
// registry of conventions (TPV). Its coefficients are for degrees, whether these come from
// CD or, what the convention does not know, from PC and CDELT.
type tpv struct {
	tan
	lon, lat branch
}

// branch is one of the two polynomials in (x, y); the one for latitude takes (y, x).
type branch struct {
	even   poly       // whole powers of x and y
	radial [4]float64 // coefficients of r, r³, r⁵, r⁷
	curved bool       // any radial term
}

// radialTerm lists the m of PVi_m that multiply r, r³, r⁵, r⁷.
var radialTerm = map[int]int{3: 0, 11: 1, 23: 2, 39: 3}

func newTPV(p params) (projection, error) {
	t := new(tpv)
	for _, b := range []struct {
		to   *branch
		pv   map[int]float64
		axis int
	}{{&t.lon, p.lon, p.lonAxis}, {&t.lat, p.lat, p.latAxis}} {
		*b.to = branch{even: newPoly(7)}
		b.to.even.set(1, 0, 1)
		m := 0
		for degree := range 8 {
			for j := range degree + 1 {
				if v, ok := b.pv[m]; ok {
					b.to.even.set(degree-j, j, v)
				}
				m++
			}
			if k, ok := radialTerm[m]; ok {
				b.to.radial[k] = b.pv[m]
				b.to.curved = b.to.curved || b.pv[m] != 0
				m++
			}
		}
		for m := range b.pv {
			if m > 39 {
				return nil, fault.New(fault.Corrupt, "wcs.Parse", "PV%d_%d: the TPV distortion ends at PV%d_39", b.axis, m, b.axis)
			}
		}
	}
	return t, nil
}

func (b *branch) gradient(x, y float64) (f, fx, fy float64) {
	f, fx, fy = b.even.gradient(x, y)
	if !b.curved {
		return f, fx, fy
	}
	r := math.Hypot(x, y)
	if r == 0 {
		return f, fx + b.radial[0], fy + b.radial[0]
	}
	q := r * r
	g := b.radial
	f += r * (g[0] + q*(g[1]+q*(g[2]+q*g[3])))
	slope := (g[0] + q*(3*g[1]+q*(5*g[2]+q*7*g[3]))) / r
	return f, fx + slope*x, fy + slope*y
}

func (t *tpv) gradient(x, y float64) (u, ux, uy, v, vx, vy float64) {
	u, ux, uy = t.lon.gradient(x, y)
	v, vy, vx = t.lat.gradient(y, x)
	return u, ux, uy, v, vx, vy
}

func (t *tpv) sphere(x, y float64) (sky.Vec, bool) {
	x, _, _, y, _, _ = t.gradient(x/sky.Degree, y/sky.Degree)
	return t.tan.sphere(x*sky.Degree, y*sky.Degree)
}

func (t *tpv) plane(v sky.Vec) (x, y float64, ok bool) {
	if x, y, ok = t.tan.plane(v); !ok {
		return 0, 0, false
	}
	x, y = x/sky.Degree, y/sky.Degree
	x, y, ok = newton(t, x, y, x, y, 1e-15)
	return x * sky.Degree, y * sky.Degree, ok
}
