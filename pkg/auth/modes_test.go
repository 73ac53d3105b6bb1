package auth

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	audience    = "seltzer"
	iapAudience = "/projects/1/global/backendServices/2"
)

// open returns a mode whose tokens i signs.
func open(t *testing.T, i *tokenstest.Issuer, name string, change func(*Config)) Mode {
	t.Helper()
	c := Config{Issuer: i.URL, Google: i.URL, Audience: audience, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	if name == "iap" {
		c.Audience = iapAudience
	}
	if change != nil {
		change(&c)
	}
	m, err := New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func request(t *testing.T, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/async", nil) // from 192.0.2.1
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func password(token string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+token))
}

// spoofed holds headers by which a client may try to be somebody else, where no mode or
// another one is to believe them.
var spoofed = []string{
	"X-Auth-Request-User", "mallory", "X-Auth-Request-Groups", "team", "X-Auth-Request-Email", "mallory@example.org",
	"X-Goog-Authenticated-User-Email", "accounts.google.com:mallory@example.org", "X-Goog-Authenticated-User-Id", "accounts.google.com:7",
	"X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1", "Forwarded", "for=192.0.2.1", "X-Forwarded-User", "mallory", "Remote-User", "mallory",
}

func TestOIDC(t *testing.T) {
	i := tokenstest.New(t)
	with := func(changes map[string]any) string { return i.Token(t, "ada", audience, changes) }
	good := with(map[string]any{"groups": []string{"team", " staff "}})
	for name, tt := range map[string]struct {
		change  func(*Config)
		headers []string
		want    string // "" is fault.Unauthenticated
		groups  []string
	}{
		"bearer":                         {nil, []string{"Authorization", "Bearer " + good}, "ada", []string{"team", "staff"}},
		"bearer, in small letters":       {nil, []string{"Authorization", "bearer " + good}, "ada", []string{"team", "staff"}},
		"by ES256":                       {nil, []string{"Authorization", "Bearer " + i.Curve(t, "ada", audience, nil)}, "ada", nil},
		"a password":                     {nil, []string{"Authorization", password(good)}, "ada", []string{"team", "staff"}},
		"a password that is no token":    {nil, []string{"Authorization", password("secret")}, "", nil},
		"no password":                    {nil, []string{"Authorization", password("")}, "", nil},
		"no base64":                      {nil, []string{"Authorization", "Basic x"}, "", nil},
		"nothing":                        {nil, nil, "", nil},
		"another scheme":                 {nil, []string{"Authorization", "Digest " + good}, "", nil},
		"two of them":                    {nil, []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, "", nil},
		"a password and a token":         {nil, []string{"Authorization", password(good), "Authorization", "Bearer " + good}, "", nil},
		"spoofed headers":                {nil, spoofed, "", nil},
		"spoofed headers beside it":      {nil, append(slices.Clone(spoofed), "Authorization", "Bearer "+good), "ada", []string{"team", "staff"}},
		"no name":                        {nil, []string{"Authorization", "Bearer " + with(map[string]any{"sub": nil})}, "", nil},
		"a blank name":                   {nil, []string{"Authorization", "Bearer " + with(map[string]any{"sub": " "})}, "", nil},
		"a name of two lines":            {nil, []string{"Authorization", "Bearer " + with(map[string]any{"sub": "a\nb"})}, "", nil},
		"a name of 257 letters":          {nil, []string{"Authorization", "Bearer " + with(map[string]any{"sub": strings.Repeat("a", 257)})}, "", nil},
		"a number for a name":            {nil, []string{"Authorization", "Bearer " + with(map[string]any{"sub": 7})}, "", nil},
		"a claim of its own":             {func(c *Config) { c.UserClaim, c.GroupsClaim = "login", "realm_access.roles" }, []string{"Authorization", "Bearer " + with(map[string]any{"login": "lovelace", "realm_access": map[string]any{"roles": []string{"r"}}})}, "lovelace", []string{"r"}},
		"a mail address":                 {func(c *Config) { c.UserClaim = "email" }, []string{"Authorization", "Bearer " + with(map[string]any{"email": "ada@example.org"})}, "ada@example.org", nil},
		"a mail address that is claimed": {func(c *Config) { c.UserClaim = "email" }, []string{"Authorization", "Bearer " + with(map[string]any{"email": "ada@example.org", "email_verified": false})}, "", nil},
	} {
		r := request(t, tt.headers...)
		got, err := open(t, i, "oidc", tt.change).Caller(r)
		if got.Name != tt.want || got.All || !slices.Equal(got.Groups, tt.groups) || (tt.want == "") != errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %+v, %v; want %q of %q", name, got, err, tt.want, tt.groups)
		}
	}
	mode := open(t, i, "oidc", nil)
	for name, token := range i.Forged(t, "ada", audience) {
		for _, header := range []string{"Bearer " + token, password(token)} {
			if c, err := mode.Caller(request(t, "Authorization", header)); !errors.Is(err, fault.Unauthenticated) || c.Name != "" {
				t.Errorf("a token %s: %+v, %v", name, c, err)
			}
		}
	}
}

