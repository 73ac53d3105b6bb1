package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// zpn is the zenithal projection whose radius is a polynomial in the distance from the
// native pole: Paper II, section 5.1.7. It ends where the polynomial stops to grow.
type zpn struct {
	zenithal
	c          []float64
	last, rmax float64 // distance where the growth ends, at most π, and the radius there
}

func newZPN(p params) (projection, error) {
	z := new(zpn)
	for m := range 30 {
		if v := p.get(m, 0); v != 0 {
			z.c = append(z.c, make([]float64, m+1-len(z.c))...)
			z.c[m] = v
		}
	}
	if len(z.c) < 2 {
		return nil, p.bad("PV%d_m are all 0 for m > 0: want a polynomial", p.latAxis)
	}
	if _, slope := z.radius(0); !(slope > 0) {
		return nil, p.bad("PV%d_1 = %g: want more than 0", p.latAxis, slope)
	}
	z.last = math.Pi
	for i := 1; i <= 180; i++ {
		lo, hi := float64(i-1)*sky.Degree, float64(i)*sky.Degree
		if _, slope := z.radius(hi); slope > 0 {
			continue
		}
		for range 60 {
			mid := (lo + hi) / 2
			if _, slope := z.radius(mid); slope > 0 {
				lo = mid
			} else {
				hi = mid
			}
		}
		z.last = lo
		break
	}
	z.rmax, _ = z.radius(z.last)
	return z, nil
}

// radius returns the polynomial and its derivative.
func (p *zpn) radius(d float64) (r, slope float64) {
	for i := len(p.c) - 1; i >= 0; i-- {
		slope = slope*d + r
		r = r*d + p.c[i]
	}
	return r, slope
}

func (p *zpn) sphere(x, y float64) (sky.Vec, bool) {
	const tolerance = 1e-13
	r := math.Hypot(x, y)
	if r < p.c[0]-tolerance || r > p.rmax+tolerance {
		return sky.Vec{}, false
	}
	d, ok := solve(r, 0, p.last, p.radius)
	sin, cos := math.Sincos(d)
	return around(x, y, r, sin, cos), ok
}

func (p *zpn) plane(v sky.Vec) (x, y float64, ok bool) {
	d := math.Atan2(math.Hypot(v.X, v.Y), v.Z)
	r, _ := p.radius(d)
	x, y = towards(v, r)
	return x, y, d <= p.last
}

// solve returns d in [lo, hi] with f(d) = target, for f that grows there and that returns
// its derivative, too: Newton's method, or a bisection where that would leave the interval.
func solve(target, lo, hi float64, f func(float64) (value, slope float64)) (d float64, ok bool) {
	d = (lo + hi) / 2
	for range 200 {
		value, slope := f(d)
		switch {
		case value < target:
			lo = d
		case value > target:
			hi = d
		default:
			return d, true
		}
		next := d + (target-value)/slope
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if math.Abs(next-d) <= 1e-16*math.Abs(d) || next == d || hi-lo <= 1e-18 {
			return next, true
		}
		d = next
	}
	return d, hi-lo < 1e-13
}
