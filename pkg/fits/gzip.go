package fits

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

const (
	// What a gzip may inflate to: 1 GiB, and beyond that 200 times its own size up to 16
	// GiB. Deflate makes at most 1032 bytes of one, an image of noise 3, an empty mask 1000.
	// Memory does not grow with the size: this bounds the time.
	freeInflated = 1 << 30
	maxRatio     = 200
	maxInflated  = 16 << 30

	gzipMagic = "\x1f\x8b"
)

// File is an open FITS file, or a gzip of a whole one.
type File struct {
	*Index
	Cost  Cost       // of reading; [Local] unless set
	Tiles *TileCache // of decoded tiles of compressed images; nil: none is kept
	r     io.ReaderAt
}

// Open reads the index of a FITS file of size bytes, or of a gzip of one. A .fits.gz is
// inflated once from end to end for that, which checks its sum too.
//
// Errors are those of [ReadIndex]; a broken gzip is [fault.Corrupt], and one that
// inflates to more than 1 GiB and 200 times its size, or 16 GiB, [fault.TooLarge].
func Open(r io.ReaderAt, size int64) (*File, error) { return Local.Open(r, size) }

// Open opens a file in a store of that cost, as the function [Open] does. Where requests
// have latency they ask for a little more than a header, and headers of HDUs of one size
// are asked for at once.
func (c Cost) Open(r io.ReaderAt, size int64) (*File, error) {
	w := newWindow(r, c, func() int64 { return size })
	defer w.free()
	start, err := w.at(0, int64(len(gzipMagic)))
	if err != nil {
		return nil, err
	}
	f := &File{Cost: c, r: r}
	if string(start) != gzipMagic {
		f.Index, err = readIndex(w)
	} else {
		g := newInflater(r, size)
		inflated := newWindow(g, Local, g.known)
		defer inflated.free()
		f.r = g
		if f.Index, err = readIndex(inflated); err == nil {
			f.Packed = size
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Section plans to read a box of the pixels of u, one of the file's HDUs, at the cost of the
// file; a gzip is read forward, one read at a time. Errors are those of [HDU.Section].
func (f *File) Section(u *HDU, box pixel.Box) (*Section, error) {
	s, err := u.Section(box)
	if err != nil {
		return nil, err
	}
	return f.priced(s), nil
}

// Raw is [HDU.Raw] at the cost of the file.
func (f *File) Raw(u *HDU) *Section { return f.priced(u.Raw()) }

func (f *File) priced(s *Section) *Section {
	s.cache = f.Tiles
	if s.forward = f.Gzipped(); !s.forward {
		s.Cost = f.Cost
	}
	return s
}

// ReaderAt returns the bytes in which the index counts: the inflated ones of a gzip. It
// is safe for concurrent use.
func (f *File) ReaderAt() io.ReaderAt { return f.r }

// Gzipped reports whether the file is a gzip: then reading forward is as fast as
// inflating, and each step back inflates from the start again.
func (f *File) Gzipped() bool { return f.Packed > 0 }

// inflater reads a gzip as if it were inflated. It holds no more than its buffers: it
// moves forward, and starts again when it is asked for what lies behind it.
type inflater struct {
	r          io.ReaderAt
	compressed int64
	limit      int64 // on inflated bytes

	mu   sync.Mutex
	in   *bufio.Reader
	gz   *gzip.Reader // nil before the start
	pos  int64        // inflated bytes that have gone by
	size int64        // of the inflated file, -1 until its end was seen
	skip []byte
}

func newInflater(r io.ReaderAt, compressed int64) *inflater {
	return &inflater{
		r: r, compressed: compressed, size: -1,
		limit: max(freeInflated, maxRatio*min(compressed, maxInflated/maxRatio)),
		in:    bufio.NewReaderSize(nil, 1<<20),
		skip:  make([]byte, 64<<10),
	}
}

// known returns the inflated size, or -1 until the end was seen.
func (g *inflater) known() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.size
}

// ReadAt implements [io.ReaderAt].
func (g *inflater) ReadAt(p []byte, offset int64) (n int, err error) {
	return g.ReadAtContext(context.Background(), p, offset)
}

// ReadAtContext reads until ctx ends, also where one input byte inflates to a thousand.
func (g *inflater) ReadAtContext(ctx context.Context, p []byte, offset int64) (n int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.size >= 0 && offset >= g.size {
		return 0, io.EOF
	}
	if g.gz == nil || offset < g.pos {
		if err := g.restart(); err != nil {
			return 0, err
		}
	}
	for g.pos < offset {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if _, err := g.read(g.skip[:min(offset-g.pos, int64(len(g.skip)))]); err != nil {
			return 0, err
		}
	}
	for n < len(p) {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := g.read(p[n:])
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// restart goes back to the first byte.
func (g *inflater) restart() (err error) {
	g.in.Reset(io.NewSectionReader(g.r, 0, g.compressed))
	g.pos = 0
	g.gz, err = gzip.NewReader(g.in)
	if err != nil {
		return g.fault(err)
	}
	g.gz.Multistream(false)
	return nil
}

// read inflates up to len(p) bytes; io.EOF is the end of the last member.
func (g *inflater) read(p []byte) (n int, err error) {
	n, err = g.gz.Read(p)
	g.pos += int64(n)
	if g.pos > g.limit {
		g.gz = nil
		return n, fault.New(fault.TooLarge, "fits.Open", "the gzip inflates to more than %d bytes; store it unpacked or tile-compressed", g.limit)
	}
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		// What follows the last member and is none, such as the zeros of a tape's last
		// block, is ignored, as gzip itself does.
		next, failed := g.in.Peek(len(gzipMagic))
		if failed != nil && !errors.Is(failed, io.EOF) {
			return n, g.fault(failed)
		}
		if string(next) != gzipMagic {
			g.size = g.pos
			return n, io.EOF
		}
		if err = g.gz.Reset(g.in); err == nil {
			g.gz.Multistream(false)
			return n, nil
		}
	}
	return n, g.fault(err)
}

// fault tells errors of the gzip from those of the reader below, and forgets the state.
func (g *inflater) fault(err error) error {
	g.gz = nil
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fault.New(fault.Corrupt, "fits.Open", "the gzip is broken after %d inflated bytes (%v); fetch the file again", g.pos, err)
	}
	return fmt.Errorf("fits.Open: reading the gzip: %w", err)
}

// beyond is an offset that no file has: a read there makes an inflater see its end.
const beyond = math.MaxInt64
