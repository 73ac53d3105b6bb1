package main

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// Each function starts on its own, as its buildpack starts it. One that is not set up says
// what it lacks; one that is does its work.
func TestFunctionsStart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program; left out by -short")
	}
	program := filepath.Join(t.TempDir(), "functions")
	outside.Run(t, outside.Tool(t, "go"), "build", "-o", program, "github.com/seltzer-soda/seltzer/functions")
	for _, tt := range []struct {
		target       string
		method, path string
		want         string // of the answer when it is set up
		status       int
	}{
		{"soda", http.MethodGet, "/availability", "<vosi:available>true<", http.StatusOK},
		{"cutout", http.MethodPost, "/sweep", `"published":0`, http.StatusOK},
		{"signer", http.MethodPost, "/sign", "NotFound", http.StatusUnprocessableEntity},
	} {
		t.Run(tt.target, func(t *testing.T) {
			bare := startFunction(t, program, tt.target)
			got := ask(t, tt.method, bare+tt.path)
			if got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.Body, "SELTZER_DATA") || !strings.Contains(got.Body, "SELTZER_PUBLIC_URL") {
				t.Errorf("not set up: %s %q; want 503 and the names of what it lacks", got.Status, got.Body)
			}
			ready := startFunction(t, program, tt.target, "SELTZER_DATA="+filepath.Join(t.TempDir(), "data"), "SELTZER_PUBLIC_URL=http://127.0.0.1:1")
			if got := ask(t, tt.method, ready+tt.path); got.StatusCode != tt.status || !strings.Contains(got.Body, tt.want) {
				t.Errorf("set up: %s %q, want %d and %q", got.Status, got.Body, tt.status, tt.want)
			}
		})
	}
}

func ask(t *testing.T, method, address string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(`{"job":"none","result":"result"}`))
	if err != nil {
		t.Fatal(err)
	}
	return send(t, still, r)
}

// startFunction runs a function and returns its URL when it answers.
func startFunction(t *testing.T, program, target string, env ...string) string {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	child, err := outside.NewChild(program)
	if err != nil {
		t.Fatal(err)
	}
	child.Env = append(child.Environ(), append(env, "FUNCTION_TARGET="+target, "PORT="+port)...)
	var out logBuffer
	child.Stdout, child.Stderr = &lineWriter{&out}, &lineWriter{&out}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Kill)
	if err := child.Listens(address, time.Minute); err != nil {
		t.Fatalf("the function %s: %v\n%s", target, err, &out)
	}
	return "http://" + address
}

// lineWriter adds what is written to a log.
type lineWriter struct{ log *logBuffer }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.log.add(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
