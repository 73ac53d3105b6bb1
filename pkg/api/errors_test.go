package api_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Every error that the service can give: what is sent, the status, and the text, of which
// … stands for anything (SODA-27, SODA-30, SODA-39, UWS-27, UWS-33, UWS-46 and others). At the
// end the table is held against the source.
func TestErrors(t *testing.T) {
	limits := api.DefaultLimits
	limits.SyncWait = 20 * time.Second
	s := newService(t, "none", limits)
	pending := s.job(t, "ID", dataset)
	done := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	const usage, multi = "UsageError: ", "MultiValuedParamNotSupported: "
	type params []string
	for _, tt := range []struct {
		method, path string
		params       params
		status       int
		want         string
	}{
		{"GET", "/nowhere", nil, 404, usage + `nothing is at "/nowhere"; http://soda.test/capabilities lists what there is`},
		{"PUT", "/sync", nil, 405, usage + "PUT is not allowed here; GET, POST, OPTIONS are"},
		{"GET", "/async/nojob", nil, 404, usage + "there is no such job; it may have been deleted or have reached its destruction time"},

		{"GET", "/sync", params{"CIRCLE", circle}, 400, usage + "the request names no dataset; give ID=…, and for a part of the image one of CIRCLE, POLYGON, POS, SIZE, STAMP or PIXELS, such as CIRCLE=150.1 2.2 0.01 (ICRS degrees)"},
		{"GET", "/sync", params{"ID", "ivo://example.org/x?y"}, 404, usage + `there is no dataset with the ID "ivo://example.org/x?y"; the public IDs begin with ivo://localhost/demo?`},
		{"GET", "/sync", params{"ID", "ivo://localhost/demo?none.fits"}, 404, usage + "…none.fits…"},
		{"GET", "/sync", params{"ID", "ivo://localhost/demo?../x"}, 400, usage + `the ID does not name a dataset of ivo://localhost/demo?: the name "../x" has the part ".."; want a path without . and ..`},
		{"GET", "/sync", params{"ID", dataset, "ID", dataset}, 400, multi + "2 values of ID; want one: send one request for each, or all of them as one job to /async"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", circle, "PIXELS", "*,*"}, 400, multi + "2 regions in CIRCLE, POLYGON, POS, SIZE, STAMP and PIXELS together; want one: send …"},
		{"GET", "/sync", params{"ID", dataset, "HDU", "0", "hdu", "1"}, 400, multi + "HDU was given more than once; want one value"},
		{"GET", "/sync", params{"ID", dataset, "DETAIL", "image", "CUTOUTDETAIL", "Image"}, 400, multi + "DETAIL and CUTOUTDETAIL say the same; want one of them"},
		{"GET", "/sync", params{"ID", dataset, "CUTOUTDETAIL", "Image", "DETAIL", "image"}, 400, multi + "DETAIL was given more than once; want one value"},
		{"GET", "/sync", params{"RUNID", "a", "runid", "b"}, 400, multi + "RUNID was given more than once; want one value"},

		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "12 34"}, 400, usage + "CIRCLE has 2 values: want 3, ra dec radius in degrees"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "2.2 150.1 0.1"}, 400, usage + "the latitude of CIRCLE is 150.1: want -90 to 90 degrees; were longitude and latitude swapped? They come as 150.1 2.2"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "10 -95.2 0.1"}, 400, usage + "the latitude of CIRCLE is -95.2: want -90 to 90 degrees"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "-10 5 0.1"}, 400, usage + "the longitude of CIRCLE is -10: want 0 to 360 degrees; for -10 write 350"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "361 5 0.1"}, 400, usage + "the longitude of CIRCLE is 361: want 0 to 360 degrees"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "10 5 0"}, 400, usage + "the radius of CIRCLE is 0: want more than 0 and at most 180 degrees"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "10:00:28 2 1"}, 400, usage + `the longitude of CIRCLE is "10:00:28": want a decimal number in degrees such as 150.1, not hours or minutes`},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "1,2 2 1"}, 400, usage + `the longitude of CIRCLE is "1,2": want a decimal number, and blanks between numbers, not commas`},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "NaN 2 1"}, 400, usage + `the longitude of CIRCLE is "NaN": want a decimal number such as 150.1 or 2e-3`},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "1e999 2 1"}, 400, usage + `the longitude of CIRCLE is "1e999": too large for a number; want less than 1.8e308`},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", "1 2 3 4 5"}, 400, usage + "POLYGON has 5 values: want 6 or more and an even number, …"},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", strings.Repeat("1 2 ", 20_000)}, 400, usage + "POLYGON has 20000 vertices: want at most …"},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", "1 1 1 1 2 2"}, 400, usage + "POLYGON has 2 different vertices: want 3 or more"},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", "0 0 10 0 20 0"}, 400, usage + "POLYGON encloses no area: its 3 vertices lie on one line"},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", "1 1 2 2 2 1 1 2"}, 400, usage + "edges 1 and 3 of POLYGON cross: want vertices in the order in which they follow the border"},
		{"GET", "/sync", params{"ID", dataset, "POLYGON", "0 0 180 0 90 40"}, 400, usage + "vertices 1 and 2 of POLYGON are opposite on the sphere: want less than 180 degrees between neighbours"},
		{"GET", "/sync", params{"ID", dataset, "POS", "BOX 1 2 3 4"}, 400, usage + `POS begins with "BOX": want CIRCLE ra dec radius, RANGE lon1 lon2 lat1 lat2 or POLYGON …, in degrees`},
		{"GET", "/sync", params{"ID", dataset, "POS", " "}, 400, usage + `POS is empty: want CIRCLE …`},
		{"GET", "/sync", params{"ID", dataset, "POS", "RANGE 1 2 3"}, 400, usage + "RANGE has 3 values: want 4, lon1 lon2 lat1 lat2 in degrees"},
		{"GET", "/sync", params{"ID", dataset, "POS", "RANGE 1 2 4 3"}, 400, usage + "RANGE goes from latitude 4 down to 3: want lon1 lon2 lat1 lat2, with lat1 not above lat2"},
		{"GET", "/sync", params{"ID", dataset, "POS", "RANGE 1 2 3 91"}, 400, usage + "the second latitude of RANGE is 91: want -90 to 90 degrees"},
		{"GET", "/sync", params{"ID", dataset, "SIZE", "1 2 3"}, 400, usage + "SIZE has 3 values: want 4, ra dec width height in degrees"},
		{"GET", "/sync", params{"ID", dataset, "SIZE", "1 2 3 200"}, 400, usage + "a side of SIZE is 200: want more than 0 and at most 180 degrees"},
		{"GET", "/sync", params{"ID", dataset, "SIZE", "1 2 1e-300 1"}, 400, usage + "SIZE is 1e-300 by 1 degrees, in which rounding leaves no area: want larger sides"},
		{"GET", "/sync", params{"ID", dataset, "STAMP", "1 2 3"}, 400, usage + "STAMP has 3 values; want 4, ra dec in degrees and nx ny in pixels"},
		{"GET", "/sync", params{"ID", dataset, "STAMP", "1 2 3.5 4"}, 400, usage + `a side of STAMP is "3.5"; want a whole number of pixels, 1 to 1048576`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "[1:2"}, 400, usage + `a bracket of "[1:2" has no partner; want a section such as [101:200,1:50]`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", strings.Repeat("*,", 1000) + "*"}, 400, usage + "1001 axes are more than FITS knows (999)"},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "-*"}, 400, usage + `the range "-*" of axis 1 turns or thins the axis out; want first:last`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "a"}, 400, usage + `the range "a" of axis 1 is not first:last in whole pixels, or *; want a section such as [101:200,1:50]`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "2:1"}, 400, usage + `the range "2:1" of axis 1 ends before it begins; want the smaller pixel first`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "1:9999999999999999"}, 400, usage + `the range "1:9999999999999999" of axis 1 is beyond every image; want pixels of the image, from 1`},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "0:0"}, 400, usage + "the range 0:0 of axis 1 is outside; pixels count from 1"},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "*,*,*,*"}, 400, usage + "the section [*,*,*,*] names 4 axes and the image has 2"},
		{"GET", "/sync", params{"ID", dataset, "BAND", "5e-7 6e-7"}, 400, usage + "BAND is not supported yet; leave it out to get the whole axis"},
		{"GET", "/sync", params{"ID", dataset, "BAND", "5e-7"}, 400, usage + "BAND has 1 values; want 2, the ends of an interval (a single value is written twice)"},
		{"GET", "/sync", params{"ID", dataset, "TIME", "2 1"}, 400, usage + "TIME goes from 2 down to 1; want the lower end first"},
		{"GET", "/sync", params{"ID", dataset, "TIME", "+Inf Inf"}, 400, usage + "TIME holds no finite value; want -Inf as lower or +Inf as upper end only"},
		{"GET", "/sync", params{"ID", dataset, "POL", "W"}, 400, usage + `POL is "W"; want I, Q, U, V, RR, LL, RL, LR, XX, YY, XY, YX, POLI or POLA`},
		{"GET", "/sync", params{"ID", dataset, "HDU", "one"}, 400, usage + `HDU is "one"; want a whole number, 0 for the primary`},
		{"GET", "/sync", params{"ID", dataset, "HDU", "9"}, 400, usage + "HDU 9 of a file with 1: want 0 to 0"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", circle, "MASK", "zero"}, 400, usage + `MASK is "zero"; want none, nan or plane`},
		{"GET", "/sync", params{"ID", dataset, "MASK", "nan"}, 400, usage + "MASK=nan needs a region on the sky, outside of which pixels can lie, such as CIRCLE, POLYGON or SIZE; a box of pixels has none"},
		{"GET", "/sync", params{"ID", dataset, "PAD", "nan"}, 400, usage + "PAD=nan does not go with a section of pixels, which has only those of the image; use STAMP, or leave PAD out"},
		{"GET", "/sync", params{"ID", dataset, "CUTOUTNAME", "a/b"}, 400, usage + `CUTOUTNAME is "a/b"; want a file name of at most 100 letters, digits and . _ - +, the first one a letter or a digit`},
		{"GET", "/sync", params{"ID", dataset, "RESPONSEFORMAT", "image/png"}, 400, usage + `RESPONSEFORMAT is "image/png"; want application/fits, image/fits or fits`},
		{"GET", "/sync", params{"RUNID", strings.Repeat("x", 65)}, 400, usage + "RUNID has 65 characters; want at most 64"},
		{"GET", "/sync", params{"RUNID", "a\nb"}, 400, usage + `RUNID "a\nb" holds a control character, or is no UTF-8; want text`},
		{"GET", "/sync", params{"ID", dataset}, 413, usage + "the cutout would have … bytes, and 1048576 are allowed; ask for a smaller region"},
		{"GET", "/sync", params{"ID", dataset, "CIRCLE", "330 -2 0.1"}, 204, ""},
		{"GET", "/sync", params{"ID", dataset, "PIXELS", "9000:9001,*"}, 204, ""},

		{"GET", "/sync?ID=%zz", nil, 400, usage + `the parameters are not urlencoded (write % as %25): invalid URL escape "%zz"`},
		{"GET", "/sync", params{"ID", "a\x00b"}, 400, usage + `the value "a\x00b" of ID holds a control character, or is no UTF-8; want text`},
		{"GET", "/sync", params{"A\r\nB", "x"}, 400, usage + `the name "A\r\nB" of a parameter holds a control character, or is no UTF-8; want text`},
		{"GET", "/sync", params{strings.Repeat("x", 101), "x"}, 400, usage + "the name of a parameter has 101 bytes; want at most 100"},
		{"GET", "/sync?" + strings.Repeat("A=1&", 1001), nil, 413, usage + "the request has more than 1000 parameters; divide it"},
		{"POST", "/sync", params{"ID", strings.Repeat("x", 1<<20)}, 413, usage + "the body is larger than 1048576 bytes; divide the request"},
		{"POST", "/async", params{"FOO", strings.Repeat("x", 300_000)}, 413, usage + "the job would have 1 parameters of 300003 bytes; want at most 1000 of 262144 bytes"},
		{"POST", "/async?" + strings.Repeat("ID="+url.QueryEscape(dataset)+"&", 40) + strings.Repeat("CIRCLE=1+2+3&", 40), nil, 413, usage + "40 values of ID times 40 regions are 1600 cutouts; want at most 1000 in one job: divide the request"},
		{"POST", "/async", params{"PHASE", "run"}, 400, usage + `PHASE="run" cannot be asked of a new job; want RUN, or none`},
		{"POST", "/async", params{"PHASE", "RUN", "PHASE", "RUN"}, 400, multi + "PHASE was given more than once; want one value"},

		{"GET", "/sync", params{"MANIFEST", "x.csv"}, 400, usage + "MANIFEST makes a job of its own: send it to http://soda.test/async"},
		{"POST", pending + "/parameters", params{"MANIFEST", "x.csv"}, 400, usage + "MANIFEST makes a job of its own: send it to http://soda.test/async"},
		{"POST", "/async", params{"MANIFEST", "x.csv", "MANIFEST", "y.csv"}, 400, multi + "MANIFEST was given more than once; want one value for all rows, or a column of the manifest"},
		{"POST", "/async", params{"MANIFEST", "x.csv", "PACKAGE", "rar"}, 400, usage + `the package "rar" is not known; want zip, tar, mef, table or files`},
		{"POST", "/async", params{"MANIFEST", "x.csv", "CIRCLE", circle}, 400, usage + "CIRCLE cannot be said for all rows of a manifest; make it a column, or leave it out"},
		{"POST", "/async", params{"MANIFEST", "../bob/x.csv"}, 400, usage + `the name "owners/anonymous/../bob/x.csv" has the part ".."; want a path without . and ..`},

		{"GET", "/async", params{"PHASE", "FOO"}, 400, usage + `PHASE="FOO" is no phase; want one of [PENDING QUEUED …]`},
		{"GET", "/async", params{"LAST", "0"}, 400, usage + `LAST="0"; want an integer of at least 1`},
		{"GET", "/async", params{"AFTER", "yesterday"}, 400, usage + `AFTER="yesterday" is no instant; want UTC as 2026-03-20T12:00:00Z`},
		{"GET", pending, params{"WAIT", "long"}, 400, usage + `WAIT="long"; want seconds, or -1 to wait as long as the service allows`},
		{"POST", pending, params{"CIRCLE", circle}, 400, usage + `ACTION=""; a job takes ACTION=DELETE only (its parameters are changed at its own /parameters)`},
		{"POST", pending + "/phase", params{"PHASE", "HELD"}, 400, usage + `PHASE="HELD" cannot be asked for; want RUN or ABORT`},
		{"POST", pending + "/executionduration", params{"EXECUTIONDURATION", "-1"}, 400, usage + `EXECUTIONDURATION="-1"; want whole seconds, 0 for the most that is allowed (600)`},
		{"POST", pending + "/destruction", params{"DESTRUCTION", "2026-01-01T00:00:00+01:00"}, 400, usage + `DESTRUCTION="2026-01-01T00:00:00+01:00" is no instant; …`},
		{"GET", pending + "/error", nil, 404, usage + "the job is PENDING and has no error"},
		{"GET", pending + "/results/result", nil, 404, usage + `the job has no result "result"; it is PENDING and its 0 results are listed at http://soda.test/async/…/results`},
		{"GET", done + "/results/result/other.fits", nil, 404, usage + `the job has no result "result"; it is COMPLETED and its 1 results are listed at …`},
		{"POST", done + "/phase", params{"PHASE", "RUN"}, 403, usage + "the job is COMPLETED and cannot become QUEUED; want one of [PENDING HELD] first, or a new job"},
		{"POST", done + "/phase", params{"PHASE", "ABORT"}, 403, usage + "the job is COMPLETED and cannot become ABORTED; want one of [PENDING QUEUED EXECUTING HELD SUSPENDED] first, or a new job"},
		{"POST", done + "/parameters", params{"MASK", "nan"}, 403, usage + "the job is COMPLETED: parameters can be added while it is PENDING; make a new job"},
		{"POST", done + "/executionduration", params{"EXECUTIONDURATION", "5"}, 403, usage + "the job is COMPLETED: its execution duration can be changed until it runs; make a new job"},
		{"POST", done + "/results", nil, 405, usage + "POST is not allowed here; GET, HEAD, OPTIONS are"},
		{"GET", "/results/" + strings.TrimPrefix(done, "/async/") + "/1/starfield_cutout.fits", nil, 403, "AuthorizationError: this address of a result carries no signature, or not all of it; ask the job's result again for a fresh one"},
	} {
		checkError(t, s.ask(tt.method, tt.path, nil, tt.params...), fmt.Sprint(tt.method, " ", tt.path, " ", tt.params), tt.status, tt.want)
	}

	plain := http.Header{"Content-Type": {"text/csv"}}
	checkError(t, s.ask("POST", "/sync", plain, "ID", "x"), "a table", 400, usage+`a body of type "text/csv" cannot be read; send application/x-www-form-urlencoded or multipart/form-data`)
	multipart := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", base+"/sync", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		s.Front.ServeHTTP(w, r)
		return w
	}
	checkError(t, multipart("nonsense"), "multipart that is none", 400, usage+"the body cannot be read: …")
	checkError(t, multipart("--b\r\nContent-Disposition: form-data; name=\"ID\"; filename=\"a.txt\"\r\n\r\nx\r\n--b--\r\n"), "an upload", 400, usage+`the file "a.txt" was uploaded; want parameters only, or a manifest as MANIFEST to /async`)

	failed := s.done(t, "ERROR", "ID", "ivo://localhost/demo?none.fits", "CIRCLE", circle)
	checkError(t, s.ask("GET", failed+"/error", nil), "UWS-56: the error of a job", 200, usage+"…none.fits…")

	t.Run("who asks", func(t *testing.T) {
		s := newService(t, "header", limits)
		checkError(t, s.ask("GET", "/async", nil), "nobody", 401, "AuthenticationError: log in first: the proxy named no user in X-Auth-Request-User")
		s.user = "alice"
		job := s.job(t)
		s.user = "bob"
		checkError(t, s.ask("GET", job, nil), "another's job", 403, "AuthorizationError: the job belongs to somebody else; ask its owner, or make one of your own")
		checkError(t, s.ask("GET", "/sync", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}), "a page", 403,
			"AuthorizationError: a page of another site sent this request; send it from a program, or from a page of this service")
		s.peer = "192.0.2.1:1"
		checkError(t, s.ask("GET", "/async", nil), "past the proxy", 401, "AuthenticationError: the service takes requests only through its proxy; ask at the public address")
	})
	t.Run("who asks by a token", func(t *testing.T) {
		i := tokenstest.New(t)
		s := startService(t, "oidc", func(c *local.Config) { c.Issuer, c.UserAudience = i.URL, "seltzer" })
		for _, tt := range []struct{ what, authorization, want string }{
			{"nobody", "", "log in first: send a token as Authorization: Bearer, or as the password of Basic"},
			{"no password", "Basic YWRhOg==", "the header Authorization: Basic has no password; want a token as the password"},
			{"two schemes", "Digest x", "the header Authorization is not one Bearer token"},
			{"no token", "Bearer x", "the token does not hold; want one that " + i.URL + " signed for seltzer"},
			{"a long one", "Bearer " + strings.Repeat("x", 16385), "the token has 16385 bytes; want at most 16384"},
			{"an old one", "Bearer " + i.Token(t, "ada", "seltzer", map[string]any{"exp": 1767225600}), "the token held until 2026-01-01T00:00:00Z; log in again"},
			{"one of nobody", "Bearer " + i.Token(t, "ada", "seltzer", map[string]any{"sub": nil}), "the token names no user: its claim sub is missing, or cannot be shown"},
		} {
			s.as = http.Header{}
			if tt.authorization != "" {
				s.as.Set("Authorization", tt.authorization)
			}
			checkError(t, s.ask("GET", "/async", nil), tt.what, 401, "AuthenticationError: "+tt.want)
		}
		s = startService(t, "oidc", func(c *local.Config) { c.Issuer, c.UserAudience, c.UserClaim = i.URL, "seltzer", "email" })
		s.as = http.Header{"Authorization": {"Bearer " + i.Token(t, "ada@example.org", "seltzer", map[string]any{"email_verified": false})}}
		checkError(t, s.ask("GET", "/async", nil), "a mail address that is claimed", 401, "AuthenticationError: the token names an e-mail address that its issuer does not vouch for; confirm it there, and log in again")
		s = startService(t, "iap", func(c *local.Config) { c.Google, c.UserAudience = i.URL, "/projects/1" })
		checkError(t, s.ask("GET", "/async", nil), "past the proxy", 401, "AuthenticationError: the service takes requests only through Identity-Aware Proxy; ask at the public address")
		i.Down(true)
		s.as = http.Header{}
		s.as.Set(auth.AssertionHeader, i.Curve(t, "ada@example.org", "/projects/1", nil))
		checkError(t, s.ask("GET", "/async", nil), "no keys", 503, "ServiceUnavailable: tokens cannot be verified at the moment: "+i.URL+" does not give its keys; ask again later")
	})
	t.Run("busy", func(t *testing.T) {
		small := limits
		small.Waiters, small.SyncWait = 1, time.Nanosecond
		s := newService(t, "none", small)
		checkError(t, s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle), "a slow one", 503, "ServiceUnavailable: the cutout was not ready after 1ns; send the same request to http://soda.test/async, which takes longer ones")
		job := s.job(t)
		waiting := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			defer close(waiting)
			for w := httptest.NewRecorder(); w.Code == http.StatusServiceUnavailable || ctx.Err() == nil; w = httptest.NewRecorder() {
				s.Front.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", base+job+"?WAIT=20", nil))
			}
		}()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			began := time.Now()
			w := s.ask("GET", job, nil, "WAIT", "1")
			if w.Code == http.StatusServiceUnavailable && time.Since(began) < time.Second {
				checkError(t, w, "one waiter more", 503, "ServiceUnavailable: 1 requests wait already; ask again later")
				break
			}
			if time.Now().After(end) {
				t.Fatal("no waiter is refused")
			}
		}
		leave()
		<-waiting
		s.Stop()
		checkError(t, s.ask("GET", "/sync", nil, "ID", dataset, "CIRCLE", circle), "while it stops", 503, "ServiceUnavailable: …")
	})
	t.Run("every error is in the table", everyErrorIsSeen)
}

