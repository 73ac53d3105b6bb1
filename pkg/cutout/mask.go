package cutout

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Mask says what becomes of the pixels of a cutout whose centres lie outside of the
// stencil. If no centre lies inside, the pixel that holds the stencil's centre does.
type Mask string

// The ways to mask. The zero Mask is MaskNone.
const (
	MaskNone Mask = "none" // they stay as they are

	// MaskNaN makes them NaN in images of floating-point numbers, and BLANK in images of
	// integers that have BLANK. Other integers and bit masks stay as they are; the card
	// CUTMASK tells.
	MaskNaN Mask = "nan"

	// MaskPlane leaves the images as they are and sets a bit OUTSIDE_STENCIL of the bit mask
	// beside them, if that names its bits; else an image STENCIL is added.
	MaskPlane Mask = "plane"
)

// outsidePlane is the name of the bit that MaskPlane sets.
const outsidePlane = "OUTSIDE_STENCIL"

// masks names what each way to mask does to the parts of a plan.
var masks = map[Mask]func(p *Plan) error{
	"":        func(*Plan) error { return nil },
	MaskNone:  func(*Plan) error { return nil },
	MaskNaN:   (*Plan).maskNaN,
	MaskPlane: (*Plan).maskPlane,
}

// mask decides how each part is masked.
func (p *Plan) mask(req Request) error {
	const op = "cutout.New"
	set, known := masks[req.Mask]
	switch {
	case !known:
		return fault.New(fault.Usage, op, "MASK=%s is not known; want none, nan or plane", printable(string(req.Mask)))
	case req.Mask != "" && req.Mask != MaskNone && req.Stencil == nil:
		return fault.New(fault.Usage, op, "MASK=%s needs a region on the sky, outside of which pixels can lie, such as CIRCLE, POLYGON or SIZE; a box of pixels has none", req.Mask)
	}
	return set(p)
}

// notes are what the card CUTMASK says of a part: its value, and what that means.
var (
	noteNaN   = note{"NaN", "pixels outside of the region are NaN"}
	noteBlank = note{"BLANK", "pixels outside of the region are BLANK"}
	noteBits  = note{"whole", "bit masks are not blanked"}
	noteWhole = note{"whole", "integers without BLANK are not masked"}
	notePlane = note{outsidePlane, "bit of the pixels outside the region"}
	noteImage = note{outlineName, "extension that tells what is inside"}
)

type note struct{ value, comment string }

func (p *Plan) maskNaN() error {
	some := false
	for i := range p.parts {
		part := &p.parts[i]
		if part.Role != Cut && part.Role != Plane {
			continue
		}
		u := part.image.hdu
		value, ok := undefined(u)
		switch {
		case isFlags(u):
			part.note = noteBits
		case !ok:
			part.note = noteWhole
		case u.BITPIX < 0:
			part.paint, part.note, some = newPaint(value), noteNaN, true
		default:
			part.paint, part.note, some = newPaint(value), noteBlank, true
		}
	}
	if !some {
		return fault.New(fault.Usage, "cutout.New", "MASK=nan finds no image of floating-point numbers in the cutout, and none of integers with BLANK; use MASK=plane for an image of what is inside, or MASK=none")
	}
	return nil
}

// maskPlane sets a bit in the bit masks that name their bits, and adds an image to each
// group of parts without one.
func (p *Plan) maskPlane() error {
	var heads []*image // of groups, in their order
	marked := make(map[*image]bool)
	for i := range p.parts {
		part := &p.parts[i]
		if part.Role != Cut && part.Role != Plane {
			continue
		}
		head := p.head(part.image)
		if _, seen := marked[head]; !seen {
			heads = append(heads, head)
			marked[head] = false
		}
		if bits := bitsOf(part.image.hdu); isFlags(part.image.hdu) && bits.named() {
			if bit, ok := bits.free(outsidePlane, part.image.hdu.BITPIX); ok {
				part.paint, part.bit, part.note = newBit(bit, part.image.hdu.BITPIX), bit, notePlane
				marked[head] = true
			}
		}
	}
	for _, head := range heads {
		if marked[head] {
			continue
		}
		for i := range p.parts {
			if part := &p.parts[i]; part.image == head {
				part.note = noteImage
				p.parts = append(p.parts, outlineOf(part))
				break
			}
		}
	}
	return nil
}

// head returns the image that stands for a group of images with the same box and version
// and planes of theirs: the first of them.
func (p *Plan) head(m *image) *image {
	for i := range p.parts {
		if s := p.parts[i].image; p.parts[i].Role == Cut && m.sky.together(s) {
			return s
		}
	}
	return m
}

// undefined returns the pixel that stands for no value, big-endian: NaN or BLANK. ok is
// false for integers that have none.
func undefined(u *fits.HDU) (value []byte, ok bool) {
	switch u.BITPIX {
	case -32:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), true
	case -64:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(math.NaN())), true
	}
	h, err := u.ImageHeader()
	if err != nil {
		return nil, false
	}
	blank, ok, err := h.Int("BLANK")
	if !ok || err != nil {
		return nil, false
	}
	return integer(blank, u.BITPIX)
}

// integer returns n as a big-endian pixel; ok is false if it does not fit.
func integer(n int64, bitpix int) (pixel []byte, ok bool) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if bitpix == 8 {
		lo, hi = 0, math.MaxUint8
	} else if bitpix < 64 {
		lo, hi = -1<<(bitpix-1), 1<<(bitpix-1)-1
	}
	if n < lo || n > hi {
		return nil, false
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))[8-bitpix/8:], true
}

// paint is what is done to some pixels: they become value or, if or, its bits are set.
type paint struct {
	value []byte // of a pixel, big-endian
	or    bool
	wide  []byte // value many times
}

func newPaint(value []byte) *paint {
	return &paint{value: value, wide: bytes.Repeat(value, 4096/len(value))}
}

func newBit(bit, bitpix int) *paint {
	p := newPaint(binary.BigEndian.AppendUint64(nil, 1<<bit)[8-bitpix/8:])
	p.or = true
	return p
}

// apply paints the bytes b, the first of which is byte number at of the data.
func (p *paint) apply(b []byte, at int64) {
	size := len(p.value)
	phase := int(at % int64(size))
	if p.or {
		for i := range b {
			b[i] |= p.wide[phase]
			if phase++; phase == size {
				phase = 0
			}
		}
		return
	}
	for len(b) > 0 {
		n := copy(b, p.wide[phase:])
		b, phase = b[n:], 0 // wide ends with a whole pixel
	}
}
