package api

import (
	"context"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// A job beyond one of these is bulk: for what is less somebody is thought to wait.
const (
	maxInteractive      = 4         // cutouts
	maxInteractiveBytes = 256 << 20 // of results
)

// weighTime is how long all look-ups of headers of one request may take; what is not known by
// then weighs nothing.
const weighTime = 500 * time.Millisecond

// work is how much is asked of the service.
type work struct {
	class uws.Class
	rows  int64 // cutouts
}

// weigh returns how much a request asks for. Nothing is read of archives: sizes are known of
// datasets whose headers are, because they were read here or are held.
func (s *server) weigh(ctx context.Context, caller auth.Caller, request *soda.Request) work {
	cuts := request.Cuts()
	asked := work{uws.Interactive, int64(len(cuts))}
	if len(cuts) > maxInteractive {
		asked.class = uws.Bulk
		return asked
	}
	ctx, cancel := context.WithTimeout(ctx, weighTime)
	defer cancel()
	bytes := int64(0)
	for _, c := range cuts {
		bytes += s.size(ctx, caller, request, c)
	}
	if bytes > maxInteractiveBytes {
		asked.class = uws.Bulk
	}
	return asked
}

// size returns the bytes of one cutout, 0 if they are not known.
func (s *server) size(ctx context.Context, caller auth.Caller, request *soda.Request, c soda.Cut) int64 {
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "a cutout could not be planned", "id", c.ID, "panic", p)
		}
	}()
	dataset, err := s.Archive.Resolve(ctx, c.ID, viewer(caller))
	if err != nil {
		return 0 // its result will say why
	}
	file := dataset.Known(ctx, s.Indexes)
	if file == nil {
		return 0
	}
	plan, err := cutout.New(file, cutout.Asked(request, c))
	if err != nil {
		return 0
	}
	return plan.Size()
}
