// Package cutout cuts the part of a FITS file that a stencil touches: it chooses the HDUs
// and boxes of pixels, makes the headers true for them, and streams the pixels.
//
// A cutout covers its stencil: its box is the smallest that holds all pixels whose area
// the stencil touches (see [Cover]). Pixels are copied as they are in the file,
// BSCALE, BZERO and BLANK with them; cards that the cut does not make false keep
// their 80 bytes. Which cards it does make false is written in the tables of cards.go,
// and which HDUs go together in choose.go. What a request may ask for beside has a file
// each: mask.go, detail.go, stamp.go, pad.go and compress.go.
//
// The bytes of a cutout are the same for the same file and request, apart from the card
// DATE of the first HDU and the CHECKSUM that covers it.
//
// Boxes count pixels from zero and are half-open; the text in headers counts from one
// and includes both ends, as FITS does.
package cutout

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Plan is what will be cut out of one file. It does not change; writing it twice writes
// the same bytes.
type Plan struct {
	file    *fits.File
	st      stencil.Stencil
	parts   []part
	dropped []Drop
	bytes   int64
}

// part is a Part and what it takes to write it.
type part struct {
	Part
	image   *image
	header  *fits.Header
	fill    *paint           // the pixels of Frame around Box; nil: there are none
	paint   *paint           // what becomes of the pixels outside of the stencil; nil: they stay as they are
	bit     int              // that paint sets, if it names one
	note    note             // what the header says of the mask
	version int64            // EXTVER of an outline
	packed  fits.Compression // how it is compressed; "": it is not
	asis    bool             // its tiles are copied
}

// padding returns the number of pixels around the box.
func (p *part) padding() int64 {
	frame, _ := p.Frame.Bytes(1)
	box, _ := p.Box.Bytes(1)
	return frame - box
}

// dataSize returns the bytes of data, without those that fill the last block.
func (p *part) dataSize() int64 {
	size := int64(1)
	switch p.Role {
	case Empty:
		return 0
	case Attached:
		return p.image.hdu.DataSize
	case Cut, Plane:
		size = pixelBytes(p.image.hdu)
	}
	n, _ := p.Frame.Bytes(size) // no overflow: checkPadding
	return n
}

// size returns the bytes of the whole HDU.
func (p *part) size() int64 { return headerSize(p.header) + padded(p.dataSize()) }

// New decides what to cut out of file. It reads no pixel.
//
// The error is [fault.NoOverlap] if the region touches no pixel, [fault.Unsupported] or
// [fault.Corrupt] if no image of the file can be cut, [fault.TooLarge] if the cutout
// would be larger than the limit, and [fault.Usage] if the HDU asked for does not exist
// or the request asks for what its images cannot give.
func New(file *fits.File, req Request) (*Plan, error) {
	const op = "cutout.New"
	if err := errors.Join(knownDetail(req.Detail), knownPad(req), knownCompress(req.Compress)); err != nil {
		return nil, err
	}
	if n := len(file.HDUs); req.HDU != nil && (*req.HDU < 0 || *req.HDU >= n) {
		return nil, fault.New(fault.Usage, op, "HDU %d of a file with %d: want 0 to %d", *req.HDU, n, n-1)
	}
	images, err := choose(file, req)
	if err != nil {
		return nil, err
	}
	if req.Compress == CompressAsIs {
		if err := widen(images); err != nil {
			return nil, err
		}
	}
	wanted := images
	if req.HDU != nil {
		wanted = images[*req.HDU : *req.HDU+1]
	}
	if !slices.ContainsFunc(wanted, (*image).cut) {
		return nil, nothing(wanted, req.region())
	}
	p := &Plan{file: file, st: req.Stencil}
	p.collect(images, wanted, req.Detail)
	for _, decide := range []func() error{
		p.pad,
		func() error { return p.mask(req) },
		func() error { return p.compress(req.Compress) },
		func() error { return p.makeHeaders(req) },
	} {
		if err := decide(); err != nil {
			return nil, err
		}
	}
	if limit := req.Limits.MaxBytes; limit > 0 && p.bytes > limit {
		return nil, fault.New(fault.TooLarge, op, "the cutout would have %d bytes, and %d are allowed; ask for a smaller region", p.bytes, limit)
	}
	return p, nil
}

