package telemetry_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// parent is of https://www.w3.org/TR/trace-context/; unsampled is it, with the flag unset.
const (
	parent    = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// recorder returns a recorder of everything, and what flushes it and returns the spans by name.
func recorder(t *testing.T, c telemetry.Config) (*telemetry.Recorder, func() map[string]tracetest.SpanStub) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	c.Service, c.Spans = "test", exporter
	r, err := telemetry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r, func() map[string]tracetest.SpanStub {
		if err := r.FlushSpans(t.Context()); err != nil {
			t.Fatal(err)
		}
		spans := map[string]tracetest.SpanStub{}
		for _, s := range exporter.GetSpans() {
			spans[s.Name] = s
		}
		return spans
	}
}

// One trace goes from a request through a message to the work on it.
func TestTraceFollowsTheJob(t *testing.T) {
	r, spans := recorder(t, telemetry.Config{Ratio: 0})
	var message string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /async/{id}/phase", func(w http.ResponseWriter, in *http.Request) {
		telemetry.Job(in.Context(), "j1")
		ctx, span := telemetry.Wait(in.Context(), "jobs.create")
		message = telemetry.Parent(ctx)
		span.End(fault.New(fault.Unavailable, "x", "secret words"))
		w.WriteHeader(http.StatusSeeOther)
	})
	in := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/async/j1/phase?token=abc", nil)
	in.Header.Set("traceparent", parent)
	in.Header.Set("tracestate", "a=b")
	r.Serve(mux).ServeHTTP(httptest.NewRecorder(), in)

	ctx, work := telemetry.Receive(r.With(t.Context()), "work", message, "j1")
	_, plan := telemetry.Start(ctx, "plan")
	plan.Read(100, 2)
	plan.End(nil)
	work.End(nil)

	got := spans()
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"POST /async/{id}/phase", "jobs.create", "plan", "work"}) {
		t.Fatalf("spans %q", names)
	}
	for name, above := range map[string]string{"jobs.create": "POST /async/{id}/phase", "work": "jobs.create", "plan": "work"} {
		if got[name].Parent.SpanID() != got[above].SpanContext.SpanID() {
			t.Errorf("%s is not below %s", name, above)
		}
	}
	for name, s := range got {
		if s.SpanContext.TraceID().String() != parent[3:35] || s.SpanContext.TraceState().Len() > 0 {
			t.Errorf("%s is of trace %s, with state %q", name, s.SpanContext.TraceID(), s.SpanContext.TraceState())
		}
		for _, a := range s.Attributes {
			if text := a.Value.String(); strings.Contains(text, "token") || strings.Contains(text, "secret") {
				t.Errorf("%s says %s=%s", name, a.Key, text)
			}
		}
		if strings.Contains(s.Status.Description, "secret") {
			t.Errorf("%s says %s", name, s.Status.Description)
		}
	}
	for name, want := range map[string][]attribute.KeyValue{
		"POST /async/{id}/phase": {attribute.String("http.request.method", "POST"), attribute.String("http.route", "/async/{id}/phase"),
			attribute.Int("http.response.status_code", 303), attribute.String("seltzer.job.id", "j1")},
		"jobs.create": {attribute.Bool("seltzer.waits", true), attribute.String("error.type", "Unavailable")},
		"plan":        {attribute.Int64("seltzer.bytes", 100), attribute.Int64("seltzer.reads", 2)},
		"work":        {attribute.String("seltzer.job.id", "j1")},
	} {
		if !slices.Equal(got[name].Attributes, want) {
			t.Errorf("%s has %v, want %v", name, got[name].Attributes, want)
		}
	}
}

// A stranger's trace goes on under its id, but whether it is recorded is ours to say; what
// our own functions recorded is recorded on.
func TestSampling(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config telemetry.Config
		parent string
		want   int
	}{
		{"a stranger asks for it", telemetry.Config{Ratio: 0, Strange: true}, parent, 0},
		{"a stranger asks for none", telemetry.Config{Ratio: 1, Strange: true}, unsampled, 1},
		{"nobody asks, never", telemetry.Config{Ratio: 0}, "", 0},
		{"nobody asks, always", telemetry.Config{Ratio: 1}, "", 1},
		{"ours is recorded", telemetry.Config{Ratio: 0}, parent, 1},
		{"ours is not", telemetry.Config{Ratio: 1}, unsampled, 0},
		{"nonsense", telemetry.Config{Ratio: 1}, "00-zz-1", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, spans := recorder(t, tt.config)
			ctx, s := telemetry.Receive(r.With(t.Context()), "work", tt.parent, "j")
			id := trace.SpanContextFromContext(ctx).TraceID().String()
			s.End(nil)
			if len(spans()) != tt.want {
				t.Errorf("%d spans, want %d", len(spans()), tt.want)
			}
			if strings.Contains(tt.parent, id) == (tt.parent == "" || tt.parent == "00-zz-1") {
				t.Errorf("the trace is %s, after %q", id, tt.parent)
			}
		})
	}
}

