package local

import (
	"context"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/footprint"
)

// Example is a request that gives a small cutout.
type Example struct{ ID, Circle string }

// Curl returns the shell command that sends the request to a service and keeps the answer.
func (e Example) Curl(publicURL string) string { return api.Curl(publicURL, e.ID, "CIRCLE", e.Circle) }

// Example returns a request for the middle of the first image of the archives that has a
// sky; ok is false if none of the first few has.
func (s *Service) Example(ctx context.Context) (e Example, ok bool) {
	ids, err := s.archives.Examples(ctx, exampleLimit)
	if err != nil {
		return e, false
	}
	for _, id := range ids {
		if circle, ok := s.circle(ctx, id); ok {
			return Example{ID: id, Circle: circle}, true
		}
	}
	return e, false
}

// circle returns a small circle in a dataset.
func (s *Service) circle(ctx context.Context, id string) (string, bool) {
	dataset, err := s.archives.Resolve(ctx, id, archive.Viewer{})
	if err != nil {
		return "", false
	}
	source, err := dataset.Open(ctx)
	if err != nil {
		return "", false
	}
	defer source.Close()
	file, err := dataset.FITS(ctx, s.indexes, source, nil)
	if err != nil {
		return "", false
	}
	return footprint.Of(file.Index).Example()
}
