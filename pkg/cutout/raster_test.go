package cutout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/sky"
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

// outsideOf returns the runs of a row that are outside.
func outsideOf(t *testing.T, r *raster, row int) []run {
	t.Helper()
	out, err := r.outside(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out)
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
				if r.followed != projection.fast {
					t.Errorf("%s: the border was followed: %t", text, r.followed)
				}
				slow := &raster{system: s, st: st, x0: r.x0, y0: r.y0, nx: r.nx, ny: r.ny, alone: r.alone}
				for y := range r.ny {
					if got, want := outsideOf(t, r, y), outsideOf(t, slow, y); !slices.Equal(got, want) {
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
	if got := outsideOf(t, r, 1); !slices.Equal(got, []run{{0, 1}, {2, 4}}) || r.alone != [2]int{1, 1} {
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
					if _, err := r.outside(b.Context(), y); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// counted is a stencil that counts the directions that it is asked about.
type counted struct {
	stencil.Stencil
	asked int
}

func (c *counted) Contains(v sky.Vec) bool {
	c.asked++
	return c.Stencil.Contains(v)
}

// comb is a polygon of 1002 vertices with teeth 8 pixels wide, 16 apart, that stand upright or lie.
func comb(t *testing.T, s *wcs.System, upright bool) stencil.Stencil {
	t.Helper()
	text := "POLYGON"
	add := func(a, b float64) {
		p := []float64{a, b}
		if !upright {
			p[0], p[1] = b, a
		}
		if _, err := s.ToSky(p, p); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(" %.15g %.15g", p[0], p[1])
	}
	for i := range 250 {
		x := 16.384 * float64(i)
		add(x+3.3, 100.2)
		add(x+3.4, 4062.7)
		add(x+11.1, 4062.6)
		add(x+11.3, 100.3)
	}
	add(4095, 50.5)
	add(1.2, 51.5)
	return mustParse(t, text)
}

// A border that crosses every row hundreds of times costs no more than a look at the pixels
// on it.
func TestRasterOfAComb(t *testing.T) {
	s := system(t, tan(10, 20))
	random := rand.New(rand.NewPCG(3, 4))
	for _, upright := range []bool{true, false} {
		st := &counted{Stencil: comb(t, s, upright)}
		r, err := newRaster(t.Context(), s, st, pixel.Box{Min: []int64{0, 0}, Max: []int64{4096, 4096}})
		if err != nil {
			t.Fatal(err)
		}
		slow := &raster{system: s, st: st.Stencil, x0: r.x0, y0: r.y0, nx: r.nx, ny: r.ny, alone: r.alone}
		for y := range r.ny {
			got := outsideOf(t, r, y)
			if random.IntN(400) == 0 && !slices.Equal(got, outsideOf(t, slow, y)) {
				t.Errorf("upright %t: row %d is %v outside, want %v", upright, y, got, outsideOf(t, slow, y))
			}
		}
		if border := 500 * 4000; st.asked > border/4 {
			t.Errorf("upright %t: %d of 4096² pixels were looked at, for a border of %d", upright, st.asked, border)
		}
	}
}

// Rows come again for each plane and each pass, and are the same; those that are not
// remembered are swept again.
func TestRasterAgain(t *testing.T) {
	s := system(t, tan(10, 20))
	r, err := newRaster(t.Context(), s, comb(t, s, true), pixel.Box{Min: []int64{0, 0}, Max: []int64{4096, 2000}})
	if err != nil {
		t.Fatal(err)
	}
	first := make([][]run, r.ny)
	for y := range r.ny {
		first[y] = outsideOf(t, r, y)
	}
	if n := len(r.ends); n == 0 || n > 1500 {
		t.Fatalf("%d rows of %d are remembered; want some and not all", n, r.ny)
	}
	for _, y := range []int{1999, 0, 1, 2, len(r.ends) - 1, len(r.ends), len(r.ends) + 1, 1500, 1501, 3, 1502} {
		if got := outsideOf(t, r, y); !slices.Equal(got, first[y]) {
			t.Errorf("row %d is %v outside, the first time %v", y, got, first[y])
		}
	}
}

// The memory of a raster does not grow with its rows, nor that of an outline with its columns.
func TestRasterOfALongImage(t *testing.T) {
	const long = 1 << 29
	s := system(t, strings.ReplaceAll(tan(10, 20), "0.001", "0.00000001"))
	st := mustParse(t, "CIRCLE 10 20 1")
	for _, frame := range []pixel.Box{{Min: []int64{0, 0}, Max: []int64{1, long}}, {Min: []int64{0, 0}, Max: []int64{long, 1}}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := newRaster(t.Context(), s, st, frame)
		if err != nil {
			t.Fatal(err)
		}
		enough := errors.New("enough")
		n := 0
		err = drawOutline(r)(t.Context(), func(p []byte) error {
			if n += len(p); n >= 1<<20 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%v: %d bytes were allocated, want at most 32 MB", frame, grown)
		}
	}
}

// A raster ends with its context, in the middle of a row too.
func TestRasterEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := system(t, strings.ReplaceAll(strings.ReplaceAll(tan(10, 20), "TAN", "AIT"), "0.001", "0.0000003"))
	st := &counted{Stencil: mustParse(t, "CIRCLE 10 20 180")}
	r := &raster{system: s, st: st, nx: 1 << 29, ny: 1, alone: [2]int{-1, -1}, row: -1}
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.outside(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v after %d pixels, want context.Canceled", err, st.asked)
	}
	if _, err := newRaster(ctx, s, st, pixel.Box{Min: []int64{0, 0}, Max: []int64{100, 100}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// A border may go on beyond the horizon of the projection.
func TestRasterByTheHorizon(t *testing.T) {
	cards := strings.NewReplacer("CRPIX1  = 50.0", "CRPIX1  = 700", "0.001", "0.5").Replace(tan(10, 20))
	s := system(t, cards)
	p := []float64{50, 40}
	if hidden, err := s.ToSky(p, p); err != nil || hidden > 0 {
		t.Fatal(hidden, err)
	}
	ra, dec := p[0], p[1]
	for _, text := range []string{
		fmt.Sprintf("CIRCLE %g %g 30", ra, dec-30), fmt.Sprintf("CIRCLE %g %g 80", ra+80, dec),
		fmt.Sprintf("RANGE %g %g %g %g", ra-0.1, ra+60, dec-50, dec+0.1), fmt.Sprintf("POLYGON %g %g %g %g %g %g", ra-5, dec+1, ra+70, dec-50, ra+70, dec+40),
	} {
		r, err := newRaster(t.Context(), s, mustParse(t, text), pixel.Box{Min: []int64{0, 0}, Max: []int64{100, 80}})
		if err != nil {
			t.Fatal(err)
		}
		slow := &raster{system: s, st: r.st, x0: r.x0, y0: r.y0, nx: r.nx, ny: r.ny, alone: r.alone}
		for y := range r.ny {
			if got, want := outsideOf(t, r, y), outsideOf(t, slow, y); !slices.Equal(got, want) {
				t.Fatalf("%s: row %d is %v outside, want %v", text, y, got, want)
			}
		}
		if len(r.lines) == 0 || !r.followed {
			t.Errorf("%s: %d lines, followed %t", text, len(r.lines), r.followed)
		}
	}
}
