package stencil

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"CIRCLE 10.5 -20 0.1":                  "CIRCLE 10.5 -20 0.1",
		"circle 1e1 +2.50 .5":                  "CIRCLE 10 2.5 0.5",
		"  Circle\t360 -90 180 ":               "CIRCLE 360 -90 180",
		"CIRCLE -0 -0 1e-12":                   "CIRCLE 0 0 1e-12",
		"CIRCLE 0.1 0.30000000000000004 5.":    "CIRCLE 0.1 0.30000000000000004 5",
		"RANGE 12 14 34 36":                    "RANGE 12 14 34 36",
		"range 359 1 -inf +INF":                "RANGE 359 1 -Inf +Inf",
		"RANGE -Inf Inf 89 90":                 "RANGE -Inf +Inf 89 90",
		"RANGE 0 360 -2 2":                     "RANGE 0 360 -2 2",
		"POLYGON 12 34 14 34 14 36 12 36":      "POLYGON 12 34 14 34 14 36 12 36",
		"Polygon 12 34 14 34 14 36 12 34":      "POLYGON 12 34 14 34 14 36",
		"POLYGON 12 34 12 34 14 34 14 36":      "POLYGON 12 34 14 34 14 36",
		"POLYGON 0 80 120 80 240 80":           "POLYGON 0 80 120 80 240 80",
		"POLYGON 0 0 120 0 240 0":              "POLYGON 0 0 120 0 240 0",
		"POLYGON 10 90 5 89 6 89 200 90 10 90": "POLYGON 10 90 5 89 6 89",
	} {
		s, err := Parse(in)
		if err != nil || s.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, s, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{ // a part of the sentence
		"":                                "empty",
		"BOX 1 2 3 4":                     `begins with "BOX"`,
		"12 34 1":                         `begins with "12"`,
		"CIRCLE 12 34":                    "has 2 values: want 3",
		"CIRCLE 12 34 1 1":                "has 4 values: want 3",
		"CIRCLE 12 34 0":                  "the radius of CIRCLE is 0: want more than 0",
		"CIRCLE 12 34 -1":                 "the radius of CIRCLE is -1",
		"CIRCLE 12 34 180.1":              "the radius of CIRCLE is 180.1",
		"CIRCLE 12 34 inf":                "the radius of CIRCLE is +Inf",
		"CIRCLE 12 91 1":                  "the latitude of CIRCLE is 91: want -90 to 90",
		"CIRCLE 361 0 1":                  "the longitude of CIRCLE is 361: want 0 to 360",
		"CIRCLE -1 0 1":                   "the longitude of CIRCLE is -1",
		"CIRCLE 12 34 x":                  `the radius of CIRCLE is "x": want a decimal number`,
		"CIRCLE NaN 0 1":                  `"NaN"`,
		"CIRCLE 0x1p-3 0 1":               `"0x1p-3"`,
		"CIRCLE 1_0 0 1":                  `"1_0"`,
		"CIRCLE 10,5 0 1":                 `"10,5"`,
		"CIRCLE Infinity 0 1":             `"Infinity"`,
		"CIRCLE 1e999 0 1":                "too large",
		"CIRCLE 1 0 " + longDigits:        "…",
		"RANGE 1 2 3":                     "has 3 values: want 4",
		"RANGE 1 2 4 3":                   "from latitude 4 down to 3",
		"RANGE +Inf 2 3 4":                "the first longitude of RANGE is +Inf",
		"RANGE 1 -Inf 3 4":                "the second longitude of RANGE is -Inf",
		"RANGE 1 2 3 91":                  "the second latitude of RANGE is 91",
		"RANGE 1 2 nan 4":                 `"nan"`,
		"POLYGON 1 2 3 4":                 "has 4 values: want 6 or more",
		"POLYGON 1 2 3 4 5":               "has 5 values",
		"POLYGON 1 2 3 4 5 6 7":           "has 7 values: want 6 or more and an even number",
		"POLYGON 1 2 3 4 5 Inf":           "the latitude of vertex 3 of POLYGON is +Inf",
		"POLYGON 1 2 3 4 5 97":            "the latitude of vertex 3 of POLYGON is 97",
		"POLYGON 1 2 1 2 1 2":             "has 1 different vertices",
		"POLYGON 1 2 3 4 1 2":             "has 2 different vertices",
		"POLYGON 10 0 20 0 30 0":          "encloses no area",
		"POLYGON 10 10 10 20 10 30 10 40": "encloses no area",
		"POLYGON 0 0 180 0 90 45":         "opposite on the sphere",
		"POLYGON 0 0 2 2 2 0 0 2":         "edges 1 and 3 of POLYGON cross",
	} {
		s, err := Parse(in)
		if err == nil || !errors.Is(err, fault.Usage) || !strings.Contains(fault.Sentence(err), want) {
			t.Errorf("Parse(%q) = %v, %v; want a fault.Usage that says %q", in, s, err, want)
		}
	}
}

