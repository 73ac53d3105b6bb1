// Package wcs turns pixel positions of a FITS image into directions on the sky and back:
// the celestial axes of a header, after FITS WCS Papers I and II (Greisen & Calabretta
// 2002, A&A 395, 1061; Calabretta & Greisen 2002, A&A 395, 1077), the SIP convention
// (Shupe et al. 2005, ASPC 347, 491) and the TPV convention of the FITS registry. Where
// the papers leave a choice, wcslib as astropy drives it decides.
//
// A pixel position counts from 1 at the centre of the first pixel, as in CRPIX. Sky
// positions are ICRS, in degrees at the edges of the package. Inside, a direction is a
// vector, native or ICRS, and the plane of projection is in radians.
//
// A position goes through these steps, each in its own file:
//
//	pixel → SIP (sip.go) → CD or PC matrix (linear.go) → projection (projections.go,
//	proj_*.go) → native to celestial (native.go) → frame to ICRS (frames.go)
//
// To add a projection: write proj_xyz.go with a type that is a projection, name it in the
// projections table, and give it a header in scripts/golden/wcs.py; the tests pick it up.
package wcs

import (
	"errors"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// NoSky is wrapped by the error of [Parse] for a header without celestial axes: a
// spectrum, a table of numbers, a point spread function. It is no fault of the header.
//
//lint:ignore ST1012 it reads as wcs.NoSky, and like fault's codes it is a kind, not a failure
var NoSky = errors.New("no celestial axes")

// Keywords is what Parse needs of a header. ok is false for a keyword that is absent or
// has no value; err is for one whose value is of another type.
type Keywords interface {
	Float(key string) (v float64, ok bool, err error) // integers are numbers, too
	Int(key string) (v int64, ok bool, err error)
	Text(key string) (v string, ok bool, err error) // without trailing blanks
}

// System is the celestial coordinate system of an image. It never changes, and any number
// of goroutines may use it at once.
type System struct {
	linear      // pixel offsets to plane and back, CRPIX
	x, y   int  // the pixel axes, 0-based, x < y
	sip    *sip // nil: none
	proj   projection
	x0, y0 float64 // plane position of the fiducial point, radians; 0 unless PVi_0 says otherwise

	toSky, toNative sky.Matrix // native ↔ ICRS; native ↔ FK4 if there are E-terms
	eterms          *eterms    // nil unless the frame is FK4

	code, frame string // for people
}

// Projection names the projection as CTYPE does: "TAN", "TAN-SIP"; "DSS" for a plate solution.
func (s *System) Projection() string { return s.code }

// Frame names the celestial frame of the header: "ICRS", "FK5 J2000", "galactic", …
func (s *System) Frame() string { return s.frame }

// Axes returns the two pixel axes that span the sky, counted from 0 as NAXIS1 and with
// x < y, whichever of them is longitude.
func (s *System) Axes() (x, y int) { return s.x, s.y }

// PixelScale returns the size of a pixel at the reference point in degrees: the square
// root of its area by the linear terms alone.
func (s *System) PixelScale() float64 { return math.Sqrt(math.Abs(s.det)) / sky.Degree }

// ToSky writes to dst the ICRS positions of the FITS pixel positions in src.
//
// src holds n pairs (x, y) along [System.Axes], the first pixel's centre at 1, and dst
// receives n pairs (right ascension, declination) in degrees, right ascension in
// [0, 360); both have length 2n and may be the same slice. A pixel outside the projected
// sky, such as the corner of an all-sky image, becomes (NaN, NaN) and is counted in
// hidden. That is no error.
//
// The error is [fault.Usage] if the lengths differ or are odd.
func (s *System) ToSky(dst, src []float64) (hidden int, err error) {
	if err := checkPairs("wcs.ToSky", dst, src); err != nil {
		return 0, err
	}
	for i := 0; i+1 < len(src); i += 2 {
		v, ok := s.direction(src[i], src[i+1])
		if !ok {
			dst[i], dst[i+1] = math.NaN(), math.NaN()
			hidden++
			continue
		}
		dst[i], dst[i+1] = v.Degrees()
	}
	return hidden, nil
}

// ToPixel writes to dst the FITS pixel positions of the ICRS positions in src.
//
// src holds n pairs (right ascension, declination) in degrees and dst receives n pairs
// (x, y) along [System.Axes]; both have length 2n and may be the same slice. A direction
// that the projection cannot show, for TAN one that is 90 degrees or more from the
// reference point, becomes (NaN, NaN) and is counted in hidden, as does one for which the
// distortion has no inverse. That is no error: a stencil may reach past the horizon of an
// image.
//
// The error is [fault.Usage] if the lengths differ or are odd.
func (s *System) ToPixel(dst, src []float64) (hidden int, err error) {
	if err := checkPairs("wcs.ToPixel", dst, src); err != nil {
		return 0, err
	}
	for i := 0; i+1 < len(src); i += 2 {
		x, y, ok := s.pixel(sky.FromDegrees(src[i], src[i+1]))
		if !ok {
			x, y = math.NaN(), math.NaN()
			hidden++
		}
		dst[i], dst[i+1] = x, y
	}
	return hidden, nil
}

func checkPairs(op string, dst, src []float64) error {
	if len(dst) != len(src) || len(src)%2 != 0 {
		return fault.New(fault.Usage, op, "%d numbers in and room for %d: want pairs, and as many out as in", len(src), len(dst))
	}
	return nil
}

// farthest is the distance from the reference point, in radians on the plane of
// projection, beyond which numbers have no meaning left.
const farthest = 1e12

// Direction returns the ICRS direction of the FITS pixel position (x, y) along
// [System.Axes]: [System.ToSky] for one position, without the detour through angles. ok is
// false outside the projected sky.
func (s *System) Direction(x, y float64) (v sky.Vec, ok bool) { return s.direction(x, y) }

// Position returns the FITS pixel position of an ICRS direction: [System.ToPixel] for one
// direction. ok is false where the projection cannot show it.
func (s *System) Position(v sky.Vec) (x, y float64, ok bool) { return s.pixel(v) }

// direction returns the ICRS direction of a pixel position.
func (s *System) direction(px, py float64) (sky.Vec, bool) {
	px, py = px-s.crpix[0], py-s.crpix[1]
	if s.sip != nil {
		px, py = s.sip.apply(px, py)
	}
	x, y := s.plane(px, py)
	if !(math.Abs(x)+math.Abs(y) < farthest) {
		return sky.Vec{}, false
	}
	v, ok := s.proj.sphere(x+s.x0, y+s.y0)
	if !ok {
		return v, false
	}
	v = s.toSky.Apply(v)
	if s.eterms != nil {
		v = s.eterms.remove(v)
	}
	return v, !math.IsNaN(v.X + v.Y + v.Z)
}

// pixel returns the pixel position of an ICRS direction.
func (s *System) pixel(v sky.Vec) (px, py float64, ok bool) {
	if s.eterms != nil {
		v = s.eterms.add(v)
	}
	x, y, ok := s.proj.plane(s.toNative.Apply(v))
	if !ok {
		return 0, 0, false
	}
	if !(math.Abs(x)+math.Abs(y) < farthest) {
		return 0, 0, false
	}
	px, py = s.offset(x-s.x0, y-s.y0)
	if s.sip != nil {
		if px, py, ok = s.sip.invert(px, py); !ok {
			return 0, 0, false
		}
	}
	px, py = px+s.crpix[0], py+s.crpix[1]
	return px, py, !math.IsNaN(px+py) && !math.IsInf(px+py, 0)
}
