// Package auth says who is asking. A mode reads it from a request; the owner rules of
// UWS 1.1 (section 3) follow from the [Caller].
//
// To add a mode: write a type with the methods of [Mode] in a file of its own, and name it in
// the table modes.
package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Caller is who is asking.
type Caller struct {
	Name   string   `json:"name,omitempty"`   // "" is anonymous
	Groups []string `json:"groups,omitempty"` // that they belong to: archives may be for some groups
	All    bool     `json:"all,omitempty"`    // sees the jobs of every owner, and every archive
}

// May is nil if the caller may see and change the job. An anonymous job belongs to
// whoever knows its id, which nobody can guess. The error is [fault.Forbidden].
func (c Caller) May(j *uws.Job) error {
	if c.All || c.Name == j.Owner {
		return nil
	}
	return fault.New(fault.Forbidden, "auth.May", "the job belongs to somebody else; ask its owner, or make one of your own")
}

// Lists reports whether the caller has a list of jobs: the anonymous one has an empty
// list, because it would show strangers' ids.
func (c Caller) Lists() bool { return c.All || c.Name != "" }

// maxName is how long the name of a caller may be in bytes.
const maxName = 256

// named returns the caller of a name and groups that somebody vouches for. ok is false if
// the name is none that can be shown.
func named(name string, groups []string) (c Caller, ok bool) {
	if name = strings.TrimSpace(name); name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return c, false
	}
	c.Name = name
	for _, group := range groups {
		if group = strings.TrimSpace(group); group != "" {
			c.Groups = append(c.Groups, group)
		}
	}
	return c, true
}

// Mode reads from a request who is asking. Methods are safe for concurrent use.
type Mode interface {
	// Caller returns who is asking. The error is [fault.Unauthenticated] if the mode
	// wants to know and cannot tell, [fault.Unavailable] if it cannot tell for the moment.
	Caller(r *http.Request) (Caller, error)

	// Ambient reports whether a browser sends unasked what tells who is asking in r: a
	// cookie, a password that it remembers, the network that it is in. Then a page of
	// another site can make it ask in its user's name.
	Ambient(r *http.Request) bool

	// Challenges returns how to log in, for the header WWW-Authenticate of an answer to r
	// (RFC 9110, section 11.6.1).
	Challenges(r *http.Request) []string
}

// Config is what modes are set up from. Each reads what is its own.
type Config struct {
	Trusted     []netip.Prefix // of header: the addresses of the proxies that are believed
	Issuer      string         // of oidc: who signs users' tokens
	Audience    string         // of iap and oidc: for whom they are
	UserClaim   string         // of iap and oidc: the claim that names the user; default email or sub
	GroupsClaim string         // of iap and oidc: the claim that names their groups; default hd or groups
	Google      string         // of iap: who signs in place of Google, with its keys at that URL; for tests
}

// modes holds the modes: their names, whether they can tell who belongs to a group, and how
// they are set up.
var modes = []struct {
	name   string
	groups bool
	open   func(Config) (Mode, error)
}{
	{"local", true, func(Config) (Mode, error) { return Local{}, nil }},
	{"none", false, func(Config) (Mode, error) { return None{}, nil }},
	{"header", true, func(c Config) (Mode, error) { return Header{Trusted: c.Trusted}, nil }},
	{"iap", true, newIAP},
	{"oidc", true, newOIDC},
}

// Names returns the names of the modes.
func Names() (names []string) {
	for _, m := range modes {
		names = append(names, m.name)
	}
	return names
}

// New returns the mode of a name. It makes no call. The error is [fault.Usage].
func New(name string, c Config) (Mode, error) {
	for _, m := range modes {
		if m.name == name {
			return m.open(c)
		}
	}
	return nil, fault.New(fault.Usage, "auth.New", "no mode of authentication is called %q; want one of %s", name, strings.Join(Names(), ", "))
}

// KnowsGroups reports whether a mode can tell who belongs to a group. Where none can, nobody
// sees the archives that are for groups.
func KnowsGroups(name string) bool {
	for _, m := range modes {
		if m.name == name {
			return m.groups
		}
	}
	return false
}
