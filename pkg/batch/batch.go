// Package batch makes cutouts by the million: a job whose rows stand in a manifest becomes
// parts, which workers execute, packages of cutouts, and a manifest of results that says
// what became of each row.
//
// A batch is a job of kind batch (package uws). Its manifest is an object: uploaded with the
// request that made the job, or in the bucket of manifests under owners/<owner>/, where
// whoever may write is that owner (owners.go). An [Order] makes a batch out of a message.
//
// Planning (plan.go) sorts the rows by image and position and divides them into parts, each
// bounded in work. Executing a part (part.go) opens each image once, streams its cutouts into
// a package and keeps a ledger of its rows. Ending a batch (end.go) merges the ledgers and
// lists packages. What is held in memory by none of them grows with the number of rows, each
// of them can be done again by another worker after any of its steps, and each row comes
// into the ledger once.
//
// Objects of a batch, all below results/<job>/ so that they go with the job:
//
//	manifest/NAME            what was uploaded, or came with the message
//	plan/run-NNNNNN-ROWS     rows in order of image, ROWS of the manifest in each
//	plan/part-NNNNNN         the rows of a part
//	parts/NNNNNN/TAG-K…      packages and ledgers that an attempt on a part made
//	end/TAG/…                merged manifests of results
package batch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Finder finds the images that hold positions: package holdings.
type Finder interface {
	Holding(ctx context.Context, viewer archive.Viewer, positions []sky.Vec) ([][]string, error)
}

// Teller tells others that a batch has ended: at least once.
type Teller interface {
	JobEnded(ctx context.Context, id string, phase uws.Phase) error
}

// Config is what batches are made of.
type Config struct {
	Jobs      jobstore.Store
	Queue     queue.Publisher
	Archive   archive.Resolver
	Results   *objects.Bucket
	Manifests objects.Root  // the bucket of manifests; nil: there is none
	Finder    Finder        // nil: each row must name its image
	Teller    Teller        // nil: nobody is told
	People    *People       // who go first; nil: nobody waits in this process
	Quota     *quota.Quota  // nil: each owner may ask for anything
	RowsOwner string        // whose batches are that come as rows in a message; "": there are none
	Execution time.Duration // the longest attempt on an ordered batch or a part of it; 0: ten minutes
	Indexes   *indexes.Cache
	Lanes     int // parts of one batch that are at work or in the queue at once; 0: usualLanes
	Version   string
	Log       *slog.Logger
}

const (
	usualLanes = 8
	partRows   = 2000      // of a part, at most
	fewRows    = 100       // of a part, if a batch has enough …
	fewParts   = 16        // … that it has about so many parts
	partWork   = 256 << 20 // bytes of cutouts of a part, by what its rows say
	runRows    = 50_000    // of the manifest, in one run
	maxCutout  = 32 << 20  // bytes of one cutout, which is built in memory
	maxFiles   = 10_000    // cutouts of a batch that are objects of their own, each a result of the job
	checkEvery = time.Minute
	life       = 7 * 24 * time.Hour  // of a batch that a message ordered
	remember   = 30 * 24 * time.Hour // its document, after that
)

// Batches does the work of batches. It is safe for concurrent use.
type Batches struct {
	Config
	stored objects.Root // Results, to be read by ranges
}

// New returns what does the work of batches.
func New(c Config) *Batches {
	if c.Execution <= 0 {
		c.Execution = 10 * time.Minute
	}
	if c.Lanes <= 0 {
		c.Lanes = usualLanes
	}
	return &Batches{Config: c, stored: c.Results.Root()}
}

// Attempt is one attempt on a claimed job. Run may be called again after a transient
// failure, and then goes on where it was.
type Attempt interface {
	// Run works until everything that can be done now is done. Errors are those of the job.
	Run(ctx context.Context) error

	// GiveUp has what still fails count as failed, in the last attempt.
	GiveUp(ctx context.Context) error

	// Results returns what is complete.
	Results() []uws.Result

	// Note writes how far the attempt is into its job, and returns what is complete then.
	Note(j *uws.Job) []uws.Result

	// End writes into the job of claim what is true after Run has returned nil.
	End(now time.Time, claim string, j *uws.Job) error

	// Objects returns the names of the objects that the attempt wrote.
	Objects() []string

	// Close lets go of what is open.
	Close()
}

// Begin returns an attempt on a job of kind batch or part. The errors are those of the job.
func (b *Batches) Begin(j *uws.Job) (Attempt, error) {
	switch {
	case j.Kind == uws.Part:
		return b.newPart(j), nil
	case j.Plan == nil:
		return nil, fault.New(fault.Internal, "batch.Begin", "job %s is a batch without a plan", j.ID)
	case j.Plan.Ready:
		return &tending{Batches: b, job: j}, nil
	}
	return b.newPlanning(j)
}

// folder is where the objects of a batch are.
func folder(job string) string { return "results/" + job }

func runName(job string, n int, rows int64) string {
	return fmt.Sprintf("%s/plan/run-%06d-%d", folder(job), n, rows)
}

func partName(job string, n int) string { return fmt.Sprintf("%s/plan/part-%06d", folder(job), n) }

// open opens an object of the results by ranges.
func (b *Batches) open(ctx context.Context, name string) (*objects.Reader, func(), error) {
	source, err := b.stored.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return objects.Bind(ctx, source, nil), func() { _ = source.Close() }, nil
}
