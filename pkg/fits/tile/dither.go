package tile

import (
	"encoding/binary"
	"math"
)

// randoms are the numbers that were subtracted by dithering: 10 000 of Park and Miller's
// minimal generator, as float32 values (FITS 4.0, appendix I).
var randoms = func() (r [10_000]float64) {
	const a, m = 16807, 1<<31 - 1
	seed := int64(1)
	for i := range r {
		seed = seed * a % m
		r[i] = float64(float32(float64(seed) / m))
	}
	return r
}()

// zeroValue is the integer that means an exact zero in SUBTRACTIVE_DITHER_2.
const zeroValue = math.MinInt32 + 2

// absent is no int32: a special value that no pixel has.
const absent = math.MaxInt64

// quantum is how the integers of one tile become floating-point values.
type quantum struct {
	scale, zero float64
	blank       int64 // the integer that means NaN, or absent
	exactZero   int64 // the integer that means zero, or absent
	row         int   // of randoms, where the dithering of the tile begins; -1 for none
}

// cursor is a place in the randoms: rows begin one after the other, each at a place that
// its own first number decides, and go to the end (FITS 4.0, section 10.2.1).
type cursor struct{ row, next int }

func cursorAt(row int) cursor {
	return cursor{row, int(float32(randoms[row]) * 500)}
}

// skip moves the cursor on by n pixels.
func (c *cursor) skip(n int) {
	for n >= len(randoms)-c.next {
		n -= len(randoms) - c.next
		*c = cursorAt((c.row + 1) % len(randoms))
	}
	c.next += n
}

// SeedAt returns the ZDITHER0 of an image whose first tile is tile number of m, from 0, and
// whose other tiles follow without a gap. Dithered tiles can be passed on as they are
// under that number only.
func (m *Image) SeedAt(number int64) int {
	return 1 + m.randomRow(number)
}

// randomRow returns where the dithering of a tile begins.
func (m *Image) randomRow(number int64) int {
	return int((int64(m.Seed) - 1 + number%int64(len(randoms))) % int64(len(randoms)))
}

// put writes the values of ints, the first of which is pixel number first of the tile, as
// big-endian float32 (size 4) or float64 (size 8). All arithmetic is in float64, each
// operation rounded by itself, as in CFITSIO: the conversions forbid fused ones.
func (q *quantum) put(dst []byte, ints []int32, first, size int) {
	if q.row < 0 {
		q.putPlain(dst, ints, size)
		return
	}
	c := cursorAt(q.row)
	c.skip(first)
	for len(ints) > 0 {
		n := min(len(ints), len(randoms)-c.next)
		if r := randoms[c.next:][:n]; size == 4 {
			q.putFloat32(dst[:4*n], ints[:n], r)
		} else {
			q.putFloat64(dst[:8*n], ints[:n], r)
		}
		dst, ints = dst[n*size:], ints[n:]
		c.skip(n)
	}
}

// The NaN that CFITSIO writes: all bits are set.
const (
	nan32 = math.MaxUint32
	nan64 = math.MaxUint64
)

func (q *quantum) putFloat32(dst []byte, ints []int32, r []float64) {
	scale, zero, blank, exactZero := q.scale, q.zero, q.blank, q.exactZero
	r = r[:len(ints)]
	for i, v := range ints {
		f := float32(float64((float64(v)-r[i]+0.5)*scale) + zero)
		if int64(v) == blank {
			f = math.Float32frombits(nan32)
		} else if int64(v) == exactZero {
			f = 0
		}
		binary.BigEndian.PutUint32(dst[4*i:4*i+4], math.Float32bits(f))
	}
}

func (q *quantum) putFloat64(dst []byte, ints []int32, r []float64) {
	scale, zero, blank, exactZero := q.scale, q.zero, q.blank, q.exactZero
	r = r[:len(ints)]
	for i, v := range ints {
		f := float64((float64(v)-r[i]+0.5)*scale) + zero
		if int64(v) == blank {
			f = math.Float64frombits(nan64)
		} else if int64(v) == exactZero {
			f = 0
		}
		binary.BigEndian.PutUint64(dst[8*i:8*i+8], math.Float64bits(f))
	}
}

func (q *quantum) putPlain(dst []byte, ints []int32, size int) {
	scale, zero, blank := q.scale, q.zero, q.blank
	if size == 4 {
		for i, v := range ints {
			f := float32(float64(float64(v)*scale) + zero)
			if int64(v) == blank {
				f = math.Float32frombits(nan32)
			}
			binary.BigEndian.PutUint32(dst[4*i:4*i+4], math.Float32bits(f))
		}
		return
	}
	for i, v := range ints {
		f := float64(float64(v)*scale) + zero
		if int64(v) == blank {
			f = math.Float64frombits(nan64)
		}
		binary.BigEndian.PutUint64(dst[8*i:8*i+8], math.Float64bits(f))
	}
}
