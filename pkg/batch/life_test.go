package batch_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/faulty"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// wantEachOnce checks that a batch of rows(n) has ended with each row once, as it must be,
// in the manifest of results and in the packages that are results.
func (w *world) wantEachOnce(j *uws.Job, n int) {
	w.tb.Helper()
	if j.Phase != uws.Completed {
		w.tb.Fatalf("the batch is %s: %+v", j.Phase, j.Failure)
	}
	if want := (uws.Tally{Rows: int64(n + 3), Done: int64(n), Empty: 1, Failed: 2, Bytes: j.Tally.Bytes}); j.Tally != want {
		w.tb.Errorf("the tally is %+v, want %+v", j.Tally, want)
	}
	lines := w.lines(j)
	if len(lines) != n+3 {
		w.tb.Fatalf("the manifest of results has %d rows, want %d", len(lines), n+3)
	}
	named := map[string]string{}
	for i, l := range lines {
		want := ledger.OK
		switch i {
		case n:
			want = ledger.Empty
		case n + 1, n + 2:
			want = ledger.Failed
		}
		if l.Row != int64(i+1) || l.Status != want {
			w.tb.Fatalf("row %d comes as %d with %s (%s), want %s", i+1, l.Row, l.Status, l.Reason, want)
		}
		if l.Status == ledger.OK {
			named[l.Object+" "+l.Name] = l.Label
		}
	}
	files := 0
	for _, r := range j.Results {
		if r.MIME != "application/zip" {
			continue
		}
		text := w.read(r.Object)
		z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, f := range z.File {
			files++
			if named[r.Name+" "+f.Name] == "" {
				w.tb.Errorf("the manifest of results does not name %s in %s", f.Name, r.Name)
			}
		}
	}
	if files != n {
		w.tb.Errorf("the packages hold %d files, want %d", files, n)
	}
	if n := w.told.Load(); n == 0 {
		w.tb.Error("nobody was told of the end")
	}
	for i := range j.Plan.Parts {
		if _, err := w.jobs.Get(w.tb.Context(), uws.PartID(j.ID, i)); err == nil {
			w.tb.Errorf("part %d is still there", i)
		}
	}
}

// A batch is driven to its end, and at each call of a store, a queue, an archive or a bucket in
// turn its process is lost: before the call, or after it and before its answer. Each row comes
// into the manifest of results once.
func TestLostAtEveryCall(t *testing.T) {
	const n = 330 // in four parts
	life := func(t *testing.T, faults ...func(w *world) faulty.Fault) (calls int) {
		w := newWorld(t, 48)
		j := w.make(rows(n))
		for _, f := range faults {
			w.plan.Add(f(w))
		}
		w.wantEachOnce(w.drive(j.ID), n)
		return w.plan.Calls("")
	}
	calls := life(t)
	if calls < 60 {
		t.Fatalf("a life has %d calls; does the plan see them?", calls)
	}
	t.Logf("a life has %d calls", calls)
	stride := 13
	if os.Getenv("SELTZER_EVERY_CALL") != "" {
		stride = 1
	}
	var mu sync.Mutex
	lives := 0
	t.Run("lost", func(t *testing.T) {
		for _, kind := range []faulty.Kind{faulty.Before, faulty.After} {
			for k := 1 + int(kind)*stride/2; k <= calls; k += stride {
				t.Run(fmt.Sprintf("%d at call %d", kind, k), func(t *testing.T) {
					t.Parallel()
					life(t, func(w *world) faulty.Fault { return w.lose(kind, k) })
					mu.Lock()
					lives++
					mu.Unlock()
				})
			}
		}
	})
	t.Logf("%d lives", lives)
}

