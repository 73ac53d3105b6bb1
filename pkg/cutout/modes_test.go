package cutout

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// float makes the header of an image one of 32-bit floats.
func float(header string) string {
	return strings.Replace(header, fmt.Sprintf("BITPIX  = %20d", 16), fmt.Sprintf("BITPIX  = %20d", -32), 1)
}

// afw and dp2 name bits as LSST's afw and as Rubin's DP2 do.
const (
	afw = "MP_BAD  = 0\nMP_EDGE = 2\nHIERARCH MP_NO_DATA = 1\n"
	dp2 = "MSKN0000= 'NO_DATA '           / Name for mask plane 0.\nMSKM0000=                    1 / Bitmask for plane n=0; always 1<<n.\n" +
		"MSKD0000= 'No data was available for this pixel.'\n" +
		"MSKN0001= 'COSMIC_RAY'         / Name for mask plane 1.\nMSKM0001=                    2 / Bitmask for plane n=1; always 1<<n.\n" +
		"MSKD0001= 'A cosmic ray affected this pixel on at least one input image (and &'\nCONTINUE  'was interpolated).'\n"
)

// exposure is an image of floats with its mask and its errors, each with its sky.
func exposure(names string) []string {
	return []string{
		primary(),
		float(extension(100, 80)) + "EXTNAME = 'IMAGE'\n" + tan(10, 20),
		extension(100, 80) + "EXTNAME = 'MASK'\n" + tan(10, 20) + names + "AFTER   = 1\n",
		float(extension(100, 80)) + "EXTNAME = 'VARIANCE'\n" + tan(10, 20),
	}
}

func TestModesRefuse(t *testing.T) {
	circle := mustParse(t, "CIRCLE 10 20 0.01")
	section, err := pixel.ParseSection("[1:3,1:3]")
	if err != nil {
		t.Fatal(err)
	}
	size, err := stencil.NewSize(11, 20, 0.01, 0.02)
	if err != nil {
		t.Fatal(err)
	}
	integers := makeFile(t, primary(100, 80)+tan(10, 20))
	for _, tt := range []struct {
		name string
		file *fits.File
		req  Request
		code fault.Code
		says string
	}{
		{"nothing can hold NaN", integers, Request{Stencil: circle, Mask: MaskNaN}, fault.Usage, "use MASK=plane"},
		{"bits alone cannot", makeFile(t, primary(), extension(100, 80)+"EXTNAME = 'DQ'\nBLANK   = 5\n"+tan(10, 20)), Request{Stencil: circle, Mask: MaskNaN}, fault.Usage, "use MASK=plane"},
		{"a mask of no region", integers, Request{Pixels: section, Mask: MaskPlane}, fault.Usage, "needs a region on the sky"},
		{"a mask of a stamp", integers, Request{Stamp: &Stamp{10, 20, 3, 3}, Mask: MaskNaN}, fault.Usage, "needs a region on the sky"},
		{"another mask", integers, Request{Stencil: circle, Mask: "zero"}, fault.Usage, "MASK=zero"},
		{"another detail", integers, Request{Stencil: circle, Detail: "all"}, fault.Usage, "DETAIL=all"},
		{"another padding", integers, Request{Stencil: circle, Pad: "zero"}, fault.Usage, "PAD=zero"},
		{"a padded section", integers, Request{Pixels: section, Pad: PadNaN}, fault.Usage, "STAMP"},
		{"padding for integers", integers, Request{Stamp: &Stamp{10.05, 20, 30, 30}, Pad: PadNaN}, fault.Usage, "BLANK"},
		{"too much padding", makeFile(t, primary(100, 80)+tan(10, 20)), Request{Stamp: &Stamp{10, 20, MaxStamp, MaxStamp}, Pad: PadNaN}, fault.TooLarge, "padding"},
		{"a region far beyond, padded", integers, Request{Stencil: mustParse(t, "CIRCLE 10 20 89"), Pad: PadNaN}, fault.TooLarge, "padding"},
		{"a region behind the tangent point, padded", integers, Request{Stencil: mustParse(t, "CIRCLE 10 20 91"), Pad: PadNaN}, fault.Usage, "no sky"},
		{"an empty stamp", integers, Request{Stamp: &Stamp{10, 20, 0, 3}}, fault.Usage, "0 by 3"},
		{"a stamp nowhere", integers, Request{Stamp: &Stamp{10, 95, 3, 3}}, fault.Usage, "declination"},
		{"a box beside the image", integers, Request{Stencil: size}, fault.NoOverlap, "SIZE 11 20 0.01 0.02 misses the image by 0.8"},
		{"a stamp beside the image", integers, Request{Stamp: &Stamp{11, 20, 3, 3}, Pad: PadNaN}, fault.NoOverlap, "STAMP 11 20 3 3 misses the image by 0.8"},
		{"a stamp on the far side", integers, Request{Stamp: &Stamp{190, -20, 3, 3}}, fault.NoOverlap, "misses the image"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.file, tt.req)
			if !errors.Is(err, tt.code) || !strings.Contains(fault.Sentence(err), tt.says) {
				t.Errorf("%v: want %s and %q", err, tt.code, tt.says)
			}
		})
	}
}

