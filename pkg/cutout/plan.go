// Package cutout cuts the part of a FITS file that a stencil touches: it chooses the HDUs
// and boxes of pixels, makes the headers true for them, and streams the pixels.
//
// A cutout covers its stencil: its box is the smallest that holds all pixels whose area
// the stencil touches (see [Cover]). Pixels are copied as they are in the file,
// BSCALE, BZERO and BLANK with them; cards that the cut does not make false keep
// their 80 bytes. Which cards it does make false is written in the tables of cards.go,
// and which HDUs go together in choose.go.
//
// The bytes of a cutout are the same for the same file and request, apart from the card
// DATE of the first HDU and the CHECKSUM that covers it.
//
// Boxes count pixels from zero and are half-open; the text in headers counts from one
// and includes both ends, as FITS does.
package cutout

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// Plan is what will be cut out of one file. It does not change; writing it twice writes
// the same bytes.
type Plan struct {
	file    *fits.File
	parts   []Part
	headers []*fits.Header // of the parts
	dropped []Drop
	size    int64
}

// New decides what to cut out of file. It reads no pixel.
//
// The error is [fault.NoOverlap] if the stencil touches no pixel, [fault.Unsupported] or
// [fault.Corrupt] if no image of the file can be cut, [fault.TooLarge] if the cutout
// would be larger than the limit, and [fault.Usage] if the HDU asked for does not exist.
func New(file *fits.File, req Request) (*Plan, error) {
	const op = "cutout.New"
	if n := len(file.HDUs); req.HDU != nil && (*req.HDU < 0 || *req.HDU >= n) {
		return nil, fault.New(fault.Usage, op, "HDU %d of a file with %d: want 0 to %d", *req.HDU, n, n-1)
	}
	images, err := choose(file, req)
	if err != nil {
		return nil, err
	}
	wanted := images
	if req.HDU != nil {
		wanted = images[*req.HDU : *req.HDU+1]
	}
	if !slices.ContainsFunc(wanted, (*image).cut) {
		return nil, nothing(wanted, req.Stencil)
	}
	p := &Plan{file: file}
	for _, m := range images {
		asked := slices.Contains(wanted, m)
		switch {
		case asked && m.cut():
			role := Plane
			if m.sky == m {
				role = Cut
			}
			p.parts = append(p.parts, Part{m.hdu.Number, m.hdu.String(), role, m.box})
			continue
		case m.hdu.Number == 0:
			p.parts = append(p.parts, Part{0, m.hdu.String(), Empty, pixel.Box{}})
		}
		if !asked {
			m.drop("was not asked for")
		}
		if m.hdu.Number > 0 || m.hdu.Image() {
			p.dropped = append(p.dropped, Drop{m.hdu.Number, m.hdu.String(), m.reason})
		}
	}
	if err := p.makeHeaders(images, req); err != nil {
		return nil, err
	}
	if limit := req.Limits.MaxBytes; limit > 0 && p.size > limit {
		return nil, fault.New(fault.TooLarge, op, "the cutout would have %d bytes, and %d are allowed; ask for a smaller stencil", p.size, limit)
	}
	return p, nil
}

// makeHeaders writes the headers of all parts and adds up the size.
func (p *Plan) makeHeaders(images []*image, req Request) error {
	whole := true
	for _, part := range p.parts {
		whole = whole && (part.Role == Empty || isWhole(part.Box, images[part.HDU].hdu))
	}
	for i, part := range p.parts {
		m := images[part.HDU]
		var h *fits.Header
		var err error
		if part.Role == Empty {
			h, err = emptyHeader(m.hdu, whole)
		} else {
			h, err = cutHeader(m)
		}
		if err == nil && i == 0 {
			err = p.signFirst(h, req)
		}
		if err == nil {
			err = signPart(h, part)
		}
		if err != nil {
			return fmt.Errorf("cutout.New: %s: %w", m.hdu, err)
		}
		p.headers = append(p.headers, h)
		var data int64
		if part.Role != Empty {
			data, _ = part.Box.Bytes(pixelBytes(m.hdu)) // no overflow: less than the HDU has
		}
		p.size += headerSize(h) + padded(data)
	}
	return nil
}

func isWhole(b pixel.Box, u *fits.HDU) bool {
	return slices.Equal(b.Shape(), u.Shape)
}

func pixelBytes(u *fits.HDU) int64 { return int64(max(u.BITPIX, -u.BITPIX) / 8) }

// headerSize returns the bytes of a header with the CHECKSUM and DATASUM that writing adds.
func headerSize(h *fits.Header) int64 {
	cards := int64(h.Len()) + 1 // END
	for _, key := range []string{"CHECKSUM", "DATASUM"} {
		if !h.Has(key) {
			cards++
		}
	}
	return padded(80 * cards)
}

// padded rounds up to whole FITS blocks.
func padded(n int64) int64 { return (n + 2879) / 2880 * 2880 }

// Size returns the size of the cutout in bytes.
func (p *Plan) Size() int64 { return p.size }

// Parts returns the HDUs of the cutout in their order.
func (p *Plan) Parts() []Part { return slices.Clone(p.parts) }

// Dropped returns the HDUs of the source that the cutout does not hold, and why.
func (p *Plan) Dropped() []Drop { return slices.Clone(p.dropped) }

// WriteTo writes the cutout to w as a FITS file and returns the number of bytes written.
// Its memory is bounded: an HDU of more than 32 MB is read twice, for its sum and to write it.
//
// The error is that of w, of reading the source or of ctx; [fault.Unavailable] if the
// source changed meanwhile. After an error what was written is no FITS file.
func (p *Plan) WriteTo(ctx context.Context, w io.Writer) (n int64, err error) {
	count := &counter{w: w}
	out := fits.NewWriter(count)
	for i, part := range p.parts {
		var size int64
		var data fits.Data
		if part.Role != Empty {
			section, err := p.file.Section(p.file.HDUs[part.HDU], part.Box)
			if err != nil {
				return count.n, err
			}
			size = section.Size()
			data = func(ctx context.Context, emit func([]byte) error) error {
				return section.Stream(ctx, p.file.ReaderAt(), emit)
			}
		}
		if err := out.WriteHDU(ctx, p.headers[i], size, data); err != nil {
			return count.n, err
		}
	}
	return count.n, nil
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
