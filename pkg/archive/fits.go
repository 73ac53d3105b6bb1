package archive

import (
	"context"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// FITS opens the dataset's object, which source is, as a FITS file: headers that the cache
// knows are not read again. Reads end with ctx and are counted. Errors are those of
// [indexes.Cache.Open].
func (d *Dataset) FITS(ctx context.Context, cache *indexes.Cache, source objects.Source, count *objects.Count) (*fits.File, error) {
	key := indexes.Key{Object: d.ID, Generation: source.Generation()}
	return cache.Open(ctx, key, objects.Bind(ctx, source, count), source.Size(), fits.CostOf(d.Root.String()))
}

// Known returns the dataset's headers as the cache, or who keeps indexes for it, knows them,
// perhaps of a former generation, or nil: nothing is asked of the archive, and the file's
// pixels cannot be read.
func (d *Dataset) Known(ctx context.Context, cache *indexes.Cache) *fits.File {
	return cache.Known(ctx, d.ID)
}
