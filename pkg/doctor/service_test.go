package doctor

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

// front is a service whose answers a test may change.
type front struct {
	*httptest.Server
	change func(http.ResponseWriter, *http.Request, http.Handler)
}

// serve starts the service of one machine with its demo archive.
func serve(t *testing.T) *front {
	t.Helper()
	f := &front{}
	server := httptest.NewUnstartedServer(nil)
	s, err := local.Open(t.Context(), local.Config{
		Settings: local.Settings{
			Data: t.TempDir(), PublicURL: "http://" + server.Listener.Addr().String(), Auth: "local", Memory: 512 << 20, MaxCutout: 1 << 30,
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.change != nil {
			f.change(w, r, s.Front)
			return
		}
		s.Front.ServeHTTP(w, r)
	})
	server.Start()
	f.Server = server
	t.Cleanup(func() {
		stop()
		s.Stop()
		server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func outcomes(t *testing.T, c Config) (failed, unseen []string) {
	t.Helper()
	findings, err := Examine(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n := Count(findings); n[OK]+n[Failed]+n[Unseen] != 9 {
		t.Errorf("%d findings, want 9: %v", len(findings), n)
	}
	for _, f := range findings {
		switch f.Outcome {
		case Failed:
			failed = append(failed, f.Name)
		case Unseen:
			unseen = append(unseen, f.Name)
		}
		if f.Outcome == Failed {
			t.Logf("%s: %s; mend: %s", f.Name, f.Found, f.Mend)
		}
	}
	return failed, unseen
}

// respond changes the answers of some paths: their status, if it is not 0, and body.
func respond(path string, status int, edit func([]byte) []byte) func(http.ResponseWriter, *http.Request, http.Handler) {
	match := regexp.MustCompile("^" + path + "$")
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !match.MatchString(r.Method + " " + r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if status != 0 {
			http.Error(w, "ServiceUnavailable: broken by the test", status)
			return
		}
		kept := httptest.NewRecorder()
		next.ServeHTTP(kept, r)
		body := edit(kept.Body.Bytes())
		for name, values := range kept.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(kept.Code)
		_, _ = w.Write(body)
	}
}

func replaced(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(from), []byte(to)) }
}

// A bit of the last block of data.
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) > block {
		b[len(b)-block] ^= 1
	}
	return b
}

// The service of one machine passes; what is broken of it is named by exactly its check.
func TestService(t *testing.T) {
	f := serve(t)
	if failed, unseen := outcomes(t, Config{URL: f.URL + "/", Wait: time.Minute}); len(failed)+len(unseen) > 0 {
		t.Fatalf("of a sound service failed %q, and %q were not seen", failed, unseen)
	}
	second := 0
	for _, tt := range []struct {
		what, check string
		change      func(http.ResponseWriter, *http.Request, http.Handler)
	}{
		{"no answer", "service answers", respond("GET /availability", 502, nil)},
		{"nobody is let in", "service answers", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			http.Error(w, "who are you?", http.StatusForbidden)
		}},
		{"a part is down", "service is available", respond("GET /availability", 0, replaced("available>true<", "available>false<"))},
		{"another service", "service is available", respond("GET /availability", 0, func([]byte) []byte { return []byte("hello") })},
		{"a clock is wrong", "clock", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
			next.ServeHTTP(w, r)
		}},
		{"clients are led astray", "links of the service", respond("GET /capabilities", 0, replaced(f.URL, "http://127.0.0.1:1"))},
		{"no capabilities", "links of the service", respond("GET /capabilities", 500, nil)},
		{"no image", "example", respond("GET /examples", 0, replaced("property=\"key\"", ""))},
		{"no sync", "sync cutout", respond("GET /sync", 503, nil)},
		{"a web page in place of a cutout", "sync cutout", respond("GET /sync", 200, nil)},
		{"no async", "async cutout", respond("POST /async", 503, nil)},
		{"a job that fails", "async cutout", respond("GET /async/[a-z0-9]+", 0, replaced("COMPLETED", "ERROR"))},
		{"results cannot be signed", "async result", respond("GET /async/[a-z0-9]+/results/.*", 503, nil)},
		{"a bit of a result is wrong", "async result", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasPrefix(r.URL.Path, "/results/") {
				if second++; second == 2 { // the first is that of /sync
					respond(".*", 0, flipped)(w, r, next)
					return
				}
			}
			next.ServeHTTP(w, r)
		}},
		{"jobs cannot be deleted", "deletion", respond("DELETE /async/[a-z0-9]+", 500, nil)},
		{"jobs are not deleted", "deletion", respond("DELETE /async/[a-z0-9]+", 303, nil)},
	} {
		t.Run(tt.what, func(t *testing.T) {
			f.change = tt.change
			if failed, _ := outcomes(t, Config{URL: f.URL}); !slices.Equal(failed, []string{tt.check}) {
				t.Errorf("failed: %q, want %q", failed, tt.check)
			}
		})
	}
}

