// Package queuetest holds the rules that every backend of package queue keeps, as tests.
// A backend runs them with one line:
//
//	queuetest.Run(t, queuetest.Fast, func(t *testing.T, e queuetest.Endpoints) queue.Publisher { … })
//
// The suite is the workers: it serves the endpoints, on this machine, and the backend
// posts to them. What must happen is waited for with patience; what must not happen is
// waited for as long as the backend's own times ask.
package queuetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// patience is how long the suite waits for what must happen.
const patience = 60 * time.Second

// Timings are the times that a backend is opened with.
type Timings struct {
	MinBackoff  time.Duration // before the first repetition
	MaxBackoff  time.Duration
	AckDeadline time.Duration // a post unanswered for this long is repeated
	MaxAttempts int           // posts before a message goes to the dead letters
	SkipSlow    bool          // leaves out what waits for AckDeadline or MaxAttempts
	Emulator    bool          // is Google's emulator, which repeats what was answered 202, and at once what was not answered
}

// Fast suits a queue in this process.
var Fast = Timings{MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, AckDeadline: time.Second, MaxAttempts: 5}

// PubSub holds the least that Pub/Sub and its emulator take.
var PubSub = Timings{MinBackoff: time.Second, MaxBackoff: 5 * time.Second, AckDeadline: 10 * time.Second, MaxAttempts: 5, Emulator: true}

// Endpoints are the URLs to post to, and the times to do it by.
type Endpoints struct {
	Timings
	Interactive, Bulk, DeadLetter string
}

// Open returns a queue that is running and posts to e; it is stopped when its test ends.
type Open func(t *testing.T, e Endpoints) queue.Publisher

// Run checks a queue.
func Run(t *testing.T, timings Timings, open Open) {
	for _, test := range []struct {
		name string
		slow bool
		run  func(t *testing.T, b *bench)
	}{
		{"Check", false, testCheck},
		{"AcknowledgedIsNotRepeated", false, testAcknowledged},
		{"ClassesHaveTheirEndpoints", false, testClasses},
		{"RefusedIsRepeatedEverLater", false, testRefused},
		{"BlockedBulkLeavesInteractive", false, testBlockedBulk},
		{"PublishedTwice", false, testPublishedTwice},
		{"PublishedAgainOnItsWay", false, testPublishedAgain},
		{"NothingToPublish", false, testNothing},
		{"TraceGoesWithTheMessage", false, testTrace},
		{"ManyAtOnce", false, testMany},
		{"UnansweredIsRepeated", true, testUnanswered},
		{"DeadLetter", true, testDeadLetter},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.slow && timings.SkipSlow {
				t.Skipf("Timings.SkipSlow is set: this case waits %v or %d attempts", timings.AckDeadline, timings.MaxAttempts)
			}
			test.run(t, newBench(t, timings, open))
		})
	}
}

// bench is a queue under test between its publisher and its workers.
type bench struct {
	Timings
	queue                         queue.Publisher
	interactive, bulk, deadLetter *worker
}

func newBench(t *testing.T, timings Timings, open Open) *bench {
	b := &bench{Timings: timings, interactive: newWorker(t), bulk: newWorker(t), deadLetter: newWorker(t)}
	b.queue = open(t, Endpoints{Timings: timings, Interactive: b.interactive.url, Bulk: b.bulk.url, DeadLetter: b.deadLetter.url})
	return b
}

func (b *bench) publish(t *testing.T, class uws.Class, id string) {
	t.Helper()
	if err := b.queue.Publish(t.Context(), class, id); err != nil {
		t.Fatal(err)
	}
}

// quiet waits long enough for a repetition that must not come.
func (b *bench) quiet() { time.Sleep(4*b.MinBackoff + 50*time.Millisecond) }

// delivery is one post that came to a worker.
type delivery struct {
	push *queue.Push
	n    int // of this job, from 1
	at   time.Time
}

// worker is an endpoint. Its answers are those of answer: a status, or 0 to break the
// connection. Without answer they are 204.
type worker struct {
	url     string
	arrived chan delivery
	mu      sync.Mutex
	answer  func(d delivery) int
	counts  map[string]int
}

