package worker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

const here, there = "10 20 0.005", "200 -40 0.01" // circles: one inside the image, one that misses it

// asks sets the parameters of a job.
func asks(pairs ...string) func(*uws.Job) {
	return func(j *uws.Job) {
		j.Params = nil
		for i := 0; i < len(pairs); i += 2 {
			j.Params = append(j.Params, uws.Param{Name: pairs[i], Value: pairs[i+1]})
		}
	}
}

// outline writes each result in one line: its id, file name, media type, and what the text says.
func (b *bench) outline(t *testing.T, results []uws.Result) (lines []string) {
	t.Helper()
	for _, r := range results {
		line := r.ID + " " + r.Name
		if r.MIME == "text/plain" {
			o, err := b.Results.Open(t.Context(), r.Object)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(o)
			o.Close()
			if err != nil || r.Overlap {
				t.Errorf("%s: overlap %t, %v", r.ID, r.Overlap, err)
			}
			line += " " + strings.Join(strings.SplitAfterN(string(text), ":", 3)[:2], "")
		} else if !r.Overlap || r.Failed || r.Size%2880 != 0 {
			t.Errorf("%+v", r)
		}
		lines = append(lines, line)
	}
	return lines
}

func (b *bench) wantResults(t *testing.T, j *uws.Job, phase uws.Phase, want ...string) {
	t.Helper()
	if got := b.outline(t, j.Results); j.Phase != phase || !slices.Equal(got, want) {
		t.Errorf("the job is %s (%+v) with\n%q, want %s with\n%q", j.Phase, j.Failure, got, phase, want)
	}
	var objects []string
	for _, r := range j.Results {
		objects = append(objects, r.Object)
	}
	slices.Sort(objects)
	if kept := b.kept(t, j.ID); !slices.Equal(kept, objects) {
		t.Errorf("the bucket keeps\n%q, want\n%q", kept, objects)
	}
	if len(j.Partial) != 0 {
		t.Errorf("a job that has ended keeps %v", j.Partial)
	}
}

// SODA-28 SODA-41 SODA-42: one result for each combination, those that miss too.
func TestEveryCombinationIsAResult(t *testing.T) {
	b := newBench(t, nil)
	j := b.queued(t, asks("CIRCLE", here, "ID", "ivo://localhost/a?2.fits", "ID", id, "CIRCLE", there, "STAMP", "10 20 5 5"))
	b.work(t, j.ID)
	b.wantResults(t, b.get(t, j.ID), uws.Completed,
		"cutout-0001 2_cutout-0001.fits", "cutout-0002 no_overlap-0002.txt NoOverlap: no overlap:", "cutout-0003 2_cutout-0003.fits",
		"cutout-0004 image_cutout-0004.fits", "cutout-0005 no_overlap-0005.txt NoOverlap: no overlap:", "cutout-0006 image_cutout-0006.fits")
	if n := b.root.opened.Load(); n != 2 {
		t.Errorf("the images were opened %d times, want each once", n)
	}
	j = b.queued(t, asks("ID", id, "CIRCLE", there, "POS", "CIRCLE "+there))
	b.work(t, j.ID)
	b.wantResults(t, b.get(t, j.ID), uws.Completed, "cutout-0001 no_overlap-0001.txt NoOverlap: no overlap:", "cutout-0002 no_overlap-0002.txt NoOverlap: no overlap:")
}

func TestNamesOfResults(t *testing.T) {
	for _, tt := range []struct{ asked, dataset, want string }{
		{"", "image.fits.gz", "image_cutout.fits"}, {"", "m 31.FITS", "m 31_cutout.fits"}, {"", ".fits", ".fits_cutout.fits"},
		{"m31", "x.fits", "m31.fits"}, {"m31.fits", "x.fits", "m31.fits"}, {"m31.fit.gz", "x.fits", "m31.fits"}, {"m31.v2", "x", "m31.v2.fits"},
	} {
		if got := fileName(tt.asked, tt.dataset); got != tt.want {
			t.Errorf("fileName(%q, %q) = %q, want %q", tt.asked, tt.dataset, got, tt.want)
		}
	}
	b := newBench(t, nil)
	one := b.queued(t, asks("ID", id, "CIRCLE", here, "CUTOUTNAME", "m31"))
	two := b.queued(t, asks("ID", id, "CIRCLE", here, "CIRCLE", here, "CUTOUTNAME", "m31.fits"))
	b.work(t, one.ID)
	b.work(t, two.ID)
	b.wantResults(t, b.get(t, one.ID), uws.Completed, "result m31.fits")
	b.wantResults(t, b.get(t, two.ID), uws.Completed, "cutout-0001 m31-0001.fits", "cutout-0002 m31-0002.fits")
}

