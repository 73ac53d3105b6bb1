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
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Google's issuer of tokens for service accounts, and where its keys are.
const (
	googleIssuer = "https://accounts.google.com"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
)

// removed is what Google puts in the place of a signature.
const removed = "SIGNATURE_REMOVED_BY_GOOGLE"

// keysTime is for fetching keys.
const keysTime = 10 * time.Second

// Config says which tokens are believed.
type Config struct {
	Audience  string // of tokens: the URL of this function, as its callers are configured
	BehindIAM bool   // this function cannot be reached but through Google's check of tokens
	Issuer    string // default Google
	KeysURL   string // a JSON Web Key Set; default Google's
}

// Verifier verifies tokens. It fetches keys when it needs them, keeps them, and fetches anew
// for a key that it does not know.
type Verifier struct {
	signed, checked *oidc.IDTokenVerifier
	behindIAM       bool
}

// New returns a verifier. It makes no call. The error is [fault.Usage].
func New(ctx context.Context, c Config) (*Verifier, error) {
	if c.Audience == "" {
		return nil, fault.New(fault.Usage, "accounts.New", "there is no audience of tokens; want the URL of this function")
	}
	if c.Issuer == "" {
		c.Issuer = googleIssuer
	}
	if c.KeysURL == "" {
		c.KeysURL = googleKeys
	}
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: keysTime})
	return &Verifier{
		signed:    oidc.NewVerifier(c.Issuer, oidc.NewRemoteKeySet(ctx, c.KeysURL), &oidc.Config{ClientID: c.Audience}),
		checked:   oidc.NewVerifier(c.Issuer, nil, &oidc.Config{ClientID: c.Audience, InsecureSkipSignatureCheck: true}),
		behindIAM: c.BehindIAM,
	}, nil
}

// Account returns the e-mail address of the account that sent r. The error is
// [fault.Unauthenticated] if there is no token, or none that holds.
func (v *Verifier) Account(r *http.Request) (string, error) {
	token, verifier, err := v.token(r)
	if err != nil {
		return "", err
	}
	proved, err := verifier.Verify(r.Context(), token)
	if err != nil {
		return "", fault.Wrap(err, fault.Unauthenticated, "accounts.Account", "the token of the request does not hold")
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := proved.Claims(&claims); err != nil || claims.Email == "" || !claims.Verified {
		return "", fault.New(fault.Unauthenticated, "accounts.Account", "the token of the request names no account that its issuer vouches for")
	}
	return claims.Email, nil
}

// token finds the token to look at, and what it takes to believe it.
func (v *Verifier) token(r *http.Request) (string, *oidc.IDTokenVerifier, error) {
	authorization, err := bearer(r, "Authorization")
	if err != nil {
		return "", nil, err
	}
	if authorization != "" && !strings.HasSuffix(authorization, "."+removed) {
		return authorization, v.signed, nil
	}
	if v.behindIAM {
		serverless, err := bearer(r, "X-Serverless-Authorization")
		if err != nil {
			return "", nil, err
		}
		if serverless == "" {
			serverless = authorization
		}
		if strings.HasSuffix(serverless, "."+removed) {
			return serverless, v.checked, nil
		}
	}
	return "", nil, fault.New(fault.Unauthenticated, "accounts.Account", "the request carries no token with a signature; want the header Authorization: Bearer with an OpenID Connect token")
}

// bearer returns the token in a header, or "" if there is none.
func bearer(r *http.Request, header string) (string, error) {
	values := r.Header.Values(header)
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "accounts.Account", "the header %s is not one Bearer token", header)
	}
	return token, nil
}

// Only lets requests of some accounts through to next. Others are answered 401 or 403,
// which a queue takes for a refusal and repeats.
func (v *Verifier) Only(next http.Handler, log *slog.Logger, accounts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, err := v.Account(r)
		if err == nil && !slices.Contains(accounts, account) {
			err = fault.New(fault.Forbidden, "accounts.Only", "the account %s may not do this", account)
		}
		if err != nil {
			status := http.StatusUnauthorized
			if errors.Is(err, fault.Forbidden) {
				status = http.StatusForbidden
			} else {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			log.WarnContext(r.Context(), "request refused", "path", r.URL.Path, "status", status, "error", err)
			http.Error(w, fault.Sentence(err), status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Proxy is the mode of authentication behind a proxy that says who is asking in
// [auth.UserHeader], and proves by a token of its account that it is the proxy.
type Proxy struct {
	Verifier *Verifier
	Account  string
}

var _ auth.Mode = Proxy{}

// Caller implements [auth.Mode].
func (p Proxy) Caller(r *http.Request) (auth.Caller, error) {
	account, err := p.Verifier.Account(r)
	if err != nil || account != p.Account {
		return auth.Caller{}, fault.Wrap(err, fault.Unauthenticated, "accounts.Caller", "the service takes requests only through its proxy")
	}
	return auth.FromHeader(r)
}
