package tokens

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	user     = "ada@example.org"
	audience = "https://soda.example.org"
)

func verifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	c.Audience = audience
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	i := tokenstest.New(t)
	byDiscovery := verifier(t, Config{Issuer: i.URL})
	byAddress := verifier(t, Config{Issuer: i.URL, KeysURL: i.URL})
	curvesAlone := verifier(t, Config{Issuer: i.URL, KeysURL: i.URL, Algorithms: []string{oidc.ES256}})
	good, curve := i.Token(t, user, audience, nil), i.Curve(t, user, audience, nil)
	for name, tt := range map[string]struct {
		by    *Verifier
		token string
		holds bool
	}{
		"by RS256":                         {byDiscovery, good, true},
		"by ES256":                         {byDiscovery, curve, true},
		"of keys at an address":            {byAddress, good, true},
		"for several":                      {byAddress, i.Token(t, user, audience, map[string]any{"aud": []string{"other", audience}}), true},
		"by ES256, which alone is allowed": {curvesAlone, curve, true},
		"by RS256, which is not allowed":   {curvesAlone, good, false},
	} {
		claims, err := tt.by.Verify(t.Context(), tt.token)
		if (err == nil) != tt.holds || tt.holds && claims.Text("email") != user || err != nil && !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("a token %s: %v, %v; want it to hold: %t", name, claims, err, tt.holds)
		}
	}
	for name, token := range i.Forged(t, user, audience) {
		if claims, err := byDiscovery.Verify(t.Context(), token); !errors.Is(err, fault.Unauthenticated) || claims != nil {
			t.Errorf("a token %s: %v, %v; want %s", name, claims, err, fault.Unauthenticated)
		} else if strings.Contains(fault.Sentence(err), "oidc:") {
			t.Errorf("a token %s is answered with internals: %s", name, fault.Sentence(err))
		}
	}
}

// clock is the verifier's clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Keys are fetched once, anew when the issuer changed them, and when they are old; a stranger
// cannot have them fetched.
func TestKeysAreKeptAndRotated(t *testing.T) {
	i := tokenstest.New(t)
	v, time := verifier(t, Config{Issuer: i.URL, KeysURL: i.URL}), &clock{now: time.Now()}
	v.keys.now = time.read
	fetched := 0
	holds := func(what, token string, holds bool, fetches int) {
		t.Helper()
		_, err := v.Verify(t.Context(), token)
		if (err == nil) != holds {
			t.Errorf("%s: %v; want it to hold: %t", what, err, holds)
		}
		if n := i.Fetches() - fetched; n != fetches {
			t.Errorf("%s: %d fetches, want %d", what, n, fetches)
		}
		fetched = i.Fetches()
	}
	stranger := tokenstest.NewKey(t)
	first := i.Token(t, user, audience, nil)
	holds("the first", first, true, 1)
	holds("again", first, true, 0)
	time.forward(keysAgain)
	holds("later", first, true, 0)
	i.Down(true)
	holds("a key that is known, while the issuer is down", first, true, 0)
	i.Down(false)
	i.Rotate(t, "2")
	second := i.Token(t, user, audience, nil)
	holds("the new key", second, true, 1)
	holds("the key that was withdrawn", first, false, 0)
	for range 50 {
		holds("a key that nobody has", i.Sign(t, "RS256", stranger, "none", user, audience, nil), false, 0)
	}
	holds("the new key, meanwhile", second, true, 0)
	time.forward(keysAgain)
	holds("a key that nobody has, later", i.Sign(t, "RS256", stranger, "none", user, audience, nil), false, 1)
	holds("its second token", i.Sign(t, "RS256", stranger, "none", user, audience, nil), false, 0)
	time.forward(keysHold)
	holds("an old key", second, true, 1)
	i.Rotate(t, "3")
	time.forward(keysHold)
	holds("an old key that was withdrawn", second, false, 1)
	i.Down(true)
	time.forward(2 * keysHold)
	holds("an old key, while the issuer is down", i.Token(t, user, audience, nil), true, 1)
	holds("it, once more", i.Token(t, user, audience, nil), true, 0)
}

// Where keys cannot be fetched, nobody is refused for good; and those who wait for the same
// fetch do not each begin another.
func TestIssuerIsDown(t *testing.T) {
	i := tokenstest.New(t)
	i.Down(true)
	v := verifier(t, Config{Issuer: i.URL, KeysURL: i.URL})
	token := i.Token(t, user, audience, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, fault.Unavailable) {
				t.Errorf("%v; want %s", err, fault.Unavailable)
			}
		})
	}
	wg.Wait()
	i.Down(false)
	v.keys.now = func() time.Time { return time.Now().Add(2 * keysFirst) }
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("when the issuer is there again: %v", err)
	}
}

