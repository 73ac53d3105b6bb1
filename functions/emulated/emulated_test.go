package emulated

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/doctor"
	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	_ "github.com/seltzer-soda/seltzer/pkg/objects/drivers"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// patience is how long the tests wait for what must happen.
const patience = 3 * time.Minute

const (
	inside  = "150.1163 2.2058 0.0036"
	nowhere = "10 80 0.01"
)

var starfield = archive.Prefix(Authority, Archive) + "starfield.fits"

// still is a client that follows no redirect.
var still = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: patience}

// start starts a cloud, with further variables, or skips the test where there are no emulators.
func start(t testing.TB, env ...string) *Cloud {
	t.Helper()
	return startCloud(t, Options{Sweep: -1, Env: env})
}

// ask sends a request and returns its answer; GET has the values in its query.
func ask(t testing.TB, client *http.Client, method, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if len(form) > 0 {
		address += "?" + form.Encode()
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// run makes an async job that runs.
func (c *Cloud) run(t *testing.T, pairs ...string) (job string) {
	t.Helper()
	answer, text := ask(t, still, http.MethodPost, c.URL+"/async", values(append(pairs, "PHASE", "RUN")...))
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("POST /async: %s\n%s", answer.Status, text)
	}
	return answer.Header.Get("Location")
}

// end waits for the end of a job and returns its phase; meanwhile it sweeps, if it is to.
func (c *Cloud) end(t *testing.T, job string, sweep bool) string {
	t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		if sweep {
			if err := c.Sweep(t.Context()); err != nil {
				t.Log(err)
			}
		}
		ask(t, still, http.MethodGet, job, values("WAIT", "5"))
		switch answer, phase := ask(t, still, http.MethodGet, job+"/phase", nil); {
		case answer.StatusCode != http.StatusOK:
			t.Fatalf("GET %s/phase: %s\n%s", job, answer.Status, phase)
		case phase != "PENDING" && phase != "QUEUED" && phase != "EXECUTING":
			return phase
		}
	}
	t.Fatalf("%s does not end", job)
	return ""
}

// objects lists the results bucket.
func (c *Cloud) objects(t *testing.T) (names []string) {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", c.storage.API)
	bucket, err := blob.OpenBucket(t.Context(), "gs://"+resultsBucket)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	for list := bucket.List(nil); ; {
		o, err := list.Next(t.Context())
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Key)
	}
}

