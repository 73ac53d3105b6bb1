package cloud

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/api/option"
	transport "google.golang.org/api/transport/http"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Times of sending what was recorded.
const (
	metricsPeriod = time.Minute
	flushTime     = time.Second // at the end of a request, which waits for it
	goodbyeTime   = time.Second // when the platform stops the instance
)

// collector is where traces and metrics go: an URL that takes OTLP over HTTP. Google's is
// https://telemetry.googleapis.com; see https://docs.cloud.google.com/stackdriver/docs/reference/telemetry/overview.
type collector struct {
	url, project, region, function string
	ratio                          float64
	insecure                       bool // nobody proves anything, as against emulators
}

// open returns a recorder that sends to the collector, or nowhere.
func (c collector) open(ctx context.Context) (*telemetry.Recorder, error) {
	config := telemetry.Config{
		// The platform's revision, not Seltzer's version: to be told that, a function would be
		// deployed anew with each version, whether its package changed or not.
		Service: cmp.Or(os.Getenv("K_SERVICE"), c.function), Version: cmp.Or(os.Getenv("K_REVISION"), "devel"), Instance: uws.NewID(),
		Ratio: c.ratio, Strange: c.function == Soda,
		// By gcp.project_id traces are found, by the others metrics become those of a prometheus_target.
		Attributes: []attribute.KeyValue{
			attribute.String("gcp.project_id", c.project), attribute.String("cloud.region", c.region), attribute.String("cloud.platform", "gcp_cloud_run"),
		},
	}
	if c.url == "" {
		return telemetry.New(config)
	}
	client, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(c.url, "/")
	if config.Spans, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base+"/v1/traces"), otlptracehttp.WithHTTPClient(client)); err != nil {
		return nil, err
	}
	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"), otlpmetrichttp.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	config.Metrics = sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(metricsPeriod))
	return telemetry.New(config)
}

// client returns a client that proves to Google, and to nobody else, which account it is.
func (c collector) client(ctx context.Context) (*http.Client, error) {
	if u, err := url.Parse(c.url); err != nil || c.insecure || !strings.HasSuffix(u.Hostname(), ".googleapis.com") {
		return &http.Client{}, err
	}
	client, _, err := transport.NewClient(context.WithoutCancel(ctx), option.WithScopes("https://www.googleapis.com/auth/cloud-platform"))
	if err != nil {
		return nil, fault.New(fault.Usage, "cloud.Telemetry", "there are no credentials to send telemetry with: %w", err)
	}
	return client, nil
}

// flusher sends what was recorded while there is a processor to do it with: between requests
// the platform takes it away. So the last of the requests at work waits, for its own spans if
// it is traced, and once in a while for the metrics; the answer of a request that is traced
// comes that much later.
type flusher struct {
	recorder *telemetry.Recorder
	working  atomic.Int64
	metrics  atomic.Int64 // when they were sent last, in seconds
}

func (f *flusher) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	f.working.Add(1)
	defer func() {
		if f.working.Add(-1) == 0 {
			f.flush(context.WithoutCancel(r.Context()))
		}
	}()
	next.ServeHTTP(w, r)
}

func (f *flusher) flush(ctx context.Context) {
	if f.recorder == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	_ = f.recorder.FlushSpans(ctx) // what does not get away now is tried again
	last, now := f.metrics.Load(), time.Now().Unix()
	if now-last >= int64(metricsPeriod/time.Second) && f.metrics.CompareAndSwap(last, now) {
		_ = f.recorder.FlushMetrics(ctx)
	}
}
