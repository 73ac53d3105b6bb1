package api

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

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
