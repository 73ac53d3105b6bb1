package votable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// all reads a document to its end.
func all(document io.Reader) (r *Reader, rows [][]any, err error) {
	if r, err = NewReader(document); err != nil {
		return nil, nil, err
	}
	for row, err := range r.Rows() {
		if err != nil {
			return r, rows, err
		}
		rows = append(rows, row)
	}
	return r, rows, nil
}

// Each serialization that astropy writes gives the cells that astropy reads.
func TestReadsAsAstropyDoes(t *testing.T) {
	text, err := os.ReadFile("testdata/rows.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Rows [][]any }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"tabledata", "binary", "binary2"} {
		t.Run(form, func(t *testing.T) {
			document, err := os.ReadFile(filepath.Join("testdata", form+".vot"))
			if err != nil {
				t.Fatal(err)
			}
			r, rows, err := all(iotest.OneByteReader(bytes.NewReader(document)))
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != len(golden.Rows) || len(golden.Rows) != 3 {
				t.Fatalf("%d rows, want %d", len(rows), len(golden.Rows))
			}
			for i, row := range rows {
				for j, cell := range row {
					if got := plain(cell); !same(got, golden.Rows[i][j]) {
						t.Errorf("row %d, %s: %v, want %v", i, r.Fields[j].Name, got, golden.Rows[i][j])
					}
				}
			}
		})
	}
}

// plain writes a cell as the golden file does: text for numbers.
func plain(cell any) any {
	switch v := cell.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []int64, []float64, []bool:
		list := reflect.ValueOf(v)
		parts := make([]any, list.Len())
		for i := range parts {
			parts[i] = plain(list.Index(i).Interface())
		}
		return parts
	}
	return cell
}

func same(got, want any) bool {
	switch want := want.(type) {
	case []any:
		got, _ := got.([]any) // nothing and an array of nothing are one to astropy
		if len(got) != len(want) {
			return false
		}
		for i := range got {
			if !same(got[i], want[i]) {
				return false
			}
		}
		return true
	case string:
		a, errA := strconv.ParseFloat(fmt.Sprint(got), 64)
		b, errB := strconv.ParseFloat(want, 64)
		return got == want || errA == nil && errB == nil && a == b
	}
	return got == want
}

const (
	head  = `<VOTABLE version="1.4"><RESOURCE type="results"><TABLE>`
	field = `<FIELD name="n" datatype="int"/>`
	tail  = `</TABLE></RESOURCE></VOTABLE>`
)

