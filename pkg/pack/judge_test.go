package pack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// readPackages has other programs read the packages: each prints what it found.
const readPackages = `
import sys, io, zipfile, tarfile, numpy as np, fitsio
from astropy.io import fits
from astropy.wcs import WCS
d, n = sys.argv[1], int(sys.argv[2])
z = zipfile.ZipFile(d + "/a.zip")
assert z.testzip() is None and all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist())
t = tarfile.open(d + "/a.tar")
assert z.namelist() == t.getnames(), (z.namelist(), t.getnames())
for k, (i, m) in enumerate(zip(z.infolist(), t.getmembers())):
    b = z.read(i)
    assert b == t.extractfile(m).read()
    with fits.open(io.BytesIO(b), checksum=True) as f:
        assert f[0].data[0, 1] == 1000 * k + 1
mef = fits.open(d + "/mef.fits", checksum=True)
assert len(mef) == n + 1 and mef[0].data is None
tab = fits.open(d + "/table.fits")
rows = tab["STAMPS"].data
with fitsio.FITS(d + "/table.fits") as f:
    same = f["STAMPS"].read()
k = 0
for r, s in zip(rows, same):
    assert r["ROW"] == s["ROW"] and np.array_equal(r["PIXELS"], s["PIXELS"], equal_nan=True)
    if not r["VALID"]:
        assert np.isnan(r["PIXELS"]).all() and r["LABEL"] == "missing", r["LABEL"]
        continue
    with fits.open(io.BytesIO(z.read(z.infolist()[k]))) as f:
        assert np.array_equal(f[0].data, r["PIXELS"]) and r["PIXELS"].shape == f[0].data.shape
        assert np.array_equal(mef[k + 1].data, r["PIXELS"])
        assert mef[k + 1].header["EXTNAME"].upper() == "STERN_%d" % k and mef[k + 1].header["EXTVER"] == r["ROW"]
        w = WCS(naxis=2)
        w.wcs.ctype = [r["CTYPE1"], r["CTYPE2"]]
        w.wcs.crpix = [r["CRPIX1"], r["CRPIX2"]]
        w.wcs.crval = [r["CRVAL1"], r["CRVAL2"]]
        w.wcs.cd = [[r["CD1_1"], r["CD1_2"]], [r["CD2_1"], r["CD2_2"]]]
        w.wcs.radesys = r["RADESYS"]
        a, b = w.wcs_pix2world([[3, 7]], 0), WCS(f[0].header).wcs_pix2world([[3, 7]], 0)
        assert np.abs(a - b).max() < 1e-12, (a, b)
        assert r["LABEL"] == "Stern/%d" % k and r["ID"] == "ivo://localhost/mine?a.fits" and r["BUNIT"] == "nJy"
    k += 1
print("read", k, "of", len(rows), rows.dtype["PIXELS"])
`

func TestPackagesAreReadByOthers(t *testing.T) {
	python := outside.Python(t, "astropy", "fitsio", "numpy")
	dir := t.TempDir()
	files := cutouts(t, 7, 24, 16)
	for name, format := range map[string]string{"a.zip": "zip", "a.tar": "tar", "mef.fits": "mef", "table.fits": "table"} {
		b, places := packAll(t, format, files, Options{Rows: 9, NX: 24, NY: 16})
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if last := places[len(places)-1]; last.Offset+last.Length > int64(len(b)) || last.Length < 24*16*4 {
			t.Errorf("%s: the last entry is at %+v of %d bytes", format, last, len(b))
		}
	}
	out, err := exec.Command(python, "-c", readPackages, dir, fmt.Sprint(len(files))).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "read 7 of 9") {
		t.Fatalf("%v\n%s", err, out)
	}
	verify := outside.Tool(t, "fitsverify")
	for _, name := range []string{"mef.fits", "table.fits"} {
		if out := outside.Run(t, verify, "-e", filepath.Join(dir, name)); !strings.Contains(out, "0 error(s)") {
			t.Errorf("%s", out)
		}
	}
}

