package tile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

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

// deflateLevel is what CFITSIO uses: the noise of an image hardly shrinks at higher ones.
const deflateLevel = gzip.BestSpeed

// deflater is a gzip writer that is used again and again.
type deflater struct {
	gz       *gzip.Writer
	shuffled []byte
}

var deflaters = sync.Pool{New: func() any {
	gz, _ := gzip.NewWriterLevel(nil, deflateLevel) // the level is legal
	return &deflater{gz: gz}
}}

// deflate appends a gzip of pix to dst; if size is more than 1, the bytes of its values of
// that size are shuffled before.
func deflate(dst, pix []byte, size int) ([]byte, error) {
	z := deflaters.Get().(*deflater)
	defer deflaters.Put(z)
	if size > 1 {
		z.shuffled = shuffle(z.shuffled[:0], pix, size)
		pix = z.shuffled
	}
	out := bytes.NewBuffer(dst)
	z.gz.Reset(out)
	defer z.gz.Reset(io.Discard)
	if _, err := z.gz.Write(pix); err != nil {
		return nil, err
	}
	if err := z.gz.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
