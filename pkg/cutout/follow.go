package cutout

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Bounds of following a border.
const (
	followSteps  = 1 << 17 // positions looked at in all
	followLevels = 64      // halvings of a piece
)

// knot is a position on a border.
type knot struct {
	t    float64
	at   sky.Vec
	px   point   // NaN unless ToPixel shows it and, where needed, ToSky brings it back
	away float64 // angle from the middle of the image, if simple
}

// piece is a part of a border between two knots.
type piece struct {
	curve int
	a, b  knot
	bulge float64 // how far the border may leave the chord between a and b, in pixels; +Inf: unknown
}

// follow adds to the box what it can reach by the stencil's border.
//
// Pieces are halved, all of one level at a time, as long as the rectangle around a
// piece would enlarge the box. That rectangle is the chord's, wider by twice what a
// smooth arc could bulge beyond it, judging by how much the whole arc did at the level
// before; it is unbounded for a piece that does not look smooth.
func (c *coverer) follow() error {
	curves := c.st.Border()
	pieces, err := c.start(curves)
	if err != nil {
		return err
	}
	steps := 0
	middles, next := c.knots[:0], c.pieces[1][:0]
	defer func() { c.knots, c.pieces = middles, [2][]piece{pieces, next} }()
	for range followLevels {
		steps += len(pieces)
		if len(pieces) == 0 || c.box.whole() {
			return nil
		}
		if steps > followSteps {
			break
		}
		middles = middles[:0]
		for _, p := range pieces {
			t := p.a.t + (p.b.t-p.a.t)/2
			middles = append(middles, knot{t: t, at: curves[p.curve](t)})
		}
		if err := c.look(middles); err != nil {
			return err
		}
		next = next[:0]
		for i, p := range pieces {
			m := middles[i]
			bulge := p.halfBulge(m)
			for _, q := range [2]piece{{p.curve, p.a, m, bulge}, {p.curve, m, p.b, bulge}} {
				if c.promising(q) {
					next = append(next, q)
				}
			}
		}
		pieces, next = next, pieces
	}
	c.doubt = true
	return nil
}

// halfBulge returns the bulge of the halves of a piece with the given middle. The halves
// of a smooth arc bulge by a quarter as much as the arc; we take half. If its middle
// lies on its chord by the chance of an inflection, an eighth of its bulge is what
// the cubic term leaves.
func (p *piece) halfBulge(middle knot) float64 {
	a, b, m := p.a.px, p.b.px, middle.px
	if !a.valid() || !b.valid() || !m.valid() {
		return math.Inf(1)
	}
	chord, off := a.distance(b), m.distance(point{(a.x + b.x) / 2, (a.y + b.y) / 2})
	if off > 0.2*chord {
		return math.Inf(1)
	}
	return max(off/2, min(p.bulge, 0.4*chord)/8) + 1e-9
}

// start returns the first pieces of all curves: 32 of a curve that bends on the sky, such
// as a circle, and of an arc of a great circle as many as it has times 11 degrees.
func (c *coverer) start(curves []stencil.Curve) ([]piece, error) {
	const most = 32 // pieces of a curve
	knots, counts := c.knots[:0], c.counts[:0]
	for _, curve := range curves {
		n := most
		a, m, b := curve(0), curve(0.5), curve(1)
		if length := a.Angle(m) + m.Angle(b); length <= 1.001*a.Angle(b) {
			n = 2 + int(length/(math.Pi/16))
		}
		for k := range n + 1 {
			t := float64(k) / float64(n)
			knots = append(knots, knot{t: t, at: curve(t)})
		}
		counts = append(counts, n)
	}
	c.knots, c.counts = knots, counts
	if err := c.look(knots); err != nil {
		return nil, err
	}
	pieces := c.pieces[0][:0]
	for i, n := range counts {
		for k := range n {
			if p := (piece{i, knots[k], knots[k+1], math.Inf(1)}); c.promising(p) {
				pieces = append(pieces, p)
			}
		}
		knots = knots[n+1:]
	}
	return pieces, nil
}

// look finds the positions of knots and adds those in the image to the box.
func (c *coverer) look(knots []knot) error {
	at, px, back := c.space(len(knots))
	for i := range knots {
		at[i] = knots[i].at
	}
	if err := c.toPixel(px, at); err != nil {
		return err
	}
	if !c.simple {
		if err := c.toSky(back, px); err != nil {
			return err
		}
	}
	for i := range knots {
		k := &knots[i]
		k.px = px[i]
		if c.simple {
			k.away = k.at.Angle(c.middle)
			c.doubt = c.doubt || !k.px.valid() && k.away <= c.radius
		} else if k.at.Add(back[i].Scale(-1)).Norm() > c.grain() {
			k.px = point{math.NaN(), math.NaN()}
		}
		if c.box.inside(k.px) {
			c.box.add(k.px)
		}
	}
	return nil
}

// space returns room for the positions of n knots, used until the next call.
func (c *coverer) space(n int) (at []sky.Vec, px []point, back []sky.Vec) {
	if cap(c.at) < 2*n {
		c.at, c.px = make([]sky.Vec, 2*n), make([]point, n)
	}
	return c.at[:n], c.px[:n], c.at[n : 2*n]
}

// promising reports whether a piece might enlarge the box.
func (c *coverer) promising(p piece) bool {
	length := p.a.at.Add(p.b.at.Scale(-1)).Norm()
	if c.simple && min(p.a.away, p.b.away) > 1.5*c.radius+length {
		return false
	}
	if length < 1e-15 || p.b.t-p.a.t < 1e-15 {
		return false
	}
	if !p.a.px.valid() || !p.b.px.valid() {
		return p.a.px.valid() || p.b.px.valid() || length > 2e-3
	}
	if math.IsInf(p.bulge, 1) {
		return true
	}
	lo := point{min(p.a.px.x, p.b.px.x) - p.bulge, min(p.a.px.y, p.b.px.y) - p.bulge}
	hi := point{max(p.a.px.x, p.b.px.x) + p.bulge, max(p.a.px.y, p.b.px.y) + p.bulge}
	return c.box.grows(lo, hi)
}
