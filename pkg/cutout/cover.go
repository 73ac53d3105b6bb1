package cutout

import (
	"math"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Mapper is what covering needs of a celestial coordinate system; [wcs.System] is one.
type Mapper interface {
	ToSky(dst, src []float64) (hidden int, err error)
	ToPixel(dst, src []float64) (hidden int, err error)
}

// Cover returns the smallest box of the pixels that a stencil touches in an image of nx by
// ny pixels: columns x0 to x1-1 and rows y0 to y1-1, from zero. Pixel p covers the
// positions from p-½ to p+½. ok is false if the stencil touches no pixel.
//
// It follows the stencil's border through ToPixel, looking closer wherever a piece of it
// might still enlarge the box, and adds the corners of the image that the stencil
// contains. For an image of less than about half of the sky on which sky and pixels
// correspond one to one, that is all there is to a region's extent. For any other image,
// on which a direction has several pixels, or pixels have no sky, or a seam runs, it then
// divides the image into ever smaller cells and looks through ToSky at those that the
// stencil can reach and the box does not hold.
//
// Neither looks at more than a fixed number of positions, whatever the coordinate
// system does. The error is that of m, or of a box that cannot be (nx or ny below 1).
func Cover(m Mapper, st stencil.Stencil, nx, ny int64) (x0, x1, y0, y1 int64, ok bool, err error) {
	if nx < 1 || ny < 1 {
		return 0, 0, 0, 0, false, fault.New(fault.Usage, "cutout.Cover", "an image of %d by %d pixels: want 1 or more", nx, ny)
	}
	c := newCoverer(m, st, nx, ny)
	defer c.free()
	if err = c.survey(); err == nil {
		err = c.search()
	}
	if err != nil {
		return 0, 0, 0, 0, false, err
	}
	x0, x1, y0, y1, ok = c.box.pixels()
	return x0, x1, y0, y1, ok, nil
}

// search enlarges the box to its final size.
func (c *coverer) search() error {
	if c.simple {
		seen := c.box
		if err := c.follow(); err != nil {
			return err
		}
		if sure, err := c.verify(); sure || err != nil {
			return err
		}
		c.box, c.simple = seen, false
	}
	if err := c.follow(); err != nil {
		return err
	}
	if err := c.divide(); err != nil {
		return err
	}
	return c.widen()
}

// edgeTolerance is how far in pixels a stencil must reach over the edge of a pixel to
// touch it, so that rounding does not add a row to a stencil that ends between two.
const edgeTolerance = 1e-7

// extent is the bounding box of positions found so far, in FITS pixels, inside the area of
// an image: [0.5, nx+0.5] × [0.5, ny+0.5].
type extent struct {
	nx, ny                   float64
	west, east, south, north point // the outermost positions
}

func newExtent(nx, ny int64) extent {
	inf := math.Inf(1)
	far, near := point{inf, inf}, point{-inf, -inf}
	return extent{float64(nx), float64(ny), far, near, far, near}
}

// point is a position in FITS pixels, NaN where the projection shows nothing.
type point struct{ x, y float64 }

func (p point) valid() bool { return !math.IsNaN(p.x) && !math.IsNaN(p.y) }

func (p point) distance(q point) float64 { return math.Hypot(p.x-q.x, p.y-q.y) }

// inside reports whether p lies in the area of the image. NaN does not.
func (e *extent) inside(p point) bool {
	return p.x >= 0.5 && p.x <= e.nx+0.5 && p.y >= 0.5 && p.y <= e.ny+0.5
}

func (e *extent) empty() bool { return e.west.x > e.east.x }

func (e *extent) add(p point) {
	if p.x < e.west.x {
		e.west = p
	}
	if p.x > e.east.x {
		e.east = p
	}
	if p.y < e.south.y {
		e.south = p
	}
	if p.y > e.north.y {
		e.north = p
	}
}

// first and last number the pixels from 1 that an interval of n pixels touches.
func first(lo, n float64) float64 { return min(max(math.Floor(lo+0.5+edgeTolerance), 1), n) }
func last(hi, n float64) float64  { return min(max(math.Ceil(hi-0.5-edgeTolerance), 1), n) }

// span returns the first and last pixel of an interval; one that straddles an edge by
// less than the tolerance touches both sides.
func span(lo, hi, n float64) (a, b float64) {
	a, b = first(lo, n), last(hi, n)
	return min(a, b), max(a, b)
}

// pixels returns the box of the pixels that the extent touches.
func (e *extent) pixels() (x0, x1, y0, y1 int64, ok bool) {
	if e.empty() {
		return 0, 0, 0, 0, false
	}
	ax, bx := span(e.west.x, e.east.x, e.nx)
	ay, by := span(e.south.y, e.north.y, e.ny)
	return int64(ax) - 1, int64(bx), int64(ay) - 1, int64(by), true
}

// grows reports whether the pixels would be more if all of lo to hi, as far as it is
// inside of the image, belonged to the extent.
func (e *extent) grows(lo, hi point) bool {
	if hi.x < 0.5 || hi.y < 0.5 || lo.x > e.nx+0.5 || lo.y > e.ny+0.5 {
		return false
	}
	if e.empty() {
		return true
	}
	return first(lo.x, e.nx) < first(e.west.x, e.nx) || last(hi.x, e.nx) > last(e.east.x, e.nx) ||
		first(lo.y, e.ny) < first(e.south.y, e.ny) || last(hi.y, e.ny) > last(e.north.y, e.ny)
}

// whole reports whether every pixel is touched.
func (e *extent) whole() bool {
	return !e.grows(point{0.5, 0.5}, point{e.nx + 0.5, e.ny + 0.5})
}

// coverer is the state of one Cover.
type coverer struct {
	m   Mapper
	st  stencil.Stencil
	box extent

	// What survey learns.
	simple bool    // sky and pixels seem to correspond one to one
	doubt  bool    // until something in the image had no pixel
	middle sky.Vec // of the image, if simple
	radius float64 // around middle, in radians: holds the image and some more; if simple
	scale  float64 // radians per pixel, roughly; 0 if unknown

	scratch
}

// scratch is the memory of a coverer, which the next one uses again.
type scratch struct {
	buffer []float64
	at     []sky.Vec
	px     []point
	knots  []knot
	pieces [2][]piece
	counts []int
}

var coverers = sync.Pool{New: func() any { return new(coverer) }}

func newCoverer(m Mapper, st stencil.Stencil, nx, ny int64) *coverer {
	c := coverers.Get().(*coverer)
	*c = coverer{m: m, st: st, box: newExtent(nx, ny), scratch: c.scratch}
	return c
}

// free gives the memory of c to another.
func (c *coverer) free() {
	c.m, c.st = nil, nil
	if cap(c.knots) <= 1<<12 {
		coverers.Put(c)
	}
}

// toSky returns the directions of positions; missing ones are zero vectors.
func (c *coverer) toSky(dst []sky.Vec, src []point) error {
	b := c.room(2 * len(src))
	for i, p := range src {
		b[2*i], b[2*i+1] = p.x, p.y
	}
	if _, err := c.m.ToSky(b, b); err != nil {
		return err
	}
	for i := range dst {
		if ra, dec := b[2*i], b[2*i+1]; math.IsNaN(ra) || math.IsNaN(dec) {
			dst[i] = sky.Vec{}
		} else {
			dst[i] = sky.FromDegrees(ra, dec)
		}
	}
	return nil
}

// toPixel returns the positions of directions.
func (c *coverer) toPixel(dst []point, src []sky.Vec) error {
	b := c.room(2 * len(src))
	for i, v := range src {
		b[2*i], b[2*i+1] = v.Degrees()
	}
	if _, err := c.m.ToPixel(b, b); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = point{b[2*i], b[2*i+1]}
	}
	return nil
}

