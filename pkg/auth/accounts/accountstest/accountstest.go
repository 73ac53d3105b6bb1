// Package accountstest stands for Google where tokens of service accounts are tested: it
// signs them, with keys that it publishes and can change.
package accountstest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer signs tokens. Its keys are at its URL.
type Issuer struct {
	*httptest.Server
	Key *rsa.PrivateKey // that is published
	ID  string          // of the key

	mu      sync.Mutex
	fetches int
	down    bool
}

// New returns an issuer, which ends with the test.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{}
	i.Rotate(t, "1")
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.Key.PublicKey, KeyID: i.ID, Algorithm: "RS256", Use: "sig"}}})
	}))
	t.Cleanup(i.Close)
	return i
}

// Rotate publishes a new key in place of the old one.
func (i *Issuer) Rotate(t testing.TB, id string) {
	t.Helper()
	key := NewKey(t)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.Key, i.ID = key, id
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

// Token signs a token of an account for an audience, with changes of its claims; a claim that
// is nil is left out.
func (i *Issuer) Token(t testing.TB, account, audience string, changes map[string]any) string {
	t.Helper()
	return i.Sign(t, jose.RS256, i.Key, i.ID, account, audience, changes)
}

// Sign is Token with another algorithm or key.
func (i *Issuer) Sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id, account, audience string, changes map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iss": i.URL, "aud": audience, "email": account, "email_verified": true, "sub": "1",
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
