package register

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What a handler answers is sent, whole, when its answer is: the handler itself goes on.
func TestAnswerIsSentBeforeTheHandlerReturns(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		switch r.URL.Path {
		case "/303":
			a.Header().Set("Location", "/there")
			a.WriteHeader(http.StatusSeeOther)
		case "/204":
			a.WriteHeader(http.StatusNoContent)
		case "/503":
			http.Error(a, "later", http.StatusServiceUnavailable)
		case "/text":
			fmt.Fprint(a, "one, ")
			fmt.Fprint(a, "two")
		}
		a.send()
		<-held
	}))
	defer server.Close()
	defer close(held)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/303", 303, ""}, {"GET", "/204", 204, ""}, {"GET", "/503", 503, "later\n"}, {"GET", "/text", 200, "one, two"}, {"HEAD", "/text", 200, ""}, {"GET", "/nothing", 200, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || got.StatusCode != tt.status || string(body) != tt.body {
			t.Errorf("%s %s: %d %q, %v; want %d %q", tt.method, tt.path, got.StatusCode, body, err, tt.status, tt.body)
		}
	}
}
