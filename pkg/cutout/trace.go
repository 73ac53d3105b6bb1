package cutout

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// Bounds of tracing a border.
const (
	borderError = 1. / 12 // pixels: how far the border may leave the lines that stand for it
	maxLines    = 1 << 17 // of a border, 4 MB; beyond, every pixel is looked at
	maxHalvings = 48      // of a piece of the border
)

// tracer follows the border of a stencil through ToPixel and puts lines between its
// positions, close enough that it leaves them by less than borderError.
type tracer struct {
	coverer
	ctx    context.Context
	system *wcs.System
	x0, y0 float64
	lines  []line
	drawn  int  // lines, those too far from the frame as well
	knots  int  // positions looked at
	ended  bool // the context has
}

// follow returns the lines that stand for the border of a stencil near to a frame of nx by
// ny pixels, whose first one has the position (x0, y0), in the order of their lowest rows. ok is
// false if the border cannot be followed, or where sky and pixels do not correspond one to
// one. The error is that of ctx.
func follow(ctx context.Context, system *wcs.System, st stencil.Stencil, x0, y0 float64, nx, ny int) (lines []line, ok bool, err error) {
	t := &tracer{ctx: ctx, system: system, x0: x0, y0: y0, lines: make([]line, 0, 512)}
	t.m, t.st, t.box = shifted{system, x0 - 1, y0 - 1}, st, newExtent(int64(nx), int64(ny))
	if err := t.survey(); err != nil || !t.simple {
		return nil, false, ctx.Err()
	}
	for _, curve := range st.Border() {
		n := 32
		a, m, b := curve(0), curve(0.5), curve(1)
		if length := a.Angle(m) + m.Angle(b); length <= 1.001*a.Angle(b) {
			n = 2 + int(length/(math.Pi/16))
		}
		from := t.knot(curve, 0)
		for k := range n {
			upto := t.knot(curve, float64(k+1)/float64(n))
			if !t.trace(curve, from, upto, math.Inf(1), 0) {
				return nil, false, ctx.Err()
			}
			from = upto
		}
	}
	slices.SortFunc(t.lines, func(a, b line) int { return cmp.Compare(a.a.y, b.a.y) })
	return t.lines, true, nil
}

// draw adds a line, if it is near to the frame.
func (t *tracer) draw(a, b point) {
	t.drawn++
	if a.y > b.y {
		a, b = b, a
	}
	if b.y >= -1 && a.y <= t.box.ny && max(a.x, b.x) >= -1 && min(a.x, b.x) <= t.box.nx {
		t.lines = append(t.lines, line{a, b})
	}
}

// knot returns the position of a border, in pixels of the frame from 0.
func (t *tracer) knot(curve stencil.Curve, at float64) knot {
	if t.knots++; t.knots%1024 == 0 {
		t.ended = t.ctx.Err() != nil
	}
	k := knot{t: at, at: curve(at), px: point{math.NaN(), math.NaN()}}
	if x, y, ok := t.system.Position(k.at); ok {
		k.px = point{x - t.x0, y - t.y0}
	}
	k.away = k.at.Angle(t.middle)
	return k
}

// trace adds the lines of the piece of a border between two knots. off is by how much the
// middle of the piece it is half of left its chord. ok is false if it cannot be followed.
func (t *tracer) trace(curve stencil.Curve, a, b knot, off float64, halvings int) (ok bool) {
	length := a.at.Add(b.at.Scale(-1)).Norm()
	if min(a.away, b.away) > 1.5*t.radius+length {
		return true
	}
	m := t.knot(curve, a.t+(b.t-a.t)/2)
	if a.px.valid() && m.px.valid() && b.px.valid() {
		chord := a.px.distance(b.px)
		bulge := m.px.distance(point{(a.px.x + b.px.x) / 2, (a.px.y + b.px.y) / 2})
		// The halves of a smooth piece leave their chords by a quarter of this.
		if bulge <= 2*borderError && off <= 12*borderError || chord+bulge < borderError {
			t.draw(a.px, m.px)
			t.draw(m.px, b.px)
			return t.drawn <= maxLines
		}
		if bulge <= chord/5 && off < math.Inf(1) && t.beyond(a.px, b.px, chord+4*bulge) {
			return true
		}
		off = bulge
	}
	if halvings == maxHalvings || t.ended {
		return false
	}
	return t.trace(curve, a, m, off, halvings+1) && t.trace(curve, m, b, off, halvings+1)
}

// beyond reports whether all within a distance of the chord from a to b is out of the frame.
func (t *tracer) beyond(a, b point, distance float64) bool {
	distance++
	return max(a.x, b.x)+distance < 0 || min(a.x, b.x)-distance > t.box.nx ||
		max(a.y, b.y)+distance < 0 || min(a.y, b.y)-distance > t.box.ny
}

// shifted is a coordinate system that counts pixels from another one.
type shifted struct {
	Mapper
	dx, dy float64
}

func (s shifted) ToSky(dst, src []float64) (hidden int, err error) {
	for i := 0; i+1 < len(src); i += 2 {
		dst[i], dst[i+1] = src[i]+s.dx, src[i+1]+s.dy
	}
	return s.Mapper.ToSky(dst, dst)
}

func (s shifted) ToPixel(dst, src []float64) (hidden int, err error) {
	hidden, err = s.Mapper.ToPixel(dst, src)
	for i := 0; i+1 < len(dst); i += 2 {
		dst[i], dst[i+1] = dst[i]-s.dx, dst[i+1]-s.dy
	}
	return hidden, err
}