func (c *coverer) room(n int) []float64 {
	if cap(c.buffer) < n {
		c.buffer = make([]float64, n)
	}
	return c.buffer[:n]
}

// surveySide is the number of positions along a side of the grid that survey looks at.
const surveySide = 7

// survey looks at a grid of positions over the image, up to its edges: it learns whether
// the image is simple, how large it is, and which positions are in the stencil.
func (c *coverer) survey() error {
	const n = surveySide
	var grid, back [n * n]point
	var at [n * n]sky.Vec
	for i := range n {
		for j := range n {
			grid[i*n+j] = point{0.5 + c.box.nx*float64(j)/(n-1), 0.5 + c.box.ny*float64(i)/(n-1)}
		}
	}
	if err := c.toSky(at[:], grid[:]); err != nil {
		return err
	}
	if err := c.toPixel(back[:], at[:]); err != nil {
		return err
	}
	c.middle = at[n*n/2]
	c.simple = true
	for i, v := range at {
		if v == (sky.Vec{}) {
			c.simple = false
			continue
		}
		if !(back[i].distance(grid[i]) < 1e-2) {
			c.simple = false
		}
		c.radius = max(c.radius, v.Angle(c.middle))
		if c.st.Contains(v) {
			c.box.add(grid[i])
		}
	}
	diagonal := math.Hypot(c.box.nx, c.box.ny)
	c.scale = 2 * c.radius / diagonal
	if c.radius > 1 {
		c.simple = false
	}
	return nil
}

// verify reports whether the outermost positions that follow found without looking back
// from them to the sky do lie in the stencil.
func (c *coverer) verify() (sure bool, err error) {
	if c.doubt || c.box.empty() {
		return !c.doubt, nil
	}
	px := [4]point{c.box.west, c.box.east, c.box.south, c.box.north}
	var at [4]sky.Vec
	if err := c.toSky(at[:], px[:]); err != nil {
		return false, err
	}
	for _, v := range at {
		if v == (sky.Vec{}) || c.st.Distance(v) > c.grain() {
			return false, nil
		}
	}
	return true, nil
}

// grain is the angle in radians between directions that count as the same: a millionth of
// a pixel, or what rounding leaves.
func (c *coverer) grain() float64 { return 1e-11 + 1e-6*c.scale }
