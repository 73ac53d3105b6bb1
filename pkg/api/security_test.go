package api_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
)

const (
	secret    = "ivo://localhost/secret?starfield.fits"
	mountain  = "/projects/1/global/backendServices/2" // the audience of iap
	seltzered = "seltzer"                              // and of oidc
)

// loggedIn is a service that asks who it is, in one of the ways that there are.
type loggedIn struct {
	*service
	log func(t testing.TB, name string, groups ...string) http.Header // in
}

// ways holds the ways to log in.
var ways = map[string]struct {
	mode string
	log  func(t testing.TB, i *tokenstest.Issuer, name string, groups []string) [2]string // a header
}{
	"header": {"header", func(_ testing.TB, _ *tokenstest.Issuer, name string, _ []string) [2]string {
		return [2]string{auth.UserHeader, name}
	}},
	"iap": {"iap", func(t testing.TB, i *tokenstest.Issuer, name string, groups []string) [2]string {
		return [2]string{auth.AssertionHeader, i.Curve(t, name, mountain, map[string]any{"hd": groups})}
	}},
	"oidc": {"oidc", func(t testing.TB, i *tokenstest.Issuer, name string, groups []string) [2]string {
		return [2]string{"Authorization", "Bearer " + i.Token(t, name, seltzered, map[string]any{"groups": groups})}
	}},
	"oidc, by password": {"oidc", func(t testing.TB, i *tokenstest.Issuer, name string, groups []string) [2]string {
		token := i.Token(t, name, seltzered, map[string]any{"groups": groups})
		return [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token))}
	}},
}

// eachWay runs a test for each way to log in, over a service with a public archive and one for
// the group team.
func eachWay(t *testing.T, test func(t *testing.T, s *loggedIn)) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			i := tokenstest.New(t)
			s := startService(t, way.mode, func(c *local.Config) {
				c.Archives, c.Groups = append(c.Archives, "secret="+demoDir), []string{"secret=team"}
				c.Issuer, c.Google, c.UserAudience = i.URL, i.URL, seltzered
				if way.mode == "iap" {
					c.UserAudience = mountain
				}
			})
			test(t, &loggedIn{s, func(t testing.TB, name string, groups ...string) http.Header {
				h := http.Header{}
				pair := way.log(t, i, name, groups)
				h.Set(pair[0], pair[1])
				if way.mode == "header" {
					h.Set(auth.GroupsHeader, strings.Join(groups, ","))
				}
				return h
			}})
		})
	}
}

// UWS-64 SEC-05: another's job by every method and every resource of it, in every way to log
// in: nothing is shown, and nothing is done.
func TestAnothersJob(t *testing.T) {
	forms := [][]string{
		nil, {"ACTION", "DELETE"}, {"PHASE", "RUN"}, {"PHASE", "ABORT"}, {"DESTRUCTION", "2001-01-01"}, {"EXECUTIONDURATION", "1"}, {"ID", dataset, "CIRCLE", circle},
	}
	paths := []string{"", "/", "/phase", "/executionduration", "/destruction", "/quote", "/owner", "/error", "/parameters", "/results", "/results/result",
		"/results/result/starfield_cutout.fits", "/results/none", "/results/../phase", "/%70hase", "/nothing"}
	eachWay(t, func(t *testing.T, s *loggedIn) {
		alice, bob := s.log(t, "alice"), s.log(t, "bob", "team")
		s.as = alice
		jobs := []string{s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle, "RUNID", "of-alice"), s.job(t, "ID", dataset, "CIRCLE", circle, "RUNID", "of-alice")}
		state := func() (text string) {
			s.as = alice
			for _, job := range jobs {
				text += s.ask("GET", job, nil).Body.String() + s.ask("GET", job+"/parameters", nil).Body.String()
			}
			return text
		}
		before, tries := state(), 0
		for who, as := range map[string]http.Header{"another": bob, "nobody": {}} {
			s.as = as
			if list := s.ask("GET", "/async", nil).Body.String(); strings.Contains(list, "of-alice") || slices.ContainsFunc(jobs, func(job string) bool { return strings.Contains(list, job) }) {
				t.Errorf("the list of %s: %s", who, list)
			}
			for _, job := range jobs {
				for _, path := range paths {
					for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"} {
						for _, form := range forms {
							if form != nil && method != "POST" {
								continue
							}
							tries++
							w := s.ask(method, job+path, nil, form...)
							body := w.Body.String()
							refused := w.Code == 400 || w.Code == 401 || w.Code == 403 || w.Code == 404 || w.Code == 405
							moved := w.Code == 307 && path == "/results/../phase" // to what is refused
							if told := w.Code == 204 && method == "OPTIONS"; !refused && !told && !moved || strings.Contains(body, "of-alice") || strings.Contains(body, dataset) || strings.Contains(body, "alice") {
								t.Errorf("%s %s%s %v by %s: %d %s", method, job, path, form, who, w.Code, body)
							}
						}
					}
				}
			}
		}
		if after := state(); after != before {
			t.Errorf("after %d tries the jobs are\n%s\nand were\n%s", tries, after, before)
		}
		t.Logf("%d requests, none let in", tries)
	})
}

