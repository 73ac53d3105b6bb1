package fits

import (
	"context"
	"runtime"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
)

// packer compresses the pixels of an image as they pass, tile by tile.
type packer struct {
	image       tile.Image
	shape, side []int64
	size        int64    // bytes of the image
	entries     []packed // for each tile
}

// packing is a tile that is being compressed, and its memory.
type packing struct {
	encoder  tile.Encoder
	pix, out []byte
	tile     tile.Tile
	err      error
	done     chan struct{}
}

var packings = sync.Pool{New: func() any { return &packing{done: make(chan struct{}, 1)} }}

// maxPackings is how many tiles are compressed at once, at most; each takes up to 2 MB.
const maxPackings = 8

// run compresses the image that data produces and passes its tiles to emit, in order. A tile
// is valid until emit returns.
func (p *packer) run(ctx context.Context, data Data, emit func(t *tile.Tile) error) error {
	var queue []*packing // under way, the oldest first
	finish := func() error {
		oldest := queue[0]
		queue = queue[1:]
		<-oldest.done
		err := oldest.err
		if err == nil {
			err = emit(&oldest.tile)
		}
		packings.Put(oldest)
		return err
	}
	filling := packings.Get().(*packing)
	filling.pix = filling.pix[:0]
	defer func() { // after an error
		for _, q := range queue {
			<-q.done
			packings.Put(q)
		}
		packings.Put(filling)
	}()
	var number int64
	atOnce := min(runtime.GOMAXPROCS(0), maxPackings)
	err := produce(ctx, p.size, data, func(b []byte) error {
		for len(b) > 0 {
			n := min(p.bytes(number)-len(filling.pix), len(b))
			filling.pix = append(filling.pix, b[:n]...)
			b = b[n:]
			if len(filling.pix) < p.bytes(number) {
				return nil
			}
			if number == 0 {
				p.seed(filling.pix)
			}
			if len(queue) == atOnce {
				if err := finish(); err != nil {
					return err
				}
			}
			filling.start(p, number)
			queue = append(queue, filling)
			filling = packings.Get().(*packing)
			filling.pix = filling.pix[:0]
			number++
		}
		return nil
	})
	for err == nil && len(queue) > 0 {
		err = finish()
	}
	return err
}

// start compresses a tile.
func (q *packing) start(p *packer, number int64) {
	q.encoder.Image, q.encoder.Level = &p.image, noiseSteps
	go func() {
		q.out, q.tile, q.err = q.encoder.Encode(q.out[:0], q.pix, int(p.side[0]), number)
		q.done <- struct{}{}
	}()
}

// seed sets where the dithering of the image begins, after the bytes of its first tile:
// the same for the same pixels, and another for other images, so that what dithering adds
// does not add up where images are stacked.
func (p *packer) seed(pix []byte) {
	var total int
	for _, b := range pix {
		total += int(b)
	}
	p.image.Seed = 1 + total%10_000
}

// bytes returns the size of a tile.
func (p *packer) bytes(number int64) int {
	size := pixelSize(p.image.Bitpix)
	for axis, n := range p.shape {
		count := (n + p.side[axis] - 1) / p.side[axis]
		at := number % count * p.side[axis]
		number /= count
		size *= min(p.side[axis], n-at)
	}
	return int(size)
}
