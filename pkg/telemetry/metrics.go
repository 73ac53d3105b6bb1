package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// metrics are the instruments.
type metrics struct {
	requests     metric.Float64Histogram
	refusals     metric.Int64Counter
	jobs         metric.Int64Counter
	queueWait    metric.Float64Histogram
	stages       metric.Float64Histogram
	archiveBytes metric.Int64Counter
	archiveReads metric.Int64Counter
	resultBytes  metric.Int64Counter
	indexes      metric.Int64Counter
}

// seconds are the bounds of the buckets of what is done in a fraction of a second.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// waits are those of what may take the better part of a day.
var waits = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200}

func newMetrics(m metric.Meter) (out metrics, err error) {
	var errs []error
	counter := func(to *metric.Int64Counter, name, unit, what string) {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		*to, errs = c, append(errs, err)
	}
	times := func(to *metric.Float64Histogram, name, what string, bounds []float64) {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		*to, errs = h, append(errs, err)
	}
	times(&out.requests, "http.server.request.duration", "Time from a request to the end of its answer, by route.", seconds)
	counter(&out.refusals, "seltzer.refusals", "{request}", "Requests that were answered with an error, by its kind.")
	counter(&out.jobs, "seltzer.jobs.ended", "{job}", "Jobs that have ended, by class and phase.")
	times(&out.queueWait, "seltzer.queue.wait", "Time from a job's creation to its first claim, by class.", waits)
	times(&out.stages, "seltzer.stage.duration", "Time of each step of the work.", seconds)
	counter(&out.archiveBytes, "seltzer.archive.read", "By", "Bytes read from the archives.")
	counter(&out.archiveReads, "seltzer.archive.reads", "{read}", "Reads of ranges of the archives' objects.")
	counter(&out.resultBytes, "seltzer.results.delivered", "By", "Bytes of the results of jobs that were completed.")
	counter(&out.indexes, "seltzer.index.lookups", "{lookup}", "Files whose headers were asked for, by whether they were known.")
	return out, errors.Join(errs...)
}

func (r *Recorder) request(ctx context.Context, method, route string, status int, d time.Duration) {
	r.metrics.requests.Record(ctx, d.Seconds(), metric.WithAttributeSet(attribute.NewSet(
		semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status))))
}

func (r *Recorder) stageTook(ctx context.Context, name string, d time.Duration) {
	r.metrics.stages.Record(ctx, d.Seconds(), metric.WithAttributeSet(attribute.NewSet(stage.String(name))))
}

// Refused counts a request that is answered with an error.
func (r *Recorder) Refused(ctx context.Context, code fault.Code) {
	r.metrics.refusals.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(errType.String(string(code)))))
}

// JobEnded counts a job that has ended, and the bytes of its results.
func (r *Recorder) JobEnded(ctx context.Context, ofClass, inPhase string, delivered int64) {
	r.metrics.jobs.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(class.String(ofClass), phase.String(inPhase))))
	if delivered > 0 {
		r.metrics.resultBytes.Add(ctx, delivered)
	}
}

// JobClaimed records how long a job waited for a worker.
func (r *Recorder) JobClaimed(ctx context.Context, ofClass string, waited time.Duration) {
	r.metrics.queueWait.Record(ctx, max(waited, 0).Seconds(), metric.WithAttributeSet(attribute.NewSet(class.String(ofClass))))
}

// ArchiveRead counts what was read of an archive.
func (r *Recorder) ArchiveRead(ctx context.Context, n, requests int64) {
	r.metrics.archiveBytes.Add(ctx, n)
	r.metrics.archiveReads.Add(ctx, requests)
}

// IndexAsked counts a file whose headers were asked for: known, or to be read.
func (r *Recorder) IndexAsked(ctx context.Context, isKnown bool) {
	r.metrics.indexes.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(known.Bool(isKnown))))
}
