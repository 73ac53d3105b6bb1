package tracefile_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/tracefile"
)

// What a recorder records is in the file, for its owner's eyes, and can be read.
func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "traces")
	for range 2 { // the second run appends
		w, err := tracefile.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := telemetry.New(telemetry.Config{Service: "test", Spans: w, Ratio: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, work := telemetry.Receive(r.With(t.Context()), "work", "", "j1")
		_, update := telemetry.Wait(ctx, "jobs.update")
		update.End(fault.New(fault.Unavailable, "x", "y"))
		work.End(nil)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v; want a file for its owner alone", info.Mode(), err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spans, err := tracefile.Read(f)
	if err != nil || len(spans) != 4 {
		t.Fatalf("%d spans, %v; want 4", len(spans), err)
	}
	update, work := spans[0], spans[1]
	if work.Name != "work" || !work.Received || update.Received || work.Waits || work.Failed || work.Parent != "" || work.Attributes["seltzer.job.id"] != "j1" ||
		update.Name != "jobs.update" || !update.Waits || !update.Failed || update.Parent != work.ID || update.Trace != work.Trace || update.Attributes["error.type"] != "Unavailable" {
		t.Errorf("%+v\n%+v", work, update)
	}
	if _, err := tracefile.Create(filepath.Join(name, "below")); !errors.Is(err, fault.Usage) {
		t.Errorf("a file that cannot be: %v, want %s", err, fault.Usage)
	}
}

// ms is a span of trace t between two instants in milliseconds.
func ms(id, parent, name string, from, to int, waits bool) tracefile.Span {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return tracefile.Span{Trace: "aa1", ID: id, Parent: parent, Name: name, Waits: waits,
		Start: start.Add(time.Duration(from) * time.Millisecond), End: start.Add(time.Duration(to) * time.Millisecond)}
}

// The sum is of what is left of the spans that compute when those below them are taken out:
// 100 less what jobs.create, jobs.watch and signer cover; work, which goes on below
// jobs.create after it has ended, less its claim and its reads, which overlap.
func TestTable(t *testing.T) {
	spans := []tracefile.Span{
		ms("8", "5", "read", 45, 65, true),
		ms("1", "gone", "GET /sync", 0, 100, false),
		ms("2", "1", "jobs.create", 10, 20, true),
		ms("3", "2", "work", 25, 80, false),
		ms("4", "3", "claim", 26, 36, true),
		ms("5", "3", "write", 40, 70, false),
		ms("6", "5", "read", 42, 50, true),
		ms("7", "1", "jobs.watch", 20, 90, true),
		{Trace: "ab2", ID: "1", Name: "earlier", Start: time.Unix(1, 0), End: time.Unix(2, 0)},
	}
	spans[3].Attributes = map[string]string{"seltzer.job.id": "j1", "http.route": "/sync"}
	spans[4].Failed = true
	const want = `trace aa1 of 2026-01-02T03:04:05Z

     at ms         ms     own ms
      0.00     100.00      20.00  GET /sync
     10.00      10.00      10.00    jobs.create  (waits)
     25.00      55.00      15.00      work  job.id=j1
     26.00      10.00      10.00        claim  (waits)  (failed)
     40.00      30.00       7.00        write
     42.00       8.00       8.00          read  (waits)
     45.00      20.00      20.00          read  (waits)
     20.00      70.00      70.00    jobs.watch  (waits)

8 spans in 100.00 ms; the 3 that wait for no call, commit or disk: 42.00 ms in all
`
	for _, id := range []string{"", "aa", "aa1"} {
		var b strings.Builder
		if err := tracefile.Table(&b, spans, id); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, b.String()); d != "" {
			t.Errorf("trace %q (-want +got):\n%s", id, d)
		}
	}
	for id, code := range map[string]fault.Code{"a": fault.Usage, "b": fault.NotFound} {
		if err := tracefile.Table(new(strings.Builder), spans, id); fault.CodeOf(err) != code {
			t.Errorf("trace %q: %v, want %s", id, err, code)
		}
	}
	if err := tracefile.Table(new(strings.Builder), nil, ""); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("no trace: %v", err)
	}
}

