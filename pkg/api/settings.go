package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func (s *server) executionDuration(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	text(w, http.StatusOK, strconv.FormatInt(int64(j.ExecutionDuration/time.Second), 10))
	return nil
}

// postExecutionDuration sets how long the job may run, at most the service's limit, which
// is also what 0 ("unlimited") means (UWS-43).
func (s *server) postExecutionDuration(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	value, err := f.one("EXECUTIONDURATION")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return fault.New(fault.Usage, "api.postExecutionDuration", "EXECUTIONDURATION=%.40q; want whole seconds, 0 for the most that is allowed (%d)", value, s.Limits.MaxExecution/time.Second)
	}
	limit := s.Limits.MaxExecution
	duration := min(time.Duration(seconds)*time.Second, limit)
	if duration == 0 {
		duration = limit
	}
	return s.change(w, r, func(_ time.Time, j *uws.Job) error {
		if j.Phase == uws.Executing || j.Phase.Terminal() {
			return fault.New(fault.Phase, "api.postExecutionDuration", "the job is %s: its execution duration can be changed until it runs; make a new job", j.Phase)
		}
		j.ExecutionDuration = duration
		return nil
	})
}

func (s *server) destruction(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	text(w, http.StatusOK, uws.FormatInstant(j.Destruction))
	return nil
}

// postDestruction sets when the job is destroyed, at most the service's limit from now. An
// instant that has passed destroys the job at the next sweep (UWS-42).
func (s *server) postDestruction(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	value, err := f.one("DESTRUCTION")
	if err != nil {
		return err
	}
	t, err := parseInstant("DESTRUCTION", value)
	if err != nil {
		return err
	}
	return s.change(w, r, func(now time.Time, j *uws.Job) error {
		if j.Phase == uws.Archived {
			return fault.New(fault.Phase, "api.postDestruction", "the job is ARCHIVED: its results are gone; make a new job")
		}
		at := t
		if latest := now.Add(s.Limits.MaxDestroy); at.After(latest) {
			at = latest
		} else if at.Before(now) {
			at = now
		}
		j.DestroyAt(at, s.Limits.Remember)
		return nil
	})
}

// quote answers with when a batch that runs will have ended, if it goes on as it did, and
// with an empty body for other jobs: the service does not say when these will end (UWS-11).
func (s *server) quote(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	s.progressOf(r.Context(), j)
	text(w, http.StatusOK, uws.FormatInstant(j.Predicted()))
	return nil
}

func (s *server) owner(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	text(w, http.StatusOK, j.Owner)
	return nil
}
