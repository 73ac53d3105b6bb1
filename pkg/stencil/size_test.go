package stencil

import (
	"math"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// A position is in the box if its gnomonic coordinates are; they are computed here from
// their definition (Calabretta & Greisen 2002, equations 54 and 5), not from vectors.
func TestSizeIsABoxInTheTangentPlane(t *testing.T) {
	for _, tt := range []struct{ ra, dec, w, h float64 }{{10, 20, 0.1, 0.05}, {0.01, -70, 1, 3}, {200, 89.99, 0.5, 0.2}, {200, -90, 2, 1}, {150, 2, 60, 90}} {
		p, err := NewSize(tt.ra, tt.dec, tt.w, tt.h)
		if err != nil {
			t.Fatal(err)
		}
		sd, cd := math.Sincos(tt.dec * sky.Degree)
		in, out := 0, 0
		for i := range 41 {
			for j := range 41 {
				xi, eta := (float64(i)-20)/15*tt.w/2, (float64(j)-20)/15*tt.h/2 // 15 steps to the side; degrees
				x, y := xi*sky.Degree, eta*sky.Degree
				ra := tt.ra*sky.Degree + math.Atan2(x, cd-y*sd)
				dec := math.Atan2((sd+y*cd)*math.Cos(ra-tt.ra*sky.Degree), cd-y*sd)
				if cd-y*sd < 0 { // over the pole
					dec = math.Atan2(sd+y*cd, math.Hypot(x, cd-y*sd))
				}
				want := math.Abs(xi) <= tt.w/2 && math.Abs(eta) <= tt.h/2
				if i == 5 || i == 35 || j == 5 || j == 35 {
					continue // on the border, within rounding
				}
				if got := p.Contains(sky.FromDegrees(ra/sky.Degree, dec/sky.Degree)); got != want {
					t.Errorf("%v: ξ %g, η %g is inside: %t", tt, xi, eta, got)
				}
				if want {
					in++
				} else {
					out++
				}
			}
		}
		if in < 800 || out < 600 {
			t.Errorf("%v: %d in, %d out", tt, in, out)
		}
	}
}

func TestSizeRefuses(t *testing.T) {
	for _, text := range []string{"", "1 2 3", "1 2 3 4 5", "1 2 0 1", "1 2 1 -1", "1 2 181 1", "1 91 1 1", "361 1 1 1", "1 2 x 1", "1 2 Inf 1", "1 2 1e-15 1e-15", "1 2 1 1e-15"} {
		if p, err := ParseSize(text); err == nil || !strings.Contains(fault.Sentence(err), "SIZE") || strings.Contains(fault.Sentence(err), "POLYGON") {
			t.Errorf("SIZE %q is %v: %v", text, p, err)
		}
	}
}

func TestSizeIsCalledAsItWasAsked(t *testing.T) {
	p, err := ParseSize(" 010.50 -20 0.1 5e-2 ")
	if err != nil || p.String() != "SIZE 10.5 -20 0.1 0.05" {
		t.Errorf("%v, %v: want SIZE 10.5 -20 0.1 0.05", p, err)
	}
}
