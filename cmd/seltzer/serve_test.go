package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// The command that serve prints is what a newcomer pastes first.
func TestPrintedCurlGivesACutout(t *testing.T) {
	outside.Tool(t, "curl")
	s := demoServer(t)
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", s.Try)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", s.Try, err, out)
	}
	cut := filepath.Join(dir, "cutout.fits")
	if out := outside.Run(t, outside.Tool(t, "fitsverify"), "-q", cut); !strings.Contains(out, "OK") {
		t.Errorf("fitsverify -q: %s", out)
	}
	_, circle, _ := strings.Cut(s.Try, "'CIRCLE=")
	circle, _, _ = strings.Cut(circle, "'")
	outside.Judge(t, s.demoFile(), "0", "CIRCLE "+circle, cut, "--strict")
}

// Each image of the demo archive can be cut: planes together, cubes with all channels.
func TestDemoArchive(t *testing.T) {
	s := demoServer(t)
	for _, tt := range []struct{ file, hdu, circle string }{
		{"starfield.fits", "0", inside},
		{"exposure.fits", "IMAGE", "150.1263 2.2118 0.005"},
		{"exposure.fits", "IMAGE", "150.148 2.199 0.005"}, // over an edge
		{"cube.fits", "0", "83.8221 -5.3911 0.008"},
	} {
		got := s.syncCut(t, "ID", "ivo://localhost/demo?"+tt.file, "CIRCLE", tt.circle)
		if got.StatusCode != http.StatusOK {
			t.Errorf("%s, circle %s: %s %s", tt.file, tt.circle, got.Status, got.Body)
			continue
		}
		outside.Judge(t, filepath.Join(s.Data, "demo", tt.file), tt.hdu, "CIRCLE "+tt.circle, keep(t, got.Body), "--strict")
	}
}

// Real images of other observatories, by sync and by async, and the judge's word on each.
func TestRealImages(t *testing.T) {
	real := filepath.Join(outside.Images(t), "real")
	s := demoServer(t, "--archive", "real="+real)
	for _, tt := range []struct{ file, hdu, circle string }{
		{"allwise_W3_hips2fits.fits", "0", ""},
		{"cadc_simple-hst-cutout.fits", "0", ""},
		{"cfitsio_m13.fits", "0", ""},
		{"lsst_afw_parent.fits", "0", ""},
	} {
		t.Run(tt.file, func(t *testing.T) {
			source := filepath.Join(real, tt.file)
			circle := centreOf(t, source, tt.hdu)
			id := "ivo://localhost/real?" + tt.file
			got := s.syncCut(t, "ID", id, "CIRCLE", circle)
			if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "application/fits" {
				t.Fatalf("sync: %s, %s\n%.300s", got.Status, got.Header.Get("Content-Type"), got.Body)
			}
			outside.Judge(t, source, tt.hdu, "CIRCLE "+circle, keep(t, got.Body), "--strict")

			job, phase := s.asyncCut(t, "ID", id, "CIRCLE", circle)
			if phase != "COMPLETED" {
				t.Fatalf("async: %s\n%s", phase, get(t, job+"/error").Body)
			}
			result := send(t, http.DefaultClient, request(t, http.MethodGet, job+"/results/result", nil))
			outside.Judge(t, source, tt.hdu, "CIRCLE "+circle, keep(t, result.Body), "--strict")

			if miss := s.syncCut(t, "ID", id, "CIRCLE", antipode(t, circle)); miss.StatusCode != http.StatusNoContent || miss.Body != "" {
				t.Errorf("a circle at the antipode: %s %q, want 204 and no body", miss.Status, miss.Body)
			}
		})
	}
}

const centreScript = `
import sys, warnings
warnings.simplefilter("ignore")
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
with fits.open(sys.argv[1]) as f:
    h = f[int(sys.argv[2])].header
    w = WCS(h, f).celestial
    c = w.pixel_to_world((h["NAXIS1"] - 1) / 2 + 0.3, (h["NAXIS2"] - 1) / 2 - 0.2).icrs
    print("%.8f %.8f %.8f" % (c.ra.deg, c.dec.deg, 20.3 * proj_plane_pixel_scales(w)[0]))
`

// centreOf returns a circle of 20 pixels at the centre of an image, by astropy.
func centreOf(t *testing.T, file, hdu string) string {
	t.Helper()
	return strings.TrimSpace(outside.Run(t, outside.Python(t, "astropy"), "-c", centreScript, file, hdu))
}

func antipode(t *testing.T, circle string) string {
	t.Helper()
	return strings.TrimSpace(outside.Run(t, outside.Python(t), "-c",
		`import sys; ra, dec, r = map(float, sys.argv[1].split()); print((ra + 180) % 360, -dec, 1 / 3600)`, circle))
}

// Two readers that share no code with each other or with us read the same pixels.
func TestAstropyAndAstrogoReadTheSame(t *testing.T) {
	s := demoServer(t)
	got := s.syncCut(t, "ID", demoID, "CIRCLE", "150.1163 2.2058 0.004")
	if got.StatusCode != http.StatusOK {
		t.Fatalf("sync: %s\n%s", got.Status, got.Body)
	}
	name := keep(t, got.Body)
	astrogo := readByAstrogo(t, name)
	astropy := outside.Run(t, outside.Python(t, "astropy"), "-W", "error", "-c", `
import sys
from astropy.io import fits
with fits.open(sys.argv[1], checksum=True) as f:
    for v in f[0].data.ravel().astype(">f4").tobytes().hex(" ", 4).split(): print(v)
`, name)
	if n := strings.Count(astropy, "\n"); n < 1000 || n != strings.Count(astrogo, "\n") {
		t.Fatalf("astropy read %d pixels, astrogo %d", n, strings.Count(astrogo, "\n"))
	}
	if astropy != astrogo {
		t.Error("astropy and astrogo/fitsio read different pixels")
	}
}

// What is wrong with the configuration is said at once, all of it.
func TestWrongConfigurationIsNamedAtOnce(t *testing.T) {
	busy := demoServer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		flags  []string
		status int
		want   []string
	}{
		{"four things at once", []string{"--archive", "a=/does/not/exist", "--archive", "b/c=x", "--public-url", "ftp://x", "--auth", "magic", "--data", filepath.Join(file, "d")},
			exitUsage, []string{"/does/not/exist", "b/c", "ftp://x", "magic", "data folder"}},
		{"the port is taken", []string{"--listen", strings.TrimPrefix(busy.URL, "http://")}, exitUsage, []string{"--listen"}},
		{"the data folder is in use", []string{"--data", busy.Data}, exitFailed, []string{"in use"}},
		{"a public address needs a decision", []string{"--listen", "0.0.0.0:0"}, exitUsage, []string{"--auth"}},
		{"everybody would see everything", []string{"--listen", "0.0.0.0:0", "--auth", "local"}, exitUsage, []string{"--auth local"}},
		{"a flag that is not there", []string{"--nonsense"}, exitUsage, []string{"--nonsense"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := command(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d")}, tt.flags...)...)
			cmd.Stderr = &out
			err := cmd.Run()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != tt.status {
				t.Errorf("it ended with %v, want exit status %d\n%s", err, tt.status, &out)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("nothing was said of %q:\n%s", want, &out)
				}
			}
		})
	}
}
