package batch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// manifestIDs are the ids of the manifests of results, by ledger.Formats.
var manifestIDs = []string{"manifest", "manifest-votable"}

// mergeAtOnce is how many ledgers are merged at once; some hundred kilobytes of each are in
// memory.
const mergeAtOnce = 64

// mergeRows is how many rows are written at once.
const mergeRows = 256

// gather merges the ledgers of all parts of a batch, whose parts have ended, into manifests
// of results, and returns these and the packages. Rows that no ledger holds get the status
// given, and their part's reason; others counts them, as no part did.
func (b *Batches) gather(ctx context.Context, j *uws.Job, rest ledger.Status) (results []uws.Result, others uws.Tally, err error) {
	ctx, span := telemetry.Start(ctx, "gather")
	var packages []uws.Result
	var rows int64
	defer func() {
		span.Count("parts", int64(j.Plan.Parts))
		span.Count("packages", int64(len(packages)))
		span.Count("rows", rows)
		span.End(err)
	}()
	tag := uws.NewID()[:8]
	end := folder(j.ID) + "/end/" + tag
	var ledgers []string
	for n := range j.Plan.Parts {
		part, err := b.Jobs.Get(ctx, uws.PartID(j.ID, n))
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, others, err
		}
		var made []uws.Result
		if part != nil {
			made = part.Results
		}
		for _, r := range made {
			if r.Rows > 0 {
				rows += r.Rows
				ledgers = append(ledgers, r.Object)
			} else {
				packages = append(packages, r)
			}
		}
		if part != nil && part.Phase == uws.Completed {
			continue
		}
		name, err := b.complement(ctx, j, part, n, rest, end, &others)
		if err != nil {
			return nil, others, err
		}
		if name != "" {
			ledgers = append(ledgers, name)
		}
	}
	for round := 0; len(ledgers) > mergeAtOnce; round++ {
		var merged []string
		for some := range slices.Chunk(ledgers, mergeAtOnce) {
			name := fmt.Sprintf("%s/merged-%d-%d", end, round, len(merged))
			if _, err := b.merge(ctx, some, name, ledger.Formats[:1]); err != nil {
				return nil, others, err
			}
			merged = append(merged, name+ledger.Formats[0].Suffix)
		}
		ledgers = merged
	}
	if results, err = b.merge(ctx, ledgers, end+"/manifest", ledger.Formats); err != nil {
		return nil, others, err
	}
	for i := range results {
		results[i].ID, results[i].Name = manifestIDs[i], "manifest"+ledger.Formats[i].Suffix
	}
	return append(results, packages...), others, nil
}

// complement writes a ledger of the rows of part n that no ledger holds, and counts them; "" if
// there are none. part is nil if it was never started.
func (b *Batches) complement(ctx context.Context, j, part *uws.Job, n int, status ledger.Status, end string, count *uws.Tally) (string, error) {
	rows, err := b.planned(ctx, j.ID, n)
	if err != nil {
		return "", err
	}
	reason := "the batch was aborted before the row was reached"
	done := 0
	if part != nil {
		done = int(kept(part.Results))
		if f := part.Failure; f != nil {
			reason, status = f.Message, ledger.Failed
		}
	}
	var lines []ledger.Row
	for _, r := range rows[min(done, len(rows)):] {
		line := ledger.Row{Row: r.Number, Cutout: r.Cutout, Label: r.Label, ID: r.ID, Status: status, Reason: reason}
		if r.Problem != "" {
			line.Status, line.Reason = r.Status, r.Problem
		}
		switch line.Status {
		case ledger.Failed:
			count.Failed++
		case ledger.Empty:
			count.Empty++
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return "", nil
	}
	sortLines(lines)
	kept, err := b.writeLedger(ctx, fmt.Sprintf("%s/rest-%06d", end, n), lines)
	return kept.Object, err
}

// merge merges ledgers into one of each of some formats.
func (b *Batches) merge(ctx context.Context, names []string, into string, formats []ledger.Format) (results []uws.Result, err error) {
	var parts []ledger.Part
	var closers []func()
	defer func() {
		for _, c := range closers {
			c()
		}
	}()
	for _, name := range names {
		parts = append(parts, ledger.Part{Open: func() (*ledger.Reader, error) {
			in, done, err := b.open(ctx, name)
			if err != nil {
				return nil, err
			}
			closers = append(closers, done)
			return ledger.Open(ctx, in, in.Size())
		}})
	}
	var outs []*objects.Writer
	var buffers []*bufio.Writer
	var writers []ledger.Writer
	closed := 0
	defer func() {
		for _, w := range writers[closed:] { // after an error
			_ = w.Close()
		}
	}()
	for i := range formats {
		out, err := b.Config.Results.Create(ctx, into+formats[i].Suffix, formats[i].MIME)
		if err != nil {
			return nil, err
		}
		defer out.Abort()
		buffer := bufio.NewWriterSize(out, bufferSize)
		w, err := formats[i].NewWriter(buffer)
		if err != nil {
			return nil, err
		}
		outs, buffers, writers = append(outs, out), append(buffers, buffer), append(writers, w)
	}
	rows := make([]ledger.Row, 0, mergeRows)
	write := func() error {
		for _, w := range writers {
			if err := w.Write(rows...); err != nil {
				return err
			}
		}
		rows = rows[:0]
		return nil
	}
	if err := ledger.Merge(parts, func(r *ledger.Row) error {
		if rows = append(rows, *r); len(rows) < mergeRows {
			return nil
		}
		return write()
	}); err != nil {
		return nil, err
	}
	if err := write(); err != nil {
		return nil, err
	}
	for i, w := range writers {
		closed++
		if err := errors.Join(w.Close(), buffers[i].Flush()); err != nil {
			return nil, err
		}
		if err := outs[i].Close(); err != nil {
			return nil, err
		}
		results = append(results, uws.Result{Object: outs[i].Name(), MIME: formats[i].MIME, Size: outs[i].Size(), CRC32C: outs[i].CRC32C(), Overlap: true})
	}
	return results, nil
}
