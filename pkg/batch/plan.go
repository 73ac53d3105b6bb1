package batch

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/manifest"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// planning is an attempt that divides the rows of a batch into parts: it writes them in
// runs, each in order, and merges the runs into parts. A run or a part that is there was
// written by an earlier attempt, and stays. So a plan goes on where it was, whatever the
// archive and its index have become since.
type planning struct {
	*Batches
	job     *uws.Job
	options *Options

	rows  int64 // of the manifest, that are in runs
	total int64 // of the plan
	parts int
}

func (b *Batches) newPlanning(j *uws.Job) (*planning, error) {
	options, err := Read(j.Params)
	if err != nil {
		return nil, err
	}
	return &planning{Batches: b, job: j, options: options}, nil
}

// Run implements [Attempt].
func (p *planning) Run(ctx context.Context) error {
	var runs []run
	err := step(ctx, "manifest.read", func(ctx context.Context, told telemetry.Span) (err error) {
		runs, err = p.scan(ctx)
		told.Count("rows", p.rows)
		return err
	})
	if err == nil && p.Quota != nil && p.job.Rows == 0 {
		err = p.Quota.Grow(ctx, p.job.Owner, p.rows)
	}
	if err != nil {
		return err
	}
	return step(ctx, "manifest.divide", func(ctx context.Context, told telemetry.Span) error {
		err := p.divide(ctx, runs)
		told.Count("rows", p.total)
		told.Count("parts", int64(p.parts))
		return err
	})
}

// GiveUp implements [Attempt].
func (p *planning) GiveUp(context.Context) error {
	return fault.New(fault.Unavailable, "batch.plan", "the manifest could not be planned")
}

// Results implements [Attempt].
func (p *planning) Results() []uws.Result { return nil }

// Objects implements [Attempt].
func (p *planning) Objects() []string { return nil }

// Close implements [Attempt].
func (p *planning) Close() {}

// Note implements [Attempt].
func (p *planning) Note(*uws.Job) []uws.Result { return p.Results() }

// End implements [Attempt].
func (p *planning) End(now time.Time, claim string, j *uws.Job) error {
	return j.Planned(now, claim, p.rows, p.total, p.parts, p.Lanes)
}

// run is a run of rows in order.
type run struct {
	name string
	rows int64 // of the manifest
}

// runs returns the runs that are there, without a gap.
func (p *planning) runs(ctx context.Context) (found []run, err error) {
	prefix := folder(p.job.ID) + "/plan/run-"
	for name, err := range p.Batches.Results.List(ctx, folder(p.job.ID)+"/plan") {
		if err != nil {
			return nil, err
		}
		rest, ok := strings.CutPrefix(name, prefix)
		_, count, _ := strings.Cut(rest, "-")
		rows, err := strconv.ParseInt(count, 10, 64)
		if ok && err == nil {
			found = append(found, run{name, rows})
		}
	}
	slices.SortFunc(found, func(a, b run) int { return strings.Compare(a.name, b.name) })
	for i, r := range found {
		if r.name != runName(p.job.ID, i, r.rows) {
			return found[:i], nil
		}
	}
	return found, nil
}

