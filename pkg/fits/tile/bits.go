package tile

import (
	"encoding/binary"
	"math/bits"
)

// bitReader reads bits from the most significant one on. Past the end of src it reads
// zeros and sets over.
type bitReader struct {
	src  []byte
	pos  int    // byte of src that enters the window next
	w    uint64 // window, its first bit on top; bits behind the first n are zero or those of src
	n    uint   // bits of the window that count, at most 63
	over bool
}

// refill brings the window to 56 bits or more, or to the end of src.
func (b *bitReader) refill() {
	if b.pos <= len(b.src)-8 {
		b.w |= binary.BigEndian.Uint64(b.src[b.pos:]) >> (b.n & 63)
		b.pos += int((63 - b.n) >> 3)
		b.n |= 56
		return
	}
	for b.n < 56 && b.pos < len(b.src) {
		b.w |= uint64(b.src[b.pos]) << (56 - b.n)
		b.n += 8
		b.pos++
	}
}

// take reads k bits, 0 to 32.
func (b *bitReader) take(k uint) uint32 {
	if b.n < k {
		if b.refill(); b.n < k {
			b.over = true
			b.w, b.n = 0, 0
			return 0
		}
	}
	v := uint32(b.w >> 1 >> (63 - k))
	b.w <<= k
	b.n -= k
	return v
}

// zeros reads zeros and the one bit behind them, and returns the number of zeros.
func (b *bitReader) zeros() (count uint) {
	for {
		if z := uint(bits.LeadingZeros64(b.w)); z < b.n {
			b.w <<= z + 1
			b.n -= z + 1
			return count + z
		}
		count += b.n
		b.w, b.n = 0, 0
		if b.refill(); b.n == 0 {
			b.over = true
			return count
		}
	}
}

// align skips the rest of a byte that was begun.
func (b *bitReader) align() {
	rest := b.n & 7
	b.w <<= rest
	b.n -= rest
}

// bitWriter appends bits, the most significant one first.
type bitWriter struct {
	dst []byte
	w   uint64 // the bits written last, the last one at the bottom
	n   uint   // bits of w that are not in dst yet; less than 32 between calls
}

// put writes the lowest k bits of v, k at most 32; higher ones must be zero.
func (b *bitWriter) put(v uint32, k uint) {
	b.w = b.w<<(k&63) | uint64(v)
	if b.n += k; b.n >= 32 {
		b.n -= 32
		b.dst = binary.BigEndian.AppendUint32(b.dst, uint32(b.w>>(b.n&63)))
	}
}

// end fills the last byte with zeros and returns all bytes.
func (b *bitWriter) end() []byte {
	for ; b.n >= 8; b.n -= 8 {
		b.dst = append(b.dst, byte(b.w>>(b.n-8)))
	}
	if b.n > 0 {
		b.dst = append(b.dst, byte(b.w<<(8-b.n)))
		b.n = 0
	}
	return b.dst
}
