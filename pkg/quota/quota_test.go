package quota_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// open returns a quota over a store that is empty.
func open(t *testing.T, l quota.Limits) (*quota.Quota, *sqlitejobs.Store) {
	t.Helper()
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := sqlitejobs.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return quota.New(s, l), s
}

func job(owner string, rows int64) *uws.Job {
	now := time.Now().UTC()
	return &uws.Job{ID: uws.NewID(), Owner: owner, Class: uws.Interactive, Kind: uws.Async, Phase: uws.Queued, Created: now, Destruction: now.Add(time.Hour), DueAt: now.Add(time.Hour), Rows: rows}
}

// end has a job end some time ago with so many bytes.
func end(t *testing.T, s *sqlitejobs.Store, j *uws.Job, ago time.Duration, bytes int64) {
	t.Helper()
	_, err := s.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
		j.Take(now, "c")
		return j.Complete(now.Add(-ago), "c", []uws.Result{{ID: "result", Size: bytes}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// want checks an error: its kind, when to ask again, and that it says some words.
func want(t *testing.T, what string, err error, code fault.Code, after time.Duration, words ...string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
		return
	}
	if d := fault.After(err) - after; d < -time.Minute || d > time.Minute {
		t.Errorf("%s: ask again after %v, want some %v", what, fault.After(err), after)
	}
	for _, w := range words {
		if !strings.Contains(fault.Sentence(err), w) {
			t.Errorf("%s: %q, want it to say %q", what, fault.Sentence(err), w)
		}
	}
}

func TestLiveJobs(t *testing.T) {
	q, s := open(t, quota.Limits{Jobs: 2, Rows: 10})
	first := job("ada", 4)
	for _, j := range []*uws.Job{first, job("ada", 4)} {
		want(t, "within", q.Create(t.Context(), j), "", 0)
	}
	want(t, "a third job", q.Create(t.Context(), job("ada", 1)), fault.Quota, 30*time.Second, "you have 2 live jobs and may have 2")
	want(t, "another's", q.Create(t.Context(), job("eve", 10)), "", 0)
	want(t, "more than anybody may have", q.Create(t.Context(), job("eve", 11)), fault.TooLarge, 0, "11 cutouts, and 10 are allowed")
	want(t, "a row more", q.Grow(t.Context(), "ada", 2), "", 0)
	want(t, "too many more", q.Grow(t.Context(), "ada", 3), fault.Quota, 30*time.Second, "live jobs of 8 cutouts", "3 more where 10 are allowed")
	end(t, s, first, 0, 1)
	want(t, "when one has ended", q.Create(t.Context(), job("ada", 7)), fault.Quota, 30*time.Second, "live jobs of 4 cutouts", "7 more")
	want(t, "when one has ended, and there is room for its rows", q.Create(t.Context(), job("ada", 6)), "", 0)
}

// Those without a name share one limit, of ten times as much.
func TestCrowd(t *testing.T) {
	q, _ := open(t, quota.Limits{Jobs: 2})
	for range 2 * quota.Crowd {
		want(t, "within", q.Create(t.Context(), job("", 1)), "", 0)
	}
	want(t, "one more", q.Create(t.Context(), job("", 1)), fault.Quota, 30*time.Second, "all who do not log in have together 20 live jobs and may have 20")
}

func TestBytesOfADay(t *testing.T) {
	q, s := open(t, quota.Limits{Bytes: 1000})
	made := func(ago time.Duration, bytes int64) *uws.Job {
		t.Helper()
		j := job("ada", 1)
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		end(t, s, j, ago, bytes)
		return j
	}
	made(25*time.Hour, 5000)
	made(20*time.Hour, 100)
	last := made(10*time.Hour, 500)
	want(t, "within", q.Create(t.Context(), job("ada", 1)), "", 0)
	made(time.Hour, 450)
	const sentence = "you have results of 1050 bytes in 24 hours and may have 1000; from "
	want(t, "over", q.Create(t.Context(), job("ada", 1)), fault.Quota, 4*time.Hour, sentence)
	if _, err := s.Update(t.Context(), last.ID, func(now time.Time, j *uws.Job) error { j.Delete(now); return nil }); err != nil {
		t.Fatal(err)
	}
	want(t, "a deleted job gives nothing back", quota.New(s, q.Limits).Day(t.Context(), "ada"), fault.Quota, 4*time.Hour, sentence, "deleting jobs makes none")
	want(t, "another's", q.Create(t.Context(), job("eve", 1)), "", 0)
	made(0, 100)
	want(t, "more must go", quota.New(s, q.Limits).Day(t.Context(), "ada"), fault.Quota, 14*time.Hour, "1150 bytes")
}

func TestRequests(t *testing.T) {
	q, _ := open(t, quota.Limits{Requests: 3})
	for range 3 {
		want(t, "within", q.Request("ada"), "", 0)
	}
	for range 100 { // what is refused does not make it later
		want(t, "a fourth", q.Request("ada"), fault.Quota, 20*time.Second, "3 requests in a minute and may send 3; the next one may come in 20s")
	}
	want(t, "another's", q.Request("eve"), "", 0)
}

func TestSyncIsRefusedUnderPressure(t *testing.T) {
	q, _ := open(t, quota.Limits{Backlog: 2})
	want(t, "nothing waits", q.Sync(t.Context(), 89, 100), "", 0)
	want(t, "the last tenth of the places", q.Sync(t.Context(), 90, 100), fault.Unavailable, 10*time.Second, "90 requests wait already, of 100", "/async")
	want(t, "one place", q.Sync(t.Context(), 0, 1), "", 0)
	want(t, "and it is taken", q.Sync(t.Context(), 1, 1), fault.Unavailable, 10*time.Second)
	for range 2 {
		want(t, "async", q.Create(t.Context(), job("ada", 1)), "", 0)
	}
	var err error
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // it looks every few seconds
		err = q.Sync(t.Context(), 0, 100)
	}
	want(t, "a backlog", err, fault.Unavailable, 10*time.Second, "2 small jobs wait or run", "/async")
	want(t, "async meanwhile", q.Create(t.Context(), job("ada", 1)), "", 0)
}

func TestNoLimits(t *testing.T) {
	q, _ := open(t, quota.Limits{})
	for range 50 {
		want(t, "a request", q.Request("ada"), "", 0)
		want(t, "a job", q.Create(context.WithoutCancel(t.Context()), job("ada", 1e12)), "", 0)
	}
}

func TestAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		name    string
		from    quota.Address
		peer    string
		headers []string
		want    string
	}{
		{"no proxy", quota.Address{Proxies: proxies}, "192.0.2.1:99", nil, "192.0.2.1"},
		{"a client that says it is a proxy", quota.Address{Proxies: proxies}, "192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a proxy", quota.Address{Proxies: proxies}, "10.0.0.1:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a proxy that says nothing", quota.Address{Proxies: proxies}, "10.0.0.1:99", nil, "10.0.0.1"},
		{"two of them, and what the client wrote", quota.Address{Proxies: proxies}, "[::1]:99", []string{"203.0.113.9, 198.51.100.7", "10.3.3.3"}, "198.51.100.7"},
		{"no address", quota.Address{Proxies: proxies}, "10.0.0.1:99", []string{"unknown"}, "10.0.0.1"},
		{"a network of IPv6", quota.Address{}, "[2001:db8:1:2:3:4:5:6]:99", nil, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", quota.Address{}, "[::ffff:192.0.2.1]:99", nil, "192.0.2.1"},
		{"the platform's entry", quota.Address{Hops: 1}, "169.254.1.1:9", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"behind a load balancer", quota.Address{Hops: 2}, "169.254.1.1:9", []string{"203.0.113.9,198.51.100.7,35.1.2.3"}, "198.51.100.7"},
		{"fewer entries than the platform writes", quota.Address{Hops: 2}, "169.254.1.1:9", []string{"203.0.113.9"}, "169.254.1.1"},
		{"with a port", quota.Address{Hops: 1}, "169.254.1.1:9", []string{"[2001:db8::1]:443"}, "2001:db8::/64"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.headers
		if got := tt.from.Of(r); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Whatever a client writes before what the platform adds, it is counted under its own address.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", "::1, 9.9.9.9", ",,,", "unknown", "[::1]:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, said string) {
		for hops, added := range map[int]string{1: "198.51.100.7", 2: "198.51.100.7, 35.1.2.3"} {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "169.254.1.1:9"
			r.Header["X-Forwarded-For"] = []string{fmt.Sprintf("%s,%s", said, added)}
			if got := (quota.Address{Hops: hops}).Of(r); got != "198.51.100.7" {
				t.Errorf("after %q: %s", said, got)
			}
		}
	})
}
