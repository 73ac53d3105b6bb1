package sqlitequeue

import (
	"container/heap"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// message is one row of the file and what memory knows beside. Queue.mu guards it.
type message struct {
	job       string
	class     uws.Class
	published time.Time
	attempts  int    // posts that failed
	trace     string // the traceparent, "" for none

	visible time.Time // not posted before
	order   int64     // of coming into the lane: the first come is the first served
	posted  bool      // on its way
	again   bool      // published while it was on its way: deliver once more
	leaving bool      // its row is deleted in the transaction that runs now
}

// lane holds the messages of one class that wait, ordered by when they may be posted.
type lane struct {
	class uws.Class
	url   string
	slots int
	wake  chan struct{} // holds one wake-up for the dispatcher
	heap  waiting
	next  int64
}

// push puts a message in line and wakes the dispatcher. The caller holds Queue.mu.
func (l *lane) push(m *message) {
	m.order, m.posted, m.again, m.leaving = l.next, false, false, false
	l.next++
	heap.Push(&l.heap, m)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pop takes out the first message that may be posted at now. If there is none, wait is
// how long to sleep: until the first becomes visible, or for good if it is 0.
// The caller holds Queue.mu.
func (l *lane) pop(now time.Time) (m *message, wait time.Duration) {
	if len(l.heap) == 0 {
		return nil, 0
	}
	if wait = l.heap[0].visible.Sub(now); wait > 0 {
		return nil, wait
	}
	m = heap.Pop(&l.heap).(*message)
	m.posted = true
	return m, 0
}

// waiting implements [heap.Interface].
type waiting []*message

func (w waiting) Len() int      { return len(w) }
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waiting) Less(i, j int) bool {
	if c := w[i].visible.Compare(w[j].visible); c != 0 {
		return c < 0
	}
	return w[i].order < w[j].order
}
func (w *waiting) Push(m any) { *w = append(*w, m.(*message)) }
func (w *waiting) Pop() any {
	last := len(*w) - 1
	m := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return m
}