// Each part tells what became of it.
func TestMaskNotes(t *testing.T) {
	circle := mustParse(t, "CIRCLE 10 20 0.0024")
	for _, tt := range []struct {
		name, names string
		mask        Mask
		want        []string // CUTMASK of the HDUs after the first
	}{
		{"none", afw, MaskNone, []string{"", "", ""}},
		{"nan", afw, MaskNaN, []string{"NaN", "whole", "NaN"}},
		{"plane, afw", afw, MaskPlane, []string{"", outsidePlane, ""}},
		{"plane, DP2", dp2, MaskPlane, []string{"", outsidePlane, ""}},
		{"plane, nothing named", "", MaskPlane, []string{outlineName, "", "", "<STENCIL>"}},
		{"plane, no bit left", strings.Join(slices.Collect(func(yield func(string) bool) {
			for bit := range 15 {
				if !yield(fmt.Sprintf("MP_%-5d= %d\n", bit, bit)) {
					return
				}
			}
		}), ""), MaskPlane, []string{outlineName, "", "", "<STENCIL>"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := cut(t, makeFile(t, exposure(tt.names)...), Request{Stencil: circle, Mask: tt.mask})
			var notes []string
			for _, u := range got.HDUs[1:] {
				note, _, _ := u.Header.Text("CUTMASK")
				if u.Name == outlineName {
					note = "<" + u.Name + ">"
				}
				notes = append(notes, note)
			}
			if !slices.Equal(notes, tt.want) {
				t.Errorf("CUTMASK %q, want %q", notes, tt.want)
			}
		})
	}
}

// The bit is set outside, everything else stays, and the cards name it in the way of the others.
func TestMaskBit(t *testing.T) {
	for _, tt := range []struct {
		names string
		bit   int
		cards []string
	}{
		{afw, 3, []string{"HIERARCH MP_OUTSIDE_STENCIL = 3 / outside of the region that was cut out"}},
		{dp2, 2, []string{
			"MSKN0002= 'OUTSIDE_STENCIL'    / Name for mask plane 2.", "MSKM0002=                    4 / Bitmask for plane n=2; always 1<<n.",
			"MSKD0002= 'Pixel is outside of the region that was cut out.'"}},
		{afw + "HIERARCH MP_OUTSIDE_STENCIL = 7\n", 7, nil},
	} {
		_, whole := cut(t, makeFile(t, exposure(tt.names)...), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024")})
		_, got := cut(t, makeFile(t, exposure(tt.names)...), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Mask: MaskPlane})
		want := pixels(t, whole, 2)
		for i := range want {
			if x, y := i%5-2, i/5-2; 10*(x*x+y*y) > 24*24/10 { // 2.4 pixels around the middle of 5 × 5
				want[i] |= 1 << tt.bit
			}
		}
		if have := pixels(t, got, 2); !slices.Equal(have, want) {
			t.Errorf("pixels %v, want %v", have, want)
		}
		for _, card := range tt.cards {
			if !hasCard(got.HDUs[2].Header, card) {
				t.Errorf("no card %q in %s", card, got.HDUs[2].Header.Bytes())
			}
		}
		if n := bitsOf(got.HDUs[2]).bit[outsidePlane]; n != tt.bit {
			t.Errorf("bit %d is called %s, want %d", n, outsidePlane, tt.bit)
		}
	}
}

