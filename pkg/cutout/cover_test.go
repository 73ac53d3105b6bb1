package cutout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"pgregory.net/rapid"
)

// toy is a coordinate system written for these tests alone: a projection of native
// directions, turned so that its reference point comes to lie anywhere.
type toy struct {
	name   string
	cx, cy float64 // CRPIX
	scale  float64 // radians per pixel
	turn   sky.Matrix
	plane  func(v sky.Vec) (x, y float64, ok bool) // v.X points to the reference point
	sphere func(x, y float64) (v sky.Vec, ok bool)
}

func (w *toy) ToSky(dst, src []float64) (hidden int, err error) {
	for i := 0; i < len(src); i += 2 {
		v, ok := w.sphere(-(src[i]-w.cx)*w.scale, (src[i+1]-w.cy)*w.scale)
		if !ok {
			dst[i], dst[i+1] = math.NaN(), math.NaN()
			hidden++
			continue
		}
		dst[i], dst[i+1] = w.turn.Apply(v).Degrees()
	}
	return hidden, nil
}

func (w *toy) ToPixel(dst, src []float64) (hidden int, err error) {
	back := w.turn.Transpose()
	for i := 0; i < len(src); i += 2 {
		x, y, ok := w.plane(back.Apply(sky.FromDegrees(src[i], src[i+1])))
		if !ok {
			dst[i], dst[i+1] = math.NaN(), math.NaN()
			hidden++
			continue
		}
		dst[i], dst[i+1] = w.cx-x/w.scale, w.cy+y/w.scale
	}
	return hidden, nil
}

var toys = []toy{
	{
		name:  "TAN",
		plane: func(v sky.Vec) (x, y float64, ok bool) { return v.Y / v.X, v.Z / v.X, v.X > 0 },
		sphere: func(x, y float64) (sky.Vec, bool) {
			return sky.Vec{X: 1, Y: x, Z: y}.Unit(), true
		},
	},
	{
		name:  "SIN",
		plane: func(v sky.Vec) (x, y float64, ok bool) { return v.Y, v.Z, v.X >= 0 },
		sphere: func(x, y float64) (sky.Vec, bool) {
			z := 1 - x*x - y*y
			return sky.Vec{X: math.Sqrt(z), Y: x, Z: y}, z >= 0
		},
	},
	{
		name: "CAR", // as many times around as the image is wide
		plane: func(v sky.Vec) (x, y float64, ok bool) {
			return math.Atan2(v.Y, v.X), math.Atan2(v.Z, math.Hypot(v.X, v.Y)), true
		},
		sphere: func(x, y float64) (sky.Vec, bool) {
			return sky.FromDegrees(x/sky.Degree, y/sky.Degree), math.Abs(y) <= math.Pi/2
		},
	},
	{
		name: "AIT", // Paper II, equations 105 to 110
		plane: func(v sky.Vec) (x, y float64, ok bool) {
			half := math.Atan2(v.Y, v.X) / 2
			sh, ch := math.Sincos(half)
			cosLat := math.Hypot(v.X, v.Y)
			g := math.Sqrt(2 / (1 + cosLat*ch))
			return 2 * g * cosLat * sh, g * v.Z, true
		},
		sphere: func(x, y float64) (sky.Vec, bool) {
			z2 := 1 - x*x/16 - y*y/4
			if z2 < 0.5 {
				return sky.Vec{}, false
			}
			z := math.Sqrt(z2)
			lon, s := 2*math.Atan2(z*x/2, 2*z2-1), y*z
			sl, cl := math.Sincos(lon)
			c := math.Sqrt(max(0, 1-s*s))
			return sky.Vec{X: c * cl, Y: c * sl, Z: s}, true
		},
	},
}

// anyToy draws an image of up to 24 by 24 pixels and any size on the sky.
func anyToy(t *rapid.T) (w toy, nx, ny int64) {
	w = toys[rapid.IntRange(0, len(toys)-1).Draw(t, "projection")]
	nx, ny = rapid.Int64Range(1, 24).Draw(t, "nx"), rapid.Int64Range(1, 24).Draw(t, "ny")
	w.scale = math.Pow(10, rapid.Float64Range(-6, -0.7).Draw(t, "log scale"))
	w.cx = rapid.Float64Range(-20, 40).Draw(t, "crpix1")
	w.cy = rapid.Float64Range(-20, 40).Draw(t, "crpix2")
	lon := rapid.Float64Range(0, 360).Draw(t, "crval1")
	lat := rapid.SampledFrom([]float64{0, 20, -63, 89.9, 90, -90}).Draw(t, "crval2")
	x := sky.FromDegrees(lon, lat)
	y := sky.FromDegrees(lon+90, 0)
	z := x.Cross(y)
	w.turn = sky.Matrix{{x.X, y.X, z.X}, {x.Y, y.Y, z.Y}, {x.Z, y.Z, z.Z}}
	return w, nx, ny
}

