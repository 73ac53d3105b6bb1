package votable

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Limits of what is read.
const (
	maxMetadata = 4 << 20 // bytes of XML before the rows, and behind them
	maxRow      = 1 << 20 // bytes of one row
	maxFields   = 1000
)

// Reader reads the rows of the first table of a document that holds results.
type Reader struct {
	Infos  []Info  // before the rows, of the document, its resource and its table
	Params []Param // of the resource and the table
	Fields []Field

	columns []column
	meter   *meter
	xml     *xml.Decoder
	data    string // TABLEDATA, BINARY, BINARY2, or "" for a table without rows
	row     int    // from 1, for errors
}

// NewReader reads up to the first row.
//
// The error is [fault.Usage] for what is no VOTable, holds no table, or says that a query
// has failed; [fault.Unsupported] for rows in a FITS file or at another URL, and for other
// encodings than UTF-8; [fault.TooLarge] beyond 4 MiB of metadata or 1000 fields. Errors of
// r keep their kind.
func NewReader(r io.Reader) (*Reader, error) {
	m := &meter{r: bufio.NewReader(r), left: maxMetadata}
	v := &Reader{meter: m, xml: xml.NewDecoder(m)}
	v.xml.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "US-ASCII") {
			return in, nil
		}
		return nil, fault.New(fault.Unsupported, "votable.NewReader", "the VOTable is encoded as %q; want UTF-8", charset)
	}
	if err := v.open(); err != nil {
		return nil, v.explain(err)
	}
	return v, nil
}

// meter counts the bytes that the decoder of XML takes, one by one: so no element can take
// more memory than is left, and a stream can be read past the decoder.
type meter struct {
	r    *bufio.Reader
	left int64
	over bool  // more than left was asked for
	err  error // of the reader below, but not its end
}

func (m *meter) ReadByte() (byte, error) {
	if m.left--; m.left < 0 {
		m.over = true
		return 0, io.ErrUnexpectedEOF
	}
	b, err := m.r.ReadByte()
	if err != nil && err != io.EOF {
		m.err = err
	}
	return b, err
}

// Read makes meter a reader, which the decoder asks for; it reads by byte.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// explain turns what went wrong below into an error of this package.
func (v *Reader) explain(err error) error {
	const op = "votable.Reader"
	_, ours := errors.AsType[*fault.Error](err)
	broken, _ := errors.AsType[*xml.SyntaxError](err)
	switch {
	case v.meter.over:
		return fault.New(fault.TooLarge, op, "%s of the VOTable is too large: want at most %d bytes of metadata and %d for a row", v.place(), maxMetadata, maxRow)
	case v.meter.err != nil:
		if fault.CodeOf(v.meter.err) != fault.Internal {
			return v.meter.err
		}
		return fault.New(fault.Usage, op, "the VOTable cannot be read: %w", v.meter.err)
	case ours:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), broken != nil && broken.Msg == "unexpected EOF":
		return fault.New(fault.Usage, op, "the VOTable ends early, in %s", v.place())
	}
	return fault.New(fault.Usage, op, "%s of the VOTable is not well-formed: %w", v.place(), err)
}

func (v *Reader) place() string {
	if v.row > 0 {
		return "row " + string(appendInt(nil, int64(v.row)))
	}
	return "the metadata"
}

// open reads the elements up to the first row.
func (v *Reader) open() error {
	const op = "votable.NewReader"
	root, meta := false, 0 // meta counts the open elements since a RESOURCE of type meta
	for {
		t, err := v.xml.Token()
		switch {
		case err == io.EOF && !root:
			return fault.New(fault.Usage, op, "this is no VOTable: it is empty")
		case err == io.EOF:
			return fault.New(fault.Usage, op, "the VOTable holds no table")
		case err != nil:
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			name := t.Name.Local
			switch {
			case !root && name != "VOTABLE":
				return fault.New(fault.Usage, op, "this is no VOTable: it begins with the element %.40q", name)
			case meta > 0, name == "RESOURCE" && attribute(t, "type") == "meta":
				meta++
				continue
			}
			root = true
			done, err := v.element(t)
			if done || err != nil {
				return err
			}
		case xml.EndElement:
			switch {
			case meta > 0:
				meta--
			case t.Name.Local == "TABLE":
				return v.setColumns()
			}
		case xml.CharData:
			if !root && len(strings.TrimSpace(string(t))) > 0 {
				return fault.New(fault.Usage, op, "this is no VOTable: it begins with text")
			}
		}
	}
}

// element reads one element of the metadata; done says that rows follow.
func (v *Reader) element(t xml.StartElement) (done bool, err error) {
	switch t.Name.Local {
	case "VOTABLE", "RESOURCE", "TABLE", "DATA":
		return false, nil
	case "INFO":
		var info Info
		if err := v.xml.DecodeElement(&info, &t); err != nil {
			return false, err
		}
		v.Infos = append(v.Infos, info)
		return false, failed(info)
	case "PARAM":
		var p Param
		if err := v.xml.DecodeElement(&p, &t); err != nil {
			return false, err
		}
		v.Params = append(v.Params, p)
		return false, nil
	case "FIELD":
		var f Field
		if err := v.xml.DecodeElement(&f, &t); err != nil {
			return false, err
		}
		if v.Fields = append(v.Fields, f); len(v.Fields) > maxFields {
			return false, fault.New(fault.TooLarge, "votable.NewReader", "the table has more than %d fields", maxFields)
		}
		return false, nil
	case "TABLEDATA":
		v.data = t.Name.Local
		return true, v.setColumns()
	case "BINARY", "BINARY2":
		v.data = t.Name.Local
		if err := v.setColumns(); err != nil {
			return false, err
		}
		for _, c := range v.columns {
			if c.variable && c.count > 1 { // some programs count values, others rows of them
				return false, fault.New(fault.Unsupported, "votable.NewReader", "the field %.40q holds arrays of arrays, which programs write in different ways; write the VOTable with TABLEDATA", c.name)
			}
		}
		return false, nil
	case "STREAM":
		return true, checkStream(t)
	case "FITS":
		return false, fault.New(fault.Unsupported, "votable.NewReader", "the rows are in a FITS file; write the VOTable with TABLEDATA or BINARY2")
	}
	return false, v.xml.Skip()
}

// failed is the error that an INFO tells, if it does.
func failed(info Info) error {
	if info.Name != QueryStatus {
		return nil
	}
	switch strings.ToUpper(info.Value) {
	case "ERROR":
		return fault.New(fault.Usage, "votable.Reader", "the VOTable holds no result but an error: %.200s", strings.TrimSpace(info.Text))
	case "OVERFLOW":
		return fault.New(fault.Usage, "votable.Reader", "the VOTable says that it is not complete (OVERFLOW); ask its source for all rows")
	}
	return nil
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func checkStream(t xml.StartElement) error {
	if attribute(t, "href") != "" {
		return fault.New(fault.Unsupported, "votable.NewReader", "the rows are at another URL; write the VOTable with its rows inside")
	}
	if e := attribute(t, "encoding"); e != "base64" {
		return fault.New(fault.Unsupported, "votable.NewReader", "the rows are encoded as %.40q; want base64", e)
	}
	return nil
}

func (v *Reader) setColumns() error {
	for _, f := range v.Fields {
		c, err := newColumn(f)
		if err != nil {
			return err
		}
		v.columns = append(v.columns, c)
	}
	return nil
}
