package worker

import (
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// cutoutRequest says to the engine what one cut of a request asks for.
func cutoutRequest(r *soda.Request, c soda.Cut, limits cutout.Limits) cutout.Request {
	asked := cutout.Asked(r, c)
	asked.Limits, asked.Source.Date = limits, time.Now().UTC()
	return asked
}
