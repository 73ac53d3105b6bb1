package cutout

import (
	"context"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Pad says whether a cutout goes on beyond the edges of an image, so that its shape does
// not depend on where the edges are: a [Stamp] then has all its pixels, and the cutout of a
// stencil the box that covers it all.
type Pad string

// The ways to pad. The zero Pad is PadNone.
const (
	PadNone Pad = "none" // the cutout ends where the image does

	// PadNaN pads images of floating-point numbers with NaN and those of integers with
	// BLANK. Bit masks are padded with the bit NO_DATA where their cards name such a
	// one, else with 0.
	PadNaN Pad = "nan"
)

// Bounds of padding.
const (
	farPixel   = 1 << 40 // from the origin, in pixels: beyond, nothing is meant
	maxPadding = 1 << 26 // pixels that are added to a plane
	noData     = "NO_DATA"
)

// knownPad refuses a way to pad that is none, or that does not go with the region.
func knownPad(req Request) error {
	const op = "cutout.New"
	switch {
	case req.Pad == "" || req.Pad == PadNone:
	case req.Pad != PadNaN:
		return fault.New(fault.Usage, op, "PAD=%s is not known; want none or nan", printable(string(req.Pad)))
	case req.Stencil == nil && req.Stamp == nil:
		return fault.New(fault.Usage, op, "PAD=%s does not go with a section of pixels, which has only those of the image; use STAMP, or leave PAD out", req.Pad)
	}
	return nil
}

// coverAll returns the box of all pixels that a stencil touches, also beyond the edges of
// an image, where its coordinates go on. It holds seen, what Cover found in the image.
//
// It covers a frame that is larger than the positions of the border, and a still larger one
// if the stencil reaches its edges.
func coverAll(m Mapper, st stencil.Stencil, seen area) (area, error) {
	const op, samples, rounds = "cutout.New", 64, 8
	frame := seen
	for _, curve := range st.Border() {
		p := make([]float64, 0, 2*(samples+1))
		for k := range samples + 1 {
			lon, lat := curve(float64(k) / samples).Degrees()
			p = append(p, lon, lat)
		}
		hidden, err := m.ToPixel(p, p)
		if err != nil {
			return area{}, err
		}
		if hidden > 0 {
			return area{}, fault.New(fault.Usage, op, "%s reaches where the projection of the image shows no sky, so it cannot be padded; ask for a smaller region, or leave PAD out", short(st))
		}
		for i := 0; i < len(p); i += 2 {
			if math.Abs(p[i])+math.Abs(p[i+1]) > farPixel {
				return area{}, tooMuchPadding()
			}
			x, y := int64(math.Round(p[i]))-1, int64(math.Round(p[i+1]))-1
			frame = frame.union(area{[2]int64{x, y}, [2]int64{x + 1, y + 1}})
		}
	}
	found := seen
	for range rounds {
		for i := range 2 {
			margin := (frame.max[i]-frame.min[i])/8 + 2
			frame.min[i], frame.max[i] = frame.min[i]-margin, frame.max[i]+margin
		}
		nx, ny := frame.max[0]-frame.min[0], frame.max[1]-frame.min[1]
		if nx > farPixel || ny > farPixel {
			return area{}, tooMuchPadding()
		}
		x0, x1, y0, y1, ok, err := Cover(shifted{m, float64(frame.min[0]), float64(frame.min[1])}, st, nx, ny)
		if err != nil {
			return area{}, err
		}
		if ok {
			found = seen.union(area{[2]int64{frame.min[0] + x0, frame.min[1] + y0}, [2]int64{frame.min[0] + x1, frame.min[1] + y1}})
		}
		if !ok || x0 > 0 && x1 < nx && y0 > 0 && y1 < ny {
			return found, nil
		}
	}
	return area{}, tooMuchPadding() // the region still reaches beyond
}

func tooMuchPadding() error {
	return fault.New(fault.TooLarge, "cutout.New", "padding would add more than %d pixels to a plane; ask for a smaller region, or leave PAD out", maxPadding)
}

// checkPadding bounds the pixels that a frame adds to the part of the image in it.
func checkPadding(frame, seen area) error {
	whole, ok := pixel.Product(frame.max[0]-frame.min[0], frame.max[1]-frame.min[1])
	inside, _ := pixel.Product(seen.max[0]-seen.min[0], seen.max[1]-seen.min[1])
	if !ok || whole-inside > maxPadding {
		return tooMuchPadding()
	}
	return nil
}

// pad decides which pixel stands around the box of each part that has padding.
func (p *Plan) pad() error {
	for i := range p.parts {
		part := &p.parts[i]
		if part.Role != Cut && part.Role != Plane || part.padding() == 0 {
			continue
		}
		u := part.image.hdu
		if _, ok := part.Frame.Bytes(pixelBytes(u)); !ok { // of a cube: each plane alone was checked
			return tooMuchPadding()
		}
		value, ok := undefined(u)
		if stored, plain := storageOf(u); plain && isFlags(u) {
			var bits uint64
			if bit, named := bitsOf(u).bit[noData]; named && bit < u.BITPIX {
				bits = 1 << bit
			}
			value, ok = stored.pixel(bits), true
		}
		if !ok {
			return fault.New(fault.Usage, "cutout.New", "%s holds integers without BLANK, so nothing can stand for the pixels beyond its edge; leave PAD out, or leave this HDU out (HDU, DETAIL)", u)
		}
		part.fill = newPaint(value)
	}
	return nil
}

// padding passes on the data of a box in a frame, and the pixels around the box between.
type padding struct {
	fill  *paint
	emit  func([]byte) error
	run   int64   // bytes of the box that stay together
	count []int64 // such runs along each of the axes that tell them apart, the fastest first
	step  []int64 // bytes in the frame from one to the next
	at    []int64 // which comes next
	next  int64   // where in the frame it begins
	end   int64   // bytes of the frame
	done  int64   // bytes passed on
	left  int64   // of the run that has begun
	blank []byte
}

// newPadding prepares the padding around a box of pixels of size bytes.
func newPadding(fill *paint, box, frame pixel.Box, size int64) *padding {
	w := &padding{fill: fill, run: size}
	stride, joined := size, true
	for axis := range box.Axes() {
		n, side := box.Size(axis), frame.Size(axis)
		w.next += (box.Min[axis] - frame.Min[axis]) * stride
		if joined {
			w.run *= n
			joined = n == side
		} else {
			w.count, w.step = append(w.count, n), append(w.step, stride)
		}
		stride *= side
	}
	w.end = stride
	w.at = make([]int64, len(w.count))
	w.blank = make([]byte, 32<<10)
	fill.apply(w.blank, 0)
	return w
}

// write passes on bytes of the box, and what lies before each run of it.
func (w *padding) write(b []byte) error {
	for len(b) > 0 {
		if w.left == 0 {
			if err := w.skip(w.next); err != nil {
				return err
			}
			w.left = w.run
			for axis := range w.at {
				w.next += w.step[axis]
				if w.at[axis]++; w.at[axis] < w.count[axis] {
					break
				}
				w.next -= w.step[axis] * w.at[axis]
				w.at[axis] = 0
			}
		}
		n := min(int64(len(b)), w.left)
		if err := w.emit(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		w.left -= n
		w.done += n
	}
	return nil
}

// skip passes on padding up to a byte of the frame.
func (w *padding) skip(upto int64) error {
	for w.done < upto {
		// Masks may paint what is passed on, so it is made anew.
		n := min(upto-w.done, int64(len(w.blank)))
		w.fill.apply(w.blank[:n], 0)
		if err := w.emit(w.blank[:n]); err != nil {
			return err
		}
		w.done += n
	}
	return nil
}

// surround returns the data of a box with the padding around it.
func surround(data fits.Data, fill *paint, box, frame pixel.Box, size int64) fits.Data {
	return func(ctx context.Context, emit func([]byte) error) error {
		w := newPadding(fill, box, frame, size)
		w.emit = emit
		if err := data(ctx, w.write); err != nil {
			return err
		}
		return w.skip(w.end)
	}
}
