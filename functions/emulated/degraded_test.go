package emulated

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// openJobs opens the store of a cloud by the emulator's own address.
func (c *Cloud) openJobs(t *testing.T) *firestorejobs.Store {
	t.Helper()
	store, err := firestorejobs.Open(t.Context(), firestorejobs.Config{Project: c.project})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// openRaw opens what the store of a cloud stands in.
func (c *Cloud) openRaw(t *testing.T) *firestore.Client {
	t.Helper()
	client, err := firestore.NewClient(t.Context(), c.project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func jobID(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// The queue does not answer: what does not need it works; jobs are made, quickly after the
// first few; who waits is told to come again. When it answers again the jobs are done.
func TestQueueDown(t *testing.T) {
	c := startCloud(t, Options{Sweep: -1, Wired: true})
	store := c.openJobs(t)
	done := c.run(t, "ID", starfield, "CIRCLE", inside)
	if phase := c.end(t, done, false); phase != "COMPLETED" {
		t.Fatalf("phase %s, want COMPLETED", phase)
	}
	c.Wires["PUBSUB_EMULATOR_HOST"].Cut()

	var jobs []string
	var took []time.Duration
	slow := 0
	for range 12 {
		began := time.Now()
		jobs = append(jobs, c.run(t, "ID", starfield, "CIRCLE", inside))
		took = append(took, time.Since(began).Round(time.Millisecond))
		if time.Since(began) > 1500*time.Millisecond { // a try of the queue takes 2 s
			slow++
		}
	}
	t.Logf("POST /async while the queue is down: %v", took)
	if slow > len(jobs)/2 {
		t.Errorf("%d of %d jobs were acknowledged slowly: %v", slow, len(jobs), took)
	}
	answer, text := ask(t, still, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", inside))
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("GET /sync: %s, Retry-After %q; want 503 with one\n%s", answer.Status, answer.Header.Get("Retry-After"), text)
	}
	if _, text := ask(t, still, http.MethodGet, c.URL+"/availability", nil); !strings.Contains(text, "<vosi:available>true<") || !strings.Contains(text, "degraded; queue: down") {
		t.Errorf("/availability does not say that the service is up and degraded:\n%s", text)
	}
	for address, want := range map[string]int{
		c.URL + "/async": http.StatusOK, done: http.StatusOK, done + "/results": http.StatusOK, done + "/results/result": http.StatusSeeOther,
		c.URL + "/capabilities": http.StatusOK, c.URL + "/links?ID=" + strings.ReplaceAll(starfield, "?", "%3F"): http.StatusOK,
	} {
		if answer, text := ask(t, still, http.MethodGet, address, nil); answer.StatusCode != want {
			t.Errorf("GET %s: %s, want %d\n%.300s", address, answer.Status, want, text)
		}
	}

	c.Wires["PUBSUB_EMULATOR_HOST"].Mend()
	for _, job := range jobs {
		j, err := store.Update(t.Context(), jobID(job), func(now time.Time, j *uws.Job) error {
			if wait := j.DueAt.Sub(now); j.Phase == uws.Queued && wait > uws.SoonResend {
				t.Errorf("%s is due in %v; want %v, for it was not published", j.ID, wait, uws.SoonResend)
			}
			j.DueAt = now // so much time passes
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %v", j, err)
		}
	}
	for _, job := range jobs {
		if phase := c.end(t, job, true); phase != "COMPLETED" {
			t.Errorf("%s is %s, want COMPLETED", job, phase)
		}
	}
}

// The signer does not answer: results are refused for the moment, and all else works.
func TestSignerDown(t *testing.T) {
	c := startCloud(t, Options{Sweep: -1})
	done := c.run(t, "ID", starfield, "CIRCLE", inside)
	if phase := c.end(t, done, false); phase != "COMPLETED" {
		t.Fatalf("phase %s, want COMPLETED", phase)
	}
	c.Kill(cloud.Signer)
	for range 3 {
		if answer, text := ask(t, still, http.MethodGet, done+"/results/result", nil); answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("GET of a result: %s, Retry-After %q; want 503 with one\n%s", answer.Status, answer.Header.Get("Retry-After"), text)
		}
	}
	if _, text := ask(t, still, http.MethodGet, c.URL+"/availability", nil); !strings.Contains(text, "<vosi:available>true<") || !strings.Contains(text, "degraded; signer: down") {
		t.Errorf("/availability does not say that the service is up and degraded:\n%s", text)
	}
	if answer, _ := ask(t, still, http.MethodGet, done+"/results", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("GET of the list of results: %s", answer.Status)
	}
	if err := c.Run(cloud.Signer); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); ; time.Sleep(time.Second) {
		answer, text := ask(t, still, http.MethodGet, done+"/results/result", nil)
		if answer.StatusCode == http.StatusSeeOther {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the signer is back, and a result is answered %s\n%s", answer.Status, text)
		}
	}
}

// Functions that the platform tells to stop answer who waits, give their jobs back, and end
// within its 10 s; the jobs go on at once.
func TestFunctionsStopInTime(t *testing.T) {
	c := startCloud(t, Options{Sweep: -1, Wired: true})
	store := c.openJobs(t)
	if phase := c.end(t, c.run(t, "ID", starfield, "CIRCLE", inside), false); phase != "COMPLETED" {
		t.Fatalf("phase %s, want COMPLETED", phase)
	}
	storage := c.Wires["STORAGE_EMULATOR_HOST"]
	storage.Cut() // a worker reads, and gets nothing
	job := c.run(t, "ID", starfield, "CIRCLE", "150.1163 2.2058 0.003")
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if _, phase := ask(t, still, http.MethodGet, job+"/phase", nil); phase == "EXECUTING" {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("the job is %s, want EXECUTING", phase)
		}
	}
	waiting := make(chan *http.Response, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/sync?"+values("ID", starfield, "CIRCLE", inside).Encode(), nil)
		if err == nil {
			if answer, err := still.Do(r); err == nil {
				answer.Body.Close()
				waiting <- answer
			}
		}
		close(waiting)
	}()
	raw := c.openRaw(t)
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // for the sync job, which no list shows
		found, err := raw.Collection(firestorejobs.Collection).Documents(t.Context()).GetAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 3 {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("the store holds %d jobs, want 3", len(found))
		}
	}

	began := time.Now()
	c.Stop(cloud.Cutout)
	t.Logf("cutout ended %v after SIGTERM", time.Since(began))
	j, err := store.Get(t.Context(), jobID(job))
	if err != nil {
		t.Fatal(err)
	}
	if j.Phase != uws.Executing || j.Claim != "" || !j.LeaseUntil.IsZero() || j.Stops != 1 {
		t.Errorf("the job was not given back: %s, claim %q, lease %v, %d stops", j.Phase, j.Claim, j.LeaseUntil, j.Stops)
	}
	began = time.Now()
	c.Stop(cloud.Soda)
	t.Logf("soda ended %v after SIGTERM", time.Since(began))
	if answer := <-waiting; answer == nil || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("who waits when soda stops gets %+v; want 503 with Retry-After", answer)
	}
	began = time.Now()
	c.Stop(cloud.Signer)
	t.Logf("signer ended %v after SIGTERM", time.Since(began))

	storage.Mend()
	for _, function := range []string{cloud.Soda, cloud.Cutout, cloud.Signer} {
		if err := c.Run(function); err != nil {
			t.Fatal(err)
		}
	}
	if phase := c.end(t, job, true); phase != "COMPLETED" {
		t.Errorf("%s is %s, want COMPLETED", job, phase)
	}
}
