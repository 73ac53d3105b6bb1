package quota

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// memory keeps values of those asked for last, each for a while. (The library's own LRU that
// forgets with time has a goroutine that never ends.)
type memory[K comparable, V any] struct {
	keep  time.Duration
	mu    sync.Mutex
	known *simplelru.LRU[K, dated[V]]
}

type dated[V any] struct {
	value V
	until time.Time
}

func newMemory[K comparable, V any](size int, keep time.Duration) *memory[K, V] {
	known, _ := simplelru.NewLRU[K, dated[V]](size, nil) // no error: the size is positive
	return &memory[K, V]{keep: keep, known: known}
}

func (m *memory[K, V]) get(key K, now time.Time) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.known.Get(key)
	return d.value, ok && now.Before(d.until)
}

func (m *memory[K, V]) put(key K, value V, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known.Add(key, dated[V]{value, now.Add(m.keep)})
}