// A batch whose rows name no image meets a fault of the holdings at each of their calls in turn,
// or finds them down for a while: its planning is tried again, and each row is cut once from
// each image that holds its position.
func TestFaultHoldingsOfABatch(t *testing.T) {
	const n = 40
	var rows strings.Builder
	rows.WriteString("ra,dec,stamp,label\n")
	for i := range n {
		fmt.Fprintf(&rows, "%.5f,%.5f,8,row %d\n", 10+float64(i%17-8)/1000, 20+float64(i%13-6)/1000, i+1)
	}
	rows.WriteString("200,-40,8,away\n")
	life := func(t *testing.T, faults ...faulty.Fault) *world {
		w := newWorld(t, 48)
		w.index()
		j := w.make(rows.String())
		for _, f := range faults {
			for tries := 1; tries < uws.MaxAttempts; tries++ {
				met := w.plan.Met()
				w.plan.Add(f) // a process that met one is the last to meet it
				w.deliver()
				if w.plan.Met() == met {
					t.Fatal("no call met the fault")
				}
				if f.N > 0 {
					break
				}
				j = w.get(j.ID)
				if j.Phase != uws.Executing || j.Claim != "" || j.Attempt != tries || j.Cause == "" || len(j.Results) > 0 {
					t.Fatalf("after try %d without the holdings the batch is %s, attempt %d, claim %q, because of %q; want it to wait", tries, j.Phase, j.Attempt, j.Claim, j.Cause)
				}
				w.ahead.Add(int64(uws.Backoff(tries)))
				w.process(func(ctx context.Context) { _, _ = w.worker().Sweep(ctx) })
			}
		}
		j = w.drive(j.ID)
		if want := (uws.Tally{Rows: 2*n + 1, Done: 2 * n, Empty: 1, Bytes: j.Tally.Bytes}); j.Phase != uws.Completed || j.Tally != want {
			t.Fatalf("the batch is %s (%+v) with %+v, want %+v", j.Phase, j.Failure, j.Tally, want)
		}
		for i, l := range w.lines(j) {
			want := ledger.Row{Row: int64(i/2 + 1), Cutout: int32(i%2 + 1), Label: fmt.Sprintf("row %d", i/2+1), ID: prefix + []string{"one", "two"}[i%2] + ".fits", Status: ledger.OK}
			if i == 2*n {
				want = ledger.Row{Row: n + 1, Cutout: 1, Label: "away", Status: ledger.Empty}
			}
			if got := (ledger.Row{Row: l.Row, Cutout: l.Cutout, Label: l.Label, ID: l.ID, Status: l.Status}); !reflect.DeepEqual(got, want) {
				t.Errorf("line %d is %+v (%s), want %+v", i+1, got, l.Reason, want)
			}
		}
		return w
	}
	undisturbed := life(t)
	for _, method := range []string{"holdings.At", "holdings.Get"} {
		calls := undisturbed.plan.Calls(method)
		if calls == 0 {
			t.Errorf("planning never calls %s", method)
		}
		for _, kind := range []faulty.Kind{faulty.Before, faulty.After} {
			for k := int(kind); k <= calls; k++ { // 0, before: all of them
				t.Run(fmt.Sprintf("%s %d, %d", method, k, kind), func(t *testing.T) {
					t.Parallel()
					life(t, faulty.Fault{Kind: kind, Method: method, N: k})
				})
			}
		}
	}
}

