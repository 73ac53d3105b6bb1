// Command store is an object store on this machine with a set latency and bandwidth: it
// serves the files of a folder by ranges over HTTP and counts what it is asked for.
//
//	store DIR LATENCY BYTES_PER_SECOND
//	store testdata 20ms 200e6
//
// It prints its address, http://127.0.0.1:PORT/, and serves until its input ends. Each
// request waits the latency; the bodies of all requests share one line of the bandwidth.
// A GET of /.counts answers with one line and starts counting anew:
//
//	requests=3 round_trips=2 bytes=71680
//
// Round trips are the most requests that came one after the other, each after an answer to
// the one before was complete: requests under way at once are one round trip.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: store DIR LATENCY BYTES_PER_SECOND")
	}
	latency, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	bandwidth, err := strconv.ParseFloat(args[2], 64)
	if err != nil || bandwidth <= 0 {
		return fmt.Errorf("bandwidth %q: want bytes per second, more than 0", args[2])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	s := &store{dir: args[0], latency: latency, line: line{rate: bandwidth}}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	return <-failed
}

type store struct {
	dir     string
	latency time.Duration
	line    line

	mu    sync.Mutex
	spans []span
	bytes int64
}

// span is when a request was under way.
type span struct{ from, to time.Time }

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/.counts" {
		s.count(w)
		return
	}
	began := time.Now()
	body := &meter{ResponseWriter: w, line: &s.line}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spans = append(s.spans, span{began, time.Now()})
		s.bytes += body.bytes
	}()
	time.Sleep(s.latency)
	f, err := os.Open(filepath.Join(s.dir, filepath.Base(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
	w.Header().Set("Content-Type", "application/fits")
	http.ServeContent(body, r, "", info.ModTime(), f)
}

// count answers what was counted and forgets it.
func (s *store) count(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The most spans of which none overlap: take the one that ends first, again and again.
	slices.SortFunc(s.spans, func(a, b span) int { return a.to.Compare(b.to) })
	trips, end := 0, time.Time{}
	for _, p := range s.spans {
		if p.from.After(end) {
			trips, end = trips+1, p.to
		}
	}
	fmt.Fprintf(w, "requests=%d round_trips=%d bytes=%d\n", len(s.spans), trips, s.bytes)
	s.spans, s.bytes = nil, 0
}

// meter passes the bytes of an answer on at the speed of the line.
type meter struct {
	http.ResponseWriter
	line  *line
	bytes int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.line.pass(len(p))
	n, err := m.ResponseWriter.Write(p)
	m.bytes += int64(n)
	return n, err
}

// line is what all answers share.
type line struct {
	rate float64 // bytes per second
	mu   sync.Mutex
	free time.Time // when all that was sent so far has passed
}

// pass waits until n bytes have passed.
func (l *line) pass(n int) {
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	until := l.free
	l.mu.Unlock()
	time.Sleep(time.Until(until))
}