// anyStencil draws a stencil near the image or anywhere, from a hundredth of a pixel to
// the whole sky.
func anyStencil(t *rapid.T, w *toy, nx, ny int64) stencil.Stencil {
	p := []float64{rapid.Float64Range(-2, float64(nx)+3).Draw(t, "x"), rapid.Float64Range(-2, float64(ny)+3).Draw(t, "y")}
	if _, err := w.ToSky(p, p); err != nil || math.IsNaN(p[0]) || rapid.IntRange(0, 9).Draw(t, "anywhere") == 0 {
		p[0], p[1] = rapid.Float64Range(0, 360).Draw(t, "lon"), rapid.SampledFrom([]float64{0, 45, -80, 90, -90}).Draw(t, "lat")
	}
	size := w.scale / sky.Degree * math.Pow(10, rapid.Float64Range(-2, 2).Draw(t, "log size"))
	var text string
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		text = fmt.Sprintf("CIRCLE %.12f %.12f %.12g", p[0], p[1], min(size, 180))
	case 1:
		half := min(size/max(math.Cos(p[1]*sky.Degree), 1e-3), 179)
		text = fmt.Sprintf("RANGE %.12f %.12f %.12f %.12f", math.Mod(p[0]-half+360, 360), math.Mod(p[0]+half, 360),
			max(p[1]-size, -90), min(p[1]+size/3, 90))
	case 2:
		text = fmt.Sprintf("RANGE -Inf +Inf %.12f %.12f", max(p[1]-size, -90), min(p[1]+size, 90))
	default:
		c := sky.FromDegrees(p[0], p[1])
		e, f := c.Perpendicular()
		n := rapid.IntRange(3, 7).Draw(t, "vertices")
		text = "POLYGON"
		for i := range n {
			s, co := math.Sincos((float64(i) + rapid.Float64Range(0, 0.7).Draw(t, "turn")) * 2 * math.Pi / float64(n))
			far := min(size*sky.Degree, 1.4) * rapid.Float64Range(0.3, 1).Draw(t, "far")
			sf, cf := math.Sincos(far)
			lon, lat := c.Scale(cf).Add(e.Scale(sf * co)).Add(f.Scale(sf * s)).Degrees()
			text += fmt.Sprintf(" %.12f %.12f", lon, lat)
		}
	}
	st, err := stencil.Parse(text)
	if err != nil {
		t.Skip(err)
	}
	return st
}

// rect is a box for tests, rows and columns from zero, half-open.
type rect struct{ x0, x1, y0, y1 int64 }

func (r *rect) add(x, y int64) {
	if r.x1 == 0 {
		*r = rect{x, x + 1, y, y + 1}
		return
	}
	r.x0, r.x1, r.y0, r.y1 = min(r.x0, x), max(r.x1, x+1), min(r.y0, y), max(r.y1, y+1)
}

func (r rect) holds(s rect) bool {
	return s == rect{} || r.x0 <= s.x0 && r.x1 >= s.x1 && r.y0 <= s.y0 && r.y1 >= s.y1
}

