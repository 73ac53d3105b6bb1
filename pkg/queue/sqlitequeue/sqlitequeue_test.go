package sqlitequeue_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/queue/queuetest"
	"github.com/seltzer-soda/seltzer/pkg/queue/sqlitequeue"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// childFile names the data file to a child process, see [TestKilledQueueLosesNothing].
const childFile = "SELTZER_TEST_SQLITEQUEUE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		publishForever(path)
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

func openDB(t testing.TB, path string) *sqlitedb.DB {
	t.Helper()
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newDB(t testing.TB) *sqlitedb.DB {
	t.Helper()
	return openDB(t, filepath.Join(t.TempDir(), "queue.db"))
}

func newQueue(t testing.TB, db *sqlitedb.DB, c sqlitequeue.Config) *sqlitequeue.Queue {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet
	}
	q, err := sqlitequeue.New(t.Context(), db, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// start runs a queue until stop is called or the test ends.
func start(t testing.TB, q *sqlitequeue.Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

// serve starts an endpoint that answers each job by answer.
func serve(t testing.TB, answer func(job string) int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := queue.DecodePush(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(answer(p.Job()))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func both(url string) map[uws.Class]string {
	return map[uws.Class]string{uws.Interactive: url, uws.Bulk: url}
}

func publish(t testing.TB, q *sqlitequeue.Queue, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := q.Publish(t.Context(), uws.Interactive, id); err != nil {
			t.Fatal(err)
		}
	}
}

// drained waits until everything is acknowledged.
func drained(t testing.TB, q *sqlitequeue.Queue) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(q.Waiting()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting: %v", q.Waiting())
		}
	}
}

// log collects what came, in order.
type log struct {
	mu   sync.Mutex
	jobs []string
}

func (l *log) add(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, job)
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.jobs)
}

func TestContract(t *testing.T) {
	queuetest.Run(t, queuetest.Fast, func(t *testing.T, e queuetest.Endpoints) queue.Publisher {
		q := newQueue(t, newDB(t), sqlitequeue.Config{
			Endpoints:  map[uws.Class]string{uws.Interactive: e.Interactive, uws.Bulk: e.Bulk},
			DeadLetter: e.DeadLetter, AckDeadline: e.AckDeadline, MinBackoff: e.MinBackoff, MaxBackoff: e.MaxBackoff,
			MaxAttempts: e.MaxAttempts, Grace: time.Millisecond,
		})
		start(t, q)
		return q
	})
}

func TestMessagesSurviveCloseAndOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var came log
	url := serve(t, func(job string) int { came.add(job); return 200 })
	config := sqlitequeue.Config{Endpoints: both(url), Slots: map[uws.Class]int{uws.Interactive: 1}}

	db := openDB(t, path)
	want := []string{"c", "a", "b"}
	publish(t, newQueue(t, db, config), want...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = openDB(t, path)
	q := newQueue(t, db, config)
	if n := q.Waiting()[uws.Interactive]; n != 3 {
		t.Errorf("%d messages wait after open, want 3", n)
	}
	start(t, q)
	drained(t, q)
	if got := came.all(); !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v: the first come first", got, want)
	}
	if again := newQueue(t, db, config); len(again.Waiting()) != 0 {
		t.Errorf("%v in the file after all was acknowledged", again.Waiting())
	}
}

