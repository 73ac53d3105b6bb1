package ledger

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ptr[T any](v T) *T { return &v }

// some returns n rows of every status.
func some(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		r := &rows[i]
		r.Row, r.Cutout, r.Label, r.ID = int64(i+1), 1, fmt.Sprintf("Stern %d <é>", i), fmt.Sprintf("ivo://localhost/mine?%d.fits", i%50)
		switch i % 10 {
		case 7:
			r.Status, r.Reason = Empty, "the circle misses the image by 0.3 deg"
		case 8:
			r.Status, r.Reason = Failed, "dec is 91; want -90 to 90"
		default:
			r.Status, r.Name, r.Box, r.Overlap = OK, fmt.Sprintf("a_%d.fits", i), []int64{1, 64, 100, 163}, ptr(1.)
			r.Place("part-0001.zip", int64(i)*20160, 20160)
			r.Valid, r.Min, r.Max, r.Mean = ptr[int64](4096), ptr(-1.5), ptr(1e6/3), ptr(0.1)
		}
	}
	return rows
}

func write(t *testing.T, format string, rows ...Row) []byte {
	t.Helper()
	f, err := Lookup(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := f.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, b []byte) (rows []Row) {
	t.Helper()
	r, err := Open(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestParquetReadsBack(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		want := some(n)
		if diff := cmp.Diff(want, read(t, write(t, "parquet", want...)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d rows, want + got:\n%s", n, diff)
		}
	}
}
