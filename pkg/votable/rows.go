package votable

import (
	"encoding/xml"
	"io"
	"iter"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Rows yields the rows, once. A cell is nil if it has no value, a string for char and
// unicodeChar, or by the field's datatype a bool, int64 or float64, or a slice of these if
// the field is an array; the parts of complex numbers follow each other in a []float64.
//
// A *[RowError] is about its row alone, which comes with the cells that fit: the reading can
// go on behind it. Any other error ends the rows. It is [fault.Usage] for a document that is
// not well-formed, ends early or says behind its rows that they are not complete,
// [fault.TooLarge] for a row beyond 1 MiB; errors of the reader below keep their kind.
func (v *Reader) Rows() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		next := v.textRow
		switch v.data {
		case "":
			return
		case "BINARY", "BINARY2":
			next = v.binaryRows()
		}
		for {
			v.row++
			v.meter.left = maxRow
			row, err := next()
			if err == io.EOF {
				break
			}
			if _, alone := err.(*RowError); err != nil && !alone {
				yield(nil, v.explain(err))
				return
			}
			if !yield(row, err) {
				return
			}
		}
		if err := v.finish(); err != nil {
			yield(nil, v.explain(err))
		}
	}
}

// RowError is what is wrong with one row: it does not fit its fields. Err is of kind
// [fault.Usage].
type RowError struct{ Err error }

// Error returns the text of the error below.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap returns the error below.
func (e *RowError) Unwrap() error { return e.Err }

// textRow reads the next TR of TABLEDATA; the error is io.EOF behind the last one.
func (v *Reader) textRow() (row []any, err error) {
	var broken error // of the first cell that does not fit
	for inside := false; ; {
		t, err := v.xml.Token()
		if err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch {
			case t.Name.Local == "TR" && !inside:
				inside, row = true, make([]any, 0, len(v.columns))
				continue
			case t.Name.Local != "TD" || !inside:
				return nil, v.wrong("has the element %.40q where TR or TD belongs", t.Name.Local)
			case len(row) == len(v.columns):
				if broken == nil {
					broken = &RowError{v.wrong("has more than %d cells", len(v.columns))}
				}
				if err := v.xml.Skip(); err != nil {
					return nil, err
				}
				continue
			}
			var text string
			if err := v.xml.DecodeElement(&text, &t); err != nil {
				return nil, err
			}
			c := &v.columns[len(row)]
			cell, err := c.parse(text)
			if err != nil && broken == nil {
				broken = &RowError{v.wrong("has %.40q as %s; want %s", text, c.name, c.want())}
			}
			row = append(row, cell)
		case xml.EndElement:
			if t.Name.Local == "TABLEDATA" {
				return nil, io.EOF
			}
			if len(row) != len(v.columns) && broken == nil {
				broken = &RowError{v.wrong("has %d cells; want %d", len(row), len(v.columns))}
			}
			return row, broken
		case xml.CharData:
			if len(strings.TrimSpace(string(t))) > 0 {
				return nil, v.wrong("has text outside of its cells")
			}
		}
	}
}

func (v *Reader) wrong(format string, args ...any) error {
	return fault.New(fault.Usage, "votable.Rows", "row %d of the table "+format, append([]any{v.row}, args...)...)
}

// finish reads what follows the rows, up to the end of the resource.
func (v *Reader) finish() error {
	v.meter.left = maxMetadata
	for {
		t, err := v.xml.Token()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == "RESOURCE" {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "INFO" {
				if err := v.xml.Skip(); err != nil {
					return err
				}
				continue
			}
			var info Info
			if err := v.xml.DecodeElement(&info, &t); err != nil {
				return err
			}
			if err := failed(info); err != nil {
				return err
			}
		}
	}
}
