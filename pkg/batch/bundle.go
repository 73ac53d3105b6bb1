package batch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/pack"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// A package is closed when it has these bytes, or was open for so long: what is in it then is
// not made again if the worker is lost.
const (
	bundleBytes = 256 << 20
	bundleTime  = 30 * time.Second
	bufferSize  = 256 << 10 // of what is written at once
)

// bundle is a package at work, and the ledger of its rows.
type bundle struct {
	part   *part
	number int // of the part's packages, from 1
	began  time.Time
	out    *objects.Writer // nil: each cutout is an object of its own
	buffer *bufio.Writer   // before out
	writer pack.Writer
	files  []uws.Result // that are objects of their own
	bytes  int64
	lines  []ledger.Row
	lost   error // why the package cannot be gone on with
}

// name returns the name for people of the part's package k, or of a file of that kind.
func (p *part) name(word string, k int, suffix string) string {
	if k > 1 {
		return fmt.Sprintf("%s-%06d-%d%s", word, p.job.Number+1, k, suffix)
	}
	return fmt.Sprintf("%s-%06d%s", word, p.job.Number+1, suffix)
}

// openBundle begins a package for the rows from the one at work on.
func (p *part) openBundle(ctx context.Context) error {
	b := &bundle{part: p, began: time.Now(), number: 1}
	for _, r := range p.Results() {
		if r.Rows > 0 {
			b.number++
		}
	}
	if f := p.options.Package; f.Packs() {
		out, err := p.Config.Results.Create(ctx, fmt.Sprintf("%s/%s-%d%s", p.folder(), p.tag, b.number, f.Suffix), f.MIME)
		if err != nil {
			return err
		}
		nx, ny := p.sides()
		b.buffer = bufio.NewWriterSize(out, bufferSize)
		b.writer, err = f.NewWriter(b.buffer, pack.Options{Names: p.options.Names, Rows: int64(len(p.rows) - p.at), NX: nx, NY: ny})
		if err != nil {
			out.Abort()
			return err
		}
		b.out = out
	}
	p.bundle = b
	return nil
}

func entry(r *row) pack.Entry {
	e := pack.Entry{Row: r.Number, Label: r.Label, ID: r.ID, RA: r.RA, Dec: r.Dec, Position: r.Place}
	if r.Of > 1 {
		e.Of = int(r.Cutout)
	}
	return e
}

// refusals are the kinds of error that cost a package nothing.
var refusals = []fault.Code{fault.Usage, fault.Unsupported, fault.TooLarge, fault.Corrupt}

// add puts a cutout into the package.
func (b *bundle) add(ctx context.Context, r *row, line *ledger.Row, made []byte) error {
	if b.out == nil {
		return b.addFile(ctx, r, line, made)
	}
	place, err := b.writer.Add(entry(r), made)
	if err != nil {
		if !slices.Contains(refusals, fault.CodeOf(err)) {
			b.lost = err
		}
		return err
	}
	line.Name = place.Name
	line.Place(b.part.name("cutouts", b.number, b.part.options.Package.Suffix), place.Offset, place.Length)
	b.bytes += place.Length
	return nil
}

// addFile writes a cutout as an object of its own.
func (b *bundle) addFile(ctx context.Context, r *row, line *ledger.Row, made []byte) error {
	p := b.part
	names := p.options.Names
	if names == nil {
		names = usualNames
	}
	name := names.Name(entry(r))
	out, err := p.Config.Results.Create(ctx, fmt.Sprintf("%s/%s-%d/%s", p.folder(), p.tag, r.Number, name), "application/fits")
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := out.Write(made); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	id := fmt.Sprintf("row-%d", r.Number)
	if r.Of > 1 {
		id = fmt.Sprintf("row-%d-%d", r.Number, r.Cutout)
	}
	b.files = append(b.files, uws.Result{ID: id, Object: out.Name(), Name: flat(name), MIME: "application/fits", Size: out.Size(), CRC32C: out.CRC32C(), Overlap: true})
	line.Name = name
	line.Place(id, 0, int64(len(made)))
	b.bytes += int64(len(made))
	return nil
}

