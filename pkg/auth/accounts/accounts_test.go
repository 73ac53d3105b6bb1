package accounts

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/accounts/accountstest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	push     = "push@example.iam.gserviceaccount.com"
	audience = "https://cutout.example.run.app"
)

type claims = map[string]any

func verifier(t *testing.T, i *accountstest.Issuer, behindIAM bool) *Verifier {
	t.Helper()
	v, err := New(t.Context(), Config{Audience: audience, Issuer: i.URL, KeysURL: i.URL, BehindIAM: behindIAM})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')+1] + removed }

func TestOnly(t *testing.T) {
	i := accountstest.New(t)
	good := i.Token(t, push, audience, nil)
	with := func(changes claims) string { return i.Token(t, push, audience, changes) }
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
		{"signed by itself", "Bearer " + i.Sign(t, jose.RS256, accountstest.NewKey(t), "1", push, audience, nil), "", 401, 401},
		{"with a key that nobody published", "Bearer " + i.Sign(t, jose.RS256, accountstest.NewKey(t), "2", push, audience, nil), "", 401, 401},
		{"by the public key as a secret", "Bearer " + i.Sign(t, jose.HS256, i.Key.N.Bytes(), "1", push, audience, nil), "", 401, 401},
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
				verifier(t, i, behind).Only(next, slog.New(slog.NewTextHandler(io.Discard, nil)), "someone@example.org", push).ServeHTTP(w, r)
				if w.Code != want || passed != (want == 200) {
					t.Errorf("behind IAM %t: status %d, passed %t; want %d\n%s", behind, w.Code, passed, want, w.Body)
				}
			}
		})
	}
}

// Keys are fetched once, and anew when the issuer changed them.
func TestKeysAreKeptAndRotated(t *testing.T) {
	i := accountstest.New(t)
	v := verifier(t, i, false)
	ask := func(token string) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := v.Account(r)
		return err
	}
	first := i.Token(t, push, audience, nil)
	for range 3 {
		if err := ask(first); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.Fetches(); n != 1 {
		t.Errorf("%d fetches of the keys for three tokens, want 1", n)
	}
	i.Down(true)
	if err := ask(first); err != nil {
		t.Errorf("with a key that is known, while the issuer is down: %v", err)
	}
	i.Down(false)
	i.Rotate(t, "2")
	second := i.Token(t, push, audience, nil)
	if err := ask(second); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	if err := ask(first); err == nil {
		t.Error("a token of a key that was withdrawn is believed")
	}
}

func TestProxy(t *testing.T) {
	i := accountstest.New(t)
	mode := Proxy{Verifier: verifier(t, i, true), Account: push}
	for name, tt := range map[string]struct {
		token string
		users []string
		want  string
	}{
		"the proxy":             {i.Token(t, push, audience, nil), []string{"ada"}, "ada"},
		"the proxy, to nobody":  {i.Token(t, push, audience, nil), nil, ""},
		"two users":             {i.Token(t, push, audience, nil), []string{"ada", "eve"}, ""},
		"somebody else's token": {i.Token(t, "eve@example.org", audience, nil), []string{"ada"}, ""},
		"no token":              {"", []string{"ada"}, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/async", nil)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		r.Header[auth.UserHeader] = tt.users
		caller, err := mode.Caller(r)
		if caller.Name != tt.want || caller.All || (err == nil) != (tt.want != "") || err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %+v, %v; want %q", name, caller, err, tt.want)
		}
	}
}
