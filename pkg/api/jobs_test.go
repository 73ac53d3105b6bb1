package api_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
)

// jobDocument is what tests read of a uws:job.
type jobDocument struct {
	Phase   string `xml:"phase"`
	Ended   string `xml:"endTime"`
	Results []struct {
		ID   string `xml:"id,attr"`
		Href string `xml:"href,attr"`
		MIME string `xml:"mime-type,attr"`
	} `xml:"results>result"`
	Parameters []struct {
		ID    string `xml:"id,attr"`
		Value string `xml:",chardata"`
	} `xml:"parameters>parameter"`
	Ignored []string `xml:"jobInfo>ignored"`
}

func read[T any](t testing.TB, w *httptest.ResponseRecorder) (doc T) {
	t.Helper()
	if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v\n%s", w.Code, err, w.Body)
	}
	return doc
}

// follow fetches where an answer redirects to.
func (s *service) follow(t testing.TB, w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	path, found := strings.CutPrefix(w.Header().Get("Location"), base)
	if w.Code != http.StatusSeeOther || !found {
		t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	return s.ask("GET", path, nil)
}

// SODA-10 SODA-28 SODA-40 SODA-41 SODA-42 SODA-44 UWS-53 UWS-54: the product of async, and each result at its URL, with its file name.
func TestProduct(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	job := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle, "CIRCLE", "330 -2 0.1", "STAMP", "150.1163 2.2058 8 8", "CUTOUTNAME", "m1.fits")
	doc := read[jobDocument](t, s.ask("GET", job, nil))
	for i, want := range []struct{ id, name, mime, begins string }{
		{"cutout-0001", "m1-0001.fits", "application/fits", "SIMPLE  ="},
		{"cutout-0002", "no_overlap-0002.txt", "text/plain", "UsageError: no overlap: CIRCLE 330 -2 0.1 misses the image by "},
		{"cutout-0003", "m1-0003.fits", "application/fits", "SIMPLE  ="},
	} {
		r := doc.Results[i]
		if r.ID != want.id || r.MIME != want.mime || r.Href != base+job+"/results/"+want.id+"/"+want.name {
			t.Errorf("result %d: %+v, want %+v", i, r, want)
		}
		for _, path := range []string{"/results/" + want.id, "/results/" + want.id + "/" + want.name} {
			signed := s.ask("GET", job+path, nil)
			where, _ := url.Parse(signed.Header().Get("Location"))
			if !strings.HasSuffix(where.Path, "/"+want.name) {
				t.Errorf("%s leads to %s, whose path does not end in %s", path, where, want.name)
			}
			got := s.follow(t, signed)
			h := got.Header()
			if got.Code != 200 || !strings.HasPrefix(got.Body.String(), want.begins) || h.Get("Content-Disposition") != `attachment; filename="`+want.name+`"` ||
				h.Get("Content-Length") != fmt.Sprint(got.Body.Len()) || h.Get("ETag") == "" || h.Get("Access-Control-Allow-Origin") != "*" ||
				!strings.Contains(h.Get("Access-Control-Expose-Headers"), "Content-Disposition, Content-Length") || !strings.HasPrefix(h.Get("Content-Type"), want.mime) {
				t.Errorf("%s: %d %v %.80q", path, got.Code, h, got.Body)
			}
		}
	}
	if len(doc.Results) != 3 || doc.Phase != "COMPLETED" {
		t.Errorf("%+v", doc)
	}
	// one ID of two that is not there costs the other one nothing
	job = s.done(t, "COMPLETED", "ID", "ivo://localhost/other?x.fits", "ID", dataset, "CIRCLE", circle)
	if doc := read[jobDocument](t, s.ask("GET", job, nil)); len(doc.Results) != 2 || doc.Results[0].MIME != "text/plain" || doc.Results[1].MIME != "application/fits" {
		t.Errorf("%+v", doc)
	}
}

// DALI-08: a media type that is asked for is that of the answer.
func TestResponseFormat(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	for ask, want := range map[string]string{"": "application/fits", "fits": "application/fits", "FITS": "application/fits", "image/fits": "image/fits"} {
		w := s.follow(t, s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle, "RESPONSEFORMAT", ask))
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != want {
			t.Errorf("RESPONSEFORMAT=%s: %d %s, want %s", ask, w.Code, got, want)
		}
	}
}

