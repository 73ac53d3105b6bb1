package emulated

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// scripts/chaos sets this; the default is the short form that every test run takes.
var chaosTime = flag.Duration("chaos.time", 20*time.Second, "how long the functions are killed and cut off")

// chaosPatience is how long all jobs may take to end when nothing disturbs them any more. Leases
// that nobody extends run out in it, several times.
const chaosPatience = 8 * time.Minute

// Fates of a job, by its client.
const (
	kept = iota
	deleted
	aborted
	destroyed // soon, by its destruction time
)

// order is an acknowledged job.
type order struct {
	url     string
	circles []string
	fate    int
}

// end is how a job ended.
type end struct{ how, results string }

func (o *order) id() string { return o.url[strings.LastIndexByte(o.url, '/')+1:] }

// chaos is a cloud in small under load and disturbance.
type chaos struct {
	*Cloud
	t       *testing.T
	client  *http.Client // follows no redirect, and gives up soon
	circles []string
	want    map[string][]byte // the cutout of each circle
	store   *firestorejobs.Store
	raw     *firestore.Client

	mu     sync.Mutex
	orders []*order
	synced atomic.Int64

	kills, terms, cuts int
	wrong, lost, twice []string

	seen map[string]end // how each job ended, as the store first showed it
}

// While clients make jobs the functions are killed, told to stop and cut off from the
// emulators, and messages come several times and late. Then nothing disturbs any more, and
// when all jobs have ended it is counted what went wrong.
func TestChaos(t *testing.T) {
	courier := &Courier{Copies: 3, Delay: 200 * time.Millisecond, Lose: 0.05}
	c := &chaos{t: t, want: map[string][]byte{}, seen: map[string]end{}, client: &http.Client{Timeout: 30 * time.Second, CheckRedirect: still.CheckRedirect}}
	c.Cloud = startCloud(t, Options{Sweep: 2 * time.Second, Courier: courier, Wired: true})
	c.store, c.raw = c.openJobs(t), c.openRaw(t)
	c.cutUndisturbed()

	watched, endWatch := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { c.watchEnds(watched) })
	began := time.Now()
	c.disturb(*chaosTime)
	all := c.drain()
	endWatch()
	watch.Wait()
	drained := time.Since(began) - *chaosTime

	for _, o := range c.orders {
		j := all[o.id()]
		switch {
		case o.fate == deleted: // gone, or on its way
		case j == nil:
			c.lost = append(c.lost, o.id()+" is not in the store")
		case o.fate == kept && j.Phase != uws.Completed:
			c.lost = append(c.lost, fmt.Sprintf("%s is %s: %+v", o.id(), j.Phase, j.Failure))
		case o.fate == kept:
			c.compare(o)
		}
	}
	strays, others := c.strays(all)
	c.destroyAll(all)
	after := c.leftObjects()

	rows := []struct {
		what  string
		n     int
		fault []string // of which none must be
	}{
		{"kill -9", c.kills, nil}, {"SIGTERM", c.terms, nil}, {"connections cut for seconds", c.cuts, nil},
		{"messages", int(courier.Messages.Load()), nil}, {"deliveries of them", int(courier.Deliveries.Load()), nil}, {"answers lost", int(courier.Lost.Load()), nil},
		{"async jobs acknowledged", len(c.orders), nil}, {"sync cutouts received", int(c.synced.Load()), nil}, {"jobs in the store", len(all), nil},
		{"objects of other attempts, before destruction", len(others), nil},
		{"jobs lost", len(c.lost), c.lost}, {"jobs that ended twice", len(c.twice), c.twice}, {"wrong bytes", len(c.wrong), c.wrong},
		{"objects outside the prefix of a job in the store", len(strays), strays}, {"objects after the destruction of all", len(after), after},
	}
	var table strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&table, "%7d  %s\n", r.n, r.what)
		for i, f := range r.fault {
			if i < 20 {
				t.Errorf("%s: %s\n%s", r.what, f, c.told(f))
			}
		}
	}
	t.Logf("%v of disturbance, %v until all jobs had ended\n%s", *chaosTime, drained.Round(time.Second), &table)
	if len(c.orders) == 0 || c.kills+c.terms == 0 || courier.Deliveries.Load() <= courier.Messages.Load() {
		t.Error("nothing happened: want jobs, kills and messages that come twice")
	}
}

