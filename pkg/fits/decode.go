package fits

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

const (
	// perTouch is about what is noted of a tile that is going to be read.
	perTouch = 64

	// Rows of the table that are read at once for all slabs.
	mostRows = 4 << 20
)

// decode passes on the box of a compressed image, slab by slab: the rows of the table first,
// then of each slab the arrays of its tiles. Those that lie close together in the heap are
// read together, and tiles are decoded on all processors.
func (s *Section) decode(ctx context.Context, r io.ReaderAt, emit func(p []byte) error) error {
	d := newDecoder(s, r)
	defer d.free()
	return d.stream(ctx, emit)
}

// decoder holds what decoding one slab after the other needs.
type decoder struct {
	*Section
	r     io.ReaderAt
	slabs *slabs
	slab  pixel.Box
	ready bool   // the slab is planned and not yet decoded
	out   []byte // the pixels of the slab

	touches pixel.Box // the tiles that the slab touches
	rows    []byte    // of the table, for the tiles in rowsOf
	rowsOf  pixel.Box
	touched []touch
	reads   []heapRead
	known   []touch // tiles that are in the cache
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

func newDecoder(s *Section, r io.ReaderAt) *decoder {
	d := decoders.Get().(*decoder)
	*d = decoder{Section: s, r: r, slabs: s.slabs(), slab: d.slab, out: d.out, touched: d.touched[:0], reads: d.reads[:0], known: d.known[:0]}
	return d
}

// free gives the memory of d to another.
func (d *decoder) free() {
	clear(d.touched)
	clear(d.reads)
	clear(d.known)
	*d = decoder{slab: d.slab, out: d.out, touched: d.touched[:0], reads: d.reads[:0], known: d.known[:0]}
	decoders.Put(d)
}

// stream passes on all slabs.
func (d *decoder) stream(ctx context.Context, emit func(p []byte) error) error {
	for {
		if more, err := d.prepare(ctx); err != nil || !more {
			return err
		}
		d.ready = false
		if err := d.fill(ctx); err != nil {
			return err
		}
		for out := d.out; len(out) > 0; {
			n := min(len(out), pieceSize)
			if err := emit(out[:n]); err != nil {
				return err
			}
			out = out[n:]
		}
	}
}

// prepare plans the next slab, or returns false behind the last.
func (d *decoder) prepare(ctx context.Context) (bool, error) {
	if d.ready {
		return true, nil
	}
	if !d.slabs.next(&d.slab) {
		return false, nil
	}
	d.touches = d.tiles.touched(d.slab)
	if err := d.readRows(ctx); err != nil {
		return false, err
	}
	if err := d.plan(); err != nil {
		return false, err
	}
	d.ready = true
	return true, nil
}

// touch is a tile of which pixels are wanted.
type touch struct {
	array
	at     int64        // its place among the tiles of the slab
	row    int64        // its place among the rows
	number int64        // its row of the whole table
	pixels *tile.Pixels // if it is in the cache
}

// heapRead is one request: the arrays of some tiles that follow each other.
type heapRead struct {
	offset, size int64
	touched      []touch
	early        []byte // what was read before it was needed, or nil
}

// fill decodes the pixels of the slab.
func (d *decoder) fill(ctx context.Context) error {
	size, _ := d.slab.Bytes(d.run)
	d.out = resize(d.out, size)
	for i := range d.known {
		w := worker{decoder: d} // needs no scratch: the tile is decoded
		if err := w.decodeTile(ctx, &d.known[i], nil); err != nil {
			return err
		}
	}
	procs := runtime.GOMAXPROCS(0)
	workers := min(len(d.reads), max(procs, d.Cost.requests()))
	if workers <= 1 || d.forward {
		w := d.worker(nil)
		defer w.free()
		for i := range d.reads {
			if err := w.do(ctx, &d.reads[i]); err != nil {
				return err
			}
		}
		return nil
	}
	memory := max(d.Cost.Memory, d.Cost.chunk())
	space, cores := semaphore.NewWeighted(memory), semaphore.NewWeighted(int64(procs))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			w := d.worker(cores)
			defer w.free()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(d.reads) {
					return nil
				}
				read := &d.reads[i]
				held := min(read.size, memory)
				if err := space.Acquire(ctx, held); err != nil {
					return err
				}
				err := w.do(ctx, read)
				if cap(w.buf) > pieceSize { // or many workers would hold more than the cost allows
					w.buf = nil
				}
				space.Release(held)
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// readRows reads the rows of the tiles that the slab touches: of all tiles of the box at
// once if they are not too many, and the whole table, to be kept, if that is cheap.
func (d *decoder) readRows(ctx context.Context) error {
	t := d.tiles
	size := t.rows.Shape[0]
	if contains(d.rowsOf, d.touches) {
		return nil
	}
	all := pixel.Whole(t.count)
	whole, ok := all.Bytes(size)
	if kept := d.hdu.table.Load(); kept != nil {
		d.rows, d.rowsOf = *kept, all
		return nil
	}
	d.rowsOf = t.touched(d.box)
	if n, fits := d.rowsOf.Bytes(size); !fits || n > mostRows {
		d.rowsOf = d.touches.Clone()
	}
	keep := ok && whole <= min(maxKeptTable, d.Cost.ahead())
	if keep {
		d.rowsOf = all
	}
	rows, err := t.rows.Section(pixel.Box{Min: append([]int64{0}, d.rowsOf.Min...), Max: append([]int64{size}, d.rowsOf.Max...)})
	if err != nil {
		return err
	}
	rows.Cost, rows.forward = d.Cost, d.forward
	into := make([]byte, 0, rows.Size())
	err = rows.Stream(ctx, d.r, func(p []byte) error {
		into = append(into, p...)
		return nil
	})
	if err != nil {
		d.rowsOf = pixel.Box{}
		return err
	}
	d.rows = into
	if keep {
		d.hdu.table.Store(&into)
	}
	return nil
}

// contains reports whether all of b lies in outer.
func contains(outer, b pixel.Box) bool {
	for axis := range b.Min {
		if outer.Axes() == 0 || b.Min[axis] < outer.Min[axis] || b.Max[axis] > outer.Max[axis] {
			return false
		}
	}
	return true
}

// plan finds the arrays of the tiles, and which of them are read together.
func (d *decoder) plan() error {
	t := d.tiles
	rowSize := t.rows.Shape[0]
	count, _ := d.touches.Bytes(1)
	if int64(cap(d.touched)) < count {
		d.touched = make([]touch, 0, count)
	}
	d.touched, d.reads, d.known = d.touched[:0], d.reads[:0], d.known[:0]
	gap, chunk := d.Cost.gap(), d.Cost.chunk()
	place := make([]int64, len(t.side))
	for i := range count {
		rest, row, stride := i, int64(0), int64(1)
		for axis := range place {
			n := d.touches.Size(axis)
			place[axis] = d.touches.Min[axis] + rest%n
			rest /= n
			row += (place[axis] - d.rowsOf.Min[axis]) * stride
			stride *= d.rowsOf.Size(axis)
		}
		pixels := int64(1)
		for axis, side := range t.side {
			pixels *= min(side, t.shape[axis]-place[axis]*side)
		}
		number := t.number(place)
		if p := d.cache.get(d.hdu, number); p != nil {
			d.known = append(d.known, touch{at: i, number: number, pixels: p})
			continue
		}
		a, err := t.locate(d.rows[row*rowSize:][:rowSize], pixels)
		if err != nil {
			return d.tileFault(number, err)
		}
		d.touched = append(d.touched, touch{array: a, at: i, row: row, number: number})
		last := len(d.reads) - 1
		if last >= 0 {
			q := &d.reads[last]
			behind := a.offset - (q.offset + q.size)
			if size := a.offset + a.size - q.offset; behind >= 0 && behind <= gap && size <= chunk {
				q.size = size
				q.touched = d.touched[len(d.touched)-len(q.touched)-1:]
				continue
			}
		}
		d.reads = append(d.reads, heapRead{offset: a.offset, size: a.size, touched: d.touched[len(d.touched)-1:]})
	}
	return nil
}

// tileFault says in which tile an error is.
func (d *decoder) tileFault(number int64, err error) error {
	return fault.New(fault.CodeOf(err), "fits.Section.Stream", "%s: tile %d: %s", d.hdu, number+1, fault.Sentence(err))
}