func TestTableRefusesOtherStamps(t *testing.T) {
	f, err := Lookup("table")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	w, err := f.NewWriter(&out, Options{Rows: 2, NX: 8, NY: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add(Entry{Row: 1}, cutouts(t, 1, 8, 9)[0]); fault.CodeOf(err) != fault.Unsupported {
		t.Errorf("a stamp of another shape: %v", err)
	}
	if _, err := w.Add(Entry{Row: 1}, cutouts(t, 1, 8, 8)[0]); err != nil {
		t.Error(err)
	}
	if _, err := w.Add(Entry{Row: 2, ID: strings.Repeat("x", 300)}, cutouts(t, 1, 8, 8)[0]); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("a long ID: %v", err)
	}
	if err := w.Close(); err != nil || out.Len()%2880 != 0 {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
}

func TestTemplates(t *testing.T) {
	for _, tt := range []struct {
		template string
		e        Entry
		want     string // "": it is refused
	}{
		{DefaultTemplate, Entry{Row: 7, Label: "M 31/core"}, "M_31_core_7.fits"},
		{DefaultTemplate, Entry{Row: 7}, "row_7.fits"},
		{DefaultTemplate, Entry{Row: 7, Label: "../../etc/passwd"}, "_._.._etc_passwd_7.fits"},
		{DefaultTemplate, Entry{Row: 7, Label: "-rf", Of: 2}, "_rf_7.2.fits"},
		{"{id}/{row}.fits", Entry{Row: 7, ID: "ivo://x/y?a/b c.fits.fz"}, "b_c/7.fits"},
		{"{id}/{row}.fits", Entry{Row: 7, ID: "ivo://x/y?.."}, "_./7.fits"},
		{"{label}.{row}.fits", Entry{Row: 7, Label: "CON"}, "_CON.7.fits"},
		{"{label}.fits", Entry{}, ""}, {"/{row}", Entry{}, ""}, {"../{row}", Entry{}, ""}, {"a b{row}", Entry{}, ""}, {"{mag}{row}", Entry{}, ""}, {"{row", Entry{}, ""}, {"a//{row}", Entry{}, ""},
	} {
		p, err := ParseTemplate(tt.template)
		if tt.want == "" {
			if fault.CodeOf(err) != fault.Usage {
				t.Errorf("%q: %v; want a refusal", tt.template, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Name(tt.e); got != tt.want {
			t.Errorf("%q of %+v is %q, want %q", tt.template, tt.e, got, tt.want)
		}
	}
}

// FuzzTemplate: whatever a label and an ID hold, a name is safe, and the row makes it unique.
func FuzzTemplate(f *testing.F) {
	f.Add("{label}_{row}.fits", "M 31", "ivo://x/y?a.fits", int64(1))
	f.Add("{id}/{label}{row}", "../..", "ivo://x/..", int64(9))
	f.Add("x{row}{label}", "con", "\xff\x00", int64(3))
	f.Fuzz(func(t *testing.T, template, label, id string, row int64) {
		p, err := ParseTemplate(template)
		if err != nil || row < 1 { // rows count from 1
			return
		}
		name := p.Name(Entry{Row: row, Label: label, ID: id})
		if !templateText.MatchString(name) {
			t.Errorf("%q holds what a name may not", name)
		}
		for _, folder := range strings.Split(name, "/") {
			if folder == "" || folder[0] == '.' || folder[0] == '-' || reserved.MatchString(folder) {
				t.Errorf("%q has the part %q", name, folder)
			}
		}
		if p.Name(Entry{Row: row + 1, Label: label, ID: id}) == name {
			t.Errorf("%q is the name of two rows", name)
		}
	})
}

// FuzzAdd: a cutout that is broken is refused or packed, and never loses the package.
func FuzzAdd(f *testing.F) {
	good := cutouts(f, 1, 8, 8)[0]
	f.Add(good)
	f.Add(good[:2880])
	f.Add([]byte("SIMPLE  ="))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"mef", "table"} {
			format, err := Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			w, err := format.NewWriter(&out, Options{Rows: 2, NX: 8, NY: 8})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Add(Entry{Row: 1}, b); fault.CodeOf(err) == fault.Internal {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := w.Add(Entry{Row: 2}, good); err != nil {
				t.Errorf("%s: behind it: %v", name, err)
			}
			if err := w.Close(); err != nil || out.Len()%2880 != 0 {
				t.Errorf("%s: %v, %d bytes", name, err, out.Len())
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	file := cutouts(b, 1, 64, 64)[0]
	for _, f := range Formats {
		if !f.Packs() {
			continue
		}
		b.Run(f.Name, func(b *testing.B) {
			w, err := f.NewWriter(nowhere{}, Options{Rows: 1 << 40, NX: 64, NY: 64})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(file)))
			row := int64(0)
			for b.Loop() {
				row++
				if _, err := w.Add(Entry{Row: row, Label: "a", ID: "ivo://x/y"}, file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("measure", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := Measure(file); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
