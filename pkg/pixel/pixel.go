// Package pixel holds boxes of pixels in any number of dimensions.
//
// Axes are in FITS order: axis 0 here is NAXIS1, the one that varies fastest.
// Positions count from zero and boxes are half-open, [Min, Max). FITS text counts from
// one and includes both ends; [Box.String] writes that form.
package pixel

import (
	"math/bits"
	"slices"
	"strconv"
)

// Box is a box of pixels: along axis i the positions Min[i] to Max[i]-1, from zero.
type Box struct{ Min, Max []int64 }

// Whole returns the box of all pixels of an image with the given shape.
func Whole(shape []int64) Box {
	return Box{Min: make([]int64, len(shape)), Max: slices.Clone(shape)}
}

// Axes returns the number of axes.
func (b Box) Axes() int { return len(b.Min) }

// Size returns the number of pixels along an axis.
func (b Box) Size(axis int) int64 { return b.Max[axis] - b.Min[axis] }

// Shape returns the number of pixels along each axis.
func (b Box) Shape() []int64 {
	shape := make([]int64, len(b.Min))
	for i := range shape {
		shape[i] = b.Size(i)
	}
	return shape
}

// Empty reports whether the box holds no pixel.
func (b Box) Empty() bool {
	for i := range b.Min {
		if b.Max[i] <= b.Min[i] {
			return true
		}
	}
	return len(b.Min) == 0
}

// Clone returns a copy that shares nothing with b.
func (b Box) Clone() Box { return Box{slices.Clone(b.Min), slices.Clone(b.Max)} }

// Inside reports whether the box lies within an image of the given shape.
func (b Box) Inside(shape []int64) bool {
	if len(b.Min) != len(shape) {
		return false
	}
	for i := range shape {
		if b.Min[i] < 0 || b.Max[i] > shape[i] || b.Min[i] > b.Max[i] {
			return false
		}
	}
	return true
}

// Bytes returns the size of the box in bytes at size bytes per pixel; ok is false if it
// overflows. Sides must not be negative.
func (b Box) Bytes(size int64) (n int64, ok bool) {
	n, ok = size, size >= 0
	for axis := range b.Min {
		if n, ok = Product(n, b.Size(axis)); !ok {
			return 0, false
		}
	}
	return n, ok
}

// Product returns the product of factors that are not negative; ok is false if one is
// negative or the product overflows an int64.
func Product(factors ...int64) (n int64, ok bool) {
	n = 1
	for _, f := range factors {
		if f < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(uint64(n), uint64(f))
		if hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		n = int64(lo)
	}
	return n, true
}

// String writes the box as CFITSIO's image sections do, [x1:x2,y1:y2], from one, with
// both ends included.
func (b Box) String() string {
	s := make([]byte, 1, 64)
	s[0] = '['
	for i := range b.Min {
		if i > 0 {
			s = append(s, ',')
		}
		s = strconv.AppendInt(s, b.Min[i]+1, 10)
		s = append(s, ':')
		s = strconv.AppendInt(s, b.Max[i], 10)
	}
	return string(append(s, ']'))
}
