package ledger

import (
	"container/heap"
	"iter"
)

// Part is a ledger whose rows are in order, one of those that [Merge] makes into one.
type Part struct {
	First int64 // no row of the part has a smaller number
	Open  func() (*Reader, error)
}

// Merge passes the rows of all parts to emit, in the order of their numbers. A part is
// opened when the merging comes to its first row and let go behind its last: at any time
// some hundred rows are in memory for each part that is open.
//
// The error is that of opening or reading a part, or of emit.
func Merge(parts []Part, emit func(*Row) error) error {
	var open queue
	defer func() {
		for _, p := range open {
			p.stop()
		}
	}()
	for _, p := range parts {
		open = append(open, &opened{Row: Row{Row: p.First}, part: p, stop: func() {}})
	}
	heap.Init(&open)
	for len(open) > 0 {
		first := open[0]
		if first.next == nil {
			r, err := first.part.Open()
			if err != nil {
				return err
			}
			first.next, first.stop = iter.Pull2(r.Rows())
		} else if err := emit(&first.Row); err != nil {
			return err
		}
		row, err, ok := first.next()
		switch {
		case err != nil:
			return err
		case ok:
			first.Row = row
			heap.Fix(&open, 0)
		default:
			first.stop()
			heap.Pop(&open)
		}
	}
	return nil
}

// opened is a part and its present row or, before it is opened, a row that none of its comes before.
type opened struct {
	Row
	part Part
	next func() (Row, error, bool)
	stop func()
}

// queue is a heap of parts by their present rows.
type queue []*opened

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].before(&q[j].Row) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*opened)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
