package tile

import (
	"encoding/binary"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Encoder encodes the tiles of one image, those of quantised ones too. It uses its memory
// again, and is not safe for concurrent use.
type Encoder struct {
	Image *Image
	Level float64 // of quantised images: steps for each standard deviation of the noise

	ints   []byte // quantised, big-endian
	single []float32
	double []float64
	diff32 differences[float32]
	diff64 differences[float64]
}

// Encode appends to dst a tile of the pixels pix, big-endian values of BITPIX in rows of
// width, and returns all bytes with the tile, whose Data are those that were appended.
// number is its row of the table, from 0.
//
// Pixels of images that are not quantised are kept, as by [Image.Encode]. Quantised ones
// become integers in steps of the noise divided by Level, and NaN becomes [Blank]; they are
// dithered as the image says. Where that is impossible, because there is no noise, more
// steps than integers or an infinity, the tile is a gzip of its pixels as they are, in the
// column [GzipCompressed].
//
// Errors are those of [Image.Encode]; [fault.Usage] if Level is not positive.
// Source: CFITSIO 4, quantize.c, whose integers these are.
func (e *Encoder) Encode(dst, pix []byte, width int, number int64) ([]byte, Tile, error) {
	const op = "tile.Encoder.Encode"
	m := e.Image
	size := m.pixelSize()
	t := Tile{Number: number, Pixels: len(pix) / max(size, 1)}
	before := len(dst)
	var err error
	switch {
	case !m.Quantised:
		dst, err = m.Encode(dst, pix)
	case m.Check() != nil:
		err = m.Check()
	case e.Level <= 0 || len(pix)%size != 0 || width < 1 || number < 0:
		err = fault.New(fault.Usage, op, "%d bytes of pixels in rows of %d, tile %d, %g steps; expected whole pixels and a positive number of steps", len(pix), width, number, e.Level)
	case findCodec(m.Codec).name != "RICE_1" || m.bytePix() != 4:
		err = fault.New(fault.Unsupported, op, "quantised pixels are written by RICE_1 with BYTEPIX = 4 only, and not by %s with %d", m.Codec, m.bytePix())
	case e.quantise(&t, pix, width):
		dst, err = encodeRice(dst, e.ints, &Image{Bitpix: 32, BytePix: 4, BlockSize: m.BlockSize})
	default:
		t.Column = GzipCompressed
		dst, err = encodeGzip1(dst, pix, m)
	}
	if err != nil {
		return nil, Tile{}, err
	}
	t.Data = dst[before:]
	return dst, t, nil
}

// Blank is the integer that means NaN in what is written here.
const Blank = math.MinInt32 + 1

// reserved are the integers from Blank on that mean no ordinary value.
const reserved = 10

// quantise makes integers of pixels and sets the scale of the tile. It reports whether that
// is possible.
func (e *Encoder) quantise(t *Tile, pix []byte, width int) bool {
	var q quantum
	var s spread
	if e.Image.Bitpix == -32 {
		e.single = grow(e.single, t.Pixels)
		for i := range e.single {
			e.single[i] = math.Float32frombits(binary.BigEndian.Uint32(pix[4*i:]))
		}
		s = e.diff32.estimate(e.single, width)
	} else {
		e.double = grow(e.double, t.Pixels)
		for i := range e.double {
			e.double[i] = math.Float64frombits(binary.BigEndian.Uint64(pix[8*i:]))
		}
		s = e.diff64.estimate(e.double, width)
	}
	if s.good == 0 { // nothing but NaN: any scale will do
		s.min, s.max, s.noise = 0, 1, 1
	}
	q.scale = s.noise / e.Level
	steps := (s.max - s.min) / q.scale
	if t.Pixels <= 1 || q.scale == 0 || !(steps <= 2*math.MaxInt32-reserved) {
		return false
	}
	switch {
	case s.good < t.Pixels || e.Image.Dither == SubtractiveDither2:
		q.zero = s.min - float64(q.scale*(Blank+reserved))
	case steps < math.MaxInt32-reserved:
		q.zero = math.Trunc(s.min/q.scale+0.5) * q.scale // so that quantising again changes nothing
	default:
		q.zero = (s.min + s.max) / 2
	}
	t.Scale, t.Zero, t.Blank, t.HasBlank = q.scale, q.zero, Blank, true
	e.ints = grow(e.ints, 4*t.Pixels)
	c := cursor{-1, 0}
	if e.Image.Dither != NoDither {
		c = cursorAt(e.Image.randomRow(t.Number))
	}
	exactZero := e.Image.Dither == SubtractiveDither2
	if e.Image.Bitpix == -32 {
		quantiseTo(e.ints, e.single, &q, c, exactZero)
	} else {
		quantiseTo(e.ints, e.double, &q, c, exactZero)
	}
	return true
}

// quantiseTo writes the integers of values, dithered from c on unless its row is negative.
func quantiseTo[T float32 | float64](dst []byte, values []T, q *quantum, c cursor, exactZero bool) {
	dithered := c.row >= 0
	for i, v := range values {
		n := int64(Blank)
		switch {
		case v != v:
		case exactZero && v == 0:
			n = zeroValue
		default:
			x := (float64(v) - q.zero) / q.scale
			if dithered {
				x = x + randoms[c.next] - 0.5
			}
			n = min(int64(x+math.Copysign(0.5, x)), math.MaxInt32)
		}
		binary.BigEndian.PutUint32(dst[4*i:], uint32(int32(n)))
		if dithered {
			c.skip(1)
		}
	}
}
