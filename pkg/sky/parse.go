package sky

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// number is the decimal form that all angles here share: no hexadecimal, no NaN, no Inf.
const number = `[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`

var (
	decimal     = regexp.MustCompile(`^(` + number + `)(?:deg|d|°)?$`)
	sexagesimal = regexp.MustCompile(`^([+-]?)(\d{1,3})(?::|h|d|°)(\d{1,2})(?:(?::|m|')(\d{1,2}(?:\.\d*)?)?(?:s|")?)?$`)
	withUnit    = regexp.MustCompile(`^(` + number + `)\s*([^\d\s.]*)$`)
)

// units gives the angular units that people write, in degrees.
var units = map[string]float64{
	"": 1, "deg": 1, "d": 1, "°": 1,
	"'": 1.0 / 60, "arcmin": 1.0 / 60,
	`"`: 1.0 / 3600, "arcsec": 1.0 / 3600, "''": 1.0 / 3600,
	"mas": 1.0 / 3600e3, "rad": 1 / Degree,
}

// ParseLongitude reads a right ascension: degrees (150.1, 150.1deg), or hours, minutes and
// seconds (10:00:24.5, 10h00m24.5s; 150d06m is degrees). The result is in degrees.
func ParseLongitude(text string) (deg float64, err error) {
	if m := sexagesimal.FindStringSubmatch(text); m != nil {
		deg, err := fromSexagesimal(m)
		if err != nil {
			return 0, fmt.Errorf("%q is no right ascension: %w", text, err)
		}
		if !strings.ContainsAny(text, "d°") {
			deg *= 15
		}
		return deg, nil
	}
	return fromDecimal(text, "right ascension; want degrees such as 150.1, or hours such as 10:00:24.5")
}

// ParseLatitude reads a declination: degrees (-2.5, -2.5deg), or degrees, minutes and
// seconds (-02:30:00, -2d30m00s). The result is in degrees.
func ParseLatitude(text string) (deg float64, err error) {
	if m := sexagesimal.FindStringSubmatch(text); m != nil && !strings.Contains(text, "h") {
		deg, err := fromSexagesimal(m)
		if err != nil {
			return 0, fmt.Errorf("%q is no declination: %w", text, err)
		}
		return deg, nil
	}
	return fromDecimal(text, "declination; want degrees such as -2.5 or -02:30:00")
}

// ParseAngle reads an angle with a unit behind it: 30", 30arcsec, 2', 2arcmin, 0.1deg,
// 50mas, 0.001rad; without a unit it is degrees, which the result is in too.
func ParseAngle(text string) (deg float64, err error) {
	if m := withUnit.FindStringSubmatch(text); m != nil {
		if unit, ok := units[m[2]]; ok {
			v, err := strconv.ParseFloat(m[1], 64)
			if v *= unit; err == nil && !math.IsInf(v, 0) {
				return v, nil
			}
		}
	}
	return 0, fmt.Errorf(`%q is no angle; want one such as 0.1deg, 6', 30" (or 6arcmin, 30arcsec)`, text)
}

func fromDecimal(text, want string) (float64, error) {
	if m := decimal.FindStringSubmatch(text); m != nil {
		if v, err := strconv.ParseFloat(m[1], 64); err == nil {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q is no %s", text, want)
}

// fromSexagesimal adds up sign, whole units, minutes and seconds.
func fromSexagesimal(m []string) (float64, error) {
	var parts [3]float64
	for i, text := range m[2:5] {
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, err
		}
		parts[i] = v
	}
	if parts[1] >= 60 || parts[2] >= 60 {
		return 0, fmt.Errorf("minutes and seconds are less than 60")
	}
	v := parts[0] + parts[1]/60 + parts[2]/3600
	if m[1] == "-" { // of -00:30:00 too
		v = -v
	}
	return v, nil
}
