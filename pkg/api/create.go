package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// afterwards is how long the service goes on with what a request began when its client
// has left.
const afterwards = 5 * time.Second

// newJob returns a job of caller that the store does not know yet, and says in a header
// which parameters of it are ignored.
func (s *server) newJob(w http.ResponseWriter, r *http.Request, caller auth.Caller, kind uws.Kind, f form, run bool) (*uws.Job, error) {
	params, runID, err := jobParams(f)
	if err != nil {
		return nil, err
	}
	sayIgnored(w, params)
	checking, span := telemetry.Start(r.Context(), "check")
	asked, err := s.check(checking, caller, kind, params, run)
	span.End(err)
	if err != nil {
		return nil, err
	}
	life := s.Limits.Destruction
	if kind == uws.Sync {
		life = s.Limits.SyncLife
	}
	now := time.Now().UTC()
	j := &uws.Job{
		ID: uws.NewID(), Owner: caller.Name, Groups: caller.Groups, SeesAll: caller.All, RunID: runID, Params: params, Class: asked.class, Rows: asked.rows, Kind: kind, Phase: uws.Pending,
		Created: now, ExecutionDuration: s.Limits.MaxExecution, Shard: uws.NewShard(),
	}
	telemetry.Job(r.Context(), j.ID)
	j.DestroyAt(now.Add(life), s.Limits.Remember)
	if run {
		if _, err := j.Run(now); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// start writes the job and, if it is queued, wakes a worker. published is false if the job
// is written, but the queue did not take the message: the sweep will send it soon.
func (s *server) start(ctx context.Context, j *uws.Job) (published bool, err error) {
	if err := s.Quota.Create(ctx, j); err != nil {
		return false, err
	}
	if j.Phase != uws.Queued {
		return true, nil
	}
	return s.publish(ctx, j), nil
}

func (s *server) publish(ctx context.Context, j *uws.Job) bool {
	err := s.Queue.Publish(ctx, j.Class, j.ID)
	if err == nil {
		return true
	}
	s.Log.WarnContext(ctx, "the queue did not take a message; the sweep will send it", "job", j.ID, "error", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if _, err := s.Jobs.Update(ctx, j.ID, func(now time.Time, j *uws.Job) error {
		if j.Phase != uws.Queued {
			return jobstore.Unchanged
		}
		j.DueAt = now.Add(uws.SoonResend)
		return nil
	}); err != nil {
		s.Log.WarnContext(ctx, "a job that was not published keeps its long due time", "job", j.ID, "error", err)
	}
	return false
}

// read returns who asks, and for what.
func (s *server) read(w http.ResponseWriter, r *http.Request) (auth.Caller, form, error) {
	caller, err := s.caller(r)
	if err != nil {
		return caller, nil, err
	}
	f, err := readForm(w, r)
	return caller, f, err
}

// create makes a job: 303 to it (UWS 1.1, section 2.2.3.1).
func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	caller, err := s.caller(r)
	if err != nil {
		return err
	}
	id := uws.NewID()
	var file upload
	f, err := readFormWith(w, r, s.taker(r.Context(), id, &file))
	if err == nil {
		var run bool
		if run, err = wantsRun(f); err == nil {
			err = s.createFrom(w, r, caller, id, f, file, run)
		}
	}
	if err != nil {
		s.dropUpload(r.Context(), file)
		return err
	}
	return s.seeJob(w, id)
}

// createFrom makes the job of a form.
func (s *server) createFrom(w http.ResponseWriter, r *http.Request, caller auth.Caller, id string, f form, file upload, run bool) (err error) {
	var j *uws.Job
	if batch.Asks(f) {
		j, err = s.createBatch(w, r, caller, id, f, file, run)
	} else {
		j, err = s.newJob(w, r, caller, uws.Async, f, run)
	}
	if err != nil {
		return err
	}
	j.ID = id
	_, err = s.start(r.Context(), j) // not published: the job is durable all the same
	return err
}

func wantsRun(f form) (bool, error) {
	phase, err := f.one("PHASE")
	if err == nil && phase != "" && phase != "RUN" {
		err = fault.New(fault.Usage, "api.create", "PHASE=%.40q cannot be asked of a new job; want RUN, or none", phase)
	}
	return phase == "RUN", err
}
