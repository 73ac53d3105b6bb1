package fits

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// WholeTiles returns a box of pixels of a compressed image, widened to whole tiles.
//
// Errors are those of [HDU.Section].
func (u *HDU) WholeTiles(box pixel.Box) (pixel.Box, error) {
	s, err := u.Section(box)
	if err != nil || s.tiles == nil || box.Empty() {
		return box, err
	}
	wide := s.tiles.touched(box)
	for axis, side := range s.tiles.side {
		wide.Min[axis] *= side
		wide.Max[axis] = min(wide.Max[axis]*side, u.Shape[axis])
	}
	return wide, nil
}

// CanCopyTiles reports why the tiles of a box of a compressed image, which consists of whole
// tiles, cannot be written as they are; nil if they can. Dithered tiles hold numbers that
// depend on their place: they must follow each other without a gap in the image, and then
// do so with another ZDITHER0.
//
// Errors are [fault.Unsupported] and those of [HDU.Section].
func (u *HDU) CanCopyTiles(box pixel.Box) error {
	const op = "fits.HDU.CanCopyTiles"
	s, err := u.Section(box)
	switch {
	case err != nil:
		return err
	case s.tiles == nil:
		return fault.New(fault.Unsupported, op, "%s is not compressed; it has no tiles", u)
	}
	t := s.tiles
	tiles := t.touched(box)
	if n, ok := tiles.Bytes(t.rows.Shape[0]); !ok || n > maxBuffered {
		return fault.New(fault.TooLarge, op, "%s has %d bytes of table for these tiles; up to %d are copied", u, n, maxBuffered)
	}
	fields, err := parseFields(u.Header, u.Axes[0])
	if err != nil {
		return err
	}
	for name, f := range fields {
		if f.element > 0 && !slices.Contains(dataColumns[:], name) {
			return fault.New(fault.Unsupported, op, "the tiles of %s have more arrays, in the column %s, which are not copied", u, name)
		}
	}
	if !t.dithered() {
		return nil
	}
	gap := false // a tile of the image is left out between two along this axis or one before
	for axis, n := range t.count {
		if gap && tiles.Size(axis) > 1 {
			return fault.New(fault.Unsupported, op, "the tiles of %s are dithered (ZQUANTIZ), which depends on their number in the image, and those of this box, %s, do not follow each other in it: copied, all their pixels would change", u, box)
		}
		gap = gap || tiles.Size(axis) < n
	}
	return nil
}

// dataColumns are the names of the columns of arrays.
var dataColumns = [...]string{tile.Compressed: "COMPRESSED_DATA", tile.GzipCompressed: "GZIP_COMPRESSED_DATA", tile.UncompressedData: "UNCOMPRESSED_DATA"}

// dithered reports whether what a tile holds depends on its number.
func (t *tiling) dithered() bool { return t.image.Quantised && t.image.Dither != tile.NoDither }

// WriteTiles writes the tiles of a box of a compressed image of f, which consists of whole
// tiles, as they are. h is the header of the image that they make.
//
// Errors are those of [HDU.CanCopyTiles], of reading f and of [Writer.WriteHDU].
func (w *Writer) WriteTiles(ctx context.Context, h *Header, f *File, u *HDU, box pixel.Box) error {
	if err := u.CanCopyTiles(box); err != nil {
		return err
	}
	t, err := u.tiling()
	if err != nil {
		return err
	}
	c := &tileCopy{tiling: t, file: f, hdu: u, tiles: t.touched(box)}
	if err := c.readRows(ctx); err != nil {
		return err
	}
	header, err := c.header(h, box)
	if err != nil {
		return err
	}
	return w.WriteHDU(ctx, header, int64(len(c.table))+c.bytes, c.data)
}

// tileCopy is a box of tiles that is written as it is.
type tileCopy struct {
	*tiling
	file  *File
	hdu   *HDU
	tiles pixel.Box
	table []byte     // the new one
	runs  []*Section // the arrays, where they follow each other in the file together
	bytes int64      // of the arrays
}

// readRows reads the rows of the tiles and makes those of the new table of them.
func (c *tileCopy) readRows(ctx context.Context) error {
	size := c.rows.Shape[0]
	s, err := c.rows.Section(pixel.Box{Min: append([]int64{0}, c.tiles.Min...), Max: append([]int64{size}, c.tiles.Max...)})
	if err != nil {
		return err
	}
	c.table = make([]byte, 0, s.Size())
	err = c.file.priced(s).Stream(ctx, c.file.ReaderAt(), func(p []byte) error {
		c.table = append(c.table, p...)
		return nil
	})
	if err != nil {
		return err
	}
	pixels, _ := pixel.Product(c.side...)
	for row := c.table; len(row) > 0; row = row[size:] {
		a, err := c.locate(row, pixels)
		if err != nil {
			return err
		}
		for column, f := range c.tiling.data {
			if f.width == 0 {
				continue
			}
			var count, at int64
			if tile.Column(column) == a.column {
				count, at = a.size/f.element, c.bytes
			}
			if b := row[f.at:]; f.form == 'P' {
				binary.BigEndian.PutUint32(b, uint32(count))
				binary.BigEndian.PutUint32(b[4:], uint32(at))
			} else {
				binary.BigEndian.PutUint64(b, uint64(count))
				binary.BigEndian.PutUint64(b[8:], uint64(at))
			}
		}
		c.bytes += a.size
		if n := len(c.runs); n > 0 && c.runs[n-1].first+c.runs[n-1].size == a.offset {
			c.runs[n-1].size += a.size
			c.runs[n-1].run += a.size
			continue
		}
		c.runs = append(c.runs, c.file.priced(&Section{hdu: c.hdu, first: a.offset, size: a.size, run: a.size}))
	}
	return nil
}

// data passes on the table and the heap.
func (c *tileCopy) data(ctx context.Context, emit func([]byte) error) error {
	if err := emit(c.table); err != nil {
		return err
	}
	ahead := NewAhead(ctx, c.file.ReaderAt(), c.runs...)
	defer ahead.Close()
	for _, run := range c.runs {
		if err := ahead.Stream(ctx, run, emit); err != nil {
			return err
		}
	}
	return nil
}

// header returns the header of the new table: its columns and algorithm are those of the
// source.
func (c *tileCopy) header(h *Header, box pixel.Box) (*Header, error) {
	from := c.hdu.Header
	fields, _, err := from.Int("TFIELDS")
	if err != nil {
		return nil, err
	}
	rows, _ := c.tiles.Bytes(1)
	t := newTableHeader(c.rows.Shape[0], rows, c.bytes, int(fields))
	kept := from.Clone()
	kept.deleteFunc(0, func(card []byte) bool { return !isTableCard(card) || isPlaceCard(card) })
	t.cards = append(t.cards, kept.cards...)
	if c.dithered() {
		t.set("ZDITHER0", c.image.SeedAt(c.number(c.tiles.Min)), "where the random numbers begin")
	}
	return t.with(h, c.hdu.BITPIX, box.Shape(), c.side)
}

// isPlaceCard reports whether a card of a compressed image is another in a table with some of
// its tiles: what tells of sizes, sums and the dithering of the first tile.
func isPlaceCard(card []byte) bool {
	switch key := canonical(keyword(card)); key {
	case "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "EXTEND", "ZDITHER0",
		"ZSIMPLE", "ZTENSION", "ZBITPIX", "ZEXTEND", "ZBLOCKED", "ZPCOUNT", "ZGCOUNT", "ZHECKSUM", "ZDATASUM":
		return true
	default:
		return strings.HasPrefix(key, "ZNAXIS") || strings.HasPrefix(key, "ZTILE")
	}
}
