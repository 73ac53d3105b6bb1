package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

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

// list answers with the caller's jobs (UWS 1.1, section 2.2.2.1).
func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	caller, f, err := s.read(w, r)
	if err != nil {
		return err
	}
	filter, err := readFilter(f)
	if err != nil {
		return err
	}
	filter.Owner, filter.All = caller.Name, caller.All
	var jobs []*uws.Job
	most := s.Limits.List
	if filter.Last > most {
		return s.seeLast(w, f)
	}
	if filter.Last == 0 {
		filter.Last = most + 1
	}
	if caller.Lists() {
		if jobs, err = s.Jobs.List(r.Context(), filter); err != nil {
			return err
		}
	}
	if len(jobs) > most {
		return s.seeLast(w, f)
	}
	return xmlDocument(w, func(b *bytes.Buffer) error { return uws.WriteJobs(b, jobs, s.listURL()) })
}

// seeLast redirects to the newest jobs of a list that is too long: UWS knows no other way
// to shorten it (section 2.2.2.1).
func (s *server) seeLast(w http.ResponseWriter, f form) error {
	query := url.Values{"LAST": {strconv.Itoa(s.Limits.List)}}
	for _, name := range []string{"PHASE", "AFTER"} {
		if values := f.all(name); len(values) > 0 {
			query[name] = values
		}
	}
	return see(w, s.listURL()+"?"+query.Encode())
}

func readFilter(f form) (filter jobstore.Filter, err error) {
	for _, value := range f.all("PHASE") {
		if !slices.Contains(uws.Phases, uws.Phase(value)) {
			return filter, fault.New(fault.Usage, "api.list", "PHASE=%.40q is no phase; want one of %v", value, uws.Phases)
		}
		filter.Phases = append(filter.Phases, uws.Phase(value))
	}
	after, err := f.one("AFTER")
	if err != nil {
		return filter, err
	}
	if after != "" {
		if filter.After, err = parseInstant("AFTER", after); err != nil {
			return filter, err
		}
	}
	last, err := f.one("LAST")
	if err != nil {
		return filter, err
	}
	if last != "" {
		if filter.Last, err = strconv.Atoi(last); err != nil || filter.Last < 1 {
			return filter, fault.New(fault.Usage, "api.list", "LAST=%.40q; want an integer of at least 1", last)
		}
	}
	return filter, nil
}

// parseInstant reads an instant in the form of DALI 1.1, section 3.1.2: UTC, with or
// without Z; a date alone is its midnight.
func parseInstant(name, value string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.TrimSuffix(value, "Z")); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Usage, "api", "%s=%.40q is no instant; want UTC as 2026-03-20T12:00:00Z", name, value)
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
	return xmlDocument(w, func(b *bytes.Buffer) error {
		return uws.WriteJob(b, j, s.listURL(), FailureText(j.Failure), soda.Ignored(j.Params))
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
	err := s.update(r, func(now time.Time, j *uws.Job) error {
		j.Delete(now)
		return nil
	})
	if err != nil {
		return err
	}
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
		return s.change(w, r, func(now time.Time, j *uws.Job) error { return j.Abort(now, "aborted by its owner") })
	}
	if _, _, err := s.own(r); err != nil {
		return err
	}
	return fault.New(fault.Usage, "api.postPhase", "PHASE=%.40q cannot be asked for; want RUN or ABORT", phase)
}

func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	class := j.Class
	if j.Phase == uws.Pending {
		if class, err = s.check(r.Context(), j.Kind, j.Params, true); err != nil {
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
		j.Class = class
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

// quote answers with an empty body: the service does not say when a job will end (UWS-11).
func (s *server) quote(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := s.own(r); err != nil {
		return err
	}
	text(w, http.StatusOK, "")
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

// errorText answers with why the job failed, as text or, if the client prefers that, as a
// VOTable (DALI 1.1, section 4.2); or 404 if it did not (UWS-56).
func (s *server) errorText(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	if j.Failure == nil {
		return fault.New(fault.NotFound, "api.errorText", "the job is %s and has no error", j.Phase)
	}
	body := FailureText(j.Failure)
	if j.Failure.Detail != "" {
		body += "\n" + j.Failure.Detail
	}
	const table = "application/x-votable+xml"
	w.Header().Set("Vary", "Accept")
	if preferred(r, "text/plain", table) == table {
		w.Header().Set("Content-Type", table)
		return votable.Write(w, votable.Failure(body))
	}
	text(w, http.StatusOK, body+"\n")
	return nil
}

func (s *server) parameters(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	return xmlDocument(w, func(b *bytes.Buffer) error { return uws.WriteParameters(b, j) })
}

// postParameters adds parameters to a job that is PENDING (UWS-45).
func (s *server) postParameters(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	params, runID, err := jobParams(f)
	if err != nil {
		return err
	}
	_, before, err := s.own(r)
	if err != nil {
		return err
	}
	sayIgnored(w, params)
	if _, err := s.check(r.Context(), before.Kind, slices.Concat(before.Params, params), false); err != nil {
		return err
	}
	return s.change(w, r, func(_ time.Time, j *uws.Job) error {
		if j.Phase != uws.Pending {
			return fault.New(fault.Phase, "api.postParameters", "the job is %s: parameters can be added while it is PENDING; make a new job", j.Phase)
		}
		j.Params = append(j.Params, params...)
		if err := checkSize(j.Params); err != nil {
			return err
		}
		if runID != "" {
			j.RunID = runID
		}
		return nil
	})
}

func (s *server) results(w http.ResponseWriter, r *http.Request) error {
	_, j, err := s.own(r)
	if err != nil {
		return err
	}
	return xmlDocument(w, func(b *bytes.Buffer) error { return uws.WriteResults(b, j, s.listURL()) })
}

// result redirects to a URL that is signed anew each time (UWS-54).
func (s *server) result(w http.ResponseWriter, r *http.Request) error {
	caller, j, err := s.own(r)
	if err != nil {
		return err
	}
	id, name := r.PathValue("result"), r.PathValue("name")
	if !slices.ContainsFunc(j.Results, func(known uws.Result) bool { return known.ID == id && (name == "" || name == known.Name) }) {
		return fault.New(fault.NotFound, "api.result", "the job has no result %.40q; it is %s and its %d results are listed at %s/%s/results", id, j.Phase, len(j.Results), s.listURL(), j.ID)
	}
	url, err := s.Results.ResultURL(r.Context(), caller, j.ID, id)
	if err != nil {
		return err
	}
	return see(w, url)
}
