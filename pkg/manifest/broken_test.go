package manifest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// names are the columns of the broken rows; every value is a text, which every format has.
var names = []string{"ID", "ra", "dec", "radius", "POS", "label", "MASK"}

// broken are rows, each with what is wrong with it, among rows that are right.
var broken = []struct {
	name  string
	cells []string // fewer or more than names: only of the formats that can say so
	want  string   // in the error; "": the row is right
}{
	{"right", []string{"ivo://x/y", "10", "20", "0.1", "", "a", ""}, ""},
	{"not a number", []string{"ivo://x/y", "ten", "20", "0.1", "", "a", ""}, "ra is"},
	{"hours", []string{"ivo://x/y", "10:00:00", "20", "0.1", "", "a", ""}, "not hours or minutes"},
	{"NaN", []string{"ivo://x/y", "10", "NaN", "0.1", "", "a", ""}, "dec is"},
	{"dec beyond 90", []string{"ivo://x/y", "10", "91", "0.1", "", "a", ""}, "91"},
	{"right by POS", []string{"ivo://x/y", "", "", "", "CIRCLE 10 20 1", "a", "nan"}, ""},
	{"negative radius", []string{"ivo://x/y", "10", "20", "-0.1", "", "a", ""}, "radius is -0.1"},
	{"radius 0", []string{"ivo://x/y", "10", "20", "0", "", "a", ""}, "radius is 0"},
	{"radius too large", []string{"ivo://x/y", "10", "20", "181", "", "a", ""}, "181"},
	{"no position", []string{"ivo://x/y", "", "", "0.1", "", "a", ""}, "no position"},
	{"half a position", []string{"ivo://x/y", "10", "", "0.1", "", "a", ""}, "dec is missing"},
	{"no region", []string{"ivo://x/y", "10", "20", "", "", "a", ""}, "no region"},
	{"two regions", []string{"ivo://x/y", "10", "20", "0.1", "CIRCLE 10 20 0.1", "a", ""}, "want one of them"},
	{"bad POS", []string{"ivo://x/y", "", "", "", "SQUARE 10 20 0.1", "a", ""}, "POS begins with"},
	{"empty ID", []string{"", "10", "20", "0.1", "", "a", ""}, "ID is empty"},
	{"long ID", []string{"ivo://x/" + strings.Repeat("y", MaxID), "10", "20", "0.1", "", "a", ""}, "ID has 1008 bytes"},
	{"unknown option", []string{"ivo://x/y", "10", "20", "0.1", "", "a", "black"}, "MASK is"},
	{"long label", []string{"ivo://x/y", "10", "20", "0.1", "", strings.Repeat("é", MaxLabel+1), ""}, "label has 101 characters"},
	{"control character", []string{"ivo://x/y", "10", "20", "0.1", "", "a\tb", ""}, "label"},
	{"too few fields", []string{"ivo://x/y", "10", "20"}, ""},
	{"too many fields", []string{"ivo://x/y", "10", "20", "0.1", "", "a", "", "more"}, ""},
	{"no UTF-8", []string{"ivo://x/\xff", "10", "20", "0.1", "", "a", ""}, "UTF-8"},
	{"right at the end", []string{"ivo://x/y", "10", "20", "0.1", "", "a", ""}, ""},
}

