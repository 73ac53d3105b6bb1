package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// sync runs one job and answers with its result: 303 to the bytes, 204 if no pixel was
// selected, or an error (SODA 1.0, sections 2.2 and 4).
func (s *server) sync(w http.ResponseWriter, r *http.Request) error {
	caller, f, err := s.read(w, r)
	if err != nil {
		return err
	}
	if err := s.Quota.Sync(r.Context(), len(s.waiters), cap(s.waiters)); err != nil {
		return err
	}
	j, err := s.newJob(w, r, caller, uws.Sync, f, true)
	if err != nil {
		return err
	}
	published, err := s.start(r.Context(), j)
	if err != nil {
		return err
	}
	if !published {
		s.abandon(r.Context(), j.ID, "the queue took no message")
		return fault.New(fault.Unavailable, "api.sync", "the service cannot take work at the moment; ask again later, or use /async, which waits")
	}
	wait, cancel := context.WithTimeout(r.Context(), s.Limits.SyncWait)
	defer cancel()
	done, err := s.await(wait, j.ID, func(j *uws.Job) bool { return j.Phase.Terminal() })
	if err != nil {
		done = s.abandon(r.Context(), j.ID, "nobody waits any more")
		switch {
		case done != nil && done.Phase == uws.Completed: // the abort came too late
		case wait.Err() == nil:
			return err
		case r.Context().Err() != nil:
			return fault.New(fault.Unavailable, "api.sync", "the service is stopping; ask again later")
		default:
			return fault.New(fault.Unavailable, "api.sync", "the cutout was not ready after %s; send the same request to %s, which takes longer ones", s.Limits.SyncWait, s.listURL())
		}
	}
	return s.answerSync(w, r, caller, done)
}

// abandon aborts a job whose client no longer waits, and returns it as it then is: if the
// abort came too late it is COMPLETED. It is nil if the store does not answer.
func (s *server) abandon(ctx context.Context, id, why string) *uws.Job {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	j, err := s.Jobs.Update(ctx, id, func(now time.Time, j *uws.Job) error {
		if j.Phase.Terminal() {
			return jobstore.Unchanged
		}
		return j.Abort(now, why)
	})
	if err != nil {
		s.Log.WarnContext(ctx, "a job that nobody waits for was not aborted", "job", id, "error", err)
		return nil
	}
	return j
}

func (s *server) answerSync(w http.ResponseWriter, r *http.Request, caller auth.Caller, j *uws.Job) error {
	switch {
	case j.Phase != uws.Completed && j.Failure != nil:
		return fault.New(fault.Code(j.Failure.Code), "api.sync", "%s", j.Failure.Message)
	case j.Phase != uws.Completed || len(j.Results) == 0:
		return fault.New(fault.Unavailable, "api.sync", "the cutout was aborted; ask again")
	case !j.Results[0].Overlap:
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	url, err := s.Results.ResultURL(r.Context(), caller, j.ID, j.Results[0].ID)
	if err != nil {
		return err
	}
	return see(w, url)
}

// await returns the job as soon as it is as wanted. The error is that of the store, or of
// ctx when it ends first; the job is then the last one seen, if any. It is
// [fault.Unavailable] at once if too many requests wait already.
func (s *server) await(ctx context.Context, id string, wanted func(*uws.Job) bool) (last *uws.Job, err error) {
	select {
	case s.waiters <- struct{}{}:
		defer func() { <-s.waiters }()
	default:
		return nil, fault.New(fault.Unavailable, "api.await", "%d requests wait already; ask again later", cap(s.waiters))
	}
	ctx, span := telemetry.Wait(ctx, "jobs.watch")
	defer func() { span.End(err) }()
	for j, err := range s.Jobs.Watch(ctx, id) {
		if err != nil {
			return last, err
		}
		if last = j; wanted(j) {
			return j, nil
		}
	}
	return last, ctx.Err()
}
