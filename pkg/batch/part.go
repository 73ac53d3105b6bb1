package batch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/pack"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// plainPixels is how many pixels a stamp may have to be stored as they are unless COMPRESS says
// otherwise: programs that read a million of them take them out of a package by their places,
// and tiles of noise are hardly smaller.
const plainPixels = 512 * 512

// What the rows of a part share takes in bytes: decoded tiles, and blocks of the image at work.
const (
	tileMemory  = 48 << 20
	blockMemory = 24 << 20
)

// part is an attempt on a part of a batch. Rows are cut in their order into a package; a
// package is closed when it is large or old, and is kept with the ledger of its rows, so that
// the next attempt goes on behind them.
type part struct {
	*Batches
	job     *uws.Job // the part
	batch   *uws.Job
	options *Options
	rows    []*row
	at      int // the row at work
	tag     string

	dataset *archive.Dataset // the image at work; nil: none
	source  objects.Source
	count   objects.Count // what was read of the archive
	images  images
	tiles   *fits.TileCache
	away    error // why the image of the row at work cannot be cut now, in the last attempt
	last    bool  // what fails counts as failed
	buffer  bytes.Buffer
	bundle  *bundle // nil: none is open

	mu      sync.Mutex
	results []uws.Result // complete
	tally   uws.Tally    // of all rows so far …
	sure    uws.Tally    // … and of those in results
	objects []string
}

func (b *Batches) newPart(j *uws.Job) *part {
	p := &part{Batches: b, job: j, tag: uws.NewID()[:8], tiles: fits.NewTileCache(tileMemory), results: slices.Clone(j.Partial), tally: j.Tally, sure: j.Tally}
	p.images.read = &p.count
	return p
}

// Run implements [Attempt].
func (p *part) Run(ctx context.Context) (err error) {
	if err := step(ctx, "part.read", func(ctx context.Context, told telemetry.Span) error {
		err := p.prepare(ctx)
		told.Count("rows", int64(len(p.rows)))
		return err
	}); err != nil {
		return err
	}
	defer func() { p.images.leave(err) }()
	for p.at < len(p.rows) {
		if err := p.People.Yield(ctx); err != nil {
			return err
		}
		if err := p.next(ctx); err != nil {
			return err
		}
	}
	p.images.leave(nil)
	return p.closeBundle(ctx)
}

// prepare reads the rows of the part, and goes behind those that are in the ledger.
func (p *part) prepare(ctx context.Context) (err error) {
	if p.rows != nil {
		return nil
	}
	if p.batch, err = p.Jobs.Get(ctx, p.job.Parent); err != nil {
		return err
	}
	if p.options, err = Read(p.batch.Params); err != nil {
		return err
	}
	rows, err := p.planned(ctx, p.job.Parent, p.job.Number)
	if err != nil {
		return err
	}
	p.rows = rows
	p.at = int(kept(p.results))
	p.tally = p.sure
	p.tally.Rows, p.sure.Rows = int64(len(rows)), int64(len(rows))
	return nil
}

// planned returns the rows of part n of a batch.
func (b *Batches) planned(ctx context.Context, batch string, n int) (rows []*row, err error) {
	o, err := b.Config.Results.Open(ctx, partName(batch, n))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	for in := newRowReader(o); ; {
		r, err := in.next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
}

// kept returns how many rows the ledgers among results hold.
func kept(results []uws.Result) (rows int64) {
	for _, r := range results {
		rows += r.Rows
	}
	return rows
}

// next does the row at work. The error is transient, or that of the package.
func (p *part) next(ctx context.Context) error {
	r := p.rows[p.at]
	if p.at > 0 && p.rows[p.at-1].ID != r.ID {
		p.away = nil
	}
	if p.bundle == nil {
		if err := p.openBundle(ctx); err != nil {
			return err
		}
	}
	seen := p.images.enter(ctx, r.ID)
	line := ledger.Row{Row: r.Number, Cutout: r.Cutout, Label: r.Label, ID: r.ID}
	err := p.away
	switch {
	case r.Problem != "":
		line.Status, line.Reason = r.Status, r.Problem
	case err == nil:
		err = p.cutSafely(seen, r, &line)
	}
	if p.bundle.lost != nil {
		lost := p.bundle.lost
		p.lose()
		return lost
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line.Status, line.Reason = ledger.Empty, fault.Sentence(err)
		if fault.CodeOf(err) != fault.NoOverlap {
			line.Status = ledger.Failed
			p.closeImage() // what comes next shall open it anew
			if fault.Transient(err) {
				if !p.last {
					return err
				}
				p.away = err
			}
		}
	}
	if line.Status != ledger.OK {
		if err := p.bundle.skip(r); err != nil {
			p.lose()
			return err
		}
	}
	p.note(line)
	p.at++
	if p.bundle.full() {
		return p.closeBundle(ctx)
	}
	return nil
}

// note counts a row and writes it into the ledger of the package.
func (p *part) note(line ledger.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch line.Status {
	case ledger.OK:
		p.tally.Done++
		p.tally.Bytes += *line.Length
	case ledger.Empty:
		p.tally.Empty++
	default:
		p.tally.Failed++
	}
	p.images.count(line.Status)
	p.bundle.lines = append(p.bundle.lines, line)
}

// cutSafely is cut, with a panic turned into an error: a row that meets a fault of ours must
// not end the others.
func (p *part) cutSafely(ctx context.Context, r *row, line *ledger.Row) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.Log.ErrorContext(ctx, "panic", "job", p.job.Parent, "row", r.Number, "panic", v, "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "batch.cut", "panic: %v", v)
		}
	}()
	return p.cut(ctx, r, line)
}

