package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/telemetry/tracefile"
)

// A sync request is one trace, from its form to its signed URL, whose table says how long the
// service computed; the metrics tell of it, at an address of this machine alone; and the log
// names the trace.
func TestTrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "traces")
	s := start(t, t.TempDir(), "127.0.0.1:0", new(logBuffer), "--trace", file, "--metrics", ":0")
	if got := s.syncCut(t, "ID", "ivo://localhost/demo?starfield.fits", "CIRCLE", inside); got.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", got.Status, got.Body)
	}
	metrics := regexp.MustCompile(`metrics on (http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(s.log.String())
	if metrics == nil {
		t.Fatalf("the server does not say where its metrics are, on this machine:\n%s", s.log)
	}
	told := get(t, metrics[1]).Body
	for _, line := range []string{
		`seltzer_jobs_ended_total{seltzer_job_class="interactive",seltzer_job_phase="COMPLETED"} 1`,
		`seltzer_queue_wait_seconds_count{seltzer_job_class="interactive"} 1`,
		`seltzer_stage_duration_seconds_count{seltzer_stage="plan"} 1`,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="303",http_route="/sync"} 1`,
	} {
		if !strings.Contains(told, line) {
			t.Errorf("the metrics do not say %s:\n%s", line, told)
		}
	}
	rows := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(rows, []byte("ID,ra,dec\nivo://localhost/demo?starfield.fits,150.1163,2.2058\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if status := run([]string{"submit", rows, "--url", s.URL, "-o", "STAMP=16", "--watch"}, &streams{nil, io.Discard, &said}); status != 0 {
		t.Fatalf("seltzer submit: status %d\n%s", status, &said)
	}
	if got := get(t, s.URL+"/metrics"); got.StatusCode != http.StatusNotFound {
		t.Errorf("metrics where clients are: %s, want 404", got.Status)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.exited

	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spans, err := tracefile.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	trace, names := "", []string{}
	for _, span := range spans {
		if span.Name == "GET /sync" {
			trace = span.Trace
		}
	}
	for _, span := range spans {
		if span.Trace == trace {
			names = append(names, span.Name)
		}
	}
	for _, name := range []string{"GET /sync", "check", "jobs.create", "jobs.watch", "work", "claim", "headers", "plan", "write", "results.store", "complete", "signer", "POST /sign"} {
		if !slices.Contains(names, name) {
			t.Errorf("the trace of the request holds %q, and not %s", names, name)
		}
	}
	if log := s.log.String(); trace == "" || !regexp.MustCompile(`msg=completed .*owner=local trace=`+trace).MatchString(log) {
		t.Errorf("the log does not name trace %s:\n%s", trace, log)
	}
	var out, problems bytes.Buffer
	if status := run([]string{"trace", file, trace[:12]}, &streams{nil, &out, &problems}); status != 0 || !strings.Contains(out.String(), "GET /sync") || !strings.Contains(out.String(), "ms in all") {
		t.Errorf("seltzer trace: status %d\n%s%s", status, &out, &problems)
	}
	batch := slices.IndexFunc(spans, func(s tracefile.Span) bool { return s.Name == "manifest.read" })
	if batch < 0 {
		t.Fatal("no trace tells of the batch")
	}
	out.Reset()
	if status := run([]string{"trace", file, spans[batch].Trace}, &streams{nil, &out, &problems}); status != 0 {
		t.Errorf("seltzer trace of a batch: status %d\n%s", status, &problems)
	}
	for _, line := range []string{`  POST /async  `, `      manifest\.divide  parts=1  rows=1\n`, `      image  bytes=\d+  reads=\d+  rows=1\n`, `      package\.close  \(waits\)  bytes=\d+  rows=1\n`, `      gather  packages=1  parts=1  rows=1\n`} {
		if !regexp.MustCompile(line).MatchString(out.String()) {
			t.Errorf("the trace of a batch has no line %s:\n%s", line, &out)
		}
	}
	if status := run([]string{"trace", file, "none"}, &streams{nil, io.Discard, io.Discard}); status != exitFailed {
		t.Errorf("seltzer trace of a trace that is not there: status %d, want %d", status, exitFailed)
	}
}

// Metrics are asked for at an address; a name alone is none.
func TestMetricsWantAnAddress(t *testing.T) {
	var problems bytes.Buffer
	if status := run([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--metrics", "9464"}, &streams{nil, io.Discard, &problems}); status != exitUsage || !strings.Contains(problems.String(), "--metrics") {
		t.Errorf("status %d, %s; want %d and a sentence about --metrics", status, &problems, exitUsage)
	}
}
