package terraform

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// recorded returns the labels of each metric that the functions record, under the names by
// which PromQL knows it: a histogram's end in _bucket, _count and _sum.
func recorded(t *testing.T) map[string]map[string]bool {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	r, err := telemetry.New(telemetry.Config{Service: "test", Metrics: reader})
	if err != nil {
		t.Fatal(err)
	}
	ctx := r.With(t.Context())
	r.JobClaimed(ctx, "bulk", time.Second)
	r.JobEnded(ctx, "bulk", "COMPLETED", 1)
	r.ArchiveRead(ctx, 1, 1)
	r.IndexAsked(ctx, true)
	r.Refused(ctx, fault.Usage)
	_, span := telemetry.Start(ctx, "step")
	span.End(nil)
	r.Serve(http.NewServeMux()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))

	var data metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &data); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]bool{}
	add := func(attributes attribute.Set, names ...string) {
		labels := map[string]bool{}
		for _, a := range attributes.ToSlice() {
			labels[string(a.Key)] = true
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			add(d.DataPoints[0].Attributes, m.Name)
		case metricdata.Histogram[float64]:
			add(d.DataPoints[0].Attributes, m.Name+"_bucket", m.Name+"_count", m.Name+"_sum")
		}
	}
	return all
}

// The dashboard shows what the functions tell of their work: each metric that a tile asks for
// is one that they record, by labels that it has.
func TestTiles(t *testing.T) {
	known := recorded(t)
	asks := regexp.MustCompile(`\{"([^"]+)"`)
	quoted := regexp.MustCompile(`"([a-z_.]+)"`)
	for name, e := range planned(t) {
		var dashboard struct {
			GridLayout struct {
				Widgets []struct {
					Title   string
					XYChart struct {
						DataSets []struct {
							TimeSeriesQuery struct{ PrometheusQuery string }
						}
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(e.of("google_monitoring_dashboard")[0].text("dashboard_json")), &dashboard); err != nil {
			t.Fatal(err)
		}
		shown := map[string]bool{}
		for _, tile := range dashboard.GridLayout.Widgets {
			for _, set := range tile.XYChart.DataSets {
				query := set.TimeSeriesQuery.PrometheusQuery
				metrics := asks.FindAllStringSubmatch(query, -1)
				if query != "" && len(metrics) == 0 {
					t.Errorf("%s: %q asks for no metric: %s", name, tile.Title, query)
				}
				for _, m := range metrics {
					shown[m[1]] = true
					if known[m[1]] == nil {
						t.Errorf("%s: %q shows %s, which no function records", name, tile.Title, m[1])
						continue
					}
					for _, q := range quoted.FindAllStringSubmatch(query, -1) {
						if q[1] != m[1] && q[1] != "true" && !known[m[1]][q[1]] {
							t.Errorf("%s: %q asks for the label %s, which %s has not", name, tile.Title, q[1], m[1])
						}
					}
				}
			}
		}
		for metric := range known {
			if base, ours := strings.CutPrefix(metric, "seltzer."); ours && !shown[metric] {
				switch base {
				case "archive.reads", "refusals", "queue.wait_count", "queue.wait_sum", "stage.duration_count", "stage.duration_sum":
				default:
					t.Errorf("%s: no tile shows %s", name, metric)
				}
			}
		}
	}
}
