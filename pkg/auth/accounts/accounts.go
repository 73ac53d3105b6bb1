// Package accounts proves which service account sends a request: that of a push
// subscription, of the scheduler, of another function, of a proxy. Each sends an OpenID
// Connect token that Google signed for it, and for whom it is (its audience).
//
// In front of a Cloud Run service that is not public, Google verifies the token, and takes
// its signature away before it hands the request on. [Config.BehindIAM] says that this is
// so; then a token without its signature is believed where Google looked at it, which is the
// header X-Serverless-Authorization if there is one, else Authorization. Source: Google
// Cloud, "Authenticate service-to-service" and "Troubleshoot Cloud Run issues".
package accounts

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Google's issuer of tokens for service accounts, and where its keys are.
const (
	googleIssuer = "https://accounts.google.com"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
)

// removed is what Google puts in the place of a signature.
const removed = "SIGNATURE_REMOVED_BY_GOOGLE"

// Config says which tokens are believed.
type Config struct {
	Audience  string // of tokens: the URL of this function, as its callers are configured
	BehindIAM bool   // this function cannot be reached but through Google's check of tokens
	Issuer    string // default Google
	KeysURL   string // a JSON Web Key Set; default Google's
}

// Verifier verifies which account sends a request.
type Verifier struct {
	tokens    *tokens.Verifier
	behindIAM bool
}

// New returns a verifier. It makes no call. The error is [fault.Usage].
func New(c Config) (*Verifier, error) {
	if c.Audience == "" {
		return nil, fault.New(fault.Usage, "accounts.New", "there is no audience of tokens; want the URL of this function")
	}
	v, err := tokens.New(tokens.Config{
		Issuer: cmp.Or(c.Issuer, googleIssuer), KeysURL: cmp.Or(c.KeysURL, googleKeys), Audience: c.Audience, Algorithms: []string{oidc.RS256},
	})
	return &Verifier{v, c.BehindIAM}, err
}

// Account returns the e-mail address of the account that sent r. The error is
// [fault.Unauthenticated] if there is no token, or none that holds, and [fault.Unavailable]
// if that cannot be told for the moment.
func (v *Verifier) Account(r *http.Request) (string, error) {
	token, verify, err := v.token(r)
	if err != nil {
		return "", err
	}
	claims, err := verify(r.Context(), token)
	if err != nil {
		return "", err
	}
	if verified, _ := claims["email_verified"].(bool); !verified || claims.Text("email") == "" {
		return "", fault.New(fault.Unauthenticated, "accounts.Account", "the token of the request names no account that its issuer vouches for")
	}
	return claims.Text("email"), nil
}

// token finds the token to look at, and what it takes to believe it.
func (v *Verifier) token(r *http.Request) (string, func(context.Context, string) (tokens.Claims, error), error) {
	authorization, err := tokens.Bearer(r, "Authorization")
	if err != nil {
		return "", nil, err
	}
	if authorization != "" && !strings.HasSuffix(authorization, "."+removed) {
		return authorization, v.tokens.Verify, nil
	}
	if v.behindIAM {
		serverless, err := tokens.Bearer(r, "X-Serverless-Authorization")
		if err != nil {
			return "", nil, err
		}
		serverless = cmp.Or(serverless, authorization)
		if strings.HasSuffix(serverless, "."+removed) {
			return serverless, v.tokens.Checked, nil
		}
	}
	return "", nil, fault.New(fault.Unauthenticated, "accounts.Account", "the request carries no token with a signature; want the header Authorization: Bearer with an OpenID Connect token")
}

// Only lets requests of some accounts through to next. Others are answered 401 or 403, or 503
// if nobody can tell, which a queue takes for a refusal and repeats.
func (v *Verifier) Only(next http.Handler, log *slog.Logger, accounts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, err := v.Account(r)
		if err == nil && !slices.Contains(accounts, account) {
			err = fault.New(fault.Forbidden, "accounts.Only", "the account %s may not do this", account)
		}
		if err != nil {
			status := http.StatusUnauthorized
			switch fault.CodeOf(err) {
			case fault.Forbidden:
				status = http.StatusForbidden
			case fault.Unavailable:
				status = http.StatusServiceUnavailable
			default:
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			log.WarnContext(r.Context(), "request refused", "path", r.URL.Path, "status", status, "error", err)
			http.Error(w, fault.Sentence(err), status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Proxy is the mode header where the proxy proves by a token of its account that it is the
// proxy.
type Proxy struct {
	auth.Header
	Verifier *Verifier
	Account  string
}

var _ auth.Mode = Proxy{}

// Caller implements [auth.Mode].
func (p Proxy) Caller(r *http.Request) (auth.Caller, error) {
	account, err := p.Verifier.Account(r)
	if fault.Transient(err) {
		return auth.Caller{}, err
	}
	if err != nil || account != p.Account {
		return auth.Caller{}, fault.Wrap(err, fault.Unauthenticated, "accounts.Caller", "the service takes requests only through its proxy")
	}
	return auth.FromHeader(r)
}
