package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// afterwards is how long the service goes on with what a request began when its client
// has left.
const afterwards = 5 * time.Second

// steering holds the names that steer a job; they are never among its parameters (UWS-26).
var steering = []string{"PHASE", "ACTION", "WAIT", "DESTRUCTION", "EXECUTIONDURATION"}

// maxDocument is how many bytes the names and values of a job's parameters may have: the
// job is one document in the store.
const maxDocument = 256 << 10

// jobParams returns the parameters that say what shall be cut, and the RUNID.
func jobParams(f form) (params []uws.Param, runID string, err error) {
	if runID, err = f.one("RUNID"); err != nil {
		return nil, "", err
	}
	if _, err := soda.Read([]uws.Param{{Name: "RUNID", Value: runID}}); err != nil {
		return nil, "", err
	}
	for _, p := range soda.Normalize(f) {
		known := soda.Lookup(p.Name)
		if slices.Contains(steering, p.Name) || known != nil && known.Control() {
			continue
		}
		params = append(params, p)
	}
	return params, runID, checkSize(params)
}

// maxInteractive is how many cutouts a job may have for which somebody is thought to wait.
const maxInteractive = 4

// checkSize is [fault.TooLarge] if a job cannot hold that many parameters.
func checkSize(params []uws.Param) error {
	size := 0
	for _, p := range params {
		size += len(p.Name) + len(p.Value)
	}
	if len(params) > maxParams || size > maxDocument {
		return fault.New(fault.TooLarge, "api", "the job would have %d parameters of %d bytes; want at most %d of %d bytes", len(params), size, maxParams, maxDocument)
	}
	return nil
}

// IgnoredHeader names the parameters of a request that the service does not know.
const IgnoredHeader = "X-Seltzer-Ignored"

// sayIgnored names the parameters that are not known in [IgnoredHeader], urlencoded.
func sayIgnored(w http.ResponseWriter, params []uws.Param) {
	const most = 20
	names := soda.Ignored(params)
	for i, name := range names[:min(len(names), most)] {
		names[i] = url.QueryEscape(name)
	}
	if len(names) > most {
		names = append(names[:most], "…")
	}
	if len(names) > 0 {
		w.Header().Set(IgnoredHeader, strings.Join(names, ", "))
	}
}

// check refuses parameters that can never become a cutout and, if run, those that are not
// complete; else it says which class of job they are. Datasets are looked up by their ID
// alone: no byte of the archive is read. One ID among several that names nothing is no
// error, but will be a result that says so.
func (s *server) check(ctx context.Context, kind uws.Kind, params []uws.Param, run bool) (uws.Class, error) {
	request, err := soda.Read(params)
	if err == nil && kind == uws.Sync {
		err = request.Single()
	}
	if err == nil && run {
		err = request.Complete()
	}
	if err != nil {
		return "", err
	}
	for _, id := range request.IDs {
		if _, err = s.Archive.Resolve(ctx, id); err == nil {
			break
		}
	}
	if len(request.Cuts()) > maxInteractive {
		return uws.Bulk, err
	}
	return uws.Interactive, err
}

// newJob returns a job of caller that the store does not know yet, and says in a header
// which parameters of it are ignored.
func (s *server) newJob(w http.ResponseWriter, r *http.Request, caller auth.Caller, kind uws.Kind, f form, run bool) (*uws.Job, error) {
	params, runID, err := jobParams(f)
	if err != nil {
		return nil, err
	}
	sayIgnored(w, params)
	class, err := s.check(r.Context(), kind, params, run)
	if err != nil {
		return nil, err
	}
	life := s.Limits.Destruction
	if kind == uws.Sync {
		life = s.Limits.SyncLife
	}
	now := time.Now().UTC()
	j := &uws.Job{
		ID: uws.NewID(), Owner: caller.Name, RunID: runID, Params: params, Class: class, Kind: kind, Phase: uws.Pending,
		Created: now, ExecutionDuration: s.Limits.MaxExecution, Shard: uws.NewShard(),
	}
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
	if err := s.Jobs.Create(ctx, j); err != nil {
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
	caller, err := s.Auth.Caller(r)
	if err != nil {
		return caller, nil, err
	}
	f, err := readForm(w, r)
	return caller, f, err
}

// sync runs one job and answers with its result: 303 to the bytes, 204 if no pixel was
// selected, or an error (SODA 1.0, sections 2.2 and 4).
func (s *server) sync(w http.ResponseWriter, r *http.Request) error {
	caller, f, err := s.read(w, r)
	if err != nil {
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

// create makes a job: 303 to it (UWS 1.1, section 2.2.3.1).
func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	caller, f, err := s.read(w, r)
	if err != nil {
		return err
	}
	run, err := wantsRun(f)
	if err != nil {
		return err
	}
	j, err := s.newJob(w, r, caller, uws.Async, f, run)
	if err != nil {
		return err
	}
	if _, err := s.start(r.Context(), j); err != nil { // not published: the job is durable all the same
		return err
	}
	return s.seeJob(w, j.ID)
}

func wantsRun(f form) (bool, error) {
	phase, err := f.one("PHASE")
	if err == nil && phase != "" && phase != "RUN" {
		err = fault.New(fault.Usage, "api.create", "PHASE=%.40q cannot be asked of a new job; want RUN, or none", phase)
	}
	return phase == "RUN", err
}

// own returns the job of the URL if the caller may see it. The errors are
// [fault.NotFound] and [fault.Forbidden].
func (s *server) own(r *http.Request) (auth.Caller, *uws.Job, error) {
	caller, err := s.Auth.Caller(r)
	if err != nil {
		return caller, nil, err
	}
	j, err := s.Jobs.Get(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, fault.NotFound):
		err = noJob()
	case err == nil:
		err = visible(caller, j)
	}
	return caller, j, err
}

// visible is nil if the job exists for the caller, and is one of /async.
func visible(caller auth.Caller, j *uws.Job) error {
	if j.Deleted || j.Kind == uws.Sync {
		return noJob()
	}
	return caller.May(j)
}

func noJob() error {
	return fault.New(fault.NotFound, "api", "there is no such job; it may have been deleted or have reached its destruction time")
}

// change updates the job of the URL, and redirects to it.
func (s *server) change(w http.ResponseWriter, r *http.Request, change func(now time.Time, j *uws.Job) error) error {
	if err := s.update(r, change); err != nil {
		return err
	}
	return s.seeJob(w, r.PathValue("id"))
}

// update changes the job of the URL if the caller may.
func (s *server) update(r *http.Request, change func(now time.Time, j *uws.Job) error) error {
	caller, err := s.Auth.Caller(r)
	if err != nil {
		return err
	}
	_, err = s.Jobs.Update(r.Context(), r.PathValue("id"), func(now time.Time, j *uws.Job) error {
		if err := visible(caller, j); err != nil {
			return err
		}
		return change(now, j)
	})
	if errors.Is(err, fault.NotFound) {
		return noJob()
	}
	return err
}
