package tile

import "math/bits"

// level is one level of an H-transform: four quadrants of coefficients, each a row of
// stride apart from the next. h0 are the sums of 2 × 2 pixels, hx their differences
// between rows, hy between columns, and hc between diagonals. The level makes rows × columns
// pixels.
type level[T integer] struct {
	h0, hx, hy, hc []T
	stride         int
	rows, columns  int
}

// row returns n values of row i of a quadrant.
func (l *level[T]) row(quadrant []T, i, n int) []T { return quadrant[i*l.stride:][:n] }

// invert returns the image of nx rows of ny pixels whose H-transform is a, in a or other,
// which are equally long and both overwritten. Coefficients are moved towards
// interpolated ones by up to limit, the smoothing.
//
// Source: R. White's hinv, with the rounding that makes it exact for whole numbers.
func invert[T integer](a, other []T, nx, ny int, limit T) []T {
	log2n := bits.Len(uint(max(nx, ny) - 1))
	if log2n == 0 {
		return a
	}
	bit := T(1) << (log2n - 1)
	a[0] = roundTo(a[0], bit<<2)
	for k := log2n - 1; k >= 0; k-- {
		l := level[T]{stride: ny, rows: (nx-1)>>k + 1, columns: (ny-1)>>k + 1}
		x, y := (l.rows+1)/2*ny, (l.columns+1)/2
		l.h0, l.hx, l.hy, l.hc = a, a[min(x, len(a)):], a[min(y, len(a)):], a[min(x+y, len(a)):]
		if limit > 0 {
			l.smooth(limit)
		}
		l.expand(other, bit, k == 0)
		if k == 0 {
			break
		}
		for i := range l.rows {
			copy(l.row(a, i, l.columns), other[i*l.columns:])
		}
		bit >>= 1
	}
	return other
}

// roundTo rounds v to a multiple of unit, a power of two or 0; halves away from zero.
func roundTo[T integer](v, unit T) T {
	half := unit >> 1
	if v < 0 {
		half--
	}
	return (v + half) & -unit
}

// propagate brings the sign's share of a bit into a sum.
func propagate[T integer](h, bit T) T {
	if h >= 0 {
		return h - bit
	}
	return h + bit
}

// expand writes the pixels of a level to dst. Differences are multiples of 2·bit and the
// curvature of bit; the last level divides by four instead of two.
func (l *level[T]) expand(dst []T, bit T, last bool) {
	shift, bit1 := uint(1), bit<<1
	if last {
		shift = 2
	}
	pairs := l.columns / 2
	odd := l.columns%2 == 1
	for i := range l.rows / 2 {
		top := dst[2*i*l.columns:][:l.columns]
		bottom := dst[(2*i+1)*l.columns:][:l.columns]
		r0, rx := l.row(l.h0, i, (l.columns+1)/2), l.row(l.hx, i, (l.columns+1)/2)
		ry, rc := l.row(l.hy, i, pairs), l.row(l.hc, i, pairs)
		for j := range pairs {
			h0, hx, hy, hc := r0[j], roundTo(rx[j], bit1), roundTo(ry[j], bit1), rc[j]
			if !last {
				hc = roundTo(hc, bit)
			}
			low := hc & bit
			hx, hy = propagate(hx, low), propagate(hy, low)
			low1 := (hc ^ hx ^ hy) & bit1
			if h0 < 0 && low == 0 {
				h0 += low1
			} else {
				h0 += low - low1
			}
			top[2*j] = (h0 - hx - hy + hc) >> shift
			top[2*j+1] = (h0 - hx + hy - hc) >> shift
			bottom[2*j] = (h0 + hx - hy - hc) >> shift
			bottom[2*j+1] = (h0 + hx + hy + hc) >> shift
		}
		if odd {
			hx := roundTo(rx[pairs], bit1)
			h0 := propagate(r0[pairs], hx&bit1)
			top[2*pairs] = (h0 - hx) >> shift
			bottom[2*pairs] = (h0 + hx) >> shift
		}
	}
	if l.rows%2 == 0 {
		return
	}
	i := l.rows / 2
	top := dst[2*i*l.columns:][:l.columns]
	r0, ry := l.row(l.h0, i, (l.columns+1)/2), l.row(l.hy, i, pairs)
	for j := range pairs {
		hy := roundTo(ry[j], bit1)
		h0 := propagate(r0[j], hy&bit1)
		top[2*j] = (h0 - hy) >> shift
		top[2*j+1] = (h0 + hy) >> shift
	}
	if odd {
		top[2*pairs] = r0[pairs] >> shift
	}
}

// smooth moves the differences of a level, by up to limit, towards those that would
// interpolate the sums of the neighbours, and never past what keeps the image monotonic.
// Coefficients at the edge stay.
//
// Source: R. White's hsmooth.
func (l *level[T]) smooth(limit T) {
	innerX, innerY := max(0, (l.rows-1)/2), max(0, (l.columns-1)/2)
	halfY := (l.columns + 1) / 2
	for i := 1; i < innerX; i++ {
		before, here, after := l.row(l.h0, i-1, halfY), l.row(l.h0, i, halfY), l.row(l.h0, i+1, halfY)
		hx := l.row(l.hx, i, halfY)
		for j := range hx {
			hx[j] += slope(before[j], here[j], after[j], hx[j], limit)
		}
	}
	for i := range (l.rows + 1) / 2 {
		h0, hy := l.row(l.h0, i, halfY), l.row(l.hy, i, l.columns/2)
		for j := 1; j < innerY; j++ {
			hy[j] += slope(h0[j-1], h0[j], h0[j+1], hy[j], limit)
		}
	}
	for i := 1; i < innerX; i++ {
		before, here, after := l.row(l.h0, i-1, halfY), l.row(l.h0, i, halfY), l.row(l.h0, i+1, halfY)
		hx, hy, hc := l.row(l.hx, i, halfY), l.row(l.hy, i, l.columns/2), l.row(l.hc, i, l.columns/2)
		for j := 1; j < innerY; j++ {
			mm, pm, mp, pp, h0 := before[j-1], after[j-1], before[j+1], after[j+1], here[j]
			x2, y2 := hx[j]<<1, hy[j]<<1
			most := min(max(pp-h0, 0)-x2-y2, max(h0-pm, 0)+x2-y2, max(h0-mp, 0)-x2+y2, max(mm-h0, 0)+x2+y2) << 4
			least := max(min(pp-h0, 0)-x2-y2, min(h0-pm, 0)+x2-y2, min(h0-mp, 0)-x2+y2, min(mm-h0, 0)+x2+y2) << 4
			if least < most {
				hc[j] += change(max(min(pp+mm-mp-pm, most), least), hc[j], 6, limit)
			}
		}
	}
}

// slope returns by how much the difference h, between neighbours with the sums before
// and after, is to change.
func slope[T integer](before, here, after, h, limit T) T {
	most := max(min(after-here, here-before), 0) << 2
	least := min(max(after-here, here-before), 0) << 2
	if least >= most {
		return 0
	}
	return change(max(min(after-before, most), least), h, 3, limit)
}

// change returns wanted/2^shift - h, rounded towards zero and held to ±limit.
func change[T integer](wanted, h T, shift uint, limit T) T {
	s := wanted - h<<shift
	if s < 0 {
		s += 1<<shift - 1
	}
	return max(min(s>>shift, limit), -limit)
}
