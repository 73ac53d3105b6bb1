package accounts

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	push     = "push@example.iam.gserviceaccount.com"
	audience = "https://cutout.example.run.app"
)

// issuer signs tokens with keys that it publishes, and can change.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetches int
	down    bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := new(issuer)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(i.keys)
	}))
	t.Cleanup(i.Close)
	return i
}

// rotate publishes a new key instead of all others, and returns it.
func (i *issuer) rotate(t *testing.T, id string) *rsa.PrivateKey {
	t.Helper()
	key := newKey(t)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: id, Algorithm: "RS256", Use: "sig"}}}
	return key
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type claims = map[string]any

// token signs the claims of a good token, with changes; a claim that is nil is left out.
func (i *issuer) token(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string, changes claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := claims{
		"iss": i.URL, "aud": audience, "email": push, "email_verified": true, "sub": "1",
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	text, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (i *issuer) verifier(t *testing.T, behindIAM bool) *Verifier {
	t.Helper()
	v, err := New(t.Context(), Config{Audience: audience, Issuer: i.URL, KeysURL: i.URL, BehindIAM: behindIAM})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')+1] + removed }

func TestOnly(t *testing.T) {
	i := newIssuer(t)
	key := i.rotate(t, "1")
	good := i.token(t, jose.RS256, key, "1", nil)
	with := func(changes claims) string { return i.token(t, jose.RS256, key, "1", changes) }
	header, rest, _ := strings.Cut(good, ".")
	other, _, _ := strings.Cut(with(claims{"email": "other@example.org"})[len(header)+1:], ".")
	_, signature, _ := strings.Cut(rest, ".")
	none := "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + "." // {"alg":"none"}
	for _, tt := range []struct {
		name                      string
		authorization, serverless string
		status, behindIAM         int
	}{
		{"the account", "Bearer " + good, "", 200, 200},
		{"the account, in small letters", "bearer " + good, "", 200, 200},
		{"no token", "", "", 401, 401},
		{"no bearer", "Basic " + good, "", 401, 401},
		{"an empty token", "Bearer ", "", 401, 401},
		{"no JWT", "Bearer x", "", 401, 401},
		{"without a signature", "Bearer " + good[:strings.LastIndexByte(good, '.')], "", 401, 401},
		{"with an empty signature", "Bearer " + good[:strings.LastIndexByte(good, '.')+1], "", 401, 401},
		{"with the algorithm none", "Bearer " + none, "", 401, 401},
		{"of another account", "Bearer " + with(claims{"email": "other@example.org"}), "", 403, 403},
		{"the signature of another token", "Bearer " + header + "." + other + "." + signature, "", 401, 401},
		{"signed by itself", "Bearer " + i.token(t, jose.RS256, newKey(t), "1", nil), "", 401, 401},
		{"with a key that nobody published", "Bearer " + i.token(t, jose.RS256, newKey(t), "2", nil), "", 401, 401},
		{"by the public key as a secret", "Bearer " + i.token(t, jose.HS256, key.N.Bytes(), "1", nil), "", 401, 401},
		{"another audience", "Bearer " + with(claims{"aud": "https://other.example.run.app"}), "", 401, 401},
		{"the audience and more", "Bearer " + with(claims{"aud": audience + "/"}), "", 401, 401},
		{"no audience", "Bearer " + with(claims{"aud": nil}), "", 401, 401},
		{"another issuer", "Bearer " + with(claims{"iss": "https://issuer.example.org"}), "", 401, 401},
		{"expired", "Bearer " + with(claims{"exp": time.Now().Add(-time.Minute).Unix()}), "", 401, 401},
		{"without an end", "Bearer " + with(claims{"exp": nil}), "", 401, 401},
		{"not valid yet", "Bearer " + with(claims{"nbf": time.Now().Add(time.Hour).Unix()}), "", 401, 401},
		{"an account that nobody vouches for", "Bearer " + with(claims{"email_verified": false}), "", 401, 401},
		{"an account of a user", "Bearer " + with(claims{"email": nil}), "", 401, 401},
		{"signature removed", "Bearer " + unsigned(good), "", 401, 200},
		{"signature removed, another account", "Bearer " + unsigned(with(claims{"email": "other@example.org"})), "", 401, 403},
		{"signature removed, another audience", "Bearer " + unsigned(with(claims{"aud": "https://other.example.run.app"})), "", 401, 401},
		{"signature removed, expired", "Bearer " + unsigned(with(claims{"exp": time.Now().Add(-time.Minute).Unix()})), "", 401, 401},
		{"signature removed, beside what was checked", "Bearer " + unsigned(good), "Bearer " + unsigned(with(claims{"email": "other@example.org"})), 401, 403},
		{"checked, beside nothing", "", "Bearer " + unsigned(good), 401, 200},
		{"checked, beside the user's", "Bearer " + good, "Bearer " + unsigned(with(claims{"email": "other@example.org"})), 200, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for behind, want := range map[bool]int{false: tt.status, true: tt.behindIAM} {
				passed := false
				next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
				if tt.authorization != "" {
					r.Header.Set("Authorization", tt.authorization)
				}
				if tt.serverless != "" {
					r.Header.Set("X-Serverless-Authorization", tt.serverless)
				}
				w := httptest.NewRecorder()
				i.verifier(t, behind).Only(next, slog.New(slog.NewTextHandler(io.Discard, nil)), "someone@example.org", push).ServeHTTP(w, r)
				if w.Code != want || passed != (want == 200) {
					t.Errorf("behind IAM %t: status %d, passed %t; want %d\n%s", behind, w.Code, passed, want, w.Body)
				}
			}
		})
	}
}

// Keys are fetched once, and anew when the issuer changed them.
func TestKeysAreKeptAndRotated(t *testing.T) {
	i := newIssuer(t)
	key := i.rotate(t, "1")
	v := i.verifier(t, false)
	ask := func(token string) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := v.Account(r)
		return err
	}
	first := i.token(t, jose.RS256, key, "1", nil)
	for range 3 {
		if err := ask(first); err != nil {
			t.Fatal(err)
		}
	}
	if i.fetches != 1 {
		t.Errorf("%d fetches of the keys for three tokens, want 1", i.fetches)
	}
	i.down = true
	if err := ask(first); err != nil {
		t.Errorf("with a key that is known, while the issuer is down: %v", err)
	}
	i.down = false
	second := i.token(t, jose.RS256, i.rotate(t, "2"), "2", nil)
	if err := ask(second); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	if err := ask(first); err == nil {
		t.Error("a token of a key that was withdrawn is believed")
	}
}

func TestProxy(t *testing.T) {
	i := newIssuer(t)
	key := i.rotate(t, "1")
	mode := Proxy{Verifier: i.verifier(t, true), Account: push}
	for name, tt := range map[string]struct {
		token string
		users []string
		want  string
	}{
		"the proxy":             {i.token(t, jose.RS256, key, "1", nil), []string{"ada"}, "ada"},
		"the proxy, to nobody":  {i.token(t, jose.RS256, key, "1", nil), nil, ""},
		"two users":             {i.token(t, jose.RS256, key, "1", nil), []string{"ada", "eve"}, ""},
		"somebody else's token": {i.token(t, jose.RS256, key, "1", claims{"email": "eve@example.org"}), []string{"ada"}, ""},
		"no token":              {"", []string{"ada"}, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/async", nil)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		r.Header[auth.UserHeader] = tt.users
		caller, err := mode.Caller(r)
		if caller != (auth.Caller{Name: tt.want}) || (err == nil) != (tt.want != "") || err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %+v, %v; want %q", name, caller, err, tt.want)
		}
	}
}
