package manifest

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// open returns a reader of a manifest that is in memory.
func open(t testing.TB, name string, file []byte, defaults ...uws.Param) *Reader {
	t.Helper()
	m, err := Open(t.Context(), bytes.NewReader(file), int64(len(file)), name, defaults...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// read returns the rows without an error, and the errors by the numbers of the others.
func read(t testing.TB, m *Reader, first int64) (rows []Row, broken map[int64]string) {
	t.Helper()
	broken = make(map[int64]string)
	for row, err := range m.Rows(first) {
		if err != nil {
			broken[row.Number] = err.Error()
			continue
		}
		rows = append(rows, row)
	}
	return rows, broken
}

func TestRowsOfCSV(t *testing.T) {
	m := open(t, "a.csv", []byte("\ufeffID,RA,Dec,radius,Name,mag,pad\nivo://x/y?1,10.5,-20,0.01,a,3,\nivo://x/y?2,11,91,0.01,b,4,nan\nivo://x/y?3,11,9,0.01,c,4,NaN\n"))
	rows, broken := read(t, m, 1)
	want := []Row{
		{Number: 1, ID: "ivo://x/y?1", RA: 10.5, Dec: -20, Position: true, Params: []uws.Param{{Name: "CIRCLE", Value: "10.5 -20 0.01"}}},
		{Number: 3, ID: "ivo://x/y?3", RA: 11, Dec: 9, Position: true, Params: []uws.Param{{Name: "CIRCLE", Value: "11 9 0.01"}, {Name: "PAD", Value: "NaN"}}},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows, want - got +:\n%s", diff)
	}
	if len(broken) != 1 || broken[2] == "" {
		t.Errorf("broken rows %v, want row 2", broken)
	}
	if diff := cmp.Diff([]string{"Name", "mag"}, m.Ignored()); diff != "" {
		t.Error(diff)
	}
}