// Without a recorder nothing is recorded, and a trace that came goes on.
func TestNothingIsRecorded(t *testing.T) {
	r, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, ctx := range map[string]context.Context{"none": t.Context(), "empty": r.With(t.Context())} {
		ctx, span := telemetry.Start(telemetry.WithParent(ctx, parent), "plan")
		if span.Recorded() || telemetry.Parent(ctx) != parent {
			t.Errorf("%s: recorded: %t, parent %s; want it as it came", name, span.Recorded(), telemetry.Parent(ctx))
		}
		span.Read(1, 1)
		span.End(errors.New("x"))
		telemetry.From(ctx).JobEnded(ctx, "bulk", "ERROR", 0)
		telemetry.Job(ctx, "j")
	}
	if err := errors.Join(r.FlushSpans(t.Context()), r.FlushMetrics(t.Context()), r.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// FuzzParent: what is taken for a traceparent is one, and goes on as it came.
func FuzzParent(f *testing.F) {
	for _, s := range []string{parent, unsampled, "", "00-0-0-0", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", strings.ToUpper(parent)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first := telemetry.Parent(telemetry.WithParent(t.Context(), in))
		if first == "" {
			return
		}
		if len(first) != len(parent) || !strings.HasPrefix(first, "00-") || strings.ContainsAny(first, "\r\n") {
			t.Errorf("%q became %q", in, first)
		}
		if second := telemetry.Parent(telemetry.WithParent(t.Context(), first)); second != first {
			t.Errorf("%q became %q, then %q", in, first, second)
		}
	})
}

// Every metric has a name, a unit and labels of few values.
func TestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	r, err := telemetry.New(telemetry.Config{Service: "test", Metrics: reader})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/async/{id}", func(http.ResponseWriter, *http.Request) {})
	for _, target := range []string{"/async/a", "/async/b", "/nowhere"} {
		r.Carry(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	}
	r.Serve(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "BREW", "/async/c", nil))
	ctx := r.With(t.Context())
	_, span := telemetry.Start(ctx, "plan")
	span.End(nil)
	r.Refused(ctx, fault.Quota)
	r.JobEnded(ctx, "bulk", "COMPLETED", 7)
	r.JobEnded(ctx, "bulk", "ERROR", 0)
	r.JobClaimed(ctx, "bulk", 3*time.Second)
	r.JobClaimed(ctx, "bulk", -time.Second) // clocks differ
	r.ArchiveRead(ctx, 100, 2)
	r.IndexAsked(ctx, true)
	r.IndexAsked(ctx, false)

	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if m.Description == "" {
			t.Errorf("%s has no description", m.Name)
		}
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				got[m.Name+" "+m.Unit+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = float64(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				got[m.Name+" "+m.Unit+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = float64(p.Count)
			}
		}
	}
	want := map[string]float64{
		"http.server.request.duration s http.request.method=GET,http.response.status_code=200,http.route=/async/{id}":    2,
		"http.server.request.duration s http.request.method=GET,http.response.status_code=404,http.route=other":          1,
		"http.server.request.duration s http.request.method=_OTHER,http.response.status_code=200,http.route=/async/{id}": 1,
		"seltzer.stage.duration s seltzer.stage=plan":                                                                    1,
		"seltzer.refusals {request} error.type=Quota":                                                                    1,
		"seltzer.jobs.ended {job} seltzer.job.class=bulk,seltzer.job.phase=COMPLETED":                                    1,
		"seltzer.jobs.ended {job} seltzer.job.class=bulk,seltzer.job.phase=ERROR":                                        1,
		"seltzer.results.delivered By ":                                                                                  7,
		"seltzer.queue.wait s seltzer.job.class=bulk":                                                                    2,
		"seltzer.archive.read By ":                                                                                       100,
		"seltzer.archive.reads {read} ":                                                                                  2,
		"seltzer.index.lookups {lookup} seltzer.index.known=true":                                                        1,
		"seltzer.index.lookups {lookup} seltzer.index.known=false":                                                       1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("metrics\n%v\nwant\n%v", got, want)
	}
}

// A stream stays one: who flushes through the recorder reaches the connection.
func TestServeUnwraps(t *testing.T) {
	r, _ := recorder(t, telemetry.Config{Ratio: 1})
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}
