package cutout

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// integers makes the header of an image one of integers of so many bits.
func integers(header string, bitpix int) string {
	return strings.Replace(header, fmt.Sprintf("BITPIX  = %20d", 16), fmt.Sprintf("BITPIX  = %20d", bitpix), 1)
}

// named returns cards that name the bits 0 to n-1.
func named(n int) (cards string) {
	for bit := range n {
		cards += fmt.Sprintf("MP_B%-4d= %d\n", bit, bit)
	}
	return cards
}

// Archives glue and number the names of bit masks; none is blanked, and what is none is.
func TestBitMasksByName(t *testing.T) {
	circle := mustParse(t, "CIRCLE 10 20 0.0024")
	for _, tt := range []struct {
		note  string
		names []string
	}{
		{"whole", []string{
			"DQ", "DQ1", "DQ_1", "DQ 2", "PIXELDQ", "GROUPDQ", "SCI.DQ", "BPM", "BPM1", "BPM_12", "FLAGS", "FLAGS2", "FLAG_MAP", "QFLAG", "ccd3_mask", "MASK", "MASK2",
			"MASKBITS", "ALLMASK_G", "WISEMASK_W1", "OBJMASK", "BADPIX", "BADPIXMASK", "QUAL", "QUALITY", "MSK", "CHIP1.FLG", "3-4.F.FLG", "CTX", "CTX2", "STENCIL",
		}},
		{"BLANK", []string{"", "SCI", "MASK_FRACTIONS", "MASKFRACTIONS", "FLAG_COUNTS", "NEXP", "WEIGHT", "CON", "SEGMENTATION", "UNMASKED", "EXPOSURE"}},
	} {
		for _, name := range tt.names {
			text := extension(100, 80) + "EXTNAME = '" + name + "'\nBLANK   = -9\n" + tan(10, 20)
			_, got := cut(t, makeFile(t, primary(), text, float(extension(100, 80))+"EXTNAME = 'OTHER'\n"+tan(10, 20)), Request{Stencil: circle, Mask: MaskNaN})
			note, _, _ := got.HDUs[1].Header.Text("CUTMASK")
			if blank := slices.Contains(pixels(t, got, 1), 0xfff7); note != tt.note || blank != (note == "BLANK") {
				t.Errorf("%q: CUTMASK is %q, want %q; some pixels are BLANK: %t", name, note, tt.note, blank)
			}
		}
	}
	_, got := cut(t, makeFile(t, primary(), extension(100, 80)+"EXTNAME = 'CHIP1.Q'\nHDUCLAS2= 'QUALITY'\nBLANK   = -9\n"+tan(10, 20),
		float(extension(100, 80))+"EXTNAME = 'CHIP1.DATA'\n"+tan(10, 20)), Request{Stencil: circle, Mask: MaskNaN})
	if note, _, _ := got.HDUs[1].Header.Text("CUTMASK"); note != "whole" {
		t.Errorf("HDUCLAS2 = QUALITY: CUTMASK is %q, want whole", note)
	}
}

// A plane goes with the image of its number.
func TestNumberedPlanes(t *testing.T) {
	file := makeFile(t, primary(),
		float(extension(100, 80))+"EXTNAME = 'SCI1'\n"+tan(10, 20), float(extension(100, 80))+"EXTNAME = 'SCI2'\n"+tan(10.04, 20),
		extension(100, 80)+"EXTNAME = 'DQ1'\n", extension(100, 80)+"EXTNAME = 'DQ_2'\n")
	plan, _ := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10.02 20 0.0024")})
	p := plan.Parts()
	if len(p) != 5 || p[3].Box.String() != p[1].Box.String() || p[4].Box.String() != p[2].Box.String() || p[1].Box.String() == p[2].Box.String() {
		t.Errorf("%+v, want DQ1 cut as SCI1 and DQ_2 as SCI2", p)
	}
}

