package tile

import (
	"encoding/binary"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// decodePlain copies the first pixels of a tile of NOCOMPRESS.
func decodePlain(dst, src []byte, all, _ int, _ *Pixels) error {
	if len(src) != all {
		return fault.New(fault.Corrupt, "tile.Decode", "a tile that is not compressed has %d bytes; its pixels take %d", len(src), all)
	}
	copy(dst, src)
	return nil
}

// decodeGzip1 writes the first pixels of a tile of GZIP_1 (section 10.4.2).
func decodeGzip1(dst, src []byte, all, _ int, _ *Pixels) error {
	return inflate(dst, src, len(dst) == all)
}

// decodeGzip2 writes the first pixels of a tile of GZIP_2 (section 10.4.2): first come the
// most significant bytes of all pixels, then the next ones, and so on.
func decodeGzip2(dst, src []byte, all, size int, p *Pixels) error {
	if size == 1 {
		return decodeGzip1(dst, src, all, size, p)
	}
	p.shuffled = grow(p.shuffled, all)
	// Of the least significant bytes only the first are needed.
	need := all - all/size + len(dst)/size
	if err := inflate(p.shuffled[:need], src, need == all); err != nil {
		return err
	}
	unshuffle(dst, p.shuffled[:need], all/size, size)
	return nil
}

// unshuffle brings together the bytes of the first len(dst)/size values of size bytes; in
// src those of equal weight stand together, count of them.
func unshuffle(dst, src []byte, count, size int) {
	n := len(dst) / size
	plane := func(k int) []byte { return src[k*count:][:n] }
	dst = dst[:n*size]
	switch size {
	case 2:
		b0, b1 := plane(0), plane(1)
		for i := range b0 {
			binary.BigEndian.PutUint16(dst[2*i:2*i+2], uint16(b0[i])<<8|uint16(b1[i]))
		}
	case 4:
		b0, b1, b2, b3 := plane(0), plane(1), plane(2), plane(3)
		for i := range b0 {
			binary.BigEndian.PutUint32(dst[4*i:4*i+4], uint32(b0[i])<<24|uint32(b1[i])<<16|uint32(b2[i])<<8|uint32(b3[i]))
		}
	case 8:
		b0, b1, b2, b3, b4, b5, b6, b7 := plane(0), plane(1), plane(2), plane(3), plane(4), plane(5), plane(6), plane(7)
		for i := range b0 {
			high := uint32(b0[i])<<24 | uint32(b1[i])<<16 | uint32(b2[i])<<8 | uint32(b3[i])
			low := uint32(b4[i])<<24 | uint32(b5[i])<<16 | uint32(b6[i])<<8 | uint32(b7[i])
			binary.BigEndian.PutUint64(dst[8*i:8*i+8], uint64(high)<<32|uint64(low))
		}
	}
}

// shuffle writes to dst the most significant bytes of the values of size bytes in src, then
// the next ones.
func shuffle(dst, src []byte, size int) {
	n := len(src) / size
	plane := func(k int) []byte { return dst[k*n:][:n] }
	switch size {
	case 2:
		b0, b1 := plane(0), plane(1)
		for i := range b0 {
			v := src[2*i : 2*i+2]
			b0[i], b1[i] = v[0], v[1]
		}
	case 4:
		b0, b1, b2, b3 := plane(0), plane(1), plane(2), plane(3)
		for i := range b0 {
			v := src[4*i : 4*i+4]
			b0[i], b1[i], b2[i], b3[i] = v[0], v[1], v[2], v[3]
		}
	case 8:
		b0, b1, b2, b3, b4, b5, b6, b7 := plane(0), plane(1), plane(2), plane(3), plane(4), plane(5), plane(6), plane(7)
		for i := range b0 {
			v := src[8*i : 8*i+8]
			b0[i], b1[i], b2[i], b3[i], b4[i], b5[i], b6[i], b7[i] = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
		}
	}
}

func encodePlain(dst, pix []byte, _ *Image) ([]byte, error) { return append(dst, pix...), nil }

func encodeGzip1(dst, pix []byte, _ *Image) ([]byte, error) { return deflate(dst, pix, 1) }

func encodeGzip2(dst, pix []byte, m *Image) ([]byte, error) {
	return deflate(dst, pix, m.pixelSize())
}
