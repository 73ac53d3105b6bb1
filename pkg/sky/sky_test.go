package sky

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parse func(string) (float64, error)
		text  string
		want  float64 // NaN: refused
	}{
		{"degrees", ParseLongitude, "150.5", 150.5},
		{"degrees with their unit", ParseLongitude, "150.5deg", 150.5},
		{"hours", ParseLongitude, "10:30:00", 157.5},
		{"hours with letters", ParseLongitude, "10h30m00s", 157.5},
		{"hours and minutes", ParseLongitude, "10:30", 157.5},
		{"degrees, minutes and seconds", ParseLongitude, "10d30m36s", 10.51},
		{"declination", ParseLatitude, "-02:30:36", -2.51},
		{"declination between 0 and -1", ParseLatitude, "-00:30:00", -0.5},
		{"declination with letters", ParseLatitude, "+02d30m36.0s", 2.51},
		{"declination with marks", ParseLatitude, `+02°30'36"`, 2.51},
		{"exponent", ParseLatitude, "1e-3", 0.001},
		{"hours are no declination", ParseLatitude, "10h30m", math.NaN()},
		{"60 minutes", ParseLatitude, "10:60:00", math.NaN()},
		{"60 seconds", ParseLongitude, "10:00:60", math.NaN()},
		{"not a number", ParseLongitude, "NaN", math.NaN()},
		{"hexadecimal", ParseLongitude, "0x10", math.NaN()},
		{"infinite", ParseLatitude, "1e999", math.NaN()},
		{"nothing", ParseLongitude, "", math.NaN()},
		{"seconds of arc", ParseAngle, `36"`, 0.01},
		{"seconds of arc in letters", ParseAngle, "36arcsec", 0.01},
		{"minutes of arc", ParseAngle, "30'", 0.5},
		{"degrees of radius", ParseAngle, "0.1deg", 0.1},
		{"degrees without a unit", ParseAngle, "0.1", 0.1},
		{"radians", ParseAngle, "1rad", 180 / math.Pi},
		{"a unit that is none", ParseAngle, "3pc", math.NaN()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.text)
			if (err != nil) != math.IsNaN(tt.want) || err == nil && math.Abs(got-tt.want) > 1e-12 {
				t.Errorf("%q is %v (%v), want %v", tt.text, got, err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10:00:24.5", "-00:30:00", "150.1deg", `30"`, "1e-3", "10h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (float64, error){ParseLongitude, ParseLatitude, ParseAngle} {
			if v, err := parse(text); err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
				t.Errorf("%q is %v", text, v)
			}
		}
	})
}

// direction draws a direction anywhere on the sphere, its poles and seam included.
func direction(t *rapid.T, label string) Vec {
	return FromDegrees(rapid.Float64Range(0, 360).Draw(t, label+" longitude"), rapid.Float64Range(-90, 90).Draw(t, label+" latitude"))
}

func TestDirections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, w := direction(t, "v"), direction(t, "w")
		if lon, lat := v.Degrees(); lon < 0 || lon >= 360 || FromDegrees(lon, lat).Angle(v) > 1e-15*4 {
			t.Errorf("%v is at %v, %v, which leads elsewhere", v, lon, lat)
		}
		if e, f := v.Perpendicular(); e.Cross(f).Angle(v) > 1e-15*4 || math.Abs(e.Dot(v)) > 1e-15*4 {
			t.Errorf("%v and %v are no frame with %v", e, f, v)
		}
		if a := v.Angle(w); a > 1e-9 && a < math.Pi-1e-6 {
			half := v.Between(w, 0.5)
			if d := math.Abs(half.Angle(v) - half.Angle(w)); d > 1e-14 {
				t.Errorf("the middle of %v and %v is %v further from one of them", v, w, d)
			}
			if v.Between(w, 0).Angle(v) > 1e-14 || v.Between(w, 1).Angle(w) > 1e-14 {
				t.Errorf("the great circle from %v to %v begins or ends elsewhere", v, w)
			}
		}
	})
}

func TestAngleIsExactForSmallAngles(t *testing.T) {
	const mas = 1.0 / 3600e3
	got := FromDegrees(10, 89.9999).Angle(FromDegrees(10, 89.9999+mas)) / Degree / mas
	if math.Abs(got-1) > 1e-6 { // 1e-16 rad of rounding is 2e-8 of a milliarcsecond
		t.Errorf("a milliarcsecond near the pole is %v of one", got)
	}
}
