package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// own returns the job of the URL if the caller may see it. The errors are
// [fault.NotFound] and [fault.Forbidden].
func (s *server) own(r *http.Request) (auth.Caller, *uws.Job, error) {
	caller, err := s.caller(r)
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
	if j.Deleted || j.Kind == uws.Sync || j.Kind == uws.Part {
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
	caller, err := s.caller(r)
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

// xmlDocument answers with what write makes.
func xmlDocument(w http.ResponseWriter, write func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, _ = w.Write(b.Bytes()) // the client may have left
	return nil
}

// job answers with the job, and blocks first if WAIT says so (UWS 1.1, section 2.2.1.1).
func (s *server) job(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	wait, err := s.readWait(f)
	if err != nil {
		return err
	}
	phase, err := f.one("PHASE")
	if err != nil {
		return err
	}
	if wait > 0 && j.Phase.Waits() && (phase == "" || uws.Phase(phase) == j.Phase) {
		if j, err = s.waitForChange(r.Context(), j, wait); err != nil {
			return err
		}
	}
	s.progressOf(r.Context(), j)
	return xmlDocument(w, func(b *bytes.Buffer) error {
		return uws.WriteJob(b, j, s.listURL(), FailureText(j.Failure), ignored(j.Params))
	})
}

// waitForChange returns the job when its phase is another, or after wait as it then is.
func (s *server) waitForChange(ctx context.Context, j *uws.Job, wait time.Duration) (*uws.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	last, err := s.await(ctx, j.ID, func(now *uws.Job) bool { return now.Phase != j.Phase || now.Deleted })
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, err
	case last == nil:
		return j, nil
	case last.Deleted:
		return nil, noJob()
	}
	return last, nil
}

// readWait returns how long to block: 0 not at all; -1 in the request means the maximum.
func (s *server) readWait(f form) (time.Duration, error) {
	value, err := f.one("WAIT")
	if err != nil || value == "" {
		return 0, err
	}
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < -1 {
		return 0, fault.New(fault.Usage, "api.job", "WAIT=%.40q; want seconds, or -1 to wait as long as the service allows", value)
	}
	if limit := s.Limits.MaxWait; seconds < 0 || seconds > int(limit/time.Second) {
		return limit, nil
	}
	return time.Duration(seconds) * time.Second, nil
}

// postJob takes ACTION=DELETE and nothing else (UWS-46, UWS-48).
func (s *server) postJob(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	action, err := f.one("ACTION")
	if err != nil {
		return err
	}
	if action != "DELETE" {
		if _, _, err := s.own(r); err != nil {
			return err
		}
		return fault.New(fault.Usage, "api.postJob", "ACTION=%.40q; a job takes ACTION=DELETE only (its parameters are changed at its own /parameters)", action)
	}
	return s.deleteJob(w, r)
}

func (s *server) deleteJob(w http.ResponseWriter, r *http.Request) error {
	var ended *uws.Job
	err := s.update(r, func(now time.Time, j *uws.Job) error {
		j.Delete(now)
		ended = j
		return nil
	})
	if err != nil {
		return err
	}
	s.wakeBatch(r.Context(), ended)
	return see(w, s.listURL())
}

func (s *server) phase(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	text(w, http.StatusOK, string(j.Phase))
	return nil
}

// postPhase starts or aborts a job (UWS-32 to UWS-35).
func (s *server) postPhase(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	phase, err := f.one("PHASE")
	if err != nil {
		return err
	}
	switch phase {
	case "RUN":
		return s.run(w, r)
	case "ABORT":
		var ended *uws.Job
		err := s.change(w, r, func(now time.Time, j *uws.Job) error {
			ended = j
			return j.Abort(now, "aborted by its owner")
		})
		if err == nil {
			s.wakeBatch(r.Context(), ended)
		}
		return err
	}
	if _, _, err := s.own(r); err != nil {
		return err
	}
	return fault.New(fault.Usage, "api.postPhase", "PHASE=%.40q cannot be asked for; want RUN or ABORT", phase)
}

func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	caller, j, err := s.own(r)
	if err != nil {
		return err
	}
	asked := work{j.Class, j.Rows}
	if j.Phase == uws.Pending {
		if asked, err = s.check(r.Context(), caller, j.Kind, j.Params, true); err != nil {
			return err
		}
		if err := s.Quota.Day(r.Context(), j.Owner); err != nil {
			return err
		}
		if err := s.Quota.Grow(r.Context(), j.Owner, asked.rows-j.Rows); err != nil {
			return err
		}
	}
	var started *uws.Job
	if err := s.change(w, r, func(now time.Time, j *uws.Job) error {
		started = nil
		again, err := j.Run(now)
		if again {
			return jobstore.Unchanged
		}
		j.Class, j.Rows = asked.class, asked.rows
		j.Groups, j.SeesAll = caller.Groups, caller.All // they may have changed since
		started = j
		return err
	}); err != nil {
		return err
	}
	if started != nil {
		s.publish(r.Context(), started)
	}
	return nil
}
