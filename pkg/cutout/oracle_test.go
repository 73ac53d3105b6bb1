package cutout

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// realFolder returns the folder of real images and of the judge.
func realFolder(t *testing.T) string {
	t.Helper()
	return outside.Images(t)
}

// stencilsOf returns stencils at telling places of an image: inside, on an edge, on a
// corner, a polygon, larger than the image, smaller than a pixel.
func stencilsOf(system *wcs.System, nx, ny int64) map[string]string {
	w, h := float64(nx), float64(ny)
	part := false
	if p := []float64{0.3 * w, 0.4 * h}; w > 20 && h > 20 {
		if hidden, err := system.ToSky(p, p); err != nil || hidden > 0 {
			w, h, part = w/5, h/5, true // only a part of the image shows the sky
		}
	}
	at := func(fx, fy float64) (v sky.Vec, ok bool) {
		p := []float64{0.5 + fx*w, 0.5 + fy*h}
		hidden, err := system.ToSky(p, p)
		return sky.FromDegrees(p[0], p[1]), hidden == 0 && err == nil
	}
	a, ok1 := at(0.3, 0.4)
	b, ok2 := at(0.3+min(1/w, 0.1), 0.4)
	if !ok1 || !ok2 {
		return nil
	}
	step := a.Angle(b) / sky.Degree / min(w*0.1, 1) // of a pixel
	small := max(step*min(w, h)/7, step*1.1)
	circle := func(fx, fy, r float64) string {
		v, ok := at(fx, fy)
		if !ok {
			return ""
		}
		ra, dec := v.Degrees()
		return fmt.Sprintf("CIRCLE %.12g %.12g %.10g", ra, dec, min(r, 180))
	}
	polygon := "POLYGON"
	for _, f := range [][2]float64{{0.2, 0.25}, {0.63, 0.31}, {0.7, 0.77}, {0.34, 0.69}} {
		if v, ok := at(f[0], f[1]); ok {
			ra, dec := v.Degrees()
			polygon += fmt.Sprintf(" %.12g %.12g", ra, dec)
		}
	}
	stencils := map[string]string{
		"inside": circle(0.37, 0.41, small), "edge": circle(0.99, 0.5, small), "corner": circle(0.003, 0.004, small),
		"beyond": circle(0.5, 0.5, step*(w+h)), "point": circle(0.61, 0.37, step/10),
	}
	if strings.Count(polygon, " ") == 8 && w > 3 && h > 3 && step*max(w, h) < 60 {
		stencils["polygon"] = polygon
	}
	for name, text := range stencils {
		// The rim of such a sky runs through the centres of pixels, where rounding decides.
		if text == "" || part && name == "beyond" {
			delete(stencils, name)
		}
	}
	return stencils
}

// TestOracle cuts every real image that can be cut, at several places, and has an
// independent program judge the cutouts: astropy, wcslib, CFITSIO and fitsverify.
func TestOracle(t *testing.T) {
	folder := realFolder(t)
	python := outside.Python(t, "astropy", "numpy", "fitsio")
	files, err := filepath.Glob(filepath.Join(folder, "real", "*.f*"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d real images in %s: %v", len(files), folder, err)
	}
	var opened, judged atomic.Int32
	t.Cleanup(func() { // opened is less if -run names one of them
		if n := judged.Load(); n < 30 && int(opened.Load()) == len(files) {
			t.Errorf("%d images were judged, want 30 or more", n)
		}
	})
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened.Add(1)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				t.Logf("refused: %v", fault.Sentence(err))
				return
			}
			for _, u := range file.HDUs {
				if !u.Image() {
					continue
				}
				system, err := wcs.Parse(u.Header, len(u.Shape))
				if err == nil {
					if key := tableAxis(u.Header); key != "" {
						err = fmt.Errorf("%s is a -TAB axis", key)
					}
				}
				if err != nil {
					t.Logf("%s refused: %v", u, err)
					continue
				}
				judged.Add(1)
				x, y := system.Axes()
				for place, text := range stencilsOf(system, u.Shape[x], u.Shape[y]) {
					if testing.Short() && place != "inside" {
						continue
					}
					judge(t, []string{python, filepath.Join(folder, "oracle.py")}, path, file, u, place, text)
				}
			}
		})
	}
}

func judge(t *testing.T, oracle []string, path string, file *fits.File, u *fits.HDU, place, text string) {
	t.Helper()
	st, err := stencil.Parse(text)
	if err != nil {
		t.Errorf("%s %s: %v", u, place, err)
		return
	}
	plan, err := New(file, Request{Stencil: st, Source: Provenance{
		ID: "ivo://example.org/real?" + filepath.Base(path), Generation: "1", Version: "test",
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}})
	if err != nil {
		t.Errorf("%s %s %s: %v", u, place, text, err)
		return
	}
	var out bytes.Buffer
	n, err := plan.WriteTo(t.Context(), &out)
	if err != nil || n != int64(out.Len()) || !plan.planned(n) {
		t.Errorf("%s %s %s: wrote %d bytes of %d planned: %v", u, place, text, n, plan.Size(), err)
		return
	}
	hdu := -1
	for i, part := range plan.Parts() {
		if part.HDU == u.Number {
			hdu = i
		}
	}
	if hdu < 0 {
		t.Errorf("%s %s %s: not in the cutout", u, place, text)
		return
	}
	cut := filepath.Join(t.TempDir(), "cut.fits")
	if err := os.WriteFile(cut, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(oracle[1:], path, strconv.Itoa(u.Number), text, cut, strconv.Itoa(hdu), "--strict")
	said, err := exec.CommandContext(t.Context(), oracle[0], args...).CombinedOutput()
	passed := strings.Count(string(said), "PASS")
	if err != nil || passed < 8 {
		t.Errorf("%s %s %s: %v\n%s", u, place, text, err, withoutPasses(string(said)))
		return
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "warn-stale") {
			t.Logf("%s %s: %s", u, place, strings.TrimSpace(line))
		}
	}
}

func withoutPasses(said string) string {
	var kept []string
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "PASS") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// The distance that a refusal names is that of the nearest position of the image.
func TestMiss(t *testing.T) {
	w := toys[0] // TAN, 0.01 degrees per pixel, on the equator
	w.cx, w.cy, w.scale = 50.5, 50.5, 0.01*sky.Degree
	w.turn = sky.Matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	st := mustParse(t, "CIRCLE 0.1 2 0.5")
	missed, err := Miss(&w, st, 100, 100)
	if err != nil {
		t.Fatal(err)
	}
	// The upper edge lies at 0.5 pixel units of 0.01 degrees × tan: atan(0.5°) = 0.49998731°.
	edge := math.Atan(0.5*sky.Degree) / sky.Degree
	if math.Abs(missed.By-(1.5-edge)) > 1e-6 || math.Hypot(missed.Dec, math.Sin(missed.RA*sky.Degree)) > 1e-9 || math.Abs(missed.Radius-math.Sqrt2/2) > 1e-4 {
		t.Errorf("%+v, want a miss of %g around 0 0 with radius 0.7071", missed, 1.5-edge)
	}
}
