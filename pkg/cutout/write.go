package cutout

import (
	"context"
	"io"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// WriteTo writes the cutout to w as a FITS file and returns the number of bytes written.
// Its memory is bounded: an HDU of more than 32 MB is read twice, for its sum and to write it.
// On a store that takes several requests at once the next HDUs are read while one is written.
//
// The error is that of w, of reading the source or of ctx; [fault.Unavailable] if the
// source changed meanwhile. After an error what was written is no FITS file.
func (p *Plan) WriteTo(ctx context.Context, w io.Writer) (n int64, err error) {
	from, err := p.input(ctx)
	if err != nil {
		return 0, err
	}
	defer from.ahead.Close()
	count := &from.count
	count.w = w
	out := fits.NewWriter(count)
	for i := range p.parts {
		part := &p.parts[i]
		if part.asis {
			if err := out.WriteTiles(ctx, part.header, p.file, part.image.hdu, part.Box); err != nil {
				return count.n, err
			}
			continue
		}
		data, err := p.data(ctx, i, from)
		if err != nil {
			return count.n, err
		}
		if part.packed != "" {
			err = out.WriteCompressed(ctx, part.header, part.packed, data)
		} else {
			err = out.WriteHDU(ctx, part.header, part.dataSize(), data)
		}
		if err != nil {
			return count.n, err
		}
	}
	return count.n, nil
}

// input is what one writing of a plan reads from, and what it has written.
type input struct {
	ahead    *fits.Ahead
	sections []*fits.Section    // of the parts; nil: nothing is read
	rasters  map[*image]*raster // of the images whose masks were needed so far
	count    counter
	few      [4]*fits.Section // sections of most cutouts
}

// input plans what is read of each part, and how often.
func (p *Plan) input(ctx context.Context) (*input, error) {
	s := new(input)
	if s.sections = s.few[:]; len(p.parts) > len(s.few) {
		s.sections = make([]*fits.Section, len(p.parts))
	}
	var few [8]*fits.Section
	order := few[:0]
	for i := range p.parts {
		part := &p.parts[i]
		var err error
		switch part.Role {
		case Cut, Plane:
			if part.asis { // which reads for itself
				continue
			}
			s.sections[i], err = p.file.Section(part.image.hdu, part.Box)
		case Attached:
			s.sections[i] = p.file.Raw(part.image.hdu)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		passes := fits.Passes(part.dataSize())
		if part.packed != "" { // how large it becomes is not known yet; a second pass is then read by itself
			passes = 1
		}
		for range passes {
			order = append(order, s.sections[i])
		}
	}
	s.ahead = fits.NewAhead(ctx, p.file.ReaderAt(), order...)
	return s, nil
}

// data returns the data of part i: read, surrounded by padding, masked.
func (p *Plan) data(ctx context.Context, i int, from *input) (fits.Data, error) {
	part, section := &p.parts[i], from.sections[i]
	var r *raster
	if part.Role == Outline || part.paint != nil {
		m := part.image.sky
		if r = from.rasters[m]; r == nil {
			var err error
			if r, err = newRaster(ctx, m.system, p.st, part.Frame); err != nil {
				return nil, err
			}
			if from.rasters == nil {
				from.rasters = make(map[*image]*raster)
			}
			from.rasters[m] = r
		}
	}
	switch part.Role {
	case Empty:
		return nil, nil
	case Outline:
		return drawOutline(r), nil
	}
	data := func(ctx context.Context, emit func([]byte) error) error {
		return from.ahead.Stream(ctx, section, emit)
	}
	size := pixelBytes(part.image.hdu)
	if part.fill != nil {
		data = surround(data, part.fill, part.Box, part.Frame, size)
	}
	if part.paint != nil {
		x, y := part.image.sky.system.Axes()
		data = masked(data, r, part.paint, part.Frame, x, y, size)
	}
	return data, nil
}

// masked returns the data of a frame with the pixels outside painted. It paints the pieces
// as they pass.
func masked(data fits.Data, r *raster, with *paint, frame pixel.Box, x, y int, size int64) fits.Data {
	step := size // from one pixel along x to the next
	for axis := range x {
		step *= frame.Size(axis)
	}
	repeat := int64(1) // rows along x for each pixel along y
	for axis := x + 1; axis < y; axis++ {
		repeat *= frame.Size(axis)
	}
	row, ny := step*frame.Size(x), frame.Size(y)
	return func(ctx context.Context, emit func([]byte) error) error {
		var at int64
		return data(ctx, func(b []byte) error {
			for from, end := at, at+int64(len(b)); from < end; {
				number := from / row
				start := number * row
				next := min(start+row, end)
				out, err := r.outside(ctx, int(number/repeat%ny))
				if err != nil {
					return err
				}
				for _, q := range out {
					lo, hi := max(start+int64(q.from)*step, from), min(start+int64(q.upto)*step, next)
					if lo < hi {
						with.apply(b[lo-at:hi-at], lo)
					}
				}
				from = next
			}
			at += int64(len(b))
			return emit(b)
		})
	}
}

// counter counts the bytes that pass to a writer.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