// Headers that name a user, where the mode believes others or none: nobody becomes somebody.
func TestSpoofedUsers(t *testing.T) {
	spoofed := http.Header{}
	for _, h := range [][2]string{
		{auth.UserHeader, "alice"}, {auth.GroupsHeader, "team"}, {"X-Goog-Authenticated-User-Email", "accounts.google.com:alice"}, {"X-Goog-Authenticated-User-Id", "accounts.google.com:alice"},
		{"X-Forwarded-For", "10.0.0.1"}, {"X-Real-Ip", "10.0.0.1"}, {"Forwarded", "for=10.0.0.1"}, {"X-Forwarded-User", "alice"}, {"X-Forwarded-Email", "alice"}, {"Remote-User", "alice"},
		{"X-Serverless-Authorization", "Bearer alice"},
	} {
		spoofed.Set(h[0], h[1])
	}
	private := []string{"ID", secret, "CIRCLE", circle}
	eachWay(t, func(t *testing.T, s *loggedIn) {
		s.as = s.log(t, "alice")
		job := s.job(t, "ID", dataset)
		s.as, s.peer = spoofed, "192.0.2.1:1" // not the proxy
		for _, path := range []string{"/async", job, job + "/owner", "/sync"} {
			if w := s.ask("GET", path, nil, private...); w.Code != 401 {
				t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
			}
		}
		s.peer = "10.0.0.1:1"
		if s.as = s.log(t, "bob"); s.as.Get(auth.UserHeader) != "" {
			return // the header that the mode believes
		}
		for name, values := range spoofed { // beside who it really is
			s.as[name] = values
		}
		if w := s.ask("GET", job, nil); w.Code != 403 {
			t.Errorf("GET %s by bob with headers of alice: %d %s", job, w.Code, w.Body)
		}
		if w := s.ask("GET", "/sync", nil, private...); w.Code != 404 {
			t.Errorf("a private dataset by bob with headers of the team: %d %s", w.Code, w.Body)
		}
	})
	for _, mode := range []string{"none", "local"} {
		s := startService(t, mode, func(c *local.Config) { c.Archives = append(c.Archives, "mine="+demoDir) })
		s.as = spoofed
		if got := s.ask("GET", s.job(t)+"/owner", nil).Body.String(); got == "alice" {
			t.Errorf("mode %s: the owner is %q", mode, got)
		}
	}
}