// skip says that a row has no cutout.
func (b *bundle) skip(r *row) error {
	if b.out == nil {
		return nil
	}
	return b.writer.Skip(entry(r))
}

// full reports whether the package shall be closed.
func (b *bundle) full() bool {
	// A table says at its beginning how many rows it has.
	return !b.part.options.Package.Stamps && (b.bytes >= bundleBytes || time.Since(b.began) >= bundleTime)
}

// abort drops the package.
func (b *bundle) abort() {
	if b.out != nil {
		b.out.Abort()
	}
}

// lose drops the package at work, if there is one, and goes back to its first row.
func (p *part) lose() {
	if p.bundle == nil {
		return
	}
	p.bundle.abort()
	p.bundle = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally, p.at = p.sure, int(kept(p.results))
}

// closeBundle ends the package at work, if there is one, and keeps it with its ledger. After
// an error the package is lost.
func (p *part) closeBundle(ctx context.Context) (err error) {
	b := p.bundle
	if b == nil {
		return nil
	}
	ctx, span := telemetry.Wait(ctx, "package.close")
	span.Count("rows", int64(len(b.lines)))
	span.Count("bytes", b.bytes)
	defer func() {
		if err != nil {
			p.lose()
		}
		span.End(err)
	}()
	results := b.files
	if b.out != nil {
		if err := errors.Join(b.writer.Close(), b.buffer.Flush()); err != nil {
			return err
		}
		if err := b.out.Close(); err != nil {
			return err
		}
		results = append(results, uws.Result{
			ID: p.name("cutouts", b.number, ""), Name: p.name("cutouts", b.number, p.options.Package.Suffix), Object: b.out.Name(),
			MIME: p.options.Package.MIME, Size: b.out.Size(), CRC32C: b.out.CRC32C(), Overlap: true,
		})
	}
	sortLines(b.lines)
	kept, err := p.writeLedger(ctx, fmt.Sprintf("%s/%s-%d.ledger", p.folder(), p.tag, b.number), b.lines)
	if err != nil {
		return err
	}
	kept.ID = p.name("ledger", b.number, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range append(results, kept) {
		p.results = append(p.results, r)
		p.objects = append(p.objects, r.Object)
	}
	p.sure = p.tally
	p.bundle = nil
	return nil
}

// sortLines puts lines in the order of a ledger.
func sortLines(lines []ledger.Row) {
	slices.SortFunc(lines, func(x, y ledger.Row) int {
		return cmp.Or(cmp.Compare(x.Row, y.Row), cmp.Compare(x.Cutout, y.Cutout))
	})
}

// writeLedger writes lines as an object.
func (b *Batches) writeLedger(ctx context.Context, name string, lines []ledger.Row) (r uws.Result, err error) {
	format := &ledger.Formats[0]
	out, err := b.Config.Results.Create(ctx, name, format.MIME)
	if err != nil {
		return r, err
	}
	defer out.Abort()
	w, err := format.NewWriter(out)
	if err != nil {
		return r, err
	}
	if err := w.Write(lines...); err != nil {
		return r, err
	}
	if err := w.Close(); err != nil {
		return r, err
	}
	if err := out.Close(); err != nil {
		return r, err
	}
	return uws.Result{Name: name, Object: out.Name(), MIME: format.MIME, Size: out.Size(), CRC32C: out.CRC32C(), Rows: int64(len(lines))}, nil
}

// sides returns the sides of the stamps of a table: those of the first row that says any.
func (p *part) sides() (nx, ny int64) {
	for _, r := range p.rows {
		for _, q := range r.Params {
			if q.Name != "STAMP" {
				continue
			}
			if s, err := soda.ParseStamp(q.Value); err == nil {
				return s.NX, s.NY
			}
		}
	}
	return 0, 0
}

// usualNames names files that nobody gave a template for.
var usualNames, _ = pack.ParseTemplate(pack.DefaultTemplate)

// flat makes one name of a path.
func flat(name string) string { return strings.ReplaceAll(name, "/", "_") }
