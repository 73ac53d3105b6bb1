package emulated

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"gocloud.dev/blob"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// scripts/batches sets this; the default is the short form that every test run takes.
var batchRows = flag.Int("batch.rows", 200, "rows of the batch that is killed")

// batchPatience is how long a batch may take on a busy machine, killed as it is.
const batchPatience = 15 * time.Minute

// endings receives what is told of batches that have ended.
func (c *Cloud) endings(t *testing.T) (next func() string) {
	t.Helper()
	client := c.openPubSub(t)
	name := "projects/" + c.project + "/subscriptions/ended"
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: name, Topic: "projects/" + c.project + "/topics/" + endedTopic}); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 100)
	go func() {
		_ = client.Subscriber(name).Receive(t.Context(), func(_ context.Context, m *pubsub.Message) {
			m.Ack()
			told <- string(m.Data)
		})
	}()
	return func() string {
		select {
		case text := <-told:
			return text
		case <-time.After(patience):
			return "nothing"
		}
	}
}

func (c *Cloud) openPubSub(t *testing.T) *pubsub.Client {
	t.Helper()
	client, err := pubsub.NewClient(t.Context(), c.project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// order publishes an order of a batch.
func (c *Cloud) order(t *testing.T, o map[string]any) {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	p := c.openPubSub(t).Publisher(batchTopic)
	defer p.Stop()
	if _, err := p.Publish(t.Context(), &pubsub.Message{Data: data}).Get(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// read reads an object of the results.
func (c *Cloud) read(t *testing.T, object string) []byte {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", c.storage.API)
	bucket, err := blob.OpenBucket(t.Context(), "gs://"+resultsBucket)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	data, err := bucket.ReadAll(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ledger reads the merged manifest of results of a batch.
func (c *Cloud) ledger(t *testing.T, j *uws.Job) (rows []ledger.Row) {
	t.Helper()
	for _, r := range j.Results {
		if r.Name != "manifest.parquet" {
			continue
		}
		data := c.read(t, r.Object)
		in, err := ledger.Open(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range in.Rows() {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		return rows
	}
	t.Fatalf("%s has no manifest of results: %+v", j.ID, j.Results)
	return nil
}

// waitForBatch waits until a batch has ended, and hands each state of it to see.
func waitForBatch(t *testing.T, store *firestorejobs.Store, id string, see func(*uws.Job)) *uws.Job {
	t.Helper()
	var last *uws.Job
	for began := time.Now(); time.Since(began) < batchPatience; time.Sleep(50 * time.Millisecond) {
		j, err := store.Get(t.Context(), id)
		if err != nil {
			continue // not ordered yet
		}
		if last = j; j.Phase.Terminal() && !j.Follows() {
			return j
		}
		see(j)
	}
	t.Fatalf("the batch did not end in %v: %+v", batchPatience, last)
	return nil
}

// A batch that was ordered twice by the topic, whose function is killed while it plans and
// again and again while it cuts: each row comes into the manifest of results once, with what
// is true of it, and who waits for it is told.
func TestBatchIsKilled(t *testing.T) {
	c := startCloud(t, Options{Sweep: 2 * time.Second, Wired: true})
	next, store := c.endings(t), c.openJobs(t)
	storage := c.Wires["STORAGE_EMULATOR_HOST"]
	const owner = "ada"
	want := map[int64]ledger.Status{}
	manifest := new(bytes.Buffer)
	fmt.Fprintln(manifest, "ID,ra,dec,stamp,label")
	for i := range *batchRows {
		ra, dec, status := fmt.Sprintf("%.5f", 150.10+0.0005*float64(i%40)), 2.19+0.0005*float64(i/40%40), ledger.OK
		switch i % 50 {
		case 7:
			ra, status = "east", ledger.Failed
		case 13:
			ra, dec, status = "10", 80, ledger.Empty
		}
		want[int64(i+1)] = status
		fmt.Fprintf(manifest, "%s,%s,%.5f,16,s%d\n", starfield, ra, dec, i+1)
	}
	name := batch.Folder(owner) + batch.Kept + "rows.csv"
	c.storage.Put(BatchBucket, name, manifest.Bytes())
	began := time.Now()
	request := uws.NewID()
	storage.Cut() // so that it does not plan before it is killed
	for range 2 {
		c.order(t, map[string]any{"manifest": name, "requestId": request, "options": map[string]string{"PACKAGE": "zip"}})
	}

	id, raw := batch.RequestedID(request), c.openRaw(t)
	kills, killed := 0, map[string]bool{}
	j := waitForBatch(t, store, id, func(*uws.Job) {
		if !c.found(t, raw, killed) {
			return
		}
		time.Sleep(rand.N(100 * time.Millisecond))
		c.Kill(bulk)
		kills++
		c.release(t, raw, store)
		if err := c.Run(bulk); err != nil {
			t.Fatal(err)
		}
		storage.Mend()
	})
	t.Logf("%d rows, %d kills, %v", *batchRows, kills, time.Since(began).Round(time.Second))
	if kills < 2 {
		t.Errorf("the function was killed %d times; want it to be while it plans and while it cuts", kills)
	}
	if j.Phase != uws.Completed || j.Owner != owner {
		t.Fatalf("the batch is %s, of %q: %+v", j.Phase, j.Owner, j.Failure)
	}
	if got, told := next(), fmt.Sprintf(`{"job":%q,"phase":"COMPLETED"}`, id); got != told {
		t.Errorf("told was %s, want %s", got, told)
	}

	packages := map[string][]byte{}
	got := map[int64]int{}
	for _, row := range c.ledger(t, j) {
		got[row.Row]++
		if row.Status != want[row.Row] || row.Label != fmt.Sprintf("s%d", row.Row) && row.Status != ledger.Failed {
			t.Errorf("row %d, %s, is %s (%s), want %s", row.Row, row.Label, row.Status, row.Reason, want[row.Row])
		}
		if row.Status != ledger.OK {
			continue
		}
		if packages[row.Object] == nil {
			packages[row.Object] = c.packageOf(t, j, row.Object)
		}
		if got, inside := filed(t, packages[row.Object], row.Name), within(packages[row.Object], row); got == nil || !bytes.Equal(got, inside) {
			t.Errorf("row %d: %s has %d bytes in %s, and %d are where the manifest of results says", row.Row, row.Name, len(got), row.Object, len(inside))
		}
	}
	for row := range want {
		if got[row] != 1 {
			t.Errorf("row %d stands in the manifest of results %d times", row, got[row])
		}
	}
}

// within returns the bytes of a row's cutout in its package.
func within(data []byte, row ledger.Row) []byte {
	if row.Offset == nil || row.Length == nil || *row.Offset < 0 || *row.Length < 0 || *row.Offset+*row.Length > int64(len(data)) {
		return nil
	}
	return data[*row.Offset : *row.Offset+*row.Length]
}

// filed returns a file of a zip; nil if it is not there.
func filed(t *testing.T, data []byte, name string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil || !bytes.HasPrefix(text, []byte("SIMPLE  =")) {
		t.Errorf("%s: %v, and begins with %.9q", name, err, text)
	}
	return text
}

// packageOf reads a package that the ledger of a batch names.
func (c *Cloud) packageOf(t *testing.T, j *uws.Job, name string) []byte {
	t.Helper()
	for _, r := range j.Results {
		if r.Name == name {
			return c.read(t, r.Object)
		}
	}
	t.Fatalf("%s is no result of the batch", name)
	return nil
}

// found reports whether a worker holds a batch or a part that was not killed at that attempt,
// of the first two, and notes it.
func (c *Cloud) found(t *testing.T, raw *firestore.Client, killed map[string]bool) (found bool) {
	t.Helper()
	for _, j := range readJobs(t, raw) {
		attempt := fmt.Sprint(j.ID, j.Attempt)
		if j.Phase == uws.Executing && j.Claim != "" && j.Attempt <= 2 && !killed[attempt] {
			found, killed[attempt] = true, true
		}
	}
	return found
}

// release ends the leases of workers that were killed, and what is queued is due: neither is
// waited for.
func (c *Cloud) release(t *testing.T, raw *firestore.Client, store *firestorejobs.Store) {
	t.Helper()
	for id, j := range readJobs(t, raw) {
		if j.Phase.Terminal() {
			continue
		}
		_, err := store.Update(t.Context(), id, func(now time.Time, j *uws.Job) error {
			if j.Phase.Terminal() {
				return jobstore.Unchanged
			}
			j.LeaseUntil, j.DueAt = now, now
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Rows that come in the order itself are a batch of the owner who was configured for that; a
// manifest that is dropped into an owner's folder is one of theirs, once however often it is
// told of.
func TestBatchesByEvent(t *testing.T) {
	c := startCloud(t, Options{Sweep: 2 * time.Second})
	next, store := c.endings(t), c.openJobs(t)
	const row = `{"ID": %q, "ra": 150.1163, "dec": 2.2058, "stamp": 16, "label": "one"}`
	c.order(t, map[string]any{"rows": json.RawMessage("[" + fmt.Sprintf(row, starfield) + "]"), "requestId": "rows"})
	object := batch.Folder("ada") + "dropped.jsonl"
	c.storage.Put(BatchBucket, object, []byte(fmt.Sprintf(row, starfield)+"\n"))
	generation, err := c.storage.Generation(BatchBucket, object)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.tell(t.Context(), BatchBucket, object); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]bool{}
	for id, owner := range map[string]string{
		batch.RequestedID("rows"): RowsOwner,
		uws.DerivedID("batch", "object", BatchBucket, object, fmt.Sprint(generation)): "ada",
	} {
		j := waitForBatch(t, store, id, func(*uws.Job) {})
		if j.Phase != uws.Completed || j.Owner != owner || j.Kind != uws.Batch {
			t.Errorf("a batch of %s is %s, of %q: %+v", owner, j.Phase, j.Owner, j.Failure)
			continue
		}
		if rows := c.ledger(t, j); len(rows) != 1 || rows[0].Status != ledger.OK || rows[0].Label != "one" {
			t.Errorf("of the row of %s became %+v", owner, rows)
		}
		told[fmt.Sprintf(`{"job":%q,"phase":"COMPLETED"}`, id)] = true
	}
	for range len(told) {
		if text := next(); !told[text] {
			t.Errorf("told was %s", text)
		}
	}
}

// What scripts/emulators prints works as it is pasted: a batch by its topic, and one by gcloud.
func TestPastedCommands(t *testing.T) {
	c := startCloud(t, Options{Sweep: 2 * time.Second})
	paste := func(command string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-ec", c.Exports()+"\n"+command)
		cmd.Dir = filepath.Join("..", "..")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	if out := paste(c.Submit()); !strings.Contains(out, "COMPLETED: 3 cut, 0 empty, 0 failed of 3") {
		t.Errorf("%s\nsays\n%s", c.Submit(), out)
	}
	outside.Tool(t, "gcloud")
	rows := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(rows, fmt.Appendf(nil, "ID,ra,dec\n%s,150.1163,2.2058\n", starfield), 0o600); err != nil {
		t.Fatal(err)
	}
	out := paste("scripts/submit-batch '" + rows + `' "$MANIFESTS" "$TOPIC" STAMP=16`)
	var sent struct {
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal([]byte(out[max(0, strings.Index(out, `{"manifest"`)):]), &sent); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	store := c.openJobs(t)
	if j := waitForBatch(t, store, batch.RequestedID(sent.RequestID), func(*uws.Job) {}); j.Phase != uws.Completed || j.Owner != "" || j.Tally.Done != 1 {
		t.Errorf("the batch by gcloud is %s, of %q: %+v %+v", j.Phase, j.Owner, j.Tally, j.Failure)
	}
}
