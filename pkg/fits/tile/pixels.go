package tile

import (
	"encoding/binary"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Pixels are the first pixels of a decoded tile. The zero Pixels is empty; decoding again
// uses its memory again. While nothing is decoded into it, it is safe for concurrent use.
type Pixels struct {
	n       int // pixels decoded
	size    int // bytes of a pixel as copied
	bitpix  int
	isRaw   bool    // raw holds them, else ints
	raw     []byte  // n elements of size bytes, big-endian
	planes  int     // if positive, bytes of equal weight stand together in raw, so many of each but the last
	ints    []int32 // n integers
	quantum quantum
	scaled  bool // ints are quantised by quantum

	shuffled []byte  // scratch of GZIP_2
	codes    []uint8 // scratch of HCOMPRESS_1
	narrow   []int32
	wide     []int64
}

// grow returns a slice of length n, s itself if it has room. Its content is undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Len returns the number of pixels.
func (p *Pixels) Len() int { return p.n }

// Memory returns the number of bytes that p holds on to, scratch included.
func (p *Pixels) Memory() int {
	return cap(p.raw) + cap(p.shuffled) + cap(p.codes) + 4*(cap(p.ints)+cap(p.narrow)) + 8*cap(p.wide)
}

// Trim gives back the scratch of decoding and keeps the pixels, for a cache.
func (p *Pixels) Trim() {
	p.shuffled, p.codes, p.narrow, p.wide = nil, nil, nil, nil
	if p.isRaw {
		p.ints = nil
	} else {
		p.raw = nil
	}
}

// Copy writes to dst the pixels from number first on, as many as dst has room for, as the
// big-endian values of BITPIX. Integers that an inexact algorithm made too large for
// BITPIX become its largest or smallest value; CFITSIO refuses such images.
//
// The error is [fault.Usage] if these pixels are not among the decoded ones, or if dst
// ends within a pixel.
func (p *Pixels) Copy(dst []byte, first int) error {
	n := 0
	if p.size > 0 {
		n = len(dst) / p.size
	}
	if n*p.size != len(dst) || first < 0 || first > p.n-n {
		return fault.New(fault.Usage, "tile.Copy", "%d bytes from pixel %d on are wanted of %d pixels of %d bytes", len(dst), first, p.n, p.size)
	}
	if p.isRaw && p.planes > 0 {
		unshuffle(dst, p.raw[first:], p.planes, p.size)
		return nil
	}
	if p.isRaw {
		copy(dst, p.raw[first*p.size:])
		return nil
	}
	ints := p.ints[first : first+n]
	if p.scaled {
		p.quantum.put(dst, ints, first, p.size)
		return nil
	}
	switch p.bitpix {
	case 8:
		for i, v := range ints {
			dst[i] = uint8(max(0, min(v, math.MaxUint8)))
		}
	case 16:
		for i, v := range ints {
			binary.BigEndian.PutUint16(dst[2*i:2*i+2], uint16(max(math.MinInt16, min(v, math.MaxInt16))))
		}
	default:
		for i, v := range ints {
			binary.BigEndian.PutUint32(dst[4*i:4*i+4], uint32(v))
		}
	}
	return nil
}
