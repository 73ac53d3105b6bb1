package faulty_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/breaker"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/faulty"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// sqlite is a world over the embedded backends.
func sqlite(t *testing.T) *world {
	return newWorld(t, openSQLite(t), openBucket(t, filepath.Join(t.TempDir(), "bucket")))
}

// A queue that takes no message: an async job is acknowledged all the same, and the sweep
// publishes it soon; who waits is told to come again, and the job is aborted.
func TestFaultPublishFails(t *testing.T) {
	want := reference(t)
	overBackends(t, func(t *testing.T, w *world) {
		w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: "queue.Publish"})
		soda := w.soda(nil)
		rec := ask(soda, "POST", "/async", "ID", prefix+"image.fits", "CIRCLE", circle, "PHASE", "RUN")
		id, made := strings.CutPrefix(rec.Header().Get("Location"), base+"/async/")
		if rec.Code != http.StatusSeeOther || !made {
			t.Fatalf("POST /async: %d %s, want 303", rec.Code, rec.Body)
		}
		rec = ask(soda, "POST", "/sync", "ID", prefix+"image.fits", "CIRCLE", circle)
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("POST /sync: %d, Retry-After %q; want 503 with one", rec.Code, rec.Header().Get("Retry-After"))
		}
		w.jobs.mu.Lock()
		aborted := w.jobs.ends
		w.jobs.mu.Unlock()
		if len(aborted) != 1 {
			t.Errorf("%d jobs were aborted, want the sync one: %v", len(aborted), aborted)
		}
		if rec := ask(soda, "GET", "/availability"); rec.Code != http.StatusOK {
			t.Errorf("GET /availability: %d", rec.Code)
		}
		if rec := ask(soda, "GET", "/async/"+id+"/phase"); rec.Code != http.StatusOK || rec.Body.String() != "QUEUED" {
			t.Errorf("GET the phase: %d %s, want QUEUED", rec.Code, rec.Body)
		}
		if ids := w.inbox.take(); len(ids) > 0 {
			t.Fatalf("the queue took %v", ids)
		}
		w.age(uws.SoonResend + time.Second)
		w.sweep() // which cannot publish either
		w.age(uws.SoonResend + time.Second)
		w.plan.Heal()
		w.sweep()
		w.deliver()
		w.wantDone(id, want)
		w.wantOnlyNamed(id)
	})
}

// One message, delivered three times at once.
func TestFaultPushedThreeTimesAtOnce(t *testing.T) {
	want := reference(t)
	overBackends(t, func(t *testing.T, w *world) {
		id := w.make()
		w.inbox.take()
		var pushes sync.WaitGroup
		for range 3 {
			worker := w.worker()
			pushes.Go(func() {
				if err := worker.Work(t.Context(), id); err != nil {
					t.Errorf("not acknowledged: %v", err)
				}
			})
		}
		pushes.Wait()
		w.wantDone(id, want)
		w.wantOnlyNamed(id)
		if a := w.get(id).Attempt; a != 1 {
			t.Errorf("%d attempts, want one", a)
		}
	})
}