const longDigits = "0.1234567890123456789012345678901234567890123456789x"

func TestPolygonLimit(t *testing.T) {
	ring := func(n int) (values []float64) {
		for i := range n {
			values = append(values, float64(i)*360/float64(n), 60)
		}
		return values
	}
	if _, err := NewPolygon(ring(MaxVertices)...); err != nil {
		t.Errorf("%d vertices: %v", MaxVertices, err)
	}
	if _, err := NewPolygon(ring(MaxVertices + 1)...); !errors.Is(err, fault.Usage) {
		t.Errorf("%d vertices: %v, want fault.Usage", MaxVertices+1, err)
	}
}

func mustParse(t testing.TB, text string) Stencil {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContains(t *testing.T) {
	for _, tt := range []struct {
		name, stencil string
		lon, lat      float64
		want          bool
	}{
		{"edge belongs to the circle", "CIRCLE 10 0 1", 11, 0, true},
		{"just past the edge", "CIRCLE 10 0 1", 11.0000000001, 0, false},
		{"across RA = 0", "CIRCLE 359.9 0 0.3", 0.1, 0, true},
		{"over the pole", "CIRCLE 0 89.9 0.3", 180, 89.9, true},
		{"a tiny circle has its edge", "CIRCLE 10 20 1e-9", 10, 20.000000001, true},
		{"and nothing beyond", "CIRCLE 10 20 1e-9", 10, 20.0000000011, false},
		{"larger than a hemisphere", "CIRCLE 0 90 179.999999", 77, -89.9999989, true},
		{"but not its antipode", "CIRCLE 0 90 179.999999", 77, -89.9999991, false},
		{"the whole sphere", "CIRCLE 0 90 180", 0, -90, true},
		{"range: border", "RANGE 12 14 34 36", 14, 36, true},
		{"range: outside by a little", "RANGE 12 14 34 36", 14, 36.00000000001, false},
		{"range: opposite meridian", "RANGE 12 14 34 36", 193, 35, false},
		{"range across 0", "RANGE 359 1 -1 1", 0, 0, true},
		{"range across 0, the other part", "RANGE 359 1 -1 1", 180, 0, false},
		{"range of 300 degrees", "RANGE 30 330 -1 1", 200, 0, true},
		{"not in the 60 left", "RANGE 30 330 -1 1", 0, 0, false},
		{"a pole belongs to a lune", "RANGE 10 11 80 90", 200, 90, true},
		{"a point", "RANGE 10 10 20 20", 10, 20, true},
		{"beside the point", "RANGE 10 10 20 20", 10.00000000001, 20, false},
		{"an open end is 360, and does not wrap", "RANGE 350 +Inf -1 1", 1, 0, false},
		{"polygon: a great circle bulges to the north", "POLYGON 10 60 50 60 30 70", 30, 61, false},
		{"polygon: vertex", "POLYGON 10 60 50 60 30 70", 30, 70, true},
		{"polygon: clockwise", "POLYGON 12 34 14 34 14 36 12 36", 13, 35, true},
		{"polygon: counter-clockwise", "POLYGON 12 36 14 36 14 34 12 34", 13, 35, true},
		{"polygon around the pole", "POLYGON 0 80 120 80 240 80", 300, 89, true},
		{"polygon around the pole, outside", "POLYGON 0 80 120 80 240 80", 60, 70, false},
		{"a range that is a pole", "RANGE 0 360 90 90", 77, 90, true},
		{"beside the pole", "RANGE 0 360 90 90", 77, 89.99999999999, false},
		{"an octant", "POLYGON 0 0 90 0 0 90", 45, 35, true},
		{"a corner of the octant", "POLYGON 0 0 90 0 0 90", 300, 90, true},
		{"opposite to the octant", "POLYGON 0 0 90 0 0 90", 225, -35, false},
		{"half of the sphere goes by winding: counter-clockwise from inside", "POLYGON 240 0 120 0 0 0", 10, 10, true},
		{"and the other way", "POLYGON 0 0 120 0 240 0", 10, 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustParse(t, tt.stencil)
			p := sky.FromDegrees(tt.lon, tt.lat)
			if got := s.Contains(p); got != tt.want {
				t.Errorf("%s contains (%g, %g) = %t, want %t", s, tt.lon, tt.lat, got, tt.want)
			}
			if d := s.Distance(p); (d <= rounding) != tt.want {
				t.Errorf("distance %g of (%g, %g) from %s, which contains it: %t", d, tt.lon, tt.lat, s, tt.want)
			}
		})
	}
}

