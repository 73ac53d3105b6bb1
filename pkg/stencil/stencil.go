// Package stencil holds the regions on the sky that a request may ask for: CIRCLE,
// POLYGON and RANGE, as IVOA SODA 1.0 (section 3.3) defines them.
//
// Coordinates are ICRS and in degrees in the text of a request; inside, directions are
// unit vectors, so no stencil has a seam at longitude 0 or a special case at a pole.
// A border belongs to its stencil. Vectors carry about 2e-16 of rounding, so "on the
// border" means within 2e-15 radian of it, 0.4 nanoarcseconds.
//
// To add a stencil: write its file with a type and a parse function, and add its line to
// the forms table; the request parser, the documentation and the fuzz test follow it.
package stencil

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// Stencil is a closed region on the sky. Stencils are immutable values, safe for
// concurrent use.
type Stencil interface {
	// Contains reports whether the direction p, a unit vector, lies in the stencil or
	// on its border.
	Contains(p sky.Vec) bool

	// Distance returns the angle in radians from p to the nearest point of the
	// stencil; 0 if the stencil contains p.
	Distance(p sky.Vec) float64

	// Centre returns the middle of the stencil: a circle's centre, the middle of a
	// range, the mean of a polygon's corners. ok is false if the stencil does not
	// contain that direction.
	Centre() (p sky.Vec, ok bool)

	// Border returns the curves that bound the stencil; none for the whole sphere.
	Border() []Curve

	// String returns the stencil as a value of SODA's POS, with the shortest decimal
	// numbers that parse to the same stencil: "CIRCLE 10 20 0.1".
	String() string
}

// Curve is a piece of a border: a continuous function of t in [0, 1] that runs along an
// arc of a great or small circle at constant speed.
type Curve func(t float64) sky.Vec

// rounding is the angle in radians up to which a direction counts as on a border.
const rounding = 2e-15

// form is one kind of stencil as a request spells it.
type form struct {
	keyword string
	values  string // what the values are, for sentences
	parse   func(fields []string) (Stencil, error)
}

var forms = []form{
	{"CIRCLE", circleValues, func(f []string) (Stencil, error) { return asStencil(parseCircle(f)) }},
	{"RANGE", rangeValues, func(f []string) (Stencil, error) { return asStencil(parseRange(f)) }},
	{"POLYGON", polygonValues, func(f []string) (Stencil, error) { return asStencil(parsePolygon(f)) }},
}

func asStencil[S Stencil](s S, err error) (Stencil, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Parse reads a value of SODA's parameter POS: a keyword, in any case, and its numbers,
// separated by white space. The error is [fault.Usage].
func Parse(pos string) (Stencil, error) {
	fields := strings.Fields(pos)
	if len(fields) == 0 {
		return nil, usage("POS is empty: want %s", wanted())
	}
	for _, f := range forms {
		if strings.EqualFold(fields[0], f.keyword) {
			return f.parse(fields[1:])
		}
	}
	return nil, usage("POS begins with %s: want %s", quote(fields[0]), wanted())
}

// ParseCircle reads a value of SODA's parameter CIRCLE: longitude, latitude and radius in
// degrees. The error is [fault.Usage].
func ParseCircle(value string) (Circle, error) { return parseCircle(strings.Fields(value)) }

// ParsePolygon reads a value of SODA's parameter POLYGON: the longitudes and latitudes of
// three or more vertices in degrees. The error is [fault.Usage].
func ParsePolygon(value string) (Polygon, error) { return parsePolygon(strings.Fields(value)) }

// wanted lists the forms for a sentence.
func wanted() string {
	var s strings.Builder
	for i, f := range forms {
		switch {
		case i == 0:
		case i == len(forms)-1:
			s.WriteString(" or ")
		default:
			s.WriteString(", ")
		}
		s.WriteString(f.keyword + " " + f.values)
	}
	return s.String() + ", in degrees"
}

// number is the grammar of a number in a request: no hexadecimal, no NaN, no
// underscores, all of which strconv.ParseFloat would take. An infinity may have lost
// its plus sign, which a query string turns into a blank.
var number = regexp.MustCompile(`^(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf))$`)

// ParseNumber reads one number of a request, called name in the sentence of an error,
// which is [fault.Usage]. The result may be infinite only if the text says so.
func ParseNumber(text, name string) (float64, error) {
	if !number.MatchString(text) {
		return 0, usage("%s is %s: want a decimal number%s", name, quote(text), advice(text))
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, usage("%s is %s: too large for a number; want less than 1.8e308", name, quote(text))
	}
	return v, nil
}

// advice is the rest of a sentence about a text that is no number.
func advice(text string) string {
	switch {
	case strings.ContainsAny(text, ":hd°"):
		return " in degrees such as 150.1, not hours or minutes"
	case strings.Contains(text, ","):
		return ", and blanks between numbers, not commas"
	}
	return " such as 150.1 or 2e-3"
}

// CheckDirection is nil for a direction in ICRS degrees, else [fault.Usage] with a sentence
// about the parameter called of.
func CheckDirection(lon, lat float64, of string) error {
	if !(lat >= -90 && lat <= 90) && lat >= 0 && lat <= 360 && lon >= -90 && lon <= 90 {
		return usage("the latitude of %s is %s: want -90 to 90 degrees; were longitude and latitude swapped? They come as %s %s", of, format(lat), format(lat), format(lon))
	}
	if err := checkLongitude(lon, "the longitude of "+of); err != nil {
		return err
	}
	return checkLatitude(lat, "the latitude of "+of)
}

func checkLongitude(v float64, name string) error {
	if v >= -360 && v < 0 {
		return usage("%s is %s: want 0 to 360 degrees; for %s write %s", name, format(v), format(v), format(v+360))
	}
	if !(v >= 0 && v <= 360) {
		return usage("%s is %s: want 0 to 360 degrees", name, format(v))
	}
	return nil
}

func checkLatitude(v float64, name string) error {
	if !(v >= -90 && v <= 90) {
		return usage("%s is %s: want -90 to 90 degrees", name, format(v))
	}
	return nil
}

func usage(layout string, args ...any) error {
	return fault.New(fault.Usage, "stencil.Parse", layout, args...)
}

// quote quotes text from a request, the first part of it if it is long.
func quote(text string) string {
	const most = 40
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.Quote(text)
}

// format writes v with the fewest digits that parse to the same number, and an infinity
// as SODA spells it.
func format(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v+0, 'g', -1, 64) // -0 becomes 0
}

// text joins a keyword and its numbers.
func text(keyword string, values ...float64) string {
	b := []byte(keyword)
	for _, v := range values {
		b = append(append(b, ' '), format(v)...)
	}
	return string(b)
}