// The worker is lost at each step of its work, and its message with it: the sweep sends
// another.
func TestFaultWorkerLost(t *testing.T) {
	want := reference(t)
	for name, step := range map[string]struct {
		kind   faulty.Kind
		method string
		n      int
		phase  uws.Phase // after it is lost
		claims int       // when the job has ended
	}{
		"before its claim":                  {faulty.Before, "jobs.Update", 1, uws.Queued, 1},
		"after its claim":                   {faulty.After, "jobs.Update", 1, uws.Executing, 2},
		"while it opens the image":          {faulty.Before, "archive.Open", 1, uws.Executing, 2},
		"while it reads":                    {faulty.Before, "archive.ReadAt", 2, uws.Executing, 2},
		"before it writes":                  {faulty.Before, "results.Create", 1, uws.Executing, 2},
		"while it writes":                   {faulty.Before, "results.Close", 1, uws.Executing, 2},
		"after it wrote, before completion": {faulty.After, "results.Close", 1, uws.Executing, 2},
		"before completion is committed":    {faulty.Before, "jobs.Update", 2, uws.Executing, 2},
		"when completion is committed":      {faulty.After, "jobs.Update", 2, uws.Completed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			overBackends(t, func(t *testing.T, w *world) {
				id := w.make()
				w.inbox.take()
				f := w.lose(step.kind, step.method, step.n)
				if f.Method == "jobs.Update" || f.Method == "archive.Open" || f.Method == "archive.ReadAt" {
					f.N += w.plan.Calls(f.Method) // soda's
				}
				w.plan.Add(f)
				met := w.plan.Met()
				w.process(func(ctx context.Context) { _ = w.worker().Work(ctx, id) })
				if w.plan.Met() == met {
					t.Fatal("the worker was not lost")
				}
				if phase := w.get(id).Phase; phase != step.phase {
					t.Errorf("the job is %s, want %s", phase, step.phase)
				}
				w.drive()
				w.wantDone(id, want)
				if got := w.get(id).Attempt; got != step.claims {
					t.Errorf("%d claims, want %d", got, step.claims)
				}
				w.destroy()
			})
		})
	}
}

// The answer of a commit is lost, and the worker lives: it finds that the commit is its own.
func TestFaultAnswerLost(t *testing.T) {
	want := reference(t)
	for name, n := range map[string]int{"of the claim": 1, "of the completion": 2} {
		t.Run(name, func(t *testing.T) {
			overBackends(t, func(t *testing.T, w *world) {
				id := w.make()
				w.plan.Add(faulty.Fault{Kind: faulty.After, Method: "jobs.Update", N: n + w.plan.Calls("jobs.Update")})
				w.deliver()
				w.wantDone(id, want)
				w.wantOnlyNamed(id)
				if a := w.get(id).Attempt; a != 1 || w.plan.Met() != 1 {
					t.Errorf("%d attempts, %d faults; want one of each", a, w.plan.Met())
				}
			})
		})
	}
}

// A worker stands still while it reads, its lease runs out and another takes the job. When it
// goes on it is fenced: whether the other is at work still or done, it changes nothing, and
// its objects are discarded.
func TestFaultLeaseLostAndRegained(t *testing.T) {
	want := reference(t)
	for name, first := range map[string]bool{"the other is done": false, "the other is at work": true} {
		t.Run(name, func(t *testing.T) {
			overBackends(t, func(t *testing.T, w *world) {
				id := w.make()
				w.inbox.take()
				stop := make(map[string]chan struct{}) // of each worker, where it is about to complete
				reached := make(chan string, 2)
				names := []string{"stale", "other"}
				for i, name := range names {
					stop[name] = make(chan struct{})
					// Nothing comes between the end of an object and the completion that a
					// heartbeat or a watch would not see: what is held up is the write.
					w.plan.Add(faulty.Fault{Kind: faulty.Late, Method: "results.Close", N: i + 1, Then: func() {
						reached <- name
						<-stop[name]
					}})
				}
				var work sync.WaitGroup
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				run := func() {
					worker := w.worker()
					work.Go(func() { _ = worker.Work(ctx, id) })
					<-reached
				}
				run()
				w.age(uws.Lease + time.Second)
				run()
				if first {
					close(stop["stale"])
					waitFor(t, func() bool { return len(w.objects(id)) == 0 || w.get(id).Attempt == 2 })
					close(stop["other"])
				} else {
					close(stop["other"])
					waitFor(t, func() bool { return w.get(id).Phase == uws.Completed })
					close(stop["stale"])
				}
				work.Wait()
				w.wantDone(id, want)
				w.wantOnlyNamed(id)
				if a := w.get(id).Attempt; a != 2 {
					t.Errorf("%d attempts, want 2", a)
				}
			})
		})
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what must happen does not")
		}
	}
}

