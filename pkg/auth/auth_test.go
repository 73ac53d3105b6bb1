package auth

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func TestHeaderIsBelievedOnlyFromTheProxy(t *testing.T) {
	mode, err := New("header", Config{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, remote string
		users        []string
		want         string // "" is fault.Unauthenticated
	}{
		{"from the proxy", "127.0.0.1:40000", []string{"alice"}, "alice"},
		{"from the proxy over IPv6", "[::1]:40000", []string{"alice"}, "alice"},
		{"IPv4 mapped into IPv6", "[::ffff:127.0.0.1]:40000", []string{"alice"}, "alice"},
		{"from a stranger", "10.1.2.3:40000", []string{"alice"}, ""},
		{"nobody", "127.0.0.1:40000", nil, ""},
		{"blank", "127.0.0.1:40000", []string{" "}, ""},
		{"two users: one of them was smuggled in", "127.0.0.1:40000", []string{"mallory", "alice"}, ""},
		{"no address", "", []string{"alice"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/async", nil)
			r.RemoteAddr = tt.remote
			for _, u := range tt.users {
				r.Header.Add(UserHeader, u)
			}
			got, err := mode.Caller(r)
			if got.Name != tt.want || (tt.want == "") != errors.Is(err, fault.Unauthenticated) {
				t.Errorf("Caller() = %+v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestOwnerRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		caller Caller
		owner  string
		may    bool
		lists  bool
	}{
		{"the owner", Caller{Name: "alice"}, "alice", true, true},
		{"somebody else", Caller{Name: "bob"}, "alice", false, true},
		{"anonymous, of an anonymous job", Caller{}, "", true, false},
		{"anonymous, of an owned job", Caller{}, "alice", false, false},
		{"logged in, of an anonymous job", Caller{Name: "bob"}, "", false, true},
		{"the one local user", Caller{Name: "local", All: true}, "alice", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.caller.May(&uws.Job{Owner: tt.owner}); (err == nil) != tt.may || (err != nil && !errors.Is(err, fault.Forbidden)) {
				t.Errorf("May() = %v, want allowed: %t", err, tt.may)
			}
			if got := tt.caller.Lists(); got != tt.lists {
				t.Errorf("Lists() = %t, want %t", got, tt.lists)
			}
		})
	}
}
