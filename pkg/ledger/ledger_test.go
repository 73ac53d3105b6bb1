package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seltzer-soda/seltzer/pkg/outside"
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

func TestVOTableIsReadByAstropy(t *testing.T) {
	python := outside.Python(t, "astropy")
	file := filepath.Join(t.TempDir(), "a.vot")
	if err := os.WriteFile(file, write(t, "votable", some(100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import sys
from astropy.table import Table
t = Table.read(sys.argv[1], format="votable")
assert len(t) == 100 and list(t["row"]) == list(range(1, 101))
for i, r in enumerate(t):
    assert r["label"] == "Stern %d <é>" % i, r["label"]
    if i % 10 in (7, 8):
        assert r["status"] == ("empty" if i % 10 == 7 else "failed") and r["reason"] and not r["object"]
        assert t["offset"].mask[i] and t["mean"].mask[i] and len(r["box"]) == 0
    else:
        assert r["status"] == "ok" and r["offset"] == i * 20160 and r["length"] == 20160 and list(r["box"]) == [1, 64, 100, 163]
        assert r["valid"] == 4096 and r["min"] == -1.5 and r["max"] == 1e6 / 3 and r["mean"] == 0.1 and r["overlap"] == 1
print("right")
`, file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "right") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWriterBelowFails(t *testing.T) {
	for _, f := range Formats {
		w, err := f.NewWriter(full{})
		for n := 0; err == nil && n < 1000; n++ {
			err = w.Write(some(1000)...)
		}
		if ended := w.Close(); err == nil && ended == nil {
			t.Errorf("%s: no error", f.Name)
		}
	}
}

// full is a writer that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestMerge(t *testing.T) {
	want := some(500)
	files := make([][]byte, 4)
	for k := range files {
		var part []Row
		for i := range want {
			if k == 3 && i >= 300 || k < 3 && i < 300 && i%3 == k { // three that interleave, and one behind them
				part = append(part, want[i])
			}
		}
		files[k] = write(t, "parquet", part...)
	}
	var parts []Part
	for k, b := range files {
		first := int64(1)
		if k == 3 {
			first = 301
		}
		parts = append(parts, Part{First: first, Open: func() (*Reader, error) { return Open(t.Context(), bytes.NewReader(b), int64(len(b))) }})
	}
	var got []Row
	if err := Merge(parts, func(r *Row) error { got = append(got, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	if err := Merge(parts, func(*Row) error { return stop }); err != stop {
		t.Errorf("the error of emit: %v", err)
	}
}

// FuzzOpen: what is no ledger is refused, or read without a panic.
func FuzzOpen(f *testing.F) {
	var b bytes.Buffer
	w, err := Formats[0].NewWriter(&b)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Write(some(20)...), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open(t.Context(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		n := 0
		for _, err := range r.Rows() {
			if n++; err != nil || n > 1000 {
				return
			}
		}
		if int64(n) != r.Len() {
			t.Errorf("%d rows, want %d", n, r.Len())
		}
	})
}
