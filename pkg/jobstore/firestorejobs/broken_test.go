package firestorejobs

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// wire is a network that breaks, between a store and the emulator.
type wire struct {
	listener net.Listener
	target   string
	deaf     atomic.Bool // answers are lost on the way
	down     atomic.Bool // nobody can connect
	cuts     atomic.Int32
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// throughWire returns a store whose calls go through a wire, and one of the same database
// whose calls do not.
func throughWire(t *testing.T) (*wire, *Store, *Store) {
	t.Helper()
	target := outside.Firestore(t)
	direct := open(t, 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, target: target, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() { w.run(&wg) })
	t.Cleanup(func() {
		listener.Close()
		w.cut()
		wg.Wait()
	})
	t.Setenv("FIRESTORE_EMULATOR_HOST", listener.Addr().String())
	s, err := Open(t.Context(), Config{Project: strings.Split(direct.ref(direct.client, "x").Path, "/")[1]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, s, direct
}

func (w *wire) run(wg *sync.WaitGroup) {
	for {
		from, err := w.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.target)
		if err != nil || w.down.Load() {
			from.Close()
			if err == nil {
				to.Close()
			}
			continue
		}
		w.keep(from, to)
		wg.Go(func() { w.copy(to, from, new(atomic.Bool)) })
		wg.Go(func() { w.copy(from, to, &w.deaf) })
	}
}

func (w *wire) keep(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.open[c] = true
	}
}

func (w *wire) copy(to, from net.Conn, lose *atomic.Bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			w.forget(from, to)
			return
		}
		if !lose.Load() {
			_, _ = to.Write(b[:n])
		}
	}
}

func (w *wire) forget(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.open, c)
		c.Close()
	}
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts.Add(1)
	for c := range w.open {
		c.Close()
	}
	clear(w.open)
}

// loseAnswers lets requests through but no answer, and then breaks.
func (w *wire) loseAnswers() {
	w.deaf.Store(true)
	time.AfterFunc(500*time.Millisecond, func() {
		w.cut()
		w.deaf.Store(false)
	})
}

// A write that was done, whose answer was lost, is found to be done, and not done again.
func TestLostAnswers(t *testing.T) {
	w, s, direct := throughWire(t)
	j := newJob()
	w.loseAnswers()
	if err := s.Create(t.Context(), j); err != nil {
		t.Errorf("Create: %v", err)
	}
	for _, many := range []int{0, MaxListed + 1} { // the second is written in several documents
		before, err := direct.Get(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		cuts := w.cuts.Load()
		tries := 0
		after, err := s.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error {
			if tries++; tries == 1 {
				w.loseAnswers()
			}
			j.Progress.Done++
			j.Results = results(many)
			return nil
		})
		if err != nil {
			t.Fatalf("Update with %d results: %v", many, err)
		}
		if w.cuts.Load() == cuts {
			t.Error("no answer was lost: the wire was not cut while Update ran")
		}
		if after.Revision != before.Revision+1 || after.Progress.Done != before.Progress.Done+1 || tries != 1 {
			t.Errorf("revision %d, %d increments after %d and %d, in %d tries; want one more each",
				after.Revision, after.Progress.Done, before.Revision, before.Progress.Done, tries)
		}
	}
}

// A watcher whose connection breaks, and stays broken while the job changes, sees the change.
func TestWatchSurvivesBrokenConnections(t *testing.T) {
	w, s, direct := throughWire(t)
	j := create(t, direct, newJob())
	var seen int64
	for watched, err := range s.Watch(t.Context(), j.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if watched.Revision <= seen {
			t.Errorf("revision %d came after %d", watched.Revision, seen)
		}
		if seen = watched.Revision; seen == 4 {
			return
		}
		w.down.Store(true)
		w.cut()
		time.AfterFunc(time.Second, func() { w.down.Store(false) })
		if _, err := direct.Update(t.Context(), j.ID, func(_ time.Time, j *uws.Job) error { j.Progress.Done++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the watch ended")
}

// While the store cannot be reached calls fail as what may succeed later, and then do.
func TestStoreThatIsDown(t *testing.T) {
	w, s, _ := throughWire(t)
	j := create(t, s, newJob())
	w.down.Store(true)
	w.cut()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Get(ctx, j.ID); !fault.Transient(err) {
		t.Errorf("Get: %v, want it unavailable", err)
	}
	if err := s.Check(ctx); !fault.Transient(err) {
		t.Errorf("Check: %v, want it unavailable", err)
	}
	w.down.Store(false)
	if _, err := s.Get(t.Context(), j.ID); err != nil {
		t.Errorf("Get, when the store is up again: %v", err)
	}
}
