package cutout

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// Bounds of a raster.
const (
	maxKeptRuns = 1 << 18 // runs that are remembered for the next plane or pass, and their rows: 6 MB
	looksAtOnce = 1 << 12 // pixels that are looked at before the context is
)

// raster tells which pixels of a frame lie outside of a stencil, by their centres.
//
// The border stands as lines that it leaves by less than borderError (see tracer). Rows
// are swept in their order, with a list of the lines near to them, which lines join and
// leave as the rows go by. Along a row the border can only pass where a line is near: those
// pixels are looked at one by one, and of the gaps between them, which lie wholly inside or
// wholly outside, one pixel each, unless the border does not pass between that pixel and
// the one below. Every decision is that of the stencil about a pixel's own direction; the
// lines only say for how many pixels it holds. Where the border cannot be followed, all
// pixels are looked at.
//
// A raster is for one goroutine. Rows may be asked for in any order, but in their own they
// come fastest.
type raster struct {
	system *wcs.System
	st     stencil.Stencil
	x0, y0 float64 // position of the frame's first pixel
	nx, ny int
	alone  [2]int // the one pixel inside, if no centre is; -1: there are others, or none

	followed bool   // the border is that of lines
	lines    []line // near to the frame, by their lowest rows
	row      int    // that was swept last
	joined   int    // how many of the lines have joined
	active   []line // those near to the row
	near     []reach
	below    []reach // between the row and the one before
	last     []run   // outside, of the row that was swept last
	other    []run   // scratch

	runs []run // outside, of the first rows
	ends []int // where the runs of each of these rows end
}

// run is the pixels of a row from from to upto-1, counted from 0.
type run struct{ from, upto int }

// line is a straight piece that stands for a border, in pixels of the frame from 0; a is
// not above b.
type line struct{ a, b point }

// reach is a part of a row where the border may pass.
type reach struct{ lo, hi float64 }

