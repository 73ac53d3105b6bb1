package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

// Clients that send slowly, to hold connections, are cut off, and cost the others nothing.
func TestSlowClients(t *testing.T) {
	if strangers.header > 10*time.Second || strangers.read > 30*time.Second || strangers.idle > 2*time.Minute || min(strangers.header, strangers.read, strangers.write, strangers.idle) <= 0 {
		t.Errorf("serve waits %+v for strangers; want 10 s at most for headers, 30 s for a whole request, 2 min for the next", strangers)
	}
	linkDemo(t, t.TempDir())
	log := slog.New(slog.DiscardHandler)
	service, err := local.Open(t.Context(), local.Config{
		Settings: local.Settings{
			Data: filepath.Join(t.TempDir(), "data"), PublicURL: "http://127.0.0.1", Archives: []string{"demo=" + demoFolder}, Auth: "none", Memory: 1 << 28, MaxCutout: 1 << 20,
		},
		Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := patience{header: 500 * time.Millisecond, read: time.Second, write: time.Minute, idle: time.Second}.server(service.Front, log)
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	begins := map[string]string{ // what a client sends at once; then a letter now and then
		"in the middle of the headers": "GET /capabilities HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"before the first line ends":   "GET /capabil",
		"in the middle of a body":      "POST /async HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\nID=",
		"in the middle of chunks":      "POST /sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nID=",
		"after an answer":              "GET /capabilities HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	var clients sync.WaitGroup
	for where, begin := range begins {
		for range 20 {
			clients.Go(func() {
				connection, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer connection.Close()
				_ = connection.SetDeadline(time.Now().Add(time.Minute)) // generous: the machine is busy
				fmt.Fprint(connection, begin)
				gone := make(chan struct{})
				go func() {
					for strings.HasPrefix(where, "in") {
						select {
						case <-gone:
							return
						case <-time.After(100 * time.Millisecond):
							_, _ = io.WriteString(connection, "a")
						}
					}
				}()
				defer close(gone)
				if _, err := io.Copy(io.Discard, connection); err != nil && strings.Contains(err.Error(), "timeout") {
					t.Errorf("%s: the client is not cut off", where)
				}
			})
		}
	}
	for range 10 { // meanwhile
		answer, err := http.Get("http://" + listener.Addr().String() + "/capabilities")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("an honest client beside the slow ones: %s", answer.Status)
		}
	}
	clients.Wait()
	// Headers without end are refused, too.
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 100))
	if text, _ := io.ReadAll(connection); !strings.HasPrefix(string(text), "HTTP/1.1 431 ") {
		t.Errorf("100 kB of headers: %.100s", text)
	}
}
