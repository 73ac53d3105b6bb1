package tile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// This file alone names the implementation of deflate.

// inflater is a gzip reader that is used again and again.
type inflater struct {
	in bytes.Reader
	gz gzip.Reader
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflate fills dst with the first bytes of a gzip; if whole, they must be all of them,
// and their sum is checked.
func inflate(dst, src []byte, whole bool) error {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.in.Reset(src)
	defer z.in.Reset(nil)
	err := z.gz.Reset(&z.in)
	if err == nil {
		z.gz.Multistream(false)
		_, err = io.ReadFull(&z.gz, dst)
	}
	if err != nil {
		return fault.New(fault.Corrupt, "tile.Decode", "the gzip of a tile, %d bytes, does not inflate to its %d bytes of pixels (%v)", len(src), len(dst), err)
	}
	if !whole {
		return nil
	}
	var more [1]byte
	switch n, err := io.ReadFull(&z.gz, more[:]); {
	case n > 0:
		return fault.New(fault.Corrupt, "tile.Decode", "the gzip of a tile inflates to more than its %d bytes of pixels", len(dst))
	case !errors.Is(err, io.EOF):
		return fault.New(fault.Corrupt, "tile.Decode", "the gzip of a tile of %d bytes of pixels is broken at its end (%v)", len(dst), err)
	}
	return nil
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
