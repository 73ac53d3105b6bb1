package accounts

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	push     = "push@example.iam.gserviceaccount.com"
	audience = "https://cutout.example.run.app"
)

type claims = map[string]any

func verifier(t *testing.T, i *tokenstest.Issuer, behindIAM bool) *Verifier {
	t.Helper()
	v, err := New(Config{Audience: audience, Issuer: i.URL, KeysURL: i.URL, BehindIAM: behindIAM})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')+1] + removed }

func TestOnly(t *testing.T) {
	i := tokenstest.New(t)
	good := i.Token(t, push, audience, nil)
	with := func(changes claims) string { return i.Token(t, push, audience, changes) }
	type row struct {
		name                      string
		authorization, serverless string
		status, behindIAM         int
	}
	rows := []row{
		{"the account", "Bearer " + good, "", 200, 200},
		{"the account, in small letters", "bearer " + good, "", 200, 200},
		{"no token", "", "", 401, 401},
		{"no bearer", "Basic " + good, "", 401, 401},
		{"an empty token", "Bearer ", "", 401, 401},
		{"of another account", "Bearer " + with(claims{"email": "other@example.org"}), "", 403, 403},
		{"an account that nobody vouches for", "Bearer " + with(claims{"email_verified": false}), "", 401, 401},
		{"an account of a user", "Bearer " + with(claims{"email": nil}), "", 401, 401},
		{"signature removed", "Bearer " + unsigned(good), "", 401, 200},
		{"signature removed, another account", "Bearer " + unsigned(with(claims{"email": "other@example.org"})), "", 401, 403},
		{"signature removed, another audience", "Bearer " + unsigned(with(claims{"aud": "https://other.example.run.app"})), "", 401, 401},
		{"signature removed, expired", "Bearer " + unsigned(with(claims{"exp": time.Now().Add(-time.Minute).Unix()})), "", 401, 401},
		{"signature removed, beside what was checked", "Bearer " + unsigned(good), "Bearer " + unsigned(with(claims{"email": "other@example.org"})), 401, 403},
		{"checked, beside nothing", "", "Bearer " + unsigned(good), 401, 200},
		{"checked, beside the user's", "Bearer " + good, "Bearer " + unsigned(with(claims{"email": "other@example.org"})), 200, 200},
	}
	for name, forged := range i.Forged(t, push, audience) {
		rows = append(rows, row{name, "Bearer " + forged, "", 401, 401})
	}
	for _, tt := range rows {
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

func TestProxy(t *testing.T) {
	i := tokenstest.New(t)
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
		r.Header.Set(auth.GroupsHeader, "team, staff")
		caller, err := mode.Caller(r)
		if caller.Name != tt.want || caller.All || tt.want != "" && !slices.Equal(caller.Groups, []string{"team", "staff"}) || (err == nil) != (tt.want != "") || err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %+v, %v; want %q", name, caller, err, tt.want)
		}
	}
}