func TestIAP(t *testing.T) {
	i := tokenstest.New(t)
	mode := open(t, i, "iap", nil)
	with := func(changes map[string]any) string { return i.Curve(t, "ada@example.org", iapAudience, changes) }
	good := with(map[string]any{"hd": "example.org", "email_verified": nil, "google": map[string]any{"access_levels": []string{"accessPolicies/1/accessLevels/observatory"}}})
	for name, tt := range map[string]struct {
		change  func(*Config)
		headers []string
		want    string
		groups  []string
	}{
		"an assertion":            {nil, []string{AssertionHeader, good}, "ada@example.org", []string{"example.org"}},
		"access levels":           {func(c *Config) { c.GroupsClaim = "google.access_levels" }, []string{AssertionHeader, good}, "ada@example.org", []string{"accessPolicies/1/accessLevels/observatory"}},
		"nothing":                 {nil, nil, "", nil},
		"two":                     {nil, []string{AssertionHeader, good, AssertionHeader, good}, "", nil},
		"as a bearer token":       {nil, []string{"Authorization", "Bearer " + good}, "", nil},
		"by RS256":                {nil, []string{AssertionHeader, i.Token(t, "ada@example.org", iapAudience, nil)}, "", nil},
		"of another service":      {nil, []string{AssertionHeader, with(map[string]any{"aud": "/projects/1/global/backendServices/3"})}, "", nil},
		"expired":                 {nil, []string{AssertionHeader, with(map[string]any{"exp": 1})}, "", nil},
		"of another issuer":       {nil, []string{AssertionHeader, with(map[string]any{"iss": "https://accounts.google.com"})}, "", nil},
		"of nobody":               {nil, []string{AssertionHeader, with(map[string]any{"email": nil})}, "", nil},
		"the plain headers":       {nil, spoofed, "", nil},
		"the plain headers, too":  {nil, append(slices.Clone(spoofed), AssertionHeader, good), "ada@example.org", []string{"example.org"}},
		"signed by somebody else": {nil, []string{AssertionHeader, tokenstest.New(t).Curve(t, "ada@example.org", iapAudience, map[string]any{"iss": i.URL})}, "", nil},
	} {
		m := mode
		if tt.change != nil {
			m = open(t, i, "iap", tt.change)
		}
		got, err := m.Caller(request(t, tt.headers...))
		if got.Name != tt.want || got.All || !slices.Equal(got.Groups, tt.groups) || (tt.want == "") != errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %+v, %v; want %q of %q", name, got, err, tt.want, tt.groups)
		}
	}
	for name, token := range i.Forged(t, "ada@example.org", iapAudience) {
		if c, err := mode.Caller(request(t, AssertionHeader, token)); !errors.Is(err, fault.Unauthenticated) || c.Name != "" {
			t.Errorf("an assertion %s: %+v, %v", name, c, err)
		}
	}
	// Without a setting for tests it is Google whose assertions are believed.
	if m := open(t, i, "iap", func(c *Config) { c.Google = "" }).(IAP); m.verifier == nil {
		t.Error("no verifier of Google's assertions")
	}
}

