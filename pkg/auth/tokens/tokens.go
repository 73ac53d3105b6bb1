// Package tokens verifies the JSON Web Tokens (RFC 7519) by which users and service accounts
// prove who they are: who signed a token, for whom it is and until when, after OpenID Connect
// Core 1.0, section 3.1.3.7.
//
// The keys of the issuer are fetched when they are needed, kept, and fetched anew when they
// are old or a token names one that is not known; keys.go says how often.
package tokens

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Config says which tokens are believed.
type Config struct {
	Issuer     string   // who signs them; an https URL, or http on this machine
	Audience   string   // for whom they are
	KeysURL    string   // of a JSON Web Key Set (RFC 7517); default what the issuer's discovery document says
	Algorithms []string // of signatures; default all that need no secret shared with the issuer
}

// asymmetric holds the algorithms whose keys an issuer can publish (RFC 7518, section 3.1;
// RFC 8037).
var asymmetric = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// maxToken is how long a token may be in bytes.
const maxToken = 16 << 10

// Verifier verifies tokens. Methods are safe for concurrent use.
type Verifier struct {
	issuer, audience string
	keys             *keySet
	signed, checked  *oidc.IDTokenVerifier
}

// New returns a verifier. It makes no call. The error is [fault.Usage].
func New(c Config) (*Verifier, error) {
	if c.Audience == "" {
		return nil, fault.New(fault.Usage, "tokens.New", "there is no audience of tokens; want for whom they must be")
	}
	for _, address := range []string{c.Issuer, c.KeysURL} {
		if address == "" && c.Issuer != "" {
			continue
		}
		if err := trustworthy(address); err != nil {
			return nil, err
		}
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = asymmetric
	}
	keys := newKeySet(c)
	return &Verifier{
		issuer: c.Issuer, audience: c.Audience, keys: keys,
		signed:  oidc.NewVerifier(c.Issuer, keys, &oidc.Config{ClientID: c.Audience, SupportedSigningAlgs: c.Algorithms}),
		checked: oidc.NewVerifier(c.Issuer, nil, &oidc.Config{ClientID: c.Audience, SupportedSigningAlgs: c.Algorithms, InsecureSkipSignatureCheck: true}),
	}, nil
}

// trustworthy is nil for a URL whose answers nobody can change on their way.
func trustworthy(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		ip, err := netip.ParseAddr(u.Hostname())
		if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()) {
			return nil
		}
	}
	return fault.New(fault.Usage, "tokens.New", "the issuer of tokens %q is no https URL; want one such as https://login.example.org", address)
}

// Verify returns the claims of a token that the issuer signed. The error is
// [fault.Unauthenticated], or [fault.Unavailable] if there are no keys to verify it by.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if err := v.keys.ready(ctx); err != nil {
		return nil, err
	}
	return v.claims(ctx, v.signed, token)
}

// Checked is Verify for a token whose signature somebody verified who then took it away.
func (v *Verifier) Checked(ctx context.Context, token string) (Claims, error) {
	return v.claims(ctx, v.checked, token)
}

func (v *Verifier) claims(ctx context.Context, by *oidc.IDTokenVerifier, token string) (Claims, error) {
	if len(token) > maxToken {
		return nil, fault.New(fault.Unauthenticated, "tokens.Verify", "the token has %d bytes; want at most %d", len(token), maxToken)
	}
	proved, err := by.Verify(ctx, token)
	if expired, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return nil, fault.Wrap(err, fault.Unauthenticated, "tokens.Verify", "the token held until %s; log in again", expired.Expiry.UTC().Format("2006-01-02T15:04:05Z"))
	}
	var claims Claims
	if err == nil {
		err = proved.Claims(&claims)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unauthenticated, "tokens.Verify", "the token does not hold; want one that %s signed for %s", v.issuer, v.audience)
	}
	return claims, nil
}

// Claims are what a token says.
type Claims map[string]any

// Text returns the text of a claim, or "". A name with dots that is no claim itself leads
// into objects: google.access_levels is the member access_levels of the claim google.
func (c Claims) Text(name string) string {
	text, _ := c.find(name).(string)
	return text
}

// Texts returns the texts of a claim that is a list of them, or one.
func (c Claims) Texts(name string) (texts []string) {
	switch value := c.find(name).(type) {
	case string:
		return []string{value}
	case []any:
		for _, one := range value {
			if text, ok := one.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

func (c Claims) find(name string) any {
	if value, ok := c[name]; ok {
		return value
	}
	first, rest, _ := strings.Cut(name, ".")
	object, _ := c[first].(map[string]any)
	if object == nil || rest == "" {
		return nil
	}
	return Claims(object).find(rest)
}

// Bearer returns the token in a header (RFC 6750, section 2.1), or "" if there is none. The
// error is [fault.Unauthenticated].
func Bearer(r *http.Request, header string) (string, error) {
	values := r.Header.Values(header)
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "tokens.Bearer", "the header %s is not one Bearer token", header)
	}
	return token, nil
}