// cutUndisturbed makes the cutout of each circle.
func (c *chaos) cutUndisturbed() {
	c.t.Helper()
	for i := range 12 {
		circle := fmt.Sprintf("%.4f %.4f %.4f", 150.1103+0.003*float64(i%4), 2.2018+0.003*float64(i/4), 0.002+0.0004*float64(i))
		answer, text := ask(c.t, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", circle))
		if answer.StatusCode != http.StatusOK {
			c.t.Fatalf("%s: %s %.300s", circle, answer.Status, text)
		}
		c.circles = append(c.circles, circle)
		c.want[circle] = outside.Timeless([]byte(text))
	}
}

// send sends a request that may fail: what is disturbed is not reached each time.
func (c *chaos) send(ctx context.Context, method, address string, form url.Values) (status int, header http.Header, body []byte) {
	var in io.Reader
	if method == http.MethodPost {
		in = strings.NewReader(form.Encode())
	} else if len(form) > 0 {
		address += "?" + form.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, in)
	if err != nil {
		return 0, nil, nil
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, nil, nil
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return 0, nil, nil
	}
	return answer.StatusCode, answer.Header, body
}

// disturb has clients ask, and disturbs, for a time.
func (c *chaos) disturb(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.t.Context(), d)
	defer cancel()
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() { c.askSync(ctx) })
	}
	for i := range 3 {
		clients.Go(func() { c.askAsync(ctx, i == 0) })
	}
	clients.Go(func() { c.cutWires(ctx) })
	c.kill(ctx)
	clients.Wait()
	for _, w := range c.Wires {
		w.Mend()
	}
}

// pause waits for a random time.
func pause(ctx context.Context, most time.Duration) {
	select {
	case <-time.After(rand.N(most)):
	case <-ctx.Done():
	}
}

func (c *chaos) circle() string { return c.circles[rand.IntN(len(c.circles))] }

func (c *chaos) askSync(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, 400*time.Millisecond) {
		circle := c.circle()
		status, header, _ := c.send(ctx, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", circle))
		if status != http.StatusSeeOther {
			pause(ctx, time.Second)
			continue
		}
		if status, _, body := c.send(c.t.Context(), http.MethodGet, header.Get("Location"), nil); status == http.StatusOK {
			c.synced.Add(1)
			c.check("a sync cutout of "+circle, circle, body)
		}
	}
}

// askAsync makes jobs, of several cuts if many is true, and aborts, deletes or destroys some.
func (c *chaos) askAsync(ctx context.Context, many bool) {
	for ; ctx.Err() == nil; pause(ctx, 600*time.Millisecond) {
		o := &order{circles: []string{c.circle()}, fate: max(kept, rand.IntN(9)-5)}
		if many {
			for range 1 + rand.IntN(9) {
				o.circles = append(o.circles, c.circle())
			}
		}
		form := values("ID", starfield, "PHASE", "RUN")
		form["CIRCLE"] = o.circles
		status, header, _ := c.send(ctx, http.MethodPost, c.URL+"/async", form)
		if status != http.StatusSeeOther {
			pause(ctx, time.Second)
			continue
		}
		o.url = header.Get("Location")
		c.mu.Lock()
		c.orders = append(c.orders, o)
		c.mu.Unlock()
		pause(ctx, 500*time.Millisecond)
		switch o.fate { // whether it comes through or not
		case deleted:
			c.send(ctx, http.MethodDelete, o.url, nil)
		case aborted:
			c.send(ctx, http.MethodPost, o.url+"/phase", values("PHASE", "ABORT"))
		case destroyed:
			at := time.Now().Add(rand.N(20 * time.Second)).UTC().Format("2006-01-02T15:04:05Z")
			c.send(ctx, http.MethodPost, o.url+"/destruction", values("DESTRUCTION", at))
		}
	}
}

// cutWires cuts one wire after the other for some seconds.
func (c *chaos) cutWires(ctx context.Context) {
	var wires []*Wire
	for _, w := range c.Wires {
		wires = append(wires, w)
	}
	for pause(ctx, 6*time.Second); ctx.Err() == nil; pause(ctx, 6*time.Second) {
		w := wires[rand.IntN(len(wires))]
		w.Cut()
		c.cuts++
		pause(ctx, 4*time.Second)
		w.Mend()
	}
}

