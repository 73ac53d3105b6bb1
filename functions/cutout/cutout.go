// Package cutout registers the function cutout, which takes the messages of the queue and
// does the work, and sweeps.
package cutout

import (
	"context"
	"net/http"

	"github.com/seltzer-soda/seltzer/functions/register"
	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/archives"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/drivers"
	"github.com/seltzer-soda/seltzer/pkg/queue/pubsubqueue"
	"github.com/seltzer-soda/seltzer/pkg/worker"
)

func init() { register.HTTP(cloud.Cutout, open) }

func open(ctx context.Context, p *cloud.Parts) (http.Handler, error) {
	recorder, err := p.Telemetry(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := p.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := p.Queue(ctx)
	if err != nil {
		return nil, err
	}
	archive, err := archives.Open(ctx, archives.Config{Authority: p.Authority, Archives: p.Archives, Groups: p.Groups})
	if err != nil {
		return nil, err
	}
	p.Keep(archive.Close)
	results, err := objects.OpenBucket(ctx, "gs://"+p.ResultsBucket)
	if err != nil {
		return nil, err
	}
	p.Keep(results.Close)
	held, err := firestoreholdings.Open(ctx, firestoreholdings.Config{Project: p.Project, Database: p.Database})
	if err != nil {
		return nil, err
	}
	p.Keep(held.Close)
	known := indexes.New(worker.IndexMemory, holdings.Headers(held))
	batches := batch.Config{
		Jobs: jobs, Queue: queue, Archive: archive, Results: results, Finder: holdings.NewFinder(held, archive),
		Indexes: known, Quota: p.Quota(jobs), RowsOwner: p.BatchOwner, Execution: p.MaxExecution, Version: p.Version, Log: p.Log,
	}
	if p.BatchBucket != "" {
		manifests, err := drivers.OpenRoot(ctx, "gs://"+p.BatchBucket)
		if err != nil {
			return nil, err
		}
		p.Keep(manifests.Close)
		batches.Manifests = manifests
	}
	if p.TopicJobEnded != "" {
		ended, err := pubsubqueue.OpenEnded(ctx, p.Project, p.TopicJobEnded)
		if err != nil {
			return nil, err
		}
		p.Keep(ended.Close)
		batches.Teller = ended
	}
	w, err := worker.New(worker.Config{
		Jobs: jobs, Queue: queue, Archive: archive, Results: results, Batches: batch.New(batches), Indexes: known,
		Memory: p.Memory, MaxBytes: p.MaxCutout, Version: p.Version, ErrorText: api.ErrorText, Log: p.Log,
	})
	if err != nil {
		return nil, err
	}
	work := recorder.Carry(w.Handler())
	pushed, err := p.Only(work, p.PushAccount)
	if err != nil {
		return nil, err
	}
	swept, err := p.Only(work, p.SweepAccount)
	if err != nil {
		return nil, err
	}
	indexer := &holdings.Indexer{Store: held, Archive: archive}
	told, err := p.Only(recorder.Carry(indexer.Notifications(archive.IDs, p.Log)), p.PushAccount)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", pushed)
	mux.Handle("/objects", told)
	mux.Handle("/sweep", swept)
	return mux, nil
}
