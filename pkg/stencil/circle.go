package stencil

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

const circleValues = "ra dec radius"

// Circle is the directions that are no further than a radius from a centre.
type Circle struct {
	ra, dec, radius float64 // degrees
	centre          sky.Vec
}

// NewCircle returns the circle around (ra, dec) of the given radius, all in degrees: ra
// in [0, 360], dec in [-90, 90], radius in (0, 180]. The error is [fault.Usage].
func NewCircle(ra, dec, radius float64) (Circle, error) {
	if err := CheckDirection(ra, dec, "CIRCLE"); err != nil {
		return Circle{}, err
	}
	if !(radius > 0 && radius <= 180) {
		return Circle{}, usage("the radius of CIRCLE is %s: want more than 0 and at most 180 degrees", format(radius))
	}
	return Circle{ra, dec, radius, sky.FromDegrees(ra, dec)}, nil
}

func parseCircle(fields []string) (Circle, error) {
	if len(fields) != 3 {
		return Circle{}, usage("CIRCLE has %d values: want 3, %s in degrees", len(fields), circleValues)
	}
	var v [3]float64
	for i, name := range []string{"the longitude of CIRCLE", "the latitude of CIRCLE", "the radius of CIRCLE"} {
		var err error
		if v[i], err = ParseNumber(fields[i], name); err != nil {
			return Circle{}, err
		}
	}
	return NewCircle(v[0], v[1], v[2])
}

// Radius returns the radius in degrees.
func (c Circle) Radius() float64 { return c.radius }

// Contains compares chords, which keep their precision for small circles, where a cosine
// would not; beyond 90 degrees it does so from the opposite direction.
func (c Circle) Contains(p sky.Vec) bool {
	if c.radius <= 90 {
		d := p.Add(c.centre.Scale(-1))
		limit := 2*math.Sin(c.radius*sky.Degree/2) + rounding
		return d.Dot(d) <= limit*limit
	}
	d := p.Add(c.centre)
	limit := 2*math.Sin((180-c.radius)*sky.Degree/2) - rounding
	return limit <= 0 || d.Dot(d) >= limit*limit
}

// Distance returns the angle in radians from p to the circle, 0 inside.
func (c Circle) Distance(p sky.Vec) float64 {
	if c.Contains(p) {
		return 0
	}
	return max(rounding, p.Angle(c.centre)-c.radius*sky.Degree)
}

// Centre returns the centre.
func (c Circle) Centre() (sky.Vec, bool) { return c.centre, true }

// Border returns the circle as one closed curve, none if it is the whole sphere.
func (c Circle) Border() []Curve {
	if c.radius == 180 {
		return nil
	}
	e, f := c.centre.Perpendicular()
	sr, cr := math.Sincos(c.radius * sky.Degree)
	middle, e, f := c.centre.Scale(cr), e.Scale(sr), f.Scale(sr)
	return []Curve{func(t float64) sky.Vec {
		s, c := math.Sincos(2 * math.Pi * t)
		return middle.Add(e.Scale(c)).Add(f.Scale(s))
	}}
}

// String returns "CIRCLE ra dec radius".
func (c Circle) String() string { return text("CIRCLE", c.ra, c.dec, c.radius) }
