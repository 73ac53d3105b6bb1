package telemetry

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Serve records the requests that next, an [http.ServeMux] or what hands its requests on to
// one unchanged, serves: each as a span named after its method and the pattern of its route,
// in the trace that the request belongs to.
func (r *Recorder) Serve(next http.Handler) http.Handler { return r.serve(next, true) }

// Carry is Serve without spans, for handlers of messages: their work belongs to the traces of
// the messages, see [Receive].
func (r *Recorder) Carry(next http.Handler) http.Handler { return r.serve(next, false) }

func (r *Recorder) serve(next http.Handler, spans bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		began := time.Now()
		ctx := withSubject(r.With(WithParent(in.Context(), in.Header.Get(ParentKey))))
		var span trace.Span
		if spans {
			ctx, span = r.tracer.Start(ctx, in.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(semconv.HTTPRequestMethodKey.String(method(in))))
			defer span.End()
		}
		in = in.WithContext(ctx)
		out := &answer{ResponseWriter: w}
		defer func() {
			route := route(in)
			r.request(ctx, method(in), route, out.code(), time.Since(began))
			if spans && span.IsRecording() {
				span.SetName(method(in) + " " + route)
				span.SetAttributes(semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(out.code()))
				if id, _ := subjectOf(ctx).get(); id != "" {
					span.SetAttributes(job.String(id))
				}
				if out.code() >= http.StatusInternalServerError {
					span.SetStatus(codes.Error, "")
				}
			}
		}()
		next.ServeHTTP(out, in)
	})
}

// method returns the method of a request as OpenTelemetry wants it: one of few.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}

// route returns the path of the pattern that took the request: one of few.
func route(r *http.Request) string {
	_, path, found := strings.Cut(r.Pattern, " ")
	if !found {
		path = r.Pattern
	}
	return cmp.Or(strings.TrimSuffix(path, "{$}"), "other")
}

// answer notes the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) code() int { return cmp.Or(a.status, http.StatusOK) }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
