package votable

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// ErrOverflow is yielded by the rows of a table that ends before all of them were written: the
// document then says OVERFLOW (DALI 1.1, section 4.4.1). That is no failure.
var ErrOverflow = errors.New("the rows are not complete")

// QueryStatus is the name of the INFO that says whether a query went well: OK, OVERFLOW or
// ERROR (DALI 1.1, section 4.4).
const QueryStatus = "QUERY_STATUS"

// Write writes the document. If the rows of a table end in an error, the document is
// finished all the same, with an INFO that holds the error's sentence, and the error is
// returned. Characters that XML cannot hold become U+FFFD.
//
// The error is otherwise that of w, or [fault.Internal] for a row that does not fit its
// fields.
func Write(w io.Writer, d *Document) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	err := e.Encode(struct {
		XMLName xml.Name `xml:"VOTABLE"`
		Version string   `xml:"version,attr"`
		XMLNS   string   `xml:"xmlns,attr"`
		*Document
	}{Version: "1.4", XMLNS: "http://www.ivoa.net/xml/VOTable/v1.3", Document: d})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	for i := range d.Resources {
		for _, t := range d.Resources[i].Tables {
			if t.failed != nil {
				return t.failed
			}
		}
	}
	return nil
}

// Failure returns the document of an error (DALI 1.1, section 4.4.1): message is what is
// shown to people.
func Failure(message string) *Document {
	return &Document{Resources: []Resource{{Type: "results", Infos: []Info{{Name: QueryStatus, Value: "ERROR", Text: message}}}}}
}

// MarshalXML writes the table and, if its rows end early, the INFO behind it.
func (t *Table) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	start.Name.Local = "TABLE"
	for _, a := range []xml.Attr{{Name: xml.Name{Local: "ID"}, Value: t.ID}, {Name: xml.Name{Local: "name"}, Value: t.Name}} {
		if a.Value != "" {
			start.Attr = append(start.Attr, a)
		}
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if t.Description != "" {
		if err := e.EncodeElement(t.Description, element("DESCRIPTION")); err != nil {
			return err
		}
	}
	if err := e.EncodeElement(t.Params, element("PARAM")); err != nil {
		return err
	}
	if err := e.EncodeElement(t.Fields, element("FIELD")); err != nil {
		return err
	}
	status, err := t.writeData(e)
	if err != nil {
		return err
	}
	if err := e.EncodeToken(start.End()); err != nil {
		return err
	}
	if status.Value == "" {
		return nil
	}
	return e.EncodeElement(status, element("INFO"))
}

func element(name string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: name}} }

// writeData writes the rows, and returns the status with which they end early, if they do.
func (t *Table) writeData(e *xml.Encoder) (status Info, err error) {
	open := []xml.StartElement{element("DATA"), element("TABLEDATA")}
	for _, s := range open {
		if err := e.EncodeToken(s); err != nil {
			return status, err
		}
	}
	if t.Rows != nil {
		tr, td := element("TR"), element("TD")
		var begin, end xml.Token = td, td.End()
		for row, failed := range t.Rows {
			if errors.Is(failed, ErrOverflow) {
				status = Info{Name: QueryStatus, Value: "OVERFLOW"}
				break
			}
			if failed != nil {
				t.failed = failed
				status = Info{Name: QueryStatus, Value: "ERROR", Text: fault.Sentence(failed)}
				break
			}
			if len(row) != len(t.Fields) {
				return status, fault.New(fault.Internal, "votable.Write", "a row of %d cells; want %d", len(row), len(t.Fields))
			}
			if err := e.EncodeToken(tr); err != nil {
				return status, err
			}
			for _, cell := range row {
				text, err := Text(cell)
				if err != nil {
					return status, err
				}
				for _, token := range []xml.Token{begin, xml.CharData(text), end} { // by EncodeElement each cell would be written by itself
					if err := e.EncodeToken(token); err != nil {
						return status, err
					}
				}
			}
			if err := e.EncodeToken(tr.End()); err != nil {
				return status, err
			}
		}
	}
	for i := range open {
		if err := e.EncodeToken(open[len(open)-1-i].End()); err != nil {
			return status, err
		}
	}
	return status, nil
}

// Text writes a value as TABLEDATA and PARAM do (section 5.1): numbers in the shortest form
// that reads back the same, arrays with blanks between. The error is [fault.Internal] for a
// type that [Table] does not name.
func Text(cell any) (string, error) {
	switch v := cell.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return string(appendFloat(nil, v)), nil
	case []int64:
		return join(v, func(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }), nil
	case []float64:
		return join(v, appendFloat), nil
	}
	return "", fault.New(fault.Internal, "votable.Text", "a cell of type %T", cell)
}

func join[T any](values []T, text func([]byte, T) []byte) string {
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ' ')
		}
		b = text(b, v)
	}
	return string(b)
}

func appendFloat(b []byte, v float64) []byte {
	if math.IsInf(v, 1) {
		return append(b, "+Inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}
