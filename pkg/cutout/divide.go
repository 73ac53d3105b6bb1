package cutout

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// Bounds of dividing an image.
const (
	divideSteps = 1 << 17  // positions looked at in all
	cellSide    = 0.25     // of the smallest cell, in pixels, or
	cellPart    = 1. / 512 // of it as a part of a small image
	widenRounds = 16       // how often a line around the box may find the stencil beyond it
	widenSteps  = 1 << 13  // positions looked at on a line around the box
)

// cell is a rectangle of the image.
type cell struct{ lo, hi point }

// divide adds to the box what cells of the image show to be in the stencil.
func (c *coverer) divide() error {
	const n = 16
	var cells []cell
	for i := range n {
		for j := range n {
			x, y := c.box.nx/n, c.box.ny/n
			cells = append(cells, cell{
				point{0.5 + x*float64(j), 0.5 + y*float64(i)},
				point{0.5 + x*float64(j+1), 0.5 + y*float64(i+1)},
			})
		}
	}
	steps := 0
	for len(cells) > 0 && !c.box.whole() {
		const looks = 5 // positions per cell
		px, at := make([]point, 0, looks*len(cells)), make([]sky.Vec, looks*len(cells))
		for _, q := range cells {
			px = append(px, point{(q.lo.x + q.hi.x) / 2, (q.lo.y + q.hi.y) / 2},
				q.lo, point{q.hi.x, q.lo.y}, point{q.lo.x, q.hi.y}, q.hi)
		}
		if steps += len(px); steps > divideSteps {
			break
		}
		if err := c.toSky(at, px); err != nil {
			return err
		}
		in := make([]bool, len(px))
		for i, v := range at {
			if in[i] = v != (sky.Vec{}) && c.st.Contains(v); in[i] {
				c.box.add(px[i])
			}
		}
		var next []cell
		for i, q := range cells {
			if c.box.grows(q.lo, q.hi) && c.reaches(q, at[looks*i:looks*i+looks], in[looks*i:looks*i+looks]) {
				m := px[looks*i]
				next = append(next, cell{q.lo, m}, cell{m, q.hi},
					cell{point{m.x, q.lo.y}, point{q.hi.x, m.y}}, cell{point{q.lo.x, m.y}, point{m.x, q.hi.y}})
			}
		}
		cells = next
	}
	return nil
}

// reaches reports whether a cell deserves a closer look: at holds the directions of its
// middle and its corners, and in which of them are in the stencil.
func (c *coverer) reaches(q cell, at []sky.Vec, in []bool) bool {
	side := max(q.hi.x-q.lo.x, q.hi.y-q.lo.y)
	size := max(c.box.nx, c.box.ny)
	if side <= min(cellSide, size*cellPart) {
		return false
	}
	shown, held := 0, 0
	var radius float64 // of the cell on the sky, around one of its positions
	var one sky.Vec
	for i, v := range at {
		if v == (sky.Vec{}) {
			continue
		}
		if shown == 0 {
			one = v
		}
		shown++
		radius = max(radius, v.Angle(one))
		if in[i] {
			held++
		}
	}
	switch {
	case held > 0:
		return held < len(at) // or all of it is in the box
	case shown == 0:
		return side > size/64
	case shown < len(at): // on the rim of the sky, where a projection may stretch it
		return shown < 2 || c.st.Distance(one) <= 5*radius+1e-12
	}
	return radius > math.Pi/4 || c.st.Distance(one) <= 1.5*radius+1e-12
}

// widen looks along the lines just outside of the box, between columns and rows of pixels,
// and adds what it finds there, as long as it finds something. That makes up for what
// is smaller than a cell.
func (c *coverer) widen() error {
	for range widenRounds {
		x0, x1, y0, y1, ok := c.box.pixels()
		if !ok || c.box.whole() {
			return nil
		}
		const out = 2 * edgeTolerance
		lo := point{float64(x0) + 0.5 - out, float64(y0) + 0.5 - out}
		hi := point{float64(x1) + 0.5 + out, float64(y1) + 0.5 + out}
		for _, line := range [4][2]point{
			{lo, {lo.x, hi.y}}, {{hi.x, lo.y}, hi}, {lo, {hi.x, lo.y}}, {{lo.x, hi.y}, hi},
		} {
			if err := c.scan(line[0], line[1]); err != nil {
				return err
			}
		}
		if x2, x3, y2, y3, _ := c.box.pixels(); x2 == x0 && x3 == x1 && y2 == y0 && y3 == y1 {
			return nil
		}
	}
	return nil
}

// scan adds what it finds of the stencil on a line, where that is in the image.
func (c *coverer) scan(a, b point) error {
	if b.x < 0.5 || b.y < 0.5 || a.x > c.box.nx+0.5 || a.y > c.box.ny+0.5 {
		return nil
	}
	// The image's own edge and corners are looked at exactly.
	a.x, b.x = max(a.x, 0.5), min(b.x, c.box.nx+0.5)
	a.y, b.y = max(a.y, 0.5), min(b.y, c.box.ny+0.5)
	n := int(min(max(a.distance(b)/cellSide, 1/cellPart), widenSteps))
	px, at := make([]point, 0, n), make([]sky.Vec, n)
	for i := range n {
		t := float64(i) / float64(n-1)
		px = append(px, point{a.x + t*(b.x-a.x), a.y + t*(b.y-a.y)})
	}
	if err := c.toSky(at, px); err != nil {
		return err
	}
	for i, v := range at {
		if v != (sky.Vec{}) && c.box.inside(px[i]) && c.st.Contains(v) {
			c.box.add(px[i])
		}
	}
	return nil
}
