// Package tokenstest stands for an issuer of tokens where they are tested, such as Google: it
// signs tokens, with keys that it publishes and can change.
package tokenstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// secret is published among the keys, by mistake.
const secret = "a secret that is none, and 32 bytes long"

// Issuer signs tokens. Its keys are at its URL, where its discovery document says so, too.
type Issuer struct {
	*httptest.Server

	mu      sync.Mutex
	key     *rsa.PrivateKey
	curve   *ecdsa.PrivateKey
	id      string
	fetches int
	down    bool
}

// New returns an issuer, which ends with the test. Its first keys have the id 1.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{}
	i.Rotate(t, "1")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: []byte(secret), KeyID: "secret"},
			{Key: &i.key.PublicKey, KeyID: i.id, Algorithm: "RS256", Use: "sig"},
			{Key: &i.curve.PublicKey, KeyID: i.id + "-curve", Algorithm: "ES256", Use: "sig"},
		}})
	})
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		here := "http://" + r.Host
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": here, "jwks_uri": here})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// Rotate publishes new keys in place of the old ones. The id of the curve's ends in -curve.
func (i *Issuer) Rotate(t testing.TB, id string) {
	t.Helper()
	key := NewKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.curve, i.id = key, curve, id
}

// Public returns the public key that RS256 is verified by.
func (i *Issuer) Public() *rsa.PublicKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &i.key.PublicKey
}

// Down has the issuer hand out its keys no more, or again.
func (i *Issuer) Down(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Fetches returns how often keys were fetched.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// NewKey returns a key that nobody knows.
func NewKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Token signs a token of an account for an audience by RS256, with changes of its claims; a
// claim that is nil is left out.
func (i *Issuer) Token(t testing.TB, account, audience string, changes map[string]any) string {
	t.Helper()
	i.mu.Lock()
	key, id := i.key, i.id
	i.mu.Unlock()
	return i.Sign(t, jose.RS256, key, id, account, audience, changes)
}

// Curve is Token by ES256.
func (i *Issuer) Curve(t testing.TB, account, audience string, changes map[string]any) string {
	t.Helper()
	i.mu.Lock()
	key, id := i.curve, i.id+"-curve"
	i.mu.Unlock()
	return i.Sign(t, jose.ES256, key, id, account, audience, changes)
}

// Sign is Token with another algorithm or key.
func (i *Issuer) Sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id, account, audience string, changes map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iss": i.URL, "aud": audience, "email": account, "email_verified": true, "sub": account,
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Forged returns tokens of an account for an audience that nobody must believe, by what is
// wrong with them.
func (i *Issuer) Forged(t testing.TB, account, audience string) map[string]string {
	t.Helper()
	good := i.Token(t, account, audience, nil)
	with := func(changes map[string]any) string { return i.Token(t, account, audience, changes) }
	i.mu.Lock()
	id := i.id
	i.mu.Unlock()
	parts := strings.Split(good, ".")
	other := strings.Split(with(map[string]any{"sub": "eve", "email": "eve@example.org"}), ".")
	return map[string]string{
		"no JWT":                               "x",
		"without a signature":                  parts[0] + "." + parts[1],
		"with an empty signature":              parts[0] + "." + parts[1] + ".",
		"with the algorithm none":              "eyJhbGciOiJub25lIn0." + parts[1] + ".", // {"alg":"none"}
		"another's claims under its signature": parts[0] + "." + other[1] + "." + parts[2],
		"signed by itself":                     i.Sign(t, jose.RS256, NewKey(t), id, account, audience, nil),
		"by a key that nobody published":       i.Sign(t, jose.RS256, NewKey(t), "unknown", account, audience, nil),
		"by the public key as a secret":        i.Sign(t, jose.HS256, i.Public().N.Bytes(), id, account, audience, nil),
		"by a secret that was published":       i.Sign(t, jose.HS256, []byte(secret), "secret", account, audience, nil),
		"for another audience":                 with(map[string]any{"aud": "https://other.example.org"}),
		"for the audience and more":            with(map[string]any{"aud": audience + "/"}),
		"for nobody":                           with(map[string]any{"aud": nil}),
		"of another issuer":                    with(map[string]any{"iss": "https://issuer.example.org"}),
		"expired":                              with(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"without an end":                       with(map[string]any{"exp": nil}),
		"not valid yet":                        with(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"of 20 kB":                             with(map[string]any{"filler": string(make([]byte, 4000))}),
	}
}