// The store cannot be reached for a minute: what is asked meanwhile is refused and comes
// again, and a job at work goes on when the lease that nobody could extend has run out.
func TestFaultStoreUnreachableForAMinute(t *testing.T) {
	want := reference(t)
	overBackends(t, func(t *testing.T, w *world) {
		id, waiting := w.make(), w.make()
		w.inbox.take()
		claimed := w.plan.Calls("jobs.Update") + 1
		w.plan.Add(faulty.Fault{Kind: faulty.After, Method: "jobs.Update", N: claimed, Cut: true})
		if err := w.worker().Work(t.Context(), id); !errors.Is(err, fault.Unavailable) {
			t.Errorf("a message whose job's end cannot be written: %v, want it refused", err)
		}
		if err := w.worker().Work(t.Context(), waiting); !errors.Is(err, fault.Unavailable) {
			t.Errorf("a message whose job cannot be read: %v, want it refused", err)
		}
		if _, err := w.worker().Sweep(t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("a sweep: %v, want it to say that the store does not answer", err)
		}
		soda := w.soda(nil)
		for _, request := range [][]string{{"GET", "/async/" + id}, {"POST", "/async", "ID", prefix + "image.fits", "PHASE", "RUN"}, {"POST", "/sync", "ID", prefix + "image.fits"}} {
			if rec := ask(soda, request[0], request[1], request[2:]...); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
				t.Errorf("%v: %d, Retry-After %q; want 503 with one", request[:2], rec.Code, rec.Header().Get("Retry-After"))
			}
		}
		w.age(time.Minute)
		w.plan.Heal()
		if err := w.worker().Work(t.Context(), waiting); err != nil {
			t.Error(err)
		}
		w.wantDone(waiting, want)
		w.drive()
		w.wantDone(id, want)
		w.destroy()
	})
}

// A bucket that refuses writes for a while costs a job some attempts; one that refuses them
// for good ends it in ERROR, with the reason.
func TestFaultBucketRefuses(t *testing.T) {
	want := reference(t)
	for _, method := range []string{"results.Create", "results.Close"} {
		t.Run(method, func(t *testing.T) {
			overBackends(t, func(t *testing.T, w *world) {
				for n := range 2 {
					w.plan.Add(faulty.Fault{Kind: faulty.Kind(n), Method: method, N: n + 1}) // before, and after
				}
				id := w.make()
				w.deliver()
				w.wantDone(id, want)
				w.destroy()

				w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: method})
				id = w.make()
				for range uws.MaxAttempts {
					w.inbox.take()
					if err := w.worker().Work(t.Context(), id); err != nil {
						t.Errorf("not acknowledged: %v", err)
					}
					w.age(uws.Backoff(uws.MaxAttempts))
				}
				if j := w.get(id); j.Phase != uws.Error || j.Failure == nil || !j.Failure.Transient || !strings.Contains(j.Failure.Message, "given up after 5 attempts") {
					t.Errorf("the job is %s: %+v", j.Phase, j.Failure)
				}
				w.plan.Heal()
				w.destroy()
			})
		})
	}
}

// The clock of the processes and that of the store differ by a minute, either way.
func TestFaultClocksAMinuteOff(t *testing.T) {
	want := reference(t)
	for name, off := range map[string]time.Duration{"ahead": time.Minute, "behind": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			store := openSQLite(t, sqlitejobs.WithClock(func() time.Time { return time.Now().Add(off) }))
			w := newWorld(t, store, openBucket(t, filepath.Join(t.TempDir(), "bucket")))
			held, free := make(chan struct{}), make(chan struct{})
			id := w.make()
			w.inbox.take()
			w.plan.Add(faulty.Fault{Kind: faulty.Late, Method: "results.Close", Then: func() { close(held); <-free }})
			first := w.worker()
			worked := make(chan error)
			go func() { worked <- first.Work(t.Context(), id) }()
			<-held
			w.plan.Heal()
			if err := w.worker().Work(t.Context(), id); err != nil { // the lease holds by the store's clock
				t.Error(err)
			}
			w.sweep()
			if ids := w.inbox.take(); len(ids) > 0 {
				t.Errorf("the sweep woke a worker for a job that one holds: %v", ids)
			}
			close(free)
			if err := <-worked; err != nil {
				t.Error(err)
			}
			w.wantDone(id, want)
			if a := w.get(id).Attempt; a != 1 {
				t.Errorf("%d attempts, want one", a)
			}
			w.destroy()
		})
	}
}

