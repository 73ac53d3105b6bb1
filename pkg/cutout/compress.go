package cutout

import (
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Compress says how the images of a cutout are stored. By the zero Compress those that are
// compressed in the source are compressed without loss, floating-point pixels and 64-bit
// integers by GZIP_2 and others by RICE_1, and others are not.
type Compress string

// The ways of storing images.
const (
	CompressNone  Compress = "none"
	CompressGzip2 Compress = "gzip2" // tiles of GZIP_2, without loss
	CompressRice  Compress = "rice"  // tiles of RICE_1; floating-point pixels lose what is below a quarter of the noise, and 64-bit integers are stored by GZIP_2
)

// knownCompress refuses a way that is none.
func knownCompress(c Compress) error {
	if c != "" && !slices.Contains([]Compress{CompressNone, CompressGzip2, CompressRice}, c) {
		return fault.New(fault.Usage, "cutout.New", "COMPRESS=%s is not known; want none, gzip2 or rice", printable(string(c)))
	}
	return nil
}

// compress decides how each image is stored. A compressed image is an extension: if it is
// the first, an empty primary goes before it.
func (p *Plan) compress(c Compress) {
	for i := range p.parts {
		p.parts[i].packed = p.parts[i].compression(c)
	}
	if p.parts[0].packed != "" {
		p.parts = slices.Insert(p.parts, 0, part{Part: Part{Label: "the primary", Role: Empty}})
	}
}

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
	case c == CompressNone || c == "" && p.image.hdu.Kind != fits.TileCompressed:
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