// One bad combination never costs the others.
func TestOneBadCombination(t *testing.T) {
	const broken, unknown = "ivo://localhost/a?broken.fits", "ivo://localhost/b?x.fits"
	b := newBench(t, nil)
	b.root.spoil = map[string]error{"broken.fits": fault.New(fault.Corrupt, "test", "this is no image")}
	j := b.queued(t, asks("ID", broken, "ID", id, "ID", unknown, "CIRCLE", here))
	b.work(t, j.ID)
	b.wantResults(t, b.get(t, j.ID), uws.Completed,
		"cutout-0001 error-0001.txt Corrupt: this is no image\n", "cutout-0002 image_cutout-0002.fits", "cutout-0003 error-0003.txt NotFound: there is no dataset with the ID \"ivo:")

	b.root.before = func(_ context.Context, n int32) error {
		if n == 3 {
			panic("a fault of ours")
		}
		return nil
	}
	j = b.queued(t, asks("ID", "ivo://localhost/a?x.fits", "ID", id, "CIRCLE", here))
	b.work(t, j.ID)
	if got := b.get(t, j.ID); got.Phase != uws.Completed || !got.Results[0].Failed || !got.Results[1].Overlap {
		t.Errorf("after a panic in the first cut: %s %+v", got.Phase, got.Results)
	}

	j = b.queued(t, asks("ID", broken, "ID", unknown, "CIRCLE", here))
	b.work(t, j.ID)
	got := b.get(t, j.ID)
	if got.Phase != uws.Error || len(got.Results) != 2 || !strings.Contains(got.Failure.Message, "none of the 2 cutouts could be made, each result says why; cutout-0001: this is no image") {
		t.Errorf("SODA-43: all bad: %s %+v %+v", got.Phase, got.Failure, got.Results)
	}
}

// A dataset that is away for a while is asked for again, and the others are not made again.
func TestTransientFailureOfOneDataset(t *testing.T) {
	const away = "ivo://localhost/a?away.fits"
	busy := fault.New(fault.Unavailable, "test", "the disk is away")
	for _, tt := range []struct {
		name string
		back int // attempt in which it is there again
		want []string
	}{
		{"for a while", 2, []string{"cutout-0001 away_cutout-0001.fits", "cutout-0002 away_cutout-0002.fits", "cutout-0003 image_cutout-0003.fits", "cutout-0004 image_cutout-0004.fits"}},
		{"for good", 99, []string{"cutout-0001 error-0001.txt Unavailable: the disk is away\n", "cutout-0002 error-0002.txt Unavailable: the disk is away\n", "cutout-0003 image_cutout-0003.fits", "cutout-0004 image_cutout-0004.fits"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.root.spoil = map[string]error{"away.fits": busy}
			j := b.queued(t, asks("ID", away, "ID", id, "CIRCLE", here, "CIRCLE", here))
			for attempt := 1; attempt <= uws.MaxAttempts; attempt++ {
				if attempt == tt.back {
					delete(b.root.spoil, "away.fits")
				}
				b.work(t, j.ID)
				got := b.get(t, j.ID)
				if got.Phase.Terminal() {
					break
				}
				if len(got.Partial) != 2 || len(got.Results) != 0 || len(b.kept(t, j.ID)) != 2 {
					t.Fatalf("after attempt %d: %d results kept, %d seen, objects %q; want two kept", attempt, len(got.Partial), len(got.Results), b.kept(t, j.ID))
				}
				b.forward(uws.Backoff(attempt) + time.Second)
				b.sweep(t)
			}
			b.wantResults(t, b.get(t, j.ID), uws.Completed, tt.want...)
		})
	}
}

// blockThird holds the opening of the third image up until it is let go.
func blockThird(b *bench) (reached, free chan struct{}) {
	reached, free = make(chan struct{}), make(chan struct{})
	b.root.before = func(ctx context.Context, n int32) error {
		if n != 3 {
			return nil
		}
		close(reached)
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return reached, free
}

var four = asks("ID", "ivo://localhost/a?1.fits", "ID", "ivo://localhost/a?2.fits", "ID", "ivo://localhost/a?3.fits", "ID", "ivo://localhost/a?4.fits", "CIRCLE", here)

func (b *bench) waitKept(t *testing.T, id string, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); len(b.get(t, id).Partial) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 s the job keeps %d results, want %d", len(b.get(t, id).Partial), n)
		}
	}
}

