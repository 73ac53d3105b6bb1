package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// BenchmarkWaiters holds many clients at once that wait for jobs of their own, ends some of
// these jobs one after the other, and reports how long after the request that ended a job its
// waiter knew, and the memory of the server that holds them all:
//
//	go test ./cmd/seltzer -run '^$' -bench Waiters -benchtime 1x
func BenchmarkWaiters(b *testing.B) {
	b.Run("serve 2000", func(b *testing.B) { measureWaiters(b, demoServer(b), 2000) })
	b.Run("functions 500", func(b *testing.B) {
		outside.Firestore(b)
		outside.PubSub(b)
		c := &clouds{t: b}
		measureWaiters(b, c.start("none", "SELTZER_WATCH_CONNECTIONS=7"), 500) // 80 watchers each
	})
}

func measureWaiters(b *testing.B, s *server, waiters int) {
	const woken = 400
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: waiters}, CheckRedirect: still.CheckRedirect}
	defer client.CloseIdleConnections()
	jobs := make([]string, waiters)
	known := make([]chan time.Time, waiters) // when a waiter knew of the end of its job
	var all sync.WaitGroup
	for i := range jobs {
		made := post(b, s.URL+"/async", "ID", demoID, "CIRCLE", inside)
		if jobs[i] = made.Header.Get("Location"); made.StatusCode != http.StatusSeeOther {
			b.Fatalf("%s\n%s", made.Status, made.Body)
		}
		known[i] = make(chan time.Time, 1)
		all.Go(func() {
			for b.Context().Err() == nil {
				doc := send(b, client, request(b, http.MethodGet, jobs[i]+"?WAIT=-1&PHASE=PENDING", nil))
				if at := time.Now(); doc.StatusCode != http.StatusOK || !strings.Contains(doc.Body, "<uws:phase>PENDING<") {
					if !strings.Contains(doc.Body, "<uws:phase>ABORTED<") {
						b.Errorf("a waiter was answered %s\n%.500s", doc.Status, doc.Body)
					}
					known[i] <- at
					return
				}
			}
		})
	}
	time.Sleep(5 * time.Second) // the last of them wait, too
	idle := resident(b, s)
	var late []time.Duration
	for i := range woken {
		began := time.Now()
		if got := post(b, jobs[i*waiters/woken]+"/phase", "PHASE", "ABORT"); got.StatusCode != http.StatusSeeOther {
			b.Fatalf("ABORT: %s\n%s", got.Status, got.Body)
		}
		select {
		case at := <-known[i*waiters/woken]:
			late = append(late, at.Sub(began))
		case <-time.After(time.Minute):
			b.Fatal("a waiter does not know that its job has ended")
		}
	}
	busy := resident(b, s)
	for i := range jobs {
		post(b, jobs[i]+"/phase", "PHASE", "ABORT") // 403 for those that have ended
	}
	all.Wait()
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(late[len(late)*99/100])/1e6, "p99-ms")
	b.ReportMetric(float64(max(idle, busy))/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op") // which says nothing
}

// resident returns the memory of a server: of its process, or of the largest of its group.
func resident(b *testing.B, s *server) (most int64) {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		b.Skip("memory of another process is read from /proc")
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		// after the command's name: field 5 is the process group, 24 the resident pages (proc(5))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		var group int
		var pages int64
		if _, err := fmt.Sscan(fields[2]+" "+fields[21], &group, &pages); err != nil {
			b.Fatal(err)
		}
		if s.cmd != nil && filepath.Base(filepath.Dir(name)) == fmt.Sprint(s.cmd.Process.Pid) || s.cmd == nil && group == s.group {
			most = max(most, pages*int64(os.Getpagesize()))
		}
	}
	return most
}