// push is the body of a message.
func push(data string) string {
	return `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `","messageId":"1"},"subscription":"s"}`
}

func post(h http.Handler, path, body string) int {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return rec.Code
}

// Messages that no worker can do anything with change nothing. What is no message is refused,
// until it is a dead letter: there it is put away, for nobody would take it then.
func TestFaultPoison(t *testing.T) {
	overBackends(t, func(t *testing.T, w *world) {
		h := w.worker().Handler()
		for name, tt := range map[string]struct {
			body             string
			status, asLetter int
		}{
			"garbage":            {"\x00\xff{", http.StatusBadRequest, http.StatusNoContent},
			"no data":            {`{"message":{"messageId":"1"}}`, http.StatusBadRequest, http.StatusNoContent},
			"a huge body":        {push(strings.Repeat("x", 64*queue.MaxPush)), http.StatusBadRequest, http.StatusNoContent},
			"an unknown job":     {push("nosuchjob"), http.StatusNoContent, http.StatusNoContent},
			"a path":             {push("../../etc/passwd"), http.StatusNoContent, http.StatusNoContent},
			"no UTF-8":           {push("\xff\xfe\x00"), http.StatusNoContent, http.StatusNoContent},
			"a name too long":    {push(strings.Repeat("j", 4000)), http.StatusNoContent, http.StatusNoContent},
			"parameters of jobs": {push(`{"ID":"ivo://example.org/secret"}`), http.StatusNoContent, http.StatusNoContent},
		} {
			if got := post(h, "/", tt.body); got != tt.status {
				t.Errorf("%s: %d, want %d", name, got, tt.status)
			}
			if got := post(h, "/dead-letter", tt.body); got != tt.asLetter {
				t.Errorf("%s as a dead letter: %d, want %d", name, got, tt.asLetter)
			}
		}
		if jobs := w.all(); len(jobs) > 0 {
			t.Errorf("the messages made jobs: %v", jobs)
		}
	})
}

// A dead letter decides nothing: for its job the handler does what the sweep does.
func TestFaultDeadLetter(t *testing.T) {
	want := reference(t)
	overBackends(t, func(t *testing.T, w *world) {
		id := w.make()
		w.inbox.take() // lost, as is its message
		h := w.worker().Handler()
		if got := post(h, "/dead-letter", push(id)); got != http.StatusNoContent {
			t.Errorf("the letter of a job that is not due: %d, want 204", got)
		}
		if ids := w.inbox.take(); len(ids) > 0 {
			t.Errorf("published before it is due: %v", ids)
		}
		w.age(uws.FirstResend)
		w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: "queue.Publish", N: w.plan.Calls("queue.Publish") + 1})
		if got := post(h, "/dead-letter", push(id)); got != http.StatusServiceUnavailable {
			t.Errorf("a letter that cannot be dealt with: %d, want 503", got)
		}
		w.age(uws.SoonResend)
		if got := post(h, "/dead-letter", push(id)); got != http.StatusNoContent {
			t.Errorf("the letter of a job that is due: %d, want 204", got)
		}
		w.deliver()
		w.wantDone(id, want)
	})
}