func TestRefusals(t *testing.T) {
	stream := func(fields, data string) string {
		return head + fields + `<DATA><BINARY><STREAM encoding="base64">` + data + `</STREAM></BINARY></DATA>` + tail
	}
	rows := func(fields, data string) string {
		return head + fields + `<DATA><TABLEDATA>` + data + `</TABLEDATA></DATA>` + tail
	}
	for _, tt := range []struct {
		name, document string
		code           fault.Code
		says           string
	}{
		{"nothing", "", fault.Usage, "it is empty"},
		{"a page", "<html><body/></html>", fault.Usage, `begins with the element "html"`},
		{"text", "ID,RA,Dec\n", fault.Usage, "begins with text"},
		{"no table", `<VOTABLE><RESOURCE/></VOTABLE>`, fault.Usage, "holds no table"},
		{"a description of a service alone", `<VOTABLE><RESOURCE type="meta"><TABLE>` + field + `</TABLE></RESOURCE></VOTABLE>`, fault.Usage, "holds no table"},
		{"an error", `<VOTABLE><RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">no such column</INFO></RESOURCE></VOTABLE>`, fault.Usage, "no such column"},
		{"rows in a FITS file", head + field + `<DATA><FITS extnum="1"><STREAM/></FITS></DATA>` + tail, fault.Unsupported, "FITS"},
		{"rows elsewhere", head + field + `<DATA><BINARY2><STREAM href="http://example.org/x"/></BINARY2></DATA>` + tail, fault.Unsupported, "another URL"},
		{"gzip", head + field + `<DATA><BINARY2><STREAM encoding="gzip"/></BINARY2></DATA>` + tail, fault.Unsupported, "gzip"},
		{"Latin-1", `<?xml version="1.0" encoding="ISO-8859-1"?>` + rows(field, ""), fault.Unsupported, "ISO-8859-1"},
		{"an unknown datatype", rows(`<FIELD name="n" datatype="quad"/>`, ""), fault.Usage, `"quad"`},
		{"a broken arraysize", rows(`<FIELD name="n" datatype="int" arraysize="3y"/>`, ""), fault.Usage, `"3y"`},
		{"an arraysize of none", rows(`<FIELD name="n" datatype="int" arraysize="0"/>`, ""), fault.Usage, `"0"`},
		{"an arraysize beyond memory", rows(`<FIELD name="n" datatype="long" arraysize="65536x65536x65536x65536"/>`, ""), fault.TooLarge, "at most"},
		{"many fields", rows(strings.Repeat(field, maxFields+1), ""), fault.TooLarge, "1000 fields"},
		{"metadata without end", head + "<DESCRIPTION>" + strings.Repeat("x", maxMetadata) + "</DESCRIPTION>" + field + tail, fault.TooLarge, "metadata"},
		{"a row without end", rows(`<FIELD name="s" datatype="char" arraysize="*"/>`, "<TR><TD>"+strings.Repeat("x", maxRow)+"</TD></TR>"), fault.TooLarge, "row 1"},
		{"too few cells", rows(field+field, "<TR><TD>1</TD></TR>"), fault.Usage, "1 cells; want 2"},
		{"too many cells", rows(field, "<TR><TD>1</TD><TD>1</TD></TR>"), fault.Usage, "more than 1"},
		{"a word for a number", rows(field, "<TR><TD>1</TD></TR><TR><TD>ten</TD></TR>"), fault.Usage, `row 2 of the table has "ten" as n; want int`},
		{"an int of 33 bits", rows(field, "<TR><TD>2147483648</TD></TR>"), fault.Usage, "2147483648"},
		{"two numbers for one", rows(field, "<TR><TD>1 2</TD></TR>"), fault.Usage, "want int"},
		{"two numbers for three", rows(`<FIELD name="c" datatype="double" arraysize="3"/>`, "<TR><TD>1 2</TD></TR>"), fault.Usage, "an array of double"},
		{"text between rows", rows(field, "1"), fault.Usage, "outside of its cells"},
		{"an element between rows", rows(field, "<TD/>"), fault.Usage, `"TD"`},
		{"rows cut short", head + field + "<DATA><TABLEDATA><TR><TD>1</TD></TR>", fault.Usage, "ends early, in row 2"},
		{"rows that are not complete", head + field + "<DATA><TABLEDATA/></DATA></TABLE>" + `<INFO name="QUERY_STATUS" value="OVERFLOW"/></RESOURCE></VOTABLE>`, fault.Usage, "OVERFLOW"},
		{"an error behind the rows", head + field + "<DATA><TABLEDATA/></DATA></TABLE>" + `<INFO name="QUERY_STATUS" value="ERROR">disk full</INFO></RESOURCE></VOTABLE>`, fault.Usage, "disk full"},
		{"not well-formed", head + field + "<DATA><TABLEDATA></TR>", fault.Usage, "not well-formed"},
		{"half a binary row", stream(field, "AAAA"), fault.Usage, "ends early"},
		{"no base64", stream(field, "AAA&amp;"), fault.Usage, "base64"},
		{"a binary cell beyond memory", stream(`<FIELD name="s" datatype="double" arraysize="*"/>`, "/////w=="), fault.TooLarge, "row 1"},
		{"arrays of arrays", stream(`<FIELD name="s" datatype="double" arraysize="2x*"/>`, ""), fault.Unsupported, "arrays of arrays"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := all(strings.NewReader(tt.document))
			if !errors.Is(err, tt.code) || !strings.Contains(fault.Sentence(err), tt.says) {
				t.Errorf("%v, want %s with %q", err, tt.code, tt.says)
			}
		})
	}
}

