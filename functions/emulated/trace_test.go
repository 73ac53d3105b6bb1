package emulated

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// collected is what came to a collector of OTLP.
type collected struct {
	mu      sync.Mutex
	spans   map[string][]string // as function/name, by trace
	metrics map[string]bool
}

func (c *collected) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var in traces.ExportTraceServiceRequest
		if proto.Unmarshal(body, &in) != nil {
			return
		}
		for _, resource := range in.ResourceSpans {
			service := ""
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.name" {
					service = a.Value.GetStringValue()
				}
			}
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[string(s.TraceId)] = append(c.spans[string(s.TraceId)], service+"/"+s.Name)
				}
			}
		}
	case "/v1/metrics":
		var in metrics.ExportMetricsServiceRequest
		if proto.Unmarshal(body, &in) != nil {
			return
		}
		for _, resource := range in.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, m := range scope.Metrics {
					c.metrics[m.Name] = true
				}
			}
		}
	}
}

// traced returns what a cloud collects of each trace and metric: all of them.
func traced(t *testing.T) (*Cloud, *collected) {
	t.Helper()
	got := &collected{spans: map[string][]string{}, metrics: map[string]bool{}}
	collector := httptest.NewServer(got)
	t.Cleanup(collector.Close)
	return start(t, "SELTZER_TELEMETRY_URL="+collector.URL, "SELTZER_TRACE_RATIO=1"), got
}

// wait waits until the trace with a span of a name has others, and metrics came.
func (c *collected) wait(t *testing.T, of string, spans, metrics []string) {
	t.Helper()
	missing := func() (names []string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var best []string
		for _, spans := range c.spans {
			if slices.Contains(spans, of) {
				best = spans
			}
		}
		for _, name := range spans {
			if !slices.Contains(best, name) {
				names = append(names, name)
			}
		}
		for _, name := range metrics {
			if !c.metrics[name] {
				names = append(names, name)
			}
		}
		return names
	}
	for end := time.Now().Add(patience); len(missing()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			lacks := strings.Join(missing(), ", ")
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Fatalf("the trace of %s lacks %s; what came is %q", of, lacks, c.spans)
		}
	}
}

// One trace goes through the three functions, and what each did there is in it when the
// request is answered or soon after; metrics come, too.
func TestTrace(t *testing.T) {
	c, got := traced(t)
	if answer, text := ask(t, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", inside)); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%.500s", answer.Status, text)
	}
	want := []string{
		"soda/GET /sync", "soda/check", "soda/jobs.create", "soda/queue.publish", "soda/jobs.watch", "soda/signer",
		"cutout/work", "cutout/claim", "cutout/jobs.update", "cutout/headers", "cutout/read", "cutout/plan", "cutout/write", "cutout/results.store", "cutout/complete",
		"signer/POST /sign", "signer/jobs.get", "signer/sign",
	}
	wantMetrics := []string{"http.server.request.duration", "seltzer.jobs.ended", "seltzer.queue.wait", "seltzer.archive.read", "seltzer.results.delivered", "seltzer.index.lookups", "seltzer.stage.duration"}
	got.wait(t, want[0], want, wantMetrics)
}

// One trace goes from the order of a batch through its plan and its parts to its results.
func TestTraceOfABatch(t *testing.T) {
	c, got := traced(t)
	c.order(t, map[string]any{"manifest": stars, "options": map[string]string{"STAMP": "16"}, "requestId": "traced"})
	if j := waitForBatch(t, c.openJobs(t), batch.RequestedID("traced"), func(*uws.Job) {}); j.Phase != uws.Completed {
		t.Fatalf("the batch is %s: %+v", j.Phase, j.Failure)
	}
	got.wait(t, "cutout/order", []string{
		"cutout/jobs.create", "cutout/queue.publish", "cutout/work", "cutout/manifest.read", "cutout/manifest.divide",
		"cutout/part.read", "cutout/image", "cutout/archive.open", "cutout/package.close", "cutout/gather", "cutout/complete",
	}, nil)
}
