package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Waits is the attribute of spans that wait for somebody else.
const Waits = attribute.Key("seltzer.waits")

// Attributes of spans and metrics. Those of spans alone may name a job.
const (
	job     = attribute.Key("seltzer.job.id")
	bytes   = attribute.Key("seltzer.bytes")
	reads   = attribute.Key("seltzer.reads")
	class   = attribute.Key("seltzer.job.class")
	phase   = attribute.Key("seltzer.job.phase")
	stage   = attribute.Key("seltzer.stage")
	known   = attribute.Key("seltzer.index.known")
	errType = attribute.Key("error.type")
)

// Span is a step under way. The zero Span records nothing.
type Span struct {
	ctx   context.Context
	span  trace.Span
	stage string // "" if its time is not measured
	began time.Time
}

// Start begins a step of our own work, whose name is one of few; its time is measured, too.
func Start(ctx context.Context, name string) (context.Context, Span) {
	return start(ctx, name, name)
}

// Wait begins a step that waits for somebody else: a call, a commit, a disk.
func Wait(ctx context.Context, name string) (context.Context, Span) {
	return start(ctx, name, name, trace.WithAttributes(Waits.Bool(true)), trace.WithSpanKind(trace.SpanKindClient))
}

// Receive begins the work on a message that came with a trace's parent (see [Parent]), or
// without one: "". id is that of the job that it is about; "" if there is none yet.
func Receive(ctx context.Context, name, parent, id string) (context.Context, Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	if id != "" {
		Job(ctx, id)
		options = append(options, trace.WithAttributes(job.String(id)))
	}
	return start(WithParent(ctx, parent), name, "", options...)
}

func start(ctx context.Context, name, stage string, options ...trace.SpanStartOption) (context.Context, Span) {
	r := From(ctx)
	if r == none {
		return ctx, Span{}
	}
	ctx, span := r.tracer.Start(ctx, name, options...)
	return ctx, Span{ctx, span, stage, time.Now()}
}

// Recorded reports whether somebody will see the span.
func (s Span) Recorded() bool { return s.span != nil && s.span.IsRecording() }

// Read says how much the step read of an archive, in how many reads.
func (s Span) Read(n, requests int64) {
	if s.Recorded() {
		s.span.SetAttributes(bytes.Int64(n), reads.Int64(requests))
	}
}

// Count says how many of something, one of few words, the step was about.
func (s Span) Count(what string, n int64) {
	if s.Recorded() {
		s.span.SetAttributes(attribute.Int64("seltzer."+what, n))
	}
}

// End ends the step; err is what it ended with, of which the trace tells the kind alone.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if s.span.IsRecording() && err != nil {
		s.span.SetAttributes(errType.String(string(fault.CodeOf(err))))
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
	if s.stage != "" {
		From(s.ctx).stageTook(s.ctx, s.stage, time.Since(s.began))
	}
}

// Parent returns the traceparent of ctx, by which another process goes on with its trace, or
// "" if there is none.
func Parent(ctx context.Context) string {
	m := carrier{}
	w3c.Inject(ctx, m)
	return m[ParentKey]
}

// WithParent returns a context in which spans belong to the trace of a traceparent, or to
// none that is known if it is "" or no traceparent.
func WithParent(ctx context.Context, parent string) context.Context {
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	return w3c.Extract(ctx, carrier{ParentKey: parent})
}