var seen []string // every text of an error that a test met

func checkError(t *testing.T, w *httptest.ResponseRecorder, what string, status int, want string) {
	t.Helper()
	got := w.Body.String()
	seen = append(seen, strings.TrimSuffix(got, "\n"))
	if w.Code != status || !matches(strings.TrimSuffix(got, "\n"), strings.Split(want, "…")) {
		t.Errorf("%.200s: %d %.400q\nwant %d %q", what, w.Code, got, status, want)
	}
	if kind := w.Header().Get("Content-Type"); status != http.StatusNoContent && kind != "text/plain; charset=utf-8" {
		t.Errorf("%.200s: an error of type %q", what, kind)
	}
	if busy := status == http.StatusServiceUnavailable; busy != (w.Header().Get("Retry-After") != "") {
		t.Errorf("%.200s: Retry-After is %q", what, w.Header().Get("Retry-After"))
	}
	if login := status == http.StatusUnauthorized; login != (w.Header().Get("WWW-Authenticate") != "") {
		t.Errorf("SEC-01 %.200s: WWW-Authenticate is %q", what, w.Header().Get("WWW-Authenticate"))
	}
}

// matches reports whether text is the parts in turn, with anything between them.
func matches(text string, parts []string) bool {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(quoted, ".*") + `$`).MatchString(text)
}