// An ID that is not for who asks is one that nobody has, word for word, wherever it is named.
func TestPrivateIDs(t *testing.T) {
	unknown := "ivo://localhost/absent?starfield.fits"
	eachWay(t, func(t *testing.T, s *loggedIn) {
		same := func(what string, ask func(id string) *httptest.ResponseRecorder) {
			t.Helper()
			a, b := ask(secret), ask(unknown)
			if want := strings.ReplaceAll(b.Body.String(), "absent", "secret"); a.Code != b.Code || a.Body.String() != want {
				t.Errorf("%s: %d %s\nof an unknown ID %d %s", what, a.Code, a.Body, b.Code, want)
			}
			for name := range b.Header() {
				if name != "Location" && name != "Content-Length" && a.Header().Get(name) != b.Header().Get(name) {
					t.Errorf("%s: %s is %q, of an unknown ID %q", what, name, a.Header().Get(name), b.Header().Get(name))
				}
			}
		}
		for who, as := range map[string]http.Header{"another": s.log(t, "bob", "other", "Team", "tea"), "nobody": {}} {
			s.as = as
			for _, path := range []string{"/sync", "/async", "/links"} {
				same(who+": GET "+path, func(id string) *httptest.ResponseRecorder { return s.ask("GET", path, nil, "ID", id, "CIRCLE", circle) })
				same(who+": POST "+path, func(id string) *httptest.ResponseRecorder {
					return s.ask("POST", path, nil, "ID", id, "CIRCLE", circle, "PHASE", "RUN")
				})
				same(who+": a broken name at "+path, func(id string) *httptest.ResponseRecorder {
					return s.ask("POST", path, nil, "ID", strings.Replace(id, "starfield", "../starfield", 1), "CIRCLE", circle, "PHASE", "RUN")
				})
			}
			for _, path := range []string{"/examples", "/capabilities", "/openapi.json", "/docs", "/availability", "/"} {
				if w := s.ask("GET", path, nil); w.Code != 200 || strings.Contains(w.Body.String(), "localhost/secret") {
					t.Errorf("%s: GET %s: %d, and tells of the private archive: %t", who, path, w.Code, strings.Contains(w.Body.String(), "localhost/secret"))
				}
			}
		}
		// In a job of several it is a result that says so, and in one that waits it counts when it runs.
		s.as = s.log(t, "bob", "other")
		texts := map[string]string{}
		for _, id := range []string{secret, unknown} {
			job := s.done(t, "COMPLETED", "ID", dataset, "ID", id, "CIRCLE", circle)
			location := s.ask("GET", job+"/results/cutout-0002", nil).Header().Get("Location")
			texts[id] = strings.ReplaceAll(s.ask("GET", strings.TrimPrefix(location, base), nil).Body.String(), id, "ID")
		}
		if texts[secret] != texts[unknown] || !strings.Contains(texts[secret], "there is no dataset") {
			t.Errorf("the results say %q and %q", texts[secret], texts[unknown])
		}
		// The group sees it, and remembers nothing for those who leave it.
		s.as = s.log(t, "ada", "other", "team")
		pending := s.job(t, "ID", secret, "CIRCLE", circle)
		job := s.done(t, "COMPLETED", "ID", secret, "CIRCLE", circle)
		if w := s.ask("GET", job+"/results/result", nil); w.Code != 303 {
			t.Errorf("a member's result: %d %s", w.Code, w.Body)
		}
		links := s.ask("GET", "/links", nil, "ID", secret)
		if !strings.Contains(links.Body.String(), "#cutout") || links.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("a member's links: %v %s", links.Header(), links.Body)
		}
		if ambient := s.as.Get("Authorization") == "" || strings.HasPrefix(s.as.Get("Authorization"), "Basic"); ambient == (links.Header().Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("a member's links: %v, for a browser that says unasked who it is: %t", links.Header(), ambient)
		}
		s.as = s.log(t, "ada", "other")
		if w := s.ask("POST", pending+"/phase", nil, "PHASE", "RUN"); w.Code != 404 {
			t.Errorf("a job that was made as a member, run as none: %d %s", w.Code, w.Body)
		}
	})
}

