package local

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"

	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/tracefile"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// closeTime is for the last spans when the service stops.
const closeTime = 5 * time.Second

// openTelemetry sets up what the service records: traces of every request into a file,
// metrics for who asks [Service.Metrics], or nothing.
func (s *Service) openTelemetry() (err error) {
	c := telemetry.Config{Service: "seltzer", Version: s.config.Version, Instance: uws.NewID(), Ratio: 1, Strange: true}
	if s.config.Traces != "" {
		if c.Spans, err = tracefile.Create(s.config.Traces); err != nil {
			return err
		}
	}
	if s.config.Metrics {
		registry := prometheus.NewRegistry()
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		if c.Metrics, err = exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo()); err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		s.Metrics = mux
	}
	s.recorder, err = telemetry.New(c)
	return err
}

func (s *Service) closeTelemetry() error {
	if s.recorder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return s.recorder.Close(ctx)
}
