package api

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

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
	caller, before, err := s.own(r)
	if err != nil {
		return err
	}
	sayIgnored(w, params)
	asked, err := s.check(r.Context(), caller, before.Kind, slices.Concat(before.Params, params), false)
	if err == nil {
		err = s.Quota.Grow(r.Context(), before.Owner, asked.rows-before.Rows)
	}
	if err != nil {
		return err
	}
	return s.change(w, r, func(_ time.Time, j *uws.Job) error {
		if j.Phase != uws.Pending {
			return fault.New(fault.Phase, "api.postParameters", "the job is %s: parameters can be added while it is PENDING; make a new job", j.Phase)
		}
		j.Params, j.Class, j.Rows = append(j.Params, params...), asked.class, asked.rows
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
