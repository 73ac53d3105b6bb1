package api_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/demo"
)

const (
	base    = "http://soda.test"
	dataset = "ivo://localhost/demo?starfield.fits"
	circle  = "150.1163 2.2058 0.004"
)

// service is a whole service over the demo archive, in this process.
type service struct {
	*local.Service
	user string      // who asks in mode header; "" where nobody is known
	as   http.Header // what each request carries besides, such as who asks in other modes
	peer string      // the address that requests come from
}

// demoDir holds the demo archive, once it was made for all tests; that takes a second or two.
var demoDir string

var makeDemo = sync.OnceValue(func() (err error) {
	if demoDir, err = os.MkdirTemp("", "seltzer-demo-"); err != nil {
		return err
	}
	return demo.Write(context.Background(), demoDir)
})

func TestMain(m *testing.M) {
	status := m.Run()
	if demoDir != "" {
		_ = os.RemoveAll(demoDir)
	}
	os.Exit(status)
}

func newService(t testing.TB, mode string, limits api.Limits, changes ...func(*local.Settings)) *service {
	t.Helper()
	return startService(t, mode, func(c *local.Config) {
		c.Limits = limits
		for _, change := range changes {
			change(&c.Settings)
		}
	})
}

func startService(t testing.TB, mode string, change func(*local.Config)) *service {
	t.Helper()
	if err := makeDemo(); err != nil {
		t.Fatal(err)
	}
	c := local.Config{
		Settings: local.Settings{Data: filepath.Join(t.TempDir(), "data"), PublicURL: base, Archives: []string{"demo=" + demoDir}, Auth: mode, Trusted: []string{"10.0.0.1/32"}, Memory: 1 << 28, MaxCutout: 1 << 20},
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	change(&c)
	s, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = s.Close()
	})
	return &service{Service: s, peer: "10.0.0.1:1"}
}

// ask sends a request: the method, the path, and pairs of parameters, which go into the
// body of a POST.
func (s *service) ask(method, path string, header http.Header, pairs ...string) *httptest.ResponseRecorder {
	var form []string // in this order, which url.Values would not keep
	for i := 0; i < len(pairs); i += 2 {
		form = append(form, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	body := strings.Join(form, "&")
	if method != http.MethodPost && body != "" {
		path, body = path+"?"+body, ""
	}
	return s.send(method, path, header, body)
}

// send sends a request with a body that is urlencoded already.
func (s *service) send(method, path string, header http.Header, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.RemoteAddr = s.peer
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if s.user != "" {
		r.Header.Set("X-Auth-Request-User", s.user)
	}
	maps.Copy(r.Header, s.as)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	s.Front.ServeHTTP(w, r)
	return w
}

// job makes a job and returns its path.
func (s *service) job(t testing.TB, pairs ...string) string {
	t.Helper()
	w := s.ask("POST", "/async", nil, pairs...)
	path, found := strings.CutPrefix(w.Header().Get("Location"), base)
	if w.Code != http.StatusSeeOther || !found {
		t.Fatalf("POST /async: %d %s", w.Code, w.Body)
	}
	return path
}

// done makes a job and waits for its end.
func (s *service) done(t testing.TB, phase string, pairs ...string) string {
	t.Helper()
	path := s.job(t, append(pairs, "PHASE", "RUN")...)
	for range 30 {
		if doc := s.ask("GET", path, nil, "WAIT", "-1").Body.String(); strings.Contains(doc, "<uws:phase>"+phase+"<") {
			return path
		}
	}
	t.Fatalf("the job does not become %s:\n%s", phase, s.ask("GET", path, nil).Body)
	return ""
}