// newRaster prepares the raster of a frame along the celestial axes of system. It looks for a first
// pixel inside, since without one the pixel that holds the stencil's centre stands for it.
func newRaster(ctx context.Context, system *wcs.System, st stencil.Stencil, frame pixel.Box) (*raster, error) {
	x, y := system.Axes()
	r := &raster{
		system: system, st: st, x0: float64(frame.Min[x]) + 1, y0: float64(frame.Min[y]) + 1,
		nx: int(frame.Size(x)), ny: int(frame.Size(y)), alone: [2]int{-1, -1}, row: -1,
	}
	var err error
	if r.lines, r.followed, err = follow(ctx, system, st, r.x0, r.y0, r.nx, r.ny); err != nil {
		return nil, err
	}
	r.ends, r.runs = make([]int, 0, min(r.ny, 1<<12)), make([]run, 0, 2*min(r.ny, 1<<12))
	for row := range r.ny {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := r.outside(ctx, row)
		if err != nil {
			return nil, err
		}
		if len(out) != 1 || out[0] != (run{0, r.nx}) {
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
// next call. The error is that of ctx.
func (r *raster) outside(ctx context.Context, row int) ([]run, error) {
	if row == r.alone[1] {
		r.other = appendRun(appendRun(r.other[:0], 0, r.alone[0]), r.alone[0]+1, r.nx)
		return r.other, nil
	}
	if row < len(r.ends) {
		return r.kept(row), nil
	}
	if row != r.row+1 {
		r.seek(row)
	}
	out, err := r.sweep(ctx, r.other[:0], row)
	if err != nil {
		r.row = -1
		return nil, err
	}
	r.row, r.last, r.other = row, out, r.last
	if row == len(r.ends) && len(r.ends) < maxKeptRuns && len(r.runs)+len(out) <= maxKeptRuns {
		r.runs = append(r.runs, out...)
		r.ends = append(r.ends, len(r.runs))
	}
	return out, nil
}

// kept returns the runs of a row that is remembered.
func (r *raster) kept(row int) []run {
	first := 0
	if row > 0 {
		first = r.ends[row-1]
	}
	return slices.Clip(r.runs[first:r.ends[row]]) // users append to it
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

// seek prepares to sweep a row that does not follow the last one.
func (r *raster) seek(row int) {
	r.joined, r.active, r.row = 0, r.active[:0], -1
	if row > 0 && row <= len(r.ends) {
		r.row, r.last = row-1, append(r.last[:0], r.kept(row-1)...)
	}
}

// join brings the list of lines near to a row, or to what is between it and the row
// before, up to date, and finds out where on the row and between the two the border may pass.
func (r *raster) join(row int) {
	y := float64(row)
	for ; r.joined < len(r.lines) && r.lines[r.joined].a.y <= y+borderError; r.joined++ {
		r.active = append(r.active, r.lines[r.joined])
	}
	stay := r.active[:0]
	r.near, r.below = r.near[:0], r.below[:0]
	for _, l := range r.active {
		q, ok := l.reach(y-1, y)
		if !ok {
			continue
		}
		stay, r.below = append(stay, l), append(r.below, q)
		if q, ok := l.reach(y, y); ok {
			r.near = append(r.near, q)
		}
	}
	r.active = stay
	byLo := func(a, b reach) int { return cmp.Compare(a.lo, b.lo) }
	slices.SortFunc(r.near, byLo)
	slices.SortFunc(r.below, byLo)
}

// sweep appends the runs of a row that are outside.
func (r *raster) sweep(ctx context.Context, runs []run, y int) ([]run, error) {
	each := func(from, upto int) error {
		for x := from; x < upto; x++ {
			if (x-from)%looksAtOnce == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			if !r.inside(x, y) {
				runs = appendRun(runs, x, x+1)
			}
		}
		return nil
	}
	if !r.followed {
		err := each(0, r.nx)
		return runs, err
	}
	r.join(y)
	before := walker{known: y > 0 && r.row == y-1, below: r.below, runs: r.last, covered: math.Inf(-1)}
	gap := func(from, upto int) {
		if from >= upto {
			return
		}
		x := from + (upto-from)/2
		in, ok := before.holds(x)
		if !ok {
			in = r.inside(x, y)
		}
		if !in {
			runs = appendRun(runs, from, upto)
		}
	}
	x := 0 // all before is decided
	for _, q := range r.near {
		first := int(math.Ceil(min(max(q.lo, 0), float64(r.nx))))
		next := int(math.Floor(min(max(q.hi, -1), float64(r.nx-1)))) + 1
		if first > x {
			gap(x, first)
			x = first
		}
		if next > x {
			if err := each(x, next); err != nil {
				return nil, err
			}
			x = next
		}
	}
	gap(x, r.nx)
	return runs, nil
}

// walker goes along the row before the one that is swept.
type walker struct {
	known   bool    // there is such a row, and its runs are known
	below   []reach // that it has not come to
	covered float64 // up to where those that it has come to reach
	runs    []run   // outside, that it has not left behind
}

// holds reports whether the pixel of the row before is inside; ok is false if that is not
// known or the border may pass between it and pixel x of this row. x must not be less than before.
func (w *walker) holds(x int) (in, ok bool) {
	if !w.known {
		return false, false
	}
	at := float64(x)
	for len(w.below) > 0 && w.below[0].lo <= at {
		w.covered, w.below = max(w.covered, w.below[0].hi), w.below[1:]
	}
	if at <= w.covered {
		return false, false
	}
	for len(w.runs) > 0 && w.runs[0].upto <= x {
		w.runs = w.runs[1:]
	}
	return len(w.runs) == 0 || x < w.runs[0].from, true
}

// reach returns where between the rows y0 and y1 the border may pass near to the line.
func (l line) reach(y0, y1 float64) (reach, bool) {
	if l.a.y > y1+borderError || l.b.y < y0-borderError {
		return reach{}, false
	}
	from, upto := l.a.x, l.b.x
	if height := l.b.y - l.a.y; height > 0 {
		slope := (upto - from) / height
		from = l.a.x + slope*max(0, y0-borderError-l.a.y)
		upto = l.a.x + slope*min(height, y1+borderError-l.a.y)
	}
	return reach{min(from, upto) - borderError, max(from, upto) + borderError}, true
}
