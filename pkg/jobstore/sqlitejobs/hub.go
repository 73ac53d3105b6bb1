package sqlitejobs

import "sync"

// hub wakes the watchers of a job. A watcher's channel holds one wake-up: more of them,
// before it has read the job, say nothing more.
type hub struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]bool // by job
}

// join has changed signalled after each change of the job from now on, until leave.
func (h *hub) join(id string) (changed <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[string]map[chan struct{}]bool{}
	}
	if h.watchers[id] == nil {
		h.watchers[id] = map[chan struct{}]bool{}
	}
	h.watchers[id][c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers[id], c)
		if len(h.watchers[id]) == 0 {
			delete(h.watchers, id)
		}
	}
}

func (h *hub) changed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.watchers[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
