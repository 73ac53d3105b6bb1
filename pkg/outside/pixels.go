package outside

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// SamePixels compares the big-endian pixels of an image with those that CFITSIO gives. NaN is
// NaN, whatever its bits: CFITSIO rewrites those that were stored without loss. The error says
// how many pixels differ, and the first.
func SamePixels(got, want []byte, bitpix int) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d bytes, CFITSIO has %d", len(got), len(want))
	}
	size := max(bitpix, -bitpix) / 8
	wrong, first := 0, -1
	for i := 0; i < len(got); i += size {
		a, b := got[i:i+size], want[i:i+size]
		if bytes.Equal(a, b) || bitpix < 0 && IsNaN(a) && IsNaN(b) {
			continue
		}
		if wrong++; first < 0 {
			first = i / size
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d pixels differ, first number %d: % x, CFITSIO has % x", wrong, len(got)/size, first, got[first*size:][:size], want[first*size:][:size])
	}
	return nil
}

// IsNaN reports whether a pixel of 4 or 8 bytes is not a number.
func IsNaN(p []byte) bool {
	if len(p) == 4 {
		return math.IsNaN(float64(math.Float32frombits(binary.BigEndian.Uint32(p))))
	}
	return math.IsNaN(math.Float64frombits(binary.BigEndian.Uint64(p)))
}
