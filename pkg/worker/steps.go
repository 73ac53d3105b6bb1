package worker

import (
	"context"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// mostTold is how many reads of a job's archives a trace tells one by one. Beside them each
// step says how many it made.
const mostTold = 64

// step does a step of the work on the dataset at work, as a span that says what it read. The
// reads of an archive across a network are spans below it; those of a file are too short.
func (b *cutting) step(ctx context.Context, name string, do func(ctx context.Context) error) error {
	ctx, span := telemetry.Start(ctx, name)
	bytes, requests := b.count.Bytes(), b.count.Requests()
	if fits.CostOf(b.dataset.Root.String()).Latency > 0 {
		b.reading.Store(&ctx)
		defer b.reading.Store(nil)
	}
	err := do(ctx)
	span.Read(b.count.Bytes()-bytes, b.count.Requests()-requests)
	span.End(err)
	return err
}

// observe is what the count of reads calls when one begins.
func (b *cutting) observe() (done func(n int64, err error)) {
	ctx := b.reading.Load()
	if ctx == nil || b.told.Add(1) > mostTold {
		return func(int64, error) {}
	}
	_, span := telemetry.Wait(*ctx, "read")
	return func(n int64, err error) {
		span.Read(n, 1)
		span.End(err)
	}
}
