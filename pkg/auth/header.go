package auth

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// The headers in which a proxy says who is asking, and to which groups they belong, with
// commas between; oauth2-proxy and others name them so.
const (
	UserHeader   = "X-Auth-Request-User"
	GroupsHeader = "X-Auth-Request-Groups"
)

// Header is a service behind a proxy that authenticates, and says who it is in [UserHeader]
// and [GroupsHeader]. They are believed only from the proxy's addresses. The proxy must not
// let those of its clients through.
type Header struct{ Trusted []netip.Prefix }

// Caller implements [Mode].
func (m Header) Caller(r *http.Request) (Caller, error) {
	if !m.trusts(r.RemoteAddr) {
		return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "the service takes requests only through its proxy; ask at the public address")
	}
	return FromHeader(r)
}

// FromHeader returns the user whom a proxy that is trusted names. The error is
// [fault.Unauthenticated].
func FromHeader(r *http.Request) (Caller, error) {
	names, groups := r.Header.Values(UserHeader), r.Header.Values(GroupsHeader)
	if len(names) == 1 && len(groups) <= 1 { // of two, one may have been smuggled in
		if c, ok := named(names[0], strings.Split(strings.Join(groups, ""), ",")); ok {
			return c, nil
		}
	}
	return Caller{}, fault.New(fault.Unauthenticated, "auth.Caller", "log in first: the proxy named no user in %s", UserHeader)
}

// Ambient implements [Mode]: proxies know browsers by cookies.
func (Header) Ambient(*http.Request) bool { return true }

// Challenges implements [Mode].
func (Header) Challenges(*http.Request) []string { return []string{bearer} }

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
