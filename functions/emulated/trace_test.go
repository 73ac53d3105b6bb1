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

// One trace goes through the three functions, and what each did there is in it when the
// request is answered or soon after; metrics come, too.
func TestTrace(t *testing.T) {
	got := &collected{spans: map[string][]string{}, metrics: map[string]bool{}}
	collector := httptest.NewServer(got)
	t.Cleanup(collector.Close)
	c := start(t, "SELTZER_TELEMETRY_URL="+collector.URL, "SELTZER_TRACE_RATIO=1")
	if answer, text := ask(t, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", values("ID", starfield, "CIRCLE", inside)); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%.500s", answer.Status, text)
	}
	want := []string{
		"soda/GET /sync", "soda/check", "soda/jobs.create", "soda/queue.publish", "soda/jobs.watch", "soda/signer",
		"cutout/work", "cutout/claim", "cutout/jobs.update", "cutout/headers", "cutout/read", "cutout/plan", "cutout/write", "cutout/results.store", "cutout/complete",
		"signer/POST /sign", "signer/jobs.get", "signer/sign",
	}
	wantMetrics := []string{"http.server.request.duration", "seltzer.jobs.ended", "seltzer.queue.wait", "seltzer.archive.read", "seltzer.results.delivered", "seltzer.index.lookups", "seltzer.stage.duration"}
	missing := func() (names []string) {
		got.mu.Lock()
		defer got.mu.Unlock()
		var best []string
		for _, spans := range got.spans {
			if slices.Contains(spans, want[0]) {
				best = spans
			}
		}
		for _, name := range want {
			if !slices.Contains(best, name) {
				names = append(names, name)
			}
		}
		for _, name := range wantMetrics {
			if !got.metrics[name] {
				names = append(names, name)
			}
		}
		return names
	}
	for end := time.Now().Add(patience); len(missing()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the trace of the request lacks %s; what came is %q", strings.Join(missing(), ", "), got.spans)
		}
	}
}
