package emulated

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Courier stands between Pub/Sub and a function and does what a queue may do: it delivers a
// message several times, later than others that came after it, and loses answers, so that
// Pub/Sub delivers once more. What it counts may be read at any time.
type Courier struct {
	Copies int           // of each message are delivered, 1 to this many
	Delay  time.Duration // at most, of the first copy; the others come up to ten times as late
	Lose   float64       // the part of the answers that is lost

	Messages, Deliveries, Lost atomic.Int64

	server *http.Server
	url    string
	copies sync.WaitGroup
	ending context.Context
	end    context.CancelFunc
}

// deliveryTime is how long a courier waits for a function: as long as Pub/Sub.
const deliveryTime = ackSeconds * time.Second

// start has the courier listen.
func (c *Courier) start(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.url = "http://" + listener.Addr().String()
	c.ending, c.end = context.WithCancel(context.WithoutCancel(ctx))
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = c.server.Serve(listener) }()
	return nil
}

// to returns the address by which messages reach endpoint through the courier.
func (c *Courier) to(endpoint string) string {
	return c.url + "/" + strings.TrimPrefix(endpoint, "http://")
}

// ServeHTTP implements [http.Handler].
func (c *Courier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.Messages.Add(1)
	endpoint := "http://" + strings.TrimPrefix(r.URL.Path, "/")
	copies := rand.IntN(max(c.Copies, 1)) // #nosec G404 -- trouble needs no secret chance
	for range copies {
		c.copies.Go(func() {
			if c.wait(c.ending, 10*c.Delay) {
				_, _ = c.deliver(c.ending, endpoint, r.Header, body)
			}
		})
	}
	if !c.wait(r.Context(), c.Delay) {
		return
	}
	status, err := c.deliver(r.Context(), endpoint, r.Header, body)
	switch {
	case err != nil:
		status = http.StatusBadGateway
	case rand.Float64() < c.Lose: // #nosec G404 -- as above
		c.Lost.Add(1)
		panic(http.ErrAbortHandler) // which cuts the connection
	}
	w.WriteHeader(status)
}

func (c *Courier) wait(ctx context.Context, most time.Duration) bool {
	select {
	case <-time.After(rand.N(most + 1)): // #nosec G404 -- as above
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Courier) deliver(ctx context.Context, endpoint string, header http.Header, body []byte) (status int, err error) {
	c.Deliveries.Add(1)
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"Content-Type", "Authorization"} {
		r.Header[name] = header[name]
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, fmt.Errorf("the function does not answer: %w", err)
	}
	return answer.StatusCode, answer.Body.Close()
}

// close ends the courier; copies that have not been delivered are dropped.
func (c *Courier) close() {
	if c.server == nil {
		return
	}
	c.end()
	_ = c.server.Close()
	c.copies.Wait()
}
