package batch

import (
	"context"

	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// mostTold is how many images of a part a trace tells one by one; those behind them are one
// span together. A part has thousands of rows, each perhaps of an image of its own.
const mostTold = 32

// step does a step of the work as a span, of which it says the counts.
func step(ctx context.Context, name string, do func(ctx context.Context, told telemetry.Span) error) error {
	ctx, span := telemetry.Start(ctx, name)
	err := do(ctx, span)
	span.End(err)
	return err
}

// images tells a trace of the images that an attempt on a part cuts: a span for each, with
// what became of its rows and how much was read. It is called in the order of the rows.
type images struct {
	read *objects.Count // of the archive

	id              string
	ctx             context.Context // of the span; nil: none is open
	span            telemetry.Span
	told            int   // images of the attempt so far that are spans of their own
	together        int64 // images of the span, if it is for several; else 0
	rows            uws.Tally
	bytes, requests int64 // read before the span
}

// enter says of which image the next row is, and returns the context of its span.
func (s *images) enter(ctx context.Context, id string) context.Context {
	switch {
	case s.ctx != nil && s.id == id:
		return s.ctx
	case s.ctx != nil && s.together > 0:
		s.id = id
		s.together++
		return s.ctx
	}
	s.leave(nil)
	name := "image"
	if s.told++; s.told > mostTold {
		name, s.together = "images", 1
	}
	s.id, s.rows = id, uws.Tally{}
	s.bytes, s.requests = s.read.Bytes(), s.read.Requests()
	s.ctx, s.span = telemetry.Start(ctx, name)
	return s.ctx
}

// count says what became of a row of the image.
func (s *images) count(status ledger.Status) {
	s.rows.Rows++
	switch status {
	case ledger.OK:
	case ledger.Empty:
		s.rows.Empty++
	default:
		s.rows.Failed++
	}
}

// leave ends the span, if one is open, and counts what was read of the archive.
func (s *images) leave(err error) {
	if s.ctx == nil {
		return
	}
	bytes, requests := s.read.Bytes()-s.bytes, s.read.Requests()-s.requests
	for _, c := range []struct {
		what string
		n    int64
	}{{"images", s.together}, {"rows", s.rows.Rows}, {"rows.empty", s.rows.Empty}, {"rows.failed", s.rows.Failed}} {
		if c.n > 0 {
			s.span.Count(c.what, c.n)
		}
	}
	s.span.Read(bytes, requests)
	telemetry.From(s.ctx).ArchiveRead(s.ctx, bytes, requests)
	s.span.End(err)
	s.ctx, s.together = nil, 0
}

// wait begins a step of the image at work that waits for somebody else; of one that has no
// span of its own, nothing is told.
func (s *images) wait(ctx context.Context, name string) (context.Context, telemetry.Span) {
	if s.together > 0 {
		return ctx, telemetry.Span{}
	}
	return telemetry.Wait(ctx, name)
}

// counted is a source that counts what is read of it, below what keeps blocks of it.
type counted struct {
	objects.Source
	count *objects.Count
}

// ReadAt implements [objects.Source].
func (c counted) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return objects.Bind(ctx, c.Source, c.count).ReadAt(p, off)
}

// ReadRuns reads as [objects.Reader.ReadRuns] does.
func (c counted) ReadRuns(ctx context.Context, p []byte, n int64, offsets []int64) error {
	return objects.Bind(ctx, c.Source, c.count).ReadRuns(ctx, p, n, offsets)
}