// One cutout, now and as a job, and what a client meets beside it.
func TestCutouts(t *testing.T) {
	c := start(t)
	var cut string

	t.Run("available", func(t *testing.T) {
		if answer, text := ask(t, still, http.MethodGet, c.URL+"/availability", nil); answer.StatusCode != http.StatusOK || !strings.Contains(text, "<vosi:available>true<") {
			t.Errorf("%s\n%s", answer.Status, text)
		}
	})
	t.Run("sound, as its doctor says", func(t *testing.T) {
		findings, err := doctor.Examine(t.Context(), doctor.Config{URL: c.URL})
		if err != nil || doctor.Count(findings)[doctor.OK] != len(findings) {
			t.Errorf("%v: %+v", err, findings)
		}
	})
	t.Run("sync", func(t *testing.T) {
		answer, text := ask(t, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", inside))
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(text, "SIMPLE  =") {
			t.Fatalf("%s\n%.500s", answer.Status, text)
		}
		if got := answer.Header.Get("Content-Disposition"); !strings.Contains(got, "starfield") || !strings.HasPrefix(answer.Request.URL.String(), c.storage.Public) {
			t.Errorf("%q from %s; want a file named after the image, from the storage", got, answer.Request.URL)
		}
		cut = text
	})
	t.Run("what a bucket tells is held", func(t *testing.T) {
		data, err := os.ReadFile(filepath.Join(c.dir, "demo", "starfield.fits"))
		if err == nil {
			err = c.Put(t.Context(), ArchiveBucket, Archive+"/night 2/new.fits", data)
		}
		if err != nil {
			t.Fatal(err)
		}
		store, err := firestoreholdings.Open(t.Context(), firestoreholdings.Config{Project: c.project})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		id := archive.Prefix(Authority, Archive) + "night 2/new.fits"
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			held, err := store.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if h := held[id]; h != nil {
				if h.Size != int64(len(data)) || h.Index == nil || len(h.Cells) == 0 {
					t.Errorf("held is %+v", h)
				}
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s is not held after %v", id, patience)
			}
		}
	})
	t.Run("judged", func(t *testing.T) {
		images := t.TempDir()
		if err := demo.Write(t.Context(), images); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(images, "cutout.fits")
		if err := os.WriteFile(file, []byte(cut), 0o600); err != nil {
			t.Fatal(err)
		}
		outside.Judge(t, filepath.Join(images, "starfield.fits"), "0", "CIRCLE "+inside, file, "--strict")
	})
	t.Run("no overlap", func(t *testing.T) {
		if answer, text := ask(t, still, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", nowhere)); answer.StatusCode != http.StatusNoContent {
			t.Errorf("%s, want 204\n%s", answer.Status, text)
		}
	})
	t.Run("unknown dataset", func(t *testing.T) {
		if answer, text := ask(t, still, http.MethodGet, c.URL+"/sync", values("ID", starfield+".gone", "CIRCLE", inside)); answer.StatusCode < 400 {
			t.Errorf("%s, want an error\n%s", answer.Status, text)
		}
	})
	t.Run("async, and its result", func(t *testing.T) {
		job := c.run(t, "ID", starfield, "CIRCLE", inside)
		if phase := c.end(t, job, false); phase != "COMPLETED" {
			t.Fatalf("phase %s, want COMPLETED", phase)
		}
		answer, text := ask(t, still, http.MethodGet, job+"/results/result", nil)
		signed := answer.Header.Get("Location")
		if answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(signed, c.storage.Public+"/"+resultsBucket+"/results/") {
			t.Fatalf("GET of the result: %s to %q\n%s", answer.Status, signed, text)
		}
		if answer, text := ask(t, still, http.MethodGet, signed, nil); answer.StatusCode != http.StatusOK || len(text) != len(cut) {
			t.Errorf("the signed URL: %s, %d bytes; want %d", answer.Status, len(text), len(cut))
		}
		for what, address := range map[string]string{
			"another object": strings.Replace(signed, "_cutout.fits", "_cutout.fit", 1),
			"no signature":   signed[:strings.IndexByte(signed, '?')],
			"a longer time":  strings.Replace(signed, "X-Goog-Expires=900", "X-Goog-Expires=901", 1),
		} {
			if answer, text := ask(t, still, http.MethodGet, address, nil); address == signed || answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s, want 403\n%s", what, answer.Status, text)
			}
		}
		mine := func(name string) bool {
			return strings.HasPrefix(name, "results/"+job[strings.LastIndexByte(job, '/')+1:]+"/")
		}
		if !slices.ContainsFunc(c.objects(t), mine) {
			t.Errorf("the bucket holds %v; want the job's object", c.objects(t))
		}
		if answer, _ := ask(t, still, http.MethodDelete, job, nil); answer.StatusCode != http.StatusSeeOther {
			t.Errorf("DELETE: %s, want 303", answer.Status)
		}
		if err := c.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(c.objects(t), mine) {
			t.Error("the object of a deleted job is there after a sweep")
		}
		if answer, _ := ask(t, still, http.MethodGet, job, nil); answer.StatusCode != http.StatusNotFound {
			t.Errorf("a deleted job: %s, want 404", answer.Status)
		}
	})
	t.Run("more results than one document lists", func(t *testing.T) {
		const n = firestorejobs.MaxListed + 1
		pairs := []string{"ID", starfield}
		for i := range n {
			pairs = append(pairs, "CIRCLE", fmt.Sprintf("150.1163 2.2058 %g", 1e-5*float64(1+i)))
		}
		job := c.run(t, pairs...)
		if phase := c.end(t, job, false); phase != "COMPLETED" {
			t.Fatalf("phase %s, want COMPLETED", phase)
		}
		answer, text := ask(t, still, http.MethodGet, job+"/results", nil)
		if got := strings.Count(text, "<uws:result "); answer.StatusCode != http.StatusOK || got != n {
			t.Fatalf("%s with %d results, want %d\n%.500s", answer.Status, got, n, text)
		}
		last := text[strings.LastIndex(text, "<uws:result ")+len("<uws:result "):]
		_, id, _ := strings.Cut(last, `id="`)
		id, _, _ = strings.Cut(id, `"`)
		answer, text = ask(t, &http.Client{Timeout: patience}, http.MethodGet, job+"/results/"+id, nil)
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(text, "SIMPLE  =") {
			t.Errorf("the last result, %s: %s\n%.300s", id, answer.Status, text)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				circle := fmt.Sprintf("150.1163 2.2058 %g", 0.001+0.0002*float64(i))
				if answer, text := ask(t, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", circle)); answer.StatusCode != http.StatusOK {
					t.Errorf("%s: %s\n%.500s", circle, answer.Status, text)
				}
			})
		}
		wg.Wait()
	})
}

// A worker is killed, and the job goes on; a function that is told to stop gives its job back.
func TestFunctionsAreKilled(t *testing.T) {
	c := start(t)
	var jobs []string
	for range 8 {
		jobs = append(jobs, c.run(t, "ID", starfield, "CIRCLE", inside))
	}
	c.Kill(cloud.Cutout)
	for range 4 {
		jobs = append(jobs, c.run(t, "ID", starfield, "CIRCLE", inside)) // acknowledged while no worker runs
	}
	c.Kill(cloud.Soda)
	for _, function := range []string{cloud.Soda, cloud.Cutout} {
		if err := c.Run(function); err != nil {
			t.Fatal(err)
		}
	}
	for _, job := range jobs {
		if phase := c.end(t, job, true); phase != "COMPLETED" {
			t.Errorf("%s is %s, want COMPLETED", job, phase)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Sweep(ctx); err != nil {
		t.Error(err)
	}
}
