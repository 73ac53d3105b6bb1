package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

const (
	maxWaiting = 1000 // entries without a stamp that are kept until the first stamp says how wide pixels are
	usualID    = 256  // bytes of the column ID
	labelWidth = 100
	maxSide    = 1 << 14
)

// tableWriter writes one binary table. How many rows there are stands before them, so it is
// said at the beginning; rows of which no stamp came have VALID = F and no pixel.
//
// Pixels are the physical values, BSCALE and BZERO applied and BLANK as NaN: of 32 bits, or
// of 64 where those of the first stamp need them. There are no CHECKSUM and DATASUM, which
// would stand before the rows.
type tableWriter struct {
	count   *counter
	o       Options
	wide    bool // pixels of 64 bits
	begun   bool
	waiting []Entry
	rows    int64
	row     []byte // the present one
	width   int    // bytes of a row
	columns []tableColumn
}

// tableColumn is a column, by the cards that describe it.
type tableColumn struct {
	name, form, unit, dim, comment string
	width                          int // bytes
}

func openTable(w *counter, o Options) (Writer, error) {
	const op = "pack.table"
	if o.NX < 1 || o.NY < 1 || o.NX > maxSide || o.NY > maxSide {
		return nil, fault.New(fault.Usage, op, "a table of stamps of %d by %d pixels; want 1 to %d: the table needs STAMP", o.NX, o.NY, maxSide)
	}
	if o.Rows < 0 {
		return nil, fault.New(fault.Internal, op, "a table of %d rows", o.Rows)
	}
	if o.MaxID == 0 {
		o.MaxID = usualID
	}
	return &tableWriter{count: w, o: o}, nil
}

func (t *tableWriter) makeColumns() {
	letter, size := "E", 4
	if t.wide {
		letter, size = "D", 8
	}
	n := int(t.o.NX * t.o.NY)
	text := func(name string, width int, comment string) tableColumn {
		return tableColumn{name: name, form: strconv.Itoa(width) + "A", comment: comment, width: width}
	}
	number := func(name, unit, comment string) tableColumn {
		return tableColumn{name: name, form: "D", unit: unit, comment: comment, width: 8}
	}
	t.columns = []tableColumn{
		{name: "ROW", form: "K", comment: "number of the row in the manifest, from 1", width: 8},
		{name: "CUTOUT", form: "J", comment: "number among the cutouts of its row, from 1", width: 4},
		{name: "VALID", form: "L", comment: "whether there is a stamp", width: 1},
		text("LABEL", labelWidth, "of the row"),
		text("ID", t.o.MaxID, "publisher DID of the dataset"),
		number("RA", "deg", "position that was asked for, ICRS"),
		number("DEC", "deg", "position that was asked for, ICRS"),
		text("CTYPE1", 8, "of the first axis"), text("CTYPE2", 8, "of the second axis"),
		number("CRPIX1", "", "reference pixel, in the stamp"), number("CRPIX2", "", "reference pixel, in the stamp"),
		number("CRVAL1", "deg", "of the reference pixel"), number("CRVAL2", "deg", "of the reference pixel"),
		number("CD1_1", "deg", "degrees for a pixel"), number("CD1_2", "deg", "degrees for a pixel"),
		number("CD2_1", "deg", "degrees for a pixel"), number("CD2_2", "deg", "degrees for a pixel"),
		number("LONPOLE", "deg", "native longitude of the celestial pole"), number("LATPOLE", "deg", "native latitude of the celestial pole"),
		text("RADESYS", 8, "celestial system"), number("EQUINOX", "yr", "of the celestial system"),
		{name: "DISTORTED", form: "L", comment: "whether these columns leave out a distortion", width: 1},
		text("BUNIT", 16, "unit of the pixels"),
		{name: "PIXELS", form: strconv.Itoa(n) + letter, dim: fmt.Sprintf("(%d,%d)", t.o.NX, t.o.NY), comment: "physical values", width: n * size},
	}
}