// unseen lists the errors of the packages below that no row of TestErrors can give, and why.
var unseen = map[string]string{
	"panic: %v\n%s": "needs a fault of ours; the text never leaves the log",
	"the service cannot take work at the moment; ask again later, or use /async, which waits":                        "needs a queue that is down",
	"the service is stopping; ask again later":                                                                       "needs a stop between two instants",
	"the cutout was aborted; ask again":                                                                              "needs an abort of a sync job, which nobody else knows",
	"the job is ARCHIVED: its results are gone; make a new job":                                                      "needs a job at its destruction; TestArchivedJobs sees it",
	"the claim on the job is over: it is %s":                                                                         "between worker and store",
	"no mode of authentication is called %q; want one of %s":                                                         "of the configuration",
	"RESPONSEFORMAT is %.40q; want votable, %s or text/xml":                                                          "a VOTable; TestFormatOfLinks sees it",
	"there is no dataset with this ID; %s/examples shows some":                                                       "a row of /links; TestLinks sees it",
	"the job is no part of a batch":                                                                                  "between worker and store",
	"this service takes no manifests":                                                                                "of a service that was set up so",
	"this service takes no file itself; put the manifest into your folder below %s/owners/, and send its name as %s": "of the cloud",
	"%s=%.100q is a name, and this service has no folders of manifests; send the file itself":                        "of a service that was set up so",

	"there is no audience of tokens; want for whom they must be":                                                          "of the configuration",
	"the issuer of tokens %q is no https URL; want one such as https://login.example.org":                                 "of the configuration",
	"mode iap has no audience; want that of the backend service's assertions, /projects/NUMBER/global/backendServices/ID": "of the configuration",
	"mode oidc has the issuer %q and the audience %q; want both: who signs users' tokens, and whom they must be for":      "of the configuration",

	"panic at %q: %v": "needs a fault of ours; the text never leaves the log",
	"the section %s misses the image, whose pixels are %s": "204 of sync, and a text of async",
}

