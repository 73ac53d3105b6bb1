// Package manifest reads the rows of a batch: a table with a row for each cutout, as
// Parquet, CSV, ECSV, JSON lines, JSON or VOTable.
//
// Rows are streamed: what a [Reader] holds in memory does not grow with the table. A row
// that is broken is told by its number and costs the others nothing; a file that is broken
// ends the rows. What a row asks for is said in SODA's own parameters and judged by package
// soda, so that a row and a request of the service mean the same.
//
// The columns are those of one table, [Columns], their names in any case; others are
// ignored, and named. Angles are ICRS degrees; where a format tells units (ECSV, VOTable)
// other units of angle are converted, and what is none is refused.
//
// To add a column: a line in [Columns] and a case in rows.go. To add a format: a file with
// a type that is a source, and a line in formats.
package manifest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Limits of what is read.
const (
	MaxID    = 1000    // bytes of a dataset's identifier
	MaxLabel = 100     // characters of a label
	maxRow   = 1 << 20 // bytes of one row
	maxNames = 100     // ignored columns that are named
)

// Row is one row of a manifest.
type Row struct {
	Number int64  // from 1
	Label  string // of the client's own; "": none
	ID     string // publisher DID of the dataset; "": whatever images hold the position

	// Params are the region and the options of this row alone, defaults included: what a
	// request with ID=… would say. Package soda has read them without an error.
	Params []uws.Param

	RA, Dec  float64 // ICRS degrees: those of the row, or the middle of its region
	Position bool    // there are RA and Dec
}

// Column is a column that is understood.
type Column struct {
	Name        string   // as it is called in sentences
	Also        []string // other names for it
	Description string

	use    use
	angles bool // its values are angles, in degrees
}

// use says what a column is for.
type use uint8

const (
	forID use = iota
	forLabel
	forRA
	forDec
	forRadius
	forSize
	forStamp
	forRegion // the name is the parameter's
	forOption // the name is the parameter's
)

// Columns is the table of the columns that are understood. A row has one region: one of
// radius, size and stamp around ra and dec, or one of POS, CIRCLE, POLYGON and PIXELS.
var Columns = []Column{
	{Name: "ID", Also: []string{"obs_publisher_did"}, Description: "publisher DID of the dataset; without this column, every image that holds the position", use: forID},
	{Name: "label", Description: "name of yours for the row, up to 100 characters", use: forLabel},
	{Name: "ra", Description: "ICRS right ascension, degrees", use: forRA, angles: true},
	{Name: "dec", Description: "ICRS declination, degrees", use: forDec, angles: true},
	{Name: "radius", Description: "of a circle around ra and dec, degrees", use: forRadius, angles: true},
	{Name: "size", Description: "width and height of a box around ra and dec, degrees; one number for a square", use: forSize, angles: true},
	{Name: "stamp", Description: "columns and rows of a box of pixels around ra and dec; one number for a square", use: forStamp},
	{Name: "POS", Description: "region in the words of SODA, such as CIRCLE 150.1 2.2 0.01", use: forRegion},
	{Name: "CIRCLE", Description: "region: ICRS longitude, latitude and radius in degrees", use: forRegion},
	{Name: "POLYGON", Description: "region: ICRS longitudes and latitudes of its vertices in degrees", use: forRegion},
	{Name: "PIXELS", Description: "section of pixels, such as [101:200,1:50]", use: forRegion},
	{Name: "MASK", Description: "MASK of this row", use: forOption},
	{Name: "DETAIL", Description: "DETAIL of this row", use: forOption},
	{Name: "PAD", Description: "PAD of this row", use: forOption},
	{Name: "COMPRESS", Description: "COMPRESS of this row", use: forOption},
	{Name: "HDU", Description: "HDU of this row", use: forOption},
}

// lookup returns the number of the column of a name in any case, or -1.
func lookup(name string) int {
	name = strings.TrimSpace(name)
	return slices.IndexFunc(Columns, func(c Column) bool {
		return strings.EqualFold(c.Name, name) || slices.ContainsFunc(c.Also, func(also string) bool { return strings.EqualFold(also, name) })
	})
}

// field is a column of a file.
type field struct {
	name string
	unit string // as the file writes it; "": it says none
}

