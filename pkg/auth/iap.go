package auth

import (
	"cmp"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seltzer-soda/seltzer/pkg/auth/tokens"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Google's Identity-Aware Proxy: who signs its assertions, where the keys are, and the header
// that carries one. Source: Google Cloud, "Securing your app with signed headers",
// https://cloud.google.com/iap/docs/signed-headers-howto.
const (
	iapIssuer = "https://cloud.google.com/iap"
	iapKeys   = "https://www.gstatic.com/iap/verify/public_key-jwk"

	AssertionHeader = "X-Goog-IAP-JWT-Assertion"
)

// IAP is a service behind Google's Identity-Aware Proxy, which signs who is asking. Its
// plain headers, such as X-Goog-Authenticated-User-Email, anybody could send.
type IAP struct {
	verifier     *tokens.Verifier
	user, groups string // claims
}

func newIAP(c Config) (Mode, error) {
	if c.Audience == "" {
		return nil, fault.New(fault.Usage, "auth.New", "mode iap has no audience; want that of the backend service's assertions, /projects/NUMBER/global/backendServices/ID")
	}
	verifier, err := tokens.New(tokens.Config{
		Issuer: cmp.Or(c.Google, iapIssuer), KeysURL: cmp.Or(c.Google, iapKeys), Audience: c.Audience, Algorithms: []string{oidc.ES256},
	})
	return IAP{verifier, cmp.Or(c.UserClaim, "email"), cmp.Or(c.GroupsClaim, "hd")}, err
}

// Caller implements [Mode].
func (m IAP) Caller(r *http.Request) (Caller, error) {
	assertions := r.Header.Values(AssertionHeader)
	if len(assertions) != 1 {
		return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "the service takes requests only through Identity-Aware Proxy; ask at the public address")
	}
	claims, err := m.verifier.Verify(r.Context(), assertions[0])
	if err != nil {
		return Caller{}, err
	}
	return fromClaims(claims, m.user, m.groups)
}

// fromClaims returns the caller whom claims name.
func fromClaims(claims tokens.Claims, user, groups string) (Caller, error) {
	c, ok := named(claims.Text(user), claims.Texts(groups))
	if !ok {
		return c, fault.New(fault.Unauthenticated, "auth.Caller", "the token names no user: its claim %s is missing, or cannot be shown", user)
	}
	return c, nil
}

// Ambient implements [Mode]: the proxy knows browsers by cookies.
func (IAP) Ambient(*http.Request) bool { return true }

// Challenges implements [Mode]: the proxy takes tokens of programs.
func (IAP) Challenges(*http.Request) []string { return []string{bearer} }
