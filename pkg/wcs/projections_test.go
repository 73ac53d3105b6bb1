package wcs

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// example is a line of testdata/projections.jsonl.
type example struct {
	Name    string
	Cards   map[string]any
	Refused bool
	Pix     [][2]float64
	Sky     []*[2]float64
	Dir     [][2]float64
	At      []*[2]float64
}

// header returns the cards as they stand in a header.
func (e *example) header() header {
	h := header{}
	for k, v := range e.Cards {
		switch v := v.(type) {
		case string:
			h[k] = "'" + v + "'"
		case float64:
			h[k] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return h
}

func examples(t testing.TB) []example {
	t.Helper()
	b, err := os.ReadFile("testdata/projections.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	lines.Scan() // versions
	for lines.Scan() {
		var e example
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestProjections holds every projection, the forms of the linear part and the native pole
// against wcslib: 1e-9 degrees towards the sky (CSC 2e-5: wcslib evaluates it in single
// precision); towards the pixels 1e-6 pixels, relative to the distance beyond 1000 pixels.
func TestProjections(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples(t) {
		t.Run(e.Name, func(t *testing.T) {
			h := e.header()
			s, err := Parse(h, 2)
			if e.Refused {
				if !errors.Is(err, fault.Corrupt) {
					t.Errorf("Parse: %v, want it Corrupt as in wcslib", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, code := splitType(h.ctype(1))
			code, _, _ = strings.Cut(code, "-")
			seen[code] = true
			slack := 1e-9
			if code == "CSC" {
				slack = 2e-5
			}
			for i, p := range e.Pix {
				got := []float64{p[0], p[1]}
				hidden, err := s.ToSky(got, got)
				want := e.Sky[i]
				if err != nil || hidden == 1 != (want == nil) {
					t.Errorf("ToSky%v = %v, hidden %d, %v; want %v", p, got, hidden, err, want)
				} else if want != nil {
					d := sky.FromDegrees(got[0], got[1]).Angle(sky.FromDegrees(want[0], want[1])) / sky.Degree
					if !(d < slack) {
						t.Errorf("ToSky%v = %.10f, want %.10f: %g degrees apart", p, got, *want, d)
					}
				}
			}
			for i, p := range e.Dir {
				got := []float64{p[0], p[1]}
				hidden, err := s.ToPixel(got, got)
				want := e.At[i]
				if err != nil || hidden == 1 != (want == nil) {
					if hidden == 0 && code == "SZP" { // see onSeam in golden_test.go
						back, _ := s.direction(got[0], got[1])
						if back.Angle(sky.FromDegrees(p[0], p[1])) < 1e-12 {
							continue
						}
					}
					t.Errorf("ToPixel%v = %v, hidden %d, %v; want %v", p, got, hidden, err, want)
				} else if want != nil {
					d := math.Hypot(got[0]-want[0], got[1]-want[1]) / max(1, math.Hypot(want[0], want[1])/1000)
					if !(d < 1e-6) {
						t.Errorf("ToPixel%v = %.9f, want %.9f", p, got, *want)
					}
				}
			}
		})
	}
	for _, row := range projections {
		if !seen[row.code] {
			t.Errorf("projection %s has no line in testdata/projections.jsonl", row.code)
		}
	}
}

// TestFrames holds the ways to ICRS against astropy, to 1e-9 degrees.
func TestFrames(t *testing.T) {
	f, err := os.Open("testdata/frames.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	worst := map[string]float64{}
	for _, row := range rows {
		var n [4]float64
		for i := range n {
			if n[i], err = strconv.ParseFloat(row[3+i], 64); err != nil {
				t.Fatal(err)
			}
		}
		lat := map[string]string{"RA": "DEC--", "GLON": "GLAT-", "SLON": "SLAT-", "ELON": "ELAT-"}[row[0]]
		lon := (row[0] + "---")[:5]
		h := header{"CTYPE1": "'" + lon + "TAN'", "CTYPE2": "'" + lat + "TAN'", "CRVAL1": row[3], "CRVAL2": row[4], "CRPIX1": "7", "CRPIX2": "9"}
		if row[1] != "" {
			h["RADESYS"] = "'" + row[1] + "'"
		}
		if row[2] != "" {
			h["EQUINOX"] = row[2]
		}
		s, err := Parse(h, 2)
		if err != nil {
			t.Fatal(err)
		}
		at := []float64{7, 9}
		if _, err := s.ToSky(at, at); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(row[:3])
		d := sky.FromDegrees(at[0], at[1]).Angle(sky.FromDegrees(n[2], n[3])) / sky.Degree
		if !(d < 1e-9) {
			t.Errorf("%s %v is (%.12f, %.12f), want (%.12f, %.12f): %g degrees apart", name, row[3:5], at[0], at[1], n[2], n[3], d)
		}
		worst[name] = max(worst[name], d)
		if _, err := s.ToPixel(at, at); err != nil || math.Hypot(at[0]-7, at[1]-9) > 1e-9 {
			t.Errorf("%s: back at %v, %v; want pixel (7, 9)", name, at, err)
		}
	}
	for name, d := range worst {
		t.Logf("%-22s worst %8.1e degrees", name, d)
	}
}
