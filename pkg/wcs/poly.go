package wcs

import "math"

// poly is a polynomial in two variables of total degree n: the sum of c[i·(n+1)+j] uⁱ vʲ.
type poly struct {
	n int
	c []float64
}

func newPoly(n int) poly { return poly{n, make([]float64, (n+1)*(n+1))} }

func (p *poly) set(i, j int, v float64) { p.c[i*(p.n+1)+j] = v }

// value evaluates p by Horner's rule.
func (p *poly) value(u, v float64) float64 {
	var f float64
	for i := p.n; i >= 0; i-- {
		var g float64
		row := p.c[i*(p.n+1):]
		for j := p.n - i; j >= 0; j-- {
			g = g*v + row[j]
		}
		f = f*u + g
	}
	return f
}

// gradient evaluates p and its derivatives with respect to u and v.
func (p *poly) gradient(u, v float64) (f, fu, fv float64) {
	for i := p.n; i >= 0; i-- {
		var g, gv float64
		row := p.c[i*(p.n+1):]
		for j := p.n - i; j >= 0; j-- {
			gv = gv*v + g
			g = g*v + row[j]
		}
		fu = fu*u + f
		f = f*u + g
		fv = fv*u + gv
	}
	return f, fu, fv
}

// A mapping takes a plane to itself and knows its derivatives.
type mapping interface {
	gradient(u, v float64) (x, xu, xv, y, yu, yv float64)
}

// newton finds (u, v) with m(u, v) = (x, y) from a first guess, to within tolerance, in
// the units of u and v. ok is false if it does not converge.
func newton(m mapping, x, y, u, v, tolerance float64) (_, _ float64, ok bool) {
	fx, xu, xv, fy, yu, yv := m.gradient(u, v)
	miss := math.Hypot(x-fx, y-fy)
	for range 60 {
		det := xu*yv - xv*yu
		du := ((x-fx)*yv - (y-fy)*xv) / det
		dv := ((y-fy)*xu - (x-fx)*yu) / det
		if !(math.Abs(du)+math.Abs(dv) < math.MaxFloat64) {
			return 0, 0, false
		}
		if math.Abs(du)+math.Abs(dv) <= tolerance+1e-13*(math.Abs(u)+math.Abs(v)) {
			return u + du, v + dv, true
		}
		// The whole step, or the part of it that comes nearer.
		closer := false
		for range 20 {
			fx, xu, xv, fy, yu, yv = m.gradient(u+du, v+dv)
			if now := math.Hypot(x-fx, y-fy); now < miss {
				u, v, miss, closer = u+du, v+dv, now, true
				break
			}
			du, dv = du/2, dv/2
		}
		if !closer {
			return 0, 0, false
		}
	}
	return 0, 0, false
}
