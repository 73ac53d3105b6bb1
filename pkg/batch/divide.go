package batch

import (
	"container/heap"
	"context"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pack"
)

// divide merges the runs into parts. Parts are the same each time, since the runs are.
func (p *planning) divide(ctx context.Context, runs []run) error {
	if !p.options.Package.Packs() && p.rows > maxFiles {
		return fault.New(fault.TooLarge, "batch.plan", "PACKAGE=%s makes an object of each cutout, of at most %d in one batch, and the manifest has %d rows; ask for %s", p.options.Package.Name, maxFiles, p.rows, pack.Formats[0].Name)
	}
	there := map[string]bool{}
	for name, err := range p.Batches.Results.List(ctx, folder(p.job.ID)+"/plan") {
		if err != nil {
			return err
		}
		there[name] = true
	}
	most := int(min(partRows, max(fewRows, p.rows/fewParts)))
	p.parts, p.total = 0, 0
	var part []*row
	var work int64
	write := func() error {
		name := partName(p.job.ID, p.parts)
		p.parts++
		p.total += int64(len(part))
		defer func() { part, work = part[:0], 0 }()
		if there[name] {
			return ctx.Err()
		}
		return p.store(ctx, name, func(yield func(*row) bool) {
			for _, r := range part {
				if !yield(r) {
					return
				}
			}
		})
	}
	for r, err := range p.merge(ctx, runs) {
		if err != nil {
			return err
		}
		full := len(part) >= most || work >= partWork || len(part) >= most/2 && part[len(part)-1].ID != r.ID
		if len(part) > 0 && full {
			if err := write(); err != nil {
				return err
			}
		}
		part = append(part, r)
		work += r.work()
	}
	if len(part) > 0 {
		return write()
	}
	return nil
}

// stampPixels returns the number of pixels of a value of STAMP.
func stampPixels(value string) int64 {
	words := strings.Fields(value)
	n := int64(1)
	for _, w := range words[max(0, len(words)-2):] {
		side, err := strconv.ParseInt(w, 10, 32)
		if err != nil {
			return 1 << 18
		}
		n *= side
	}
	return min(n, 1<<32)
}

// merge yields the rows of all runs in order. It reads each run once, from its beginning.
func (p *planning) merge(ctx context.Context, runs []run) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		var open heads
		defer func() {
			for _, h := range open {
				h.close()
			}
		}()
		for _, r := range runs {
			o, err := p.Batches.Results.Open(ctx, r.name)
			if err != nil {
				yield(nil, err)
				return
			}
			h := &head{rows: newRowReader(o), close: func() { _ = o.Close() }}
			open = append(open, h)
			if h.row, err = h.rows.next(); err != nil { // no run is empty
				yield(nil, err)
				return
			}
		}
		heap.Init(&open)
		for len(open) > 0 {
			h := open[0]
			if !yield(h.row, nil) {
				return
			}
			var err error
			h.row, err = h.rows.next()
			switch {
			case err == nil:
				heap.Fix(&open, 0)
			case err == io.EOF:
				h.close()
				heap.Pop(&open)
			default:
				yield(nil, err)
				return
			}
		}
	}
}

// head is the first row of a run that was not yielded yet.
type head struct {
	rows  *rowReader
	row   *row
	close func()
}

// heads is a heap of them.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return compare(h[i].row, h[j].row) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(*head)) }

func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