// Attempts are counted in the file: a message that kills the server each time it is
// tried comes to the dead letters in the end.
// A file of an older program is taken as it is, and a message keeps its trace over a restart.
func TestTraceSurvives(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	db := newDB(t)
	if err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TABLE messages (n INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL UNIQUE,
			class TEXT NOT NULL, published_ns INTEGER NOT NULL, attempts INTEGER NOT NULL) STRICT`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO messages (job, class, published_ns, attempts) VALUES ('old', 'interactive', 1, 0)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	traces := make(chan [2]string, 2)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, err := queue.DecodePush(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		traces <- [2]string{p.Job(), p.Trace()}
	}))
	t.Cleanup(endpoint.Close)
	first := newQueue(t, db, sqlitequeue.Config{Endpoints: both(endpoint.URL)})
	if err := first.Publish(telemetry.WithParent(t.Context(), parent), uws.Interactive, "new"); err != nil {
		t.Fatal(err)
	}
	start(t, newQueue(t, db, sqlitequeue.Config{Endpoints: both(endpoint.URL)}))
	for range 2 {
		if got := <-traces; got[1] != map[string]string{"old": "", "new": parent}[got[0]] {
			t.Errorf("job %s came with the trace %q", got[0], got[1])
		}
	}
}

func TestAttemptsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var tries, letters atomic.Int32
	config := sqlitequeue.Config{
		Endpoints:  both(serve(t, func(string) int { tries.Add(1); return 500 })),
		DeadLetter: serve(t, func(string) int { letters.Add(1); return 200 }),
		MinBackoff: time.Hour, MaxBackoff: time.Hour, MaxAttempts: 3,
	}
	for life := 1; life <= 3; life++ {
		db := openDB(t, path)
		q := newQueue(t, db, config)
		if life == 1 {
			publish(t, q, "poison")
		}
		stop := start(t, q)
		for deadline := time.Now().Add(30 * time.Second); tries.Load() < int32(life) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if life == 3 {
			drained(t, q)
		}
		stop()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if tries.Load() != 3 || letters.Load() != 1 {
		t.Errorf("%d tries and %d dead letters in three lives, want 3 and 1", tries.Load(), letters.Load())
	}
}

func TestOutboxMessageIsDeliveredWithoutPublish(t *testing.T) {
	db := newDB(t)
	var came log
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both(serve(t, func(job string) int { came.add(job); return 200 }))})
	start(t, q)
	refusal := errors.New("the job could not be written")
	for id, own := range map[string]error{"committed": nil, "rolled-back": refusal} {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			if err := q.Enqueue(ctx, tx, uws.Bulk, id); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond) // nothing is posted before the commit
			if len(came.all()) != 0 && own == nil {
				t.Error("posted before the commit")
			}
			return own
		})
		if !errors.Is(err, own) {
			t.Fatal(err)
		}
		if own == nil {
			drained(t, q)
			if got := came.all(); !slices.Equal(got, []string{id}) {
				t.Errorf("delivered %v, want %s", got, id)
			}
			came = log{}
		}
	}
	time.Sleep(20 * time.Millisecond)
	if got := came.all(); len(got) != 0 {
		t.Errorf("delivered %v, which was rolled back", got)
	}
	if again := newQueue(t, db, sqlitequeue.Config{Endpoints: both("http://localhost")}); len(again.Waiting()) != 0 {
		t.Errorf("%v in the file, want nothing", again.Waiting())
	}
}

// Publishing what the outbox wrote, or what the sweep sends once more, costs no write:
// here it is done while somebody else holds the writer.
func TestPublishOfWhatWaitsCostsNoWrite(t *testing.T) {
	db := newDB(t)
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both("http://localhost")})
	publish(t, q, "waits")
	err := db.Write(t.Context(), func(context.Context, *sqlitedb.Tx) error {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		return q.Publish(ctx, uws.Interactive, "waits")
	})
	if err != nil {
		t.Error(err)
	}
}

// A message is published again in the moment between the statement that deletes it and
// the commit of that: one commit holds a write of the test's, the acknowledgement, and
// one more of the test's, which starts the publisher.
func TestPublishedAgainWhileItIsDeleted(t *testing.T) {
	db := newDB(t)
	came := make(chan string, 10)
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both(serve(t, func(job string) int { came <- job; return 200 }))})
	publish(t, q, "job")
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	write := func(f func()) {
		wg.Go(func() {
			if err := db.Write(t.Context(), func(context.Context, *sqlitedb.Tx) error { f(); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	write(func() { close(held); <-hold })
	<-held
	start(t, q)
	<-came
	time.Sleep(30 * time.Millisecond) // the acknowledgement comes to the line
	write(func() {
		wg.Go(func() { publish(t, q, "job") })
		time.Sleep(30 * time.Millisecond) // the publisher looks at the message
	})
	time.Sleep(30 * time.Millisecond)
	close(hold)
	wg.Wait()
	select {
	case <-came:
	case <-time.After(10 * time.Second):
		t.Error("the message that was published again was not delivered again")
	}
	drained(t, q)
}

func TestThousandAreDrained(t *testing.T) {
	db := newDB(t)
	const n = 1000
	var now, most atomic.Int32
	var came sync.Map
	url := serve(t, func(job string) int {
		if k := now.Add(1); k > most.Load() {
			most.Store(k)
		}
		time.Sleep(time.Millisecond)
		came.Store(job, true)
		now.Add(-1)
		return 200
	})
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both(url), Slots: map[uws.Class]int{uws.Bulk: 6}})
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
		for i := range n {
			if err := q.Enqueue(ctx, tx, uws.Bulk, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, q)
	begun := time.Now()
	drained(t, q)
	t.Logf("%d messages in %v", n, time.Since(begun).Round(time.Millisecond))
	for i := range n {
		if _, ok := came.Load(fmt.Sprint(i)); !ok {
			t.Errorf("message %d was not delivered", i)
		}
	}
	if m := most.Load(); m > 6 || m < 2 {
		t.Errorf("%d posts at a time, want no more than the 6 slots, and more than 1", m)
	}
}

// What is on its way when the queue is told to stop may finish, and is acknowledged.
func TestStopWaitsForWhatIsOnItsWay(t *testing.T) {
	db := newDB(t)
	release, came := make(chan struct{}), make(chan struct{})
	config := sqlitequeue.Config{Endpoints: both(serve(t, func(string) int { close(came); <-release; return 200 })), Slots: map[uws.Class]int{uws.Interactive: 1}}
	q := newQueue(t, db, config)
	publish(t, q, "on its way", "in line")
	stop := start(t, q)
	<-came
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	stop()
	if n := q.Waiting()[uws.Interactive]; n != 1 {
		t.Errorf("%d messages wait, want the one that stood in line", n)
	}
}

// What does not finish within the grace is given up; its attempt does not count and
// the next run delivers it at once.
func TestStopGivesUpAfterTheGrace(t *testing.T) {
	db := newDB(t)
	came, release := make(chan int, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := queue.DecodePush(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		came <- p.DeliveryAttempt
		<-release
	}))
	t.Cleanup(s.Close)
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both(s.URL), Grace: 30 * time.Millisecond, MinBackoff: time.Hour, MaxBackoff: time.Hour})
	publish(t, q, "slow")
	stop := start(t, q)
	<-came
	stop()
	if n := q.Waiting()[uws.Interactive]; n != 1 {
		t.Errorf("%d messages wait after the stop, want the one that was given up", n)
	}
	close(release)
	start(t, q)
	if attempt := <-came; attempt != 1 {
		t.Errorf("delivered as attempt %d, want 1", attempt)
	}
	drained(t, q)
}

func TestDropWithoutDeadLetterIsLogged(t *testing.T) {
	var text bytes.Buffer
	var tries atomic.Int32
	q := newQueue(t, newDB(t), sqlitequeue.Config{
		Endpoints:   both(serve(t, func(string) int { tries.Add(1); return 500 })),
		MinBackoff:  time.Millisecond,
		MaxAttempts: 3,
		Logger:      slog.New(slog.NewTextHandler(&text, nil)),
	})
	publish(t, q, "hopeless")
	stop := start(t, q)
	drained(t, q)
	stop()
	if tries.Load() != 3 || !strings.Contains(text.String(), "level=ERROR") || !strings.Contains(text.String(), "job=hopeless") {
		t.Errorf("%d tries, log:\n%s\nwant 3 and an error that names the job", tries.Load(), text.String())
	}
}

func TestDeadLetterIsRepeatedUntilItIsTaken(t *testing.T) {
	var letters atomic.Int32
	q := newQueue(t, newDB(t), sqlitequeue.Config{
		Endpoints: both(serve(t, func(string) int { return 500 })),
		DeadLetter: serve(t, func(job string) int {
			if letters.Add(1) < 4 {
				return 503
			}
			return 204
		}),
		MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, MaxAttempts: 2,
	})
	publish(t, q, "hopeless")
	start(t, q)
	drained(t, q)
	if letters.Load() != 4 {
		t.Errorf("%d dead letters, want 4: three refused and one taken", letters.Load())
	}
}

func TestRedirectIsNoAnswer(t *testing.T) {
	var elsewhere atomic.Int32
	target := serve(t, func(string) int { elsewhere.Add(1); return 200 })
	var tries atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(s.Close)
	q := newQueue(t, newDB(t), sqlitequeue.Config{Endpoints: both(s.URL)})
	publish(t, q, "job")
	start(t, q)
	drained(t, q)
	if tries.Load() != 2 || elsewhere.Load() != 0 {
		t.Errorf("%d tries, %d followed; want 2 and none", tries.Load(), elsewhere.Load())
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := sqlitequeue.New(t.Context(), newDB(t), sqlitequeue.Config{Endpoints: map[uws.Class]string{uws.Interactive: "http://localhost"}})
	if !errors.Is(err, fault.Usage) || !strings.Contains(err.Error(), "class bulk") {
		t.Errorf("%v, want fault.Usage that names class bulk", err)
	}
}

// TestCheckWaitsForTheStart: who asks a server that is just starting hears that it is up.
func TestCheckWaitsForTheStart(t *testing.T) {
	q := newQueue(t, newDB(t), sqlitequeue.Config{Endpoints: both("http://localhost")})
	answer := make(chan error, 1)
	go func() { answer <- q.Check(t.Context()) }()
	time.Sleep(20 * time.Millisecond)
	start(t, q)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestClosedFile(t *testing.T) {
	db := newDB(t)
	q := newQueue(t, db, sqlitequeue.Config{Endpoints: both("http://localhost")})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Check": q.Check(t.Context()), "Publish": q.Publish(t.Context(), uws.Bulk, "late")} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v, want fault.Unavailable", name, err)
		}
	}
}

// The test runs itself as a child that says on standard output what it has published,
// kills it, and sees that each of these messages is delivered in the next life.
func TestKilledQueueLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	published := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		published[lines.Text()] = true
		if len(published) == 200 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait()
	if len(published) < 200 {
		t.Fatalf("the child ended by itself after %d messages", len(published))
	}
	var came sync.Map
	q := newQueue(t, openDB(t, path), sqlitequeue.Config{Endpoints: both(serve(t, func(job string) int { came.Store(job, true); return 200 }))})
	start(t, q)
	drained(t, q)
	for id := range published {
		if _, ok := came.Load(id); !ok {
			t.Errorf("message %s was published and not delivered", id)
		}
	}
}

func publishForever(path string) {
	ctx := context.Background()
	db, err := sqlitedb.Open(path)
	if err == nil {
		var q *sqlitequeue.Queue
		q, err = sqlitequeue.New(ctx, db, sqlitequeue.Config{Endpoints: both("http://localhost")})
		for i := 0; err == nil; i++ {
			if err = q.Publish(ctx, uws.Bulk, fmt.Sprint(i)); err == nil {
				fmt.Println(i)
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// BenchmarkEndToEnd measures from the call of Publish to the worker, and until the
// message is acknowledged in the file.
func BenchmarkEndToEnd(b *testing.B) {
	came := make(chan time.Time, 1)
	url := serve(b, func(string) int { came <- time.Now(); return 200 })
	q := newQueue(b, newDB(b), sqlitequeue.Config{Endpoints: both(url)})
	start(b, q)
	var pushed, acked []time.Duration
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		publish(b, q, fmt.Sprint(i))
		pushed = append(pushed, (<-came).Sub(begun))
		for len(q.Waiting()) > 0 {
			time.Sleep(20 * time.Microsecond)
		}
		acked = append(acked, time.Since(begun))
	}
	for name, d := range map[string][]time.Duration{"pushed": pushed, "acked": acked} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds()), "µs-p50-"+name)
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), "µs-p99-"+name)
	}
}