// everyErrorIsSeen checks that each sentence that the packages in front of a request can say
// is one that TestErrors met.
func everyErrorIsSeen(t *testing.T) {
	formats := regexp.MustCompile(`%[-+.#0-9]*[a-zA-Z]`)
	for _, dir := range []string{".", "../soda", "../stencil", "../pixel", "../auth", "../auth/tokens", "../uws"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, sentence := range sentences(file) {
				parts := formats.Split(strings.ReplaceAll(sentence, "%%", "%"), -1)
				text := strings.Join(parts, "")
				if _, known := unseen[sentence]; known || strings.TrimSpace(text) == "" {
					continue
				}
				found := false
				for _, got := range seen {
					_, got, _ = strings.Cut(got, ": ")
					found = found || matches(got, parts)
				}
				if !found {
					t.Errorf("%s: no row of TestErrors gives %q", name, sentence)
				}
			}
		}
	}
}

// sentences returns the formats of all errors that a file makes.
func sentences(file *ast.File) (formats []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		format := 0
		switch f := call.Fun.(type) {
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); !ok || x.Name != "fault" || f.Sel.Name != "New" {
				return true
			}
			format = 2
		case *ast.Ident:
			if f.Name != "usage" && f.Name != "refuse" {
				return true
			}
		default:
			return true
		}
		if literal, ok := call.Args[format].(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				formats = append(formats, text)
			}
		}
		return true
	})
	return formats
}

