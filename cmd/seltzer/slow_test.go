package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// slowArchive is an archive that answers for headers at once and holds every request for
// pixels up until it is let go.
type slowArchive struct {
	*httptest.Server
	free    chan struct{} // closed: pixels too
	reading atomic.Int32  // requests that are held up
}

func newSlowArchive(t *testing.T) *slowArchive {
	linkDemo(t, t.TempDir())
	content, err := os.ReadFile(filepath.Join(demoFolder, "starfield.fits"))
	if err != nil {
		t.Fatal(err)
	}
	a := &slowArchive{free: make(chan struct{})}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var first int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first); err == nil && first > 100_000 {
			a.reading.Add(1)
			select {
			case <-a.free:
			case <-r.Context().Done():
			}
			a.reading.Add(-1)
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

const slowID = "ivo://localhost/slow?starfield.fits"

func slowServer(t *testing.T, a *slowArchive) *server {
	t.Helper()
	s := start(t, filepath.Join(t.TempDir(), "data"), freeAddress(t), new(logBuffer), "--archive", "slow="+a.URL+"/")
	return s
}

// within waits until something holds.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// makeSlow makes a job and waits until it reads pixels.
func makeSlow(t *testing.T, s *server, a *slowArchive, pairs ...string) (job string) {
	t.Helper()
	made := post(t, s.URL+"/async", "ID", slowID, "CIRCLE", inside)
	job = made.Header.Get("Location")
	if made.StatusCode != http.StatusSeeOther {
		t.Fatalf("POST /async: %s\n%s", made.Status, made.Body)
	}
	if len(pairs) > 0 {
		post(t, job+"/executionduration", pairs...)
	}
	post(t, job+"/phase", "PHASE", "RUN")
	within(t, 20*time.Second, "the job reads", func() bool { return a.reading.Load() > 0 })
	return job
}

func TestAbortAndDeleteEndTheReadInFlight(t *testing.T) {
	a := newSlowArchive(t)
	s := slowServer(t, a)
	job := makeSlow(t, s, a)
	if got := get(t, job+"/phase"); got.Body != "EXECUTING" {
		t.Errorf("a job that reads is %s", got.Body)
	}
	if got := post(t, job+"/executionduration", "EXECUTIONDURATION", "5"); got.StatusCode != http.StatusForbidden {
		t.Errorf("the execution duration of a running job was changed: %s", got.Status)
	}
	began := time.Now()
	if got := post(t, job+"/phase", "PHASE", "ABORT"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("ABORT: %s %s", got.Status, got.Body)
	}
	within(t, 5*time.Second, "an aborted job reads no more", func() bool { return a.reading.Load() == 0 })
	t.Logf("UWS-34: the read ended %v after ABORT was sent", time.Since(began)) // a second at most on a machine of its own
	if got := get(t, job+"/phase"); got.Body != "ABORTED" {
		t.Errorf("an aborted job is %s", got.Body)
	}
	job = makeSlow(t, s, a)
	if got := send(t, still, request(t, http.MethodDelete, job, nil)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("DELETE: %s %s", got.Status, got.Body)
	}
	within(t, 5*time.Second, "a deleted job reads no more", func() bool { return a.reading.Load() == 0 })
	if got := get(t, job); got.StatusCode != http.StatusNotFound {
		t.Errorf("a deleted job: %s", got.Status)
	}
}

func TestExecutionDurationAborts(t *testing.T) {
	a := newSlowArchive(t)
	s := slowServer(t, a)
	job := makeSlow(t, s, a, "EXECUTIONDURATION", "1")
	if phase := waitForEnd(t, job); phase != "ABORTED" {
		t.Errorf("UWS-37: a job that runs too long is %s", phase)
	}
	if got := get(t, job+"/error"); !strings.Contains(got.Body, "execution duration") {
		t.Errorf("it says %s %q", got.Status, got.Body)
	}
}

// A server that is stopped answers who waits, and goes; its jobs go on at the next start,
// however often that happens.
func TestStopsCostAJobNothing(t *testing.T) {
	a := newSlowArchive(t)
	s := slowServer(t, a)
	job := makeSlow(t, s, a)
	waiting := make(chan answer, 1)
	go func() {
		r, err := still.Get(s.URL + "/sync?" + values("ID", slowID, "CIRCLE", inside).Encode())
		if err != nil {
			waiting <- answer{Body: err.Error()}
			return
		}
		r.Body.Close()
		waiting <- answer{Response: r}
	}()
	within(t, 20*time.Second, "both jobs read", func() bool { return a.reading.Load() == 2 })
	told := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-waiting; got.Response == nil || got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("who waits when the server stops gets %+v %s; want 503 with Retry-After", got.Response, got.Body)
	}
	select {
	case <-s.exited:
		t.Logf("the server ended %v after SIGTERM", time.Since(told)) // platforms give 10 s
	case <-time.After(30 * time.Second):
		t.Fatalf("the server goes on 30 s after SIGTERM:\n%s", s.log)
	}
	listen := strings.TrimPrefix(s.URL, "http://")
	for range 6 { // more often than a job has attempts
		s = start(t, s.Data, listen, s.log, "--archive", "slow="+a.URL+"/")
		within(t, 20*time.Second, "the job goes on", func() bool { return a.reading.Load() > 0 })
		s.kill()
		within(t, 20*time.Second, "the killed server reads no more", func() bool { return a.reading.Load() == 0 })
	}
	close(a.free)
	s = start(t, s.Data, listen, s.log, "--archive", "slow="+a.URL+"/")
	if phase := waitForEnd(t, job); phase != "COMPLETED" {
		t.Errorf("after seven stops the job is %s: %s", phase, get(t, job+"/error").Body)
	}
}
