package worker

import (
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// cutoutRequest says to the engine what one cut of a request asks for.
func cutoutRequest(r *soda.Request, c soda.Cut, limits cutout.Limits) cutout.Request {
	return cutout.Request{
		Stencil: c.Region.Stencil, Stamp: (*cutout.Stamp)(c.Region.Stamp), Pixels: c.Region.Pixels,
		HDU: r.HDU, Mask: cutout.Mask(r.Mask), Detail: cutout.Detail(r.Detail), Pad: cutout.Pad(r.Pad), Compress: cutout.Compress(r.Compress), Limits: limits,
		Source: cutout.Provenance{ID: c.ID, RequestText: r.Describe(c), Date: time.Now().UTC()},
	}
}