// IDs that name something of the network, of the machine or above the archive reach nothing.
func TestStrangeIDs(t *testing.T) {
	var reached atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	if err := makeDemo(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, dir := range []string{"open", "beside"} {
		if err := os.Mkdir(filepath.Join(folder, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"open/a.fits", "beside/a.fits", "a.fits"} {
		if err := os.Link(filepath.Join(demoDir, "starfield.fits"), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(folder, "beside"), filepath.Join(folder, "open/link")); err != nil {
		t.Fatal(err)
	}
	const prefix = "ivo://localhost/open?"
	s := startService(t, "none", func(c *local.Config) { c.Archives = []string{"open=" + filepath.Join(folder, "open")} })
	if w := s.ask("GET", "/sync", nil, "ID", prefix+"a.fits", "CIRCLE", circle); w.Code != 303 {
		t.Fatalf("the dataset that is there: %d %s", w.Code, w.Body)
	}
	ids := []string{
		inside.URL, inside.URL + "/a.fits", strings.Replace(inside.URL, "http:", "gs:", 1), "http://169.254.169.254/computeMetadata/v1/", "http://metadata.google.internal/", "http://[fd20:ce::254]/",
		"gs://bucket/a.fits", "s3://bucket/a.fits", "file:///etc/passwd", "file://" + folder + "/a.fits", folder + "/a.fits", "/etc/passwd", "a.fits", "../a.fits", "ftp://localhost/a.fits",
	}
	for _, name := range []string{
		"../a.fits", "../beside/a.fits", "..", ".", "/", "./a.fits", "x/../a.fits", "x/../../a.fits", "//a.fits", "/a.fits", folder + "/a.fits", "/" + folder + "/a.fits", `..\a.fits`, `..\beside\a.fits`,
		"%2e%2e/a.fits", "%2e%2e%2fa.fits", "..%2fa.fits", "%252e%252e%252fa.fits", "..%c0%afa.fits", "．．/a.fits", "..;/a.fits", "a.fits/", "a.fits/.", "a.fits/../a.fits", "link/a.fits", "link", "a.fits\x00", "a.fits\x00.fits",
		"\u202e../a.fits", "~/a.fits", "$HOME", "`id`", "|id", "a.fits?x", "a.fits#x", inside.URL, "http:/" + strings.TrimPrefix(inside.URL, "http:/"), "A.FITS", "a.fits ", " a.fits", strings.Repeat("../", 100) + "etc/passwd",
	} {
		ids = append(ids, prefix+name)
	}
	for _, id := range ids {
		for _, method := range []string{"GET", "POST"} {
			if w := s.ask(method, "/sync", nil, "ID", id, "CIRCLE", circle); w.Code != 400 && w.Code != 404 {
				t.Errorf("%s /sync of %q: %d %s", method, id, w.Code, w.Body)
			}
			if w := s.ask(method, "/links", nil, "ID", id); strings.Contains(w.Body.String(), "#cutout") || w.Code/100 == 5 {
				t.Errorf("%s /links of %q: %d %s", method, id, w.Code, w.Body)
			}
		}
		// raw in the URL, as a client sends it that encodes nothing
		if raw := strings.NewReplacer(" ", "%20", "\x00", "%00", "#", "%23", "`", "%60", "|", "%7c", "\u202e", "%e2%80%ae", "．", "%ef%bc%8e").Replace(id); !strings.Contains(raw, "%c0") {
			if w := s.ask("GET", "/sync?CIRCLE="+url.QueryEscape(circle)+"&ID="+raw, nil); w.Code == 303 || w.Code/100 == 5 {
				t.Errorf("GET /sync?ID=%s: %d %s", raw, w.Code, w.Body)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the service made %d requests to addresses in IDs", n)
	}
	t.Logf("%d IDs, none reaches anything", len(ids))
}

// Paths and methods that do not exist are told from those that want a login, in every mode.
func TestPathsBeforeLogin(t *testing.T) {
	i := tokenstest.New(t)
	for _, mode := range auth.Names() {
		s := startService(t, mode, func(c *local.Config) { c.Issuer, c.Google, c.UserAudience = i.URL, i.URL, seltzered })
		s.peer = netip.MustParseAddrPort("192.0.2.1:1").String()
		login := 401
		if mode == "none" || mode == "local" {
			login = 404 // of the job; everybody is somebody
		}
		for _, tt := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/nowhere", 404}, {"POST", "/nowhere", 404}, {"GET", "/async/x/nothing", 404}, {"GET", "/.git/config", 404}, {"PUT", "/async", 405}, {"DELETE", "/sync", 405}, {"PATCH", "/async/x/phase", 405},
			{"HEAD", "/sync", 405}, {"DELETE", "/async/x/results", 405}, {"OPTIONS", "/async/x", 204}, {"GET", "/async/x/phase", login}, {"DELETE", "/async/x", login},
			{"GET", "/capabilities", 200}, {"GET", "/availability", 200}, {"GET", "/examples", 200}, {"GET", "/links", 200}, {"GET", "/openapi.json", 200}, {"GET", "/docs", 200}, {"GET", "/", 200},
		} {
			if w := s.ask(tt.method, tt.path, nil); w.Code != tt.status || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("mode %s: %s %s: %d %s; want %d", mode, tt.method, tt.path, w.Code, w.Body, tt.status)
			}
		}
	}
}

// SEC-07: what a page of another site makes a browser send acts for nobody, where the browser
// says unasked who its user is; a token that a page was given is its own.
func TestPagesOfOtherSites(t *testing.T) {
	eachWay(t, func(t *testing.T, s *loggedIn) {
		s.as = s.log(t, "alice")
		job := s.job(t, "ID", dataset)
		ambient := !strings.HasPrefix(s.as.Get("Authorization"), "Bearer")
		for _, tt := range []struct {
			method, path string
			pairs        []string
		}{
			{"POST", "/async", []string{"ID", dataset, "CIRCLE", circle}}, {"POST", job, []string{"ACTION", "DELETE"}}, {"DELETE", job, nil}, {"GET", "/sync", []string{"ID", dataset, "CIRCLE", circle}}, {"GET", job, nil},
		} {
			evil := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}
			w := s.ask(tt.method, tt.path, evil, tt.pairs...)
			if ambient && (w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "") || !ambient && w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: %d %v %s", tt.method, tt.path, w.Code, w.Header(), w.Body)
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: pages may send what the browser knows", tt.method, tt.path)
			}
			if !ambient && tt.path == job && tt.method == "POST" {
				job = s.job(t, "ID", dataset) // the page deleted it, as it may
			}
		}
	})
}
