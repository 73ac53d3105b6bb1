package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// UWS-58 UWS-62: who waits learns of a change at once, and costs next to nothing until then.
func TestWaiters(t *testing.T) {
	const waiters, idle = 200, 10 * time.Second
	s := demoServer(t)
	job := post(t, s.URL+"/async", "ID", demoID, "CIRCLE", inside).Header.Get("Location")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: waiters}}
	defer client.CloseIdleConnections()
	// two rounds of at most 20 s each, so that each is waiting when the change comes
	wait := func() (phase string, at time.Time) {
		for range 3 {
			doc := send(t, client, request(t, http.MethodGet, job+"?WAIT=20&PHASE=PENDING", nil)).Body
			if _, phase, _ = strings.Cut(doc, "<uws:phase>"); !strings.HasPrefix(phase, "PENDING") {
				break
			}
		}
		phase, _, _ = strings.Cut(phase, "<")
		return phase, time.Now()
	}
	ends := make([]time.Time, waiters)
	var all sync.WaitGroup
	for i := range waiters {
		all.Go(func() {
			var phase string
			if phase, ends[i] = wait(); phase == "PENDING" || phase == "" {
				t.Errorf("waiter %d came back in phase %q", i, phase)
			}
		})
	}
	time.Sleep(2 * time.Second) // all of them are there
	before := cpu(t, s)
	time.Sleep(idle)
	used := cpu(t, s) - before
	began := time.Now()
	post(t, job+"/phase", "PHASE", "ABORT") // which is one change, where RUN is several
	changed := time.Now()
	all.Wait()
	slices.SortFunc(ends, time.Time.Compare)
	first, last := ends[0].Sub(began), ends[waiters-1].Sub(began)
	t.Logf("%d waiters used %v of CPU in %v; the change took %v, the first waiter knew after %v, the last after %v", waiters, used, idle, changed.Sub(began), first, last)
	if limit := idle / 20; used > limit { // 1 % is what is seen, sweeps of the service with it; 5 % would be polling
		t.Errorf("%d waiters used %v of CPU in %v, want less than %v", waiters, used, idle, limit)
	}
	if first > time.Second {
		t.Errorf("the first waiter knew of the change after %v", first)
	}

	began = time.Now()
	if phase, at := wait(); phase != "ABORTED" || at.Sub(began) > 2*time.Second {
		t.Errorf("WAIT on a job that has ended: %s after %v", phase, at.Sub(began))
	}
}

// One waiter on a job that runs: how long after the change it knows.
func TestWaitReturnsAtTheChange(t *testing.T) {
	s := demoServer(t)
	var late []time.Duration
	for range 20 {
		job := post(t, s.URL+"/async", "ID", demoID).Header.Get("Location")
		known := make(chan time.Time, 1)
		go func() {
			if doc := get(t, job+"?WAIT=20").Body; !strings.Contains(doc, ">ABORTED<") {
				t.Errorf("WAIT came back with\n%s", doc)
			}
			known <- time.Now()
		}()
		time.Sleep(20 * time.Millisecond)
		began := time.Now()
		post(t, job+"/phase", "PHASE", "ABORT")
		late = append(late, (<-known).Sub(began))
	}
	slices.Sort(late)
	t.Logf("a waiter knows %v after the request for the change is sent (median of %d; at most %v)", late[len(late)/2], len(late), late[len(late)-1])
	if median := late[len(late)/2]; median > 500*time.Millisecond { // 50 ms on a machine of its own
		t.Errorf("a waiter knows of a change after %v", median)
	}
}

// cpu returns the time of CPU that a server has used.
func cpu(t *testing.T, s *server) time.Duration {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("CPU time of another process is read from /proc")
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// after the command's name, which may hold blanks: fields 14 and 15 are utime and stime, in 1/100 s (proc(5))
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		var n int64
		if _, err := fmt.Sscan(f, &n); err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
