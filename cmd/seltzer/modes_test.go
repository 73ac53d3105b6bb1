package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

const modesCircle = "150.1163 2.2058 0.012"

func TestCutModesRefuse(t *testing.T) {
	image, none := demoFile(t, "starfield.fits"), filepath.Join(t.TempDir(), "none.fits")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"a mask of a section", []string{"--pixels", "[1:9,1:9]", "--mask", "nan"}, exitUsage, "region on the sky"},
		{"a mask of a stamp", []string{"--stamp", "150.1163 2.2058 9 9", "--mask", "plane"}, exitUsage, "region on the sky"},
		{"a padded section", []string{"--pixels", "[1:9,1:9]", "--pad", "nan"}, exitUsage, "STAMP"},
		{"another mask", []string{"--circle", modesCircle, "--mask", "zero"}, exitUsage, "--mask"},
		{"another detail", []string{"--circle", modesCircle, "--detail", "some"}, exitUsage, "--detail"},
		{"another padding", []string{"--circle", modesCircle, "--pad", "0"}, exitUsage, "--pad"},
		{"two regions", []string{"--circle", modesCircle, "--stamp", "150.1163 2.2058 9 9"}, exitUsage, "--stamp"},
		{"three numbers", []string{"--stamp", "150.1163 2.2058 9"}, exitUsage, "STAMP has 3 values"},
		{"half a pixel", []string{"--stamp", "150.1163 2.2058 9 9.5"}, exitUsage, `"9.5"`},
		{"a side without a size", []string{"--size", "150.1163 2.2058 0 1"}, exitUsage, "SIZE"},
		{"a stamp beside the image", []string{"--stamp", "10 20 9 9"}, exitNoOverlap, "misses"},
		{"a stamp just beside the image", []string{"--stamp", "150.1163 2.2758 9 9", "--pad", "nan"}, exitNoOverlap, "misses"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := seltzer(t, "", append([]string{"cut", image, "-o", none}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.err, tt.says) {
				t.Errorf("exit status %d, %q; want %d and something of %q", got.status, got.err, tt.status, tt.says)
			}
		})
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a cutout that failed left a file")
	}
}

// What the modes give, as other programs see it: the judge for masks, astropy for the others.
func TestCutModes(t *testing.T) {
	python := outside.Python(t, "astropy", "numpy")
	dir := filepath.Dir(demoFile(t, "starfield.fits"))
	path := func(name string) string { return filepath.Join(dir, name) }
	for out, args := range map[string][]string{
		"nan.fits":     {"starfield.fits", "--circle", modesCircle, "--mask", "nan"},
		"size.fits":    {"starfield.fits", "--size", `10:00:27.912 +02:12:20.88 30" 20"`, "--mask", "nan"},
		"cube_nan":     {"cube.fits", "--circle", "83.8221 -5.3911 0.01", "--mask", "nan"},
		"exposure_nan": {"exposure.fits", "--circle", modesCircle, "--mask", "nan"},
		"plane":        {"exposure.fits", "--circle", modesCircle, "--mask", "plane"},
		"image":        {"exposure.fits", "--circle", modesCircle, "--detail", "image"},
		"pad":          {"exposure.fits", "--stamp", "150.1163 2.178 301 48", "--pad", "nan"},
		"whole":        {"exposure.fits", "--circle", modesCircle},
	} {
		if got := seltzer(t, "", append([]string{"cut", path(args[0]), "-o", path(out)}, args[1:]...)...); got.status != 0 {
			t.Fatalf("%v: exit status %d, %s", args, got.status, got.err)
		}
	}
	outside.Judge(t, path("starfield.fits"), "0", "CIRCLE "+modesCircle, path("nan.fits"), "--masked")
	outside.Judge(t, path("cube.fits"), "0", "CIRCLE 83.8221 -5.3911 0.01", path("cube_nan"), "--masked")
	for _, hdu := range []string{"IMAGE", "MASK", "VARIANCE"} {
		outside.Judge(t, path("exposure.fits"), hdu, "CIRCLE "+modesCircle, path("exposure_nan"), "--masked")
	}
	outside.Run(t, python, "-c", `
import sys, os, numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.coordinates import SkyCoord
import astropy.units as u
def read(name): return fits.open(os.path.join(sys.argv[1], name), checksum=True)
ra, dec, r = map(float, sys.argv[2].split())

whole, plane = read('whole'), read('plane')
w = WCS(whole['MASK'].header)
ny, nx = whole['MASK'].data.shape
y, x = np.mgrid[:ny, :nx]
at = w.pixel_to_world(x, y).icrs
out = at.separation(SkyCoord(ra, dec, unit='deg')).deg > r
bit = 1 << plane['MASK'].header['MP_OUTSIDE_STENCIL']
assert bit == 128, bit
assert (plane['MASK'].data == np.where(out, whole['MASK'].data | bit, whole['MASK'].data)).all()
assert 0.1 < out.mean() < 0.4
for name in 'IMAGE', 'VARIANCE': assert np.array_equal(plane[name].data, whole[name].data, equal_nan=True)

assert [h.name for h in read('image')] == ['PRIMARY', 'IMAGE']

pad, source = read('pad'), read('exposure.fits')
for name, fill in ('IMAGE', np.nan), ('MASK', 64), ('VARIANCE', np.nan): # NO_DATA is bit 6
    got = pad[name].data
    assert got.shape == (48, 301), got.shape
    px, py = WCS(source[name].header).all_world2pix(150.1163, 2.178, 0)
    x0, y0 = int(np.ceil(px-301/2)), int(np.ceil(py-48/2))
    want = np.full(got.shape, fill, got.dtype)
    h, wd = source[name].data.shape
    a, b, c, d = max(x0, 0), min(x0+301, wd), max(y0, 0), min(y0+48, h)
    assert (b-a)*(d-c) < 301*48
    want[c-y0:d-y0, a-x0:b-x0] = source[name].data[c:d, a:b]
    assert np.array_equal(got, want, equal_nan=name != 'MASK'), name
    assert np.allclose(WCS(pad[name].header).all_world2pix(150.1163, 2.178, 0), (px-x0, py-y0), atol=1e-6)

size = read('size.fits')[0]
ny, nx = size.data.shape
y, x = np.mgrid[:ny, :nx]
centre = SkyCoord('10:00:27.912 +02:12:20.88', unit=('hourangle', 'deg'))
tan = WCS(naxis=2); tan.wcs.ctype = 'RA---TAN', 'DEC--TAN'; tan.wcs.crval = centre.ra.deg, centre.dec.deg; tan.wcs.cdelt = -1, 1; tan.wcs.crpix = 0, 0
p = WCS(size.header).pixel_to_world(x, y).icrs
xi, eta = tan.all_world2pix(p.ra.deg, p.dec.deg, 0); xi, eta = (xi+1)*3600, (eta+1)*3600
inside = (abs(xi) <= 15) & (abs(eta) <= 10)
assert (np.isnan(size.data) == ~inside).all() and 0.5 < inside.mean() < 0.95, inside.mean()
`, dir, modesCircle)
}

