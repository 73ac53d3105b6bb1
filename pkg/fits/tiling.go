package fits

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// tiling is how a tile-compressed image is divided into tiles, and how its table holds
// them: a row for each, with a descriptor of an array in the heap (FITS 4.0, section 10.1).
type tiling struct {
	image *tile.Image
	shape []int64 // of the image
	side  []int64 // of a tile, along each axis; at the far edges tiles are smaller
	count []int64 // of tiles, along each axis

	rows     *HDU     // the table as an image of bytes: of a row, and of count rows
	data     [3]field // by tile.Column; width 0: the table has no such column
	scale    value    // ZSCALE
	zero     value    // ZZERO
	blank    value    // ZBLANK
	heap     int64    // byte of the file where it begins
	heapSize int64
}

// field is a column of a table.
type field struct {
	at      int64 // byte of a row
	width   int64 // bytes in a row
	form    byte  // the letter of TFORMn
	element int64 // of descriptors: bytes of an element of the array
}

// value is a number that tiles have, in a column or one for all.
type value struct {
	field
	constant float64
	known    bool
}

const (
	// maxTilePixels bounds the memory of decoding a tile, some 10 bytes per pixel. Whole
	// images of CCDs are within.
	maxTilePixels = 1 << 25

	// maxKeptTable is the size of the tables of tiles that live as long as the index.
	maxKeptTable = 256 << 10

	maxFields = 999 // section 7.3.1
)

// tiling returns how the tiles of a compressed image are stored; it is learned once.
func (u *HDU) tiling() (*tiling, error) {
	type key struct{}
	type result struct {
		*tiling
		err error
	}
	r := u.Remember(key{}, func() any {
		t, err := parseTiling(u)
		if err != nil {
			err = fault.New(fault.CodeOf(err), "fits.HDU.Section", "%s: %s", u, fault.Sentence(err))
		}
		return result{t, err}
	}).(result)
	return r.tiling, r.err
}

func parseTiling(u *HDU) (*tiling, error) {
	const op = "fits.HDU.Section"
	if len(u.Axes) != 2 {
		return nil, fault.New(fault.Corrupt, op, "a table of tiles has NAXIS = %d; expected 2", len(u.Axes))
	}
	fields, err := parseFields(u.Header, u.Axes[0])
	if err != nil {
		return nil, err
	}
	t := &tiling{shape: u.Shape}
	for column, name := range dataColumns {
		f, ok := fields[name]
		if ok && f.element == 0 {
			return nil, fault.New(fault.Corrupt, op, "the column %s has no descriptors of arrays (TFORMn with P or Q)", name)
		}
		t.data[column] = f
	}
	for _, v := range []struct {
		name string
		*value
	}{{"ZSCALE", &t.scale}, {"ZZERO", &t.zero}, {"ZBLANK", &t.blank}} {
		if *v.value, err = parseValue(u.Header, v.name, fields); err != nil {
			return nil, err
		}
	}
	if v := t.blank; v.width == 0 && v.known && v.constant != float64(int32(v.constant)) {
		return nil, fault.New(fault.Corrupt, op, "ZBLANK = %g; expected an integer of 32 bits", v.constant)
	}
	if t.image, err = tile.Parse(u.Header, t.scale.known || t.zero.known); err != nil {
		return nil, err
	}
	if !t.scale.known {
		t.scale.constant = 1
	}
	if err := t.divide(u); err != nil {
		return nil, err
	}
	rows := u.Axes[0] * u.Axes[1] // no overflow: they are within the data
	theap, ok, err := u.Header.Int("THEAP")
	switch {
	case err != nil:
		return nil, err
	case !ok && rows <= u.DataSize:
		theap = rows
	case theap < rows || theap > u.DataSize:
		return nil, fault.New(fault.Corrupt, op, "THEAP = %d: the heap lies behind the rows, %d bytes, and within the data, %d", theap, rows, u.DataSize)
	}
	t.heap, t.heapSize = u.DataOffset+theap, u.DataSize-theap
	t.rows = &HDU{
		Number: u.Number, Name: u.Name, Version: u.Version, Kind: Image, BITPIX: 8,
		Shape: append([]int64{u.Axes[0]}, t.count...), DataOffset: u.DataOffset,
	}
	return t, nil
}

