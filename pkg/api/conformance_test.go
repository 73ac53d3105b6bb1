package api_test

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// SODA-01 SODA-02 SODA-26 SODA-45 VOSI-02: sync and async are siblings of capabilities, and announce
// the same parameters: those of the table.
func TestSyncAndAsyncAreAlike(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	type capabilities struct {
		Capability []struct {
			StandardID string `xml:"standardID,attr"`
			Interface  struct {
				AccessURL string   `xml:"accessURL"`
				Params    []string `xml:"param>name"`
			} `xml:"interface"`
		} `xml:"capability"`
	}
	var wanted []string
	for _, p := range soda.Announced() {
		wanted = append(wanted, p.Name)
	}
	found := 0
	for _, c := range read[capabilities](t, s.ask("GET", "/capabilities", nil)).Capability {
		name, is := strings.CutPrefix(c.StandardID, "ivo://ivoa.net/std/SODA#")
		if !is {
			continue
		}
		found++
		path, _, _ := strings.Cut(name, "-")
		if c.Interface.AccessURL != base+"/"+path || !slices.Equal(c.Interface.Params, wanted) {
			t.Errorf("%s is at %s with %v, want %v", name, c.Interface.AccessURL, c.Interface.Params, wanted)
		}
	}
	if found != 2 {
		t.Errorf("%d SODA capabilities, want 2", found)
	}
	for _, p := range soda.Announced() { // what one refuses, the other does too, in the same words
		now := s.ask("GET", "/sync", nil, "ID", dataset, p.Name, "<nonsense>\"")
		later := s.ask("POST", "/async", nil, "ID", dataset, p.Name, "<nonsense>\"")
		switch p.Name {
		case "ID", "RUNID": // which may be anything
		default:
			if now.Code != 400 || later.Code != 400 || now.Body.String() != later.Body.String() {
				t.Errorf("%s: sync says %d %s, async %d %s", p.Name, now.Code, now.Body, later.Code, later.Body)
			}
		}
	}
}

// asked matches the cards that differ between cutouts of the same pixels, of 80 bytes each.
var asked = regexp.MustCompile(`(DATE    |CUTREQ  |CHECKSUM)=.{71}`)

// SODA-03 SODA-15 SODA-22 DALI-13 DALI-25: the same region in other words, by other methods and in other places
// of the request, gives the same bytes.
func TestSameRegionSameBytes(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	cutout := func(method, path string, pairs ...string) []byte {
		t.Helper()
		w := s.follow(t, s.ask(method, path, nil, pairs...))
		if w.Code != 200 || !bytes.HasPrefix(w.Body.Bytes(), []byte("SIMPLE  =")) {
			t.Fatalf("%s %s %v: %d %.100q", method, path, pairs, w.Code, w.Body)
		}
		return asked.ReplaceAll(w.Body.Bytes(), nil)
	}
	const polygon = "150.114 2.204 150.118 2.204 150.118 2.208 150.114 2.208"
	id := url.QueryEscape(dataset)
	for _, same := range [][][]byte{
		{
			cutout("GET", "/sync", "ID", dataset, "CIRCLE", circle), cutout("GET", "/sync", "ID", dataset, "POS", "CIRCLE "+circle),
			cutout("POST", "/sync", "ID", dataset, "CIRCLE", circle), cutout("POST", "/sync?ID="+id, "CIRCLE", circle),
			cutout("GET", "/sync", "id", dataset, "pOs", "circle  "+circle+" "),
		},
		{cutout("GET", "/sync", "ID", dataset, "POLYGON", polygon), cutout("GET", "/sync", "ID", dataset, "POS", "POLYGON "+polygon)},
		{ // larger than the image: as much as there is, here of a region that reaches over a corner
			cutout("GET", "/sync", "ID", dataset, "POS", "RANGE 149 150.09 -90 2.18", "DETAIL", "image"), cutout("GET", "/sync", "ID", dataset, "POS", "RANGE 148 150.09 -89 2.18", "DETAIL", "image"),
		},
	} {
		for i := range same {
			if !bytes.Equal(same[i], same[0]) {
				t.Errorf("%d and %d bytes that differ: %.2000q", len(same[0]), len(same[i]), same[i])
			}
		}
	}
}