func newWorker(t *testing.T) *worker {
	w := &worker{arrived: make(chan delivery, 10000), counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		at := time.Now()
		push, err := queue.DecodePush(r.Body)
		if err != nil {
			t.Errorf("a post that is no push: %v", err)
			return
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s of %q, want POST of application/json", r.Method, r.Header.Get("Content-Type"))
		}
		w.mu.Lock()
		w.counts[push.Job()]++
		d := delivery{push: push, n: w.counts[push.Job()], at: at}
		answer := w.answer
		w.mu.Unlock()
		w.arrived <- d
		status := http.StatusNoContent
		if answer != nil {
			status = answer(d)
		}
		if status == 0 {
			panic(http.ErrAbortHandler) // how net/http lets a handler drop the connection
		}
		rw.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *worker) answers(f func(d delivery) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func (w *worker) count(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[id]
}

// next returns the next delivery, which must come.
func (w *worker) next(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-w.arrived:
		return d
	case <-time.After(patience):
		t.Fatalf("no delivery within %v", patience)
		panic("unreachable") // Fatalf does not return; the compiler does not know it
	}
}

func testCheck(t *testing.T, b *bench) {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = b.queue.Check(t.Context()); err == nil {
			return
		}
	}
	t.Errorf("a queue that runs says: %v", err)
}

func testAcknowledged(t *testing.T, b *bench) {
	status := map[string]int{}
	for _, s := range []int{200, 201, 202, 204} {
		if s != 202 || !b.Emulator {
			status[uws.NewID()] = s
		}
	}
	b.interactive.answers(func(d delivery) int { return status[d.push.Job()] })
	for id := range status {
		b.publish(t, uws.Interactive, id)
		d := b.interactive.next(t)
		if d.push.Job() != id || d.push.Message.MessageID == "" || d.push.Subscription == "" || d.push.DeliveryAttempt > 1 {
			t.Errorf("push %+v, want job %s with ids of message and subscription, at its first attempt", d.push, id)
		}
		if age := time.Since(d.push.Message.PublishTime); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("published %v ago, want now", age)
		}
	}
	b.quiet()
	for id, s := range status {
		if n := b.interactive.count(id); n != 1 {
			t.Errorf("%d deliveries with answer %d, want 1", n, s)
		}
	}
}

func testClasses(t *testing.T, b *bench) {
	small, large := uws.NewID(), uws.NewID()
	b.publish(t, uws.Interactive, small)
	b.publish(t, uws.Bulk, large)
	if d := b.interactive.next(t); d.push.Job() != small {
		t.Errorf("interactive was given %s, want %s", d.push.Job(), small)
	}
	if d := b.bulk.next(t); d.push.Job() != large {
		t.Errorf("bulk was given %s, want %s", d.push.Job(), large)
	}
	b.quiet()
	if len(b.interactive.arrived)+len(b.bulk.arrived)+len(b.deadLetter.arrived) != 0 {
		t.Error("there were more deliveries than one of each message")
	}
}

func testRefused(t *testing.T, b *bench) {
	answers := []int{503, 404, 0, 200} // 0: the connection breaks
	if b.Emulator {
		answers[2] = 429
	}
	b.interactive.answers(func(d delivery) int { return answers[min(d.n, len(answers))-1] })
	id := uws.NewID()
	b.publish(t, uws.Interactive, id)
	last := b.interactive.next(t)
	backoff := b.MinBackoff
	for n := 2; n <= len(answers); n++ {
		d := b.interactive.next(t)
		// Half: a queue may take a random part off, so that messages do not come back together.
		if gap := d.at.Sub(last.at); gap < backoff/2 {
			t.Errorf("delivery %d came %v after the one before, want %v at least", n, gap, backoff/2)
		}
		if d.push.Job() != id || d.push.DeliveryAttempt != 0 && d.push.DeliveryAttempt != n {
			t.Errorf("delivery %d is of job %s, attempt %d; want %s, and the number or none", n, d.push.Job(), d.push.DeliveryAttempt, id)
		}
		last, backoff = d, min(2*backoff, b.MaxBackoff)
	}
	b.quiet()
	if n := b.interactive.count(id); n != len(answers) {
		t.Errorf("%d deliveries, want none after the %dth was acknowledged", n, len(answers))
	}
}

func testBlockedBulk(t *testing.T, b *bench) {
	release := make(chan struct{})
	b.bulk.answers(func(delivery) int { <-release; return 200 })
	defer close(release)
	for range 20 {
		b.publish(t, uws.Bulk, uws.NewID())
	}
	b.bulk.next(t)
	for range 3 {
		id := uws.NewID()
		b.publish(t, uws.Interactive, id)
		if d := b.interactive.next(t); d.push.Job() != id {
			t.Errorf("delivered %s, want %s", d.push.Job(), id)
		}
	}
}

