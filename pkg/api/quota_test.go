package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

// Of 100 that come at once 10 have room.
func TestQuotaOfJobsHoldsAtOnce(t *testing.T) {
	s := newService(t, "header", api.Limits{}, func(c *local.Settings) { c.QuotaJobs = 10 })
	s.user = "ada"
	counts := make(map[int]int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			w := s.ask("POST", "/async", nil, "ID", dataset, "CIRCLE", circle)
			mu.Lock()
			defer mu.Unlock()
			counts[w.Code]++
			if text := w.Body.String(); w.Code == http.StatusTooManyRequests && (!strings.HasPrefix(text, "ServiceUnavailable: you have 10 live jobs and may have 10; ") || w.Header().Get("Retry-After") != "30") {
				t.Errorf("%q, Retry-After %q", text, w.Header().Get("Retry-After"))
			}
		})
	}
	wg.Wait()
	if counts[303] != 10 || counts[429] != 90 {
		t.Errorf("the answers were %v, want 10 × 303 and 90 × 429", counts)
	}
	if w := s.ask("GET", "/async", nil); strings.Count(w.Body.String(), "<uws:jobref ") != 10 {
		t.Errorf("the list shows other jobs than 10:\n%s", w.Body)
	}
	if w := s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle); w.Code != http.StatusTooManyRequests {
		t.Errorf("a sync request is answered %d, want 429: its job is one too", w.Code)
	}
	s.user = "eve"
	s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
}

// The bytes of a day are those that were delivered, though their jobs are gone.
func TestQuotaOfBytes(t *testing.T) {
	s := newService(t, "header", api.Limits{}, func(c *local.Settings) { c.QuotaBytes = 5000 })
	s.user = "ada"
	path := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	if w := s.ask("DELETE", path, nil); w.Code != http.StatusSeeOther {
		t.Fatalf("DELETE: %d", w.Code)
	}
	w := s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle)
	for end := time.Now().Add(time.Minute); w.Code != http.StatusTooManyRequests && time.Now().Before(end); { // it looks every few seconds
		w = s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle)
	}
	after, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if w.Code != http.StatusTooManyRequests || err != nil || time.Duration(after)*time.Second < 23*time.Hour || !strings.Contains(w.Body.String(), "in 24 hours and may have 5000; from ") {
		t.Errorf("%d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	pending := s.ask("POST", "/async", nil, "ID", dataset)
	if pending.Code != http.StatusTooManyRequests {
		t.Errorf("async: %d %s", pending.Code, pending.Body)
	}
}

// Rows are those of all live jobs, also of those that grow.
func TestQuotaOfRows(t *testing.T) {
	s := newService(t, "header", api.Limits{}, func(c *local.Settings) { c.QuotaRows = 5 })
	s.user = "ada"
	path := s.job(t, "ID", dataset, "CIRCLE", circle, "CIRCLE", circle)
	if w := s.ask("POST", "/async", nil, "ID", dataset, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle); w.Code != http.StatusTooManyRequests {
		t.Errorf("4 beside 2: %d %s", w.Code, w.Body)
	}
	if w := s.ask("POST", path+"/parameters", nil, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle); w.Code != http.StatusSeeOther {
		t.Errorf("3 more: %d %s", w.Code, w.Body)
	}
	w := s.ask("POST", path+"/parameters", nil, "CIRCLE", circle)
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "you have live jobs of 5 cutouts, and these would be 1 more where 5 are allowed") {
		t.Errorf("1 more: %d %s", w.Code, w.Body)
	}
	if w := s.ask("POST", "/async", nil, "ID", dataset, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle, "CIRCLE", circle); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("6 at once: %d %s", w.Code, w.Body)
	}
}

// Requests count by name or, of the anonymous, by the address that the proxy names.
func TestQuotaOfRequests(t *testing.T) {
	for mode, other := range map[string]func(*service) http.Header{
		"header": func(s *service) http.Header { s.user = "eve"; return nil },
		"none":   func(*service) http.Header { return http.Header{"X-Forwarded-For": {"1.2.3.4, 198.51.100.8"}} },
	} {
		s := newService(t, mode, api.Limits{}, func(c *local.Settings) { c.QuotaRequests = 5 })
		s.user = "ada"
		from := http.Header{"X-Forwarded-For": {"198.51.100.7"}}
		for range 5 {
			if w := s.ask("GET", "/async", from); w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", mode, w.Code, w.Body)
			}
		}
		if w := s.ask("GET", "/async", from); w.Code != http.StatusTooManyRequests || !strings.HasPrefix(w.Body.String(), "ServiceUnavailable: you have sent 5 requests in a minute and may send 5; ") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: the sixth: %d %v %s", mode, w.Code, w.Header(), w.Body)
		}
		if w := s.ask("GET", "/links", from, "ID", dataset); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "<VOTABLE") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: links: %d %v %s", mode, w.Code, w.Header(), w.Body)
		}
		if w := s.ask("GET", "/availability", from); w.Code != http.StatusOK {
			t.Errorf("%s: what is for everybody: %d", mode, w.Code)
		}
		header := other(s)
		if w := s.ask("GET", "/async", header); w.Code != http.StatusOK {
			t.Errorf("%s: another: %d %s", mode, w.Code, w.Body)
		}
	}
}

// A request that changes a job asks several times who sends it, and counts once.
func TestARequestCountsOnce(t *testing.T) {
	s := newService(t, "header", api.Limits{}, func(c *local.Settings) { c.QuotaRequests = 3 })
	s.user = "ada"
	path := s.job(t, "ID", dataset, "CIRCLE", circle)
	for _, phase := range []string{"RUN", "RUN"} {
		if w := s.ask("POST", path+"/phase", nil, "PHASE", phase); w.Code != http.StatusSeeOther {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := s.ask("GET", path, nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("the fourth request: %d", w.Code)
	}
}

// When most places to wait are taken, a sync request is sent to /async, which works.
func TestSyncIsRefusedBeforeAsync(t *testing.T) {
	limits := api.DefaultLimits
	limits.Waiters, limits.MaxWait = 2, time.Minute
	s := newService(t, "none", limits)
	pending := s.job(t, "ID", dataset, "CIRCLE", circle)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s.ask("GET", pending, nil, "WAIT", "-1").Code != http.StatusNotFound { // until it is deleted
			}
		})
	}
	const want = "ServiceUnavailable: 2 requests wait already, of 2 that can; send this one to /async, or ask again later\n"
	refused := ""
	for end := time.Now().Add(time.Minute); refused != want && time.Now().Before(end); { // until both wait
		refused = s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle).Body.String()
	}
	if refused != want {
		t.Errorf("%q, want %q", refused, want)
	}
	s.job(t, "ID", dataset, "CIRCLE", circle, "PHASE", "RUN")
	if w := s.ask("DELETE", pending, nil); w.Code != http.StatusSeeOther {
		t.Errorf("DELETE: %d", w.Code)
	}
	wg.Wait()
}
