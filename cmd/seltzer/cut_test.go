package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// demoFile returns the path of a file of the demo archive.
func demoFile(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	linkDemo(t, dir)
	return filepath.Join(dir, name)
}

// outcome is what a command printed, and its exit status.
type outcome struct {
	out, err string
	status   int
}

func seltzer(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	cmd := command(t.Context(), args...)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestCut(t *testing.T) {
	image := demoFile(t, "starfield.fits")
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.fits")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	notFITS := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notFITS, []byte("Dear reader"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.fits")
	if err := os.Symlink(filepath.Join(dir, "linked.fits"), link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "linked.fits"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.fits")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   string // on standard error, which is one line
	}{
		{"degrees", []string{image, "--circle", "150.1163 2.2058 0.004", "-o", out}, 0, ""},
		{"the file is there now", []string{image, "--circle", "150.1163 2.2058 0.004", "-o", out}, exitUsage, "--force"},
		{"overwritten", []string{image, "--circle", "150.1163 2.2058 0.004", "-o", out, "--force"}, 0, ""},
		{"somebody else's file", []string{image, "--pixels", "[1:2,1:2]", "-o", taken}, exitUsage, "exists"},
		{"sexagesimal", []string{image, "--circle", `10:00:27.912 +02:12:20.88 14.4"`, "-o", filepath.Join(dir, "sexagesimal.fits")}, 0, ""},
		{"polygon", []string{image, "--polygon", "150.11 2.2 150.12 2.2 150.115 2.21", "-o", filepath.Join(dir, "polygon.fits")}, 0, ""},
		{"range", []string{image, "--range", "150.11 150.12 2.2 +Inf", "-o", filepath.Join(dir, "range.fits")}, 0, ""},
		{"open at both ends", []string{image, "--range", "-Inf +Inf 2.2 2.21", "-o", filepath.Join(dir, "open.fits")}, 0, ""},
		{"a link stays a link", []string{image, "--pixels", "[1:2,1:2]", "-o", link, "--force"}, 0, ""},
		{"a device is written through", []string{image, "--pixels", "[1:2,1:2]", "-o", "/dev/null", "--force"}, 0, ""},
		{"pixels", []string{image, "--pixels", "[101:200,1:50]", "-o", filepath.Join(dir, "pixels.fits")}, 0, ""},
		{"one HDU", []string{image, "--hdu", "0", "--pixels", "[101:200,1:50]", "-o", filepath.Join(dir, "hdu.fits")}, 0, ""},
		{"no overlap", []string{image, "--circle", "10 20 0.1", "-o", filepath.Join(dir, "none.fits")}, exitNoOverlap, "misses"},
		{"no pixel in common", []string{image, "--pixels", "[2001:2002,1:1]", "-o", filepath.Join(dir, "none.fits")}, exitNoOverlap, "misses"},
		{"no region", []string{image, "-o", out}, exitUsage, "--circle"},
		{"two regions", []string{image, "--circle", "1 2 3", "--pixels", "[1:2,1:2]", "-o", out}, exitUsage, "--circle"},
		{"no output", []string{image, "--circle", "1 2 3"}, exitUsage, "--output"},
		{"a radius that is none", []string{image, "--circle", "1 2 big", "-o", filepath.Join(dir, "none.fits")}, exitUsage, `"big"`},
		{"a declination that is none", []string{image, "--circle", "1 92 1", "-o", filepath.Join(dir, "none.fits")}, exitUsage, "92"},
		{"no such HDU", []string{image, "--hdu", "7", "--circle", "1 2 3", "-o", filepath.Join(dir, "none.fits")}, exitUsage, "HDU 7"},
		{"no such file", []string{filepath.Join(dir, "gone.fits"), "--circle", "1 2 3", "-o", filepath.Join(dir, "none.fits")}, exitFailed, "gone.fits"},
		{"no FITS", []string{notFITS, "--circle", "1 2 3", "-o", filepath.Join(dir, "none.fits")}, exitFailed, "FITS"},
		{"a folder", []string{dir + "/", "--circle", "1 2 3", "-o", filepath.Join(dir, "none.fits")}, exitUsage, "folder"},
		{"no place for the output", []string{image, "--circle", "150.1163 2.2058 0.004", "-o", filepath.Join(dir, "gone", "x.fits")}, exitUsage, "x.fits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := seltzer(t, "", append([]string{"cut"}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.err, tt.says) {
				t.Errorf("exit status %d, %q; want %d and something of %q", got.status, got.err, tt.status, tt.says)
			}
			if tt.status != 0 && strings.Count(got.err, "\n") != 1 {
				t.Errorf("the error is not one line:\n%s", got.err)
			}
			if got.out != "" {
				t.Errorf("something was written to standard output: %.100q", got.out)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none.fits")); err == nil {
		t.Error("a cutout that failed left a file")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if linked, _ := os.ReadFile(filepath.Join(dir, "linked.fits")); !bytes.HasPrefix(linked, []byte("SIMPLE")) {
		t.Error("the file behind the link was not written")
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null is %v, %v", info, err)
	}
	if mine, _ := os.ReadFile(taken); string(mine) != "mine" {
		t.Error("a file was overwritten without --force")
	}
	degrees, _ := os.ReadFile(out)
	sexagesimal, _ := os.ReadFile(filepath.Join(dir, "sexagesimal.fits"))
	if box(degrees) == "" || box(degrees) != box(sexagesimal) {
		t.Errorf("the same circle in degrees and in hours gives the boxes %s and %s", box(degrees), box(sexagesimal))
	}
	if pixels, _ := os.ReadFile(filepath.Join(dir, "pixels.fits")); box(pixels) != "'[101:200,1:50]'" {
		t.Errorf("--pixels [101:200,1:50] gives the box %s", box(pixels))
	}
	piped := seltzer(t, "", "cut", image, "--circle", "150.1163 2.2058 0.004", "-o", "-")
	if !bytes.Equal(outside.Timeless([]byte(piped.out)), outside.Timeless(degrees)) {
		t.Error("standard output and the file hold different bytes")
	}
	outside.Judge(t, image, "0", "CIRCLE 150.1163 2.2058 0.004", out, "--strict")
	outside.Judge(t, image, "0", "POLYGON 150.11 2.2 150.12 2.2 150.115 2.21", filepath.Join(dir, "polygon.fits"), "--strict")
	outside.Judge(t, image, "0", "RANGE 150.11 150.12 2.2 +Inf", filepath.Join(dir, "range.fits"), "--strict")
}

// box returns the value of the card CUTBOX.
func box(file []byte) string {
	_, rest, _ := bytes.Cut(file, []byte("CUTBOX  = "))
	value, _, _ := strings.Cut(string(rest[:min(70, len(rest))]), " /")
	return strings.TrimSpace(value)
}

func TestInfo(t *testing.T) {
	image := demoFile(t, "starfield.fits")
	got := seltzer(t, "", "info", "--json", image)
	var f fileInfo
	if err := json.Unmarshal([]byte(got.out), &f); err != nil || len(f.HDUs) != 1 {
		t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	u := f.HDUs[0]
	if u.BITPIX != -32 || fmt.Sprint(u.Shape) != "[1024 1024]" || u.Projection != "TAN" || u.Frame != "ICRS" ||
		math.Abs(u.PixelScale-0.4) > 1e-9 || u.BUNIT != "electron" || u.ZeroPoint == nil || *u.ZeroPoint != 27.5 {
		t.Errorf("the star field is %+v", u)
	}
	want := strings.Fields(outside.Run(t, outside.Python(t, "astropy"), "-c", `
import sys
from astropy.io import fits
from astropy.wcs import WCS
from astropy.coordinates import SkyCoord
w = WCS(fits.getheader(sys.argv[1]))
for ra, dec in w.all_pix2world([[-.5, -.5], [1023.5, -.5], [1023.5, 1023.5], [-.5, 1023.5]], 0): print(ra, dec)
`, image))
	if len(u.Footprint) != 8 {
		t.Fatalf("the footprint is %v", u.Footprint)
	}
	for i := 0; i < 8; i += 2 { // the corners as a set: which one is first is ours to choose
		found := false
		for k := 0; k < 8; k += 2 {
			found = found || near(u.Footprint[i], want[k]) && near(u.Footprint[i+1], want[k+1])
		}
		if !found {
			t.Errorf("corner %v of the footprint is none of astropy's: %v", u.Footprint[i:i+2], want)
		}
	}
	// Counter-clockwise with north up and east left: the area by (east, north) is negative
	// where x grows to the east, so with x = -ra·cos(dec) it is positive.
	area := 0.0
	for i := 0; i < 8; i += 2 {
		k := (i + 2) % 8
		area += -u.Footprint[i]*u.Footprint[k+1] + u.Footprint[k]*u.Footprint[i+1]
	}
	if area <= 0 {
		t.Errorf("the footprint %v does not run counter-clockwise", u.Footprint)
	}
	if text := seltzer(t, "", "info", image); text.status != 0 || !strings.Contains(text.out, "1024 × 1024") || !strings.Contains(text.out, "HDU 0 covers") {
		t.Errorf("exit status %d\n%s%s", text.status, text.out, text.err)
	}
}

func near(got float64, want string) bool {
	var w float64
	_, err := fmt.Sscan(want, &w)
	return err == nil && math.Abs(got-w) < 1e-9
}

func TestWCS(t *testing.T) {
	image := demoFile(t, "starfield.fits")
	sky := seltzer(t, "1 1\n# a comment\n\n512.5 512.5\n1e3 -20.25\n", "wcs", "to-sky", image)
	want := strings.Fields(outside.Run(t, outside.Python(t, "astropy"), "-c", `
import sys
from astropy.io import fits
from astropy.wcs import WCS
for p in WCS(fits.getheader(sys.argv[1])).all_pix2world([[1, 1], [512.5, 512.5], [1e3, -20.25]], 1): print(*map(repr, map(float, p)))
`, image))
	got := strings.Fields(sky.out)
	if len(got) != 6 || sky.status != 0 {
		t.Fatalf("exit status %d\n%s%s", sky.status, sky.out, sky.err)
	}
	for i := range got {
		var v float64
		if _, err := fmt.Sscan(got[i], &v); err != nil || !near(v, want[i]) {
			t.Errorf("number %d is %s, by astropy %s", i, got[i], want[i])
		}
	}
	back := seltzer(t, sky.out, "wcs", "to-pixel", "--hdu", "0", image)
	var x [6]float64
	if _, err := fmt.Sscan(back.out, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5]); err != nil {
		t.Fatalf("%v\n%s%s", err, back.out, back.err)
	}
	for i, want := range []float64{1, 1, 512.5, 512.5, 1000, -20.25} {
		if math.Abs(x[i]-want) > 1e-6 {
			t.Errorf("back again number %d is %v, want %v", i, x[i], want)
		}
	}
	if far := seltzer(t, "330.1163 -2.2\n10:00:27.912 02:12:20.88\n", "wcs", "to-pixel", image); !strings.HasPrefix(far.out, "nan nan\n512.4") && !strings.HasPrefix(far.out, "nan nan\n512.5") {
		t.Errorf("the antipode and the centre are %q (%s)", far.out, far.err)
	}
	if wrong := seltzer(t, "1 1\n1 x\n", "wcs", "to-sky", image); wrong.status != exitUsage || !strings.Contains(wrong.err, "line 2") || strings.Count(wrong.out, "\n") != 1 {
		t.Errorf("a wrong line: exit status %d, %q, %q", wrong.status, wrong.out, wrong.err)
	}
}

func TestHelpAndCompletion(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"cut", "--help"}, {"info", "--help"}, {"wcs", "to-sky", "--help"}, {"serve", "--help"}, {"--version"}} {
		if got := seltzer(t, "", args...); got.status != 0 || got.out == "" || got.err != "" {
			t.Errorf("%v: exit status %d, %q", args, got.status, got.err)
		}
	}
	if got := seltzer(t, "", "completion", "-c", "bash"); got.status != 0 || !strings.Contains(got.out, " -C ") {
		t.Errorf("completion: exit status %d\n%s%s", got.status, got.out, got.err)
	}
}
