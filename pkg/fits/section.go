package fits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// How files are best read: one more read costs about as much as copying 4 KiB, and
// chunks of 256 KiB stay in the cache of a core until they are written.
const (
	fileGap   = 4 << 10
	fileChunk = 256 << 10
	maxRuns   = 4096 // runs of pixels in one read
)

// Section is a box of pixels of an image that is not compressed, ready to be read.
type Section struct {
	// Gap is the number of unwanted bytes that are read rather than making one more
	// read: by default 4 KiB, right for files. A store across a network wants about 1 MiB.
	Gap int64
	// Chunk is the largest number of bytes of one read, and bounds the memory of a stream
	// to twice itself: by default 256 KiB.
	Chunk int64

	hdu   *HDU
	size  int64   // bytes of the box
	first int64   // byte of the file where the first run begins
	run   int64   // bytes of a run: pixels of the box that are neighbours in the file
	count []int64 // runs along each axis that a run does not cover, the fastest first
	step  []int64 // bytes from one such run to the next, along each of these axes
}

// Section plans to read a box of the image's pixels.
//
// The error is [fault.Unsupported] if the HDU is no image or its pixels are compressed,
// and [fault.Internal] if the box does not lie in the image.
func (u *HDU) Section(box pixel.Box) (*Section, error) {
	const op = "fits.HDU.Section"
	switch {
	case u.Err != nil:
		return nil, u.Err
	case u.Kind == TileCompressed:
		return nil, fault.New(fault.Unsupported, op, "%s is tile-compressed, which cannot be cut without decoding its tiles", u)
	case u.Kind == RandomGroups:
		return nil, fault.New(fault.Unsupported, op, "%s holds random groups (visibilities), which are no image; expected an image HDU", u)
	case u.Kind != Image:
		return nil, fault.New(fault.Unsupported, op, "%s holds a %s; expected an image HDU", u, u.Kind)
	case !box.Inside(u.Shape):
		return nil, fault.New(fault.Internal, op, "the box %s does not lie in %s, of shape %d", box, u, u.Shape)
	}
	s := &Section{Gap: fileGap, Chunk: fileChunk, hdu: u, first: u.DataOffset, run: pixelSize(u.BITPIX)}
	if box.Empty() {
		return s, nil
	}
	s.size, _ = box.Bytes(s.run) // no overflow: the box lies in data whose size is known
	stride, joined := s.run, true
	for axis, side := range u.Shape {
		n := box.Size(axis)
		s.first += box.Min[axis] * stride
		switch {
		case joined:
			s.run *= n
			joined = n == side
		case n > 1:
			s.count = append(s.count, n)
			s.step = append(s.step, stride)
		}
		stride *= side
	}
	return s, nil
}

// Size returns the bytes of the box.
func (s *Section) Size() int64 { return s.size }

// Stream reads the box from r, the file that was indexed, and passes its bytes to emit
// in FITS order and big-endian as they are. Each piece has at most Chunk bytes, may end
// within a pixel, and is valid until emit returns.
//
// Neighbouring runs are read together if less than Gap lies between them. The error is
// that of emit, of r or of ctx, or [fault.Corrupt] if r ends early. Streams of one
// Section may run at the same time.
func (s *Section) Stream(ctx context.Context, r io.ReaderAt, emit func(p []byte) error) error {
	if s.size == 0 {
		return ctx.Err()
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	x := &extraction{Section: s, ctx: ctx, r: r, emit: emit, buffer: buf, chunk: max(s.Chunk, 16)}
	x.out = resize(x.out, min(x.chunk, s.size))
	x.filled, x.starts = 0, x.starts[:0]

	at := make([]int64, len(s.count)) // which run along each axis
	offset := s.first
	for {
		if err := x.add(offset); err != nil {
			return err
		}
		axis := 0
		for ; axis < len(at); axis++ {
			offset += s.step[axis]
			if at[axis]++; at[axis] < s.count[axis] {
				break
			}
			offset -= s.step[axis] * at[axis]
			at[axis] = 0
		}
		if axis == len(at) {
			break
		}
	}
	if err := x.fetch(); err != nil {
		return err
	}
	return x.flush()
}

// buffer is the memory of one stream.
type buffer struct {
	out    []byte  // bytes of the box that wait for emit
	span   []byte  // several runs with what lies between them
	starts []int64 // where the runs of the next read begin
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func resize(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// extraction is a stream under way.
type extraction struct {
	*Section
	*buffer
	ctx    context.Context
	r      io.ReaderAt
	emit   func(p []byte) error
	chunk  int64
	filled int // bytes of out that wait
}

// add puts the run at offset into the next read, or makes that read first.
func (x *extraction) add(offset int64) error {
	if n := len(x.starts); n > 0 {
		end := x.starts[n-1] + x.run
		if offset-end <= x.Gap && offset+x.run-x.starts[0] <= x.chunk && n < maxRuns {
			x.starts = append(x.starts, offset)
			return nil
		}
		if err := x.fetch(); err != nil {
			return err
		}
	}
	x.starts = append(x.starts, offset)
	return nil
}

// fetch reads the runs that are planned.
func (x *extraction) fetch() error {
	first, last := x.starts[0], x.starts[len(x.starts)-1]
	n := last + x.run - first
	if n == int64(len(x.starts))*x.run { // nothing between them
		x.starts = x.starts[:0]
		return x.direct(first, n)
	}
	x.span = resize(x.span, n)
	if err := x.read(x.span, first); err != nil {
		return err
	}
	for _, start := range x.starts {
		run := x.span[start-first:][:x.run]
		for len(run) > 0 {
			k := copy(x.out[x.filled:], run)
			x.filled += k
			run = run[k:]
			if x.filled == len(x.out) {
				if err := x.flush(); err != nil {
					return err
				}
			}
		}
	}
	x.starts = x.starts[:0]
	return nil
}

// direct reads n bytes from offset on straight into out.
func (x *extraction) direct(offset, n int64) error {
	for n > 0 {
		room := int64(len(x.out) - x.filled)
		if room < n && room < int64(len(x.out)) && n <= int64(len(x.out)) || room == 0 {
			if err := x.flush(); err != nil {
				return err
			}
			room = int64(len(x.out))
		}
		k := min(n, room)
		if err := x.read(x.out[x.filled:][:k], offset); err != nil {
			return err
		}
		x.filled += int(k)
		offset += k
		n -= k
	}
	return nil
}

func (x *extraction) read(p []byte, offset int64) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	n, err := x.r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fault.New(fault.Corrupt, "fits.Section.Stream", "%s: the file ends at byte %d, within the data; it is not the one that was indexed", x.hdu, offset+int64(n))
	}
	return fmt.Errorf("fits.Section.Stream: %s, bytes %d to %d: %w", x.hdu, offset, offset+int64(len(p))-1, err)
}

// flush passes what waits to emit.
func (x *extraction) flush() error {
	if x.filled == 0 {
		return nil
	}
	p := x.out[:x.filled]
	x.filled = 0
	return x.emit(p)
}
