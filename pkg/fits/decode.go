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
	// A slab has at least leastSlab bytes if the box has, and up to mostSlab where that
	// spares to decode tiles twice.
	leastSlab = 1 << 20
	mostSlab  = 16 << 20

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

// slabs divides a box into slabs: parts that follow each other in the order of FITS, of
// which each can be held in memory. A slab is thin along one axis, has the whole box along
// those before it and one pixel along those behind it. It ends where tiles do, if that is
// not too large for memory; else its tiles are decoded again for the next.
type slabs struct {
	box        pixel.Box
	axis       int
	step, side int64 // thickness, and what it is aligned to
	at         []int64
	end        bool
}

func (s *Section) slabs() *slabs {
	t := s.tiles
	d := &slabs{box: s.box, at: append([]int64(nil), s.box.Min...)}
	shared := int64(1) // pixels of the box in a tile
	for axis, side := range t.side {
		shared *= min(side, s.box.Size(axis))
	}
	budget := max(leastSlab, s.Cost.Memory)
	per := s.run + (t.rows.Shape[0]+perTouch+shared-1)/shared // bytes of memory per pixel, then per row, plane, …
	for ; d.axis < s.box.Axes()-1 && s.box.Size(d.axis) <= budget/per; d.axis++ {
		per *= s.box.Size(d.axis)
	}
	d.step, d.side = max(budget/per, 1), t.side[d.axis]
	switch {
	case d.step >= s.box.Size(d.axis):
		d.step, d.side = s.box.Size(d.axis), 1
	case d.step >= d.side:
		d.step -= d.step % d.side
	case d.side <= mostSlab/per:
		d.step = d.side
	}
	return d
}

// next makes slab the next one, or returns false.
func (d *slabs) next(slab *pixel.Box) bool {
	if d.end {
		return false
	}
	slab.Min, slab.Max = append(slab.Min[:0], d.at...), append(slab.Max[:0], d.box.Max...)
	copy(slab.Min, d.box.Min[:d.axis])
	for axis := d.axis + 1; axis < len(d.at); axis++ {
		slab.Max[axis] = d.at[axis] + 1
	}
	at := d.at[d.axis]
	upto := at - at%d.side + d.step
	if d.step < d.side {
		upto = min(at+d.step, at-at%d.side+d.side)
	}
	slab.Max[d.axis] = min(upto, d.box.Max[d.axis])
	d.at[d.axis] = slab.Max[d.axis]
	for axis := d.axis; d.at[axis] == d.box.Max[axis]; axis++ {
		d.at[axis] = d.box.Min[axis]
		if axis+1 == len(d.at) {
			d.end = true
			return true
		}
		d.at[axis+1]++
	}
	return true
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

// worker reads and decodes.
type worker struct {
	*decoder
	cores *semaphore.Weighted // a worker that decodes holds one of them; nil if it is alone
	*scratch
}

// scratch is the memory of reading and decoding.
type scratch struct {
	buf    []byte
	pixels tile.Pixels
}

// mostScratch is the memory of either that is kept for the next worker.
const mostScratch = 8 << 20

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (d *decoder) worker(cores *semaphore.Weighted) worker {
	return worker{decoder: d, cores: cores, scratch: scratches.Get().(*scratch)}
}

func (w *worker) free() {
	if w.pixels.Memory()+cap(w.buf) <= mostScratch {
		scratches.Put(w.scratch)
	}
}

// do reads the arrays of some tiles and decodes them.
func (w *worker) do(ctx context.Context, q *heapRead) error {
	arrays := q.early
	if q.early = nil; arrays == nil {
		w.buf = resize(w.buf, q.size)
		arrays = w.buf
		if err := w.readAt(ctx, w.r, arrays, q.offset); err != nil {
			return err
		}
	}
	for i := range q.touched {
		if err := w.decodeTile(ctx, &q.touched[i], arrays[q.touched[i].offset-q.offset:]); err != nil {
			return err
		}
	}
	return nil
}

// pixelsOf decodes the first n pixels of a tile or, to keep them, all.
func (w *worker) pixelsOf(q *touch, one tile.Tile, n int) error {
	if w.cache != nil {
		q.pixels = new(tile.Pixels)
		err := w.tiles.image.Decode(q.pixels, one, one.Pixels)
		if err == nil {
			w.cache.put(w.hdu, q.number, q.pixels)
		}
		return err
	}
	q.pixels = &w.pixels
	return w.tiles.image.Decode(q.pixels, one, n)
}

// decodeTile decodes a tile, up to the last pixel that is wanted, and copies what is wanted
// to where it belongs in the slab.
func (w *worker) decodeTile(ctx context.Context, q *touch, data []byte) error {
	if w.cores != nil {
		if err := w.cores.Acquire(ctx, 1); err != nil {
			return err
		}
		defer w.cores.Release(1)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t := w.tiles
	axes := len(t.side)
	// Of the tile: the wanted pixels from lo to hi, counted in the tile; its sides.
	var buf [4 * 4]int64
	room := buf[:]
	if 4*axes > len(room) {
		room = make([]int64, 4*axes)
	}
	lo, hi, sides, at := room[:axes], room[axes:2*axes], room[2*axes:3*axes], room[3*axes:4*axes]
	rest, pixels, last := q.at, int64(1), int64(0)
	first := int64(0) // of the slab: the pixel where lo belongs
	stride := int64(1)
	for axis, side := range t.side {
		n := w.touches.Size(axis)
		begin := (w.touches.Min[axis] + rest%n) * side
		rest /= n
		sides[axis] = min(side, t.shape[axis]-begin)
		lo[axis] = max(w.slab.Min[axis]-begin, 0)
		hi[axis] = min(w.slab.Max[axis]-begin, sides[axis])
		last += (hi[axis] - 1) * pixels
		pixels *= sides[axis]
		first += (begin + lo[axis] - w.slab.Min[axis]) * stride
		stride *= w.slab.Size(axis)
	}
	if q.pixels == nil {
		rowSize := t.rows.Shape[0]
		one := t.tile(w.rows[q.row*rowSize:][:rowSize], data[:q.size], q.array, q.number, pixels)
		if err := w.pixelsOf(q, one, int(last)+1); err != nil {
			return w.tileFault(q.number, err)
		}
	}
	width := hi[0] - lo[0]
	copy(at, lo)
	for {
		src, dst := int64(0), first
		inTile, inSlab := int64(1), int64(1)
		for axis := range at {
			src += at[axis] * inTile
			dst += (at[axis] - lo[axis]) * inSlab
			inTile *= sides[axis]
			inSlab *= w.slab.Size(axis)
		}
		if err := q.pixels.Copy(w.out[dst*w.run:][:width*w.run], int(src)); err != nil {
			return w.tileFault(q.number, err)
		}
		axis := 1
		for ; axis < axes; axis++ {
			if at[axis]++; at[axis] < hi[axis] {
				break
			}
			at[axis] = lo[axis]
		}
		if axis >= axes {
			return nil
		}
	}
}