// What is not known is ignored, and named in a header and in the job (SODA-25, DALI-10).
func TestIgnoredAreNamed(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	w := s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle, "maxrec", "1", "a b<", "x", "REQUEST", "doCutout", "RUNID", "x", "empty", "")
	if got := w.Header().Get(api.IgnoredHeader); w.Code != 303 || got != "MAXREC, A+B%3C, REQUEST" {
		t.Errorf("%d, ignored %q", w.Code, got)
	}
	if w := s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle); w.Header()[api.IgnoredHeader] != nil {
		t.Errorf("ignored %q", w.Header()[api.IgnoredHeader])
	}
	job := s.job(t, "ID", dataset, "FOO", "<&>", "foo", "2")
	doc := read[jobDocument](t, s.ask("GET", job, nil))
	if !slices.Equal(doc.Ignored, []string{"FOO"}) || len(doc.Parameters) != 3 || doc.Parameters[1].Value != "<&>" {
		t.Errorf("UWS-30: %+v", doc)
	}
}

// The raw + of a URL is a blank, so +Inf loses its sign (SODA-20).
func TestRawPlusInURL(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	for _, pos := range []string{"RANGE+150.114+150.118+2.204+2.208", "range%20150.114%20150.118%202.204%202.208", "CIRCLE+150.1163+2.2058++0.004"} {
		if w := s.ask("GET", "/sync?ID="+url.QueryEscape(dataset)+"&POS="+pos, nil); w.Code != 303 {
			t.Errorf("%s: %d %s", pos, w.Code, w.Body)
		}
	}
	if w := s.ask("GET", "/sync?ID="+url.QueryEscape(dataset)+"&POS=RANGE+-Inf++Inf++-90++Inf&HDU=5", nil); w.Code != 400 || !strings.Contains(w.Body.String(), "HDU 5 of a file") {
		t.Errorf("the whole sky: %d %s", w.Code, w.Body)
	}
}

type listDocument struct {
	Version string `xml:"version,attr"`
	Jobs    []struct {
		ID    string `xml:"id,attr"`
		Phase string `xml:"phase"`
		RunID string `xml:"runId"`
	} `xml:"jobref"`
}

// UWS-16 to UWS-23: lists, their filters, and what bounds them.
func TestLists(t *testing.T) {
	limits := api.DefaultLimits
	limits.List = 3
	s := newService(t, "header", limits)
	s.user = "bob"
	s.job(t)
	s.user = "alice"
	var made []string
	var times []time.Time
	for i := range 4 {
		times = append(times, time.Now())
		path := s.job(t, "ID", dataset, "RUNID", fmt.Sprint("run ", i))
		made = append(made, strings.TrimPrefix(path, "/async/"))
		time.Sleep(5 * time.Millisecond)
	}
	s.ask("POST", "/async/"+made[0]+"/phase", nil, "PHASE", "ABORT")
	ids := func(query string) (ids []string) {
		w := s.ask("GET", "/async?"+query, nil)
		if w.Code == http.StatusSeeOther {
			ids = append(ids, "303 "+strings.TrimPrefix(w.Header().Get("Location"), base))
			w = s.follow(t, w)
		}
		doc := read[listDocument](t, w)
		for _, j := range doc.Jobs {
			if i := slices.Index(made, j.ID); i < 0 || j.RunID != fmt.Sprint("run ", i) {
				t.Errorf("UWS-28 UWS-64: %+v in the list of alice", j)
			}
			ids = append(ids, fmt.Sprint(slices.Index(made, j.ID)))
		}
		if doc.Version != "1.1" {
			t.Errorf("UWS-04: version %q", doc.Version)
		}
		return ids
	}
	after := url.QueryEscape(times[2].UTC().Format("2006-01-02T15:04:05.000"))
	for query, want := range map[string][]string{
		"":                                    {"303 /async?LAST=3", "3", "2", "1"}, // UWS-17
		"LAST=99":                             {"303 /async?LAST=3", "3", "2", "1"},
		"LAST=2":                              {"3", "2"}, // UWS-20
		"phase=ABORTED":                       {"0"},      // UWS-18
		"PHASE=PENDING":                       {"3", "2", "1"},
		"PHASE=PENDING&PHASE=ABORTED&LAST=2":  {"3", "2"}, // UWS-21
		"PHASE=ABORTED&PHASE=PENDING":         {"303 /async?LAST=3&PHASE=ABORTED&PHASE=PENDING", "3", "2", "1"},
		"PHASE=HELD":                          nil,
		"AFTER=" + after:                      {"3", "2"}, // UWS-19
		"AFTER=" + after + "Z&LAST=1":         {"3"},
		"AFTER=2020-01-01&PHASE=ABORTED":      {"0"},
		"AFTER=2020-01-01T00:00:00":           {"303 /async?AFTER=2020-01-01T00%3A00%3A00&LAST=3", "3", "2", "1"},
		"AFTER=2999-01-01T00:00:00Z&LAST=100": {"303 /async?AFTER=2999-01-01T00%3A00%3A00Z&LAST=3"},
	} {
		if got := ids(query); !slices.Equal(got, want) {
			t.Errorf("GET /async?%s: %q, want %q", query, got, want)
		}
	}
	s.user = "carol"
	if got := read[listDocument](t, s.ask("GET", "/async/", nil)); len(got.Jobs) != 0 {
		t.Errorf("UWS-15 UWS-23: the list of who has no job: %+v", got)
	}
}