// anyStencil draws a stencil of any kind and size.
func anyStencil(t *rapid.T) Stencil {
	lon := rapid.Float64Range(0, 360)
	lat := rapid.Float64Range(-90, 90)
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		size := math.Pow(10, rapid.Float64Range(-9, math.Log10(180)).Draw(t, "log radius"))
		c, err := NewCircle(lon.Draw(t, "lon"), lat.Draw(t, "lat"), min(size, 180))
		if err != nil {
			t.Fatal(err)
		}
		return c
	case 1:
		a, b := lat.Draw(t, "lat1"), lat.Draw(t, "lat2")
		r, err := NewRange(lon.Draw(t, "lon1"), lon.Draw(t, "lon2"), min(a, b), max(a, b))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	p, err := NewPolygon(starValues(t)...)
	if err != nil {
		t.Skip(err)
	}
	return p
}

// starValues draws the vertices of a polygon around a centre, in order of their
// direction from it.
func starValues(t *rapid.T) (values []float64) {
	c := sky.FromDegrees(rapid.Float64Range(0, 360).Draw(t, "lon"), rapid.Float64Range(-90, 90).Draw(t, "lat"))
	e, f := c.Perpendicular()
	n := rapid.IntRange(3, 9).Draw(t, "vertices")
	size := math.Pow(10, rapid.Float64Range(-7, 0.1).Draw(t, "log size"))
	for i := range n {
		angle := (float64(i) + rapid.Float64Range(0, 0.8).Draw(t, "turn")) * 2 * math.Pi / float64(n)
		far := size * rapid.Float64Range(0.3, 1).Draw(t, "far")
		sa, ca := math.Sincos(angle)
		sf, cf := math.Sincos(far)
		lon, lat := c.Scale(cf).Add(e.Scale(sf * ca)).Add(f.Scale(sf * sa)).Degrees()
		values = append(values, lon, lat)
	}
	return values
}

func anyDirection(t *rapid.T) sky.Vec {
	z := rapid.Float64Range(-1, 1).Draw(t, "z")
	s, c := math.Sincos(rapid.Float64Range(0, 2*math.Pi).Draw(t, "angle"))
	h := math.Sqrt(1 - z*z)
	return sky.Vec{X: h * c, Y: h * s, Z: z}
}

// beside draws a direction that is close to another, or is it.
func beside(t *rapid.T, p sky.Vec) sky.Vec {
	e, f := p.Perpendicular()
	sa, ca := math.Sincos(rapid.Float64Range(0, 2*math.Pi).Draw(t, "angle beside"))
	sf, cf := math.Sincos(math.Pow(10, rapid.Float64Range(-16, 0).Draw(t, "log angle beside")))
	return p.Scale(cf).Add(e.Scale(sf * ca)).Add(f.Scale(sf * sa))
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStencil(t)
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%s became %v, %v", s, again, err)
		}
	})
}

// No stencil but the whole sphere lacks a border: that of a point is the point.
func TestEveryStencilHasABorder(t *testing.T) {
	for _, text := range []string{"RANGE 0 360 90 90", "RANGE 0 360 -90 -90", "RANGE 10 20 90 90", "RANGE 10 10 20 20", "RANGE 0 360 89 90", "CIRCLE 0 90 1e-12"} {
		s := mustParse(t, text)
		border := s.Border()
		if len(border) == 0 {
			t.Errorf("%s has no border", text)
		}
		for _, c := range border {
			if d := s.Distance(c(0.5)); d > 3*rounding {
				t.Errorf("the border of %s lies outside by %g", text, d)
			}
		}
	}
}

// The border belongs to the stencil, and directly beside it lie an inside and an outside.
func TestBorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStencil(t)
		at := rapid.Float64Range(0, 1)
		for i, c := range s.Border() {
			p := c(at.Draw(t, "t"))
			if d := math.Abs(p.Norm() - 1); d > 1e-15 {
				t.Fatalf("border %d of %s leaves the sphere by %g", i, s, d)
			}
			if d := s.Distance(p); d > 3*rounding {
				t.Fatalf("border %d of %s lies outside by %g", i, s, d)
			}
		}
	})
}

