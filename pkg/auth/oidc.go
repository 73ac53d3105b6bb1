package auth

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/auth/tokens"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Challenges of HTTP authentication (RFC 6750, section 3; RFC 7617, section 2).
const (
	bearer       = `Bearer realm="seltzer"` // #nosec G101 -- what a client is told
	bearerWrong  = bearer + `, error="invalid_token"`
	basic        = `Basic realm="seltzer", charset="UTF-8"`
	verifiedMail = "email_verified"
)

// OIDC is a service whose users log in elsewhere and send the token that they were given, by
// OpenID Connect: as Authorization: Bearer or, for clients that know passwords alone, as the
// password of Basic, beside any user name.
type OIDC struct {
	verifier     *tokens.Verifier
	user, groups string // claims
}

func newOIDC(c Config) (Mode, error) {
	if c.Issuer == "" || c.Audience == "" {
		return nil, fault.New(fault.Usage, "auth.New", "mode oidc has the issuer %q and the audience %q; want both: who signs users' tokens, and whom they must be for", c.Issuer, c.Audience)
	}
	verifier, err := tokens.New(tokens.Config{Issuer: c.Issuer, Audience: c.Audience})
	return OIDC{verifier, cmp.Or(c.UserClaim, "sub"), cmp.Or(c.GroupsClaim, "groups")}, err
}

// Caller implements [Mode].
func (m OIDC) Caller(r *http.Request) (Caller, error) {
	token, err := credentials(r)
	if err != nil {
		return Caller{}, err
	}
	claims, err := m.verifier.Verify(r.Context(), token)
	if err != nil {
		return Caller{}, err
	}
	if verified, _ := claims[verifiedMail].(bool); m.user == "email" && !verified {
		return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "the token names an e-mail address that its issuer does not vouch for; confirm it there, and log in again")
	}
	return fromClaims(claims, m.user, m.groups)
}

// credentials returns the token of a request.
func credentials(r *http.Request) (string, error) {
	if isBasic(r) && len(r.Header.Values("Authorization")) == 1 {
		if _, token, ok := r.BasicAuth(); ok && token != "" {
			return token, nil
		}
		return "", fault.New(fault.Unauthenticated, "auth.Caller", "the header Authorization: Basic has no password; want a token as the password")
	}
	token, err := tokens.Bearer(r, "Authorization")
	if err == nil && token == "" {
		err = fault.New(fault.Unauthenticated, "auth.Caller", "log in first: send a token as Authorization: Bearer, or as the password of Basic")
	}
	return token, err
}

func isBasic(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Basic")
}

// Ambient implements [Mode]: browsers remember passwords, and no Bearer tokens.
func (OIDC) Ambient(r *http.Request) bool { return isBasic(r) }

// Challenges implements [Mode].
func (OIDC) Challenges(r *http.Request) []string {
	if r.Header.Get("Authorization") == "" {
		return []string{bearer, basic}
	}
	return []string{bearerWrong, basic}
}