// UWS-41 UWS-42 UWS-50: at its destruction a job's results go, and it is remembered as ARCHIVED.
func TestArchivedJobs(t *testing.T) {
	s := newService(t, "local", api.Limits{})
	s.peer = "127.0.0.1:1"
	job := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	s.follow(t, s.ask("POST", job+"/destruction", nil, "DESTRUCTION", "2001-01-01T00:00:00Z"))
	for end := time.Now().Add(60 * time.Second); s.ask("GET", job+"/phase", nil).Body.String() != "ARCHIVED"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("after a minute the job is not ARCHIVED")
		}
	}
	if doc := read[jobDocument](t, s.ask("GET", job, nil, "WAIT", "20")); len(doc.Results) != 0 || doc.Ended == "" {
		t.Errorf("an archived job: %+v", doc)
	}
	if doc := read[listDocument](t, s.ask("GET", "/async", nil)); len(doc.Jobs) != 0 {
		t.Errorf("UWS-17: archived jobs in the list: %+v", doc)
	}
	if doc := read[listDocument](t, s.ask("GET", "/async", nil, "PHASE", "ARCHIVED")); len(doc.Jobs) != 1 {
		t.Errorf("UWS-18: the list of archived jobs: %+v", doc)
	}
	checkError(t, s.ask("POST", job+"/destruction", nil, "DESTRUCTION", "2999-01-01"), "to bring it back", 403, "UsageError: the job is ARCHIVED: its results are gone; make a new job")
}

// UWS-42 UWS-43: what clients set is held within limits, and shown as it then is.
func TestSettersAreHeldWithinLimits(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	job := s.job(t)
	for _, tt := range []struct{ set, want string }{{"60", "60"}, {"0", "600"}, {"2147483647", "600"}} {
		s.follow(t, s.ask("POST", job+"/executionduration", nil, "executionduration", tt.set))
		if got := s.ask("GET", job+"/executionduration", nil).Body.String(); got != tt.want {
			t.Errorf("EXECUTIONDURATION=%s gives %s, want %s", tt.set, got, tt.want)
		}
	}
	latest := time.Now().Add(api.DefaultLimits.MaxDestroy)
	s.follow(t, s.ask("POST", job+"/destruction", nil, "DESTRUCTION", "2999-01-01T00:00:00"))
	got, err := time.Parse("2006-01-02T15:04:05.000Z", s.ask("GET", job+"/destruction", nil).Body.String())
	if err != nil || got.Before(latest.Add(-time.Minute)) || got.After(latest.Add(time.Minute)) {
		t.Errorf("UWS-08: destruction in the year 2999 gives %v (%v), want %v", got, err, latest)
	}
}

// SEC-07: pages of other sites may read what is public, without credentials.
func TestCORS(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	job := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	for _, path := range []string{"/sync?ID=" + url.QueryEscape(dataset) + "&CIRCLE=150.1163+2.2058+0.004", job, job + "/phase", job + "/results", job + "/results/result", "/capabilities", "/nowhere"} {
		h := s.ask("GET", path, http.Header{"Origin": {"https://aladin.example.org"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}).Header()
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, h)
		}
		for _, name := range []string{"Location", "Content-Length", "Content-Disposition", "ETag"} {
			if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
				t.Errorf("%s does not expose %s", path, name)
			}
		}
	}
	if w := s.ask("OPTIONS", job, nil); w.Code != 204 || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("a preflight: %d %v", w.Code, w.Header())
	}
}
