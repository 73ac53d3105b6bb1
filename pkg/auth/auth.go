// Package auth says who is asking. A mode reads it from a request; the owner rules of
// UWS 1.1 (section 3) follow from the [Caller].
//
// To add a mode: write a type with the one method of [Mode] in a file of its own, and
// name it in [New].
package auth

import (
	"net/http"
	"net/netip"
	"strings"

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

// Mode reads from a request who is asking.
type Mode interface {
	// Caller returns who is asking. The error is [fault.Unauthenticated] if the mode
	// wants to know and cannot tell.
	Caller(r *http.Request) (Caller, error)
}

// Names holds the names of the modes that [New] knows.
var Names = []string{"local", "none", "header"}

// New returns the mode of a name. trusted is used by header alone: the addresses of the
// proxies that it believes. The error is [fault.Usage].
func New(name string, trusted []netip.Prefix) (Mode, error) {
	switch name {
	case "local":
		return Local{}, nil
	case "none":
		return None{}, nil
	case "header":
		return Header{Trusted: trusted}, nil
	}
	return nil, fault.New(fault.Usage, "auth.New", "no mode of authentication is called %q; want one of %s", name, strings.Join(Names, ", "))
}

// Local is one user at their own machine, who sees everything.
type Local struct{}

// Caller returns the one user.
func (Local) Caller(*http.Request) (Caller, error) { return Caller{Name: "local", All: true}, nil }

// None is a public service: everybody is anonymous.
type None struct{}

// Caller returns the anonymous caller.
func (None) Caller(*http.Request) (Caller, error) { return Caller{}, nil }

// UserHeader is the header in which a proxy says who is asking.
const UserHeader = "X-Auth-Request-User"

// Header is a service behind a proxy that authenticates, and says who it is in
// [UserHeader]. The header is believed only from the proxy's addresses.
type Header struct{ Trusted []netip.Prefix }

// Caller returns the user that the proxy names.
func (m Header) Caller(r *http.Request) (Caller, error) {
	if !m.trusts(r.RemoteAddr) {
		return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "the service takes requests only through its proxy; ask at the public address")
	}
	return FromHeader(r)
}

// FromHeader returns the user whom a proxy that is trusted names in [UserHeader]. The error
// is [fault.Unauthenticated].
func FromHeader(r *http.Request) (Caller, error) {
	names := r.Header.Values(UserHeader)
	if len(names) != 1 || strings.TrimSpace(names[0]) == "" || len(names[0]) > 256 {
		return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "log in first: the proxy named no user in %s", UserHeader)
	}
	return Caller{Name: strings.TrimSpace(names[0])}, nil
}

func (m Header) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap()
	for _, p := range m.Trusted {
		if p.Contains(address) {
			return true
		}
	}
	return false
}