func testPublishedTwice(t *testing.T, b *bench) {
	id := uws.NewID()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := b.queue.Publish(t.Context(), uws.Interactive, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d := b.interactive.next(t); d.push.Job() != id {
		t.Errorf("delivered %s, want %s", d.push.Job(), id)
	}
	b.quiet()
	if n := b.interactive.count(id); n > 2 {
		t.Errorf("%d deliveries of a message published twice", n)
	}
}

// A worker may have read the job before what the second publisher wrote to it, so the
// answer to the first delivery does not acknowledge the second message.
func testPublishedAgain(t *testing.T, b *bench) {
	release := make(chan struct{})
	b.interactive.answers(func(d delivery) int {
		if d.n == 1 {
			<-release
		}
		return 200
	})
	id := uws.NewID()
	b.publish(t, uws.Interactive, id)
	b.interactive.next(t)
	b.publish(t, uws.Interactive, id)
	close(release)
	if d := b.interactive.next(t); d.push.Job() != id {
		t.Errorf("delivered %s, want %s once more", d.push.Job(), id)
	}
}

func testNothing(t *testing.T, b *bench) {
	for name, err := range map[string]error{
		"no id":         b.queue.Publish(t.Context(), uws.Interactive, ""),
		"no class":      b.queue.Publish(t.Context(), "", uws.NewID()),
		"unknown class": b.queue.Publish(t.Context(), "leisurely", uws.NewID()),
	} {
		if fault.CodeOf(err) != fault.Usage {
			t.Errorf("%s: %v, want fault.Usage", name, err)
		}
	}
}

func testTrace(t *testing.T, b *bench) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" // of https://www.w3.org/TR/trace-context/
	traced, plain := uws.NewID(), uws.NewID()
	if err := b.queue.Publish(telemetry.WithParent(t.Context(), parent), uws.Interactive, traced); err != nil {
		t.Fatal(err)
	}
	b.publish(t, uws.Interactive, plain)
	for range 2 {
		push := b.interactive.next(t).push
		if want := map[string]string{traced: parent, plain: ""}[push.Job()]; push.Trace() != want {
			t.Errorf("job %s came with the trace %q, want %q", push.Job(), push.Trace(), want)
		}
	}
}

func testMany(t *testing.T, b *bench) {
	const publishers, each = 8, 25
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if err := b.queue.Publish(t.Context(), uws.Bulk, fmt.Sprintf("job-%d-%d", p, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for len(seen) < publishers*each {
		seen[b.bulk.next(t).push.Job()] = true
	}
}

func testUnanswered(t *testing.T, b *bench) {
	release := make(chan struct{})
	defer close(release)
	b.interactive.answers(func(d delivery) int {
		if d.n == 1 {
			<-release // works on, whatever the queue believes
		}
		return 200
	})
	id := uws.NewID()
	b.publish(t, uws.Interactive, id)
	first := b.interactive.next(t)
	second := b.interactive.next(t)
	if second.push.Job() != id {
		t.Errorf("delivered %s, want %s again", second.push.Job(), id)
	}
	if gap := second.at.Sub(first.at); gap < b.AckDeadline*9/10 {
		t.Errorf("repeated after %v, want not before the deadline of %v", gap, b.AckDeadline)
	}
	b.quiet()
	if n := b.interactive.count(id); n != 2 {
		t.Errorf("%d deliveries, want none after the second was acknowledged", n)
	}
}

func testDeadLetter(t *testing.T, b *bench) {
	b.interactive.answers(func(delivery) int { return 500 })
	id := uws.NewID()
	b.publish(t, uws.Interactive, id)
	if d := b.deadLetter.next(t); d.push.Job() != id {
		t.Errorf("the dead letter carries job %q, want %s", d.push.Job(), id)
	}
	tried := b.interactive.count(id)
	if tried < b.MaxAttempts {
		t.Errorf("%d attempts before the dead letter, want %d", tried, b.MaxAttempts)
	}
	b.quiet()
	if n := b.interactive.count(id); n != tried {
		t.Errorf("%d more attempts after the dead letter", n-tried)
	}
	if n := b.deadLetter.count(id); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
	if err := b.queue.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