// begin writes everything that stands before the rows.
func (t *tableWriter) begin(wide bool) error {
	t.wide, t.begun = wide, true
	t.makeColumns()
	t.width = 0
	for _, c := range t.columns {
		t.width += c.width
	}
	t.row = make([]byte, 0, t.width)
	if err := fits.NewWriter(t.count).WriteHDU(context.Background(), fits.NewPrimary(8, nil), 0, nil); err != nil {
		return err
	}
	h := new(fits.Header)
	var failed error
	set := func(key string, value any, comment string) {
		if err := h.Set(key, value, comment); failed == nil {
			failed = err
		}
	}
	set("XTENSION", "BINTABLE", "binary table extension")
	set("BITPIX", 8, "bytes")
	set("NAXIS", 2, "rows and columns")
	set("NAXIS1", int64(t.width), "bytes of a row")
	set("NAXIS2", t.o.Rows, "rows")
	set("PCOUNT", 0, "no heap")
	set("GCOUNT", 1, "one group")
	set("TFIELDS", len(t.columns), "columns")
	for i, c := range t.columns {
		n := strconv.Itoa(i + 1)
		set("TTYPE"+n, c.name, c.comment)
		set("TFORM"+n, c.form, "")
		if c.unit != "" {
			set("TUNIT"+n, c.unit, "")
		}
		if c.dim != "" {
			set("TDIM"+n, c.dim, "")
		}
	}
	set("EXTNAME", "STAMPS", "a row for each stamp")
	if failed != nil {
		return failed
	}
	if _, err := t.count.Write(h.Bytes()); err != nil {
		return fmt.Errorf("pack.table: %w", err)
	}
	waiting := t.waiting
	t.waiting = nil
	for _, e := range waiting {
		if _, err := t.write(e, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableWriter) Add(e Entry, cutout []byte) (Place, error) {
	const op = "pack.table"
	index, err := fits.ReadIndex(bytes.NewReader(cutout), int64(len(cutout)))
	if err != nil {
		return Place{}, err
	}
	i := slices.IndexFunc(index.HDUs, (*fits.HDU).Image)
	if i < 0 {
		return Place{}, fault.New(fault.Corrupt, op, "the cutout holds no image")
	}
	u := index.HDUs[i]
	if u.Kind != fits.Image {
		return Place{}, fault.New(fault.Unsupported, op, "the cutout is compressed; want COMPRESS=none for a table of stamps")
	}
	for axis, n := range u.Shape {
		want := int64(1)
		if axis < 2 {
			want = [2]int64{t.o.NX, t.o.NY}[axis]
		}
		if len(u.Shape) < 2 || n != want {
			return Place{}, fault.New(fault.Unsupported, op, "the cutout has %d axes of %v pixels; want %d by %d: STAMP, with PAD=nan", len(u.Shape), u.Shape, t.o.NX, t.o.NY)
		}
	}
	if len(e.ID) > t.o.MaxID {
		return Place{}, fault.New(fault.TooLarge, op, "the ID has %d bytes; the table has room for %d", len(e.ID), t.o.MaxID)
	}
	wide := u.BITPIX == 32 || u.BITPIX == 64 || u.BITPIX == -64
	if t.begun && wide && !t.wide {
		return Place{}, fault.New(fault.Unsupported, op, "the pixels are of BITPIX %d; those of the table, by its first stamp, are floats of 32 bits: want another package", u.BITPIX)
	}
	s := readStamp(u, cutout)
	if !t.begun {
		if err := t.begin(wide); err != nil {
			return Place{}, lost(err)
		}
	}
	return t.write(e, s)
}

// lost keeps an error of the package from being taken for one of its entry.
func lost(err error) error {
	return fault.Wrap(err, fault.Internal, "pack.table", "the table cannot be written")
}

func (t *tableWriter) Skip(e Entry) error {
	if !t.begun {
		if t.waiting = append(t.waiting, e); len(t.waiting) < maxWaiting {
			return nil
		}
		return t.begin(false)
	}
	_, err := t.write(e, nil)
	return err
}

// write writes the row of an entry; s is nil if there is no stamp.
func (t *tableWriter) write(e Entry, s *stamp) (Place, error) {
	if t.rows++; t.rows > t.o.Rows {
		return Place{}, fault.New(fault.Internal, "pack.table", "more than the %d rows that were announced", t.o.Rows)
	}
	b := binary.BigEndian.AppendUint64(t.row[:0], uint64(e.Row))
	b = binary.BigEndian.AppendUint32(b, uint32(max(e.Of, 1)))
	b = append(b, logical(s != nil))
	b = appendText(b, e.Label, labelWidth)
	b = appendText(b, e.ID, t.o.MaxID)
	ra, dec := math.NaN(), math.NaN()
	if e.Position {
		ra, dec = e.RA, e.Dec
	}
	b = appendFloats(b, ra, dec)
	if s == nil {
		s = &noStamp
	}
	b = appendText(b, s.ctype[0], 8)
	b = appendText(b, s.ctype[1], 8)
	b = appendFloats(b, s.wcs[:]...)
	b = appendText(b, s.radesys, 8)
	b = appendFloats(b, s.equinox)
	b = append(b, logical(s.distorted))
	b = appendText(b, s.bunit, 16)
	at := Place{Offset: t.count.n + int64(len(b))}
	b = s.appendPixels(b, t.width, t.wide)
	at.Length = t.count.n + int64(len(b)) - at.Offset
	if _, err := t.count.Write(b); err != nil {
		return Place{}, fmt.Errorf("pack.table: %w", err)
	}
	return at, nil
}

func (t *tableWriter) Close() error {
	if !t.begun {
		if err := t.begin(false); err != nil {
			return err
		}
	}
	for t.rows < t.o.Rows {
		if _, err := t.write(Entry{}, nil); err != nil {
			return err
		}
	}
	size := t.o.Rows * int64(t.width)
	if part := size % 2880; part > 0 {
		if _, err := t.count.Write(make([]byte, 2880-part)); err != nil {
			return fmt.Errorf("pack.table: %w", err)
		}
	}
	return nil
}

func logical(v bool) byte {
	if v {
		return 'T'
	}
	return 'F'
}

// appendText appends a text of ASCII, cut or filled with blanks to width bytes.
func appendText(b []byte, s string, width int) []byte {
	end := len(b) + width
	for _, r := range s {
		if len(b) == end {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return append(b, strings.Repeat(" ", end-len(b))...)
}

func appendFloats(b []byte, values ...float64) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}
