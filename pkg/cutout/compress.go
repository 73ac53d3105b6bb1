package cutout

import (
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// Compress says how the images of a cutout are stored. By the zero Compress those that are
// compressed in the source are compressed without loss, floating-point pixels and 64-bit
// integers by GZIP_2 and others by RICE_1, and others are not.
type Compress string

// The ways of storing images.
const (
	CompressNone  Compress = "none"
	CompressGzip2 Compress = "gzip2" // tiles of GZIP_2, without loss
	CompressAsIs  Compress = "asis"  // whole tiles as they are in the source, around the box; others as they are, too
	CompressRice  Compress = "rice"  // tiles of RICE_1; floating-point pixels lose what is below a quarter of the noise, and 64-bit integers are stored by GZIP_2
)

// knownCompress refuses a way that is none.
func knownCompress(c Compress) error {
	if c != "" && !slices.Contains([]Compress{CompressNone, CompressGzip2, CompressRice, CompressAsIs}, c) {
		return fault.New(fault.Usage, "cutout.New", "COMPRESS=%s is not known; want none, gzip2, rice or asis", printable(string(c)))
	}
	return nil
}

// compress decides how each image is stored. A compressed image is an extension: if it is
// the first, an empty primary goes before it.
//
// The error is [fault.Unsupported] if tiles cannot be copied, and [fault.Usage] if pixels of
// theirs are to be changed.
func (p *Plan) compress(c Compress) error {
	for i := range p.parts {
		part := &p.parts[i]
		part.packed = part.compression(c)
		if c == CompressAsIs && (part.Role == Cut || part.Role == Plane) && part.image.hdu.Kind == fits.TileCompressed {
			if err := part.mayCopy(); err != nil {
				return err
			}
			part.asis = true
		}
	}
	if p.parts[0].packed != "" {
		p.parts = slices.Insert(p.parts, 0, part{Part: Part{Label: "the primary", Role: Empty}})
	}
	return nil
}

// mayCopy reports why the tiles of a part cannot be copied.
func (p *part) mayCopy() error {
	const op, advice = "cutout.New", "use COMPRESS=gzip2 or rice"
	switch {
	case p.paint != nil:
		return fault.New(fault.Usage, op, "%s: COMPRESS=asis copies tiles, and MASK changes pixels of theirs; %s, or leave MASK out", p.Label, advice)
	case p.fill != nil:
		return fault.New(fault.Usage, op, "%s: COMPRESS=asis copies tiles, and PAD adds pixels; %s, or leave PAD out", p.Label, advice)
	}
	if err := p.image.hdu.CanCopyTiles(p.Box); err != nil {
		return fault.New(fault.CodeOf(err), op, "%s; %s", fault.Sentence(err), advice)
	}
	return nil
}

// widen widens the boxes of compressed images to whole tiles, and with them those of the images
// that show the same. An image that is padded stays, to be refused.
func widen(images []*image) error {
	images = slices.DeleteFunc(slices.Clone(images), func(m *image) bool { return !m.cut() || !m.sky.cut() || !sameBox(m.box, m.frame) })
	group := make([]*image, len(images))
	for i, m := range images {
		j := slices.IndexFunc(images, func(s *image) bool { return m.sky.together(s.sky) })
		group[i] = images[j].sky
	}
	for again := true; again; {
		again = false
		for i, m := range images {
			wide, err := m.hdu.WholeTiles(m.box)
			if err != nil {
				return err
			}
			if sameBox(wide, m.box) {
				continue
			}
			again = true
			m.box, m.frame = wide, wide
			if m.sky.system == nil {
				continue
			}
			x, y := m.sky.system.Axes()
			for j, s := range images {
				if group[j] == group[i] && s != m {
					s.box = s.box.Clone()
					s.box.Min[x], s.box.Max[x], s.box.Min[y], s.box.Max[y] = wide.Min[x], wide.Max[x], wide.Min[y], wide.Max[y]
					s.frame = s.box
				}
			}
		}
	}
	return nil
}

func sameBox(a, b pixel.Box) bool { return slices.Equal(a.Min, b.Min) && slices.Equal(a.Max, b.Max) }

// compression returns how a part is compressed, "" if it is not.
func (p *part) compression(c Compress) fits.Compression {
	var bitpix int
	switch p.Role {
	case Cut, Plane:
		bitpix = p.image.hdu.BITPIX
	case Outline:
		bitpix = 8
	default:
		return ""
	}
	switch {
	case c == CompressNone || c == CompressAsIs || c == "" && p.image.hdu.Kind != fits.TileCompressed:
		return ""
	case c == CompressGzip2 || c == "" && bitpix < 0 || bitpix == 64:
		return fits.GZIP2
	}
	return fits.Rice
}

// lossy reports whether compressing changes pixels.
func (p *part) lossy() bool {
	return p.packed == fits.Rice && p.Role != Outline && p.image.hdu.BITPIX < 0
}
