package cutout

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

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
	noteAgain = note{outlineName, "0 outside of this region, too"}
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

// maskPlane sets a bit in the bit masks that name their bits, marks what is outside in the
// outlines that an earlier cutout has, and adds an outline to each group of parts without either.
func (p *Plan) maskPlane() error {
	var heads, outlines []*image // of groups, in their order; of earlier cutouts
	marked := make(map[*image]bool)
	for i := range p.parts {
		part := &p.parts[i]
		if part.Role != Cut && part.Role != Plane {
			continue
		}
		head, u := p.head(part.image), part.image.hdu
		if !slices.Contains(heads, head) {
			heads = append(heads, head)
		}
		if isOutline(u) {
			part.paint, part.note = newPaint([]byte{0}), noteAgain
			outlines = append(outlines, part.image)
			continue
		}
		stored, plain := storageOf(u)
		if bits := bitsOf(u); plain && bits.named() {
			if bit, ok := bits.free(outsidePlane, stored); ok {
				part.paint, part.bit, part.note = newBit(bit, stored), bit, notePlane
				marked[head] = true
			}
		}
	}
	for _, head := range heads {
		if marked[head] || slices.Contains(outlines, head) {
			continue
		}
		i := slices.IndexFunc(p.parts, func(q part) bool { return q.image == head })
		p.parts[i].note = noteImage
		if !slices.ContainsFunc(outlines, head.sameFrame) {
			p.parts = append(p.parts, p.outlineOf(&p.parts[i]))
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

// paint is what is done to some pixels.
type paint struct {
	value []byte // of a pixel, big-endian
	how   stroke
	wide  []byte // value many times
}

// stroke is how a value is painted.
type stroke uint8

const (
	become stroke = iota // pixels become the value
	set                  // its bits are set in them
	unset                // its bits are deleted from them
)

func newPaint(value []byte) *paint {
	return &paint{value: value, wide: bytes.Repeat(value, 4096/len(value))}
}

// newBit sets a bit, however it is stored.
func newBit(bit int, s storage) *paint {
	plain := storage{bitpix: s.bitpix}
	p := newPaint(plain.pixel(1 << bit))
	p.how = set
	if s.turned && bit == s.bitpix-1 {
		p.how = unset
	}
	return p
}

// apply paints the bytes b, the first of which is byte number at of the data.
func (p *paint) apply(b []byte, at int64) {
	size := len(p.value)
	phase := int(at % int64(size))
	for len(b) > 0 {
		wide := p.wide[phase:]
		n := min(len(b), len(wide))
		switch p.how {
		case become:
			copy(b, wide)
		case set:
			for i, v := range wide[:n] {
				b[i] |= v
			}
		case unset:
			for i, v := range wide[:n] {
				b[i] &^= v
			}
		}
		b, phase = b[n:], 0 // wide ends with a whole pixel
	}
}
