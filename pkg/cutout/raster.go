package cutout

import (
	"context"
	"math"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// Bounds of a raster.
const (
	borderError = 1. / 12 // pixels: how far the border may leave the lines that stand for it
	maxLines    = 1 << 17 // of a border; beyond, every pixel is looked at
	maxHalvings = 48      // of a piece of the border
	bandRows    = 8       // rows that share a list of lines
	maxKeptRuns = 1 << 18 // runs that are remembered for the next plane or pass: 4 MB
)

// raster tells which pixels of a frame lie outside of a stencil, by their centres.
//
// The border is followed through ToPixel and stands as lines between its positions, close
// enough that it leaves them by less than borderError. Along a row, the border then can
// only pass where a line is near: those pixels are looked at one by one, and of the gaps
// between them, which lie wholly inside or wholly outside, one pixel each, unless the
// border does not pass between that pixel and the one below. Every decision is that of the
// stencil about a pixel's own direction; the lines only say for how many pixels it holds. Where sky and pixels do not correspond one to one, or the
// border cannot be followed, all pixels are looked at.
//
// A raster is for one goroutine.
type raster struct {
	system *wcs.System
	st     stencil.Stencil
	x0, y0 float64 // position of the frame's first pixel
	nx, ny int
	alone  [2]int // the one pixel inside, if no centre is; -1: there are others, or none

	bands [][]line // the lines near to the rows of each band; nil: look at all pixels
	near  []reach  // scratch of scan: where on its row the border may pass,
	below []reach  // and where between it and the row before
	runs  []run    // outside, of the first rows
	ends  []int    // where the runs of each of these rows end
	other []run    // of a row that is not remembered
}

// run is the pixels of a row from from to upto-1, counted from 0.
type run struct{ from, upto int }

// line is a straight piece that stands for a border, in pixels of the frame from 0.
type line struct{ a, b point }

// reach is a part of a row where the border may pass.
type reach struct{ lo, hi float64 }

// newRaster prepares the raster of a frame along the celestial axes of system. It looks for a first
// pixel inside, since without one the pixel that holds the stencil's centre stands for it.
func newRaster(ctx context.Context, system *wcs.System, st stencil.Stencil, frame pixel.Box) (*raster, error) {
	x, y := system.Axes()
	r := &raster{
		system: system, st: st, x0: float64(frame.Min[x]) + 1, y0: float64(frame.Min[y]) + 1,
		nx: int(frame.Size(x)), ny: int(frame.Size(y)), alone: [2]int{-1, -1},
	}
	r.follow()
	r.ends = make([]int, 0, min(r.ny, maxKeptRuns))
	r.runs = make([]run, 0, min(2*r.ny, maxKeptRuns))
	for row := range r.ny {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if out := r.outside(row); len(out) != 1 || out[0] != (run{0, r.nx}) {
			return r, nil
		}
	}
	if centre, ok := st.Centre(); ok {
		lon, lat := centre.Degrees()
		p := []float64{lon, lat}
		if hidden, err := system.ToPixel(p, p); err == nil && hidden == 0 {
			if px, py := math.Round(p[0]-r.x0), math.Round(p[1]-r.y0); px >= 0 && px < float64(r.nx) && py >= 0 && py < float64(r.ny) {
				r.alone = [2]int{int(px), int(py)}
			}
		}
	}
	return r, nil
}

// outside returns the runs of a row that are outside, in order. They stay valid until the
// next call.
func (r *raster) outside(row int) []run {
	if row == r.alone[1] {
		r.other = appendRun(appendRun(r.other[:0], 0, r.alone[0]), r.alone[0]+1, r.nx)
		return r.other
	}
	if row < len(r.ends) {
		return r.kept(row)
	}
	r.other = r.scan(r.other[:0], row)
	if row == len(r.ends) && len(r.runs)+len(r.other) <= maxKeptRuns {
		r.runs = append(r.runs, r.other...)
		r.ends = append(r.ends, len(r.runs))
	}
	return r.other
}

// kept returns the runs of a row that is remembered.
func (r *raster) kept(row int) []run {
	first := 0
	if row > 0 {
		first = r.ends[row-1]
	}
	return r.runs[first:r.ends[row]]
}

// appendRun adds pixels outside to the runs of a row, which it makes longer where it can.
func appendRun(runs []run, from, upto int) []run {
	if n := len(runs); n > 0 && runs[n-1].upto == from && from < upto {
		runs[n-1].upto = upto
	} else if from < upto {
		runs = append(runs, run{from, upto})
	}
	return runs
}

// inside reports whether the centre of a pixel is in the stencil.
func (r *raster) inside(x, y int) bool {
	v, ok := r.system.Direction(r.x0+float64(x), r.y0+float64(y))
	return ok && r.st.Contains(v)
}

// holds is inside, decided by the pixel of the row before where that is remembered and the
// border does not pass between the two.
func (r *raster) holds(x, y int) bool {
	const few = 16
	if y == 0 || y > len(r.ends) || len(r.below) > few {
		return r.inside(x, y)
	}
	for _, q := range r.below {
		if q.lo <= float64(x) && float64(x) <= q.hi {
			return r.inside(x, y)
		}
	}
	for _, q := range r.kept(y - 1) {
		if q.from <= x && x < q.upto {
			return false
		}
	}
	return true
}

// scan appends the runs of a row that are outside.
func (r *raster) scan(runs []run, y int) []run {
	each := func(from, upto int) {
		for x := from; x < upto; x++ {
			if !r.inside(x, y) {
				runs = appendRun(runs, x, x+1)
			}
		}
	}
	if r.bands == nil {
		each(0, r.nx)
		return runs
	}
	gap := func(from, upto int) {
		if from < upto && !r.holds(from+(upto-from)/2, y) {
			runs = appendRun(runs, from, upto)
		}
	}
	r.near, r.below = r.near[:0], r.below[:0]
	for _, l := range r.bands[y/bandRows] {
		if q, ok := l.reach(float64(y), float64(y)); ok {
			r.near = append(r.near, q)
		}
		if q, ok := l.reach(float64(y-1), float64(y)); ok {
			r.below = append(r.below, q)
		}
	}
	slices.SortFunc(r.near, func(a, b reach) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	x := 0 // all before is decided
	for _, q := range r.near {
		first := int(math.Ceil(min(max(q.lo, 0), float64(r.nx))))
		next := int(math.Floor(min(max(q.hi, -1), float64(r.nx-1)))) + 1
		if first > x {
			gap(x, first)
			x = first
		}
		if next > x {
			each(x, next)
			x = next
		}
	}
	gap(x, r.nx)
	return runs
}

// reach returns where between the rows y0 and y1 the border may pass near to the line.
func (l line) reach(y0, y1 float64) (reach, bool) {
	lo, hi := l.a, l.b
	if lo.y > hi.y {
		lo, hi = hi, lo
	}
	if lo.y > y1+borderError || hi.y < y0-borderError {
		return reach{}, false
	}
	from, upto := lo.x, hi.x
	if height := hi.y - lo.y; height > 0 {
		slope := (hi.x - lo.x) / height
		from = lo.x + slope*max(0, y0-borderError-lo.y)
		upto = lo.x + slope*min(height, y1+borderError-lo.y)
	}
	return reach{min(from, upto) - borderError, max(from, upto) + borderError}, true
}

// tracer follows the border of a stencil over a frame.
type tracer struct {
	coverer
	system *wcs.System
	x0, y0 float64
	lines  []line
}

// follow finds the lines, if it can.
func (r *raster) follow() {
	t := &tracer{system: r.system, x0: r.x0, y0: r.y0, lines: make([]line, 0, 512)}
	t.m, t.st, t.box = shifted{r.system, r.x0 - 1, r.y0 - 1}, r.st, newExtent(int64(r.nx), int64(r.ny))
	if err := t.survey(); err != nil || !t.simple {
		return
	}
	for _, curve := range r.st.Border() {
		n := 32
		a, m, b := curve(0), curve(0.5), curve(1)
		if length := a.Angle(m) + m.Angle(b); length <= 1.001*a.Angle(b) {
			n = 2 + int(length/(math.Pi/16))
		}
		from := t.knot(curve, 0)
		for k := range n {
			upto := t.knot(curve, float64(k+1)/float64(n))
			if !t.trace(curve, from, upto, math.Inf(1), 0) {
				return
			}
			from = upto
		}
	}
	r.bands = share(t.lines, r.ny)
}

// share gives each band of ny rows the lines that are near to its rows and the one before.
func share(lines []line, ny int) [][]line {
	bands := make([][]line, (ny+bandRows-1)/bandRows)
	counts := make([]int, len(bands)+1)
	each := func(do func(band int, l line)) {
		for _, l := range lines {
			lo := max(math.Floor(min(l.a.y, l.b.y)-borderError), 0)
			hi := min(math.Ceil(max(l.a.y, l.b.y)+borderError)+1, float64(ny-1))
			if lo > hi {
				continue
			}
			for band := int(lo) / bandRows; band <= int(hi)/bandRows; band++ {
				do(band, l)
			}
		}
	}
	total := 0
	each(func(band int, _ line) { counts[band]++; total++ })
	all := make([]line, 0, total)
	for i := range bands {
		bands[i] = all[len(all) : len(all) : len(all)+counts[i]]
		all = all[:len(all)+counts[i]]
	}
	each(func(band int, l line) { bands[band] = append(bands[band], l) })
	return bands
}

// knot returns the position of a border, in pixels of the frame from 0.
func (t *tracer) knot(curve stencil.Curve, at float64) knot {
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
			t.lines = append(t.lines, line{a.px, m.px}, line{m.px, b.px})
			return len(t.lines) <= maxLines
		}
		if bulge <= chord/5 && off < math.Inf(1) && t.beyond(a.px, b.px, chord+4*bulge) {
			return true
		}
		off = bulge
	}
	if halvings == maxHalvings || len(t.lines) > maxLines {
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
