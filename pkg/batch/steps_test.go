package batch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// seen is what a recorder got.
type seen struct {
	*telemetry.Recorder
	spans   *tracetest.InMemoryExporter
	metrics *sdkmetric.ManualReader
}

func watchers(t *testing.T) *seen {
	t.Helper()
	s := &seen{spans: tracetest.NewInMemoryExporter(), metrics: sdkmetric.NewManualReader()}
	var err error
	if s.Recorder, err = telemetry.New(telemetry.Config{Service: "test", Spans: s.spans, Ratio: 1, Metrics: s.metrics}); err != nil {
		t.Fatal(err)
	}
	return s
}

// told returns the spans of each name; a number of them is attribute seltzer.<its name>.
func (s *seen) told(t *testing.T) map[string][]tracetest.SpanStub {
	t.Helper()
	if err := s.FlushSpans(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := map[string][]tracetest.SpanStub{}
	for _, span := range s.spans.GetSpans() {
		names[span.Name] = append(names[span.Name], span)
	}
	return names
}

// sum adds up an attribute of spans.
func sum(spans []tracetest.SpanStub, name string) (n int64) {
	for _, span := range spans {
		for _, a := range span.Attributes {
			if a.Key == attribute.Key("seltzer."+name) {
				n += a.Value.AsInt64()
			}
		}
	}
	return n
}

// A batch tells how it was planned, of each image what was cut and read, and how its results
// came together.
func TestStepsAreTold(t *testing.T) {
	w, s := newWorld(t, 64), watchers(t)
	j := w.make(rows(40))
	for ids := w.inbox.take(); len(ids) > 0; ids = w.inbox.take() {
		for _, id := range ids {
			if err := w.worker().Work(s.With(t.Context()), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if j = w.get(j.ID); j.Phase != uws.Completed {
		t.Fatalf("the batch is %s: %+v", j.Phase, j.Failure)
	}
	got := s.told(t)
	for _, want := range []struct {
		span, count string
		n           int64
	}{
		{"manifest.read", "rows", 43}, {"manifest.divide", "rows", 43}, {"manifest.divide", "parts", 1},
		{"part.read", "rows", 43}, {"image", "rows", 43}, {"image", "rows.empty", 1}, {"image", "rows.failed", 2},
		{"package.close", "rows", 43}, {"package.close", "bytes", j.Tally.Bytes},
		{"gather", "parts", 1}, {"gather", "packages", 1}, {"gather", "rows", 43},
	} {
		if n := sum(got[want.span], want.count); n != want.n || n == 0 {
			t.Errorf("%s tells of %d %s, want %d", want.span, n, want.count, want.n)
		}
	}
	image, err := os.Stat(filepath.Join(filepath.Dir(w.manifests), "images", "one.fits"))
	if err != nil {
		t.Fatal(err)
	}
	read := sum(got["image"], "bytes")
	if len(got["image"]) != 3 || read < 40*8*8*4/2 || read > 3*image.Size() || sum(got["image"], "reads") == 0 {
		t.Errorf("%d images, of which %d bytes were read in %d reads; want 3, and at most %d bytes, as blocks of them are kept", len(got["image"]), read, sum(got["image"], "reads"), 3*image.Size())
	}
	for _, open := range got["archive.open"] {
		below := false
		for _, image := range got["image"] {
			below = below || open.Parent.SpanID() == image.SpanContext.SpanID()
		}
		if !below {
			t.Error("an image is opened outside of its span")
		}
	}
	var data metricdata.ResourceMetrics
	if err := s.metrics.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if d, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "seltzer.archive.read" {
			if n := d.DataPoints[0].Value; n != read {
				t.Errorf("the metrics tell of %d bytes that were read, the images of %d", n, read)
			}
			return
		}
	}
	t.Error("the metrics do not tell how much was read")
}

// An order's trace is the one that came with its message.
func TestAnOrderIsOfItsTrace(t *testing.T) {
	w, s := newWorld(t, 48), watchers(t)
	const trace = "0123456789abcdef0123456789abcdef"
	order := fmt.Sprintf(`[{"ID": "%sone.fits", "ra": 10, "dec": 20, "stamp": 8}]`, prefix)
	push, err := json.Marshal(queue.Push{Message: queue.Message{
		Data: fmt.Appendf(nil, `{"rows": %s, "requestId": "r"}`, order), MessageID: "1", Attributes: map[string]string{telemetry.ParentKey: "00-" + trace + "-0123456789abcdef-01"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/batch", bytes.NewReader(push))
	answer := httptest.NewRecorder()
	s.Carry(w.worker().Handler()).ServeHTTP(answer, r)
	if got := s.told(t)["order"]; answer.Code != http.StatusNoContent || len(got) != 1 || got[0].SpanContext.TraceID().String() != trace {
		t.Errorf("%d %s; the order is told as %+v", answer.Code, answer.Body, got)
	}
	if w.get(batch.RequestedID("r")).Phase != uws.Queued {
		t.Error("the order made no batch")
	}
}

// A part is as long in a trace as a part may be, however many images it has.
func TestStepsAreFew(t *testing.T) {
	w, s := newWorld(t, 48), watchers(t)
	j := w.make(scattered(32_000, 1_000_000, 8, 0.02))
	if err := w.worker().Work(t.Context(), w.inbox.take()[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.worker().Work(s.With(t.Context()), uws.PartID(j.ID, 0)); err != nil {
		t.Fatal(err)
	}
	part := w.get(uws.PartID(j.ID, 0))
	got := s.told(t)
	n := 0
	for _, spans := range got {
		n += len(spans)
	}
	told, together := got["image"], got["images"]
	if part.Phase != uws.Completed || part.Tally.Seen() < 1000 || n > 200 {
		t.Errorf("%d spans of %d rows, each of an image of its own; the part is %s", n, part.Tally.Seen(), part.Phase)
	}
	if len(together) != 1 || sum(told, "rows")+sum(together, "rows") != part.Tally.Seen() || int64(len(told))+sum(together, "images") < part.Tally.Seen()*9/10 {
		t.Errorf("%d images tell of %d rows and %d of the others of %d; want all %d", len(told), sum(told, "rows"), sum(together, "images"), sum(together, "rows"), part.Tally.Seen())
	}
}
