// Package telemetry is how the service is seen at work: traces, metrics and the lines of
// its log, by OpenTelemetry (https://opentelemetry.io/docs/specs/), set up in this one place.
//
// A trace follows a job: from the request that asks for it, through the message in the
// queue and the worker, to the URL that is signed. Its context travels as the W3C's
// traceparent (https://www.w3.org/TR/trace-context/) and nothing else: no state, no baggage.
// Spans are few, one for each step that has a name in the field's words. [Start] begins one
// of our own work, [Wait] one that waits for somebody else (a call, a commit, a disk): so a
// trace tells how long a request computed. Where a trace is not recorded, both cost next to
// nothing.
//
// Metrics have names and units by OpenTelemetry's conventions; metrics.go is their table.
// Labels take a few values each, never an owner and never an id.
//
// A [Recorder] travels in the context, where [Recorder.Serve] and [Recorder.Carry] put it,
// so that code which records names no backend; without one, nothing is recorded. Nothing of
// this is global: libraries that look for OpenTelemetry's globals find none.
//
// To add a span: Start or Wait, and End. A metric: a field and a line in metrics.go.
package telemetry

import (
	"context"
	"errors"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// scope names what records, in traces and metrics.
const scope = "github.com/seltzer-soda/seltzer/pkg/telemetry"

// Config says what is recorded, and where it goes.
type Config struct {
	Service, Version string // such as soda
	Instance         string // distinguishes the processes of a service
	Attributes       []attribute.KeyValue

	Spans   sdktrace.SpanExporter // nil: no traces
	Ratio   float64               // of the requests that come without a trace of ours: 0 to 1
	Strange bool                  // strangers call: whether a trace of theirs is recorded is decided anew
	Metrics sdkmetric.Reader      // nil: no metrics
}

// Recorder records traces and metrics. Methods are safe for concurrent use.
type Recorder struct {
	tracer  trace.Tracer
	traces  *sdktrace.TracerProvider // nil: none
	meters  *sdkmetric.MeterProvider // nil: none
	metrics metrics
}

// New returns a recorder.
func New(c Config) (*Recorder, error) {
	attributes := append([]attribute.KeyValue{semconv.ServiceName(c.Service), semconv.ServiceVersion(c.Version), semconv.ServiceInstanceID(c.Instance)}, c.Attributes...)
	about := resource.NewWithAttributes(semconv.SchemaURL, attributes...)
	r := &Recorder{tracer: nooptrace.NewTracerProvider().Tracer(scope)}
	if c.Spans != nil {
		root := chance(c.Ratio)
		sampler := sdktrace.ParentBased(root)
		if c.Strange {
			sampler = sdktrace.ParentBased(root, sdktrace.WithRemoteParentSampled(root), sdktrace.WithRemoteParentNotSampled(root))
		}
		r.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(c.Spans), sdktrace.WithResource(about), sdktrace.WithSampler(sampler))
		r.tracer = r.traces.Tracer(scope)
	}
	var meters metric.MeterProvider = noopmetric.NewMeterProvider()
	if c.Metrics != nil {
		r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(c.Metrics), sdkmetric.WithResource(about))
		meters = r.meters
	}
	var err error
	r.metrics, err = newMetrics(meters.Meter(scope))
	return r, err
}

// chance is a sampler that throws dice. OpenTelemetry's own looks at the trace's id, which a
// stranger can choose.
type chance float64

// ShouldSample implements [sdktrace.Sampler].
func (c chance) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	// #nosec G404 -- nothing is kept secret by it
	if rand.Float64() < float64(c) {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return sdktrace.NeverSample().ShouldSample(p)
}

// Description implements [sdktrace.Sampler].
func (chance) Description() string { return "by chance" }

// none records nothing.
var none, _ = New(Config{}) // no error: there is nothing that could refuse

type recorderKey struct{}

// With returns a context in which r records.
func (r *Recorder) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

// From returns the recorder of a context; it is never nil.
func From(ctx context.Context) *Recorder {
	if r, ok := ctx.Value(recorderKey{}).(*Recorder); ok {
		return r
	}
	return none
}

// FlushSpans sends the spans that have ended and are not sent yet.
func (r *Recorder) FlushSpans(ctx context.Context) error {
	if r.traces == nil {
		return nil
	}
	return r.traces.ForceFlush(ctx)
}

// FlushMetrics sends what the metrics say now.
func (r *Recorder) FlushMetrics(ctx context.Context) error {
	if r.meters == nil {
		return nil
	}
	return r.meters.ForceFlush(ctx)
}

// Close sends what is not sent yet, and lets go of where it goes. After it nothing is recorded.
func (r *Recorder) Close(ctx context.Context) error {
	var errs []error
	if r.traces != nil {
		errs = append(errs, r.traces.Shutdown(ctx))
	}
	if r.meters != nil {
		errs = append(errs, r.meters.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