func TestDetail(t *testing.T) {
	for _, tt := range []struct {
		detail Detail
		want   []int
	}{
		{DetailImage, []int{0, 1}}, {"", []int{0, 1, 2, 3}}, {DetailPlanes, []int{0, 1, 2, 3}}, {DetailFull, []int{0, 1, 2, 3, 6, 7}},
	} {
		plan, got := cut(t, mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Detail: tt.detail})
		var numbers []int
		for _, p := range plan.Parts() {
			numbers = append(numbers, p.HDU)
		}
		if !slices.Equal(numbers, tt.want) {
			t.Errorf("%q: HDUs %v, want %v", tt.detail, numbers, tt.want)
		}
		if n, _, _ := got.HDUs[0].Header.Int("NEXTEND"); n != int64(len(tt.want)-1) {
			t.Errorf("%q: NEXTEND %d, want %d", tt.detail, n, len(tt.want)-1)
		}
		if len(plan.Parts())+len(plan.Dropped()) != 9 {
			t.Errorf("%q: %d HDUs are there and %d were left out, of 9", tt.detail, len(plan.Parts()), len(plan.Dropped()))
		}
	}
	plan, _ := cut(t, makeFile(t, exposure(afw)...), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Detail: DetailImage})
	if p := plan.Parts(); len(p) != 2 || p[1].HDU != 1 {
		t.Errorf("%+v, want the primary and IMAGE: planes often have a sky of their own", p)
	}
}

// What is attached keeps its bytes, and cards that point at it follow it.
func TestAttachments(t *testing.T) {
	headers := append(exposure(afw),
		extension(100, 80)+"EXTNAME = 'MISSED'\n"+tan(12, 20),
		extension(5, 5)+"EXTNAME = 'PSF'\n",
		table+"EXTNAME = 'ARCHIVE'\n",
		table+"EXTNAME = 'JSON'\n",
		table+"EXTNAME = 'INDEX'\n")
	offsets := func(content []byte) *fits.File {
		f, err := fits.Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	// Room for the cards first, then the cards with the places that are known then.
	pointers := "AR_HDU  = 7 / HDU (1-indexed) containing the archive\nHIERARCH SKYWCS_ID = 1 / archive ID for generic component\nJSONADDR= %d\nJSONSIZE= %d\nINDXADDR= %d\nINDXSIZE= 5760\n"
	headers[0] = primary() + fmt.Sprintf(pointers, 0, 0, 0)
	f := offsets(makeBytes(t, headers...))
	headers[0] = primary() + fmt.Sprintf(pointers, f.HDUs[7].HeaderOffset, 5760, f.HDUs[8].HeaderOffset)
	file := makeFile(t, headers...)

	_, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Detail: DetailFull})
	h := got.HDUs[0].Header
	for _, c := range []struct {
		key  string
		want int64
	}{{"AR_HDU", 6}, {"JSONADDR", got.HDUs[6].HeaderOffset}, {"JSONSIZE", 5760}, {"SKYWCS_ID", 1}} {
		if n, ok, err := h.Int(c.key); n != c.want || !ok || err != nil {
			t.Errorf("%s = %d (%t, %v), want %d", c.key, n, ok, err, c.want)
		}
	}
	if h.Has("INDXADDR") || len(got.HDUs) != 7 || got.HDUs[6].Name != "JSON" || got.HDUs[5].Name != "ARCHIVE" {
		t.Errorf("%v, want all but MISSED and INDEX, of which INDXADDR told", got.HDUs)
	}
	for i, j := range map[int]int{4: 5, 5: 6, 6: 7} {
		if !slices.Equal(bytesOf(t, got, i), bytesOf(t, file, j)) || !bytes.Equal(got.HDUs[i].Header.Bytes(), file.HDUs[j].Header.Bytes()) {
			t.Errorf("%s was changed", got.HDUs[i])
		}
	}
	_, got = cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024")})
	for _, key := range []string{"AR_HDU", "JSONADDR", "JSONSIZE", "SKYWCS_ID", "INDXADDR"} {
		if got.HDUs[0].Header.Has(key) {
			t.Errorf("%s is still there, without what it points at", key)
		}
	}
}

