package manifest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"

	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// fromAstropy writes the rows of wanted in every format that astropy writes.
const fromAstropy = `
import sys, numpy as np, astropy.units as u
from astropy.table import Table, MaskedColumn
n = 5
t = Table()
t["ID"] = ["ivo://localhost/mine?%d.fits" % (i % 2) for i in range(n)]
t["RA"] = np.array([0.1 * i for i in range(n)]) * u.deg
t["Dec"] = np.array([-1.5 + i / 3 for i in range(n)]) * u.deg
t["radius"] = np.array([3.6 * (i + 1) for i in range(n)]) * u.arcsec
t["label"] = MaskedColumn(["Stern, %d" % i for i in range(n)], mask=[i == 3 for i in range(n)])
t["mag"] = np.arange(n, dtype=np.float32)
t["hdu"] = MaskedColumn(np.arange(n, dtype=np.int16), mask=[i == 2 for i in range(n)])
out = sys.argv[1]
t.write(out + "/blank.ecsv", format="ascii.ecsv")
t.write(out + "/comma.ecsv", format="ascii.ecsv", delimiter=",")
for f in ("tabledata", "binary2", "binary"):
    if f == "binary2":  # missing integers are written by astropy in TABLEDATA alone
        t["hdu"] = ["" if i == 2 else str(i) for i in range(n)]
    t.write(out + "/" + f + ".vot", format="votable", tabledata_format=f)
t["radius"] = t["radius"].to(u.deg)
t.write(out + "/a.csv", format="ascii.csv")
`

// wanted are the rows that astropy writes.
func wanted() (rows []Row) {
	for i := range 5 {
		row := Row{Number: int64(i + 1), ID: fmt.Sprintf("ivo://localhost/mine?%d.fits", i%2), Label: fmt.Sprintf("Stern, %d", i), Position: true}
		if i == 3 {
			row.Label = ""
		}
		row.RA, row.Dec = 0.1*float64(i), -1.5+float64(i)/3
		row.Params = []uws.Param{{Name: "CIRCLE", Value: fmt.Sprintf("%v %v %v", row.RA, row.Dec, 3.6*float64(i+1)*(1./3600))}}
		if i != 2 {
			row.Params = append(row.Params, uws.Param{Name: "HDU", Value: fmt.Sprint(i)})
		}
		rows = append(rows, row)
	}
	return rows
}

// sameRows compares rows; the radius may differ by how its unit was converted.
func sameRows(want, got []Row) string {
	radius := cmp.Transformer("circle", func(p uws.Param) [2]string {
		if f := strings.Fields(p.Value); p.Name == "CIRCLE" && len(f) == 3 {
			var r float64
			fmt.Sscan(f[2], &r)
			return [2]string{p.Name, fmt.Sprintf("%s %s %.12g", f[0], f[1], r)}
		}
		return [2]string{p.Name, p.Value}
	})
	return cmp.Diff(want, got, radius, cmpopts.EquateEmpty())
}

func TestFilesOfAstropy(t *testing.T) {
	python := outside.Python(t, "astropy", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "-c", fromAstropy, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) != 6 {
		t.Fatalf("%v, %v: want six files", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := open(t, file, b)
			for first := int64(1); first <= 6; first++ {
				rows, broken := read(t, m, first)
				if diff := sameRows(wanted()[first-1:], rows); diff != "" || len(broken) > 0 {
					t.Fatalf("from row %d on, want - got +:\n%s\nbroken: %v", first, diff, broken)
				}
			}
			if diff := cmp.Diff([]string{"mag"}, m.Ignored()); diff != "" {
				t.Errorf("ignored columns:\n%s", diff)
			}
		})
	}
}

// TestFilesOfArrow reads what Apache Arrow wrote: testdata/README says how.
func TestFilesOfArrow(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v: want three files", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := open(t, file, b)
			for first := int64(1); first <= 6; first++ {
				rows, broken := read(t, m, first)
				if diff := sameRows(wanted()[first-1:], rows); diff != "" || len(broken) > 0 {
					t.Fatalf("from row %d on, want - got +:\n%s\nbroken: %v", first, diff, broken)
				}
			}
		})
	}
}

func TestParquetSkips(t *testing.T) {
	type row struct {
		ID    string   `parquet:"id"`
		RA    float64  `parquet:"ra"`
		Dec   *float64 `parquet:"dec,optional"`
		Stamp []int32  `parquet:"stamp,list"`
		Mag   float32  `parquet:"mag"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.PageBufferSize(1000), parquet.MaxRowsPerRowGroup(1000))
	for i := range 3500 {
		dec := float64(i) / 100
		r := row{ID: "ivo://x/y", RA: float64(i) / 20, Dec: &dec, Stamp: []int32{64, int32(i + 1)}}
		if i%2 == 1 {
			r.Stamp = r.Stamp[1:]
		}
		if i == 2000 {
			r.Dec = nil
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m := open(t, "", b.Bytes())
	for _, first := range []int64{1, 2, 999, 1000, 1001, 1777, 3000, 3001, 3500, 3501, 9999} {
		number := first
		for r, err := range m.Rows(first) {
			i := number - 1
			want := fmt.Sprintf("%v %v 64 %d", float64(i)/20, float64(i)/100, i+1)
			if i%2 == 1 {
				want = fmt.Sprintf("%v %v %d %d", float64(i)/20, float64(i)/100, i+1, i+1)
			}
			switch {
			case r.Number != number:
				t.Fatalf("from %d: row %d, want %d: %v", first, r.Number, number, err)
			case i == 2000 && err == nil:
				t.Fatalf("row %d has no dec, and no error", r.Number)
			case i != 2000 && (err != nil || r.Params[0].Value != want):
				t.Fatalf("from %d: row %d is %v, %v; want %s", first, number, r.Params, err, want)
			}
			number++
		}
		if want := max(first, 3501); number != want {
			t.Errorf("from %d: the rows end at %d, want %d", first, number, want)
		}
	}
}