// writers write rows of texts in each format; what a format cannot say, writers leave out.
var writers = map[string]func(t testing.TB, rows [][]string) []byte{
	"a.csv": func(t testing.TB, rows [][]string) []byte {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll(append([][]string{names}, rows...)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	},
	"a.ecsv": func(t testing.TB, rows [][]string) []byte {
		b := bytes.NewBufferString("# %ECSV 1.0\n# ---\n# datatype:\n")
		for _, n := range names {
			fmt.Fprintf(b, "# - {name: %s, datatype: string}\n", n)
		}
		b.WriteString("# schema: astropy-2.0\n")
		w := csv.NewWriter(b)
		w.Comma = ' '
		if err := w.WriteAll(append([][]string{names}, rows...)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	},
	"a.jsonl": func(t testing.TB, rows [][]string) []byte {
		var b bytes.Buffer
		for _, r := range rows {
			b.Write(object(t, r))
			b.WriteString("\n")
		}
		return b.Bytes()
	},
	"a.json": func(t testing.TB, rows [][]string) []byte {
		var objects [][]byte
		for _, r := range rows {
			objects = append(objects, object(t, r))
		}
		return slices.Concat([]byte("["), bytes.Join(objects, []byte(",\n")), []byte("]"))
	},
	"a.vot": func(t testing.TB, rows [][]string) []byte {
		b := bytes.NewBufferString(`<VOTABLE version="1.4"><RESOURCE><TABLE>`)
		for _, n := range names {
			fmt.Fprintf(b, `<FIELD name="%s" datatype="unicodeChar" arraysize="*"/>`, n)
		}
		b.WriteString("<DATA><TABLEDATA>")
		for _, r := range rows {
			b.WriteString("<TR>")
			for _, c := range r {
				fmt.Fprintf(b, "<TD>%s</TD>", c)
			}
			b.WriteString("</TR>\n")
		}
		b.WriteString("</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
		return b.Bytes()
	},
	"a.parquet": func(t testing.TB, rows [][]string) []byte {
		group := parquet.Group{}
		for _, n := range names {
			group[n] = parquet.Optional(parquet.String())
		}
		schema := parquet.NewSchema("rows", group)
		var b bytes.Buffer
		w := parquet.NewGenericWriter[map[string]any](&b, schema)
		for _, r := range rows {
			row := map[string]any{}
			for i, c := range r {
				if c != "" {
					row[names[i]] = c
				}
			}
			if _, err := w.Write([]map[string]any{row}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	},
}

// object writes a row as JSON, its bytes as they are.
func object(t testing.TB, row []string) []byte {
	t.Helper()
	m := make(map[string]string)
	for i, c := range row {
		m[names[i]] = strings.ReplaceAll(c, "\xff", "@@")
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(b, []byte("@@"), []byte("\xff"))
}

func TestBrokenRowsAreToldAndCostTheOthersNothing(t *testing.T) {
	for file, write := range writers {
		t.Run(file, func(t *testing.T) {
			var rows [][]string
			var want []string
			for _, b := range broken {
				odd := len(b.cells) != len(names)
				switch {
				case odd && file != "a.csv" && file != "a.ecsv" && file != "a.vot":
					continue
				case b.name == "no UTF-8" && file == "a.vot": // XML that is no UTF-8 is no XML
					continue
				case odd:
					b.want = strconv.Itoa(len(b.cells))
					if file == "a.vot" {
						b.want = "cells"
					}
				}
				rows, want = append(rows, b.cells), append(want, b.want)
			}
			m := open(t, file, write(t, rows))
			number := 0
			for row, err := range m.Rows(1) {
				if number++; row.Number != int64(number) || number > len(want) {
					t.Fatalf("row %d comes as the one with number %d: %v", number, row.Number, err)
				}
				switch w := want[number-1]; {
				case w == "" && err != nil:
					t.Errorf("row %d, %q: %v", number, rows[number-1], err)
				case w != "" && (err == nil || !strings.Contains(fault.Sentence(err), w)):
					t.Errorf("row %d, %.60q: %v; want %q in the sentence", number, rows[number-1], err, w)
				case w != "" && fault.CodeOf(err) != fault.Usage:
					t.Errorf("row %d: %v is of kind %s", number, err, fault.CodeOf(err))
				case w != "" && len(rows[number-1]) == len(names) && !strings.Contains(rows[number-1][0], "\xff") && row.Label == "" && rows[number-1][5] == "a":
					t.Errorf("row %d is told without its label", number)
				}
			}
			if number != len(want) {
				t.Errorf("%d rows, want %d", number, len(want))
			}
		})
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"nothing", "a.csv", "", "empty"},
		{"no known format", "a.fits", "SIMPLE  =", "no known format"},
		{"no place", "a.csv", "ID,label\nx,y\n", "no column that says where"},
		{"ra without dec", "a.csv", "ID,ra,radius\nx,1,2\n", "no column that says where"},
		{"a column twice", "a.csv", "ID,ra,RA,dec\n", "twice"},
		{"a unit that is none", "a.ecsv", "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: km, datatype: float64}\n# - {name: dec, datatype: float64}\nra dec\n", "km"},
		{"no YAML", "a.ecsv", "# %ECSV 1.0\n# ---\n# datatype: [\nra dec\n", "YAML"},
		{"no Parquet", "a.parquet", "PAR1 and more that is none", "Parquet"},
		{"no VOTable", "a.vot", "<html/>", "VOTable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.Context(), strings.NewReader(tt.text), int64(len(tt.text)), tt.file)
			if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.Sentence(err), tt.want) {
				t.Errorf("%v; want a sentence with %q", err, tt.want)
			}
		})
	}
}

func TestFilesThatEndEarly(t *testing.T) {
	for file, text := range map[string]string{
		"a.json": `[{"POS":"CIRCLE 1 2 3"},{"POS":"CIRC`,
		"a.vot":  `<VOTABLE><RESOURCE><TABLE><FIELD name="POS" datatype="char" arraysize="*"/><DATA><TABLEDATA><TR><TD>CIRCLE 1 2 3</TD></TR><TR>`,
		"a.csv":  "POS\nCIRCLE 1 2 3\n\"" + strings.Repeat("x", 2*maxRow),
	} {
		rows, broken := read(t, open(t, file, []byte(text)), 1)
		if len(rows) != 1 || broken[0] == "" {
			t.Errorf("%s: rows %v, errors %v; want one row and the error of the file", file, rows, broken)
		}
	}
}

func TestDefaults(t *testing.T) {
	file := []byte("ra,dec,radius,POS,PAD\n1,2,,,\n1,2,0.5,,\n,,,CIRCLE 3 4 1,none\n")
	m := open(t, "a.csv", file, uws.Param{Name: "ID", Value: "ivo://x/y"}, uws.Param{Name: "STAMP", Value: "64 32"}, uws.Param{Name: "PAD", Value: "nan"})
	rows, broken := read(t, m, 1)
	if len(rows) != 3 || len(broken) != 0 {
		t.Fatalf("rows %v, errors %v", rows, broken)
	}
	for i, want := range []string{"[{STAMP 1 2 64 32} {PAD nan}]", "[{CIRCLE 1 2 0.5} {PAD nan}]", "[{POS CIRCLE 3 4 1} {PAD none}]"} {
		if got := fmt.Sprint(rows[i].Params); got != want || rows[i].ID != "ivo://x/y" || !rows[i].Position {
			t.Errorf("row %d is %v; want %s", i+1, rows[i], want)
		}
	}
	for _, bad := range [][]uws.Param{{{Name: "ra", Value: "1"}}, {{Name: "POS", Value: "1"}}, {{Name: "COLOUR", Value: "1"}}, {{Name: "STAMP", Value: "1"}, {Name: "radius", Value: "1"}}} {
		if _, err := Open(t.Context(), bytes.NewReader(file), int64(len(file)), "a.csv", bad...); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%v as defaults: %v", bad, err)
		}
	}
}

// fuzz holds a file in one format to what every manifest keeps: rows are numbered in turn,
// come the same when they are read again, and go on from a row as if all had been read.
func fuzz(f *testing.F, file string) {
	var rows [][]string
	for _, b := range broken {
		if len(b.cells) == len(names) && !strings.Contains(b.cells[0], "\xff") {
			rows = append(rows, b.cells)
		}
	}
	f.Add(writers[file](f, rows))
	f.Fuzz(func(t *testing.T, b []byte) {
		if file == "a.parquet" && len(b) > 1<<16 {
			return
		}
		m, err := Open(t.Context(), bytes.NewReader(b), int64(len(b)), file)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("%v is no error of the file", err)
			}
			return
		}
		var all []string
		for row, err := range m.Rows(1) {
			if row.Number != int64(len(all)+1) && row.Number != 0 || fault.CodeOf(err) == fault.Internal {
				t.Fatalf("row %d has number %d: %v", len(all)+1, row.Number, err)
			}
			if all = append(all, fmt.Sprint(row, err)); len(all) > 1000 {
				break
			}
		}
		first := len(all)/2 + 1
		at := first - 1
		for row, err := range m.Rows(int64(first)) {
			if at == len(all) || all[at] != fmt.Sprint(row, err) {
				t.Fatalf("from row %d on, %d is %v, %v; want %v", first, at+1, row, err, all[at:])
			}
			if at++; at == 1000 {
				return
			}
		}
	})
}

func FuzzCSV(f *testing.F)       { fuzz(f, "a.csv") }
func FuzzECSV(f *testing.F)      { fuzz(f, "a.ecsv") }
func FuzzJSON(f *testing.F)      { fuzz(f, "a.json") }
func FuzzJSONLines(f *testing.F) { fuzz(f, "a.jsonl") }
func FuzzVOTable(f *testing.F)   { fuzz(f, "a.vot") }
func FuzzParquet(f *testing.F)   { fuzz(f, "a.parquet") }
