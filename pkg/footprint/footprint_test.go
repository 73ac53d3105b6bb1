package footprint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// golden is one image of testdata/footprints.jsonl.
type golden struct {
	Name          string
	Cards         []string
	Outline       string // arcs: four corners; curves: more vertices; none; sphere: not even a circle
	Corners, Edge [][2]float64
	Radius, Scale float64
}

func goldens(t *testing.T) (all []golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/footprints.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines[1:] {
		var g golden
		if err := json.Unmarshal([]byte(line), &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if len(all) < 15 {
		t.Fatalf("%d images", len(all))
	}
	return all
}

// index returns the index of a file of some headers, with zeros as data.
func index(t *testing.T, headers ...[]string) *fits.Index {
	t.Helper()
	var file []byte
	for _, cards := range headers {
		h, err := fits.ParseText(strings.Join(cards, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		bitpix, _, _ := h.Int("BITPIX")
		size := max(bitpix, -bitpix) / 8
		naxis, _, _ := h.Int("NAXIS")
		for axis := range naxis {
			n, _, _ := h.Int("NAXIS" + string(rune('1'+axis)))
			size *= n
		}
		file = append(append(file, h.Bytes()...), make([]byte, (size+2879)/2880*2880)...)
	}
	x, err := fits.ReadIndex(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// away returns the angle from v to the nearest edge of a polygon, in radians.
func away(polygon []float64, v sky.Vec) float64 {
	nearest := math.Inf(1)
	for i := 0; i < len(polygon); i += 2 {
		j := (i + 2) % len(polygon)
		a, b := sky.FromDegrees(polygon[i], polygon[i+1]), sky.FromDegrees(polygon[j], polygon[j+1])
		if normal := a.Cross(b).Unit(); a.Cross(v).Dot(normal) >= -1e-9 && v.Cross(b).Dot(normal) >= -1e-9 {
			nearest = min(nearest, math.Abs(v.Add(a.Scale(-1)).Dot(normal)))
		}
		nearest = min(nearest, a.Angle(v))
	}
	return nearest
}

// winding is more than 0 for vertices that are counter-clockwise in a drawing with north up
// and east to the left around the middle.
func winding(polygon []float64, ra, dec float64) (area float64) {
	middle := sky.FromDegrees(ra, dec)
	east, north := sky.FromDegrees(ra+90, 0), sky.FromDegrees(ra, dec+90)
	flat := func(i int) (x, y float64) {
		v := sky.FromDegrees(polygon[i%len(polygon)], polygon[(i+1)%len(polygon)])
		return -v.Dot(east) / v.Dot(middle), v.Dot(north) / v.Dot(middle)
	}
	for i := 0; i < len(polygon); i += 2 {
		x0, y0 := flat(i)
		x1, y1 := flat(i + 2)
		area += x0*y1 - x1*y0
	}
	return area
}

// DL-06 SODA-13: outlines and circles against astropy.
func TestOutlines(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.Name, func(t *testing.T) {
			f := Of(index(t, g.Cards))
			if len(f.Images) != 1 {
				t.Fatalf("%d images", len(f.Images))
			}
			m, area := f.Images[0], f.Area
			if math.Abs(m.PixelScale/g.Scale-1) > 1e-9 {
				t.Errorf("a pixel of %g degrees, want %g", m.PixelScale, g.Scale)
			}
			if g.Outline == "none" || g.Outline == "sphere" {
				if area.Polygon != nil || area.Circle.Whole() != (g.Outline == "sphere") {
					t.Errorf("%v, want no polygon; of outline %s", area, g.Outline)
				}
				return
			}
			if n := len(area.Polygon) / 2; n < 4 || g.Outline == "arcs" && n != 4 {
				t.Fatalf("%d vertices for an outline of four %s", n, g.Outline)
			}
			if _, err := stencil.NewPolygon(area.Polygon...); err != nil {
				t.Errorf("the polygon cannot be asked for: %v", err)
			}
			if winding(area.Polygon, m.RA, m.Dec) <= 0 {
				t.Errorf("the vertices are clockwise as seen from inside: %v", area.Polygon)
			}
			tolerance := g.Radius * sky.Degree / 1000
			for _, p := range g.Corners {
				nearest := math.Inf(1)
				for i := 0; i < len(area.Polygon); i += 2 {
					nearest = min(nearest, sky.FromDegrees(area.Polygon[i], area.Polygon[i+1]).Angle(sky.FromDegrees(p[0], p[1])))
				}
				if nearest > 1e-9*sky.Degree {
					t.Errorf("no vertex at the corner %v but %g degrees off", p, nearest/sky.Degree)
				}
			}
			centre := sky.FromDegrees(area.Circle.RA, area.Circle.Dec)
			for _, p := range g.Edge {
				v := sky.FromDegrees(p[0], p[1])
				if d := away(area.Polygon, v); d > 1.1*tolerance {
					t.Errorf("the edge at %v is %g degrees off the outline", p, d/sky.Degree)
				}
				if d := centre.Angle(v) / sky.Degree; d > area.Circle.Radius {
					t.Errorf("the edge at %v is %g degrees outside of the circle", p, d-area.Circle.Radius)
				}
			}
			// astropy looked at fewer positions, so its circle may be smaller by a thousandth or two.
			if r := area.Circle.Radius / g.Radius; r < 1 || r > 1.005 {
				t.Errorf("a circle of %g degrees, want %g", area.Circle.Radius, g.Radius)
			}
		})
	}
}

// pointing returns the cards of a small image around a place.
func pointing(first bool, ra, dec string) []string {
	cards := []string{"XTENSION= 'IMAGE   '"}
	if first {
		cards = []string{"SIMPLE  =                    T"}
	}
	cards = append(cards, "BITPIX  =                    8", "NAXIS   =                    2", "NAXIS1  =                   10", "NAXIS2  =                   10")
	if !first {
		cards = append(cards, "PCOUNT  =                    0", "GCOUNT  =                    1")
	}
	return append(cards, "CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRPIX1  = 5.5", "CRPIX2  = 5.5", "CDELT1  = -0.01", "CDELT2  = 0.01",
		"CRVAL1  = "+ra, "CRVAL2  = "+dec)
}

func TestAreaOfSeveralImages(t *testing.T) {
	for _, tt := range []struct {
		name     string
		places   [][2]string
		images   int
		vertices int
		radius   float64 // degrees; a half diagonal of one image is 0.0707
	}{
		{"an image and its planes", [][2]string{{"10", "0"}, {"10", "0"}, {"10", "0"}}, 3, 4, 0.0707},
		{"two detectors", [][2]string{{"0.1", "0"}, {"359.9", "0"}}, 2, 4, math.Hypot(0.15, 0.05)},
		{"a mosaic of 2 by 2 with gaps", [][2]string{{"10", "0"}, {"10.2", "0"}, {"10", "0.2"}, {"10.2", "0.2"}}, 4, 4, math.Hypot(0.15, 0.15)},
		{"a cross", [][2]string{{"10", "0"}, {"10.2", "0"}, {"9.8", "0"}, {"10", "0.2"}, {"10", "-0.2"}}, 5, 8, math.Hypot(0.25, 0.05)},
		{"opposite directions", [][2]string{{"10", "0"}, {"190", "0"}}, 2, 0, 180},
		{"none", nil, 0, 0, 180},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var headers [][]string
			for i, p := range tt.places {
				headers = append(headers, pointing(i == 0, p[0], p[1]))
			}
			if headers == nil {
				headers = [][]string{{"SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0"}}
			}
			f := Of(index(t, headers...))
			if len(f.Images) != tt.images || len(f.Area.Polygon) != 2*tt.vertices {
				t.Fatalf("%d images with an outline of %d vertices, want %d and %d", len(f.Images), len(f.Area.Polygon)/2, tt.images, tt.vertices)
			}
			if r := f.Area.Circle.Radius / tt.radius; r < 0.999 || r > 1.005 {
				t.Errorf("a circle of %g degrees, want %g", f.Area.Circle.Radius, tt.radius)
			}
			if tt.vertices == 0 {
				return
			}
			p, err := stencil.NewPolygon(f.Area.Polygon...)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range f.Images {
				for i := 0; i < len(m.Area.Polygon); i += 2 {
					if d := p.Distance(sky.FromDegrees(m.Area.Polygon[i], m.Area.Polygon[i+1])); d > 1e-12 {
						t.Errorf("%v is %g outside of the outline of all", m.Area.Polygon[i:i+2], d)
					}
				}
			}
		})
	}
}

// Of real images, each corner and each pixel of a grid lies in the circle and next to or in
// the polygon.
func TestRealImages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(outside.Images(t), "real", "*.f*"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	polygons := 0
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		opened, err := fits.Open(file, stat.Size())
		file.Close()
		if err != nil {
			continue // some are broken on purpose
		}
		f := Of(opened.Index)
		for _, m := range append(f.Images, Image{Area: f.Area}) {
			if m.HDU != nil && m.Area.Polygon != nil {
				polygons++
				checkGrid(t, filepath.Base(name), &m, m.Area)
				checkGrid(t, filepath.Base(name), &m, f.Area)
			}
		}
	}
	if polygons < 30 {
		t.Errorf("%d images have a polygon", polygons)
	}
}

func checkGrid(t *testing.T, name string, m *Image, area Area) {
	t.Helper()
	system, err := cutout.System(m.HDU)
	if err != nil {
		t.Fatal(err)
	}
	x, y := system.Axes()
	centre := sky.FromDegrees(area.Circle.RA, area.Circle.Dec)
	var polygon *stencil.Polygon
	if area.Polygon != nil {
		p, err := stencil.NewPolygon(area.Polygon...)
		if err != nil {
			t.Fatalf("%s %s: %v", name, m.HDU, err)
		}
		polygon = &p
	}
	const n = 13
	for i := range n * n {
		px, py := 0.5+float64(m.HDU.Shape[x])*float64(i%n)/(n-1), 0.5+float64(m.HDU.Shape[y])*float64(i/n)/(n-1)
		v, ok := system.Direction(px, py)
		if !ok {
			continue
		}
		if d := centre.Angle(v) / sky.Degree; d > area.Circle.Radius {
			t.Errorf("%s %s: pixel %g %g is %g degrees outside of the circle", name, m.HDU, px, py, d-area.Circle.Radius)
		}
		if polygon != nil && polygon.Distance(v) > 2*area.Circle.Radius*sky.Degree/1000 {
			t.Errorf("%s %s: pixel %g %g is %g degrees outside of the polygon", name, m.HDU, px, py, polygon.Distance(v)/sky.Degree)
		}
	}
}

// What is announced tells a thousandth of the circle, and holds all of it.
func TestText(t *testing.T) {
	for _, tt := range []struct {
		circle Circle
		want   string
	}{
		{Circle{10, 20, 0.032}, "10 20 0.032"},
		{Circle{150.1163000000001, -2.20579999999, 0.0806141}, "150.1163 -2.2058 0.080615"},
		{Circle{0, 0, 180}, "0 0 180"},
		{Circle{359.99999999, 89.123456789, 12.3456}, "360 89.123 12.346"},
		{Circle{83.123456789012, 1, 1.5e-6}, "83.123456789 1 0.0000015"},
	} {
		if got := tt.circle.String(); got != tt.want {
			t.Errorf("%v is written %s, want %s", tt.circle, got, tt.want)
		}
	}
	if got := (Area{Circle{10, 20, 0.5}, []float64{9.123456, 19.5, 9.5, 20.123456, 10.25, 19.5}}).Vertices(); got != "9.12346 19.5 9.5 20.12346 10.25 19.5" {
		t.Errorf("vertices %s", got)
	}
}
