// Package worker does the work: one queued job in, one cutout out. It is the handler of
// the cutout function, which also sweeps.
//
// A message only wakes a worker; what is true stands in the store of jobs. So a message
// is acknowledged (2xx) whenever the store knows how the job goes on, also when there is
// nothing to do, and refused (503) only when the store itself cannot be read or written.
// The life of a job with its worker is claim, heartbeat, completion, each a
// compare-and-set by the rules of package uws; the sweep looks after jobs whose worker
// was lost.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Config is what a worker is made of.
type Config struct {
	Jobs      jobstore.Store
	Queue     queue.Publisher // the sweep publishes to it
	Archive   archive.Resolver
	Results   *objects.Bucket
	Memory    int64          // bytes that all jobs of this process may use together
	MaxBytes  int64          // of one cutout; 0: no limit
	Batches   *batch.Batches // nil: this worker does none
	Indexes   *indexes.Cache // of what headers say, perhaps shared; nil: one of IndexMemory
	Version   string
	ErrorText func(code fault.Code, sentence string) string // the text of a result that says that nothing was cut
	Log       *slog.Logger
}

// JobMemory is what one job is counted as in bytes: the largest cutout that is built in
// memory, and buffers.
const JobMemory = 40 << 20

// IndexMemory is what a worker's own cache of headers may take in bytes, besides Memory:
// some 5000 files of one image each.
const IndexMemory = 64 << 20

// patience is how long a job waits for memory before it is left to the sweep.
const patience = 30 * time.Second

// Worker works on jobs, several at once.
type Worker struct {
	Config
	memory *semaphore.Weighted
}

// New returns a worker. The error is [fault.Usage] if the memory is too little for one job.
func New(c Config) (*Worker, error) {
	if c.Memory < JobMemory {
		return nil, fault.New(fault.Usage, "worker.New", "%d bytes of memory are too few for one job; want at least %d", c.Memory, JobMemory)
	}
	if c.Indexes == nil {
		c.Indexes = indexes.New(IndexMemory, nil)
	}
	return &Worker{Config: c, memory: semaphore.NewWeighted(c.Memory)}, nil
}

// Handler returns the handler of the cutout function: messages are POSTed to /, the
// scheduler POSTs to /sweep, orders of batches are POSTed to /batch, and the dead-letter subscription to /dead-letter.
func (w *Worker) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", w.push)
	mux.HandleFunc("POST /dead-letter", w.deadLetter)
	mux.HandleFunc("POST /batch", w.order)
	mux.HandleFunc("POST /sweep", func(rw http.ResponseWriter, r *http.Request) {
		report, err := w.Sweep(r.Context())
		if err != nil {
			w.refuse(rw, r, err)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(report)
	})
	return mux
}

// push serves messages: 204 acknowledges one. The work goes on with the message's trace.
func (w *Worker) push(rw http.ResponseWriter, r *http.Request) {
	p, err := queue.DecodePush(r.Body)
	if err == nil {
		ctx, span := telemetry.Receive(r.Context(), "work", p.Trace(), p.Job())
		err = w.Work(ctx, p.Job())
		span.End(err)
		r = r.WithContext(ctx)
	}
	if err != nil {
		w.refuse(rw, r, err)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// order serves orders of batches. One that can never be carried out is put away, with a line
// in the log: no other worker could either.
func (w *Worker) order(rw http.ResponseWriter, r *http.Request) {
	p, err := queue.DecodePushWithin(r.Body, batch.MaxOrder)
	switch {
	case err != nil:
	case w.Batches == nil:
		err = fault.New(fault.Usage, "worker.order", "this worker does no batches")
	default:
		ctx, span := telemetry.Receive(r.Context(), "order", p.Trace(), "")
		err = w.Batches.Order(ctx, p)
		span.End(err)
		r = r.WithContext(ctx)
	}
	if err != nil && fault.CodeOf(err) != fault.Usage && fault.CodeOf(err) != fault.MultiValued {
		w.refuse(rw, r, err)
		return
	}
	if err != nil {
		w.Log.ErrorContext(r.Context(), "an order of a batch is put away", "error", err)
	}
	rw.WriteHeader(http.StatusNoContent)
}

// deadLetter serves dead letters. What is no message is put away here, with a line in the
// log: no other worker would take it either.
func (w *Worker) deadLetter(rw http.ResponseWriter, r *http.Request) {
	p, err := queue.DecodePush(r.Body)
	if err != nil {
		w.Log.ErrorContext(r.Context(), "a dead letter that is no message is put away", "error", err)
		rw.WriteHeader(http.StatusNoContent)
		return
	}
	ctx, span := telemetry.Receive(r.Context(), "dead-letter", p.Trace(), p.Job())
	err = w.Tend(ctx, p.Job())
	span.End(err)
	if err != nil {
		w.refuse(rw, r.WithContext(ctx), err)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (w *Worker) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, fault.Usage) {
		status = http.StatusBadRequest
	}
	w.Log.ErrorContext(r.Context(), "message refused", "path", r.URL.Path, "status", status, "error", err)
	http.Error(rw, fault.Sentence(err), status)
}

// Work does the job of a message. A nil error acknowledges the message: the job is done, or
// the store knows how it goes on. The error is [fault.Unavailable] if the store cannot be
// read or written.
func (w *Worker) Work(ctx context.Context, id string) error {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.memory.Acquire(wait, JobMemory); err != nil {
		return w.postpone(ctx, id)
	}
	defer w.memory.Release(JobMemory)
	claim := uws.NewID()
	j, taken, err := w.claim(ctx, id, claim)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil // purged since
	case err != nil:
		return err
	case !taken:
		if j.Follows() {
			w.follow(ctx, j)
		}
		return nil
	}
	if w.Batches != nil && j.Class == uws.Interactive {
		defer w.Batches.People.Enter()()
	}
	return w.finish(ctx, j, claim, w.execute(ctx, j, claim))
}

// postpone leaves a job, for which there was no memory in time, to the sweep, soon. To
// refuse the message would slow the queue down for everybody.
func (w *Worker) postpone(ctx context.Context, id string) error {
	_, err := w.settle(ctx, id, func(now time.Time, j *uws.Job) error {
		if j.Phase != uws.Queued {
			return jobstore.Unchanged
		}
		j.DueAt = now.Add(uws.SoonResend)
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// settle updates a job even if the request that asked for it has ended.
func (w *Worker) settle(ctx context.Context, id string, change func(time.Time, *uws.Job) error) (*uws.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return w.Jobs.Update(ctx, id, change)
}

// claim takes the job, unless there is nothing to do for this worker. After an uncertain
// commit (committed, answer lost) the claim, which is random, tells whose it is.
func (w *Worker) claim(ctx context.Context, id, claim string) (j *uws.Job, taken bool, err error) {
	ctx, span := telemetry.Start(ctx, "claim")
	defer func() { span.End(err) }()
	j, err = w.Jobs.Update(ctx, id, func(now time.Time, j *uws.Job) error {
		before := j.Phase
		if taken = j.Take(now, claim); !taken && j.Phase == before {
			return jobstore.Unchanged
		}
		return nil
	})
	if fault.Transient(err) {
		var readErr error
		if j, readErr = w.Jobs.Get(ctx, id); readErr != nil || j.Claim != claim {
			return nil, false, fmt.Errorf("worker: claim of job %s: %w", id, err)
		}
		taken, err = true, nil
	}
	if err == nil {
		telemetry.Owner(ctx, j.Owner)
	}
	return j, taken && err == nil, err
}
