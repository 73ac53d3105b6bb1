package main

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/seltzer-soda/seltzer/functions/emulated"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// The clients meet the functions over the emulators as they meet seltzer serve.
func TestInTheCloud(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the functions; left out by -short")
	}
	outside.Firestore(t)
	outside.PubSub(t)
	inTheCloud = &clouds{running: map[string]*server{}}
	inTheCloud.t = t
	defer func() { inTheCloud = nil }()
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"CASDA", TestCASDA}, {"CADC", TestCADC}, {"AladinDesktop", TestAladinDesktop}, {"AladinLite", TestAladinLite},
		{"Firefly", TestFirefly}, {"TOPCAT", TestTOPCAT}, {"STILTS", TestSTILTS}, {"STILTSOverHTTP", TestSTILTSOverHTTP},
		{"Pyvo", TestPyvo}, {"LinksInPyvo", TestLinksInPyvo}, {"LinksAsViewersReadThem", TestLinksAsViewersReadThem},
		{"ExamplesAreWellFormed", TestExamplesAreWellFormed}, {"MultipartIsRead", TestMultipartIsRead}, {"LifeOfAJob", TestLifeOfAJob},
		{"Owners", TestOwners}, {"ErrorTableValidates", TestErrorTableValidates}, {"DocumentsValidate", TestDocumentsValidate},
	} {
		t.Run(test.name, test.run)
	}
}

// inTheCloud is set while tests run against clouds.
var inTheCloud *clouds

// clouds holds one cloud in small for each mode that tests ask for: none, or header, which
// stands for local too, with a proxy that names one user.
type clouds struct {
	t       testing.TB // to which they belong
	running map[string]*server
	user    atomic.Pointer[string] // whom the proxy names where a request names none
}

const proxyAccount = "proxy@example.org"

// server returns the cloud that does what the flags ask of seltzer serve.
func (c *clouds) server(t testing.TB, flags []string) *server {
	t.Helper()
	mode, user := "header", "local user of "+path.Base(t.Name()) // each has a list of their own
	switch {
	case len(flags) == 0:
	case slices.Equal(flags, []string{"--auth", "header"}):
		user = ""
	case slices.Equal(flags, []string{"--auth", "none"}):
		mode = "none"
	default:
		t.Fatalf("the cloud in small does not know %v", flags)
	}
	c.user.Store(&user)
	if c.running[mode] == nil {
		c.running[mode] = c.start(mode)
	}
	return c.running[mode]
}

// start starts a cloud; with header, behind a proxy that proves who it is.
func (c *clouds) start(mode string, env ...string) *server {
	t := c.t
	t.Helper()
	env = append(env, "SELTZER_AUTHORITY=localhost", "SELTZER_AUTH="+mode)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	var soda *url.URL
	public := ""
	if mode == "header" {
		issuer := tokenstest.New(t)
		proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(soda)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("Authorization", "Bearer "+issuer.Token(t, proxyAccount, soda.String(), nil))
			if user := *c.user.Load(); user != "" {
				r.Out.Header.Set(auth.UserHeader, user)
			}
		}})
		t.Cleanup(proxy.Close)
		public = proxy.URL
		env = append(env, "SELTZER_PROXY_ACCOUNT="+proxyAccount, "SELTZER_TOKEN_ISSUER="+issuer.URL, "SELTZER_PUBLIC_URL="+public)
	}
	running, err := emulated.Start(t.Context(), emulated.Options{Log: log, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		running.Close()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the functions said:\n%s", text)
		}
	})
	if soda, err = url.Parse(running.URL); err != nil {
		t.Fatal(err)
	}
	if public == "" {
		public = running.URL
	}
	return &server{URL: public, group: running.Process(cloud.Soda), Results: running.Results, Refusal: "SignatureDoesNotMatch", log: new(logBuffer)}
}
