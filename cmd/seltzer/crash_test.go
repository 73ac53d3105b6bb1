package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// scripts/crash sets these; the defaults are the short form that every test run takes.
var (
	crashJobs  = flag.Int("crash.jobs", 120, "jobs to make while the server is killed")
	crashKills = flag.Int("crash.kills", 2, "how often the server is killed")
)

const crashClients = 16

// circles returns n circles inside the demo image, each with a cutout of another size.
func circles(n int) (circles []string) {
	for i := range n {
		circles = append(circles, fmt.Sprintf("%.4f %.4f %.4f", 150.10+0.003*float64(i%8), 2.19+0.004*float64(i/8), 0.003+0.0007*float64(i%11)))
	}
	return circles
}

// While 16 clients make jobs the server is killed as by kill -9, at random moments, and
// started again. Every job that was acknowledged ends COMPLETED, once, with the right
// result.
func TestNoJobIsLostWhenTheServerIsKilled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	log := new(logBuffer)
	listen := freeAddress(t)
	s := start(t, data, listen, log)
	list, regions := s.URL+"/async", circles(24)

	var made sync.Map // job URL → circle
	var acknowledged atomic.Int64
	var clients sync.WaitGroup
	for range crashClients {
		clients.Go(func() {
			for acknowledged.Load() < int64(*crashJobs) && t.Context().Err() == nil {
				circle := regions[rand.IntN(len(regions))]
				job, err := tryToMake(list, circle)
				if err != nil { // the server is down: not acknowledged
					time.Sleep(20 * time.Millisecond)
					continue
				}
				made.Store(job, circle)
				acknowledged.Add(1)
			}
		})
	}
	for kill := range *crashKills {
		for acknowledged.Load() < int64((kill+1)**crashJobs/(*crashKills+1)) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		s.kill()
		s = start(t, data, listen, log)
	}
	clients.Wait()

	want := references(t, s, regions)
	var ends sync.WaitGroup
	slots := make(chan struct{}, crashClients)
	var jobs, completed, right int
	var mu sync.Mutex
	made.Range(func(job, circle any) bool {
		jobs++
		slots <- struct{}{}
		ends.Go(func() {
			defer func() { <-slots }()
			phase := waitForEnd(t, job.(string))
			result := send(t, http.DefaultClient, request(t, http.MethodGet, job.(string)+"/results/result", nil))
			mu.Lock()
			defer mu.Unlock()
			if phase != "COMPLETED" {
				t.Errorf("%s ends %s", job, phase)
				return
			}
			completed++
			if got := outside.Timeless([]byte(result.Body)); !bytes.Equal(got, want[circle.(string)]) {
				t.Errorf("%s: the result of circle %s is not what it should be (%d bytes, want %d)", job, circle, len(got), len(want[circle.(string)]))
				return
			}
			right++
		})
		return true
	})
	ends.Wait()
	twice := 0
	made.Range(func(job, _ any) bool {
		id := job.(string)[strings.LastIndex(job.(string), "/")+1:]
		if n := strings.Count(log.String(), "msg=completed job="+id); n > 1 {
			twice++
			t.Errorf("%s was completed %d times", id, n)
		}
		return true
	})
	t.Logf("%d clients, %d kills: %d jobs acknowledged, %d COMPLETED, %d with the right result, %d completed twice",
		crashClients, *crashKills, jobs, completed, right, twice)
	if jobs < *crashJobs {
		t.Errorf("%d jobs were acknowledged, want at least %d", jobs, *crashJobs)
	}
}

var crashClient = &http.Client{Timeout: 10 * time.Second, CheckRedirect: still.CheckRedirect}

func tryToMake(list, circle string) (job string, err error) {
	response, err := crashClient.PostForm(list, values("ID", demoID, "CIRCLE", circle, "PHASE", "RUN"))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("POST %s: %s", list, response.Status)
	}
	return response.Header.Get("Location"), nil
}

// references returns the right result of each circle, without its cards of time. Where the
// judge is there, each is held against it first.
func references(t *testing.T, s *server, regions []string) map[string][]byte {
	t.Helper()
	want := map[string][]byte{}
	judge := os.Getenv("SELTZER_FITS") != ""
	if !judge {
		t.Log("SELTZER_FITS is not set: results are compared with each other, and not judged")
	}
	for i, circle := range regions {
		got := s.syncCut(t, "ID", demoID, "CIRCLE", circle)
		if got.StatusCode != http.StatusOK {
			t.Fatalf("sync: %s %s", got.Status, got.Body)
		}
		if judge && i%6 == 0 {
			outside.Judge(t, s.demoFile(), "0", "CIRCLE "+circle, keep(t, got.Body), "--strict")
		}
		want[circle] = outside.Timeless([]byte(got.Body))
	}
	return want
}