// The service gives the bytes that the command gives, but for what they say of the request.
func TestModesOfTheService(t *testing.T) {
	s := demoServer(t)
	for _, tt := range []struct {
		name   string
		params []string
		args   []string
	}{
		{"mask", []string{"CIRCLE", modesCircle, "MASK", "NaN"}, []string{"--circle", modesCircle, "--mask", "nan"}},
		{"stamp", []string{"STAMP", "150.1163 2.26 64 999", "PAD", "nan"}, []string{"--stamp", "150.1163 2.26 64 999", "--pad", "nan"}},
		{"size", []string{"SIZE", "150.1163 2.2058 0.01 0.02", "CUTOUTDETAIL", "Exposure"}, []string{"--size", "150.1163 2.2058 0.01deg 0.02deg", "--detail", "full"}},
		{"pixels", []string{"PIXELS", "[5:9,3:4]", "HDU", "0"}, []string{"--pixels", "[5:9,3:4]", "--hdu", "0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.syncCut(t, append([]string{"ID", demoID}, tt.params...)...)
			want := seltzer(t, "", append([]string{"cut", s.demoFile(), "-o", "-"}, tt.args...)...)
			if got.StatusCode != http.StatusOK || want.status != 0 {
				t.Fatalf("status %s, exit status %d: %.300s", got.Status, want.status, got.Body+want.err)
			}
			if a, b := dataOf(got.Body), dataOf(want.out); !bytes.Equal(a, b) || len(a) == 0 {
				t.Errorf("%d bytes of data from the service, %d from the command, or others", len(a), len(b))
			}
		})
	}
	for _, wrong := range [][]string{{"CIRCLE", modesCircle, "STAMP", "150 2 3 3"}, {"CIRCLE", modesCircle, "MASK", "zero"}, {"PIXELS", "[1:2"}, {"SIZE", "1 2 3"}} {
		if got := s.syncCut(t, append([]string{"ID", demoID}, wrong...)...); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%v: %s", wrong, got.Status)
		}
	}
}

// dataOf returns what follows the first header of a FITS file.
func dataOf(content string) []byte {
	for i := 0; i+2880 <= len(content); i += 2880 {
		for j := i; j < i+2880; j += 80 {
			if strings.TrimRight(content[j:j+80], " ") == "END" {
				return []byte(content[i+2880:])
			}
		}
	}
	return nil
}