// Two sweeps at once, over jobs that need each of its steps.
func TestFaultTwoSweeps(t *testing.T) {
	want := reference(t)
	overBackends(t, func(t *testing.T, w *world) {
		var waiting, done []string
		for range 4 {
			done = append(done, w.make())
		}
		w.deliver()
		for _, id := range done {
			w.change(id, func(now time.Time, j *uws.Job) { j.DestroyAt(now, 24*time.Hour) })
		}
		for range 4 {
			waiting = append(waiting, w.make())
		}
		w.inbox.take()
		for _, id := range waiting {
			w.change(id, func(now time.Time, j *uws.Job) { j.DueAt = now })
		}
		var mu sync.Mutex
		var published, archived int
		sweeps := func() {
			var both sync.WaitGroup
			for range 2 {
				worker := w.worker()
				both.Go(func() {
					r, err := worker.Sweep(t.Context())
					if err != nil || r.Failed > 0 {
						t.Errorf("%+v, %v", r, err)
					}
					mu.Lock()
					defer mu.Unlock()
					published, archived = published+r.Published, archived+r.Archived
				})
			}
			both.Wait()
		}
		sweeps()
		if published != len(waiting) || archived != len(done) {
			t.Errorf("%d published, %d archived; want %d and %d, each once", published, archived, len(waiting), len(done))
		}
		for _, id := range done {
			if left := w.objects(id); len(left) > 0 || w.get(id).Phase != uws.Archived {
				t.Errorf("%s is %s and keeps %v", id, w.get(id).Phase, left)
			}
		}
		w.deliver()
		for _, id := range waiting {
			w.wantDone(id, want)
		}
		for _, id := range done {
			w.change(id, func(now time.Time, j *uws.Job) { j.PurgeAfter, j.DueAt = now, now })
		}
		sweeps()
		if got := len(w.all()); got != len(waiting) {
			t.Errorf("%d jobs are left, want %d", got, len(waiting))
		}
	})
}

// The signer is down: jobs are made, done, listed and read, and results are refused for the
// moment, after some tries at once.
func TestFaultSignerDown(t *testing.T) {
	want := reference(t)
	w := sqlite(t)
	id := w.make()
	w.deliver()
	w.wantDone(id, want)

	w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: "signer.SignedURL"})
	rec := ask(w.soda(nil), "GET", "/async/"+id+"/results/result")
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("the signing service is down: %d, want 503 with Retry-After", rec.Code)
	}
	w.plan.Heal()

	b := breaker.New(breaker.Config{Name: "the signer", Time: time.Minute, Tries: breaker.Failures, Rest: time.Hour, Log: quiet})
	hangs := handled{http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	soda := w.soda(&http.Client{Transport: b.Transport(w.plan.Transport("signer", hangs))})
	w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: "signer"})
	for range 10 {
		if rec := ask(soda, "GET", "/async/"+id+"/results/result"); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("the signer is down: %d, want 503 with Retry-After", rec.Code)
		}
	}
	if n := w.plan.Calls("signer"); n != breaker.Failures {
		t.Errorf("%d calls of a signer that is down, want %d", n, breaker.Failures)
	}
	if b.Check(t.Context()) == nil {
		t.Error("the breaker does not say that the signer is down")
	}
	for _, path := range []string{"/async", "/async/" + id, "/async/" + id + "/results", "/availability"} {
		if rec := ask(soda, "GET", path); rec.Code != http.StatusOK {
			t.Errorf("GET %s while the signer is down: %d, want 200", path, rec.Code)
		}
	}
	if rec := ask(w.soda(nil), "GET", "/async/"+id+"/results/result"); rec.Code != http.StatusSeeOther {
		t.Errorf("the signer is back: %d, want 303", rec.Code)
	}
}

// A call that hangs ends with the context of who calls: a sync request is answered in its
// time, and a worker is told to go on by its own limit.
func TestFaultHangs(t *testing.T) {
	w := sqlite(t)
	id := w.make()
	w.inbox.take()
	w.change(id, func(_ time.Time, j *uws.Job) { j.ExecutionDuration = 50 * time.Millisecond })
	w.plan.Add(faulty.Fault{Kind: faulty.Hang, Method: "archive.ReadAt"})
	if err := w.worker().Work(t.Context(), id); err != nil {
		t.Error(err)
	}
	if j := w.get(id); j.Phase != uws.Aborted {
		t.Errorf("the job is %s, want ABORTED by its execution duration", j.Phase)
	}
	if jobs, err := w.jobs.List(t.Context(), jobstore.Filter{All: true}); err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}