// A worker that is lost after two of four: the next one makes the other two.
func TestBatchGoesOnAfterALostWorker(t *testing.T) {
	b := newBench(t, nil)
	reached, free := blockThird(b)
	b.root.before = func(before func(context.Context, int32) error) func(context.Context, int32) error {
		return func(_ context.Context, n int32) error { return before(context.WithoutCancel(t.Context()), n) } // as if it slept
	}(b.root.before)
	j := b.queued(t, four)
	var lost sync.WaitGroup
	lost.Go(func() { b.work(t, j.ID) })
	<-reached
	b.waitKept(t, j.ID, 2)
	kept := b.get(t, j.ID)
	if p := kept.Progress; len(kept.Results) != 0 || p.Results != 2 || p.Of != 4 {
		t.Errorf("before the end %v can be seen, and the progress is %+v", kept.Results, p)
	}
	b.forward(uws.Lease + uws.SweepGrace + time.Second)
	b.sweep(t)
	b.work(t, j.ID)
	close(free)
	lost.Wait()
	done := b.get(t, j.ID)
	b.wantResults(t, done, uws.Completed, "cutout-0001 1_cutout-0001.fits", "cutout-0002 2_cutout-0002.fits", "cutout-0003 3_cutout-0003.fits", "cutout-0004 4_cutout-0004.fits")
	if done.Attempt != 2 || !slices.Equal(done.Results[:2], kept.Partial) {
		t.Errorf("attempt %d made anew what was kept: %v, was %v", done.Attempt, done.Results[:2], kept.Partial)
	}
	if n := b.root.opened.Load(); n > 6 { // 1 2 3, then 3 4, and the lost one may get to 4
		t.Errorf("%d openings", n)
	}
}

// A worker that is told to stop keeps what it has made, and an abort shows it (UWS-34).
func TestBatchKeepsWhatIsMade(t *testing.T) {
	for _, how := range []string{"stop", "abort"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t, nil)
			reached, _ := blockThird(b)
			j := b.queued(t, four)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var worker sync.WaitGroup
			worker.Go(func() {
				if err := b.Work(ctx, j.ID); err != nil {
					t.Error(err)
				}
			})
			<-reached
			if how == "stop" {
				stop()
				worker.Wait()
				if got := b.get(t, j.ID); len(got.Partial) != 2 || got.Phase != uws.Executing {
					t.Fatalf("%s with %v", got.Phase, got.Partial)
				}
				b.work(t, j.ID)
				b.wantResults(t, b.get(t, j.ID), uws.Completed, "cutout-0001 1_cutout-0001.fits", "cutout-0002 2_cutout-0002.fits", "cutout-0003 3_cutout-0003.fits", "cutout-0004 4_cutout-0004.fits")
				return
			}
			b.waitKept(t, j.ID, 2)
			if _, err := b.jobs.Update(t.Context(), j.ID, func(now time.Time, j *uws.Job) error { return j.Abort(now, "test") }); err != nil {
				t.Fatal(err)
			}
			worker.Wait()
			b.wantResults(t, b.get(t, j.ID), uws.Aborted, "cutout-0001 1_cutout-0001.fits", "cutout-0002 2_cutout-0002.fits")
		})
	}
}

// Many cutouts of one image are one opening of it.
func TestManyCutsOfOneImage(t *testing.T) {
	b := newBench(t, nil)
	pairs := []string{"ID", id}
	for i := range 100 {
		pairs = append(pairs, "STAMP", fmt.Sprintf("%.4f 20 3 3", 9.99+float64(i%20)*0.001))
	}
	j := b.queued(t, asks(pairs...), func(j *uws.Job) { j.ExecutionDuration = 10 * time.Minute })
	b.work(t, j.ID)
	got := b.get(t, j.ID)
	if got.Phase != uws.Completed || len(got.Results) != 100 || got.Results[99].ID != "cutout-0100" || b.root.opened.Load() != 1 {
		t.Errorf("%s with %d results after %d openings", got.Phase, len(got.Results), b.root.opened.Load())
	}
}