// A service that only some may ask is asked in the name of who may.
func TestWhoAsks(t *testing.T) {
	f := serve(t)
	var seen http.Header
	f.change = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/availability" {
			seen = r.Header.Clone()
		}
		next.ServeHTTP(w, r)
	}
	header := http.Header{"Authorization": {"Bearer mine"}}
	if failed, _ := outcomes(t, Config{URL: f.URL, Header: header}); len(failed) > 0 || seen.Get("Authorization") != "Bearer mine" {
		t.Errorf("failed %q; the service was sent %v", failed, seen)
	}
	w := healthy()
	w.set(functionThing(soda), variable("SELTZER_PUBLIC_URL"), f.URL)
	w.set(functionThing(soda), variable("SELTZER_BEHIND_IAM"), "true")
	w.serves("localhost", "demo=gs://example-demo")
	c := Config{Project: project, Region: region, Skip: allBut("service")}
	w.open(t)
	if failed, unseen := outcomes(t, c); len(failed) > 0 || len(unseen) != 9 {
		t.Errorf("nobody's name: failed %q, not seen %q; want nothing seen", failed, unseen)
	}
	w.things[accountThing("proxy")] = object{}
	w.set(functionThing(soda), variable("SELTZER_PROXY_ACCOUNT"), email("proxy"))
	if failed, unseen := outcomes(t, c); len(failed)+len(unseen) > 0 {
		t.Errorf("in the proxy's name: failed %q, not seen %q", failed, unseen)
	}
	if got := seen.Get("Authorization"); got != "Bearer "+email("proxy")+" for "+runURL(soda) || seen.Get("X-Auth-Request-User") != user {
		t.Errorf("the service was sent %q for %q", got, seen.Get("X-Auth-Request-User"))
	}
}

// allBut returns the groups that are skipped so that one is left.
func allBut(group string) []string {
	return slices.DeleteFunc(slices.Clone(Groups), func(g string) bool { return g == group })
}

// serves has the functions say what they serve.
func (w *world) serves(authority, archives string) {
	for _, name := range []string{soda, cutout, bulk} {
		w.set(functionThing(name), variable("SELTZER_AUTHORITY"), authority)
		w.set(functionThing(name), variable("SELTZER_ARCHIVES"), archives)
	}
}

// A sound service that is not the deployment's own is not taken for it, and gets no job.
func TestAnotherService(t *testing.T) {
	f := serve(t)
	jobs := 0
	f.change = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/async" || r.URL.Path == "/sync" {
			jobs++
		}
		next.ServeHTTP(w, r)
	}
	for _, tt := range []struct {
		authority, archives string
		failed              []string
	}{
		{"localhost", "dr1=gs://example-dr1,demo=gs://example-demo", nil},
		{"example.org", "demo=gs://example-demo", []string{"example"}},
		{"localhost", "demo2=gs://example-demo", []string{"example"}},
	} {
		jobs = 0
		w := healthy()
		w.serves(tt.authority, tt.archives)
		w.open(t)
		failed, _ := outcomes(t, Config{Project: project, Region: region, URL: f.URL, Skip: allBut("service")})
		if !slices.Equal(failed, tt.failed) || (jobs > 0) != (tt.failed == nil) {
			t.Errorf("of %s and %s failed %q, after %d jobs; want %q", tt.authority, tt.archives, failed, jobs, tt.failed)
		}
	}
}
