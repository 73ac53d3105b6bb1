package breaker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// down is a queue that hangs while it is down.
type down struct {
	down  atomic.Bool
	calls atomic.Int32
}

func (d *down) Publish(ctx context.Context, _ uws.Class, id string) error {
	d.calls.Add(1)
	if id == "" {
		return fault.New(fault.Usage, "test", "no id")
	}
	if d.down.Load() {
		<-ctx.Done()
		return fault.Wrap(ctx.Err(), fault.Unavailable, "test", "the queue is down")
	}
	return nil
}

func (d *down) Check(context.Context) error { return nil }

// A queue that is down makes the first callers wait, each for as long as one call may take,
// and then nobody, until it is tried again.
func TestAQueueThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(down)
		b := New(Config{Name: "the queue", Time: 2 * time.Second, Log: quiet})
		q := b.Publisher(d)
		publish := func(id string) (time.Duration, error) {
			began := time.Now()
			err := q.Publish(t.Context(), uws.Interactive, id)
			return time.Since(began), err
		}
		for range 10 {
			if _, err := publish(""); !errors.Is(err, fault.Usage) {
				t.Fatalf("a message without an id: %v", err)
			}
		}
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("a caller's own faults open the breaker: %v", err)
		}
		d.down.Store(true)
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 10 {
			if err := q.Publish(gone, uws.Interactive, "j"); err == nil {
				t.Error("published by who has left")
			}
		}
		for i := range Failures {
			if took, err := publish("j"); !errors.Is(err, fault.Unavailable) || took != 2*time.Second {
				t.Errorf("call %d: %v after %v; want unavailable after 2 s", i+1, err, took)
			}
		}
		calls := d.calls.Load()
		for range 100 {
			if took, err := publish("j"); !errors.Is(err, fault.Unavailable) || took != 0 {
				t.Fatalf("while the breaker is open: %v after %v; want unavailable at once", err, took)
			}
		}
		if d.calls.Load() != calls || b.Check(t.Context()) == nil {
			t.Errorf("%d calls came through an open breaker, and it says %v", d.calls.Load()-calls, b.Check(t.Context()))
		}
		time.Sleep(Rest + time.Second)
		if took, err := publish("j"); err == nil || took != 2*time.Second || d.calls.Load() != calls+1 {
			t.Errorf("after its rest: %v after %v, want one call through", err, took)
		}
		d.down.Store(false)
		time.Sleep(Rest + time.Second)
		for range 3 {
			if took, err := publish("j"); err != nil || took != 0 {
				t.Errorf("the queue is back: %v after %v", err, took)
			}
		}
		if err := b.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A request that fails is sent again, whole; the last answer is returned as it is.
func TestRequestsAreSentAgain(t *testing.T) {
	var calls, failures atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if failures.Add(-1) >= 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	b := New(Config{Name: "the signer", Time: time.Minute, Tries: Failures, Log: quiet})
	client := &http.Client{Transport: b.Transport(http.DefaultTransport)}
	ask := func() (int, string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), err
	}
	failures.Store(Failures - 1)
	if status, text, err := ask(); err != nil || status != http.StatusOK || text != "body" || calls.Load() != Failures {
		t.Errorf("got %d %q, %v after %d calls; want the body after %d", status, text, err, calls.Load(), Failures)
	}
	failures.Store(Failures)
	if status, text, err := ask(); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(text, "not now") {
		t.Errorf("got %d %q, %v; want the last answer", status, text, err)
	}
	calls.Store(0)
	if _, _, err := ask(); !errors.Is(err, fault.Unavailable) || calls.Load() != 0 {
		t.Errorf("the breaker is open: %v after %d calls; want unavailable after none", err, calls.Load())
	}
}
