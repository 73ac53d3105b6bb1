package fits

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
)

// Compression is how the tiles of an image are compressed (FITS 4.0, section 10.4).
type Compression string

// The compressions that are written.
const (
	// GZIP2 keeps pixels of every BITPIX.
	GZIP2 Compression = "GZIP_2"

	// Rice keeps integers of 8, 16 and 32 bits, and is smaller and faster than GZIP2 for all
	// but masks. Floating-point pixels lose what is below a quarter of the noise of their tile:
	// they become integers, with subtractive dithering, as fpack makes them by default.
	Rice Compression = "RICE_1"
)

// noiseSteps is the number of quantisation steps for each standard deviation of noise, the
// default of fpack.
const noiseSteps = 4

// maxNarrow is the size of a heap up to which descriptors have 32 bits (section 7.3.5).
var maxNarrow int64 = math.MaxInt32

// maxPacked is the largest number of pixels of a tile that is written.
const maxPacked = 1 << 16

// tileShape divides an image into tiles of some 16 to 64 Ki pixels, which follow each other in
// the order of its pixels: as many whole rows, planes, … as that allows.
//
// Tiles as wide as the image are read rightly by all programs, while funpack 4.2 puts NaN
// into the wrong places of narrower ones. Part of an image is read as fast as from square
// tiles where it is up to some thousand pixels wide, as cutouts are.
func tileShape(shape []int64) []int64 {
	side := make([]int64, len(shape))
	room := int64(maxPacked)
	for axis, n := range shape {
		count := (n + room - 1) / room // tiles along this axis, all but the last of one size
		side[axis] = (n + count - 1) / count
		room /= side[axis]
		if count > 1 {
			room = 1
		}
	}
	return side
}

