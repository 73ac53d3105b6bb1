package votable

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// odd is text that XML must escape or cannot hold.
const odd = "a<b>&\"'\x00\x0b\ufffe ]]> \t\n."

// sample is a document with everything that can be written.
func sample(rows iter.Seq2[[]any, error]) *Document {
	return &Document{Resources: []Resource{
		{
			Type: "results", Infos: []Info{{QueryStatus, "OK", ""}, {"remark", odd, odd}}, Links: []Link{{Role: "doc", Type: "text/html", Title: odd, Href: "http://example.org/"}},
			Params: []Param{{Field{Name: "epoch", Datatype: "double", Unit: "d"}, "60000.5"}},
			Tables: []*Table{{
				ID: "t1", Name: "cutouts", Description: odd,
				Params: []Param{{Field{Name: "version", Datatype: "char", Arraysize: "*"}, odd}},
				Fields: []Field{
					{ID: "id", Name: "ID", Datatype: "char", Arraysize: "*", UCD: "meta.id;meta.main", Description: odd},
					{Name: "size", Datatype: "long", Unit: "byte", UCD: "phys.size;meta.file", Values: &Values{Min: &Bound{"0"}}},
					{Name: "ok", Datatype: "boolean"},
					{Name: "circle", Datatype: "double", Arraysize: "3", Unit: "deg", Xtype: "circle", UCD: "pos"},
					{Name: "x", Datatype: "double"},
					{Name: "pixels", Datatype: "long", Arraysize: "*"},
				},
				Rows: rows,
			}},
		},
		{
			ID: "service", Name: "service", Type: "meta", Utype: "adhoc:service", Description: odd,
			Params: []Param{{Field{Name: "accessURL", Datatype: "char", Arraysize: "*"}, "http://example.org/sync"}},
			Groups: []Group{{Name: "inputParams", Description: odd, Params: []Param{
				{Field: Field{Name: "ID", Datatype: "char", Arraysize: "*", Ref: "id"}},
				{Field: Field{Name: "CIRCLE", Datatype: "double", Arraysize: "3", Xtype: "circle", Values: &Values{Max: &Bound{"1 2 3"}}}},
				{Field: Field{Name: "MASK", Datatype: "char", Arraysize: "*", Values: &Values{Options: []Option{{"", "none"}, {odd, odd}}}}},
			}}},
		},
	}}
}

var sampleRows = [][]any{
	{odd, int64(math.MaxInt64), true, []float64{10.5, -20, 1e-300}, math.Inf(1), []int64{1, 2}},
	{"", nil, nil, []float64{0, 0, 0}, nil, nil},
	{"c", 7, false, []float64{1, 2, 3}, math.Inf(-1), []int64{-1}},
}

func yields(rows [][]any, err error) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func write(t *testing.T, d *Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	_, rows, err := all(strings.NewReader(write(t, sample(yields(sampleRows, nil)))))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{strings.NewReplacer("\x00", "\uFFFD", "\x0b", "\uFFFD", "\ufffe", "\uFFFD").Replace(odd), int64(math.MaxInt64), true, []float64{10.5, -20, 1e-300}, math.Inf(1), []int64{1, 2}},
		{"", nil, nil, []float64{0, 0, 0}, nil, nil},
		{"c", int64(7), false, []float64{1, 2, 3}, math.Inf(-1), []int64{-1}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("%v\nwant\n%v", rows, want)
	}
}

// DALI-17: what goes wrong after the first row stands behind the table.
func TestRowsThatEndEarly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		holds string
		fails error
	}{
		{"overflow", ErrOverflow, `</TABLE>
    <INFO name="QUERY_STATUS" value="OVERFLOW"></INFO>`, nil},
		{"a fault", fault.New(fault.Unavailable, "test", "the store is away"), `</TABLE>
    <INFO name="QUERY_STATUS" value="ERROR">the store is away</INFO>`, fault.Unavailable},
		{"an error of ours is not shown", errors.New("secret"), `value="ERROR">something went wrong inside the service`, fault.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			err := Write(&b, sample(yields(sampleRows[:1], tt.err)))
			if (tt.fails == nil) != (err == nil) || err != nil && fault.CodeOf(err) != tt.fails {
				t.Errorf("the error is %v, want %v", err, tt.fails)
			}
			if !strings.Contains(b.String(), tt.holds) || !strings.HasSuffix(b.String(), "</VOTABLE>\n") || strings.Contains(b.String(), "secret") {
				t.Errorf("want a whole document that holds %s:\n%s", tt.holds, &b)
			}
		})
	}
}

func TestRowsThatDoNotFit(t *testing.T) {
	for name, row := range map[string][]any{"too few cells": {"a"}, "a type of ours": {"a", 1, true, []float64{1, 2, 3}, struct{}{}, nil}} {
		if err := Write(&bytes.Buffer{}, sample(yields([][]any{row}, nil))); !errors.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Others find nothing wrong with what is written, and read what was meant.
func TestOthersReadWhatIsWritten(t *testing.T) {
	dir := t.TempDir()
	documents := map[string]*Document{
		"sample": sample(yields(sampleRows, nil)), "overflow": sample(yields(sampleRows, ErrOverflow)),
		"none": sample(nil), "failure": Failure("UsageError: " + odd),
	}
	for name, d := range documents {
		if err := os.WriteFile(filepath.Join(dir, name+".xml"), []byte(write(t, d)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("schema", func(t *testing.T) {
		schema := filepath.Join(outside.Standards(t), "xsd", "VOTable-v1.4.xsd")
		for name := range documents {
			outside.Run(t, outside.Tool(t, "xmllint"), "--nonet", "--noout", "--schema", schema, filepath.Join(dir, name+".xml"))
		}
	})
	t.Run("votlint", func(t *testing.T) {
		for name := range documents {
			if out := outside.Run(t, outside.Tool(t, "stilts"), "votlint", "votable="+filepath.Join(dir, name+".xml")); strings.TrimSpace(out) != "" {
				t.Errorf("%s: %s", name, out)
			}
		}
	})
	t.Run("astropy", func(t *testing.T) {
		const script = `
import sys
from astropy.io.votable import parse
t = parse(sys.argv[1], verify="exception").get_first_table().array
print(t["size"].tolist(), t["ok"].tolist(), t["circle"][0].tolist(), t["x"].tolist()[::2], [list(p) for p in t["pixels"]][::2])
`
		out := outside.Run(t, outside.Python(t, "astropy"), "-c", script, filepath.Join(dir, "sample.xml"))
		const want = "[9223372036854775807, None, 7] [True, None, False] [10.5, -20.0, 1e-300] [inf, -inf] [[1, 2], [-1]]\n"
		if !strings.HasSuffix(out, want) { // behind warnings of what XML could not hold
			t.Errorf("%swant\n%s", out, want)
		}
	})
	t.Run("stilts", func(t *testing.T) { // and we read what stilts makes of it
		for _, format := range []string{"votable-tabledata", "votable-binary2-inline"} {
			again := filepath.Join(dir, format+".xml")
			outside.Run(t, outside.Tool(t, "stilts"), "tcopy", "ifmt=votable", "ofmt="+format, filepath.Join(dir, "sample.xml"), again)
			file, err := os.Open(again)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			_, rows, err := all(file)
			if err != nil || len(rows) != 3 || rows[0][1] != int64(math.MaxInt64) || rows[1][1] != nil || rows[2][0] != "c" || !reflect.DeepEqual(rows[0][3], []float64{10.5, -20, 1e-300}) {
				t.Errorf("%s: %v %v", format, rows, err)
			}
		}
	})
}
