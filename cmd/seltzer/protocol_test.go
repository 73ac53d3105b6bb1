package main

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

const inside = "150.1163 2.2058 0.004"

// Wrong requests of every kind get a 4xx whose text begins with a label of SODA, and the
// server is well afterwards.
func TestWrongRequests(t *testing.T) {
	odd := t.TempDir()
	whole, err := os.ReadFile(demoServer(t).demoFile())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty.fits": nil, "text.fits": []byte("Dear reader, this is no image.\n"), "truncated.fits": whole[:len(whole)/2],
		"header_only.fits": whole[:2880], "zeros.fits": make([]byte, 5760), "with space & more+%41?.fits": whole,
	} {
		if err := os.WriteFile(filepath.Join(odd, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(odd, "folder.fits"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := demoServer(t, "--archive", "odd="+odd)
	const good = "ivo://localhost/odd?with space & more+%41?.fits"
	const usage, multi, other = "UsageError: ", "MultiValuedParamNotSupported: ", "Error: "
	for _, tt := range []struct {
		name   string
		pairs  []string
		status int
		label  string
	}{
		{"SODA-07 the ID is opaque", []string{"ID", good, "CIRCLE", inside}, 200, ""},
		{"SODA-07 it is not decoded twice", []string{"ID", strings.ReplaceAll(good, "%41", "A"), "CIRCLE", inside}, 404, usage},
		{"SODA-07 it is not trimmed", []string{"ID", good + " ", "CIRCLE", inside}, 404, usage},
		{"SODA-08 no ID", []string{"CIRCLE", inside}, 400, usage},
		{"SODA-08 an empty ID", []string{"ID", "", "CIRCLE", inside}, 400, usage},
		{"SODA-09 unknown ID", []string{"ID", "ivo://localhost/odd?no.fits", "CIRCLE", inside}, 404, usage},
		{"SODA-09 unknown collection", []string{"ID", "ivo://localhost/nothing?no.fits", "CIRCLE", inside}, 404, usage},
		{"an ID is never fetched", []string{"ID", "http://127.0.0.1/x.fits", "CIRCLE", inside}, 404, usage},
		{"an ID stays in its folder", []string{"ID", "ivo://localhost/odd?../../etc/passwd", "CIRCLE", inside}, 400, usage},
		{"SODA-23 no region: the whole image", []string{"ID", good}, 200, ""},
		{"SODA-11 two numbers", []string{"ID", good, "CIRCLE", "12 34"}, 400, usage},
		{"SODA-11 four numbers", []string{"ID", good, "CIRCLE", "12 34 1 1"}, 400, usage},
		{"SODA-11 radius zero", []string{"ID", good, "CIRCLE", "12 34 0"}, 400, usage},
		{"SODA-11 radius negative", []string{"ID", good, "CIRCLE", "12 34 -1"}, 400, usage},
		{"SODA-11 radius over 180", []string{"ID", good, "CIRCLE", "12 34 181"}, 400, usage},
		{"SODA-11 latitude over the pole", []string{"ID", good, "CIRCLE", "12 91 1"}, 400, usage},
		{"SODA-11 longitude over 360", []string{"ID", good, "CIRCLE", "361 0 1"}, 400, usage},
		{"SODA-11 a word", []string{"ID", good, "CIRCLE", "12 34 x"}, 400, usage},
		{"SODA-11 NaN", []string{"ID", good, "CIRCLE", "NaN 0 1"}, 400, usage},
		{"SODA-11 infinite", []string{"ID", good, "CIRCLE", "12 34 +Inf"}, 400, usage},
		{"SODA-20 hexadecimal", []string{"ID", good, "CIRCLE", "0x1p3 0 1"}, 400, usage},
		{"SODA-20 overflow", []string{"ID", good, "CIRCLE", "1e999 0 1"}, 400, usage},
		{"commas are no blanks", []string{"ID", good, "CIRCLE", "12,34,1"}, 400, usage},
		{"SODA-12 four numbers", []string{"ID", good, "POLYGON", "1 2 3 4"}, 400, usage},
		{"SODA-12 five numbers", []string{"ID", good, "POLYGON", "1 2 3 4 5"}, 400, usage},
		{"SODA-12 seven numbers", []string{"ID", good, "POLYGON", "1 2 3 4 5 6 7"}, 400, usage},
		{"SODA-13 one winding", []string{"ID", good, "POLYGON", "150.114 2.204 150.118 2.204 150.118 2.208 150.114 2.208"}, 200, ""},
		{"SODA-13 the other winding", []string{"ID", good, "POLYGON", "150.114 2.208 150.118 2.208 150.118 2.204 150.114 2.204"}, 200, ""},
		{"SODA-14 a shape that is none", []string{"ID", good, "POS", "BOX 1 2 3 4"}, 400, usage},
		{"SODA-16 latitudes the wrong way round", []string{"ID", good, "POS", "RANGE 1 2 4 3"}, 400, usage},
		{"SODA-25 BAND is not ignored", []string{"ID", good, "CIRCLE", inside, "BAND", "5e-7 6e-7"}, 400, usage},
		{"SODA-25 TIME is not ignored", []string{"ID", good, "CIRCLE", inside, "TIME", "55678.123456 55690"}, 400, usage},
		{"SODA-25 POL is not ignored", []string{"ID", good, "CIRCLE", inside, "POL", "I"}, 400, usage},
		{"SODA-24 an empty value is absent", []string{"ID", good, "CIRCLE", inside, "BAND", "", "POS", ""}, 200, ""},
		{"a name that nobody knows", []string{"ID", good, "CIRCLE", inside, "FOO", "bar", "MAXREC", "1"}, 200, ""},
		{"SODA-27 two circles", []string{"ID", good, "CIRCLE", inside, "CIRCLE", inside}, 400, multi},
		{"SODA-29 a circle and a position", []string{"ID", good, "CIRCLE", inside, "POS", "CIRCLE " + inside}, 400, multi},
		{"SODA-27 two IDs", []string{"ID", good, "ID", good, "CIRCLE", inside}, 400, multi},
		{"DALI-01 names in any case", []string{"Id", good, "cIrClE", inside}, 200, ""},
		{"DALI-01 one name in two cases", []string{"ID", good, "circle", inside, "CIRCLE", inside}, 400, multi},
		{"DALI-08 the short form", []string{"ID", good, "CIRCLE", inside, "RESPONSEFORMAT", "fits"}, 200, ""},
		{"DALI-09 another format", []string{"ID", good, "CIRCLE", inside, "RESPONSEFORMAT", "image/png"}, 400, usage},
		{"DALI-12 RUNID too long", []string{"ID", good, "CIRCLE", inside, "RUNID", strings.Repeat("x", 65)}, 400, usage},
		{"SODA-33 no overlap", []string{"ID", good, "CIRCLE", "330 -2 0.001"}, 204, ""},
		{"an empty file", []string{"ID", "ivo://localhost/odd?empty.fits", "CIRCLE", inside}, 422, other},
		{"a text file", []string{"ID", "ivo://localhost/odd?text.fits", "CIRCLE", inside}, 422, other},
		{"a truncated file", []string{"ID", "ivo://localhost/odd?truncated.fits", "CIRCLE", inside}, 422, other},
		{"a header without data", []string{"ID", "ivo://localhost/odd?header_only.fits", "CIRCLE", inside}, 422, other},
		{"zeros", []string{"ID", "ivo://localhost/odd?zeros.fits", "CIRCLE", inside}, 422, other},
		{"a folder", []string{"ID", "ivo://localhost/odd?folder.fits", "CIRCLE", inside}, 404, usage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.syncCut(t, tt.pairs...)
			checkAnswer(t, "GET /sync", got, tt.status, tt.label)
			posted := send(t, http.DefaultClient, request(t, http.MethodPost, s.URL+"/sync", values(tt.pairs...)))
			checkAnswer(t, "POST /sync", posted, tt.status, tt.label)
			made := post(t, s.URL+"/async", append(tt.pairs, "PHASE", "RUN")...)
			if made.StatusCode != http.StatusSeeOther {
				checkAnswer(t, "POST /async", made, tt.status, tt.label)
				return
			}
			job := made.Header.Get("Location")
			phase := waitForEnd(t, job)
			if ok := tt.status < 300 || tt.label == multi; ok != (phase == "COMPLETED") { // SODA-28: async takes them all
				t.Errorf("async: %s, want COMPLETED: %t", phase, ok)
			}
			if phase == "ERROR" {
				checkAnswer(t, "GET error", get(t, job+"/error"), http.StatusOK, tt.label)
			}
		})
	}
	if got := s.syncCut(t, "ID", good, "CIRCLE", inside); got.StatusCode != http.StatusOK {
		t.Errorf("after all that a right request gives %s: %s", got.Status, got.Body)
	}
	if got := get(t, s.URL+"/availability"); !strings.Contains(got.Body, "<vosi:available>true<") {
		t.Errorf("after all that the service is not available:\n%s", got.Body)
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Errorf("the server panicked:\n%s", log)
	}
}

func checkAnswer(t *testing.T, what string, got answer, status int, label string) {
	t.Helper()
	if got.StatusCode != status || !strings.HasPrefix(got.Body, label) {
		t.Errorf("%s: %s %.200q, want %d and a text that begins with %q", what, got.Status, got.Body, status, label)
	}
	switch {
	case status == http.StatusNoContent && got.Body != "":
		t.Errorf("%s: 204 has a body: %q", what, got.Body)
	case label != "" && !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain"):
		t.Errorf("%s: an error of type %s, want text/plain", what, got.Header.Get("Content-Type"))
	}
}

func TestMultipartIsRead(t *testing.T) {
	s := demoServer(t)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range [][2]string{{"ID", demoID}, {"CIRCLE", inside}} {
		if err := w.WriteField(p[0], p[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	r := request(t, http.MethodPost, s.URL+"/sync", nil)
	r.Body, r.ContentLength = http.NoBody, 0
	chunked, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/sync", struct{ *bytes.Buffer }{&body})
	if err != nil {
		t.Fatal(err)
	}
	chunked.Header.Set("Content-Type", w.FormDataContentType())
	if got := send(t, http.DefaultClient, chunked); got.StatusCode != http.StatusOK {
		t.Errorf("chunked multipart: %s %s", got.Status, got.Body)
	}
	checkAnswer(t, "HEAD works nothing (SODA-39)", send(t, still, request(t, http.MethodHead, s.URL+"/sync?"+values("ID", demoID, "CIRCLE", inside).Encode(), nil)), http.StatusMethodNotAllowed, "")
	checkAnswer(t, "an empty POST", send(t, still, r), http.StatusBadRequest, "UsageError: ")
}

// The job's life as UWS tells it, step by step.
func TestLifeOfAJob(t *testing.T) {
	s := demoServer(t)
	list := s.URL + "/async"
	see := func(what string, got answer, location string) {
		t.Helper()
		if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != location {
			t.Errorf("%s: %s to %q, want 303 to %q\n%s", what, got.Status, got.Header.Get("Location"), location, got.Body)
		}
	}
	is := func(what string, got answer, status int, body string) {
		t.Helper()
		if got.StatusCode != status || !strings.Contains(got.Body, body) {
			t.Errorf("%s: %s %q, want %d and %q", what, got.Status, got.Body, status, body)
		}
	}
	made := post(t, list+"/", "RUNID", "tonight")
	job := made.Header.Get("Location")
	if made.StatusCode != http.StatusSeeOther || !regexp.MustCompile("^"+regexp.QuoteMeta(list)+"/[a-z2-7]{26}$").MatchString(job) {
		t.Fatalf("UWS-24: %s to %q", made.Status, job)
	}
	is("UWS-25", get(t, job+"/phase"), 200, "PENDING")
	is("UWS-28", get(t, job), 200, "<uws:runId>tonight</uws:runId>")
	is("SODA-08 RUN without an ID", post(t, job+"/phase", "PHASE", "RUN"), 400, "UsageError: ")
	see("UWS-45", post(t, job+"/parameters", "ID", demoID), job)
	see("UWS-45", post(t, job+"/parameters", "circle", inside), job)
	is("UWS-30", get(t, job+"/parameters"), 200, `<uws:parameter id="CIRCLE">`+inside)
	is("DALI-03", post(t, job+"/parameters", "MASK", "nan", "MASK", "none"), 400, "MultiValuedParamNotSupported: ")
	is("UWS-46", post(t, job, "CIRCLE", inside), 400, "UsageError: ")
	see("UWS-43", post(t, job+"/executionduration", "EXECUTIONDURATION", "60"), job)
	is("UWS-10", get(t, job+"/executionduration"), 200, "60")
	is("UWS-43 a fraction", post(t, job+"/executionduration", "EXECUTIONDURATION", "1.5"), 400, "UsageError: ")
	see("UWS-42", post(t, job+"/destruction", "DESTRUCTION", time.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04:05")), job)
	is("DALI-12", post(t, job+"/parameters", "RUNID", strings.Repeat("x", 65)), 400, "UsageError: ")
	is("a job of bounded size", post(t, job+"/parameters", "FOO", strings.Repeat("x", 300_000)), 413, "UsageError: ")
	is("UWS-42 no instant", post(t, job+"/destruction", "DESTRUCTION", "tomorrow"), 400, "UsageError: ")
	is("UWS-10 quote", get(t, job+"/quote"), 200, "")
	is("UWS-12", get(t, job+"/owner"), 200, "local")
	is("UWS-01 no error yet", get(t, job+"/error"), 404, "UsageError: ")
	is("UWS-52", get(t, job+"/results"), 200, "<uws:results")
	is("UWS-35", post(t, job+"/phase", "PHASE", "EXECUTING"), 400, "UsageError: ")
	is("UWS-61", get(t, job+"?WAIT=x"), 400, "UsageError: ")

	began := time.Now()
	is("UWS-58 WAIT blocks", get(t, job+"?wait=1"), 200, "<uws:phase>PENDING<")
	if d := time.Since(began); d < 900*time.Millisecond {
		t.Errorf("WAIT=1 came back after %v", d)
	}
	began = time.Now()
	is("UWS-60", get(t, job+"?WAIT=10&PHASE=QUEUED"), 200, "<uws:phase>PENDING<")
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("WAIT for another phase than the job's came back after %v", d)
	}
	see("UWS-32", post(t, job+"/phase", "phase", "RUN"), job)
	if phase := waitForEnd(t, job); phase != "COMPLETED" {
		t.Fatalf("the job ends %s: %s", phase, get(t, job+"/error").Body)
	}
	is("UWS-36", get(t, job), 200, `xlink:href="`+job+`/results/result"`)
	is("UWS-33", post(t, job+"/phase", "PHASE", "RUN"), 403, "UsageError: ")
	is("UWS-34", post(t, job+"/phase", "PHASE", "ABORT"), 403, "UsageError: ")
	is("UWS-45 too late", post(t, job+"/parameters", "FOO", "1"), 403, "UsageError: ")
	first, second := get(t, job+"/results/result"), get(t, job+"/results/result")
	if first.StatusCode != http.StatusSeeOther || !strings.HasPrefix(first.Header.Get("Location"), s.Results) {
		t.Errorf("UWS-54: %s to %q", first.Status, first.Header.Get("Location"))
	}
	if file := get(t, second.Header.Get("Location")); file.StatusCode != 200 || file.Header.Get("Content-Type") != "application/fits" || !strings.HasPrefix(file.Body, "SIMPLE  =") {
		t.Errorf("the signed URL gives %s of type %s", file.Status, file.Header.Get("Content-Type"))
	}
	forged, _ := url.Parse(second.Header.Get("Location"))
	forged.Path += "x"
	is("another object under the same signature", get(t, forged.String()), 403, s.Refusal)
	is("no such result", get(t, job+"/results/other"), 404, "UsageError: ")
	is("no such child", get(t, job+"/nonsense"), 404, "UsageError: ")
	is("UWS-49", send(t, still, request(t, http.MethodDelete, job+"/results", nil)), 405, "UsageError: ")
	is("UWS-51", post(t, job+"/results", "A", "B"), 405, "UsageError: ")
	is("UWS-48 a POST that says nothing deletes nothing", post(t, job), 400, "UsageError: ")
	is("UWS-16", get(t, list), 200, `id="`+job[len(list)+1:]+`"`)
	is("UWS-18", get(t, list+"?PHASE=ERROR&PHASE=COMPLETED"), 200, `id="`+job[len(list)+1:]+`"`)
	is("UWS-21", get(t, list+"?phase=COMPLETED&LAST=1&AFTER=2020-01-01"), 200, `id="`+job[len(list)+1:]+`"`)
	if got := get(t, list+"?PHASE=ERROR"); strings.Contains(got.Body, "jobref") {
		t.Errorf("UWS-18: a completed job among those in ERROR:\n%s", got.Body)
	}
	for _, query := range []string{"PHASE=FOO", "LAST=0", "LAST=x", "AFTER=yesterday"} {
		is("UWS-22", get(t, list+"?"+query), 400, "UsageError: ")
	}
	see("UWS-48", post(t, job, "ACTION", "DELETE"), list)
	is("UWS-47", get(t, job), 404, "UsageError: ")
	if got := get(t, list); strings.Contains(got.Body, "jobref") {
		t.Errorf("a deleted job is in the list:\n%s", got.Body)
	}

	aborted := post(t, list, "ID", demoID, "CIRCLE", inside).Header.Get("Location")
	see("UWS-34 PENDING", post(t, aborted+"/phase", "PHASE", "ABORT"), aborted)
	is("UWS-34", get(t, aborted+"/phase"), 200, "ABORTED")
	see("UWS-47", send(t, still, request(t, http.MethodDelete, aborted, nil)), list)
	if phase := waitForEnd(t, post(t, list+"?PHASE=RUN", "ID", demoID, "CIRCLE", inside).Header.Get("Location")); phase != "COMPLETED" {
		t.Errorf("UWS-26: a job made with RUN in the URL ends %s", phase)
	}

	miss, phase := s.asyncCut(t, "ID", demoID, "CIRCLE", "10 10 0.001")
	is("SODA-41", get(t, miss+"/results"), 200, `mime-type="text/plain"`)
	is("SODA-41 the text", send(t, http.DefaultClient, request(t, http.MethodGet, miss+"/results/result", nil)), 200, "UsageError: no overlap")
	if phase != "COMPLETED" {
		t.Errorf("SODA-41: a job without overlap ends %s, want COMPLETED", phase)
	}
}

// Jobs belong to who made them, as the proxy says who that is.
func TestOwners(t *testing.T) {
	s := demoServer(t, "--auth", "header")
	as := func(user, method, address string, form url.Values) answer {
		r := request(t, method, address, form)
		if user != "" {
			r.Header.Set("X-Auth-Request-User", user)
		}
		return send(t, still, r)
	}
	if got := as("", "POST", s.URL+"/async", values("ID", demoID)); got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") == "" || !strings.HasPrefix(got.Body, "AuthenticationError: ") {
		t.Errorf("SEC-01: %s %q", got.Status, got.Body)
	}
	job := as("alice", "POST", s.URL+"/async", values("ID", demoID, "CIRCLE", inside, "PHASE", "RUN")).Header.Get("Location")
	for _, child := range []string{"", "/phase", "/parameters", "/results", "/results/result", "/owner", "/error", "/destruction", "/executionduration", "/quote"} {
		if got := as("bob", "GET", job+child, nil); got.StatusCode != 403 || !strings.HasPrefix(got.Body, "AuthorizationError: ") {
			t.Errorf("UWS-64: bob reads %s of alice's job: %s %q", child, got.Status, got.Body)
		}
	}
	for _, child := range []string{"/phase", "/parameters", "/destruction", "/executionduration"} {
		if got := as("bob", "POST", job+child, values("PHASE", "ABORT", "DESTRUCTION", "2030-01-01T00:00:00", "EXECUTIONDURATION", "1")); got.StatusCode != 403 {
			t.Errorf("UWS-64: bob changes %s of alice's job: %s", child, got.Status)
		}
	}
	if got := as("bob", "DELETE", job, nil); got.StatusCode != 403 {
		t.Errorf("UWS-64: bob deletes alice's job: %s", got.Status)
	}
	if got := as("bob", "GET", s.URL+"/async", nil); strings.Contains(got.Body, "jobref") {
		t.Errorf("UWS-64: bob's list shows alice's job:\n%s", got.Body)
	}
	if got := as("alice", "GET", job+"?WAIT=20", nil); got.StatusCode != 200 || !strings.Contains(got.Body, "<uws:ownerId>alice</uws:ownerId>") {
		t.Errorf("UWS-65: alice reads her job: %s\n%s", got.Status, got.Body)
	}
	for _, path := range []string{"/availability", "/capabilities"} {
		if got := as("", "GET", s.URL+path, nil); got.StatusCode != 200 {
			t.Errorf("VOSI-06: %s without a user: %s", path, got.Status)
		}
	}
	if got := as("", "GET", s.URL+"/nowhere", nil); got.StatusCode != 404 {
		t.Errorf("404 comes before 401 where nothing is: %s", got.Status)
	}

	public := demoServer(t, "--auth", "none")
	mine := post(t, public.URL+"/async", "ID", demoID, "CIRCLE", inside).Header.Get("Location")
	if got := get(t, mine); got.StatusCode != 200 || !strings.Contains(got.Body, `<uws:ownerId xsi:nil="true">`) {
		t.Errorf("an anonymous job by its id: %s\n%s", got.Status, got.Body)
	}
	if got := get(t, public.URL+"/async"); got.StatusCode != 200 || strings.Contains(got.Body, "jobref") {
		t.Errorf("the anonymous list is not 200 and empty: %s\n%s", got.Status, got.Body)
	}
}

// The local user is whoever sits at the machine, not the pages that they visit.
func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	s := demoServer(t)
	foreign := request(t, http.MethodPost, s.URL+"/async", values("ID", demoID))
	foreign.Header.Set("Origin", "https://example.org")
	if got := send(t, still, foreign); got.StatusCode != 403 || !strings.HasPrefix(got.Body, "AuthorizationError: ") {
		t.Errorf("a POST from another site's page: %s %q", got.Status, got.Body)
	}
	image := request(t, http.MethodGet, s.URL+"/sync?"+values("ID", demoID, "CIRCLE", inside).Encode(), nil)
	image.Header.Set("Sec-Fetch-Site", "cross-site")
	image.Header.Set("Sec-Fetch-Mode", "no-cors")
	if got := send(t, still, image); got.StatusCode != 403 {
		t.Errorf("UWS-67: a sync request that another site's page makes: %s", got.Status)
	}
	rebound := request(t, http.MethodGet, s.URL+"/async", nil)
	rebound.Host = "example.org"
	if got := send(t, still, rebound); got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a request for another host: %s %q", got.Status, got.Body)
	}
	if got := get(t, s.URL+"/capabilities"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages of other sites may read the local user's answers")
	}
	if got := get(t, demoServer(t, "--auth", "none").URL+"/capabilities"); got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("SEC-07: pages of other sites may not read the answers of a public service")
	}
}

// Every document validates against the schemas of the standards, by two validators.
func TestDocumentsValidate(t *testing.T) {
	s := demoServer(t)
	done, _ := s.asyncCut(t, "ID", demoID, "CIRCLE", inside, "RUNID", "a<b>&\"c\"")
	failed, _ := s.asyncCut(t, "ID", "ivo://localhost/demo?none.fits", "CIRCLE", inside)
	pending := post(t, s.URL+"/async", "ID", demoID, "FOO", "<&>").Header.Get("Location")
	aborted := post(t, s.URL+"/async", "ID", demoID).Header.Get("Location")
	post(t, aborted+"/phase", "PHASE", "ABORT")
	several, _ := s.asyncCut(t, "ID", demoID, "CIRCLE", inside, "CIRCLE", "10 10 0.001", "F<O>O", "1")
	if doc := get(t, several).Body; !strings.Contains(doc, "<seltzer:progress") || !strings.Contains(doc, "<seltzer:ignored>F&lt;O&gt;O<") {
		t.Errorf("a job without jobInfo:\n%s", doc)
	}
	const uws, vosi = "{http://www.ivoa.net/xml/UWS/v1.0}", "{http://www.ivoa.net/xml/VOSI"
	xsd := filepath.Join(outside.Standards(t), "xsd")
	lint, stilts := outside.Tool(t, "xmllint"), outside.Tool(t, "stilts")
	t.Setenv("XML_CATALOG_FILES", filepath.Join(xsd, "catalog.xml"))
	for _, doc := range []struct{ name, url, root string }{
		{"job_completed", done, uws + "job"}, {"job_error", failed, uws + "job"}, {"job_pending", pending, uws + "job"}, {"job_aborted", aborted, uws + "job"},
		{"job_several", several, uws + "job"}, {"results_several", several + "/results", uws + "results"},
		{"jobs", s.URL + "/async", uws + "jobs"}, {"jobs_empty", s.URL + "/async?PHASE=HELD", uws + "jobs"},
		{"results", done + "/results", uws + "results"}, {"results_empty", pending + "/results", uws + "results"},
		{"parameters", pending + "/parameters", uws + "parameters"},
		{"availability", s.URL + "/availability", vosi + "Availability/v1.0}availability"},
		{"capabilities", s.URL + "/capabilities", vosi + "Capabilities/v1.0}capabilities"},
	} {
		t.Run(doc.name, func(t *testing.T) {
			got := get(t, doc.url)
			if got.StatusCode != 200 || !strings.Contains(got.Header.Get("Content-Type"), "xml") {
				t.Fatalf("%s: %s of type %s", doc.url, got.Status, got.Header.Get("Content-Type"))
			}
			name := filepath.Join(t.TempDir(), doc.name+".xml")
			if err := os.WriteFile(name, []byte(got.Body), 0o600); err != nil {
				t.Fatal(err)
			}
			outside.Run(t, lint, "--nonet", "--noout", "--schema", filepath.Join(xsd, "ivoa-all.xsd"), name)
			outside.Run(t, stilts, "xsdvalidate", "doc="+name, "topel="+doc.root, "schemaloc="+schemas(xsd))
		})
	}
}

// DALI-17: the error of a job as a VOTable.
func TestErrorTableValidates(t *testing.T) {
	stilts := outside.Tool(t, "stilts")
	s := demoServer(t)
	failed, _ := s.asyncCut(t, "ID", "ivo://localhost/demo?<none>&.fits", "CIRCLE", inside)
	r := request(t, http.MethodGet, failed+"/error", nil)
	r.Header.Set("Accept", "application/x-votable+xml")
	name := filepath.Join(t.TempDir(), "error.vot")
	if err := os.WriteFile(name, []byte(send(t, still, r).Body), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := outside.Run(t, stilts, "votlint", "votable="+name); strings.Contains(out, "ERROR") || strings.Contains(out, "WARNING") {
		t.Errorf("votlint says\n%s", out)
	}
}

// schemas tells STILTS where the schemas of the namespaces are, since it would fetch them.
func schemas(xsd string) string {
	var pairs []string
	for namespace, file := range map[string]string{
		"http://www.ivoa.net/xml/UWS/v1.0":              "UWS-v1.1.xsd",
		"http://www.ivoa.net/xml/VOSIAvailability/v1.0": "VOSIAvailability-v1.0.xsd",
		"http://www.ivoa.net/xml/VOSICapabilities/v1.0": "VOSICapabilities-v1.0.xsd",
		"http://www.ivoa.net/xml/VOResource/v1.0":       "VOResource-v1.2.xsd",
		"http://www.ivoa.net/xml/VODataService/v1.1":    "VODataService-v1.2.xsd",
		"http://www.ivoa.net/xml/STC/stc-v1.30.xsd":     "stc-v1.30-stub.xsd",
		"http://www.w3.org/1999/xlink":                  "xlink.xsd",
	} {
		pairs = append(pairs, namespace+"="+filepath.Join(xsd, file))
	}
	return strings.Join(pairs, " ")
}

// pyvo, as notebooks use it.
func TestPyvo(t *testing.T) {
	python := outside.Python(t, "pyvo", "astropy")
	s := demoServer(t)
	outside.Run(t, python, "testdata/pyvo_client.py", s.URL, demoID, inside)
}
