package cutout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

func system(t testing.TB, cards string) *wcs.System {
	t.Helper()
	h, err := fits.ParseText(primary(100, 80) + cards)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wcs.Parse(h, 2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A raster that follows the border says of every pixel what the stencil says of its centre.
func TestRasterIsExact(t *testing.T) {
	sip := strings.NewReplacer("RA---TAN", "RA---TAN-SIP", "DEC--TAN", "DEC--TAN-SIP").Replace(tan(10, 20)) +
		"A_ORDER = 2\nB_ORDER = 2\nA_2_0   = 3E-4\nA_1_1   = -2E-4\nB_0_2   = 4E-4\nB_2_0   = -1E-4\n"
	turned := strings.Replace(tan(10, 20), "CDELT1  = -0.001\nCDELT2  = 0.001\n", "CD1_1   = 8E-4\nCD1_2   = 6E-4\nCD2_1   = -5E-4\nCD2_2   = 9E-4\n", 1)
	random := rand.New(rand.NewPCG(1, 2))
	frame := pixel.Box{Min: []int64{-7, 3}, Max: []int64{133, 97}}
	for _, projection := range []struct {
		name, cards string
		fast        bool
	}{
		{"TAN", tan(10, 20), true},
		{"turned and sheared", turned, true},
		{"SIP", sip, true},
		{"at the pole", tan(10, 89.99), true},
		{"across RA 0", tan(0.001, -20), true},
		{"SIN", strings.ReplaceAll(tan(10, 20), "TAN", "SIN"), true},
		{"all sky", strings.ReplaceAll(strings.ReplaceAll(tan(10, 20), "TAN", "AIT"), "0.001", "4"), false},
	} {
		s := system(t, projection.cards)
		at := func(x, y float64) (ra, dec float64) {
			p := []float64{x, y}
			if _, err := s.ToSky(p, p); err != nil {
				t.Fatal(err)
			}
			return p[0], p[1]
		}
		corners := func(p ...float64) string {
			text := "POLYGON"
			for i := 0; i < len(p); i += 2 {
				ra, dec := at(p[i], p[i+1])
				text += fmt.Sprintf(" %.15g %.15g", ra, dec)
			}
			return text
		}
		circle := func(x, y, r float64) string {
			ra, dec := at(x, y)
			return fmt.Sprintf("CIRCLE %.15g %.15g %.15g", ra, dec, r*s.PixelScale())
		}
		ra, dec := at(60, 40)
		stencils := []string{
			circle(50, 40, 30), circle(50.5, 40.5, 3.2), circle(50, 40, 0.2), circle(50, 40, 300), circle(-3, 40, 25), circle(120, 95, 20.0001), circle(50, 40, 5),
			corners(20, 20, 80, 20, 80, 60, 20, 60), corners(20.5, 20.5, 80.5, 22, 70, 60, 50, 30.01, 30, 60), corners(10, 30, 90, 30.3, 90, 30.6),
			fmt.Sprintf("RANGE %.15g %.15g %.15g %.15g", max(ra-20*s.PixelScale(), 0), min(ra+20*s.PixelScale(), 360), max(dec-15*s.PixelScale(), -90), min(dec+15*s.PixelScale(), 90)),
		}
		for range 60 {
			stencils = append(stencils, circle(100*random.Float64(), 80*random.Float64(), 50*random.Float64()*random.Float64()),
				corners(120*random.Float64(), 90*random.Float64(), 120*random.Float64(), 90*random.Float64(), 120*random.Float64(), 90*random.Float64()))
		}
		t.Run(projection.name, func(t *testing.T) {
			for _, text := range stencils {
				if !projection.fast && strings.Contains(text, "NaN") {
					continue
				}
				st, err := stencil.Parse(text)
				if err != nil {
					continue // a random polygon may be none
				}
				r, err := newRaster(t.Context(), s, st, frame)
				if err != nil {
					t.Fatal(err)
				}
				if (r.bands != nil) != projection.fast {
					t.Errorf("%s: the border was followed: %t", text, r.bands != nil)
				}
				slow := &raster{system: s, st: st, x0: r.x0, y0: r.y0, nx: r.nx, ny: r.ny, alone: r.alone}
				for y := range r.ny {
					if got, want := slices.Clone(r.outside(y)), slow.outside(y); !slices.Equal(got, want) {
						t.Fatalf("%s: row %d is %v outside, want %v", text, y, got, want)
					}
				}
			}
		})
	}
}

// Where no centre of a pixel is inside, the pixel that holds the stencil's centre is.
func TestRasterOfAPoint(t *testing.T) {
	s := system(t, tan(10, 20))
	p := []float64{50.4, 39.7}
	if _, err := s.ToSky(p, p); err != nil {
		t.Fatal(err)
	}
	st, err := stencil.NewCircle(p[0], p[1], 1e-5)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRaster(t.Context(), s, st, pixel.Box{Min: []int64{48, 38}, Max: []int64{52, 41}})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Clone(r.outside(1)); !slices.Equal(got, []run{{0, 1}, {2, 4}}) || r.alone != [2]int{1, 1} {
		t.Errorf("outside are %v, alone is %v; want all but pixel 1 of row 1", got, r.alone)
	}
}

func BenchmarkRaster(b *testing.B) {
	s := system(b, tan(10, 20))
	for _, n := range []int64{64, 256, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st, err := stencil.NewCircle(10, 20, float64(n)/2*0.001)
			if err != nil {
				b.Fatal(err)
			}
			frame := pixel.Box{Min: []int64{50 - n/2, 40 - n/2}, Max: []int64{50 + n/2, 40 + n/2}}
			b.ReportAllocs()
			for b.Loop() {
				r, err := newRaster(b.Context(), s, st, frame)
				if err != nil {
					b.Fatal(err)
				}
				for y := range r.ny {
					r.outside(y)
				}
			}
		})
	}
}
