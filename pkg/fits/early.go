package fits

import (
	"context"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// early is a section of a compressed image of which the first arrays of tiles are read
// before its turn.
type early struct {
	decoder *decoder
	done    chan struct{} // closed when they are read
	err     error
}

// startTiles begins to read the arrays of all compressed sections, each of its first slab,
// as far as the cost leaves memory; of what is left they are read when it is their turn.
func (a *Ahead) startTiles() {
	ctx, cancel := context.WithCancel(a.ctx)
	a.stopTiles = cancel
	a.early = make(map[*Section]*early, len(a.tiled))
	var space *semaphore.Weighted
	for _, s := range a.tiled {
		if a.early[s] != nil { // it is streamed twice
			continue
		}
		if space == nil {
			space = semaphore.NewWeighted(s.Cost.Memory)
		}
		e := &early{decoder: newDecoder(s, a.r), done: make(chan struct{})}
		a.early[s] = e
		a.under.Go(func() {
			defer close(e.done)
			e.err = e.decoder.readEarly(ctx, space, max(s.Cost.requests()/len(a.tiled), 1))
		})
	}
}

// readEarly plans the first slab and reads its arrays into memory of space, at most parallel
// requests at once.
func (d *decoder) readEarly(ctx context.Context, space *semaphore.Weighted, parallel int) error {
	if _, err := d.prepare(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range d.reads {
		q := &d.reads[i]
		if !space.TryAcquire(q.size) {
			break
		}
		group.Go(func() error {
			p := make([]byte, q.size)
			if err := d.readAt(ctx, d.r, p, q.offset); err != nil {
				return err
			}
			q.early = p
			return nil
		})
	}
	return group.Wait()
}

// streamTiles is Stream for a section of a compressed image.
func (a *Ahead) streamTiles(ctx context.Context, s *Section, emit func(p []byte) error) error {
	if a.early == nil {
		a.startTiles()
	}
	e := a.early[s]
	if e == nil || e.decoder == nil {
		return s.Stream(ctx, a.r, emit)
	}
	<-e.done
	d := e.decoder
	e.decoder = nil // what was read early is used once
	defer d.free()
	if e.err != nil {
		return e.err
	}
	return d.stream(ctx, emit)
}

// freeTiles gives back the memory of sections whose turn did not come.
func (a *Ahead) freeTiles() {
	for _, e := range a.early {
		if e.decoder != nil {
			e.decoder.free()
		}
	}
	a.early, a.tiled = nil, nil
}
