package wcs

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// plain is a TAN header with ten-arcsecond pixels.
var plain = header{
	"CTYPE1": "'RA---TAN'", "CRVAL1": "150.0", "CRPIX1": "100.5", "CDELT1": "-0.0027777777777777778", "CUNIT1": "'deg     '",
	"CTYPE2": "'DEC--TAN'", "CRVAL2": "2.2", "CRPIX2": "200.5", "CDELT2": "0.0027777777777777778",
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cards []string
		naxis int
		want  error
		word  string // in the sentence
	}{
		{"spectrum", []string{"CTYPE1='WAVE'", "CTYPE2='PIXEL'"}, 2, NoSky, "celestial"},
		{"no CTYPE at all", []string{"CTYPE1=", "CTYPE2="}, 2, NoSky, "celestial"},
		{"no image", nil, 0, NoSky, "celestial"},
		{"right ascension without declination", []string{"CTYPE2='FREQ'"}, 2, fault.Corrupt, "CTYPE1"},
		{"declination without right ascension", []string{"CTYPE1='FREQ'"}, 2, fault.Corrupt, "CTYPE2"},
		{"two projections", []string{"CTYPE2='DEC--SIN'"}, 2, fault.Corrupt, "DEC--SIN"},
		{"two frames", []string{"CTYPE2='GLAT-TAN'"}, 2, fault.Corrupt, "GLAT-TAN"},
		{"two longitudes", []string{"CTYPE3='GLON-TAN'"}, 3, fault.Unsupported, "CTYPE3"},
		{"celestial axis beyond the image", []string{"WCSAXES=3", "CTYPE2='FREQ'", "CTYPE3='DEC--TAN'"}, 2, fault.Unsupported, "pixel axes"},
		{"unknown projection", []string{"CTYPE1='RA---XYZ'", "CTYPE2='DEC--XYZ'"}, 2, fault.Unsupported, "XYZ"},
		{"IRAF's TNX", []string{"CTYPE1='RA---TNX'", "CTYPE2='DEC--TNX'"}, 2, fault.Unsupported, "TNX"},
		{"IRAF's ZPX", []string{"CTYPE1='RA---ZPX'", "CTYPE2='DEC--ZPX'"}, 2, fault.Unsupported, "ZPX"},
		{"lookup table of coordinates", []string{"CTYPE1='RA---TAB'", "CTYPE2='DEC--TAB'"}, 2, fault.Unsupported, "TAB"},
		{"no projection", []string{"CTYPE1='RA'", "CTYPE2='DEC'"}, 2, fault.Unsupported, "no projection"},
		{"unknown distortion", []string{"CTYPE1='RA---TAN-FOO'", "CTYPE2='DEC--TAN-FOO'"}, 2, fault.Unsupported, "FOO"},
		{"the Sun", []string{"CTYPE1='HPLN-TAN'", "CTYPE2='HPLT-TAN'"}, 2, fault.Unsupported, "HPLN"},
		{"a planet", []string{"CTYPE1='MLON-CAR'", "CTYPE2='MLAT-CAR'"}, 2, fault.Unsupported, "MLON"},
		{"ATF of IRAS", []string{"CTYPE1='LON--ATF'", "CTYPE2='LAT--ATF'"}, 2, fault.Unsupported, "LON--ATF"},
		{"apparent place", []string{"RADESYS='GAPPT'"}, 2, fault.Unsupported, "GAPPT"},
		{"lookup table of Paper IV", []string{"CPDIS1='LOOKUP'"}, 2, fault.Unsupported, "CPDIS1"},
		{"detector table of HST", []string{"D2IMDIS2='LOOKUP'"}, 2, fault.Unsupported, "D2IMDIS2"},
		{"older detector table of HST", []string{"AXISCORR=1", "D2IMEXT='jref$d2i.fits'"}, 2, fault.Unsupported, "AXISCORR"},
		{"record of a distortion", []string{"DP2='NAXES: 2'"}, 2, fault.Unsupported, "DP2"},
		{"sky rotated into frequency", []string{"CTYPE3='FREQ'", "PC2_3=0.1"}, 3, fault.Unsupported, "axis 3"},
		{"frequency rotated into sky", []string{"CTYPE3='FREQ'", "PC3_1=0.1"}, 3, fault.Unsupported, "axis 1"},
		{"unit that is no angle", []string{"CUNIT1='Hz'"}, 2, fault.Unsupported, "CUNIT1"},
		{"singular matrix", []string{"CD1_1=1", "CD1_2=2", "CD2_1=2", "CD2_2=4"}, 2, fault.Corrupt, "singular"},
		{"CD of which one row is absent", []string{"CD1_1=1"}, 2, fault.Corrupt, "singular"},
		{"CDELT 0", []string{"CDELT2=0"}, 2, fault.Corrupt, "singular"},
		{"latitude past the pole", []string{"CRVAL2=91"}, 2, fault.Corrupt, "CRVAL2"},
		{"infinite reference pixel", []string{"CRPIX1=1e999"}, 2, fault.Corrupt, "CRPIX1"},
		{"value that is no number", []string{"CRVAL1=NaN"}, 2, fault.Corrupt, "CRVAL1"},
		{"text for a number", []string{"CRVAL1='150'"}, 2, fault.Corrupt, "CRVAL1"},
		{"number for a text", []string{"CTYPE1=5"}, 2, fault.Corrupt, "CTYPE1"},
		{"EPOCH 0 of IRAF", []string{"EPOCH=0."}, 2, fault.Corrupt, "EPOCH"},
		{"half of SIP", []string{"A_ORDER=2"}, 2, fault.Corrupt, "B_ORDER"},
		{"SIP of order 10", []string{"A_ORDER=10", "B_ORDER=2"}, 2, fault.Unsupported, "A_ORDER"},
		{"SIP on axes 1 and 3", []string{"CTYPE2='FREQ'", "CTYPE3='DEC--TAN'", "A_ORDER=2", "B_ORDER=2"}, 3, fault.Unsupported, "SIP"},
		{"TPV past its end", []string{"PV1_40=1", "CTYPE1='RA---TPV'", "CTYPE2='DEC--TPV'"}, 2, fault.Corrupt, "PV1_40"},
		{"ZPN without coefficients", []string{"CTYPE1='RA---ZPN'", "CTYPE2='DEC--ZPN'"}, 2, fault.Corrupt, "ZPN"},
		{"cone without parallels", []string{"CTYPE1='RA---COE'", "CTYPE2='DEC--COE'"}, 2, fault.Corrupt, "PV2_1"},
		{"cone on the equator", []string{"CTYPE1='RA---COP'", "CTYPE2='DEC--COP'", "PV2_1=0"}, 2, fault.Corrupt, "cone"},
		{"NCP at the equator", []string{"CTYPE1='RA---NCP'", "CTYPE2='DEC--NCP'", "CRVAL2=0"}, 2, fault.Corrupt, "NCP"},
		{"LONPOLE that fits no pole", []string{"CTYPE1='RA---CAR'", "CTYPE2='DEC--CAR'", "CRVAL2=20", "LONPOLE=90"}, 2, fault.Corrupt, "LONPOLE"},
		{"fiducial point out of sight", []string{"PV1_0=1", "PV1_1=0", "PV1_2=-20", "CRVAL2=-20", "LONPOLE=0"}, 2, fault.Corrupt, "fiducial"},
		{"too many axes", nil, 1000, fault.Unsupported, "axes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(plain.with(tt.cards...), tt.naxis)
			if !errors.Is(err, tt.want) || s != nil {
				t.Fatalf("Parse = %v, %v; want an error that is %v", s, err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.word) {
				t.Errorf("%q does not name %s", err, tt.word)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	want := skyAt(t, plain, 2, 17, 311)
	for _, tt := range []struct {
		name  string
		cards []string
		naxis int
	}{
		{"more axes than the image has", []string{"WCSAXES=4", "CTYPE3='FREQ'", "CTYPE4='STOKES'"}, 2},
		{"third axis coupled by zero", []string{"CTYPE3='FREQ'", "PC1_3=0.0", "PC3_2=0.0"}, 3},
		{"third axis that has no step", []string{"CTYPE3='STOKES'", "CDELT3=0"}, 3},
		{"units in capitals and by default", []string{"CUNIT1='DEG'", "CUNIT2=''"}, 2},
		{"lower case CTYPE", []string{"CTYPE1='ra---tan'", "CTYPE2='dec--tan'"}, 2},
		{"RADECSYS, the old name", []string{"RADECSYS='ICRS'"}, 2},
		{"EQUINOX beside ICRS", []string{"RADESYS='ICRS'", "EQUINOX=1950."}, 2},
		{"-SIP without coefficients", []string{"CTYPE1='RA---TAN-SIP'", "CTYPE2='DEC--TAN-SIP'"}, 2},
		{"a spectrograph's own AXISCORR", []string{"AXISCORR=1.037"}, 2},
		{"CDELT beside CD", []string{"CD1_1=-0.0027777777777777778", "CD2_2=0.0027777777777777778", "CDELT1=1", "CDELT2=1"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := skyAt(t, plain.with(tt.cards...), tt.naxis, 17, 311)
			if d := got.Angle(want) / sky.Degree; d > 1e-12 {
				t.Errorf("pixel (17, 311) is %g degrees from where it should be", d)
			}
		})
	}
}

func skyAt(t *testing.T, h header, naxis int, x, y float64) sky.Vec {
	t.Helper()
	s, err := Parse(h, naxis)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := s.direction(x, y)
	if !ok {
		t.Fatalf("pixel (%g, %g) has no sky", x, y)
	}
	return v
}

func TestAxesAndScale(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cards []string
		naxis int
		x, y  int
		scale float64 // degrees
	}{
		{"plain", nil, 2, 0, 1, 10. / 3600},
		{"oblong pixels", []string{"CDELT1=0.04", "CDELT2=0.01"}, 2, 0, 1, 0.02},
		{"latitude first", []string{"CTYPE1='DEC--TAN'", "CTYPE2='RA---TAN'", "CRVAL1=2.2"}, 2, 0, 1, 10. / 3600},
		{"frequency between", []string{"CTYPE2='FREQ'", "CTYPE3='DEC--TAN'", "CDELT3=0.0027777777777777778"}, 3, 0, 2, 10. / 3600},
		{"arcseconds", []string{"CUNIT1='arcsec'", "CUNIT2='arcsec'", "CDELT1=-10", "CDELT2=10"}, 2, 0, 1, 10. / 3600},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(plain.with(tt.cards...), tt.naxis)
			if err != nil {
				t.Fatal(err)
			}
			if x, y := s.Axes(); x != tt.x || y != tt.y {
				t.Errorf("Axes() = %d, %d, want %d, %d", x, y, tt.x, tt.y)
			}
			if got := s.PixelScale(); math.Abs(got/tt.scale-1) > 1e-12 {
				t.Errorf("PixelScale() = %g, want %g", got, tt.scale)
			}
		})
	}
}

