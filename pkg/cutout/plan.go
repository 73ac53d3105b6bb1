// Package cutout cuts the part of a FITS file that a stencil touches.
package cutout

import (
	"context"
	"io"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Plan is what will be cut out of one file. It is immutable; writing it twice writes the
// same bytes.
type Plan struct {
	file    *fits.File
	parts   []Part
	dropped []Drop
	size    int64
}

// New decides what to cut out of file. It reads no pixel.
//
// The error is [fault.NoOverlap] if the stencil touches no pixel, [fault.Unsupported] or
// [fault.Corrupt] if no image of the file can be cut, [fault.TooLarge] if the cutout would
// be over a limit, [fault.Usage] if the HDU asked for does not exist.
func New(file *fits.File, req Request) (*Plan, error) {
	return nil, fault.New(fault.Internal, "cutout.New", "not yet")
}

// Size returns the size of the cutout in bytes.
func (p *Plan) Size() int64 { return p.size }

// Parts returns the HDUs of the cutout in their order.
func (p *Plan) Parts() []Part { return p.parts }

// Dropped returns the HDUs of the source that the cutout does not hold, and why.
func (p *Plan) Dropped() []Drop { return p.dropped }

// WriteTo writes the cutout to w as a FITS file and returns the number of bytes.
func (p *Plan) WriteTo(ctx context.Context, w io.Writer) (n int64, err error) {
	return 0, fault.New(fault.Internal, "cutout.Plan.WriteTo", "not yet")
}
