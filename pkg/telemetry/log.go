package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// subject is what a request or a message is about, as far as it is known by now.
type subject struct {
	mu         sync.Mutex
	job, owner string
}

type subjectKey struct{}

func withSubject(ctx context.Context) context.Context {
	return context.WithValue(ctx, subjectKey{}, new(subject))
}

func subjectOf(ctx context.Context) *subject {
	s, _ := ctx.Value(subjectKey{}).(*subject)
	return s
}

func (s *subject) get() (job, owner string) {
	if s == nil {
		return "", ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.job, s.owner
}

// Job says which job the request or message of ctx is about.
func Job(ctx context.Context, id string) {
	if s := subjectOf(ctx); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.job = id
	}
}

// Owner says for whom the request or message of ctx is.
func Owner(ctx context.Context, name string) {
	if s := subjectOf(ctx); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.owner = name
	}
}

// Keys of the lines of a log.
const (
	jobKey   = "job"
	ownerKey = "owner"
	traceKey = "trace"

	// Source: Google Cloud, "Structured logging",
	// https://cloud.google.com/logging/docs/structured-logging.
	cloudTrace   = "logging.googleapis.com/trace"
	cloudSpan    = "logging.googleapis.com/spanId"
	cloudSampled = "logging.googleapis.com/trace_sampled"
)

// Log returns a handler that adds to each line the job, the owner and the trace that its
// context knows, and takes out what must not be written down: the queries of URLs, which may
// be signed, and tokens.
func Log(next slog.Handler) slog.Handler { return &handler{next: next} }

// CloudLog returns a handler that writes lines as Cloud Logging reads them, as [Log] does,
// with the trace as that of a project.
func CloudLog(w io.Writer, project string) slog.Handler {
	shape := func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.MessageKey:
			a.Key = "message"
		case a.Key == slog.LevelKey:
			severity := a.Value.String()
			if severity == slog.LevelWarn.String() {
				severity = "WARNING"
			}
			return slog.String("severity", severity)
		}
		return a
	}
	return &handler{next: slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: shape}), project: project, cloud: true}
}

type handler struct {
	next       slog.Handler
	project    string
	cloud      bool
	job, owner bool // stand in the line already
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, in slog.Record) error {
	out := slog.NewRecord(in.Time, in.Level, withoutSecrets(in.Message), in.PC)
	hasJob, hasOwner := h.job, h.owner
	in.Attrs(func(a slog.Attr) bool {
		hasJob, hasOwner = hasJob || a.Key == jobKey, hasOwner || a.Key == ownerKey
		out.AddAttrs(clean(a))
		return true
	})
	job, owner := subjectOf(ctx).get()
	if job != "" && !hasJob {
		out.AddAttrs(slog.String(jobKey, job))
	}
	if owner != "" && !hasOwner {
		out.AddAttrs(slog.String(ownerKey, owner))
	}
	switch s := trace.SpanContextFromContext(ctx); {
	case !s.IsValid():
	case h.cloud:
		out.AddAttrs(slog.String(cloudTrace, "projects/"+h.project+"/traces/"+s.TraceID().String()),
			slog.String(cloudSpan, s.SpanID().String()), slog.Bool(cloudSampled, s.IsSampled()))
	default:
		out.AddAttrs(slog.String(traceKey, s.TraceID().String()))
	}
	return h.next.Handle(ctx, out)
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	cleaned := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		with.job, with.owner = with.job || a.Key == jobKey, with.owner || a.Key == ownerKey
		cleaned[i] = clean(a)
	}
	with.next = h.next.WithAttrs(cleaned)
	return &with
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	with := *h
	with.next = h.next.WithGroup(name)
	return &with
}

// clean returns an attribute without secrets, and with an error as its text.
func clean(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, withoutSecrets(v.String()))
	case slog.KindGroup:
		attrs := make([]slog.Attr, len(v.Group()))
		for i, in := range v.Group() {
			attrs[i] = clean(in)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(attrs...)}
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error, fmt.Stringer:
			return slog.String(a.Key, withoutSecrets(fmt.Sprint(x)))
		}
	}
	return a
}

// secrets is what must not be written down, each with what stands for it.
var secrets = []struct {
	sign string // a text without it holds none
	form *regexp.Regexp
	as   string
}{
	{"?", regexp.MustCompile(`(?i)(\b(?:https?|gs|s3)://[^\s"'<>?]*\?)[^\s"'<>]+`), "${1}…"},
	{"ey", regexp.MustCompile(`\bey[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`), "(a token)"},
	{" ", regexp.MustCompile(`(?i)\b(Bearer|Basic) +[A-Za-z0-9+/._~=-]{8,}`), "$1 …"},
}

// withoutSecrets returns a text without the queries of URLs and without tokens.
func withoutSecrets(text string) string {
	for _, s := range secrets {
		if strings.Contains(text, s.sign) {
			text = s.form.ReplaceAllString(text, s.as)
		}
	}
	return text
}
