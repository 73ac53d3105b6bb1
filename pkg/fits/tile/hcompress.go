package tile

import (
	"encoding/binary"
	"math/bits"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const hcompressHeader = 25 // magic, two sides, scale, sum, bit planes

// decodeHCompress writes all pixels of a tile of HCOMPRESS_1: bit planes of the
// coefficients of an H-transform, coded as quadtrees in four quadrants, then their signs.
// Pixels of 8 and 16 bits are transformed in 32 bits and others in 64, as by CFITSIO.
//
// Source: FITS 4.0, section 10.4.4; White 1992, "High-performance compression of
// astronomical images"; the stream as in STScI's hcompress 1.0 with 64-bit sums.
func decodeHCompress(dst []int32, src []byte, m *Image, p *Pixels) error {
	if m.Bitpix == 8 || m.Bitpix == 16 {
		p.narrow = grow(p.narrow, 2*len(dst))
		return hcompressTile(dst, p.narrow, src, m.Smooth, p)
	}
	p.wide = grow(p.wide, 2*len(dst))
	return hcompressTile(dst, p.wide, src, m.Smooth, p)
}

type integer interface{ int32 | int64 }

// hcompressTile works in scratch, which is twice as long as dst.
func hcompressTile[T integer](dst []int32, scratch []T, src []byte, smooth bool, p *Pixels) error {
	const op = "tile.Decode"
	a, other := scratch[:len(dst)], scratch[len(dst):]
	if len(src) < hcompressHeader || src[0] != 0xdd || src[1] != 0x99 {
		return fault.New(fault.Corrupt, op, "an HCOMPRESS_1 tile of %d bytes does not begin as one, with the bytes dd 99 and a header of %d", len(src), hcompressHeader)
	}
	rows, columns := int64(int32(binary.BigEndian.Uint32(src[2:]))), int64(int32(binary.BigEndian.Uint32(src[6:])))
	scale := int32(binary.BigEndian.Uint32(src[10:]))
	sum := int64(binary.BigEndian.Uint64(src[14:]))
	planes := src[22:25]
	if rows <= 0 || columns <= 0 || rows*columns != int64(len(a)) {
		return fault.New(fault.Corrupt, op, "an HCOMPRESS_1 tile says that it has %d × %d pixels, and has %d", columns, rows, len(a))
	}
	for _, n := range planes {
		if n > 63 {
			return fault.New(fault.Corrupt, op, "an HCOMPRESS_1 tile says that it has %d bit planes; the most are 63", n)
		}
	}
	nx, ny := int(rows), int(columns)
	nx2, ny2 := (nx+1)/2, (ny+1)/2
	clear(a)
	b := bitReader{src: src[hcompressHeader:]}
	for _, quadrant := range []struct{ start, nx, ny, planes int }{
		{0, nx2, ny2, int(planes[0])},
		{ny2, nx2, ny / 2, int(planes[1])},
		{ny * nx2, nx / 2, ny2, int(planes[1])},
		{ny*nx2 + ny2, nx / 2, ny / 2, int(planes[2])},
	} {
		p.codes = grow(p.codes, max(1, (quadrant.nx+1)/2*((quadrant.ny+1)/2)))
		if err := readQuadrant(&b, a[min(quadrant.start, len(a)):], ny, quadrant.nx, quadrant.ny, quadrant.planes, p.codes); err != nil {
			return err
		}
	}
	if b.take(4) != 0 {
		return fault.New(fault.Corrupt, op, "the bit planes of an HCOMPRESS_1 tile do not end where they should")
	}
	b.align()
	for i, v := range a {
		if v != 0 && b.take(1) != 0 {
			a[i] = -v
		}
	}
	if b.over {
		return fault.New(fault.Corrupt, op, "an HCOMPRESS_1 tile ends after %d bytes, before its coefficients do", len(src))
	}
	a[0] = T(sum)
	if scale > 1 {
		for i := range a {
			a[i] *= T(scale)
		}
	}
	var limit T
	if smooth {
		limit = T(scale >> 1)
	}
	for i, v := range invert(a, other, nx, ny, limit) {
		dst[i] = int32(v)
	}
	return nil
}

// huffman maps six bits to a code of four bits (low nibble) and its length (high nibble).
var huffman = func() (table [64]uint8) {
	codes := [16]struct{ bits, length uint }{
		{0x3e, 6}, {0x00, 3}, {0x01, 3}, {0x08, 4}, {0x02, 3}, {0x09, 4}, {0x1a, 5}, {0x1b, 5},
		{0x03, 3}, {0x1c, 5}, {0x0a, 4}, {0x1d, 5}, {0x0b, 4}, {0x1e, 5}, {0x3f, 6}, {0x0c, 4},
	}
	for value, c := range codes {
		first := c.bits << (6 - c.length)
		for i := range uint(1) << (6 - c.length) {
			table[first+i] = uint8(c.length<<4) | uint8(value)
		}
	}
	return table
}()

// takeHuffman reads one code of a quadtree.
func (b *bitReader) takeHuffman() uint8 {
	if b.n < 6 {
		b.refill()
	}
	e := huffman[b.w>>58]
	b.take(uint(e >> 4))
	return e & 15
}

// readQuadrant reads the bit planes of a quadrant of nx rows of ny coefficients; a row of
// the array a has stride of them. codes is scratch for a code of each 2 × 2 of them.
func readQuadrant[T integer](b *bitReader, a []T, stride, nx, ny, planes int, codes []uint8) error {
	const op = "tile.Decode"
	log2n := bits.Len(uint(max(nx, ny, 1) - 1))
	for plane := planes - 1; plane >= 0; plane-- {
		switch format := b.take(4); format {
		case 0: // stored plainly
			for i := range (nx + 1) / 2 * ((ny + 1) / 2) {
				codes[i] = uint8(b.take(4))
			}
		case 15: // as a quadtree
			codes[0] = b.takeHuffman()
			for k := log2n - 1; k > 0; k-- {
				// A side of this level: that of the last one halved k times, rounded up.
				expand(b, codes, (nx-1)>>k+1, (ny-1)>>k+1)
			}
		default:
			return fault.New(fault.Corrupt, op, "a bit plane of an HCOMPRESS_1 tile has the format %d; expected 0 or 15", format)
		}
		if b.over {
			return fault.New(fault.Corrupt, op, "an HCOMPRESS_1 tile ends within its bit planes")
		}
		insert(a, stride, nx, ny, codes, T(1)<<plane)
	}
	return nil
}

// expand makes of each code of a level four bits of the next, which has nx rows of ny,
// and reads a code for each bit that is set.
func expand(b *bitReader, codes []uint8, nx, ny int) {
	halfX, halfY := (nx+1)/2, (ny+1)/2
	// From the end on: what is read lies before what is written.
	for i := halfX - 1; i >= 0; i-- {
		for j := halfY - 1; j >= 0; j-- {
			c := codes[i*halfY+j]
			s := 2*i*ny + 2*j
			odd := 2*j+1 < ny
			if 2*i+1 < nx {
				if odd {
					codes[s+ny+1] = c & 1
				}
				codes[s+ny] = c >> 1 & 1
			}
			if odd {
				codes[s+1] = c >> 2 & 1
			}
			codes[s] = c >> 3 & 1
		}
	}
	for i := nx*ny - 1; i >= 0; i-- {
		if codes[i] != 0 {
			codes[i] = b.takeHuffman()
		}
	}
}

// insert sets the bit of a plane where the codes, one for 2 × 2 coefficients, say so.
func insert[T integer](a []T, stride, nx, ny int, codes []uint8, bit T) {
	halfY := (ny + 1) / 2
	for i := 0; i < nx; i += 2 {
		row := codes[i/2*halfY:][:halfY]
		upper := a[i*stride:][:ny]
		var lower []T
		if i+1 < nx {
			lower = a[(i+1)*stride:][:ny]
		}
		for k, c := range row {
			if c == 0 {
				continue
			}
			j := 2 * k
			upper[j] |= bit * T(c>>3&1)
			if j+1 < ny {
				upper[j+1] |= bit * T(c>>2&1)
			}
			if lower == nil {
				continue
			}
			lower[j] |= bit * T(c>>1&1)
			if j+1 < ny {
				lower[j+1] |= bit * T(c&1)
			}
		}
	}
}