// region returns what is cut, to be named in sentences.
func (req *Request) region() fmt.Stringer {
	switch {
	case req.Stencil != nil:
		return req.Stencil
	case req.Stamp != nil:
		return req.Stamp
	case req.Pixels != nil:
		return req.Pixels
	}
	return wholeImage{}
}

// wholeImage is the region of a request without one.
type wholeImage struct{}

func (wholeImage) String() string { return "the whole image" }

// collect makes the parts, and notes what is left out.
func (p *Plan) collect(images, wanted []*image, detail Detail) {
	p.parts = make([]part, 0, len(images))
	for _, m := range images {
		u := m.hdu
		asked := slices.Contains(wanted, m)
		add := func(role Role) {
			p.parts = append(p.parts, part{Part: Part{HDU: u.Number, Label: u.String(), Role: role, Box: m.box, Frame: m.frame}, image: m})
		}
		switch {
		case asked && m.cut() && m.sky == m:
			add(Cut)
			continue
		case asked && m.cut():
			add(Plane)
			continue
		case detail == DetailFull && isIndex(p.file, u):
			m.drop("lists where the HDUs of the source are")
		case detail == DetailFull && m.attached():
			add(Attached)
			continue
		case u.Number == 0:
			p.parts = append(p.parts, part{Part: Part{Label: u.String(), Role: Empty}, image: m})
		}
		if !asked {
			m.drop("was not asked for")
		}
		if u.Number > 0 || u.Image() {
			p.dropped = append(p.dropped, Drop{u.Number, u.String(), m.reason})
		}
	}
}

// makeHeaders writes the headers of all parts and adds up the size.
func (p *Plan) makeHeaders(req Request) error {
	whole := true
	for i := range p.parts {
		part := &p.parts[i]
		whole = whole && (part.Role == Empty || part.Role == Attached || part.whole())
	}
	t := newTravel(p.file, p.parts)
	for i := range p.parts {
		part := &p.parts[i]
		var err error
		switch {
		case part.image == nil:
			part.header = fits.NewPrimary(8, nil)
		case part.Role == Empty:
			part.header, err = emptyHeader(part.image.hdu, whole, &t)
		case part.Role == Attached:
			part.header = part.image.hdu.Header
			if i == 0 {
				part.header = without(part.header, &t, rewritten)
			}
		case part.Role == Outline:
			part.header, err = outlineHeader(part, p.headerOf(part.image))
		default:
			part.header, err = cutHeader(part, &t)
		}
		if err == nil && i > 0 && part.HDU == 0 && part.Role != Outline {
			part.header, err = asExtension(part.header)
		}
		if err == nil && i == 0 {
			err = p.signFirst(part.header, req)
		}
		if err == nil {
			err = part.sign()
		}
		if err != nil {
			return fmt.Errorf("cutout.New: %s: %w", part.Label, err)
		}
	}
	if err := t.correct(p.parts); err != nil {
		return err
	}
	for i := range p.parts {
		p.bytes += p.parts[i].size()
	}
	return nil
}

// headerOf returns the header of the part with an image.
func (p *Plan) headerOf(m *image) *fits.Header {
	return p.parts[slices.IndexFunc(p.parts, func(q part) bool { return q.image == m })].header
}

// whole reports whether the part is its HDU, unchanged.
func (p *part) whole() bool { return p.paint == nil && isWhole(p.Frame, p.image.hdu) }

func isWhole(b pixel.Box, u *fits.HDU) bool {
	return slices.Equal(b.Max, u.Shape) && !slices.ContainsFunc(b.Min, func(n int64) bool { return n != 0 })
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

// Size returns the size of the cutout in bytes. Images that will be compressed count as if they
// were not: what they take is known when they are written.
func (p *Plan) Size() int64 { return p.bytes }

// Parts returns the HDUs of the cutout in their order.
func (p *Plan) Parts() []Part {
	parts := make([]Part, len(p.parts))
	for i := range parts {
		parts[i] = p.parts[i].Part
	}
	return parts
}

// Dropped returns the HDUs of the source that the cutout does not hold, and why.
func (p *Plan) Dropped() []Drop { return slices.Clone(p.dropped) }
