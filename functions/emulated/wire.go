package emulated

import (
	"context"
	"io"
	"net"
	"sync"
)

// Wire is a network connection to a server that can be cut: it stands between the functions
// and an emulator.
type Wire struct {
	Address string // by which the server is reached

	to       string
	listener net.Listener
	mu       sync.Mutex
	down     bool
	ends     map[net.Conn]struct{}
}

// NewWire lays a wire to a server, "host:port".
func NewWire(ctx context.Context, to string) (*Wire, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{Address: listener.Addr().String(), to: to, listener: listener, ends: map[net.Conn]struct{}{}}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go w.carry(from)
		}
	}()
	return w, nil
}

// hold notes an end of a connection, or closes it if the wire is cut.
func (w *Wire) hold(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		_ = c.Close()
		return false
	}
	w.ends[c] = struct{}{}
	return true
}

func (w *Wire) let(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = c.Close()
	delete(w.ends, c)
}

func (w *Wire) carry(from net.Conn) {
	if !w.hold(from) {
		return
	}
	defer w.let(from)
	to, err := net.Dial("tcp", w.to)
	if err != nil || !w.hold(to) {
		return
	}
	defer w.let(to)
	go func() {
		_, _ = io.Copy(to, from)
		w.let(to)
		w.let(from)
	}()
	_, _ = io.Copy(from, to)
}

// Cut ends all connections, and takes none until [Wire.Mend].
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for c := range w.ends {
		_ = c.Close()
	}
}

// Mend takes connections again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// Close ends the wire.
func (w *Wire) Close() {
	_ = w.listener.Close()
	w.Cut()
}