// Discovery documents and key sets that must not be believed, or not be stumbled over.
func TestKeysOfOtherIssuers(t *testing.T) {
	i := tokenstest.New(t)
	token := i.Token(t, user, audience, nil)
	keys, err := http.Get(i.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Body.Close()
	var set map[string][]map[string]any
	if err := json.NewDecoder(keys.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	set["keys"] = append(set["keys"], map[string]any{"kty": "AKP", "kid": "9", "alg": "ML-DSA-44", "pub": "AAAA"})
	mixed, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		discovery string // HERE is this server
		keys      string
		want      error
	}{
		"the document of another issuer":        {`{"issuer":"https://login.example.org","jwks_uri":"HERE/keys"}`, string(mixed), fault.Unavailable},
		"keys that anybody may change":          {`{"issuer":"HERE","jwks_uri":"http://192.0.2.1/keys"}`, string(mixed), fault.Unavailable},
		"no keys":                               {`{"issuer":"HERE","jwks_uri":"HERE/keys"}`, `{"keys":[]}`, fault.Unavailable},
		"a page instead of keys":                {`{"issuer":"HERE","jwks_uri":"HERE/keys"}`, `<html>`, fault.Unavailable},
		"keys without end":                      {`{"issuer":"HERE","jwks_uri":"HERE/keys"}`, `{"keys":[` + strings.Repeat(" ", maxKeys), fault.Unavailable},
		"a key of a kind that nobody knows":     {`{"issuer":"HERE","jwks_uri":"HERE/keys"}`, string(mixed), fault.Unauthenticated}, // of another issuer: but the keys were read
		"secrets that somebody published":       {`{"issuer":"HERE","jwks_uri":"HERE/keys"}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"1"}]}`, fault.Unavailable},
		"no document where there should be one": {`nothing`, ``, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/keys" {
					_, _ = w.Write([]byte(tt.keys))
					return
				}
				_, _ = w.Write([]byte(strings.ReplaceAll(tt.discovery, "HERE", "http://"+r.Host)))
			}))
			defer server.Close()
			if _, err := verifier(t, Config{Issuer: server.URL}).Verify(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for issuer, allowed := range map[string]bool{
		"https://login.example.org": true, "https://login.example.org/realms/sky": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:80": true,
		"http://login.example.org": false, "login.example.org": false, "ftp://127.0.0.1": false, "https://u:p@login.example.org": false, "https://login.example.org?a=b": false, "": false,
	} {
		if _, err := New(Config{Issuer: issuer, Audience: audience}); (err == nil) != allowed || err != nil && !errors.Is(err, fault.Usage) {
			t.Errorf("the issuer %q: %v; want it allowed: %t", issuer, err, allowed)
		}
	}
	if _, err := New(Config{Issuer: "https://login.example.org"}); !errors.Is(err, fault.Usage) {
		t.Errorf("no audience: %v; want %s", err, fault.Usage)
	}
}

func TestClaims(t *testing.T) {
	var c Claims
	if err := json.Unmarshal([]byte(`{"sub":"ada","groups":["a",7,"b"],"hd":"example.org","google":{"access_levels":["x"]},
		"https://example.org/groups":["y"],"google.hd":"literal","n":{"a":1}}`), &c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"groups": {"a", "b"}, "hd": {"example.org"}, "google.access_levels": {"x"}, "https://example.org/groups": {"y"}, "google.hd": {"literal"},
		"none": nil, "google": nil, "google.none": nil, "sub.x": nil, "": nil, ".": nil, "n.a": nil,
	} {
		if got := c.Texts(name); !slices.Equal(got, want) {
			t.Errorf("claim %q: %q, want %q", name, got, want)
		}
	}
	if c.Text("sub") != "ada" || c.Text("groups") != "" || c.Text("n.a") != "" {
		t.Errorf("texts: %q, %q, %q", c.Text("sub"), c.Text("groups"), c.Text("n.a"))
	}
}

// Whatever is done to a token, it says what its issuer said or does not hold.
func FuzzVerify(f *testing.F) {
	i := tokenstest.New(f)
	v := verifier(f, Config{Issuer: i.URL, KeysURL: i.URL})
	good := i.Token(f, user, audience, nil)
	want, err := v.Verify(f.Context(), good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, forged := range i.Forged(f, user, audience) {
		f.Add(forged)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if err == nil && !cmp.Equal(claims, want) {
			t.Errorf("%q says %v; the issuer said %v", token, claims, want)
		}
		if err != nil && !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v; want %s", token, err, fault.Unauthenticated)
		}
	})
}
