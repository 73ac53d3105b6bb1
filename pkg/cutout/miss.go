package cutout

import (
	"fmt"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Missed says by how much a stencil misses an image, and where the image is.
type Missed struct {
	By     float64 // degrees between the stencil and the nearest position of the image's edge
	RA     float64 // of the middle of the image, degrees
	Dec    float64 // of the middle of the image, degrees
	Radius float64 // degrees from there to the farthest position of the image's edge
}

// String returns the end of a sentence: "misses the image by 0.32 degrees; …".
func (m Missed) String() string {
	if math.IsNaN(m.By) {
		return "misses the image"
	}
	return fmt.Sprintf("misses the image by %.3g degrees; the image lies within %.3g degrees of %.6g %+.6g",
		m.By, m.Radius, m.RA, m.Dec)
}

// Miss measures how far st is from an image of nx by ny pixels that it does not touch. By
// is NaN if the edge of the image has no sky. The error is that of m.
func Miss(m Mapper, st stencil.Stencil, nx, ny int64) (Missed, error) {
	const steps = 256
	c := newCoverer(m, st, nx, ny)
	defer c.free()
	px, at := make([]point, steps+1), make([]sky.Vec, steps+1)
	for i := range steps {
		px[i] = c.rim(4 * float64(i) / steps)
	}
	px[steps] = point{(c.box.nx + 1) / 2, (c.box.ny + 1) / 2}
	if err := c.toSky(at, px); err != nil {
		return Missed{}, err
	}
	middle := at[steps]
	if middle == (sky.Vec{}) {
		for _, v := range at {
			middle = middle.Add(v)
		}
	}
	found := Missed{By: math.NaN()}
	found.RA, found.Dec = middle.Degrees()
	nearest, best := math.Inf(1), 0
	for i, v := range at[:steps] {
		if v == (sky.Vec{}) {
			continue
		}
		found.Radius = max(found.Radius, v.Angle(middle.Unit())/sky.Degree)
		if d := st.Distance(v); d < nearest {
			nearest, best = d, i
		}
	}
	if math.IsInf(nearest, 1) {
		return found, nil
	}
	lo, hi := 4*float64(best-1)/steps, 4*float64(best+1)/steps
	for range 40 { // thirds: the distance has one minimum between
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if err := c.toSky(at[:2], []point{c.rim(a), c.rim(b)}); err != nil {
			return Missed{}, err
		}
		da, db := math.Inf(1), math.Inf(1)
		if at[0] != (sky.Vec{}) {
			da = st.Distance(at[0])
		}
		if at[1] != (sky.Vec{}) {
			db = st.Distance(at[1])
		}
		nearest = min(nearest, da, db)
		if da < db {
			hi = b
		} else {
			lo = a
		}
	}
	found.By = nearest / sky.Degree
	return found, nil
}

// rim returns a position on the edge of the image: 0 to 1 along the lowest row, 1 to 2 up
// the last column, and so on.
func (c *coverer) rim(u float64) point {
	u = math.Mod(u+4, 4)
	t := u - math.Floor(u)
	switch int(u) {
	case 0:
		return point{0.5 + t*c.box.nx, 0.5}
	case 1:
		return point{0.5 + c.box.nx, 0.5 + t*c.box.ny}
	case 2:
		return point{0.5 + (1-t)*c.box.nx, 0.5 + c.box.ny}
	}
	return point{0.5, 0.5 + (1-t)*c.box.ny}
}