// An error comes in the form that the client prefers; SODA's text is the default (SODA-34).
func TestErrorsByAccept(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	for _, tt := range []struct{ accept, want string }{
		{"", "text/plain; charset=utf-8"},
		{"*/*", "text/plain; charset=utf-8"},
		{"application/json, text/plain, */*", "text/plain; charset=utf-8"},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain; charset=utf-8"},
		{"application/problem+json", "application/problem+json"},
		{"application/json", "application/problem+json"},
		{"application/problem+json, */*", "application/problem+json"},
		{"application/json;q=0.5, text/plain", "text/plain; charset=utf-8"},
		{"nonsense;;;", "text/plain; charset=utf-8"},
	} {
		w := s.ask("GET", "/sync", http.Header{"Accept": {tt.accept}}, "CIRCLE", "1 2")
		if got := w.Header().Get("Content-Type"); w.Code != 400 || got != tt.want {
			t.Errorf("Accept %q: %d %s, want 400 %s", tt.accept, w.Code, got, tt.want)
		}
		if tt.want != "application/problem+json" {
			continue
		}
		var problem struct {
			Title, Detail string
			Status        int
			Code          fault.Code
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Title != "UsageError" || problem.Status != 400 || problem.Code != fault.Usage || !strings.HasPrefix(problem.Detail, "CIRCLE has 2 values") {
			t.Errorf("Accept %q: %s: %v", tt.accept, w.Body, err)
		}
	}
	failed := s.done(t, "ERROR", "ID", "ivo://localhost/demo?<&>.fits", "CIRCLE", circle)
	w := s.ask("GET", failed+"/error", http.Header{"Accept": {"application/x-votable+xml"}})
	var table struct {
		Resource struct {
			Type string `xml:"type,attr"`
			Info struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
				Text  string `xml:",chardata"`
			} `xml:"INFO"`
		} `xml:"RESOURCE"`
	}
	err := xml.Unmarshal(w.Body.Bytes(), &table)
	if r := table.Resource; err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/x-votable+xml" || r.Type != "results" ||
		r.Info.Name != "QUERY_STATUS" || r.Info.Value != "ERROR" || !strings.HasPrefix(r.Info.Text, "UsageError: ") || !strings.Contains(r.Info.Text, "<&>.fits") {
		t.Errorf("DALI-17: %d %v\n%s", w.Code, err, w.Body)
	}
}