// Bits are set and padded as other programs read them, whichever way integers are stored.
// What cannot hold one more bit has an outline beside it.
func TestBitsOfAllIntegers(t *testing.T) {
	python := outside.Python(t, "astropy", "numpy")
	dir := t.TempDir()
	args := []string{"-c", `
import sys, warnings
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
warnings.simplefilter('error')
for arg in sys.argv[1:]:
    path, outside, nodata = arg.split(',')
    with fits.open(path, checksum=True, memmap=False) as f:
        image, mask = f[1].data, f[2].data
        assert mask.dtype.kind in 'ui', (arg, mask.dtype)
        bits = mask.astype(mask.dtype.newbyteorder('=')).view('u%d' % mask.dtype.itemsize).astype('u8')
        beyond = np.isnan(image)
        assert 0 < beyond.sum() < image.size, arg
        y, x = np.indices(image.shape)
        out = SkyCoord(10.048, 20, unit='deg').separation(WCS(f[1].header).pixel_to_world(x, y)).deg > 0.006
        bit = np.uint64(0)
        if int(outside) < 0:
            assert not any(k.endswith('OUTSIDE_STENCIL') for k in f[2].header), arg
            assert f[3].name == 'STENCIL' and (f[3].data == ~out).all(), arg
        else:
            assert f[2].header['MP_OUTSIDE_STENCIL'] == int(outside), arg
            bit = np.uint64(1 << int(outside))
            assert (((bits & bit) != 0) == out)[beyond].all(), (arg, bits)
            assert (bits & bit)[out].all(), (arg, bits)
        want = np.uint64(1 << int(nodata)) if int(nodata) >= 0 else np.uint64(0)
        assert (bits[beyond] & ~bit == want).all(), (arg, bits[beyond])
`}
	for i, tt := range []struct {
		bitpix          int
		cards           string
		outside, noData int // bits; -1: none
	}{
		{8, named(3), 3, -1},
		{8, named(7), 7, -1},
		{8, "BZERO   = -128\n" + named(6), 6, -1},
		{8, "BZERO   = -128\n" + named(7), -1, -1},
		{8, "BZERO   = -128\nHIERARCH MP_NO_DATA = 7\n" + named(5), 5, 7},
		{16, named(15), -1, -1},
		{16, "HIERARCH MP_NO_DATA = 15\n", 0, 15},
		{16, "BZERO   = 32768\n" + named(3), 3, -1},
		{16, "BZERO   = 32768\n" + named(15), 15, -1},
		{16, "BZERO   = 32768.0\nBSCALE  = 1.0\nHIERARCH MP_NO_DATA = 15\n" + named(14), 14, 15},
		{16, "BZERO   = 32768\n" + named(15) + "HIERARCH MP_NO_DATA = 15\n", -1, 15},
		{16, "HIERARCH MP_OUTSIDE_STENCIL = 15\n", 15, -1},
		{16, "BZERO   = 32768\nHIERARCH MP_OUTSIDE_STENCIL = 15\n", 15, -1},
		{32, named(31), -1, -1},
		{32, "BZERO   = 2147483648\n" + named(30) + "HIERARCH MP_NO_DATA = 31\n", 30, 31},
		{64, named(12), 12, -1},
	} {
		text := integers(extension(100, 80), tt.bitpix) + "EXTNAME = 'MASK'\n" + tan(10, 20) + tt.cards
		plan, err := New(makeFile(t, primary(), float(extension(100, 80))+"EXTNAME = 'IMAGE'\n"+tan(10, 20), text),
			Request{Stencil: mustParse(t, "CIRCLE 10.048 20 0.006"), Mask: MaskPlane, Pad: PadNaN})
		if err != nil {
			t.Errorf("BITPIX %d, %q: %v", tt.bitpix, tt.cards, err)
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.fits", i))
		save(t, plan, path)
		args = append(args, fmt.Sprintf("%s,%d,%d", path, tt.outside, tt.noData))
	}
	outside.Run(t, python, args...)
}

// Scaled integers hold no bits: nothing is set in them.
func TestScaledBits(t *testing.T) {
	for _, cards := range []string{"BSCALE  = 0.5\n", "BZERO   = 100\n", "BZERO   = 'x'\n"} {
		file := makeFile(t, exposure(cards+afw)...)
		_, whole := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024")})
		_, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Mask: MaskPlane})
		if !slices.Equal(pixels(t, got, 2), pixels(t, whole, 2)) || got.HDUs[len(got.HDUs)-1].Name != outlineName {
			t.Errorf("%q: bits were set, or %v has no outline", cards, got.HDUs)
		}
	}
}

// stencils returns the HDUs with the name of an outline.
func stencils(file *fits.File) (found []*fits.HDU) {
	for _, u := range file.HDUs {
		if u.Name == outlineName {
			found = append(found, u)
		}
	}
	return found
}

