package batch

import (
	"context"
	"sync"
	"time"
)

// People go first: while requests that somebody waits for are served in this process, the
// rows of batches stand back, though not for ever. The nil People is a process where nobody
// waits. It is safe for concurrent use.
type People struct {
	mu      sync.Mutex
	waiting int
	gone    chan struct{} // closed when the last of those who wait is served
}

// standBack is how long a row stands back at most.
const standBack = 20 * time.Millisecond

// Enter says that somebody waits, until served is called.
func (p *People) Enter() (served func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting++; p.waiting == 1 {
		p.gone = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting--; p.waiting == 0 {
			close(p.gone)
		}
	})
}

// Yield returns when nobody waits, or after a while. The error is that of ctx.
func (p *People) Yield(ctx context.Context) error {
	if p == nil {
		return ctx.Err()
	}
	p.mu.Lock()
	waiting, gone := p.waiting, p.gone
	p.mu.Unlock()
	if waiting == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(standBack)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