// scan reads the manifest and writes its rows in runs, after those that are there.
func (p *planning) scan(ctx context.Context) ([]run, error) {
	runs, err := p.runs(ctx)
	if err != nil {
		return nil, err
	}
	p.rows = 0
	for _, r := range runs {
		p.rows += r.rows
	}
	if n := len(runs); n > 0 && runs[n-1].rows < runRows {
		return runs, nil // all rows
	}
	in, err := p.openManifest(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	reader, err := manifest.Open(ctx, objects.Bind(ctx, in, nil), in.Size(), in.Name(), p.options.Defaults...)
	if err != nil {
		return nil, err
	}
	var rows []manifest.Row
	var problems []error
	write := func() error {
		name := runName(p.job.ID, len(runs), int64(len(rows)))
		if err := p.writeRun(ctx, name, rows, problems); err != nil {
			return err
		}
		runs = append(runs, run{name, int64(len(rows))})
		p.rows += int64(len(rows))
		rows, problems = rows[:0], problems[:0]
		return nil
	}
	for r, err := range reader.Rows(p.rows + 1) {
		if r.Number == 0 && err != nil {
			return nil, err
		}
		rows, problems = append(rows, r), append(problems, err)
		if len(rows) == runRows {
			if err := write(); err != nil {
				return nil, err
			}
		}
	}
	if len(rows) > 0 {
		return runs, write()
	}
	return runs, nil
}

// openManifest opens the manifest where the job says it is.
func (p *planning) openManifest(ctx context.Context) (objects.Source, error) {
	name := p.job.Plan.Manifest
	if strings.HasPrefix(name, folder(p.job.ID)+"/") {
		return p.stored.Open(ctx, name)
	}
	if p.Manifests == nil {
		return nil, fault.New(fault.Usage, "batch.plan", "this service has no bucket of manifests; send the file itself as %s", Manifest)
	}
	owner, err := Owner(name)
	if err != nil || owner != p.job.Owner {
		return nil, fault.New(fault.Forbidden, "batch.plan", "the manifest %.200q is not yours; want one below %s", name, Folder(p.job.Owner))
	}
	return p.Manifests.Open(ctx, name)
}

// writeRun writes rows of the manifest in the order in which they are cut.
func (p *planning) writeRun(ctx context.Context, name string, rows []manifest.Row, problems []error) error {
	all, err := p.expand(ctx, rows, problems)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *row) int { return compare(a, b) })
	return p.store(ctx, name, slices.Values(all))
}

// store writes an object of rows, unless it is there.
func (b *Batches) store(ctx context.Context, name string, rows func(yield func(*row) bool)) error {
	out, err := b.Config.Results.Create(ctx, name, "application/octet-stream")
	if err != nil {
		return err
	}
	defer out.Abort()
	buf := make([]byte, 0, 128<<10)
	for r := range rows {
		if buf = r.append(buf); len(buf) >= 64<<10 {
			if _, err := out.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if _, err := out.Write(buf); err != nil {
		return err
	}
	if err := out.Close(); err != nil && !errors.Is(err, objects.ErrExists) {
		return err
	}
	return nil
}

// expand finds the images of rows that name none: each of them is a cutout of the row.
func (p *planning) expand(ctx context.Context, rows []manifest.Row, problems []error) ([]*row, error) {
	var positions []sky.Vec
	for i, r := range rows {
		if problems[i] == nil && r.ID == "" && r.Position {
			positions = append(positions, sky.FromDegrees(r.RA, r.Dec))
		}
	}
	var found [][]string
	if len(positions) > 0 && p.Finder != nil {
		ctx, span := telemetry.Wait(ctx, "holdings.find")
		span.Count("rows", int64(len(positions)))
		var err error
		found, err = p.Finder.Holding(ctx, archive.Owner(p.job), positions)
		if span.End(err); err != nil {
			return nil, err
		}
	}
	backing := make([]row, 0, len(rows))
	add := func(r manifest.Row, id string, cutout, of int) *row {
		backing = append(backing, row{
			Number: r.Number, Cutout: int32(cutout), Of: int32(of), Label: r.Label, ID: id, Params: r.Params, RA: r.RA, Dec: r.Dec, Place: r.Position,
		})
		return &backing[len(backing)-1]
	}
	for i, r := range rows {
		switch {
		case problems[i] != nil:
			bad := add(r, r.ID, 1, 1)
			bad.Params, bad.Problem, bad.Status = nil, fault.Sentence(problems[i]), ledger.Failed
		case r.ID != "":
			add(r, r.ID, 1, 1)
		case p.Finder == nil:
			bad := add(r, "", 1, 1)
			bad.Problem, bad.Status = "the row names no image, and this service has no index of its images by position: want a column ID", ledger.Failed
		default:
			ids := found[0]
			found = found[1:]
			for k, id := range ids {
				add(r, id, k+1, len(ids))
			}
			if len(ids) == 0 {
				none := add(r, "", 1, 1)
				none.Problem, none.Status = "no image holds the position", ledger.Empty
			}
		}
	}
	all := make([]*row, len(backing))
	for i := range backing {
		all[i] = &backing[i]
	}
	return all, nil
}
