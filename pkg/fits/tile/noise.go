package tile

import (
	"math"
	"math/bits"
	"slices"
)

// spread is what quantising has to know of the values of a tile.
type spread struct {
	good     int     // values that are no NaN
	min, max float64 // of these
	noise    float64 // the least of the estimates by differences of the 2nd, 3rd and 5th order
}

// differences are the absolute differences of one row; memory that is used again.
type differences[T float32 | float64] struct {
	second, third, fifth []T
	rows                 [3][]float64 // their medians, of each row
}

// estimate returns the spread of values that stand in rows of width. The noise is that of
// the background: the median over the rows of the median of absolute differences between
// every other pixel, without runs of equal values; NaN is passed over. Rows of fewer than
// nine values are taken together, and fewer than nine in all have no noise.
//
// Source: CFITSIO 4, quantize.c; Stoehr et al. 2008, ST-ECF newsletter 42 (DER_SNR).
func (d *differences[T]) estimate(values []T, width int) spread {
	const least = 9
	if width < least {
		width = len(values)
	}
	s := spread{min: math.Inf(1), max: math.Inf(-1)}
	for i := range d.rows {
		d.rows[i] = d.rows[i][:0]
	}
	for len(values) > 0 {
		row := values[:min(width, len(values))]
		values = values[len(row):]
		d.second, d.third, d.fifth = grow(d.second, len(row))[:0], grow(d.third, len(row))[:0], grow(d.fifth, len(row))[:0]
		d.add(row, &s)
		if len(d.third) == 0 {
			continue
		}
		for i, all := range [...][]T{d.second, d.third, d.fifth} {
			// One difference of the 2nd order counts if there is one of the others only.
			if i > 0 || len(all) > 1 || len(all) == 1 && len(d.third) == 1 {
				d.rows[i] = append(d.rows[i], float64(lowerMedian(all)))
			}
		}
	}
	// The factors make standard deviations of normal noise.
	second, third, fifth := 1.0483579*middle(d.rows[0]), 0.6052697*middle(d.rows[1]), 0.1772048*middle(d.rows[2])
	s.noise = third
	if second != 0 && second < s.noise {
		s.noise = second
	}
	if fifth != 0 && fifth < s.noise {
		s.noise = fifth
	}
	return s
}

// add appends the differences of a row, and counts its values.
func (d *differences[T]) add(row []T, s *spread) {
	var v [9]T // the last values that are no NaN
	n := 0
	low, high := T(math.Inf(1)), T(math.Inf(-1))
	for _, x := range row {
		if x != x {
			continue
		}
		n++
		low, high = min(low, x), max(high, x)
		copy(v[:8], v[1:])
		v[8] = x
		if n < len(v) {
			continue
		}
		if v[4] != v[5] || v[5] != v[6] {
			d.second = append(d.second, abs(v[4]-v[6]))
		}
		if v[2] != v[3] || v[3] != v[4] || v[4] != v[5] || v[5] != v[6] {
			// The conversions forbid fused operations.
			d.third = append(d.third, abs(T(T(2*v[4])-v[2])-v[6]))
			d.fifth = append(d.fifth, abs(T(T(T(T(6*v[4])-T(4*v[2]))-T(4*v[6]))+v[0])+v[8]))
		}
	}
	s.good += n
	if n > 0 {
		s.min, s.max = min(s.min, float64(low)), max(s.max, float64(high))
	}
}

func abs[T float32 | float64](v T) T { return T(math.Abs(float64(v))) }

// lowerMedian returns the element of an unordered slice that would stand in its middle, the
// lower one of two. It changes the order.
func lowerMedian[T float32 | float64](v []T) T {
	low, high, middle := 0, len(v)-1, (len(v)-1)/2
	for steps := 2 * bits.Len(uint(len(v))); low < high; steps-- {
		if steps == 0 { // the pivots are bad: this bounds the time
			slices.Sort(v[low : high+1])
			break
		}
		pivot, i, j := v[(low+high)/2], low, high
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case middle <= j:
			high = j
		case middle >= i:
			low = i
		default:
			return v[middle]
		}
	}
	return v[middle]
}

// middle returns the median of v, the mean of the two in the middle if their number is
// even, and 0 of none. It changes the order.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