func TestReads(t *testing.T) {
	for _, tt := range []struct {
		name, document string
		want           [][]any
	}{
		{"a table without data", head + field + tail, nil},
		{"no rows", head + field + "<DATA><BINARY2><STREAM encoding='base64'/></BINARY2></DATA>" + tail, nil},
		{"the results behind the description of a service", `<VOTABLE><RESOURCE type="meta"><RESOURCE><TABLE><FIELD name="x" datatype="char"/></TABLE></RESOURCE></RESOURCE>` +
			`<RESOURCE><TABLE>` + field + `<DATA><TABLEDATA><TR><TD> 0x1F </TD></TR></TABLEDATA></DATA>` + tail, [][]any{{int64(31)}}},
		{"any prefix, CDATA, comments", `<v:VOTABLE xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"><v:RESOURCE><v:TABLE><v:FIELD name="s" datatype="char" arraysize="*"/><v:DATA><v:TABLEDATA><!-- x -->` +
			`<v:TR><v:TD><![CDATA[a<b]]> &#38; c</v:TD></v:TR></v:TABLEDATA></v:DATA></v:TABLE></v:RESOURCE></v:VOTABLE>`, [][]any{{"a<b & c"}}},
		{"base64 in lines", head + field + "<DATA><BINARY><STREAM encoding='base64'>\n AAAA\n AQAA AAI=\n</STREAM></BINARY></DATA>" + tail, [][]any{{int64(1)}, {int64(2)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, rows, err := all(strings.NewReader(tt.document))
			if err != nil || !reflect.DeepEqual(rows, tt.want) {
				t.Errorf("%v, %v, want %v", rows, err, tt.want)
			}
		})
	}
}

// What the reader below says is not lost.
func TestErrorsBelowKeepTheirKind(t *testing.T) {
	below := fault.New(fault.Unavailable, "test", "the disk is away")
	document := head + field + "<DATA><TABLEDATA><TR><TD>1</TD></TR>"
	_, rows, err := all(io.MultiReader(strings.NewReader(document), iotest.ErrReader(below)))
	if len(rows) != 1 || !errors.Is(err, fault.Unavailable) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// A document of any length takes no more memory than a row and the metadata may.
func TestMemoryIsBounded(t *testing.T) {
	for name, row := range map[string]string{
		"TABLEDATA": "<TR><TD>1</TD></TR>\n",
		"BINARY":    strings.Repeat("AAAAAQAAAAIAAAAD", 8) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			open := head + field + "<DATA><" + name + ">"
			if name == "BINARY" {
				open += "<STREAM encoding='base64'>"
			}
			r, err := NewReader(io.MultiReader(strings.NewReader(open), &repeated{text: row, left: 3 << 20}))
			if err != nil {
				t.Fatal(err)
			}
			rows, before := 0, heap()
			for _, err := range r.Rows() {
				if err != nil {
					break // the document ends early
				}
				if rows++; rows%(1<<16) == 0 {
					if after := heap(); after > before+1<<20 {
						t.Fatalf("after %d rows %d bytes more are in use", rows, after-before)
					}
				}
			}
			if rows < 1<<17 {
				t.Errorf("%d rows", rows)
			}
		})
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// repeated is a text again and again.
type repeated struct {
	text string
	at   int
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n += k
		r.at = (r.at + k) % len(r.text)
	}
	r.left -= n
	return n, nil
}

// Whatever the bytes, reading ends in rows or in a fault of the user's, and numbers that
// were read are written and read again as they are.
func FuzzReader(f *testing.F) {
	for _, form := range []string{"tabledata", "binary", "binary2"} {
		document, err := os.ReadFile(filepath.Join("testdata", form+".vot"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Add([]byte(head + field + "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>" + tail))
	f.Fuzz(func(t *testing.T, document []byte) {
		r, rows, err := all(bytes.NewReader(document))
		switch code := fault.CodeOf(err); code {
		case "", fault.Usage, fault.Unsupported, fault.TooLarge:
		default:
			t.Fatalf("%s: %v", code, err)
		}
		for _, row := range rows {
			if len(row) != len(r.Fields) {
				t.Fatalf("a row of %d cells for %d fields", len(row), len(r.Fields))
			}
			for i, cell := range row {
				number, ok := cell.(float64)
				if !ok || math.IsNaN(number) {
					continue
				}
				text, err := Text(cell)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := r.columns[i].parse(text); err != nil || again != cell {
					t.Fatalf("%v is written %q and read %v, %v", cell, text, again, err)
				}
			}
		}
	})
}
