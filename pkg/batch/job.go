package batch

import (
	"time"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// NewJob returns a batch whose rows are in an object: one of the results below the batch's own
// folder, or one of the bucket of manifests.
func NewJob(id string, now time.Time, manifest string) *uws.Job {
	return &uws.Job{
		ID: id, Class: uws.Bulk, Kind: uws.Batch, Phase: uws.Pending, Created: now, Shard: uws.DerivedShard(id), Plan: &uws.Plan{Manifest: manifest},
	}
}
