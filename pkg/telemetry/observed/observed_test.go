package observed_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/jobstoretest"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/observed"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func open(t *testing.T) jobstore.Store {
	t.Helper()
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	jobs, err := sqlitejobs.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return observed.Jobs(jobs)
}

func TestContract(t *testing.T) { jobstoretest.Run(t, open) }

type refusing struct{}

func (refusing) Publish(context.Context, uws.Class, string) error { return errors.New("no") }
func (refusing) Check(context.Context) error                      { return nil }
func (refusing) SignedURL(context.Context, signing.Request) (string, error) {
	return "", errors.New("no")
}

// Jobs are counted where they end, whoever ends them, and once; a part is none.
func TestJobsAreCounted(t *testing.T) {
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	r, err := telemetry.New(telemetry.Config{Service: "test", Spans: spans, Ratio: 1, Metrics: reader})
	if err != nil {
		t.Fatal(err)
	}
	ctx := r.With(t.Context())
	jobs := open(t)
	create := func(id string, kind uws.Kind) {
		t.Helper()
		now := time.Now().UTC()
		j := &uws.Job{ID: id, Kind: kind, Class: uws.Bulk, Phase: uws.Pending, Created: now, ExecutionDuration: time.Minute}
		j.DestroyAt(now.Add(time.Hour), time.Hour)
		if _, err := j.Run(now); err != nil {
			t.Fatal(err)
		}
		if err := jobs.Create(ctx, j); err != nil {
			t.Fatal(err)
		}
	}
	update := func(id string, change func(now time.Time, j *uws.Job) error) {
		t.Helper()
		if _, err := jobs.Update(ctx, id, change); err != nil {
			t.Fatal(err)
		}
	}
	create("done", uws.Async)
	update("done", func(now time.Time, j *uws.Job) error { j.Take(now, "c"); return nil })
	update("done", func(now time.Time, j *uws.Job) error { return jobstore.Unchanged })
	update("done", func(now time.Time, j *uws.Job) error {
		return j.Complete(now, "c", []uws.Result{{ID: "a", Size: 3}, {ID: "b", Size: 4}})
	})
	update("done", func(now time.Time, j *uws.Job) error { return j.Advance(uws.Archived, now) })
	create("part", uws.Part)
	update("part", func(now time.Time, j *uws.Job) error { j.Take(now, "c"); return nil })
	update("part", func(now time.Time, j *uws.Job) error { return j.Complete(now, "c", []uws.Result{{ID: "a", Size: 5}}) })
	create("aborted", uws.Async)
	update("aborted", func(now time.Time, j *uws.Job) error { return j.Abort(now, "why") })
	within := &uws.Job{ID: "within", Kind: uws.Async, Class: uws.Bulk, Phase: uws.Pending, Created: time.Now().UTC()}
	if _, err := jobs.CreateWithin(ctx, within, jobstore.Room{Jobs: 100, Rows: 100}); err != nil {
		t.Fatal(err)
	}
	_, useErr := jobs.Use(ctx, "", time.Time{})
	_, freedErr := jobs.Freed(ctx, "", time.Time{}, 1)
	_, activeErr := jobs.Active(ctx, uws.Bulk)
	_, partsErr := jobs.Parts(ctx, "done")
	if err := errors.Join(useErr, freedErr, activeErr, partsErr); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Get(ctx, "done"); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.List(ctx, jobstore.Filter{All: true}); err != nil {
		t.Fatal(err)
	}
	if observed.Queue(refusing{}).Publish(ctx, uws.Bulk, "x") == nil {
		t.Error("the queue's error is lost")
	}
	if _, err := observed.Signer(refusing{}).SignedURL(ctx, signing.Request{}); err == nil {
		t.Error("the signer's error is lost")
	}

	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				got[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = float64(p.Value)
			}
		case metricdata.Histogram[float64]:
			if m.Name == "seltzer.queue.wait" {
				got[m.Name] = float64(d.DataPoints[0].Count)
			}
		}
	}
	want := map[string]float64{
		"seltzer.jobs.ended seltzer.job.class=bulk,seltzer.job.phase=COMPLETED": 1,
		"seltzer.jobs.ended seltzer.job.class=bulk,seltzer.job.phase=ABORTED":   1,
		"seltzer.results.delivered ":                                            7,
		"seltzer.queue.wait":                                                    2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("metrics %v, want %v", got, want)
	}
	if err := r.FlushSpans(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, s := range spans.GetSpans() {
		names[s.Name]++
		if !slices.Contains(s.Attributes, telemetry.Waits.Bool(true)) {
			t.Errorf("%s does not say that it waits", s.Name)
		}
	}
	if want := map[string]int{"jobs.create": 4, "jobs.update": 7, "jobs.get": 1, "jobs.list": 1, "jobs.use": 2, "jobs.active": 1, "jobs.parts": 1, "queue.publish": 1, "sign": 1}; !maps.Equal(names, want) {
		t.Errorf("spans %v, want %v", names, want)
	}
}