// SODA-34 SODA-35 SODA-36 SODA-37 SODA-38 UWS-57 DALI-14: an answer that is an error has no status of success, and its text
// begins with one of the six labels, wherever it comes from.
func TestErrorsBeginWithALabel(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	label := regexp.MustCompile(`^(Error|AuthenticationError|AuthorizationError|ServiceUnavailable|UsageError|MultiValuedParamNotSupported): .`)
	for _, path := range []string{"/sync", "/sync?ID=x", "/sync?CIRCLE=1", "/async?LAST=x", "/async/x", "/async/x/phase", "/async/x/results/y", "/nothing", "/tables", "/results/x", "/sync/x", "/ASYNC", "//sync"} {
		for _, accept := range []string{"", "application/x-votable+xml", "text/html", "application/xml"} {
			w := s.ask("GET", path, http.Header{"Accept": {accept}})
			if w.Code/100 == 3 && strings.Contains(path, "//") {
				continue // to the clean path
			}
			if w.Code/100 != 4 || !label.MatchString(w.Body.String()) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("%s, Accept %q: %d %s %.100q", path, accept, w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		}
	}
}

// UWS-01 UWS-02 UWS-09 UWS-10 UWS-11 UWS-12 UWS-38 UWS-44 UWS-63 DALI-15 DALI-16: the tree below a job that failed.
func TestTree(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	failed := s.done(t, "ERROR", "ID", "ivo://localhost/demo?none.fits", "CIRCLE", circle)
	for path, want := range map[string]struct{ mime, body string }{
		"":                   {"application/xml; charset=utf-8", `^<\?xml .*>\s*<uws:job [^>]*version="1.1">`},
		"/phase":             {"text/plain; charset=utf-8", `^ERROR$`},
		"/executionduration": {"text/plain; charset=utf-8", `^600$`},
		"/destruction":       {"text/plain; charset=utf-8", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`},
		"/quote":             {"text/plain; charset=utf-8", `^$`},
		"/owner":             {"text/plain; charset=utf-8", `^$`},
		"/error":             {"text/plain; charset=utf-8", `^UsageError: .*\n$`},
		"/parameters":        {"application/xml; charset=utf-8", `<uws:parameter id="CIRCLE">` + circle + `<`},
		"/results":           {"application/xml; charset=utf-8", `<uws:results [^>]*></uws:results>`},
	} {
		w := s.ask("GET", failed+path, nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != want.mime || !regexp.MustCompile(want.body).MatchString(w.Body.String()) {
			t.Errorf("%s: %d %s %q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if head := s.ask("HEAD", failed+path, nil); head.Code != 200 {
			t.Errorf("HEAD %s: %d", path, head.Code)
		}
	}
	if w := s.ask("GET", failed+"/PHASE", nil); w.Code != 404 {
		t.Errorf("names are in lower case: %d", w.Code)
	}
	// UWS-13: XML, whatever else a client would like
	for _, accept := range []string{"*/*", "application/xml,text/plain", "text/html"} {
		if w := s.ask("GET", failed, http.Header{"Accept": {accept}}); !strings.HasPrefix(w.Header().Get("Content-Type"), "application/xml") {
			t.Errorf("Accept %s: %s", accept, w.Header().Get("Content-Type"))
		}
	}
}

// UWS-03 UWS-05 UWS-06 UWS-07 UWS-14 UWS-55 SODA-43: the job document, element by element.
func TestJobDocument(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	elements := func(path string) (names []string, nils []string) {
		d := xml.NewDecoder(s.ask("GET", path, nil).Body)
		for depth := 0; ; {
			token, err := d.Token()
			if err != nil {
				return names, nils
			}
			switch e := token.(type) {
			case xml.StartElement:
				if depth++; depth == 2 {
					names = append(names, e.Name.Local)
				}
				if depth <= 2 && e.Name.Space != "http://www.ivoa.net/xml/UWS/v1.0" {
					t.Errorf("%s is of %s", e.Name.Local, e.Name.Space)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "nil" && a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" && a.Value == "true" {
						nils = append(nils, e.Name.Local)
					}
				}
			case xml.EndElement:
				depth--
			}
		}
	}
	all := []string{"jobId", "ownerId", "phase", "quote", "creationTime", "startTime", "endTime", "executionDuration", "destruction", "parameters", "results"}
	pending := s.job(t)
	if names, nils := elements(pending); !slices.Equal(names, all) || !slices.Equal(nils, []string{"ownerId", "quote", "startTime", "endTime"}) {
		t.Errorf("a pending job: %v, nil %v", names, nils)
	}
	failed := s.done(t, "ERROR", "ID", "ivo://localhost/demo?none.fits", "RUNID", "x", "FOO", "1")
	if names, nils := elements(failed); !slices.Equal(names, append(slices.Insert(slices.Clone(all), 1, "runId"), "errorSummary", "jobInfo")) || !slices.Equal(nils, []string{"ownerId", "quote"}) {
		t.Errorf("a job that failed: %v, nil %v", names, nils)
	}
	if doc := s.ask("GET", failed, nil).Body.String(); !regexp.MustCompile(`<uws:errorSummary type="fatal" hasDetail="true">\s*<uws:message>UsageError: `).MatchString(doc) {
		t.Errorf("%s", doc)
	}
	if !regexp.MustCompile(`^/async/[a-z2-7]{26}$`).MatchString(pending) {
		t.Errorf("the job is at %s", pending)
	}
}

// UWS-59 UWS-61 DALI-02: WAIT and the values of PHASE.
func TestWaitIsCapped(t *testing.T) {
	limits := api.DefaultLimits
	limits.MaxWait = 1e9 // one second
	s := newService(t, "none", limits)
	job := s.job(t)
	for _, wait := range []string{"-1", "100000", "0", ""} {
		if doc := read[jobDocument](t, s.ask("GET", job, nil, "wait", wait)); doc.Phase != "PENDING" {
			t.Errorf("WAIT=%s: %+v", wait, doc)
		}
	}
	for _, path := range []string{"/async?WAIT=x", job + "/phase?WAIT=x", job + "/results?WAIT=x"} {
		if w := s.ask("GET", path, nil); w.Code != 200 {
			t.Errorf("%s: %d; want WAIT ignored", path, w.Code)
		}
	}
	if w := s.ask("POST", job+"/phase", nil, "PHASE", "run"); w.Code != 400 {
		t.Errorf("values are case-sensitive: PHASE=run gives %d", w.Code)
	}
}

// DALI-05: instants with and without Z and fraction, and no offsets.
func TestInstants(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	for value, good := range map[string]bool{
		"2026-03-20T12:00:00": true, "2026-03-20T12:00:00Z": true, "2026-03-20T12:00:00.123456": true, "2026-03-20": true, "2026-03-20 12:00:00": true,
		"2026-03-20T12:00:00+01:00": false, "2026-03-20T12:00": false, "2026-13-01": false, "20260320": false, "12:00:00": false, "2026-03-20T25:00:00": false,
	} {
		if w := s.ask("GET", "/async", nil, "AFTER", value); (w.Code == 200) != good {
			t.Errorf("AFTER=%s: %d", value, w.Code)
		}
	}
}

// UWS-64 UWS-65 SEC-04 SEC-05: whose job it is counts on every one of its resources.
func TestEveryResourceIsItsOwners(t *testing.T) {
	s := newService(t, "header", api.Limits{})
	s.user = "alice"
	job := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	if got := s.ask("GET", job+"/owner", nil).Body.String(); got != "alice" {
		t.Errorf("the owner is %q", got)
	}
	requests := [][2]string{{"POST", ""}, {"DELETE", ""}, {"POST", "/phase"}, {"POST", "/parameters"}, {"POST", "/destruction"}, {"POST", "/executionduration"}}
	for _, path := range []string{"", "/phase", "/executionduration", "/destruction", "/quote", "/owner", "/error", "/parameters", "/results", "/results/result", "/results/result/starfield_cutout.fits"} {
		requests = append(requests, [2]string{"GET", path})
	}
	form := []string{"ACTION", "DELETE", "PHASE", "ABORT", "DESTRUCTION", "2001-01-01", "EXECUTIONDURATION", "1", "FOO", "1"}
	for _, r := range requests {
		s.user = "bob"
		if w := s.ask(r[0], job+r[1], nil, form...); w.Code != 403 || !strings.HasPrefix(w.Body.String(), "AuthorizationError: ") {
			t.Errorf("%s %s by another: %d %s", r[0], r[1], w.Code, w.Body)
		}
		s.user = ""
		if w := s.ask(r[0], job+r[1], nil, form...); w.Code != 401 || !strings.HasPrefix(w.Body.String(), "AuthenticationError: ") {
			t.Errorf("%s %s by nobody: %d %s", r[0], r[1], w.Code, w.Body)
		}
		s.user, s.peer = "alice", "192.0.2.1:1" // past the proxy, anybody can say so
		if w := s.ask(r[0], job+r[1], nil, form...); w.Code != 401 {
			t.Errorf("%s %s past the proxy: %d %s", r[0], r[1], w.Code, w.Body)
		}
		s.peer = "10.0.0.1:1"
	}
	s.user = "alice"
	if doc := read[jobDocument](t, s.ask("GET", job, nil)); doc.Phase != "COMPLETED" || len(doc.Results) != 1 {
		t.Errorf("after all that: %+v", doc)
	}
}