func TestPairs(t *testing.T) {
	s, err := Parse(plain, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func(dst, src []float64) (int, error){s.ToSky, s.ToPixel} {
		if _, err := f(make([]float64, 4), make([]float64, 2)); !errors.Is(err, fault.Usage) {
			t.Errorf("lengths that differ: %v, want Usage", err)
		}
		if _, err := f(make([]float64, 3), make([]float64, 3)); !errors.Is(err, fault.Usage) {
			t.Errorf("odd lengths: %v, want Usage", err)
		}
		if hidden, err := f(nil, nil); hidden != 0 || err != nil {
			t.Errorf("no pairs: %d, %v; want neither", hidden, err)
		}
	}
	// The antipode has no pixel, and what is no number has none.
	at := []float64{330, -2.2, 150, 2.2, math.NaN(), 0, 10, math.Inf(1)}
	hidden, err := s.ToPixel(at, at)
	if err != nil || hidden != 3 || !math.IsNaN(at[0]+at[1]) || math.Hypot(at[2]-100.5, at[3]-200.5) > 1e-9 || !math.IsNaN(at[4]) || !math.IsNaN(at[6]) {
		t.Errorf("ToPixel = %v, hidden %d, %v; want NaN, CRPIX, NaN, NaN", at, hidden, err)
	}
	at = []float64{math.NaN(), 1, 1e300, 1, math.Inf(-1), 1}
	if hidden, err := s.ToSky(at, at); err != nil || hidden != 3 {
		t.Errorf("ToSky of no pixels: %v, hidden %d, %v; want 3 hidden", at, hidden, err)
	}
}

// TestRoundTrip goes from pixels to the sky and back and to the sky again, for every
// example: pixels need not come back, since an all-sky image may show a direction twice,
// but directions must.
func TestRoundTrip(t *testing.T) {
	type named struct {
		name string
		s    *System
	}
	var all []named
	for _, e := range examples(t) {
		if s, err := Parse(e.header(), 2); err == nil {
			all = append(all, named{e.Name, s})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom(all).Draw(t, "system")
		px := rapid.Float64Range(-50, 150).Draw(t, "x")
		py := rapid.Float64Range(-50, 130).Draw(t, "y")
		v, ok := n.s.direction(px, py)
		if !ok {
			return
		}
		qx, qy, ok := n.s.pixel(v)
		if !ok {
			if v.Angle(skyOf(n.s)) > 89.99*sky.Degree { // the horizon, where rounding decides
				return
			}
			t.Fatalf("%s: pixel (%v, %v) shows a direction that has no pixel", n.name, px, py)
		}
		back, ok := n.s.direction(qx, qy)
		if d := back.Angle(v) / sky.Degree; math.Hypot(px-qx, py-qy) > 1e-6 && !(ok && d < 1e-9) {
			t.Fatalf("%s: pixel (%v, %v) came back as (%v, %v), %g degrees away, %t", n.name, px, py, qx, qy, d, ok)
		}
	})
}

// TestFinePixels has pixels of 0.4 mas at the reference point, where formulas that cancel
// lose pixels: a rounding error of 1e-16 radians is 6e-8 of them.
func TestFinePixels(t *testing.T) {
	for _, e := range examples(t) {
		if !strings.HasSuffix(e.Name, "upright") && !strings.HasSuffix(e.Name, "oblique") || e.Refused {
			continue
		}
		h := e.header().with("CDELT1=-1e-7", "CDELT2=1e-7", "CRPIX1=0", "CRPIX2=0")
		s, err := Parse(h, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range [][2]float64{{0, 0}, {1, 0}, {0, -1}, {-30, 40}, {500, 700}, {-9e4, 3e4}, {1e6, -2e6}} {
			v, ok := s.direction(p[0], p[1])
			if !ok && h["PV2_0"] != "" {
				continue // the polynomial of this ZPN leaves a hole around the pole
			}
			x, y, shown := s.pixel(v)
			if d := math.Hypot(x-p[0], y-p[1]); !ok || !shown || d > 3e-6 {
				t.Errorf("%s: pixel %v came back as (%.9f, %.9f), %t, %t", e.Name, p, x, y, ok, shown)
			}
		}
	}
}

// skyOf returns the direction at CRPIX.
func skyOf(s *System) sky.Vec {
	v, _ := s.direction(s.crpix[0], s.crpix[1])
	return v
}

func TestNoAllocation(t *testing.T) {
	at := make([]float64, 200)
	for _, e := range examples(t) {
		s, err := Parse(e.header(), 2)
		if err != nil {
			continue
		}
		if n := testing.AllocsPerRun(2, func() {
			for i := range at {
				at[i] = float64(1 + i%90)
			}
			s.ToSky(at, at)
			s.ToPixel(at, at)
		}); n != 0 {
			t.Errorf("%s: %g allocations", e.Name, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range examples(f) {
		var lines []string
		for k, v := range e.header() {
			lines = append(lines, k+"="+v)
		}
		f.Add(strings.Join(lines, "\n"), 2, 10., 20.)
	}
	f.Fuzz(func(t *testing.T, cards string, naxis int, a, b float64) {
		s, err := Parse(header{}.with(strings.Split(cards, "\n")...), naxis)
		if err != nil {
			if code := fault.CodeOf(err); s != nil || code != fault.Corrupt && code != fault.Unsupported && !errors.Is(err, NoSky) {
				t.Errorf("Parse = %v, %v: want Corrupt, Unsupported or NoSky", s, err)
			}
			return
		}
		if x, y := s.Axes(); x < 0 || x >= y || y >= naxis || !(s.PixelScale() >= 0) {
			t.Errorf("axes %d, %d of %d; scale %g", x, y, naxis, s.PixelScale())
		}
		for _, way := range []func(dst, src []float64) (int, error){s.ToSky, s.ToPixel} {
			at := []float64{a, b}
			hidden, err := way(at, at)
			gone := math.IsNaN(at[0]) && math.IsNaN(at[1])
			if err != nil || gone != (hidden == 1) || !gone && (math.IsNaN(at[0]+at[1]) || math.IsInf(at[0], 0) || math.IsInf(at[1], 0)) {
				t.Errorf("(%g, %g) became %v, hidden %d, %v", a, b, at, hidden, err)
			}
		}
	})
}

func benchmark(b *testing.B, way func(s *System) func(dst, src []float64) (int, error), from func(x, y float64, s *System) (float64, float64)) {
	for _, e := range examples(b) {
		name, upright := strings.CutSuffix(e.Name, " 0 upright")
		if !upright && name != "SIP" && name != "TPV" {
			continue
		}
		s, err := Parse(e.header(), 2)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			src, dst := make([]float64, 512), make([]float64, 512)
			for i := 0; i < len(src); i += 2 {
				src[i], src[i+1] = from(float64(1+i/2%16*6), float64(1+i/32*5), s)
			}
			f := way(s)
			for b.Loop() {
				f(dst, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/point")
		})
	}
}

func BenchmarkToSky(b *testing.B) {
	benchmark(b, func(s *System) func(dst, src []float64) (int, error) { return s.ToSky },
		func(x, y float64, _ *System) (float64, float64) { return x, y })
}

func BenchmarkToPixel(b *testing.B) {
	benchmark(b, func(s *System) func(dst, src []float64) (int, error) { return s.ToPixel },
		func(x, y float64, s *System) (float64, float64) { v, _ := s.direction(x, y); return v.Degrees() })
}
