package tile

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflate fills dst with the first bytes of a gzip; if whole, they must be all of them,
// and their sum is checked.
func inflate(dst, src []byte, whole bool) error {
	const op = "tile.Decode"
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	body, ok := afterGzipHeader(src)
	if !ok {
		return fault.New(fault.Corrupt, op, "the gzip of a tile, %d bytes, does not begin as one", len(src))
	}
	n, ended, err := z.inflate(dst, body)
	z.src = nil
	if err == nil && n < len(dst) {
		err = errTruncated
	}
	switch end := body[min(z.pos, len(body)):]; {
	case err != nil:
		return fault.New(fault.Corrupt, op, "the gzip of a tile, %d bytes, does not inflate to its %d bytes of pixels: %w", len(src), len(dst), err)
	case !whole:
		return nil
	case !ended:
		return fault.New(fault.Corrupt, op, "the gzip of a tile inflates to more than its %d bytes of pixels", len(dst))
	case len(end) < 8 || binary.LittleEndian.Uint32(end) != crc32.ChecksumIEEE(dst) || binary.LittleEndian.Uint32(end[4:]) != uint32(len(dst)):
		return fault.New(fault.Corrupt, op, "the gzip of a tile of %d bytes of pixels is broken: its sum or its size is another", len(dst))
	}
	return nil
}

// afterGzipHeader returns what follows the header of a gzip (RFC 1952, section 2.3).
func afterGzipHeader(src []byte) (body []byte, ok bool) {
	const sum, extra, name, comment, unknown = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 0xe0
	if len(src) < len(gzipHeader) || string(src[:3]) != gzipHeader[:3] || src[3]&unknown != 0 {
		return nil, false
	}
	flags, body := src[3], src[len(gzipHeader):]
	skip := func(n int) {
		ok = n <= len(body)
		body = body[min(n, len(body)):]
	}
	ok = true
	if flags&extra != 0 && len(body) >= 2 {
		skip(2 + int(binary.LittleEndian.Uint16(body)))
	}
	for _, text := range []byte{name, comment} {
		if flags&text != 0 && ok {
			if end := bytes.IndexByte(body, 0); end < 0 {
				ok = false
			} else {
				skip(end + 1)
			}
		}
	}
	if flags&sum != 0 && ok {
		skip(2)
	}
	return body, ok
}

// inflatedSize returns the size that the end of a gzip claims, modulo 2^32.
func inflatedSize(src []byte) (size int64, ok bool) {
	if len(src) < 18 { // the shortest header and trailer
		return 0, false
	}
	return int64(binary.LittleEndian.Uint32(src[len(src)-4:])), true
}

// deflater makes gzips and is used again and again.
type deflater struct {
	out     bytes.Buffer
	matches *flate.Writer // finds what repeats: masks, padding, the first bytes of floats
	codes   *flate.Writer // shortens what is frequent alone, at which it is better: noise
	planes  []byte
}

var deflaters = sync.Pool{New: func() any {
	z := new(deflater)
	z.matches, _ = flate.NewWriter(nil, flate.BestSpeed) // the levels are legal
	z.codes, _ = flate.NewWriter(nil, flate.HuffmanOnly)
	return z
}}

// gzipHeader is that of no name, no time and no system (RFC 1952, section 2.3).
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// deflate appends a gzip of pix to dst; if size is more than 1, the bytes of its values of
// that size are shuffled before. Bytes of equal weight are alike and those of another
// weight are not, so each lot of them is deflated by itself, in the better of two ways.
func deflate(dst, pix []byte, size int) ([]byte, error) {
	z := deflaters.Get().(*deflater)
	defer deflaters.Put(z)
	if size > 1 {
		z.planes = grow(z.planes, len(pix))
		shuffle(z.planes, pix, size)
		pix = z.planes
	}
	dst = append(dst, gzipHeader...)
	for i := range size {
		plane := pix[i*len(pix)/size : (i+1)*len(pix)/size]
		z.out.Reset()
		if err := z.blocks(z.matches, plane, i == size-1); err != nil {
			return nil, err
		}
		first := z.out.Len()
		if err := z.blocks(z.codes, plane, i == size-1); err != nil {
			return nil, err
		}
		if first <= z.out.Len()-first {
			z.out.Truncate(first)
		} else {
			z.out.Next(first)
		}
		dst = append(dst, z.out.Bytes()...)
	}
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(pix))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(pix))), nil
}

// blocks deflates a plane up to the end of a byte.
func (z *deflater) blocks(w *flate.Writer, plane []byte, last bool) error {
	w.Reset(&z.out)
	if _, err := w.Write(plane); err != nil {
		return err
	}
	if last {
		return w.Close()
	}
	return w.Flush()
}
