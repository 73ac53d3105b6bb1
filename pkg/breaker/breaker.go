// Package breaker keeps a part that is down from making everything slow. A call of another
// service gets a time limit, some tries with pauses between them, and a circuit breaker:
// after [Failures] calls in a row that came to nothing, calls fail at once for [Rest], and
// then one is let through to see.
//
// The breaker is sony/gobreaker, the pauses are gax's, with full jitter. What else calls out
// has its own limits, beside the call: the stores, the buckets, the archives.
package breaker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/googleapis/gax-go/v2"
	"github.com/sony/gobreaker/v2"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

const (
	Failures = 3                // in a row open the breaker
	Rest     = 10 * time.Second // before an open breaker lets a call through to see
)

// Pauses between tries are random, at most these, which double.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = time.Second
)

// Config says what is called.
type Config struct {
	Name  string        // of the part, in sentences: "the queue"
	Time  time.Duration // for one try
	Tries int           // default 1; more only of what may be done twice
	Rest  time.Duration // default [Rest]
	Log   *slog.Logger
}

// Breaker guards the calls of one part. It is safe for concurrent use.
type Breaker struct {
	Config
	circuit *gobreaker.CircuitBreaker[struct{}]
}

// errLeft says that the caller ended the call: that is not the part's fault.
var errLeft = errors.New("breaker: the caller has left")

// New returns a breaker that is closed.
func New(c Config) *Breaker {
	c.Tries = max(c.Tries, 1)
	if c.Rest <= 0 {
		c.Rest = Rest
	}
	return &Breaker{Config: c, circuit: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: c.Name, Timeout: c.Rest,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= Failures },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, fault.Usage) },
		IsExcluded:   func(err error) bool { return errors.Is(err, errLeft) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			c.Log.Warn("a breaker changed", "part", name, "from", from.String(), "to", to.String())
		},
	})}
}

// Do calls f, which shall keep to its context. The error is f's, or [fault.Unavailable] if
// the part was down a moment ago.
func (b *Breaker) Do(ctx context.Context, f func(ctx context.Context) error) error {
	pause := gax.Backoff{Initial: firstPause, Max: lastPause}
	for try := 1; ; try++ {
		err := b.once(ctx, f)
		switch {
		case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
			return fault.Wrap(err, fault.Unavailable, "breaker.Do", "%s did not answer a moment ago; ask again later", b.Name)
		case err == nil, errors.Is(err, fault.Usage), try == b.Tries, gax.Sleep(ctx, pause.Pause()) != nil:
			return err
		}
	}
}

func (b *Breaker) once(ctx context.Context, f func(ctx context.Context) error) error {
	var failed error
	_, err := b.circuit.Execute(func() (struct{}, error) {
		bounded, cancel := context.WithTimeout(ctx, b.Time)
		defer cancel()
		if failed = f(bounded); failed != nil && ctx.Err() != nil {
			return struct{}{}, errLeft
		}
		return struct{}{}, failed
	})
	if failed != nil {
		return failed
	}
	return err
}

// Check is nil unless the part is known to be down. It makes no call.
func (b *Breaker) Check(context.Context) error {
	if b.circuit.State() == gobreaker.StateOpen {
		return fault.New(fault.Unavailable, "breaker.Check", "%s did not answer a moment ago", b.Name)
	}
	return nil
}

// Publisher guards a queue.
func (b *Breaker) Publisher(next queue.Publisher) queue.Publisher { return publisher{next, b} }

type publisher struct {
	queue.Publisher
	breaker *Breaker
}

// Publish implements [queue.Publisher].
func (p publisher) Publish(ctx context.Context, class uws.Class, id string) error {
	return p.breaker.Do(ctx, func(ctx context.Context) error { return p.Publisher.Publish(ctx, class, id) })
}

// maxAnswer is the size in bytes of the largest answer that Transport takes.
const maxAnswer = 1 << 20

// Transport guards requests that may be sent twice and are answered by little: bodies are
// kept in memory. A status of 500 or more is a failure, and returned after the last try.
func (b *Breaker) Transport(next http.RoundTripper) http.RoundTripper { return transport{next, b} }

type transport struct {
	next    http.RoundTripper
	breaker *Breaker
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	var answer *http.Response
	err := t.breaker.Do(r.Context(), func(ctx context.Context) (err error) {
		again := r.Clone(ctx)
		again.Body = io.NopCloser(bytes.NewReader(body))
		answer, err = t.next.RoundTrip(again)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		answer.Body = io.NopCloser(bytes.NewReader(text))
		if err != nil {
			answer = nil
			return err
		}
		if answer.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("%s answered %s", r.URL.Host, answer.Status)
		}
		return nil
	})
	if answer != nil {
		return answer, nil
	}
	return nil, err
}