// The owner of a batch that runs puts its destruction off. When the instant comes that was set
// first, its parts live on, whether they have ended or wait, and no row is lost.
func TestDestructionPutOff(t *testing.T) {
	const n = 330 // in four parts
	w := newWorld(t, 48)
	j := w.make(rows(n))
	set := func(in time.Duration) {
		t.Helper()
		if _, err := w.jobs.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error {
			j.DestroyAt(now.Add(in), time.Hour)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	set(time.Hour)
	w.deliver() // which plans it
	part := w.inbox.take()[0]
	w.process(func(ctx context.Context) {
		if err := w.worker().Work(ctx, part); err != nil {
			t.Error(err)
		}
	})
	w.inbox.take()
	if p := w.get(part); p.Phase != uws.Completed || p.Tally.Done == 0 || p.Follows() {
		t.Fatalf("the first part is %s with %+v, follows %t", p.Phase, p.Tally, p.Follows())
	}
	set(365 * 24 * time.Hour)
	for range 3 {
		w.ahead.Add(int64(time.Hour))
		w.process(func(ctx context.Context) { _, _ = w.worker().Sweep(ctx) })
	}
	w.wantEachOnce(w.drive(j.ID), n)
}

// An order that comes again changes nothing, and the owner is the folder.
func TestOrders(t *testing.T) {
	w := newWorld(t, 48)
	first := w.make(rows(5)) // writes the manifest
	w.drive(first.ID)
	push := func(id, data string, attributes map[string]string) *queue.Push {
		return &queue.Push{Message: queue.Message{Data: []byte(data), Attributes: attributes, MessageID: id, PublishTime: time.Now()}, Subscription: "s"}
	}
	dropped := map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "owners/ada/objects.csv", "objectGeneration": "7"}
	ordered := uws.DerivedID("batch", "request", "r1")
	for _, tt := range []struct {
		name  string
		push  *queue.Push
		id    string // of the batch; "": none
		owner string
		rows  int64
	}{
		{"an object", push("1", "{}", dropped), uws.DerivedID("batch", "object", "b", "owners/ada/objects.csv", "7"), "ada", 8},
		{"a request", push("2", `{"manifest": "owners/ada/objects.csv", "options": {"PACKAGE": "tar"}, "requestId": "r1"}`, nil), ordered, "ada", 8},
		{"the request again, by another message", push("3", `{"manifest": "owners/ada/objects.csv", "requestId": "r1"}`, nil), ordered, "ada", 8},
		{"rows", push("4", fmt.Sprintf(`{"rows": [{"ID": "%sone.fits", "ra": 10, "dec": 20, "stamp": 4}]}`, prefix), nil), uws.DerivedID("batch", "message", "4"), "rows", 1},
		{"an object that was deleted", push("5", "{}", map[string]string{"eventType": "OBJECT_DELETE", "objectId": "owners/ada/objects.csv"}), "", "", 0},
		{"an object that orders name", push("6", "{}", map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "owners/ada/kept/x.csv", "objectGeneration": "1"}), "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				if err := w.batches().Order(t.Context(), tt.push); err != nil {
					t.Fatal(err)
				}
			}
			if tt.id == "" {
				if ids := w.inbox.take(); len(ids) != 0 {
					t.Errorf("%v were queued, want nothing", ids)
				}
				return
			}
			j := w.drive(tt.id)
			if j.Owner != tt.owner || j.Tally.Rows != tt.rows || j.Kind != uws.Batch {
				t.Errorf("the batch is of %q and has %d rows, want %q and %d (%+v)", j.Owner, j.Tally.Rows, tt.owner, tt.rows, j.Failure)
			}
		})
	}
	for name, data := range map[string]string{
		"no JSON": "objects.parquet", "an owner of its own": `{"manifest": "owners/ada/objects.csv", "owner": "bob"}`, "nothing": "{}",
		"another place": `{"manifest": "../x.csv"}`, "both": `{"manifest": "owners/ada/objects.csv", "rows": [{}]}`, "a wrong option": `{"manifest": "owners/ada/objects.csv", "options": {"PACKAGE": "rar"}}`,
	} {
		if err := w.batches().Order(t.Context(), push("9", data, nil)); err == nil {
			t.Errorf("%s: taken, want an error", name)
		}
	}
}

// A batch that is aborted stops within seconds, and keeps what is done.
func TestAbort(t *testing.T) {
	const n = 600
	w := newWorld(t, 48)
	j := w.make(rows(n))
	reached, aborted := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.plan.Add(faulty.Fault{Kind: faulty.Late, Method: "archive.Open", N: 5, Then: func() {
		once.Do(func() { close(reached); <-aborted })
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			w.deliver()
		}
	}()
	select {
	case <-reached:
	case <-time.After(patience):
		t.Fatal("nothing was opened for the fifth time")
	}
	if _, err := w.jobs.Update(context.WithoutCancel(t.Context()), j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "test") }); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	close(aborted)
	<-done
	if took := time.Since(at); took > 30*time.Second {
		t.Errorf("the workers went on for %v", took)
	}
	j = w.drive(j.ID)
	if j.Phase != uws.Aborted {
		t.Fatalf("the batch is %s", j.Phase)
	}
	lines := w.lines(j)
	ok := 0
	for i, l := range lines {
		if l.Row != int64(i+1) {
			t.Fatalf("row %d comes as %d", i+1, l.Row)
		}
		if l.Status == ledger.OK {
			ok++
		}
	}
	if len(lines) != n+3 || ok == 0 || ok == n {
		t.Errorf("the manifest of results has %d rows, of which %d were cut; want %d, and some", len(lines), ok, n+3)
	}
	if int64(ok) != j.Tally.Done {
		t.Errorf("the tally counts %d, want %d", j.Tally.Done, ok)
	}
}