func bytesOf(t *testing.T, f *fits.File, hdu int) []byte {
	t.Helper()
	b := make([]byte, f.HDUs[hdu].DataSize)
	if _, err := f.ReaderAt().ReadAt(b, f.HDUs[hdu].DataOffset); err != nil {
		t.Fatal(err)
	}
	return b
}

// The same mask falls on every plane of a cube, whichever its celestial axes, and what was
// read stays as it is.
func TestMaskOfACube(t *testing.T) {
	text := extension(3, 80, 2, 100) + "BLANK   = -1\n" + strings.NewReplacer("CTYPE1", "CTYPE4", "CRVAL1", "CRVAL4", "CRPIX1", "CRPIX4", "CDELT1", "CDELT4").Replace(tan(10, 20))
	file := makeFile(t, primary(), text)
	st := mustParse(t, "CIRCLE 10 20 0.0024")
	_, whole := cut(t, file, Request{Stencil: st})
	_, got := cut(t, file, Request{Stencil: st, Mask: MaskNaN})
	want := pixels(t, whole, 1)
	for i := range want {
		if y, x := i/3%5-2, i/3/5/2-2; 10*(x*x+y*y) > 24*24/10 {
			want[i] = 0xffff
		}
	}
	if have := pixels(t, got, 1); !slices.Equal(have, want) {
		t.Errorf("pixels %d, want %d", have, want)
	}
	if _, again := cut(t, file, Request{Stencil: st}); !slices.Equal(pixels(t, again, 1), pixels(t, whole, 1)) {
		t.Error("the source was painted")
	}
}