// The work on a message stands beside that in which the message was sent, as deep as it may
// have been there.
func TestTableOfMessages(t *testing.T) {
	spans := []tracefile.Span{
		ms("1", "", "POST /async", 0, 10, false),
		ms("2", "1", "work", 20, 40, false),
		ms("3", "2", "complete", 30, 40, false),
		ms("4", "3", "queue.publish", 35, 36, true),
		ms("5", "4", "work", 37, 60, false),
		ms("6", "5", "image", 38, 50, false),
		ms("7", "5", "queue.publish", 55, 56, true),
		ms("8", "7", "work", 57, 70, false),
	}
	for _, i := range []int{1, 4, 7} {
		spans[i].Received = true
	}
	var b strings.Builder
	if err := tracefile.Table(&b, spans, ""); err != nil {
		t.Fatal(err)
	}
	const want = `
      0.00      10.00      10.00  POST /async
     20.00      20.00      10.00    work
     30.00      10.00       9.00      complete
     35.00       1.00       1.00        queue.publish  (waits)
     37.00      23.00      10.00    work
     38.00      12.00      12.00      image
     55.00       1.00       1.00      queue.publish  (waits)
     57.00      13.00      13.00    work

`
	if _, got, _ := strings.Cut(b.String(), "own ms"); !strings.HasPrefix(got, want) {
		t.Errorf("want%s\ngot\n%s", want, &b)
	}
}

func TestReadRefuses(t *testing.T) {
	good := `{"trace":"t","span":"s","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z"}` + "\n"
	if spans, err := tracefile.Read(strings.NewReader(good + good[:40])); err != nil || len(spans) != 1 {
		t.Errorf("a last line that was cut: %d spans, %v; want 1", len(spans), err)
	}
	for name, text := range map[string]string{
		"no JSON":              good + "x\n",
		"no span":              good + "{}\n",
		"ends before it began": strings.ReplaceAll(good, "03:04:06", "03:04:04"),
		"a line without end":   strings.Repeat(" ", 2<<20) + "\n",
	} {
		if _, err := tracefile.Read(strings.NewReader(text)); !errors.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v, want %s", name, err, fault.Corrupt)
		}
	}
}

// FuzzRead: what is read can be written and read again, and printed, whatever its parents are.
func FuzzRead(f *testing.F) {
	f.Add(`{"trace":"t","span":"a","parent":"b","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z","waits":true,"attributes":{"a":"b"}}` + "\n" +
		`{"trace":"t","span":"b","parent":"a","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z"}` + "\n" +
		`{"trace":"t","span":"c","parent":"a","name":"n","start":"0001-01-02T03:04:05Z","end":"9999-01-02T03:04:06Z"}` + "\n")
	f.Add(`{"trace":"t","span":"a","parent":"b","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z","received":true}` + "\n" +
		`{"trace":"t","span":"b","parent":"a","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z","received":true}` + "\n" +
		`{"trace":"t","span":"c","parent":"a","name":"n","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06Z","received":true}` + "\n")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, text string) {
		spans, err := tracefile.Read(strings.NewReader(text))
		if err != nil || len(spans) == 0 {
			return
		}
		var again strings.Builder
		out := json.NewEncoder(&again)
		for _, s := range spans {
			if out.Encode(s) != nil {
				return // a year that JSON does not take back
			}
		}
		second, err := tracefile.Read(strings.NewReader(again.String()))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(spans, second, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("read again it differs:\n%s", d)
		}
		var table strings.Builder
		if err := tracefile.Table(&table, spans, ""); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		last := ""
		for _, s := range spans {
			if strings.HasPrefix(table.String(), "trace "+s.Trace+" of ") {
				ids[s.ID], last = true, s.Trace
			}
		}
		if strings.Count(table.String(), "\n") < len(ids)+5 {
			t.Errorf("trace %s has %d spans, and the table is\n%s", last, len(ids), table.String())
		}
	})
}