// brute looks at a fine grid in every pixel. sure is the box of the pixels with a
// position well in the stencil; maybe holds those whose nearest position is no further from it
// than the grid's step as well.
func brute(w Mapper, st stencil.Stencil, nx, ny int64) (sure, maybe rect) {
	const n = 16
	at := make([]sky.Vec, (n+1)*(n+1))
	b := make([]float64, 2*len(at))
	for py := range ny {
		for px := range nx {
			for i := range at {
				b[2*i] = float64(px) + 0.5 + 1e-5 + (1-2e-5)*float64(i%(n+1))/n
				b[2*i+1] = float64(py) + 0.5 + 1e-5 + (1-2e-5)*float64(i/(n+1))/n
			}
			if _, err := w.ToSky(b, b); err != nil {
				panic(err)
			}
			hidden := 0
			for i := range at {
				at[i] = sky.Vec{}
				if !math.IsNaN(b[2*i]) {
					at[i] = sky.FromDegrees(b[2*i], b[2*i+1])
				} else {
					hidden++
				}
			}
			for i, v := range at {
				if v == (sky.Vec{}) {
					continue
				}
				if st.Contains(v) {
					sure.add(px, py)
					maybe.add(px, py)
					break
				}
				var step float64
				for _, j := range []int{i - 1, i + 1, i - n - 1, i + n + 1} {
					if j >= 0 && j < len(at) && at[j] != (sky.Vec{}) {
						step = max(step, min(v.Angle(at[j]), 0.5))
					}
				}
				if d := st.Distance(v); d <= 1.5*step || hidden > 0 && d < 0.2 {
					maybe.add(px, py)
				}
			}
		}
	}
	return sure, maybe
}

func TestCoverAgainstEveryPixel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, nx, ny := anyToy(t)
		st := anyStencil(t, &w, nx, ny)
		x0, x1, y0, y1, ok, err := Cover(&w, st, nx, ny)
		if err != nil {
			t.Fatal(err)
		}
		got := rect{x0, x1, y0, y1}
		sure, maybe := brute(&w, st, nx, ny)
		if ok != (got != rect{}) || !got.holds(sure) || !maybe.holds(got) {
			t.Fatalf("%s %dx%d %s: got %v, want at least %v and at most %v", w.name, nx, ny, st, got, sure, maybe)
		}
	})
}

// counting counts the positions that it is asked about.
type counting struct {
	Mapper
	n int
}

func (m *counting) ToSky(dst, src []float64) (int, error) {
	m.n += len(src) / 2
	return m.Mapper.ToSky(dst, src)
}

func (m *counting) ToPixel(dst, src []float64) (int, error) {
	m.n += len(src) / 2
	return m.Mapper.ToPixel(dst, src)
}

// nonsense answers without any order.
type nonsense struct{ *rand.Rand }

func (m nonsense) ToSky(dst, _ []float64) (int, error) {
	for i := range dst {
		dst[i] = m.Float64()*180 - 90
	}
	return 0, nil
}

func (m nonsense) ToPixel(dst, _ []float64) (int, error) {
	for i := range dst {
		if dst[i] = m.Float64() * 5000; m.IntN(5) == 0 {
			dst[i] = math.NaN()
		}
	}
	return 0, nil
}

// Whatever the image and the stencil, Cover looks at a bounded number of positions.
func TestCoverIsBounded(t *testing.T) {
	star := "POLYGON"
	for i := range 1000 {
		star += fmt.Sprintf(" %g %d", float64(i)*360/1000, 60-30*(i%2))
	}
	var mappers []Mapper
	const side = 40000
	for _, w := range toys {
		for _, scale := range []float64{1e-6, 2 * math.Pi / side} {
			w.cx, w.cy, w.scale = side/2, side/4, scale
			w.turn = sky.Matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
			mappers = append(mappers, &w)
		}
	}
	mappers = append(mappers, nonsense{rand.New(rand.NewPCG(1, 2))})
	for _, text := range []string{"CIRCLE 10 20 0.01", "CIRCLE 1 2 90", "CIRCLE 10 20 180", "RANGE 170 190 -90 90", "RANGE 0 360 -1 1", star} {
		st := mustParse(t, text)
		for i, m := range mappers {
			c := &counting{Mapper: m}
			if _, _, _, _, _, err := Cover(c, st, side, side/2); err != nil {
				t.Fatal(err)
			}
			if limit := 4*followSteps + divideSteps + 4*widenRounds*widenSteps; c.n > limit {
				t.Errorf("%.20s: mapper %d was asked %d times, want at most %d", text, i, c.n, limit)
			}
		}
	}
}

func BenchmarkCover(b *testing.B) {
	w := toys[0]
	w.cx, w.cy, w.scale = 2048, 2048, 0.2/3600*sky.Degree
	w.turn = sky.Matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	for _, text := range []string{"CIRCLE 0.03 0.03 0.007", "CIRCLE 0.03 0.03 5", "POLYGON 0 0 0.01 0 0.01 0.02 0 0.02"} {
		st := mustParse(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, _, ok, err := Cover(&w, st, 4096, 4096); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
