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

const (
	pieceSize = 256 << 10 // of what is passed on: it stays in the cache of a core
	maxRuns   = 4096      // runs of pixels in one read
)

// Section is a box of pixels of an image, ready to be read.
type Section struct {
	Cost Cost // of the store that will be read; [Local] unless set

	hdu     *HDU
	tiles   *tiling   // of a compressed image, which has none of the runs below; or nil
	box     pixel.Box // of a compressed image
	cache   *TileCache
	forward bool // the reader goes forward only, at one read at a time

	size  int64   // bytes of the box
	first int64   // byte of the file where the first run begins
	run   int64   // bytes of a run: pixels of the box that are neighbours in the file
	count []int64 // runs along each axis that a run does not cover, the fastest first
	step  []int64 // bytes from one such run to the next, along each of these axes

	few [8]int64 // memory of count and step, for most images
}

// Section plans to read a box of the image's pixels.
//
// The error is [fault.Unsupported] if the HDU is no image, or compressed in a way that is
// not known; [fault.Corrupt] or [fault.TooLarge] if its table of tiles is broken or its
// tiles are larger than is decoded; and [fault.Internal] if the box does not lie in the image.
func (u *HDU) Section(box pixel.Box) (*Section, error) {
	const op = "fits.HDU.Section"
	switch {
	case u.Err != nil:
		return nil, u.Err
	case u.Kind == RandomGroups:
		return nil, fault.New(fault.Unsupported, op, "%s holds random groups (visibilities), which are no image; expected an image HDU", u)
	case u.Kind != Image && u.Kind != TileCompressed:
		return nil, fault.New(fault.Unsupported, op, "%s holds a %s; expected an image HDU", u, u.Kind)
	case !box.Inside(u.Shape):
		return nil, fault.New(fault.Internal, op, "the box %s does not lie in %s, of shape %d", box, u, u.Shape)
	}
	s := &Section{Cost: Local, hdu: u, first: u.DataOffset, run: pixelSize(u.BITPIX)}
	if u.Kind == TileCompressed {
		var err error
		if s.tiles, err = u.tiling(); err != nil {
			return nil, err
		}
	}
	if box.Empty() {
		return s, nil
	}
	s.size, _ = box.Bytes(s.run) // no overflow: the box lies in an image that can be counted
	if u.Kind == TileCompressed {
		s.box = box
		return s, nil
	}
	stride, joined := s.run, true
	s.count, s.step = s.few[:0:len(s.few)/2], s.few[len(s.few)/2:len(s.few)/2]
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

// Raw plans to read all data of an HDU as they are in the file, whatever it holds.
func (u *HDU) Raw() *Section {
	return &Section{Cost: Local, hdu: u, size: u.DataSize, first: u.DataOffset, run: u.DataSize}
}

// Size returns the bytes that the section has.
func (s *Section) Size() int64 { return s.size }

// Stream reads the box from r, the file that was indexed, and passes its bytes to emit
// in FITS order and big-endian: as they are in the file or, if it is compressed, as
// they were before. Each piece has at most 256 KiB, may end
// within a pixel, and is valid until emit returns. emit is called by one goroutine.
//
// How the box is read is decided by s.Cost: neighbouring runs of pixels are read
// together if that is cheaper, and reads run at once if the cost allows it, up to its
// memory. The first error ends the others: they see their context end if r has the
// method ReadAtContext(ctx, p, offset), and Stream waits for them.
//
// The error is that of emit, of r or of ctx, or [fault.Corrupt] if r ends early. Streams
// of one Section may run at the same time.
func (s *Section) Stream(ctx context.Context, r io.ReaderAt, emit func(p []byte) error) error {
	switch {
	case s.size == 0:
		return ctx.Err()
	case s.tiles != nil:
		return s.decode(ctx, r, emit)
	case s.Cost.requests() > 1:
		a := NewAhead(ctx, r, s)
		defer a.Close()
		return a.Stream(ctx, s, emit)
	}
	m := buffers.Get().(*buffer)
	defer buffers.Put(m)
	g := s.gatherer(m, emit)
	p := s.plan()
	if err := s.sequential(ctx, r, &p, &g, m); err != nil {
		return err
	}
	return g.flush()
}

// buffer is the memory of one stream.
type buffer struct {
	out    []byte  // bytes of the box that wait for emit
	arena  []byte  // bytes of reads: runs with what lies between them
	starts []int64 // where the runs of a read begin

	offsets []int64 // runs that wait to be read, each on its own
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func resize(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// sequential makes one read after the other.
func (s *Section) sequential(ctx context.Context, r io.ReaderAt, p *planner, g *gatherer, m *buffer) error {
	q := read{starts: m.starts}
	far, _ := r.(runsReader)
	m.offsets = m.offsets[:0]
	for p.next(&q) {
		if far != nil && len(q.starts) == 1 && q.size == s.run && q.size <= int64(len(g.out)) {
			if int64(len(g.out)-g.filled) < q.size*int64(len(m.offsets)+1) || len(m.offsets) == maxRuns {
				if err := s.readRuns(ctx, far, g, m); err != nil {
					return err
				}
				if _, err := g.room(q.size); err != nil {
					return err
				}
			}
			m.offsets = append(m.offsets, q.offset)
			continue
		}
		if err := s.readRuns(ctx, far, g, m); err != nil {
			return err
		}
		if len(q.starts) == 1 { // straight to where it shall be
			for q.size > 0 {
				room, err := g.room(q.size)
				if err != nil {
					return err
				}
				if err := s.readAt(ctx, r, room, q.offset); err != nil {
					return err
				}
				g.filled += len(room)
				q.offset += int64(len(room))
				q.size -= int64(len(room))
			}
			continue
		}
		m.arena = resize(m.arena, q.size)
		if err := s.readAt(ctx, r, m.arena, q.offset); err != nil {
			return err
		}
		if err := g.gather(&q, m.arena); err != nil {
			return err
		}
	}
	m.starts = q.starts
	return s.readRuns(ctx, far, g, m)
}

// runsReader is a reader that reads many runs at the price of the calls alone: package
// objects looks whether a file has changed once for all of them.
type runsReader interface {
	// ReadRuns fills p with runs of n bytes, one after the other, that begin at offsets.
	// The error is io.EOF if one of them lies beyond the end.
	ReadRuns(ctx context.Context, p []byte, n int64, offsets []int64) error
}

// readRuns reads the runs that wait in m.offsets; g has room for them.
func (s *Section) readRuns(ctx context.Context, r runsReader, g *gatherer, m *buffer) error {
	if len(m.offsets) == 0 {
		return nil
	}
	p := g.out[g.filled:][:s.run*int64(len(m.offsets))]
	err := ctx.Err()
	if err == nil {
		err = r.ReadRuns(ctx, p, s.run, m.offsets)
	}
	switch {
	case errors.Is(err, io.EOF):
		return s.short(m.offsets[len(m.offsets)-1])
	case err != nil:
		return fmt.Errorf("fits.Section.Stream: %s, %d runs from byte %d on: %w", s.hdu, len(m.offsets), m.offsets[0], err)
	}
	g.filled += len(p)
	m.offsets = m.offsets[:0]
	return nil
}

// short is the error of a file that ends at byte offset or before.
func (s *Section) short(offset int64) error {
	return fault.New(fault.Corrupt, "fits.Section.Stream", "%s: the file ends by byte %d, within the data; it is not the one that was indexed", s.hdu, offset)
}

// contextReader is a reader whose reads end when a context does.
type contextReader interface {
	ReadAtContext(ctx context.Context, p []byte, offset int64) (int, error)
}

func (s *Section) readAt(ctx context.Context, r io.ReaderAt, p []byte, offset int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var n int
	var err error
	if c, ok := r.(contextReader); ok {
		n, err = c.ReadAtContext(ctx, p, offset)
	} else {
		n, err = r.ReadAt(p, offset)
	}
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return s.short(offset + int64(n))
	}
	return fmt.Errorf("fits.Section.Stream: %s, bytes %d to %d: %w", s.hdu, offset, offset+int64(len(p))-1, err)
}

// gatherer collects the bytes of a box and passes them on in pieces.
type gatherer struct {
	out    []byte
	filled int // bytes of out that wait
	emit   func(p []byte) error
}

// gatherer collects in the memory of m.
func (s *Section) gatherer(m *buffer, emit func(p []byte) error) gatherer {
	m.out = resize(m.out, min(s.Cost.chunk(), pieceSize, s.size))
	return gatherer{out: m.out, emit: emit}
}

// room returns where the next of n bytes belong: for all of them if that is possible.
func (g *gatherer) room(n int64) ([]byte, error) {
	if free := int64(len(g.out) - g.filled); free == 0 || free < n && n <= int64(len(g.out)) {
		if err := g.flush(); err != nil {
			return nil, err
		}
	}
	return g.out[g.filled:][:min(n, int64(len(g.out)-g.filled))], nil
}

// gather takes the runs of a read out of its bytes.
func (g *gatherer) gather(q *read, p []byte) error {
	for _, start := range q.starts {
		for run := p[start-q.offset:][:q.run]; len(run) > 0; {
			room, err := g.room(int64(len(run)))
			if err != nil {
				return err
			}
			g.filled += copy(room, run)
			run = run[len(room):]
		}
	}
	return nil
}

// flush passes on what waits.
func (g *gatherer) flush() error {
	if g.filled == 0 {
		return nil
	}
	p := g.out[:g.filled]
	g.filled = 0
	return g.emit(p)
}
