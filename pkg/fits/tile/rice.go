package tile

import (
	"encoding/binary"
	"math/bits"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// riceWidth holds what BYTEPIX decides (section 10.4.1): the bits of a block's code, the
// code of a block that is stored plainly, and the bits of a pixel there.
type riceWidth struct {
	bytes  int
	fsBits uint
	fsMax  int
}

// riceWidths holds a row for each legal BYTEPIX.
var riceWidths = [5]riceWidth{1: {1, 3, 6}, 2: {2, 4, 14}, 4: {4, 5, 25}}

// decodeRice writes the first len(dst) pixels of a tile of RICE_1: the first pixel as it
// is, then blocks of differences, each with the number fs of bits that are stored plainly
// behind a unary part. Pixels of one byte are unsigned, others signed.
//
// Source: FITS 4.0, section 10.4.1; Rice, Yeh & Miller 1993; White & Becker's rdecomp.
func decodeRice(dst []int32, src []byte, m *Image, _ *Pixels) error {
	const op = "tile.Decode"
	width := riceWidths[m.bytePix()]
	if len(src) < width.bytes {
		return fault.New(fault.Corrupt, op, "a RICE_1 tile of %d bytes is too short for its first pixel of %d", len(src), width.bytes)
	}
	var last uint32
	for _, b := range src[:width.bytes] {
		last = last<<8 | uint32(b)
	}
	b := bitReader{src: src[width.bytes:]}
	blockSize := m.blockSize()
	for rest := dst; len(rest) > 0; {
		block := rest[:min(blockSize, len(rest))]
		rest = rest[len(block):]
		switch fs := int(b.take(width.fsBits)) - 1; {
		case fs < 0:
			for i := range block {
				block[i] = int32(last)
			}
		case fs == width.fsMax:
			last = b.plainBlock(block, last, uint(8*width.bytes))
		case fs > width.fsMax:
			return fault.New(fault.Corrupt, op, "a RICE_1 tile with BYTEPIX = %d holds the block code %d; the largest is %d", width.bytes, fs+1, width.fsMax+1)
		default:
			last = b.riceBlock(block, last, uint(fs))
		}
		if b.over {
			return fault.New(fault.Corrupt, op, "a RICE_1 tile ends after %d bytes, before its pixels do", len(src))
		}
	}
	// Differences were summed modulo 2^32; a narrower pixel is that sum modulo its range.
	switch width.bytes {
	case 1:
		for i, v := range dst {
			dst[i] = int32(uint8(v))
		}
	case 2:
		for i, v := range dst {
			dst[i] = int32(int16(v))
		}
	}
	return nil
}

// unfold turns 0, 1, 2, 3, … back into 0, -1, 1, -2, …
func unfold(v uint32) uint32 { return v>>1 ^ -(v & 1) }

// plainBlock reads a block of differences of k bits each.
func (b *bitReader) plainBlock(block []int32, last uint32, k uint) uint32 {
	for i := range block {
		last += unfold(b.take(k))
		block[i] = int32(last)
	}
	return last
}

// riceBlock reads a block of differences whose lowest fs bits follow a unary part: z
// zeros and a one.
//
// It takes two pixels from one filling of the window, if they fit and are not near the
// end of src, and works on copies of the reader's fields, which stay in registers. With
// l = 64-z the length of the window as a number, the value is (z-1)·2^fs plus the one bit
// and those behind it.
func (b *bitReader) riceBlock(block []int32, last uint32, fs uint) uint32 {
	fs1 := fs + 1
	for len(block) >= 2 {
		src, pos, w, n := b.src, b.pos, b.w, b.n
		two := block
		for len(two) >= 2 && pos <= len(src)-8 {
			w |= binary.BigEndian.Uint64(src[pos:]) >> (n & 63)
			ahead := pos + int((63-n)>>3)
			full := n | 56

			l0 := uint(bits.Len64(w))
			v0 := (63-l0)<<(fs&63) + uint(w>>((l0-fs1)&63))
			w1 := w << ((fs1 - l0) & 63)
			l1 := uint(bits.Len64(w1))
			v1 := (63-l1)<<(fs&63) + uint(w1>>((l1-fs1)&63))

			used := 128 - (l0 + l1) + 2*fs1
			if used > full {
				break
			}
			w, n, pos = w1<<((fs1-l1)&63), full-used, ahead
			last += unfold(uint32(v0))
			two[0] = int32(last)
			last += unfold(uint32(v1))
			two[1] = int32(last)
			two = two[2:]
		}
		b.pos, b.w, b.n = pos, w, n
		done := len(block) - len(two)
		block = block[done:]
		if len(block) >= 2 {
			last = b.riceSlow(block[:2], last, fs)
			block = block[2:]
		}
	}
	return b.riceSlow(block, last, fs)
}

// riceSlow is riceBlock without haste, for codes of any length.
func (b *bitReader) riceSlow(block []int32, last uint32, fs uint) uint32 {
	for i := range block {
		v := uint32(b.zeros() << fs)
		v |= b.take(fs)
		if b.over {
			break
		}
		last += unfold(v)
		block[i] = int32(last)
	}
	return last
}

// encodeRice appends a tile of RICE_1, choosing fs as CFITSIO does.
func encodeRice(dst []byte, pix []byte, m *Image) ([]byte, error) {
	width := riceWidths[m.bytePix()]
	size := width.bytes
	if m.Bitpix != 8*size {
		return nil, fault.New(fault.Unsupported, "tile.Encode", "RICE_1 with BYTEPIX = %d is written for BITPIX = %d only, and not for %d", size, 8*size, m.Bitpix)
	}
	dst = append(dst, pix[:min(size, len(pix))]...)
	b := bitWriter{dst: dst}
	var last int32
	if len(pix) > 0 {
		last = bigEndianInt(pix, size)
	}
	shift := uint(32 - 8*size) // brings differences modulo the range of a pixel
	folded := make([]uint32, 0, m.blockSize())
	for len(pix) > 0 {
		folded = folded[:0]
		var sum uint64
		for len(pix) > 0 && len(folded) < cap(folded) {
			next := bigEndianInt(pix, size)
			pix = pix[size:]
			d := (next - last) << shift >> shift
			last = next
			v := uint32(d<<1 ^ d>>31)
			folded = append(folded, v)
			sum += uint64(v)
		}
		b.putBlock(folded, sum, width)
	}
	return b.end(), nil
}

// putBlock writes one block of folded differences with the given sum.
func (b *bitWriter) putBlock(folded []uint32, sum uint64, width riceWidth) {
	count := uint64(len(folded))
	var mean uint64
	if least := count/2 + 1; sum > least {
		mean = (sum - least) / count
	}
	fs := bits.Len64(mean >> 1)
	switch {
	case fs >= width.fsMax:
		b.put(uint32(width.fsMax+1), width.fsBits)
		for _, v := range folded {
			b.put(v, uint(8*width.bytes))
		}
	case fs == 0 && sum == 0:
		b.put(0, width.fsBits)
	default:
		b.put(uint32(fs+1), width.fsBits)
		low := uint32(1) << fs
		for _, v := range folded {
			top := uint(v >> fs)
			for ; top >= 16; top -= 16 {
				b.put(0, 16)
			}
			if v = low | v&(low-1); top+uint(fs) < 32 {
				b.put(v, top+uint(fs)+1)
				continue
			}
			b.put(0, top)
			b.put(v, uint(fs)+1)
		}
	}
}

// bigEndianInt reads an integer of 1 (unsigned), 2 or 4 bytes.
func bigEndianInt(p []byte, size int) int32 {
	switch size {
	case 1:
		return int32(p[0])
	case 2:
		return int32(int16(binary.BigEndian.Uint16(p)))
	}
	return int32(binary.BigEndian.Uint32(p))
}
