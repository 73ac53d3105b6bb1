package fits

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
)

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