// kill kills functions and starts them again.
func (c *chaos) kill(ctx context.Context) {
	functions := []string{cloud.Soda, cloud.Cutout, cloud.Cutout, bulk, cloud.Signer}
	for pause(ctx, 4*time.Second); ctx.Err() == nil; pause(ctx, 4*time.Second) {
		function := functions[rand.IntN(len(functions))]
		if rand.IntN(4) == 0 {
			c.Stop(function)
			c.terms++
		} else {
			c.Kill(function)
			c.kills++
		}
		pause(ctx, time.Second)
		if err := c.Run(function); err != nil {
			c.t.Error(err)
		}
	}
}

// watchEnds notes how each job ends, as the store shows it, and whether that changes.
func (c *chaos) watchEnds(ctx context.Context) {
	for ctx.Err() == nil {
		snapshots := c.raw.Collection(firestorejobs.Collection).Snapshots(ctx)
		for {
			s, err := snapshots.Next()
			if err != nil {
				break
			}
			for _, change := range s.Changes {
				c.note(change.Doc)
			}
		}
		snapshots.Stop()
	}
}

func readJob(d *firestore.DocumentSnapshot) (*uws.Job, error) {
	text, err := d.DataAt("job")
	if err != nil {
		return nil, err
	}
	j := new(uws.Job)
	return j, json.Unmarshal([]byte(fmt.Sprint(text)), j)
}

func (c *chaos) note(d *firestore.DocumentSnapshot) {
	j, err := readJob(d)
	if err != nil || !j.Phase.Terminal() || j.Phase == uws.Archived {
		return
	}
	now := end{fmt.Sprintf("%s at %v", j.Phase, j.Ended.UTC()), fmt.Sprint(j.Results)}
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.seen[j.ID]
	if ok && j.Deleted && len(j.Results) == 0 { // they are destroyed first
		now.results = before.results
	}
	if ok && before != now {
		c.twice = append(c.twice, fmt.Sprintf("%s: %v, and then %v", j.ID, before, now))
	}
	c.seen[j.ID] = now
}

// jobs reads all jobs of the store.
func (c *chaos) jobs() map[string]*uws.Job { return readJobs(c.t, c.raw) }

func readJobs(t *testing.T, raw *firestore.Client) map[string]*uws.Job {
	t.Helper()
	found, err := raw.Collection(firestorejobs.Collection).Documents(t.Context()).GetAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*uws.Job{}
	for _, d := range found {
		j, err := readJob(d)
		if err != nil {
			t.Fatal(err)
		}
		all[j.ID] = j
	}
	return all
}

func (c *chaos) update(id string, change func(now time.Time, j *uws.Job)) {
	_, _ = c.store.Update(c.t.Context(), id, func(now time.Time, j *uws.Job) error { // one that is purged is gone
		change(now, j)
		return nil
	})
}

// drain waits until all jobs have ended. A job whose soda was lost before it published waits
// for a quarter of an hour in the queue, which is not waited for; nor, in the short form, is
// the lease of a worker that was lost.
func (c *chaos) drain() map[string]*uws.Job {
	c.t.Helper()
	began := time.Now()
	short := *chaosTime < time.Minute
	calm := time.Minute // before anything is hurried
	if short {
		calm = 10 * time.Second
	}
	hurried := map[string]bool{}
	for ; time.Since(began) < chaosPatience; time.Sleep(time.Second) {
		all := c.jobs()
		waiting := 0
		for _, j := range all {
			if j.Phase.Terminal() {
				continue
			}
			waiting++
			if time.Since(began) < calm {
				continue
			}
			now := time.Now()
			switch {
			case j.Phase == uws.Queued && j.DueAt.After(now.Add(time.Minute)):
				hurried[j.ID] = true
				c.update(j.ID, func(now time.Time, j *uws.Job) {
					if j.Phase == uws.Queued {
						j.DueAt = now
					}
				})
			case j.Phase == uws.Executing && short && j.DueAt.After(now):
				c.update(j.ID, func(now time.Time, j *uws.Job) {
					if j.Phase == uws.Executing {
						j.LeaseUntil, j.DueAt = now, now
					}
				})
			}
		}
		if waiting == 0 {
			c.t.Logf("%d jobs that waited in the queue for longer than %v were set due", len(hurried), calm)
			return all
		}
	}
	all := c.jobs()
	for id, j := range all {
		if !j.Phase.Terminal() {
			c.lost = append(c.lost, fmt.Sprintf("%s is %s after %v: %+v", id, j.Phase, chaosPatience, j))
		}
	}
	return all
}

