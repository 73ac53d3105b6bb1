package cutout

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// planned reports whether a cutout may have n bytes: exactly those of the plan if nothing is
// compressed, else whole blocks.
func (p *Plan) planned(n int64) bool {
	if slices.ContainsFunc(p.parts, func(q part) bool { return q.packed != "" || q.asis }) {
		return n > 0 && n%2880 == 0
	}
	return n == p.Size()
}

// decoded returns all pixels of an image, compressed or not.
func decoded(t testing.TB, f *fits.File, hdu int) (pix []byte) {
	t.Helper()
	s, err := f.Section(f.HDUs[hdu], pixel.Whole(f.HDUs[hdu].Shape))
	if err == nil {
		err = s.Stream(context.Background(), f.ReaderAt(), func(p []byte) error {
			pix = append(pix, p...)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return pix
}

// imageCards returns the text of the header of an image before it was compressed, without
// what depends on how it is stored.
func imageCards(t testing.TB, u *fits.HDU) string {
	t.Helper()
	h, err := u.ImageHeader()
	if err != nil {
		t.Fatal(err)
	}
	h = h.Clone()
	h.Delete("CHECKSUM", "DATASUM", "PCOUNT", "GCOUNT", "CUTREQ", "CUTLOSS", "CUTTILES")
	return body(h)
}

// What is compressed has the cards and the pixels of what is not.
func TestCompressedCutouts(t *testing.T) {
	whole := exposure(afw)
	compressed := makeFile(t, whole...)
	_, compressed = cut(t, compressed, Request{Pixels: mustSection(t, "[*,*]"), HDU: new(int(1)), Compress: CompressGzip2})
	for _, tt := range []struct {
		name  string
		file  *fits.File
		how   Compress
		mask  Mask
		codec []string // of the HDUs
	}{
		{"exposure", makeFile(t, whole...), CompressGzip2, MaskNone, []string{"", "GZIP_2", "GZIP_2", "GZIP_2"}},
		{"exposure", makeFile(t, whole...), CompressRice, MaskPlane, []string{"", "RICE_1", "RICE_1", "RICE_1"}},
		{"exposure", makeFile(t, whole...), CompressNone, MaskNone, []string{"", "", "", ""}},
		{"exposure", makeFile(t, whole...), "", MaskNone, []string{"", "", "", ""}},
		{"one primary", makeFile(t, float(primary(100, 80))+"NEXTEND = 3\n"+tan(10, 20)), CompressGzip2, MaskNaN, []string{"", "GZIP_2"}},
		{"one primary", makeFile(t, primary(100, 80)+"BLANK   = -1\n"+tan(10, 20)), CompressRice, MaskPlane, []string{"", "RICE_1", "RICE_1"}},
		{"cube", makeFile(t, float(primary(100, 80, 3))+tan(10, 20)), CompressRice, MaskNaN, []string{"", "RICE_1"}},
		{"compressed already", compressed, "", MaskPlane, []string{"", "GZIP_2", "RICE_1"}},
		{"compressed already", compressed, CompressNone, MaskNone, []string{"", ""}},
	} {
		name := fmt.Sprintf("%s, COMPRESS=%s, MASK=%s", tt.name, tt.how, tt.mask)
		req := Request{Stencil: mustParse(t, "CIRCLE 10.01 20.01 0.02"), Mask: tt.mask, Compress: tt.how, Source: source}
		_, got := cut(t, tt.file, req)
		req.Compress = CompressNone
		_, want := cut(t, tt.file, req)
		if len(got.HDUs) != len(tt.codec) {
			t.Errorf("%s: %v, want %d HDUs", name, got.HDUs, len(tt.codec))
			continue
		}
		if by, _, _ := got.HDUs[0].Header.Text("CUTBY"); by != "Seltzer 1.2.3" {
			t.Errorf("%s: CUTBY = %q in the first header", name, by)
		}
		for i, u := range got.HDUs {
			if codec, _, _ := u.Header.Text("ZCMPTYPE"); codec != tt.codec[i] {
				t.Errorf("%s: %s is stored by %q, want %q", name, u, codec, tt.codec[i])
			}
			if !u.Image() {
				continue
			}
			v := want.HDUs[i+len(want.HDUs)-len(got.HDUs)]
			if lossy := u.Header.Has("CUTLOSS"); lossy != (tt.codec[i] == "RICE_1" && u.BITPIX < 0) {
				t.Errorf("%s: %s says that it is lossy: %t", name, u, lossy)
			} else if pix, as := decoded(t, got, i), decoded(t, want, v.Number); lossy {
				nearTo(t, name, pix, as)
			} else if !bytes.Equal(pix, as) {
				t.Errorf("%s: %s has other pixels", name, u)
			}
			if v.Number > 0 && imageCards(t, u) != imageCards(t, v) {
				t.Errorf("%s: %s has the cards\n%s\nwant\n%s", name, u, imageCards(t, u), imageCards(t, v))
			}
		}
		if got.HDUs[1].Header.Has("NEXTEND") || got.HDUs[1].Header.Has("EXTEND") {
			t.Errorf("%s: cards of a primary in an extension", name)
		}
		if _, again := cut(t, tt.file, Request{Stencil: req.Stencil, Mask: tt.mask, Compress: tt.how, Source: source}); !bytes.Equal(again.HDUs[1].Header.Bytes(), got.HDUs[1].Header.Bytes()) {
			t.Errorf("%s: again, other bytes", name)
		}
	}
}

func mustSection(t testing.TB, text string) pixel.Section {
	t.Helper()
	s, err := pixel.ParseSection(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nearTo compares floats of a ramp that were quantised: NaN is where it was.
func nearTo(t *testing.T, name string, got, want []byte) {
	t.Helper()
	for i := 0; i < len(want); i += 4 {
		a, b := math.Float32frombits(binary.BigEndian.Uint32(got[i:])), math.Float32frombits(binary.BigEndian.Uint32(want[i:]))
		if math.Abs(float64(a-b)) > 50 || (a != a) != (b != b) {
			t.Errorf("%s: pixel number %d is %g, was %g", name, i/4, a, b)
			return
		}
	}
}

// Pointers and counts are right where an empty primary is put before the image.
func TestCompressedPointers(t *testing.T) {
	headers := []string{
		primary(100, 80) + "AR_HDU  = 2 / HDU (1-indexed) containing the archive\nJSONADDR= 25920\nJSONSIZE= 5760\nNEXTEND = 2\n" + tan(10, 20),
		table + "EXTNAME = 'ARCHIVE'\n",
		table + "EXTNAME = 'JSON'\n",
	}
	file := makeFile(t, headers...)
	if at := file.HDUs[2].HeaderOffset; at != 25920 {
		t.Fatalf("JSON is at %d", at)
	}
	_, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Detail: DetailFull, Compress: CompressRice})
	h := got.HDUs[1].Header
	if n, _, _ := h.Int("AR_HDU"); n != 3 || got.HDUs[2].Name != "ARCHIVE" {
		t.Errorf("AR_HDU = %d, want 3 of %v", n, got.HDUs)
	}
	for _, key := range []string{"JSONADDR", "JSONSIZE"} { // where that begins is known too late
		if h.Has(key) {
			t.Errorf("%s is still there", key)
		}
	}
}

func TestUnknownCompression(t *testing.T) {
	_, err := New(makeFile(t, primary(100, 80)+tan(10, 20)), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.01"), Compress: "zstd"})
	if !errors.Is(err, fault.Usage) || !strings.Contains(err.Error(), "COMPRESS=zstd") {
		t.Errorf("%v, want Usage", err)
	}
}

// TestCompressedOutputs has other programs read compressed cutouts, with warnings as errors.
func TestCompressedOutputs(t *testing.T) {
	python, fitsverify := outside.Python(t, "astropy"), outside.Tool(t, "fitsverify")
	dir := t.TempDir()
	for name, file := range map[string]*fits.File{
		"afw":  makeFile(t, append(exposure(afw), extension(5, 5)+"EXTNAME = 'PSF'\n", table+"EXTNAME = 'CATALOG'\n")...),
		"one":  makeFile(t, primary(100, 80)+"BLANK   = -3\n"+tan(10, 20)),
		"cube": makeFile(t, float(primary(100, 80, 3))+tan(10, 20)),
	} {
		for _, how := range []Compress{CompressGzip2, CompressRice} {
			for _, mask := range []Mask{MaskNone, MaskNaN, MaskPlane} {
				plan, err := New(file, Request{Stencil: mustParse(t, "CIRCLE 10.045 20.03 0.0112"), Mask: mask, Detail: DetailFull, Compress: how, Source: source})
				if err != nil {
					t.Fatalf("%s, %s, %s: %v", name, how, mask, err)
				}
				path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.fits", name, how, mask))
				save(t, plan, path)
				if said := outside.Run(t, fitsverify, path); !strings.Contains(said, " 0 warning(s) and 0 error(s)") {
					t.Errorf("%s: %s", filepath.Base(path), said)
				}
			}
		}
	}
	outside.Run(t, python, "-W", "error", "-c", `
import glob, sys
from astropy.io import fits
for path in glob.glob(sys.argv[1] + '/*.fits'):
    for compressed in (True, False):
        with fits.open(path, checksum=not compressed, memmap=False, disable_image_compression=not compressed) as f:
            f.verify('exception')
            for hdu in f:
                hdu.data
`, dir)
}