// cell is a value of a row as text.
type cell struct {
	text string
	set  bool // there is a value
}

// source reads the rows of one format.
type source interface {
	// fields returns the columns; nil where each row names its own.
	fields() []field

	// next reads the next row into cells, one for each field that is used, by the numbers
	// in Columns. The error is io.EOF behind the last row and a *rowError for a row that
	// is broken; any other ends the file.
	next(cells []cell) error

	// skip leaves out n rows, or fewer if there are no more.
	skip(n int64) error

	close()
}

// rowError is what is wrong with one row alone.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }

func (e *rowError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return fault.New(fault.Usage, "manifest.Rows", format, args...)
}

func badRow(format string, args ...any) error { return &rowError{usage(format, args...)} }

// kind is a format of files.
type kind struct {
	name     string
	suffixes []string
	is       func(start []byte) bool // by its first bytes; nil: by its name alone
	open     func(r *Reader) (source, error)
}

// formats is the table of formats, the surest ones first.
var formats = []kind{
	{"Parquet", []string{".parquet", ".parq"}, func(b []byte) bool { return bytes.HasPrefix(b, []byte("PAR1")) }, openParquet},
	{"VOTable", []string{".vot", ".votable", ".xml"}, func(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("<")) }, openVOTable},
	{"ECSV", []string{".ecsv"}, func(b []byte) bool { return bytes.HasPrefix(b, []byte("# %ECSV")) }, openECSV},
	{"JSON", []string{".json"}, func(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("[")) }, openJSON},
	{"JSON lines", []string{".jsonl", ".ndjson"}, func(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) }, openJSONLines},
	{"CSV", []string{".csv", ".txt"}, nil, openCSV},
}

// Formats returns the names of the formats.
func Formats() (names []string) {
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Reader reads a manifest. Its rows can be read as often as one likes, but not by two at once.
type Reader struct {
	ctx      context.Context
	r        io.ReaderAt
	size     int64
	format   *kind
	fields   []field
	defaults []cell // by the numbers in Columns
	ignored  []string
}

// Open looks at the beginning of a manifest of size bytes. Its format follows from its first
// bytes or, where they do not tell, from its name. Defaults are values for columns of
// which a row has none, named as columns: {STAMP 64}, {PAD nan}; the one for a region is for
// rows that have a position and no region.
//
// The error is [fault.Usage] for what is no manifest: of no known format, without columns
// that say a region, or with a column twice; [fault.Unsupported] for what Seltzer does not
// read; errors of r keep their kind.
func Open(ctx context.Context, r io.ReaderAt, size int64, name string, defaults ...uws.Param) (*Reader, error) {
	m := &Reader{ctx: ctx, r: r, size: size}
	if err := m.setDefaults(defaults); err != nil {
		return nil, err
	}
	start := make([]byte, min(size, 64))
	if n, err := r.ReadAt(start, 0); err != nil && !(err == io.EOF && n == len(start)) {
		return nil, m.failed(err)
	}
	start = bytes.TrimPrefix(start, []byte("\ufeff"))
	for i := range formats {
		f := &formats[i]
		if f.is != nil && f.is(start) || m.format == nil && hasSuffix(name, f.suffixes) {
			if m.format = f; f.is != nil && f.is(start) {
				break
			}
		}
	}
	if m.format == nil {
		return nil, usage("the manifest %.100q is of no known format; want one of %s, by its beginning or by the end of its name", name, strings.Join(Formats(), ", "))
	}
	s, err := m.format.open(m)
	if err != nil {
		return nil, m.failed(err)
	}
	defer s.close()
	m.fields = s.fields()
	return m, m.checkFields()
}

// Inline returns a reader of rows that are written into a request: a JSON array of objects.
func Inline(ctx context.Context, rows []byte, defaults ...uws.Param) (*Reader, error) {
	return Open(ctx, bytes.NewReader(rows), int64(len(rows)), "rows.json", defaults...)
}

func hasSuffix(name string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(name), s) })
}

// Format returns the name of the manifest's format.
func (m *Reader) Format() string { return m.format.name }