// Stamps, padding and size, as astropy.nddata.Cutout2D and wcslib have them.
func TestStampAsAstropy(t *testing.T) {
	python := outside.Python(t, "astropy", "numpy")
	dir := t.TempDir()
	content := makeBytes(t, primary(100, 80)+"BLANK   = -7\nLTV1    = 2.0\n"+tan(10, 20))
	source := filepath.Join(dir, "source.fits")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", `
import sys, warnings
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.nddata import Cutout2D
warnings.simplefilter('error')
def read(path):
    with fits.open(path, do_not_scale_image_data=True, checksum=True, memmap=False) as f:
        f[0].data
        return f[0]
source = read(sys.argv[1])
w = WCS(source.header)
for arg in sys.argv[2:]:
    path, ra, dec, nx, ny, mode = arg.split(',')
    got = read(path)
    x, y = w.all_world2pix(float(ra), float(dec), 0)
    want = Cutout2D(source.data, (float(x), float(y)), (int(ny), int(nx)), wcs=w, mode=mode, fill_value=-7)
    assert got.data.shape == want.data.shape and (got.data == want.data).all(), (arg, got.data.shape, want.data.shape)
    assert np.allclose(WCS(got.header).wcs.crpix, want.wcs.wcs.crpix, atol=1e-9), arg
    dx = want.wcs.wcs.crpix[0] - w.wcs.crpix[0]
    assert got.header['LTV1'] == 2 + dx, arg
`, source}
	for i, tt := range []struct {
		x, y   float64 // the place, in pixels
		nx, ny int64
		pad    Pad
	}{
		{50, 40, 5, 7, PadNone}, {50.1, 40.1, 6, 8, PadNone}, {50.3, 40.3, 6, 8, PadNone}, {49.6, 39.6, 6, 8, PadNone}, {50.3, 39.6, 7, 1, PadNone},
		{3.2, 4.1, 20, 21, PadNone}, {99.2, 79.1, 20, 21, PadNone},
		{3.2, 4.1, 20, 21, PadNaN}, {99.2, 79.1, 21, 20, PadNaN}, {50.2, 40.2, 300, 2, PadNaN}, {50.2, 40.3, 2, 300, PadNaN}, {-3.2, -2.3, 10, 10, PadNaN}, {50, 40, 5, 5, PadNaN}, {80.2, 60.3, 100, 80, PadNaN}, {50, 40, 151, 131, PadNaN},
	} {
		p := []float64{tt.x, tt.y}
		m := &image{hdu: file.HDUs[0]}
		if m.examine(); m.system == nil {
			t.Fatal(m.err)
		}
		if _, err := m.system.ToSky(p, p); err != nil {
			t.Fatal(err)
		}
		plan, err := New(file, Request{Stamp: &Stamp{p[0], p[1], tt.nx, tt.ny}, Pad: tt.pad})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, strconv.Itoa(i)+".fits")
		mode := "trim"
		if tt.pad == PadNaN {
			mode = "partial"
		}
		save(t, plan, name)
		args = append(args, fmt.Sprintf("%s,%.15g,%.15g,%d,%d,%s", name, p[0], p[1], tt.nx, tt.ny, mode))
	}
	outside.Run(t, python, args...)
}

func save(t testing.TB, plan *Plan, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := plan.WriteTo(t.Context(), f)
	if err := errors.Join(err, f.Close()); err != nil || !plan.planned(n) {
		t.Fatalf("%d bytes written of %d: %v", n, plan.Size(), err)
	}
}

// A padded region has the box that it would have in a larger image, wherever the edges are.
func TestPadOfARegion(t *testing.T) {
	small := float(primary(100, 80)) + tan(10, 20)
	large := float(primary(400, 380)) + strings.NewReplacer("50.0", "200.0", "= 40\n", "= 190\n").Replace(tan(10, 20)) // the small one begins at pixel (150, 150) of it
	for _, pos := range []string{"CIRCLE 10 20 0.0024", "CIRCLE 10 20 0.06", "CIRCLE 10.05 20.03 0.02", "POLYGON 10.1 20.02 9.9 20.05 9.93 19.9", "RANGE 9.94 9.96 19.9 20.1"} {
		in, _ := cut(t, makeFile(t, small), Request{Stencil: mustParse(t, pos), Pad: PadNaN})
		of, _ := cut(t, makeFile(t, large), Request{Stencil: mustParse(t, pos)})
		got, want := in.Parts()[0].Frame, of.Parts()[0].Frame
		for axis := range 2 {
			if got.Min[axis]+150 != want.Min[axis] || got.Max[axis]+150 != want.Max[axis] {
				t.Errorf("%s: the frame %v, in the larger image %v", pos, got, want)
			}
		}
	}
}

// What is padded: NaN, BLANK, NO_DATA where it has a name, else 0.
func TestPadValues(t *testing.T) {
	for _, tt := range []struct {
		name string
		hdu  string
		want uint16
	}{
		{"BLANK", "BLANK   = -9\n", 0xfff7},
		{"NO_DATA", "EXTNAME = 'MASK'\n" + afw, 2},
		{"unsigned NO_DATA", "EXTNAME = 'MASK'\nBZERO   = 32768\n" + afw, 0x8002},
		{"no names", "EXTNAME = 'DQ'\n", 0},
	} {
		_, got := cut(t, makeFile(t, primary(), extension(100, 80)+tan(10, 20)+tt.hdu), Request{Stamp: &Stamp{10.052, 20, 9, 3}, Pad: PadNaN})
		if v := pixels(t, got, 1); len(v) != 27 || v[0] != tt.want {
			t.Errorf("%s: pixels %x, want first %x", tt.name, v, tt.want)
		}
		if pad, _, _ := got.HDUs[1].Header.Text("CUTPAD"); !strings.HasPrefix(pad, "[-") {
			t.Errorf("%s: CUTPAD %q", tt.name, pad)
		}
	}
}