// Distance is that of the nearest point: no border point is nearer, and some border point
// is as near.
func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := anyStencil(t), anyDirection(t)
		if c, ok := s.Centre(); ok && rapid.Bool().Draw(t, "opposite") {
			p = beside(t, c.Scale(-1))
		}
		d := s.Distance(p)
		if (d == 0) != s.Contains(p) {
			t.Fatalf("distance %g from %s, contains = %t", d, s, s.Contains(p))
		}
		if d == 0 {
			return
		}
		nearest := math.Inf(1)
		var length float64
		for _, c := range s.Border() {
			const steps = 2000
			var arc float64
			for i := range steps + 1 {
				q := c(float64(i) / steps)
				nearest = min(nearest, p.Angle(q))
				if i > 0 {
					arc = max(arc, q.Angle(c(float64(i-1)/steps)))
				}
			}
			length = max(length, arc)
		}
		if d > nearest+1e-12 || d < nearest-length-1e-14 {
			t.Fatalf("%s is at %g, its border at %g", s, d, nearest)
		}
	})
}

func TestEitherWinding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := starValues(t)
		a, err := NewPolygon(values...)
		if err != nil {
			t.Skip(err)
		}
		back := make([]float64, 0, len(values))
		for i := len(values) - 2; i >= 0; i -= 2 {
			back = append(back, values[i], values[i+1])
		}
		b, err := NewPolygon(back...)
		if err != nil {
			t.Fatal(err)
		}
		if p := anyDirection(t); a.Contains(p) != b.Contains(p) {
			t.Fatalf("%s and %s disagree on %v", a, b, p)
		}
		c, ok := a.Centre()
		if _, alsoOK := b.Centre(); ok != alsoOK || ok && !b.Contains(c) {
			t.Fatalf("%s and %s disagree on their centre", a, b)
		}
	})
}

// A stencil turned about the poles contains what it contained, across longitude 0 as
// anywhere else.
func TestTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := anyStencil(t), anyDirection(t)
		by := rapid.Float64Range(0, 360).Draw(t, "by")
		turned := func(lon float64) float64 { return math.Mod(lon+by, 360) }
		var u Stencil
		var err error
		switch s := s.(type) {
		case Circle:
			u, err = NewCircle(turned(s.ra), s.dec, s.radius)
		case Range:
			r, e := NewRange(turned(s.lon1), turned(s.lon2), s.lat1, s.lat2)
			if math.Abs(r.width-s.width) > 1e-9 {
				t.Skip("rounding put the longitudes in another order")
			}
			u, err = r, e
		case Polygon:
			values := make([]float64, len(s.values))
			for i := 0; i < len(values); i += 2 {
				values[i], values[i+1] = turned(s.values[i]), s.values[i+1]
			}
			u, err = NewPolygon(values...)
		}
		if err != nil {
			t.Fatal(err)
		}
		lon, lat := p.Degrees()
		d, e := s.Distance(p), u.Distance(sky.FromDegrees(turned(lon), lat))
		if math.Abs(d-e) > 1e-12 {
			t.Fatalf("%s is at %g, %s at %g", s, d, u, e)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"CIRCLE 10.5 -20 0.1", "RANGE 10 12 -Inf +Inf", "POLYGON 0 0 1 0 1 1", "RANGE 359 1 -1 1",
		"POLYGON 0 0 120 0 240 0", "POLYGON 0 90 90 90 0 0", "CIRCLE 0 90 180", "POLYGON 0 0 2 2 2 0 0 2", "circle 1e-300 .5 5.e-7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first, err := Parse(in)
		if err != nil {
			if fault.CodeOf(err) != fault.Usage {
				t.Errorf("%q: %v is no fault.Usage", in, err)
			}
			return
		}
		if second, err := Parse(first.String()); err != nil || second.String() != first.String() {
			t.Errorf("%q became %q, then %v, %v", in, first, second, err)
		}
		for _, c := range first.Border() {
			if p := c(0.25); first.Distance(p) > 1e-12 {
				t.Errorf("%q: the border lies outside", in)
			}
		}
		if c, ok := first.Centre(); ok && !first.Contains(c) {
			t.Errorf("%q does not contain its centre", in)
		}
	})
}

func BenchmarkContains(b *testing.B) {
	for _, text := range []string{"CIRCLE 10 20 0.1", "RANGE 9 11 19 21", "POLYGON 9 19 11 19 11 21 9 21"} {
		s := mustParse(b, text)
		b.Run(strings.Fields(text)[0], func(b *testing.B) {
			p := sky.FromDegrees(10.05, 20.05)
			for b.Loop() {
				if !s.Contains(p) {
					b.Fatal("outside")
				}
			}
		})
	}
}
