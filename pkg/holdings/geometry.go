package holdings

import (
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/footprint"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// geometry is what decides whether a position is in the images of a file.
type geometry []frame

// frame is the coordinates of one image of the sky.
type frame struct {
	system *wcs.System
	nx, ny int64
	area   piece
}

// newGeometry returns the geometry of a file. Of images that share an area, as planes of
// one image do, one is enough.
func newGeometry(x *fits.Index) geometry {
	var g geometry
	var known []footprint.Area
	for _, m := range footprint.Of(x).Images {
		system, err := cutout.System(m.HDU)
		if err != nil || slices.ContainsFunc(known, func(a footprint.Area) bool { return sameArea(a, m.Area) }) {
			continue
		}
		if !m.Area.Circle.Whole() {
			known = append(known, m.Area)
		}
		x, y := system.Axes()
		g = append(g, frame{system, m.HDU.Shape[x], m.HDU.Shape[y], newPiece(m.Area)})
	}
	return g
}

func sameArea(a, b footprint.Area) bool {
	return a.Circle == b.Circle && slices.Equal(a.Polygon, b.Polygon)
}

// holds reports whether a direction lies in the area of a pixel of one of the images, as
// the engine finds it.
func (g geometry) holds(v sky.Vec) bool {
	return slices.ContainsFunc(g, func(f frame) bool { return f.holds(v) })
}

// Positions of pixels are compared with directions, there and back, to a part of a pixel.
const roundTrip = 1e-3

// dot is the radius, in degrees, of the circle by which the engine is asked for a position.
const dot = 1e-10

func (f *frame) holds(v sky.Vec) bool {
	if !f.area.reaches(v) {
		return false
	}
	if x, y, ok := f.system.Position(v); ok && x >= 0.5 && y >= 0.5 && x <= float64(f.nx)+0.5 && y <= float64(f.ny)+0.5 {
		back, ok := f.system.Direction(x, y)
		if ok && back.Angle(v) <= roundTrip*f.system.PixelScale()*sky.Degree {
			return true
		}
	}
	// A direction may have several positions, one of them in the image.
	ra, dec := v.Degrees()
	circle, err := stencil.NewCircle(ra, dec, dot)
	if err != nil {
		return false
	}
	_, _, _, _, ok, err := cutout.Cover(f.system, circle, f.nx, f.ny)
	return ok && err == nil
}

// reaches reports whether a direction is in the area or next to it.
func (p *piece) reaches(v sky.Vec) bool {
	if p.outline != nil {
		return p.outline.Distance(v) <= p.near.Angle().Radians()
	}
	return p.circle.ContainsPoint(point(v))
}
