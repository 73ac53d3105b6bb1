package tile

import (
	"encoding/binary"
	"errors"
)

// inflater decodes deflate (RFC 1951) from one slice into another whose size is known. A
// reader of streams, which holds a window of its own and takes a byte at a time, needs 1.4
// times as long for the noise of images: codes of single bytes for the most part.
type inflater struct {
	src []byte
	pos int    // byte of src that enters the window next
	w   uint64 // window, the next bit at the bottom
	n   int    // bits of the window that count; below 0: src ended before

	lengths                    [maxLiterals + maxDistances]uint8 // of the codes of a block
	literals, distances, codes prefixCode
}

const (
	maxLiterals  = 288
	maxDistances = 32
)

var (
	errDeflate   = errors.New("it has a code that means nothing")
	errTruncated = errors.New("it ends too early")
)

// refill brings the window to 56 bits or more, or to the end of src.
func (z *inflater) refill() {
	if z.pos <= len(z.src)-8 {
		z.w |= binary.LittleEndian.Uint64(z.src[z.pos:]) << (z.n & 63)
		z.pos += (63 - z.n) >> 3
		z.n |= 56
		return
	}
	for z.n < 56 && z.pos < len(z.src) {
		z.w |= uint64(z.src[z.pos]) << z.n
		z.pos++
		z.n += 8
	}
}

// take reads k bits, up to 16.
func (z *inflater) take(k int) int {
	if z.n < k {
		z.refill()
	}
	v := int(z.w & (1<<k - 1))
	z.w >>= k
	z.n -= k
	return v
}

// align goes to the next byte of src, and gives the bytes of the window back.
func (z *inflater) align() {
	z.pos -= z.n >> 3
	z.w, z.n = 0, 0
}

// inflate fills dst and returns how much of it the data filled; ended is false if they go on
// behind it. Then z.pos is behind the data.
func (z *inflater) inflate(dst, src []byte) (n int, ended bool, err error) {
	z.src, z.pos, z.w, z.n = src, 0, 0, 0
	for last := false; !last; {
		last = z.take(1) == 1
		switch z.take(2) {
		case 0:
			n, ended, err = z.stored(dst, n)
		case 1:
			z.fixedCodes()
			n, ended, err = z.block(dst, n)
		case 2:
			if err = z.readCodes(); err == nil {
				n, ended, err = z.block(dst, n)
			}
		default:
			err = errDeflate
		}
		if z.n < 0 {
			err = errTruncated
		}
		if err != nil || !ended {
			return n, false, err
		}
	}
	z.align()
	return n, true, nil
}

// stored copies a block that is not compressed (section 3.2.4).
func (z *inflater) stored(dst []byte, n int) (int, bool, error) {
	z.align()
	if z.pos < 0 || len(z.src)-z.pos < 4 {
		return n, false, errTruncated
	}
	size, check := binary.LittleEndian.Uint16(z.src[z.pos:]), binary.LittleEndian.Uint16(z.src[z.pos+2:])
	z.pos += 4
	if size != ^check {
		return n, false, errDeflate
	}
	block := z.src[z.pos:min(z.pos+int(size), len(z.src))]
	copied := copy(dst[n:], block)
	z.pos += copied
	switch {
	case copied < len(block):
		return n + copied, false, nil
	case copied < int(size):
		return n + copied, false, errTruncated
	}
	return n + copied, true, nil
}

// block decodes a block up to its end or that of dst.
func (z *inflater) block(dst []byte, n int) (int, bool, error) {
	for {
		var err error
		if n, err = z.run(dst, n); err != nil {
			return n, false, err
		}
		e := z.symbol(&z.literals)
		switch {
		case z.n < 0:
			return n, false, errTruncated
		case e&isByte != 0:
			if n == len(dst) {
				return n, false, nil
			}
			dst[n] = byte(e >> 16)
			n++
			continue
		case e&isEnd != 0:
			return n, true, nil
		case e&isNothing != 0:
			return n, false, errDeflate
		}
		length := int(e>>16) + z.take(int(e>>8&15))
		e = z.symbol(&z.distances)
		if e&isNothing != 0 {
			return n, false, errDeflate
		}
		distance := int(e>>16) + z.take(int(e>>8&15))
		switch {
		case z.n < 0:
			return n, false, errTruncated
		case distance > n:
			return n, false, errDeflate
		}
		fits := min(length, len(dst)-n)
		repeat(dst, n, fits, distance)
		if n += fits; fits < length {
			return n, false, nil
		}
	}
}

// run decodes symbols as long as dst and src have room for the largest ones and codes are
// short, which is nearly always. It works on copies of the fields, which stay in registers.
func (z *inflater) run(dst []byte, n int) (int, error) {
	const maxLength = 258
	literals, mask := z.literals.entries, uint64(1)<<z.literals.bits-1
	distances, distanceMask := z.distances.entries, uint64(1)<<z.distances.bits-1
	src, pos, w, left := z.src, z.pos, z.w, z.n
	for pos <= len(src)-16 && n <= len(dst)-maxLength-3 {
		// 56 bits are enough for three bytes and a length, of up to 10 bits each and 5 more.
		w |= binary.LittleEndian.Uint64(src[pos:]) << (left & 63)
		pos += (63 - left) >> 3
		left |= 56
		e := literals[w&mask]
		if out := dst[n : n+3 : n+3]; e&isByte != 0 {
			out[0] = byte(e >> 16)
			w >>= e & 15
			left -= int(e & 15)
			n++
			if e = literals[w&mask]; e&isByte != 0 {
				out[1] = byte(e >> 16)
				w >>= e & 15
				left -= int(e & 15)
				n++
				if e = literals[w&mask]; e&isByte != 0 {
					out[2] = byte(e >> 16)
					w >>= e & 15
					left -= int(e & 15)
					n++
					continue
				}
			}
		}
		if e&(isEnd|isNothing|isLonger) != 0 {
			break
		}
		// Nothing of the length is taken before it is certain that the distance is short.
		extra := e >> 8 & 15
		length := int(e>>16) + int(w>>(e&15)&(1<<extra-1))
		ahead, rest := w>>(e&15+extra), left-int(e&15+extra)
		next := pos
		ahead |= binary.LittleEndian.Uint64(src[pos:]) << (rest & 63)
		next += (63 - rest) >> 3
		rest |= 56
		d := distances[ahead&distanceMask]
		if d&(isNothing|isLonger) != 0 {
			break
		}
		extra = d >> 8 & 15
		distance := int(d>>16) + int(ahead>>(d&15)&(1<<extra-1))
		if distance > n {
			return n, errDeflate
		}
		pos, w, left = next, ahead>>(d&15+extra), rest-int(d&15+extra)
		repeat(dst, n, length, distance)
		n += length
	}
	z.pos, z.w, z.n = pos, w, left
	return n, nil
}

// repeat writes length bytes from n on, each as it stands distance bytes before.
func repeat(dst []byte, n, length, distance int) {
	for done := 0; done < length; { // what is copied is copied again if it is too short
		done += copy(dst[n+done:n+length], dst[n-distance:n+done])
	}
}

// symbol decodes one symbol.
func (z *inflater) symbol(c *prefixCode) uint32 {
	if z.n < maxCode {
		z.refill()
	}
	e := c.entries[z.w&(1<<c.bits-1)]
	if e&isLonger != 0 {
		e = c.entries[e>>16+uint32(z.w>>c.bits)&(1<<c.more-1)]
	}
	z.w >>= e & 15
	z.n -= int(e & 15)
	return e
}