// keepTable keeps the rows of a compressed image's tiles if they were read with its header.
func (u *HDU) keepTable(w *window) {
	if u.Kind != TileCompressed || u.Err != nil || len(u.Axes) != 2 || u.DataSize == 0 {
		return
	}
	if size := u.Axes[0] * u.Axes[1]; size <= maxKeptTable { // no overflow: they are within the data
		if rows := w.peek(u.DataOffset, size); rows != nil {
			kept := slices.Clone(rows)
			u.table.Store(&kept)
		}
	}
}

// divide reads the sizes of tiles: by default a row of the image each.
func (t *tiling) divide(u *HDU) error {
	const op = "fits.HDU.Section"
	for axis, n := range t.shape {
		key := "ZTILE" + strconv.Itoa(axis+1)
		side, ok, err := u.Header.Int(key)
		switch {
		case err != nil:
			return err
		case !ok && axis == 0:
			side = n
		case !ok:
			side = 1
		case side < 1:
			return fault.New(fault.Corrupt, op, "%s = %d; expected 1 or more", key, side)
		}
		side = max(min(side, n), 1)
		t.side = append(t.side, side)
		t.count = append(t.count, (n+side-1)/side)
	}
	if pixels, ok := pixel.Product(t.side...); !ok || pixels > maxTilePixels {
		return fault.New(fault.TooLarge, op, "its tiles have %d pixels, and more than %d together are not decoded; compress it with smaller tiles", t.side, maxTilePixels)
	}
	if tiles, ok := pixel.Product(t.count...); !ok || tiles > u.Axes[1] {
		return fault.New(fault.Corrupt, op, "the image has %d tiles along its axes and the table %d rows (ZNAXISn = %d, ZTILEn = %d)", t.count, u.Axes[1], t.shape, t.side)
	}
	return nil
}

// formSizes are the bytes of an element, by the letter of TFORMn (section 7.3.3).
var formSizes = map[byte]int64{'L': 1, 'B': 1, 'A': 1, 'I': 2, 'J': 4, 'K': 8, 'E': 4, 'D': 8, 'C': 8, 'M': 16, 'P': 8, 'Q': 16}

// parseFields finds the columns of a table by their names in upper case. Together they
// have rowSize bytes or fewer.
func parseFields(h *Header, rowSize int64) (map[string]field, error) {
	const op = "fits.HDU.Section"
	n, ok, err := h.Int("TFIELDS")
	if err != nil {
		return nil, err
	}
	if !ok || n < 1 || n > maxFields {
		return nil, fault.New(fault.Corrupt, op, "TFIELDS = %d; expected 1 to %d", n, maxFields)
	}
	fields := make(map[string]field, n)
	var at int64
	for i := range n {
		key := "TFORM" + strconv.FormatInt(i+1, 10)
		form, _, err := h.Text(key)
		if err != nil {
			return nil, err
		}
		f, err := parseForm(form)
		if err != nil || f.width > rowSize-at {
			return nil, fault.New(fault.Corrupt, op, "%s = '%s' is no form of a column, or one that does not fit the %d bytes of a row", key, form, rowSize)
		}
		f.at = at
		at += f.width
		name, _, err := h.Text("TTYPE" + strconv.FormatInt(i+1, 10))
		if err != nil {
			return nil, err
		}
		name = strings.ToUpper(name)
		if _, twice := fields[name]; !twice {
			fields[name] = f
		}
	}
	return fields, nil
}

