package worker

import (
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// cutoutRequest says to the engine what a request asks for, which is complete and names one
// region.
func cutoutRequest(r *soda.Request, limits cutout.Limits) cutout.Request {
	request := cutout.Request{
		HDU: r.HDU, Mask: cutout.Mask(r.Mask), Detail: cutout.Detail(r.Detail), Pad: cutout.Pad(r.Pad), Limits: limits,
		Source: cutout.Provenance{ID: r.IDs[0], RequestText: r.Cut(), Date: time.Now().UTC()},
	}
	switch {
	case len(r.Stencils) > 0:
		request.Stencil = r.Stencils[0]
	case len(r.Stamps) > 0:
		request.Stamp = (*cutout.Stamp)(&r.Stamps[0])
	default:
		request.Pixels = r.Pixels[0]
	}
	return request
}
