package stencil

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

const rangeValues = "lon1 lon2 lat1 lat2"

// Range is the directions between two meridians and two parallels.
//
// Open ends mean 0 and 360 in longitude, -90 and 90 in latitude. If the first longitude
// is the larger, the range crosses longitude 0 (DALI 1.2).
type Range struct {
	lon1, lon2, lat1, lat2 float64 // as asked for, degrees; may be infinite

	from, upto      float64 // the meridians, degrees
	width           float64 // between them, degrees, in [0, 360]
	south, north    float64 // the parallels, degrees
	west, east, mid sky.Vec // on the equator at both meridians and half-way
	sinS, cosS      float64 // of south
	sinN, cosN      float64 // of north
	everyLon        bool
}

// NewRange returns the range of longitudes lon1 to lon2 and latitudes lat1 to lat2, in
// degrees. The lower ends may be -Inf, the upper ones +Inf. The error is [fault.Usage].
func NewRange(lon1, lon2, lat1, lat2 float64) (Range, error) {
	r := Range{lon1: lon1, lon2: lon2, lat1: lat1, lat2: lat2}
	r.closeEnds()
	if err := checkLongitude(r.from, "the first longitude of RANGE"); err != nil {
		return Range{}, err
	}
	if err := checkLongitude(r.upto, "the second longitude of RANGE"); err != nil {
		return Range{}, err
	}
	if err := checkLatitude(r.south, "the first latitude of RANGE"); err != nil {
		return Range{}, err
	}
	if err := checkLatitude(r.north, "the second latitude of RANGE"); err != nil {
		return Range{}, err
	}
	if r.south > r.north {
		return Range{}, usage("RANGE goes from latitude %s down to %s: want lon1 lon2 lat1 lat2, with lat1 not above lat2",
			format(lat1), format(lat2))
	}
	r.width = r.upto - r.from
	if r.width < 0 {
		r.width += 360
	}
	r.everyLon = r.width >= 360
	r.west = sky.FromDegrees(r.from, 0)
	r.east = sky.FromDegrees(r.upto, 0)
	r.mid = sky.FromDegrees(r.from+r.width/2, 0)
	r.sinS, r.cosS = math.Sincos(r.south * sky.Degree)
	r.sinN, r.cosN = math.Sincos(r.north * sky.Degree)
	return r, nil
}

// closeEnds sets the meridians and parallels, the outermost ones where an end is open.
func (r *Range) closeEnds() {
	r.from, r.upto, r.south, r.north = r.lon1, r.lon2, r.lat1, r.lat2
	if math.IsInf(r.lon1, -1) {
		r.from = 0
	}
	if math.IsInf(r.lon2, 1) {
		r.upto = 360
	}
	if math.IsInf(r.lat1, -1) {
		r.south = -90
	}
	if math.IsInf(r.lat2, 1) {
		r.north = 90
	}
}

func parseRange(fields []string) (Range, error) {
	if len(fields) != 4 {
		return Range{}, usage("RANGE has %d values: want 4, %s in degrees", len(fields), rangeValues)
	}
	var v [4]float64
	for i, name := range []string{"the first longitude of RANGE", "the second longitude of RANGE",
		"the first latitude of RANGE", "the second latitude of RANGE"} {
		var err error
		if v[i], err = ParseNumber(fields[i], name); err != nil {
			return Range{}, err
		}
	}
	return NewRange(v[0], v[1], v[2], v[3])
}

// Contains compares with the four bounding planes and cones, so that it is as exact at
// the poles as at the equator.
func (r Range) Contains(p sky.Vec) bool {
	h := math.Hypot(p.X, p.Y)
	return p.Z*r.cosS-h*r.sinS >= -rounding && h*r.sinN-p.Z*r.cosN >= -rounding && r.holdsLongitude(p)
}

// holdsLongitude reports whether p lies in the lune between the two meridians.
func (r Range) holdsLongitude(p sky.Vec) bool {
	if r.everyLon {
		return true
	}
	eastOfWest := r.west.X*p.Y - r.west.Y*p.X
	westOfEast := p.X*r.east.Y - p.Y*r.east.X
	ahead := p.Dot(r.mid)
	if r.width <= 180 {
		return eastOfWest >= -rounding && westOfEast >= -rounding && ahead >= -rounding
	}
	return eastOfWest >= -rounding || westOfEast >= -rounding || ahead > 0
}

// Distance returns the angle in radians from p to the range, 0 inside.
func (r Range) Distance(p sky.Vec) float64 {
	if r.Contains(p) {
		return 0
	}
	least := math.Pi
	if r.holdsLongitude(p) { // straight north or south
		h := math.Hypot(p.X, p.Y)
		least = max(math.Atan2(h*r.sinS-p.Z*r.cosS, h*r.cosS+p.Z*r.sinS), math.Atan2(p.Z*r.cosN-h*r.sinN, h*r.cosN+p.Z*r.sinN))
	}
	if !r.everyLon {
		for _, lon := range []float64{r.from, r.upto} {
			least = min(least, arcDistance(p, sky.FromDegrees(lon, r.south), sky.FromDegrees(lon, r.north), sky.FromDegrees(lon+90, 0).Scale(-1)))
		}
	}
	return least
}

// arcDistance returns the angle in radians from p to the arc of the great circle from a to
// b, which has the unit normal a × b / |a × b|.
func arcDistance(p, a, b, normal sky.Vec) float64 {
	foot := p.Add(normal.Scale(-p.Dot(normal))) // of p on the plane of the arc
	if a.Cross(foot).Dot(normal) > 0 && foot.Cross(b).Dot(normal) > 0 {
		return math.Abs(math.Atan2(p.Dot(normal), foot.Norm()))
	}
	return min(p.Angle(a), p.Angle(b))
}

// Centre returns the direction at half of both intervals.
func (r Range) Centre() (sky.Vec, bool) {
	return sky.FromDegrees(r.from+r.width/2, (r.south+r.north)/2), true
}

// Border returns the two parallels, but not one that is a pole, and the two meridians
// unless the range holds all longitudes. Of a range that is a pole alone it is that pole.
func (r Range) Border() []Curve {
	var border []Curve
	for _, lat := range []float64{r.south, r.north} {
		if math.Abs(lat) < 90 {
			border = append(border, func(t float64) sky.Vec { return sky.FromDegrees(r.from+r.width*t, lat) })
		}
	}
	if !r.everyLon || r.south == r.north && len(border) == 0 {
		for _, lon := range []float64{r.from, r.upto} {
			border = append(border, func(t float64) sky.Vec { return sky.FromDegrees(lon, r.south+(r.north-r.south)*t) })
		}
	}
	return border
}

// String returns "RANGE lon1 lon2 lat1 lat2", with open ends as -Inf and +Inf.
func (r Range) String() string { return text("RANGE", r.lon1, r.lon2, r.lat1, r.lat2) }