// A second cutout with MASK=plane narrows the outline of the first, and adds none.
func TestOutlineOfAnOutline(t *testing.T) {
	for name, headers := range map[string][]string{
		"one image":       {float(primary(100, 80)) + tan(10, 20)},
		"a named image":   {primary(), float(extension(100, 80)) + "EXTNAME = 'CCD7'\nEXTVER  = 3\n" + tan(10, 20)},
		"a group":         exposure(""),
		"a cube":          {float(primary(100, 80, 3)) + tan(10, 20)},
		"two in a mosaic": {primary(), float(extension(100, 80)) + "EXTNAME = 'A'\n" + tan(10, 20), float(extension(100, 80)) + "EXTNAME = 'B'\n" + tan(10.002, 20.001)},
	} {
		one, other := mustParse(t, "CIRCLE 10.001 20 0.0054"), mustParse(t, "CIRCLE 9.998 20.001 0.0054")
		_, first := cut(t, makeFile(t, headers...), Request{Stencil: one, Mask: MaskPlane})
		_, second := cut(t, first, Request{Stencil: other, Mask: MaskPlane})
		_, third := cut(t, makeFile(t, headers...), Request{Stencil: other, Mask: MaskPlane})
		if len(stencils(second)) != len(stencils(first)) {
			t.Errorf("%s: %d outlines, want %d as in the first cutout", name, len(stencils(second)), len(stencils(first)))
			continue
		}
		for i, u := range stencils(second) {
			if stencils(first)[i].Version != u.Version {
				t.Errorf("%s: EXTVER %d became %d", name, stencils(first)[i].Version, u.Version)
			}
			in := 0
			for _, v := range bytesOf(t, second, u.Number) {
				in += int(v)
			}
			alone := 0
			w := stencils(third)[i]
			for _, v := range bytesOf(t, third, w.Number) {
				alone += int(v)
			}
			if in == 0 || in >= alone {
				t.Errorf("%s: %d pixels are inside of both circles, %d of the second", name, in, alone)
			}
			if note, _, _ := u.Header.Text("CUTMASK"); note != outlineName {
				t.Errorf("%s: CUTMASK of the outline is %q", name, note)
			}
		}
	}
}

// No two outlines have the same EXTVER, nor that of a foreign HDU of this name.
func TestOutlinesAreTold(t *testing.T) {
	_, got := cut(t, makeFile(t, primary(),
		float(extension(100, 80))+"EXTNAME = 'A'\n"+tan(10, 20),
		float(extension(100, 80))+"EXTNAME = 'B'\n"+tan(10, 20),
		float(extension(100, 80))+"EXTNAME = 'STENCIL'\n",
	), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Mask: MaskPlane})
	var versions []int64
	for _, u := range stencils(got) {
		versions = append(versions, u.Version)
	}
	slices.Sort(versions)
	if !slices.Equal(versions, []int64{1, 2, 3}) {
		t.Errorf("EXTVER %d of the HDUs STENCIL, want 1, 2 and 3", versions)
	}
}

// An HDU that is asked for by its number is cut, a plane and DETAIL=image too.
func TestOnePlaneAlone(t *testing.T) {
	for _, sky := range []string{tan(10, 20), ""} {
		hdu := 2
		file := makeFile(t, primary(), float(extension(100, 80))+"EXTNAME = 'IMAGE'\n"+tan(10, 20), extension(100, 80)+"EXTNAME = 'MASK'\n"+sky)
		for _, detail := range []Detail{DetailImage, DetailPlanes} {
			plan, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), HDU: &hdu, Detail: detail})
			if p := plan.Parts(); len(p) != 2 || p[1].HDU != 2 || got.HDUs[1].Name != "MASK" {
				t.Errorf("detail %s: %+v, want the primary and MASK", detail, p)
			}
		}
	}
}

func TestFlagsOfRealImages(t *testing.T) {
	folder := outside.Images(t)
	for file, want := range map[string][]int{"lsst_afw_exposure-version-2.fits": {2}} {
		content, err := os.Open(filepath.Join(folder, "real", file))
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		info, err := content.Stat()
		if err != nil {
			t.Fatal(err)
		}
		f, err := fits.Open(content, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, u := range f.HDUs {
			if u.Image() && isFlags(u) {
				got = append(got, u.Number)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the HDUs %d hold bits, want %d", file, got, want)
		}
	}
}
