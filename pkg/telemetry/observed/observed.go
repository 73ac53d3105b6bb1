// Package observed wraps the ports so that a trace shows each call of one as a span that
// waits, and that the metrics of jobs are counted where jobs are written, whoever ends them:
// a worker, their owner, the sweep.
//
// The rules of the ports hold for what is wrapped: their contract suites are its tests.
package observed

import (
	"context"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Jobs returns the store with its calls as spans, but for Watch, where who waits says so, and
// for what the sweep and operators ask.
func Jobs(s jobstore.Store) jobstore.Store { return jobs{s} }

type jobs struct{ jobstore.Store }

// wait does one call as a span.
func wait[T any](ctx context.Context, name string, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, span := telemetry.Wait(ctx, name)
	out, err := call(ctx)
	span.End(err)
	return out, err
}

// Create implements [jobstore.Store].
func (s jobs) Create(ctx context.Context, j *uws.Job) error {
	ctx, span := telemetry.Wait(ctx, "jobs.create")
	err := s.Store.Create(ctx, j)
	span.End(err)
	return err
}

// CreateWithin implements [jobstore.Store].
func (s jobs) CreateWithin(ctx context.Context, j *uws.Job, room jobstore.Room) (jobstore.Use, error) {
	return wait(ctx, "jobs.create", func(ctx context.Context) (jobstore.Use, error) { return s.Store.CreateWithin(ctx, j, room) })
}

// Get implements [jobstore.Store].
func (s jobs) Get(ctx context.Context, id string) (*uws.Job, error) {
	return wait(ctx, "jobs.get", func(ctx context.Context) (*uws.Job, error) { return s.Store.Get(ctx, id) })
}

// List implements [jobstore.Store].
func (s jobs) List(ctx context.Context, f jobstore.Filter) ([]*uws.Job, error) {
	return wait(ctx, "jobs.list", func(ctx context.Context) ([]*uws.Job, error) { return s.Store.List(ctx, f) })
}

// Parts implements [jobstore.Store].
func (s jobs) Parts(ctx context.Context, batch string) (jobstore.Parts, error) {
	return wait(ctx, "jobs.parts", func(ctx context.Context) (jobstore.Parts, error) { return s.Store.Parts(ctx, batch) })
}

// Use implements [jobstore.Store].
func (s jobs) Use(ctx context.Context, owner string, since time.Time) (jobstore.Use, error) {
	return wait(ctx, "jobs.use", func(ctx context.Context) (jobstore.Use, error) { return s.Store.Use(ctx, owner, since) })
}

// Freed implements [jobstore.Store].
func (s jobs) Freed(ctx context.Context, owner string, since time.Time, bytes int64) (time.Time, error) {
	return wait(ctx, "jobs.use", func(ctx context.Context) (time.Time, error) { return s.Store.Freed(ctx, owner, since, bytes) })
}

// Active implements [jobstore.Store].
func (s jobs) Active(ctx context.Context, class uws.Class) (int64, error) {
	return wait(ctx, "jobs.active", func(ctx context.Context) (int64, error) { return s.Store.Active(ctx, class) })
}

// Update implements [jobstore.Store].
func (s jobs) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	ctx, span := telemetry.Wait(ctx, "jobs.update")
	var before uws.Phase
	j, err := s.Store.Update(ctx, id, func(now time.Time, j *uws.Job) error {
		before = j.Phase
		return change(now, j)
	})
	span.End(err)
	if err == nil {
		changed(ctx, before, j)
	}
	return j, err
}

// changed counts what became of a job. The end of a part is that of no job that somebody asked
// for, and its results are its batch's.
func changed(ctx context.Context, before uws.Phase, j *uws.Job) {
	r := telemetry.From(ctx)
	switch {
	case before == uws.Queued && j.Phase == uws.Executing:
		r.JobClaimed(ctx, string(j.Class), j.Started.Sub(j.Created))
	case !before.Terminal() && j.Phase.Terminal() && j.Kind != uws.Part:
		var delivered int64
		for _, result := range j.Results {
			delivered += result.Size
		}
		r.JobEnded(ctx, string(j.Class), string(j.Phase), delivered)
	}
}

// Queue returns the queue with its calls as spans.
func Queue(q queue.Publisher) queue.Publisher { return publisher{q} }

type publisher struct{ queue.Publisher }

// Publish implements [queue.Publisher].
func (q publisher) Publish(ctx context.Context, class uws.Class, id string) error {
	ctx, span := telemetry.Wait(ctx, "queue.publish")
	err := q.Publisher.Publish(ctx, class, id)
	span.End(err)
	return err
}

// Signer returns a signer that asks somebody else to sign, with its calls as spans.
func Signer(s signing.Signer) signing.Signer { return signer{s} }

type signer struct{ signing.Signer }

// SignedURL implements [signing.Signer].
func (s signer) SignedURL(ctx context.Context, r signing.Request) (string, error) {
	return wait(ctx, "sign", func(ctx context.Context) (string, error) { return s.Signer.SignedURL(ctx, r) })
}