// parseForm reads a TFORMn: the number of elements, a letter, and of descriptors the letter
// of the elements of their arrays.
func parseForm(form string) (f field, err error) {
	digits := len(form) - len(strings.TrimLeft(form, "0123456789"))
	repeat := int64(1)
	if digits > 0 {
		if repeat, err = strconv.ParseInt(form[:digits], 10, 32); err != nil {
			return f, err
		}
	}
	if form = form[digits:]; form == "" {
		return f, fmt.Errorf("no letter")
	}
	f.form = form[0]
	size, ok := formSizes[f.form]
	switch {
	case f.form == 'X':
		f.width = (repeat + 7) / 8
		return f, nil
	case !ok:
		return f, fmt.Errorf("the letter %q is not known", f.form)
	}
	f.width = repeat * size
	if f.form == 'P' || f.form == 'Q' {
		if len(form) < 2 || repeat > 1 {
			return f, fmt.Errorf("no descriptor")
		}
		if f.element, ok = formSizes[form[1]]; !ok {
			return f, fmt.Errorf("the letter %q is not known", form[1])
		}
		if repeat == 0 {
			f.element = 0
		}
	}
	return f, nil
}

// parseValue finds a number of tiles: a column or, if there is none, a keyword.
func parseValue(h *Header, name string, fields map[string]field) (v value, err error) {
	var ok bool
	if v.field, ok = fields[name]; ok {
		size := formSizes[v.form]
		if !strings.ContainsRune("BIJKED", rune(v.form)) || v.width != size {
			return v, fault.New(fault.Corrupt, "fits.HDU.Section", "the column %s holds no number in each row", name)
		}
		v.known = true
		return v, nil
	}
	v.constant, v.known, err = h.Float(name)
	return v, err
}

// in returns the number in a row of the table.
func (v *value) in(row []byte) float64 {
	if v.width == 0 {
		return v.constant
	}
	b := row[v.at:][:v.width]
	switch v.form {
	case 'B':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'J':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'K':
		return float64(int64(binary.BigEndian.Uint64(b)))
	case 'E':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// array is where the bytes of a tile are.
type array struct {
	column tile.Column
	offset int64 // byte of the file
	size   int64
}

// locate reads the descriptor of a tile of some pixels from its row.
func (t *tiling) locate(row []byte, pixels int64) (array, error) {
	const op = "fits.Section.Stream"
	for column, f := range t.data {
		if f.width == 0 {
			continue
		}
		var count, at uint64
		if b := row[f.at:]; f.form == 'P' {
			count, at = uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
		} else {
			count, at = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		}
		if count == 0 {
			continue
		}
		heap := uint64(t.heapSize)
		if at > heap || count > (heap-at)/uint64(f.element) {
			return array{}, fault.New(fault.Corrupt, op, "a tile has %d elements from byte %d of the heap on, which has %d bytes", count, at, heap)
		}
		size := int64(count) * f.element
		// No algorithm makes that much of a tile: this bounds the memory of reading it.
		if most := 16*pixels + 64<<10; size > most {
			return array{}, fault.New(fault.Corrupt, op, "a tile of %d pixels has %d bytes, and more than %d are not possible", pixels, size, most)
		}
		return array{tile.Column(column), t.heap + int64(at), size}, nil
	}
	return array{}, fault.New(fault.Corrupt, op, "a tile has no data in any column")
}

// tile returns a tile of which the array is read.
func (t *tiling) tile(row, data []byte, a array, number, pixels int64) tile.Tile {
	r := tile.Tile{Data: data, Column: a.column, Number: number, Pixels: int(pixels)}
	if t.image.Quantised {
		r.Scale, r.Zero = t.scale.in(row), t.zero.in(row)
		if t.blank.known {
			r.Blank, r.HasBlank = int32(t.blank.in(row)), true
		}
	}
	return r
}

// touched returns the tiles that a box of pixels touches, as a box of tiles.
func (t *tiling) touched(b pixel.Box) pixel.Box {
	tiles := b.Clone()
	for axis, side := range t.side {
		tiles.Min[axis] /= side
		tiles.Max[axis] = (tiles.Max[axis] + side - 1) / side
	}
	return tiles
}

// number returns the row of a tile, from its place along each axis.
func (t *tiling) number(at []int64) int64 {
	var n int64
	for axis, count := range slices.Backward(t.count) {
		n = n*count + at[axis]
	}
	return n
}