// WriteCompressed writes an image as a tile-compressed HDU, which is an extension. h is
// the header of the image, of a primary or an extension, and data are its pixels, as for
// [Writer.WriteHDU]; what was written before and h with its cards can be got back from the HDU.
//
// Up to 32 MB of compressed data are kept in memory, as the header tells their size and
// sum; of more the first pass learns these and a second one writes them. Several tiles
// are compressed at once, some MB of pixels at most.
//
// Errors are those of [Writer.WriteHDU]; [fault.Internal] if h is no image's or has no
// pixels, and [fault.Unsupported] if the compression is not for its BITPIX.
func (w *Writer) WriteCompressed(ctx context.Context, h *Header, how Compression, data Data) error {
	p, err := newPacker(h, how)
	if err != nil {
		return err
	}
	m := memories.Get().(*memory)
	defer memories.Put(m)
	rows := int64(len(p.entries)) * p.rowSize(false)
	keep := rows <= maxBuffered
	m.data = m.data[:0]
	if keep {
		m.data = slices.Grow(m.data, int(min(rows+p.size, maxBuffered)))[:rows]
	}
	var heap sum
	var longest int
	err = p.run(ctx, data, func(t *tile.Tile) error {
		p.entries[t.Number] = packed{t.Column, uint32(len(t.Data)), t.Scale, t.Zero}
		longest = max(longest, len(t.Data))
		heap.add(t.Data)
		if keep = keep && int64(len(m.data)+len(t.Data)) <= maxBuffered; keep {
			m.data = append(m.data, t.Data...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	wide := heap.bytes > maxNarrow
	table := p.table(wide)
	var first sum
	first.add(table)
	first = sum{fold(first.total + heap.total), first.bytes + heap.bytes, heap.part} // rows are whole words
	header, err := p.header(h, heap.bytes, longest, wide)
	if err != nil {
		return err
	}
	size := int64(len(table)) + heap.bytes
	if err := w.check(header, size); err != nil {
		return err
	}
	var again Data
	if keep && !wide {
		copy(m.data, table)
	} else {
		again = func(ctx context.Context, emit func([]byte) error) error {
			if err := emit(table); err != nil {
				return err
			}
			return p.run(ctx, data, func(t *tile.Tile) error { return emit(t.Data) })
		}
	}
	return w.finish(ctx, header, size, m, first, again)
}

// packed is what the table says of a tile.
type packed struct {
	column      tile.Column
	size        uint32
	scale, zero float64
}

// newPacker prepares to compress an image.
func newPacker(h *Header, how Compression) (*packer, error) {
	const op = "fits.Writer.WriteCompressed"
	if !h.isFirst() || extensionKind(h) != Image && keyword(h.cards[0][:]) != "SIMPLE" {
		return nil, fault.New(fault.Internal, op, "the header is no image's")
	}
	layout, err := parseLayout(h)
	if err != nil {
		return nil, err
	}
	size, err := layout.size(false)
	if err != nil {
		return nil, err
	}
	if size == 0 || layout.pcount != 0 || layout.gcount != 1 {
		return nil, fault.New(fault.Internal, op, "an image with NAXISn = %d, PCOUNT = %d and GCOUNT = %d; expected pixels, and nothing else", layout.axes, layout.pcount, layout.gcount)
	}
	p := &packer{image: tile.Image{Codec: string(how), Bitpix: layout.bitpix}, shape: layout.axes, side: tileShape(layout.axes), size: size}
	switch {
	case how == Rice && layout.bitpix < 0:
		p.image.Quantised, p.image.Dither, p.image.Seed = true, tile.SubtractiveDither1, 1
		p.image.BytePix = 4
	case how == Rice:
		p.image.BytePix = layout.bitpix / 8
	}
	if err := p.image.Check(); err != nil {
		return nil, err
	}
	tiles := int64(1)
	for axis, n := range p.shape {
		tiles *= (n + p.side[axis] - 1) / p.side[axis] // no overflow: no more than pixels
	}
	p.entries = make([]packed, tiles)
	return p, nil
}

// fields returns the names of the columns. Descriptors come first, scales behind.
func (p *packer) fields() []string {
	if p.image.Quantised {
		return []string{"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO"}
	}
	return []string{"COMPRESSED_DATA"}
}

// rowSize returns the bytes of a row of the table, with wide descriptors or not.
func (p *packer) rowSize(wide bool) int64 {
	descriptor := int64(8)
	if wide {
		descriptor = 16
	}
	if p.image.Quantised {
		return 2*descriptor + 16
	}
	return descriptor
}

// table returns the rows of the table.
func (p *packer) table(wide bool) []byte {
	rows := make([]byte, 0, int64(len(p.entries))*p.rowSize(wide))
	var at uint64
	descriptor := func(count uint32) {
		place := at
		if count == 0 {
			place = 0
		}
		if wide {
			rows = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(rows, uint64(count)), place)
		} else {
			rows = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(rows, count), uint32(place))
		}
	}
	for _, e := range p.entries {
		if p.image.Quantised {
			var sizes [2]uint32
			sizes[e.column] = e.size
			descriptor(sizes[tile.Compressed])
			descriptor(sizes[tile.GzipCompressed])
			rows = binary.BigEndian.AppendUint64(rows, math.Float64bits(e.scale))
			rows = binary.BigEndian.AppendUint64(rows, math.Float64bits(e.zero))
		} else {
			descriptor(e.size)
		}
		at += uint64(e.size)
	}
	return rows
}

// header returns the header of the table.
func (p *packer) header(h *Header, heap int64, longest int, wide bool) (*Header, error) {
	t := newTableHeader(p.rowSize(wide), int64(len(p.entries)), heap, len(p.fields()))
	form := "1PB(" + strconv.Itoa(longest) + ")"
	if wide {
		form = "1QB(" + strconv.Itoa(longest) + ")"
	}
	for i, name := range p.fields() {
		n := strconv.Itoa(i + 1)
		t.set("TTYPE"+n, name, "")
		if name == "ZSCALE" || name == "ZZERO" {
			form = "1D"
		}
		t.set("TFORM"+n, form, "")
	}
	t.set("ZIMAGE", true, "a tile-compressed image")
	t.set("ZCMPTYPE", p.image.Codec, "how tiles are compressed")
	if p.image.Codec == string(Rice) {
		t.set("ZNAME1", "BLOCKSIZE", "pixels of a block")
		t.set("ZVAL1", 32, "")
		t.set("ZNAME2", "BYTEPIX", "bytes of an integer")
		t.set("ZVAL2", p.image.BytePix, "")
	}
	switch {
	case p.image.Quantised:
		t.set("ZQUANTIZ", "SUBTRACTIVE_DITHER_1", "how pixels became integers")
		t.set("ZDITHER0", p.image.Seed, "where the random numbers begin")
		t.set("ZBLANK", tile.Blank, "integer that means NaN")
	case p.image.Bitpix < 0:
		t.set("ZQUANTIZ", "NONE", "pixels are stored as they are")
	}
	return t.with(h, p.image.Bitpix, p.shape, p.side)
}
