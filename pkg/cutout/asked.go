package cutout

import "github.com/seltzer-soda/seltzer/pkg/soda"

// Asked returns what one cut of a request of SODA asks for, without the origin that headers
// shall tell.
func Asked(r *soda.Request, c soda.Cut) Request {
	return Request{
		Stencil: c.Region.Stencil, Stamp: (*Stamp)(c.Region.Stamp), Pixels: c.Region.Pixels,
		HDU: r.HDU, Mask: Mask(r.Mask), Detail: Detail(r.Detail), Pad: Pad(r.Pad), Compress: Compress(r.Compress),
		Source: Provenance{ID: c.ID, RequestText: r.Describe(c)},
	}
}
