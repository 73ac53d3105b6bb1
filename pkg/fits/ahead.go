package fits

import (
	"context"
	"io"
	"sync"
)

// Ahead streams several sections of one file, one after the other. While one is streamed it
// begins to read the next ones, as soon as all reads of those before are under way and as
// far as their cost leaves room: all together have Cost.Parallel requests and Cost.Memory
// bytes under way. Sections that fit take one round trip, however many they are.
//
// Where the cost allows one request at a time, nothing is read before it is asked for.
// An Ahead is for one goroutine.
type Ahead struct {
	ctx      context.Context // of the reads; ends when one of them fails
	cancel   context.CancelCauseFunc
	r        io.ReaderAt
	sections []*Section // still to be streamed

	buffer   *buffer // nil until the first read
	begun    int     // of sections: their reads are under way
	plan     planner // of the section after these
	next     fetch   // the read that will begin when there is room
	more     bool    // there is one
	slots    []fetch
	first, n int // the slots of reads under way
	space    ring
	under    sync.WaitGroup

	tiled     []*Section          // of compressed images
	early     map[*Section]*early // nil until the first of them is streamed
	stopTiles context.CancelFunc
}

// fetch is a read under way.
type fetch struct {
	read
	section *Section
	last    bool // of its section
	buf     []byte
	done    chan struct{}
}

// NewAhead prepares to stream sections of r in this order, until ctx ends; one that will be
// streamed twice stands there twice. All have the same cost. It reads nothing yet.
func NewAhead(ctx context.Context, r io.ReaderAt, sections ...*Section) *Ahead {
	a := &Ahead{ctx: ctx, r: r}
	for _, s := range sections {
		switch {
		case s.size == 0 || s.Cost.requests() == 1:
		case s.tiles != nil:
			a.tiled = append(a.tiled, s)
		default:
			a.sections = append(a.sections, s)
		}
	}
	return a
}

// Close ends the reads under way and waits for them.
func (a *Ahead) Close() {
	if a.stopTiles != nil {
		a.stopTiles()
	}
	if a.cancel != nil {
		a.cancel(nil)
	}
	a.under.Wait()
	a.freeTiles()
	if a.buffer != nil {
		buffers.Put(a.buffer)
		a.buffer = nil
	}
}

// Stream is [Section.Stream] for the next section. A section that is not the next is
// streamed on its own. The error of any read that has begun is an error of each Stream.
func (a *Ahead) Stream(ctx context.Context, s *Section, emit func(p []byte) error) error {
	if s.tiles != nil && len(a.tiled) > 0 {
		return a.streamTiles(ctx, s, emit)
	}
	if len(a.sections) == 0 || a.sections[0] != s {
		return s.Stream(ctx, a.r, emit)
	}
	if a.buffer == nil {
		a.start(s.Cost)
	}
	g := s.gatherer(a.buffer, emit)
	for last := false; !last; {
		a.fill()
		f := &a.slots[a.first]
		<-f.done
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := context.Cause(a.ctx); err != nil {
			return err
		}
		if err := g.gather(&f.read, f.buf); err != nil {
			return err
		}
		a.space.release(f.size)
		a.first, a.n = (a.first+1)%len(a.slots), a.n-1
		last = f.last
	}
	a.sections, a.begun = a.sections[1:], a.begun-1
	a.fill() // what follows is read while the last bytes of this section are used
	return g.flush()
}

// start prepares the first read.
func (a *Ahead) start(cost Cost) {
	a.ctx, a.cancel = context.WithCancelCause(a.ctx)
	a.buffer = buffers.Get().(*buffer)
	limit, total := max(cost.Memory, cost.chunk()), int64(0)
	for _, s := range a.sections {
		if total += s.total(limit - total); total == limit {
			break
		}
	}
	a.buffer.arena = resize(a.buffer.arena, total)
	a.space = ring{size: total}
	a.slots = make([]fetch, cost.requests())
	a.plan = a.sections[0].plan()
	a.advance()
}

// advance plans the next read, if there is one.
func (a *Ahead) advance() {
	for !a.plan.next(&a.next.read) {
		if a.begun++; a.begun == len(a.sections) {
			a.more = false
			return
		}
		a.plan = a.sections[a.begun].plan()
	}
	a.next.section, a.next.last, a.more = a.plan.Section, a.plan.end, true
}

// fill begins as many reads as there is room for.
func (a *Ahead) fill() {
	for a.more && a.n < len(a.slots) {
		at, ok := a.space.take(a.next.size)
		if !ok {
			return
		}
		f := &a.slots[(a.first+a.n)%len(a.slots)]
		a.n++
		*f, a.next = a.next, *f
		f.buf, f.done = a.buffer.arena[at:][:f.size], make(chan struct{})
		a.under.Go(func() {
			defer close(f.done)
			if err := f.section.readAt(a.ctx, a.r, f.buf, f.offset); err != nil {
				a.cancel(err)
			}
		})
		a.advance()
	}
}