// Columns returns the names of the file's columns that are used; of JSON, whose rows name
// their own, nil.
func (m *Reader) Columns() (names []string) {
	for _, f := range m.fields {
		if lookup(f.name) >= 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// Ignored returns the names of columns that are not used, the first hundred; of JSON, those
// of the rows that were read.
func (m *Reader) Ignored() []string { return slices.Clone(m.ignored) }

func (m *Reader) ignore(name string) {
	if len(m.ignored) < maxNames && !slices.Contains(m.ignored, name) {
		m.ignored = append(m.ignored, name)
	}
}

func (m *Reader) setDefaults(defaults []uws.Param) error {
	m.defaults = make([]cell, len(Columns))
	region := -1
	for _, p := range defaults {
		i := lookup(p.Name)
		switch {
		case i < 0:
			return usage("%.40q is no column of a manifest", p.Name)
		case Columns[i].use == forID:
			if _, err := readID(p.Value); err != nil {
				return err
			}
		case Columns[i].use < forRadius || Columns[i].use == forRegion:
			return usage("%s is another one for each row: want it in the manifest", Columns[i].Name)
		case Columns[i].use <= forStamp && region >= 0:
			return usage("both %s and %s say how large the cutouts are; want one of them", Columns[region].Name, Columns[i].Name)
		case Columns[i].use <= forStamp:
			region = i
		}
		m.defaults[i] = cell{p.Value, p.Value != ""}
	}
	return nil
}

// checkFields refuses columns that do not make sense together.
func (m *Reader) checkFields() error {
	if m.fields == nil {
		return nil
	}
	seen := make([]bool, len(Columns))
	region := false
	for _, f := range m.fields {
		i := lookup(f.name)
		if i < 0 {
			m.ignore(f.name)
			continue
		}
		if seen[i] {
			return usage("the manifest has the column %s twice", Columns[i].Name)
		}
		seen[i] = true
		region = region || Columns[i].use == forRegion
		if _, err := scale(f, Columns[i]); err != nil {
			return err
		}
	}
	if !region && !(seen[column(forRA)] && seen[column(forDec)]) {
		return usage("the manifest has no column that says where: want ra and dec, or one of POS, CIRCLE, POLYGON and PIXELS; it has %s", m.named())
	}
	return nil
}

// named lists the columns of the file for a sentence.
func (m *Reader) named() string {
	var names []string
	for _, f := range m.fields[:min(len(m.fields), 10)] {
		names = append(names, fmt.Sprintf("%.40q", f.name))
	}
	if more := len(m.fields) - len(names); more > 0 {
		return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// column returns the number of the only column for a use.
func column(u use) int {
	return slices.IndexFunc(Columns, func(c Column) bool { return c.use == u })
}

// failed says where an error of the file happened; it keeps the kind of errors of the
// reader below.
func (m *Reader) failed(err error) error {
	if fault.CodeOf(err) == fault.Internal {
		return fault.New(fault.Usage, "manifest.Reader", "the manifest cannot be read as %s: %w", m.name(), err)
	}
	return err
}

func (m *Reader) name() string {
	if m.format == nil {
		return "a table"
	}
	return m.format.name
}

// Rows yields the rows from number first on, which counts from 1. With a row comes the
// error that makes it useless, if there is one: its number is right then, and its label and
// ID as far as they could be read. A row with number 0 comes with the error that ends the
// file.
//
// The error is [fault.Usage] for what is wrong with a row or with the file; errors of the
// reader below keep their kind.
func (m *Reader) Rows(first int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s, err := m.format.open(m)
		if err == nil {
			defer s.close()
			if first > 1 {
				err = s.skip(first - 1)
			}
		}
		scales := m.scales()
		cells := make([]cell, len(Columns))
		for number := max(first, 1); err == nil; number++ {
			if number%1024 == 0 && m.ctx.Err() != nil {
				err = m.ctx.Err()
				break
			}
			clear(cells)
			var row Row
			err = s.next(cells)
			broken, _ := err.(*rowError)
			if err != nil && broken == nil {
				break
			}
			if row, err = m.row(cells, scales); broken != nil {
				err = broken.err
			}
			row.Number = number
			if !yield(row, err) {
				return
			}
			err = nil
		}
		if err != nil && err != io.EOF {
			yield(Row{}, m.failed(err))
		}
	}
}

// text reports whether s can be shown and stored: UTF-8 without control characters.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