// What modes that ask nobody make of headers that say who is asking.
func TestSpoofedHeaders(t *testing.T) {
	i := tokenstest.New(t)
	for name, want := range map[string]Caller{"local": {Name: "local", All: true}, "none": {}} {
		if got, err := open(t, i, name, nil).Caller(request(t, spoofed...)); err != nil || got.Name != want.Name || got.All != want.All || got.Groups != nil {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	r := request(t, append([]string{UserHeader, "ada"}, spoofed[4:]...)...)
	if got, err := open(t, i, "header", nil).Caller(r); err != nil || got.Name != "ada" || got.Groups != nil {
		t.Errorf("header: %+v, %v; want ada, without groups", got, err)
	}
	r.RemoteAddr = "10.1.2.3:4"
	if got, err := open(t, i, "header", nil).Caller(r); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("header, with X-Forwarded-For of the proxy: %+v, %v; want %s", got, err, fault.Unauthenticated)
	}
}

func TestGroupsOfHeaders(t *testing.T) {
	mode := Header{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, tt := range []struct {
		groups []string
		want   []string
		refuse bool
	}{
		{nil, nil, false}, {[]string{""}, nil, false}, {[]string{"team"}, []string{"team"}, false}, {[]string{"team, staff ,,"}, []string{"team", "staff"}, false},
		{[]string{"team", "staff"}, nil, true},
	} {
		r := request(t, UserHeader, "ada")
		for _, g := range tt.groups {
			r.Header.Add(GroupsHeader, g)
		}
		if got, err := mode.Caller(r); (err != nil) != tt.refuse || !slices.Equal(got.Groups, tt.want) {
			t.Errorf("groups %q: %+v, %v; want %q", tt.groups, got, err, tt.want)
		}
	}
}

// What browsers send unasked, and how each mode says that one has to log in.
func TestAmbientAndChallenges(t *testing.T) {
	i := tokenstest.New(t)
	for _, tt := range []struct {
		mode, authorization string
		ambient             bool
		challenges          string
	}{
		{"local", "", true, ""},
		{"none", "", false, ""},
		{"header", "", true, `Bearer realm="seltzer"`},
		{"iap", "", true, `Bearer realm="seltzer"`},
		{"oidc", "", false, `Bearer realm="seltzer"; Basic realm="seltzer", charset="UTF-8"`},
		{"oidc", "Bearer x", false, `Bearer realm="seltzer", error="invalid_token"; Basic realm="seltzer", charset="UTF-8"`},
		{"oidc", "Basic eDp4", true, `Bearer realm="seltzer", error="invalid_token"; Basic realm="seltzer", charset="UTF-8"`},
		{"oidc", "basic eDp4", true, `Bearer realm="seltzer", error="invalid_token"; Basic realm="seltzer", charset="UTF-8"`},
	} {
		r := request(t)
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		m := open(t, i, tt.mode, nil)
		if got := strings.Join(m.Challenges(r), "; "); m.Ambient(r) != tt.ambient || got != tt.challenges {
			t.Errorf("%s, %q: ambient %t, %s; want %t, %s", tt.mode, tt.authorization, m.Ambient(r), got, tt.ambient, tt.challenges)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		mode string
		c    Config
	}{
		"no mode":               {"", Config{}},
		"another mode":          {"basic", Config{}},
		"iap without audience":  {"iap", Config{}},
		"oidc without issuer":   {"oidc", Config{Audience: "a"}},
		"oidc without audience": {"oidc", Config{Issuer: "https://login.example.org"}},
		"an issuer over http":   {"oidc", Config{Issuer: "http://login.example.org", Audience: "a"}},
	} {
		if m, err := New(tt.mode, tt.c); !errors.Is(err, fault.Usage) {
			t.Errorf("%s: %v, %v; want %s", name, m, err, fault.Usage)
		}
	}
	know := map[string]bool{"local": true, "none": false, "header": true, "iap": true, "oidc": true}
	if want := slices.Sorted(maps.Keys(know)); !slices.Equal(slices.Sorted(slices.Values(Names())), want) {
		t.Errorf("the modes are %v, want %v", Names(), want)
	}
	for name, want := range know {
		if KnowsGroups(name) != want {
			t.Errorf("mode %s knows groups: %t", name, !want)
		}
	}
}