// cut makes the cutout of a row and adds it to the package.
func (p *part) cut(ctx context.Context, r *row, line *ledger.Row) error {
	if err := p.openImage(ctx, r.ID); err != nil {
		return err
	}
	asked, err := soda.Read(r.Params)
	if err != nil {
		return err
	}
	c := soda.Cut{ID: r.ID}
	if len(asked.Regions) > 0 {
		c.Region = asked.Regions[0]
	}
	if s := c.Region.Stamp; s != nil && s.NX*s.NY <= plainPixels && asked.Compress == "" {
		asked.Compress = string(cutout.CompressNone)
	}
	request := cutout.Asked(asked, c)
	request.Limits.MaxBytes = maxCutout
	request.Source.Date = p.job.Started // the same however often it is made
	request.Source.Object, request.Source.Generation, request.Source.Version = p.dataset.Object, p.source.Generation(), p.Version
	file, err := p.dataset.FITS(ctx, p.Indexes, p.source, nil)
	if err != nil {
		return err
	}
	file.Tiles = p.tiles
	plan, err := cutout.New(file, request)
	if err != nil {
		return err
	}
	p.buffer.Reset()
	if _, err := plan.WriteTo(ctx, &p.buffer); err != nil {
		return err
	}
	if err := p.bundle.add(ctx, r, line, p.buffer.Bytes()); err != nil {
		return err
	}
	describe(line, plan, p.buffer.Bytes())
	line.Status = ledger.OK
	return nil
}

// describe says in the ledger which pixels a cutout holds.
func describe(line *ledger.Row, plan *cutout.Plan, made []byte) {
	for _, part := range plan.Parts() {
		if part.Role != cutout.Cut && part.Role != cutout.Plane {
			continue
		}
		overlap := 1.
		line.Box = line.Box[:0]
		for axis := range part.Box.Axes() {
			line.Box = append(line.Box, part.Box.Min[axis]+1, part.Box.Max[axis])
			overlap *= float64(part.Box.Size(axis)) / float64(part.Frame.Size(axis))
		}
		line.Overlap = &overlap
		break
	}
	if m, ok, err := pack.Measure(made); err == nil && ok {
		line.Valid = &m.Valid
		if m.Valid > 0 {
			line.Min, line.Max, line.Mean = &m.Min, &m.Max, &m.Mean
		}
	}
}

// openImage opens the image of an ID, unless it is the one at work.
func (p *part) openImage(ctx context.Context, id string) (err error) {
	if p.dataset != nil && p.dataset.ID == id {
		return nil
	}
	p.closeImage()
	ctx, span := p.images.wait(ctx, "archive.open")
	defer func() { span.End(err) }()
	dataset, err := p.Archive.Resolve(ctx, id, archive.Owner(p.job))
	if err != nil {
		return err
	}
	source, err := dataset.Open(ctx)
	if err != nil {
		return err
	}
	source = counted{source, &p.count}
	if p.many() > source.Size() {
		source = objects.Blocks(source, blockMemory)
	}
	p.dataset, p.source = dataset, source
	return nil
}

// many is how large an image may be, in bytes, of which it costs less to read all that is
// near the cutouts from the row at work on, and once, than the rows of pixels of each.
func (p *part) many() (bytes int64) {
	id := p.rows[p.at].ID
	for _, r := range p.rows[p.at:] {
		if r.ID != id {
			break
		}
		bytes += 256 << 10 // what a disk reads in the time that some sixty reads take
	}
	return bytes
}

func (p *part) closeImage() {
	if p.dataset != nil {
		_ = p.source.Close() // it was read, and no more
		p.dataset = nil
	}
}

// GiveUp implements [Attempt].
func (p *part) GiveUp(ctx context.Context) error {
	if p.rows == nil {
		return fault.New(fault.Unavailable, "batch.part", "the rows of the part could not be read")
	}
	p.last = true
	return p.Run(ctx)
}

// Results implements [Attempt].
func (p *part) Results() []uws.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.results)
}

// Note implements [Attempt].
func (p *part) Note(j *uws.Job) []uws.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.Tally = p.sure
	j.Progress.Results, j.Progress.Of = int(p.tally.Seen()), int(p.tally.Rows)
	return slices.Clone(p.results)
}

// End implements [Attempt].
func (p *part) End(now time.Time, claim string, j *uws.Job) error {
	return j.Complete(now, claim, p.Results())
}

// Objects implements [Attempt].
func (p *part) Objects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.objects)
}

// Close implements [Attempt].
func (p *part) Close() {
	p.closeImage()
	if p.bundle != nil {
		p.bundle.abort()
		p.bundle = nil
	}
	p.Log.Debug("part", "job", p.job.Parent, "part", p.job.Number, "bytesRead", p.count.Bytes(), "requests", p.count.Requests())
}

// Stop closes the package at work, so that what is made is kept when the batch is aborted or
// the worker stops.
func (p *part) Stop(ctx context.Context) error {
	if p.bundle == nil || len(p.bundle.lines) == 0 {
		return nil
	}
	return p.closeBundle(ctx)
}

// folder is where the objects of the part are.
func (p *part) folder() string {
	return fmt.Sprintf("%s/parts/%06d", folder(p.job.Parent), p.job.Number)
}
