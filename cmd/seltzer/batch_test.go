package main

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A job of a thousand cutouts whose server is killed as by kill -9, after some of them were
// kept: all of them are there in the end, each once, and those that were kept are not made
// again.
func TestKilledBatchGoesOn(t *testing.T) {
	const n = 1000
	data, log, listen := filepath.Join(t.TempDir(), "data"), new(logBuffer), freeAddress(t)
	s := start(t, data, listen, log)
	form := url.Values{"ID": {demoID}, "PHASE": {"RUN"}}
	for i := range n - 2 { // with ID and PHASE as many as a request may have
		form.Add("STAMP", fmt.Sprintf("%.5f %.5f 5 5", 150.10+0.0005*float64(i%40), 2.19+0.0005*float64(i/40)))
	}
	made := send(t, still, request(t, http.MethodPost, s.URL+"/async", form))
	job := made.Header.Get("Location")
	if made.StatusCode != 303 {
		t.Fatalf("%s: %s", made.Status, made.Body)
	}
	kept := 0
	within(t, time.Minute, "some results are kept", func() bool {
		_, progress, _ := strings.Cut(get(t, job).Body, "<seltzer:progress ")
		_, progress, _ = strings.Cut(progress, `results="`)
		_, _ = fmt.Sscanf(progress, "%d", &kept)
		return kept > 0
	})
	s.kill()
	start(t, data, listen, log)
	if phase := waitForEnd(t, job); phase != "COMPLETED" {
		t.Fatalf("the job ends %s: %s", phase, get(t, job+"/error").Body)
	}
	results := readJob(t, get(t, job).Body).Results
	if len(results) != n-2 {
		t.Fatalf("%d results, want %d", len(results), n-2)
	}
	attempts := make(map[string]int)
	for i, r := range results {
		if want := fmt.Sprintf("cutout-%04d", i+1); r.ID != want {
			t.Errorf("result %d is %s, want %s", i, r.ID, want)
		}
		signed, err := url.Parse(get(t, r.Href).Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		attempts[strings.Split(signed.Path, "/")[4]]++
		if i%100 == 0 {
			if got := get(t, signed.String()); got.StatusCode != 200 || !strings.HasPrefix(got.Body, "SIMPLE  =") {
				t.Errorf("%s: %s", r.ID, got.Status)
			}
		}
	}
	t.Logf("%d results were kept when the server was killed; by attempt: %v", kept, attempts)
	if attempts["1"] < kept || kept < n-2 && attempts["2"] == 0 || attempts["1"]+attempts["2"] != n-2 {
		t.Errorf("%d were kept of the first attempt, and the results are of the attempts %v", kept, attempts)
	}
}
