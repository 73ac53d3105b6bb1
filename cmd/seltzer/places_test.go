package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// skyImage writes an image of side² pixels, numbered, centred on (ra, dec).
func skyImage(t *testing.T, name, projection string, side int, ra, dec, scale float64) string {
	t.Helper()
	h := fits.NewPrimary(-32, []int64{int64(side), int64(side)})
	for _, c := range []struct {
		key   string
		value any
	}{
		{"CTYPE1", "RA---" + projection}, {"CTYPE2", "DEC--" + projection}, {"CRVAL1", ra}, {"CRVAL2", dec},
		{"CRPIX1", float64(side)/2 + 0.5}, {"CRPIX2", float64(side)/2 + 0.5}, {"CDELT1", -scale}, {"CDELT2", scale}, {"RADESYS", "ICRS"},
	} {
		if err := h.Set(c.key, c.value, ""); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fits.NewWriter(f).WriteHDU(t.Context(), h, int64(4*side*side), func(_ context.Context, emit func([]byte) error) error {
		var b []byte
		for i := range side * side {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(i)))
		}
		return emit(b)
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

// star returns a polygon of n vertices around a place, in and out by turns.
func star(n int, ra, dec, outer, inner float64) string {
	s := "POLYGON"
	for i := range n {
		r := outer
		if i%2 == 1 {
			r = inner
		}
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		s += fmt.Sprintf(" %.10g %.10g", math.Mod(ra+r*sin/math.Cos(dec*math.Pi/180)+360, 360), dec+r*cos)
	}
	return s
}

// The places where other services lose pixels, and the judge's word on each: it follows the
// border, and tests every pixel's centre.
func TestHardPlaces(t *testing.T) {
	pole := skyImage(t, "pole.fits", "TAN", 200, 40, 90, 0.01)
	nearPole := skyImage(t, "near.fits", "SIN", 200, 10, -89.2, 0.01)
	zero := skyImage(t, "zero.fits", "TAN", 200, 0, 12, 0.01)
	allSky := skyImage(t, "all.fits", "AIT", 180, 0, 0, 2)
	for _, tt := range []struct{ name, image, stencil string }{
		{"a circle over the pole", pole, "CIRCLE 120 89.9 0.3"},
		{"a circle around the pole", pole, "CIRCLE 0 90 0.5"},
		{"a circle beside the pole, over it", nearPole, "CIRCLE 300 -89.8 0.5"},
		{"a cap", pole, "RANGE 0 360 89.5 90"},
		{"a cap with open ends", pole, "RANGE -Inf +Inf 89.5 +Inf"},
		{"a sector of a cap", pole, "RANGE 350 80 89.3 +Inf"},
		{"a circle across RA 0", zero, "CIRCLE 359.9 12.1 0.4"},
		{"a range across RA 0", zero, "RANGE 359.6 0.3 11.8 12.2"},
		{"a range with an open end", zero, "RANGE 0.1 +Inf -Inf 12.05"},
		{"three vertices across RA 0", zero, "POLYGON 359.7 11.8 0.3 11.9 0.05 12.4"},
		{"four vertices around the pole", pole, "POLYGON 0 89.5 90 89.5 180 89.5 270 89.5"},
		{"200 vertices", zero, star(200, 0.05, 12, 0.6, 0.4)},
		{"200 vertices, the other way round", zero, star(200, 359.95, 12, -0.6, -0.4)},
		{"all sky: a circle by the seam", allSky, "CIRCLE 180 20 12"},
		{"all sky: a circle over the pole", allSky, "CIRCLE 30 85 15"},
		{"all sky: a band", allSky, "RANGE 0 360 -10 10"},
		{"all sky: a hemisphere", allSky, "CIRCLE 90 -30 90"},
		{"smaller than a pixel", zero, "CIRCLE 0.0012 12.0033 0.0001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shape, values, _ := strings.Cut(tt.stencil, " ")
			out := filepath.Join(t.TempDir(), "out.fits")
			if got := seltzer(t, "", "cut", tt.image, "--"+strings.ToLower(shape), values, "-o", out); got.status != 0 {
				t.Fatalf("exit status %d: %s", got.status, got.err)
			}
			outside.Judge(t, tt.image, "0", tt.stencil, out, "--strict")
		})
	}
}
