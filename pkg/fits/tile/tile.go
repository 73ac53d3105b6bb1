package tile

import (
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Dither is how the values of an image were dithered before they were quantised.
type Dither uint8

// The ways of dithering (ZQUANTIZ, section 10.2).
const (
	NoDither           Dither = iota // NO_DITHER
	SubtractiveDither1               // SUBTRACTIVE_DITHER_1
	SubtractiveDither2               // SUBTRACTIVE_DITHER_2: exact zeros stay zeros
)

// ParseDither reads the value of ZQUANTIZ; an empty one is NO_DITHER. Any other is
// [fault.Unsupported].
func ParseDither(zquantiz string) (Dither, error) {
	switch zquantiz {
	case "", "NONE", "NO_DITHER":
		return NoDither, nil
	case "SUBTRACTIVE_DITHER_1":
		return SubtractiveDither1, nil
	case "SUBTRACTIVE_DITHER_2":
		return SubtractiveDither2, nil
	}
	return 0, fault.New(fault.Unsupported, "tile.ParseDither", "ZQUANTIZ = '%s' is not known; expected NO_DITHER, SUBTRACTIVE_DITHER_1 or SUBTRACTIVE_DITHER_2", zquantiz)
}

// Image says how the tiles of an image are stored. It is not changed by its methods and
// safe for concurrent use.
type Image struct {
	Codec  string // ZCMPTYPE
	Bitpix int    // ZBITPIX, of the pixels: 8, 16, 32, 64, -32 or -64

	// Quantised says that the tiles hold integers with a ZSCALE and a ZZERO each, as
	// columns or keywords. Floating-point images without these are stored as they are,
	// whatever ZQUANTIZ says (Rubin's DP2 does so).
	Quantised bool
	Dither    Dither // ZQUANTIZ
	Seed      int    // ZDITHER0, 1 to 10000; of any use with dithering only

	BlockSize int  // RICE_1: the ZVALn of BLOCKSIZE; 0 is the default, 32
	BytePix   int  // RICE_1: the ZVALn of BYTEPIX; 0 is the default, 4
	Smooth    bool // HCOMPRESS_1: the ZVALn of SMOOTH is not 0
}

// maxBlockSize is the largest block of RICE_1 that is accepted; 16 and 32 are in use.
const maxBlockSize = 1 << 16

// Check is what [Parse] and [Image.Decode] ask first: it returns an error if tiles so stored cannot be decoded: [fault.Unsupported] for an
// algorithm or a combination that is not known, [fault.Corrupt] for impossible values.
func (m *Image) Check() error {
	const op = "tile.Check"
	c := findCodec(m.Codec)
	switch {
	case c == nil:
		return fault.New(fault.Unsupported, op, "the compression ZCMPTYPE = '%s' is not known; expected one of %s", m.Codec, strings.Join(Codecs(), ", "))
	case m.pixelSize() == 0:
		return fault.New(fault.Corrupt, op, "ZBITPIX = %d; expected 8, 16, 32, 64, -32 or -64", m.Bitpix)
	case m.Quantised && m.Bitpix > 0:
		return fault.New(fault.Unsupported, op, "an image of integers (ZBITPIX = %d) has ZSCALE and ZZERO, which are for floating-point images", m.Bitpix)
	case c.ints != nil && !m.Quantised && (m.Bitpix < 0 || m.Bitpix == 64):
		return fault.New(fault.Unsupported, op, "%s holds 32-bit integers, and the pixels have ZBITPIX = %d without ZSCALE and ZZERO", c.name, m.Bitpix)
	case c.name == "RICE_1" && !slices.Contains([]int{1, 2, 4}, m.bytePix()):
		return fault.New(fault.Unsupported, op, "RICE_1 has BYTEPIX = %d; expected 1, 2 or 4", m.BytePix)
	case c.name == "RICE_1" && (m.blockSize() < 1 || m.blockSize() > maxBlockSize):
		return fault.New(fault.Unsupported, op, "RICE_1 has BLOCKSIZE = %d; expected 1 to %d, as a rule 16 or 32", m.BlockSize, maxBlockSize)
	case m.Quantised && m.Dither != NoDither && (m.Seed < 1 || m.Seed > len(randoms)):
		return fault.New(fault.Corrupt, op, "ZDITHER0 = %d; expected 1 to %d", m.Seed, len(randoms))
	}
	return nil
}

// pixelSize returns the bytes of a pixel, 0 for an illegal BITPIX.
func (m *Image) pixelSize() int {
	switch m.Bitpix {
	case 8, 16, 32, 64, -32, -64:
		return max(m.Bitpix, -m.Bitpix) / 8
	}
	return 0
}

func (m *Image) blockSize() int {
	if m.BlockSize == 0 {
		return 32
	}
	return m.BlockSize
}

func (m *Image) bytePix() int {
	if m.BytePix == 0 {
		return 4
	}
	return m.BytePix
}

// Column is where in the table the bytes of a tile stand (section 10.1.3).
type Column uint8

// The columns of tiles. A tile that could not be quantised, or not be compressed, stands
// in one of the last two, which hold the pixels as they are.
const (
	Compressed       Column = iota // COMPRESSED_DATA
	GzipCompressed                 // GZIP_COMPRESSED_DATA
	UncompressedData               // UNCOMPRESSED_DATA
)

// Tile is one tile of an image.
type Tile struct {
	Data   []byte // its array as it stands in the heap; big-endian words if it is not of bytes
	Column Column
	Number int64 // its row of the table, from 0
	Pixels int   // in it; tiles at the image's edge have fewer than others

	// Of quantised tiles: value = ZSCALE · integer + ZZERO, and NaN for the integer
	// ZBLANK if there is one.
	Scale, Zero float64
	Blank       int32
	HasBlank    bool
}

// MaxPixels is the largest number of pixels that a tile can have.
const MaxPixels = 1 << 28

// Decode writes the first n pixels of a tile into p. Fewer than all are cheaper where the
// algorithm goes from the first to the last (not HCOMPRESS_1); the checksum of a gzip is
// tested only when all are wanted.
//
// Errors are those of [Image.Check], [fault.Corrupt] if the bytes are no such tile, and [fault.Usage] if n is
// not within the tile or the tile not within [MaxPixels]; p is empty then.
func (m *Image) Decode(p *Pixels, t Tile, n int) error {
	p.n, p.planes = 0, 0
	if err := m.Check(); err != nil {
		return err
	}
	if n < 0 || n > t.Pixels || t.Pixels > MaxPixels || t.Number < 0 {
		return fault.New(fault.Usage, "tile.Decode", "%d pixels of tile %d with %d are wanted; expected up to all, and no more than %d", n, t.Number, t.Pixels, MaxPixels)
	}
	p.size, p.bitpix = m.pixelSize(), m.Bitpix
	p.scaled = m.Quantised && t.Column == Compressed
	if p.scaled {
		p.quantum = m.quantum(t)
	}
	c := m.codecOf(t.Column)
	var err error
	if p.isRaw = c.ints == nil; p.isRaw {
		err = m.decodeRaw(c, p, t, n)
	} else {
		p.ints = grow(p.ints, n)
		if c.whole {
			p.ints = grow(p.ints, t.Pixels)
		}
		err = c.ints(p.ints, t.Data, m, p)
		p.ints = p.ints[:n]
	}
	if err == nil {
		p.n = n
	}
	return err
}

func (m *Image) codecOf(column Column) *codec {
	switch column {
	case GzipCompressed:
		return findCodec("GZIP_1")
	case UncompressedData:
		return findCodec("NOCOMPRESS")
	}
	return findCodec(m.Codec)
}

func (m *Image) quantum(t Tile) quantum {
	q := quantum{scale: t.Scale, zero: t.Zero, blank: absent, exactZero: absent, row: -1}
	if t.HasBlank {
		q.blank = int64(t.Blank)
	}
	if m.Dither != NoDither {
		q.row = m.randomRow(t.Number)
	}
	if m.Dither == SubtractiveDither2 {
		q.exactZero = zeroValue
	}
	return q
}

// decodeRaw decodes elements of bytes. Those of a quantised image are integers of 32 bits;
// those of an integer image may be wider than its pixels, in files of early writers.
func (m *Image) decodeRaw(c *codec, p *Pixels, t Tile, n int) error {
	size := p.size
	if p.scaled {
		size = 4
	}
	if m.Bitpix > 0 && m.Bitpix < 32 && t.Pixels > 0 {
		total, ok := int64(len(t.Data)), true
		if c.name != "NOCOMPRESS" {
			total, ok = inflatedSize(t.Data)
		}
		if wide := int(total / int64(t.Pixels)); ok && total%int64(t.Pixels) == 0 && (wide == 2 || wide == 4) && wide > size {
			size = wide
		}
	}
	if t.Pixels*size > c.ratio*len(t.Data) {
		return fault.New(fault.Corrupt, "tile.Decode", "the %d bytes of a tile cannot hold its %d pixels of %d bytes", len(t.Data), t.Pixels, size)
	}
	if c.shuffled && size == p.size && size > 1 && !p.scaled { // Copy brings them in order, where it is asked to
		p.planes = t.Pixels
		p.raw = grow(p.raw, (size-1)*t.Pixels+n)
		return inflate(p.raw, t.Data, n == t.Pixels)
	}
	p.raw = grow(p.raw, n*size)
	if err := c.raw(p.raw, t.Data, t.Pixels*size, size, p); err != nil {
		return err
	}
	if size == p.size && !p.scaled {
		return nil
	}
	p.isRaw = false
	p.ints = grow(p.ints, n)
	for i := range p.ints {
		p.ints[i] = bigEndianInt(p.raw[i*size:], size)
	}
	return nil
}

// Encode appends to dst the tile of the pixels pix, big-endian values of BITPIX, without
// loss.
//
// Errors are those of [Image.Check]; [fault.Unsupported] if the algorithm is not written,
// or not for such pixels: quantised ones are an [Encoder]'s, and RICE_1 needs integers with
// BYTEPIX·8 = BITPIX; and [fault.Usage] if pix ends within a pixel.
func (m *Image) Encode(dst, pix []byte) ([]byte, error) {
	const op = "tile.Encode"
	if err := m.Check(); err != nil {
		return nil, err
	}
	switch c := findCodec(m.Codec); {
	case c.encode == nil:
		return nil, fault.New(fault.Unsupported, op, "%s is read and not written; use RICE_1, GZIP_1, GZIP_2 or NOCOMPRESS", c.name)
	case m.Quantised:
		return nil, fault.New(fault.Unsupported, op, "an Encoder quantises pixels; Encode keeps them as they are")
	case len(pix)%m.pixelSize() != 0:
		return nil, fault.New(fault.Usage, op, "%d bytes end within a pixel of %d", len(pix), m.pixelSize())
	default:
		return c.encode(dst, pix, m)
	}
}