// compare compares all results of a job with what an undisturbed cut gives.
func (c *chaos) compare(o *order) {
	for i, circle := range o.circles {
		id := soda.ResultID(i, len(o.circles))
		for try := 0; ; try++ {
			status, header, _ := c.send(c.t.Context(), http.MethodGet, o.url+"/results/"+id, nil)
			var body []byte
			if status == http.StatusSeeOther {
				status, _, body = c.send(c.t.Context(), http.MethodGet, header.Get("Location"), nil)
			}
			if status == http.StatusOK {
				c.check(o.id()+" "+id, circle, body)
				break
			}
			if try == 5 {
				c.mu.Lock()
				c.wrong = append(c.wrong, fmt.Sprintf("%s %s: status %d", o.id(), id, status))
				c.mu.Unlock()
				break
			}
			pause(c.t.Context(), 5*time.Second)
		}
	}
}

func (c *chaos) check(what, circle string, body []byte) {
	if got := outside.Timeless(body); !bytes.Equal(got, c.want[circle]) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %d bytes are not those of an undisturbed cut, %d", what, len(got), len(c.want[circle])))
	}
}

// told returns what the functions told of the job that a text is about.
func (c *chaos) told(text string) string {
	log, err := os.ReadFile(c.options.Log.(*os.File).Name())
	if err != nil {
		return err.Error()
	}
	var lines []string
	id := regexp.MustCompile(`\b[a-z2-7]{26}\b`).FindString(text)
	for line := range strings.Lines(string(log)) {
		if id != "" && strings.Contains(line, id) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[:min(len(lines), 50)], "")
}

// strays returns the objects that are under no job's prefix, and those that the job of their
// prefix does not name.
func (c *chaos) strays(all map[string]*uws.Job) (outside, unnamed []string) {
	c.t.Helper()
	for _, name := range c.objects(c.t) {
		_, rest, _ := strings.Cut(name, "results/")
		id, _, _ := strings.Cut(rest, "/")
		j := all[id]
		if j == nil {
			outside = append(outside, name)
			continue
		}
		named := false
		for _, r := range j.Results {
			named = named || r.Object == name
		}
		if !named {
			unnamed = append(unnamed, name)
		}
	}
	return outside, unnamed
}

// destroyAll has all jobs reach their destruction, those that were deleted the end of the day
// for which their tombstones count, and sweeps until they are ARCHIVED or gone.
func (c *chaos) destroyAll(all map[string]*uws.Job) {
	c.t.Helper()
	for id := range all {
		c.update(id, func(now time.Time, j *uws.Job) {
			if j.Phase != uws.Archived && !j.Deleted {
				j.DestroyAt(now, 24*time.Hour)
			}
			if j.Deleted && j.Phase.Terminal() {
				j.Ended = now.Add(-uws.Day)
			}
			j.LeaseUntil = time.Time{} // every worker has ended
			if j.Phase.Terminal() && j.DueAt.After(now) && j.Phase != uws.Archived {
				j.DueAt = now
			}
		})
	}
	for began := time.Now(); time.Since(began) < chaosPatience; time.Sleep(500 * time.Millisecond) {
		if err := c.Sweep(c.t.Context()); err != nil {
			c.t.Log(err)
		}
		left := 0
		for _, j := range c.jobs() {
			if j.Deleted || j.Phase != uws.Archived {
				left++
			}
		}
		if left == 0 {
			return
		}
	}
	c.t.Error("jobs are not archived")
}

// leftObjects returns the objects that stay. A worker whose storage was cut off, and whose
// lease the test ended, may write once more; it then sees that it is fenced, and tidies up.
func (c *chaos) leftObjects() (left []string) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(500 * time.Millisecond) {
		if left = c.objects(c.t); len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// startCloud starts a cloud with its functions' log in a file, which a failed test shows the
// end of.
func startCloud(t testing.TB, o Options) *Cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts the functions; left out by -short")
	}
	outside.Firestore(t)
	outside.PubSub(t)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	o.Log = log
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the functions said, at the end:\n%s", text[max(0, len(text)-50_000):])
		}
	})
	return c
}
