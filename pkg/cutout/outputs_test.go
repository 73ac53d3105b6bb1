package cutout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// TestOutputs writes a cutout in every mode and has other programs read them: astropy, with
// checksums and with warnings as errors, and fitsverify.
func TestOutputs(t *testing.T) {
	python, fitsverify := outside.Python(t, "astropy"), outside.Tool(t, "fitsverify")
	dir := t.TempDir()
	files := map[string]*fits.File{
		"afw":  makeFile(t, append(exposure(afw), extension(5, 5)+"EXTNAME = 'PSF'\n", table+"EXTNAME = 'CATALOG'\n")...),
		"dp2":  makeFile(t, exposure(dp2)...),
		"one":  makeFile(t, primary(100, 80)+"BLANK   = -3\n"+tan(10, 20)),
		"cube": makeFile(t, float(primary(100, 80, 3))+tan(10, 20)),
	}
	stencil := mustParse(t, "CIRCLE 10.045 20.03 0.0112")
	stamp := &Stamp{10.045, 20.03, 24, 17}
	var paths []string
	for name, file := range files {
		for _, mask := range []Mask{MaskNone, MaskNaN, MaskPlane} {
			for _, detail := range []Detail{DetailImage, DetailPlanes, DetailFull} {
				for _, pad := range []Pad{PadNone, PadNaN} {
					for _, box := range []*Stamp{nil, stamp} {
						request := Request{Stencil: stencil, Mask: mask, Detail: detail, Pad: pad, Source: source}
						if box != nil {
							request.Stencil, request.Stamp = nil, box
							if mask != MaskNone {
								continue
							}
						}
						plan, err := New(file, request)
						if err != nil {
							t.Errorf("%s, mask %s, detail %s, pad %s: %v", name, mask, detail, pad, err)
							continue
						}
						path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s-%d.fits", name, mask, detail, pad, len(paths)))
						save(t, plan, path)
						paths = append(paths, path)
					}
				}
			}
		}
	}
	outside.Run(t, python, "-c", `
import glob, sys, warnings
from astropy.io import fits
warnings.simplefilter('error')
for path in glob.glob(sys.argv[1] + '/*.fits'):
    with fits.open(path, checksum=True, memmap=False) as f:
        f.verify('exception')
        for hdu in f:
            hdu.data
            assert 'CHECKSUM' in hdu.header and 'DATASUM' in hdu.header, (path, hdu.name)
`, dir)
	for _, path := range paths {
		if said := outside.Run(t, fitsverify, "-e", path); !strings.Contains(said, " 0 error(s)") {
			t.Errorf("%s: %s", filepath.Base(path), said)
		}
	}
}

// TestOracleMasked has the judge look at masked cutouts of real images: floats, integers with
// and without BLANK, cubes, bit masks beside images.
func TestOracleMasked(t *testing.T) {
	folder := filepath.Join(realFolder(t), "real")
	for _, tt := range []struct {
		name string
		hdu  int
		edit func(*fits.Header) error // of the judged HDU, before
		with bool                     // an image of floats goes with it
		note string
	}{
		{"allwise_W3_hips2fits.fits", 0, nil, false, "NaN"},
		{"cadc_mef-iris-cutout.fits", 0, nil, false, "NaN"},
		{"decam_ooi_z_ls9.N2.fits", 1, nil, false, "NaN"},
		{"l1448_13co_cube.fits", 0, nil, false, "NaN"},
		{"msx_gc_e_galactic.fits", 0, nil, false, "NaN"},
		{"panstarrs_rotated_around_orion.fits", 0, nil, false, "NaN"},
		{"iras_e90gal07.fits", 0, nil, false, "NaN"},
		{"hips_Npix418374.fits", 0, nil, false, "NaN"},
		{"lsst_afw_exposure-version-2.fits", 1, nil, false, "NaN"},
		{"lsst_afw_exposure-version-2.fits", 2, nil, false, "whole"},
		{"cfitsio_m13.fits", 0, func(h *fits.Header) error { return h.Set("BLANK", -32768, "") }, false, "BLANK"},
		{"ukidss_cutout_zpn.fits", 1, func(h *fits.Header) error { return h.Set("BLANK", -2147483648, "") }, false, "BLANK"},
		{"cfitsio_m13.fits", 0, nil, true, "whole"},
	} {
		t.Run(fmt.Sprintf("%s[%d] %s", tt.name, tt.hdu, tt.note), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder, tt.name)
			if tt.edit != nil || tt.with {
				path = edited(t, path, tt.hdu, tt.edit, tt.with)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			u := file.HDUs[tt.hdu]
			system, err := wcs.Parse(u.Header, len(u.Shape))
			if err != nil {
				t.Fatal(err)
			}
			x, y := system.Axes()
			stencils := stencilsOf(system, u.Shape[x], u.Shape[y])
			for _, place := range []string{"polygon", "edge", "point"} {
				text, ok := stencils[place]
				if !ok {
					continue
				}
				plan, err := New(file, Request{Stencil: mustParse(t, text), Mask: MaskNaN, Source: source})
				if err != nil {
					t.Errorf("%s %s: %v", place, text, err)
					continue
				}
				cutout := filepath.Join(t.TempDir(), place+".fits")
				save(t, plan, cutout)
				number := -1
				for i, p := range plan.Parts() {
					if p.HDU == tt.hdu {
						number = i
					}
				}
				if note, _, _ := plan.parts[number].header.Text("CUTMASK"); note != tt.note {
					t.Errorf("%s: CUTMASK %q, want %q", place, note, tt.note)
				}
				outside.Judge(t, path, fmt.Sprint(tt.hdu), text, cutout, fmt.Sprint(number), "--masked")
			}
		})
	}
}

// edited copies a file with another header of one HDU, and with an image of floats of the same sky if with.
func edited(t *testing.T, path string, hdu int, edit func(*fits.Header) error, with bool) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "source.fits")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	out := fits.NewWriter(f)
	for i, u := range file.HDUs {
		h := u.Header.Clone()
		if i == hdu && edit != nil {
			err = errors.Join(err, edit(h))
		}
		err = errors.Join(err, out.WriteHDU(t.Context(), h, u.DataSize, func(ctx context.Context, emit func([]byte) error) error {
			return file.Raw(u).Stream(ctx, file.ReaderAt(), emit)
		}))
	}
	if with {
		u := file.HDUs[hdu]
		h, failed := u.Header.AsExtension()
		if failed == nil {
			failed = errors.Join(h.SetShape(-32, u.Shape), h.Set("EXTNAME", "ERR", ""))
		}
		h.Delete("BLANK", "BZERO", "BSCALE")
		n, _ := pixel.Product(u.Shape...)
		err = errors.Join(err, failed, out.WriteHDU(t.Context(), h, 4*n, func(_ context.Context, emit func([]byte) error) error {
			return emit(make([]byte, 4*n))
		}))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(fault.Sentence(err), err)
	}
	return name
}
