package quota

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// rates holds the rates of the callers who asked last.
type rates struct {
	limit int64 // in a minute
	mu    sync.Mutex
	known *simplelru.LRU[string, *rate.Limiter]
}

func newRates(limit int64) rates {
	known, _ := simplelru.NewLRU[string, *rate.Limiter](owners, nil) // no error: the number is positive
	return rates{limit: limit, known: known}
}

func (r *rates) of(caller string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.known.Get(caller)
	if !ok {
		l = rate.NewLimiter(rate.Limit(float64(r.limit)/60), int(r.limit))
		r.known.Add(caller, l)
	}
	return l
}

// Request counts one request of a caller, by a name or an [Address]. A minute's worth may
// come at once.
func (q *Quota) Request(caller string) error {
	if q.Requests <= 0 {
		return nil
	}
	now := q.clock()
	next := q.rates.of(caller).ReserveN(now, 1)
	wait := next.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	next.CancelAt(now) // what is refused does not count
	return over(wait, "you have sent %d requests in a minute and may send %[1]d; the next one may come in %v", q.Requests, max(wait.Round(time.Second), time.Second))
}

// Address says from where a request comes, behind proxies that write X-Forwarded-For.
type Address struct {
	Hops    int            // entries at the end of X-Forwarded-For that are the platform's own, if it always writes them; 0: it does not
	Proxies []netip.Prefix // addresses of proxies whose word is taken
}

// Of returns the address of who sent r, as far as it is known: what a client may have
// written itself is not believed. An address of IPv6 stands for its network of /64.
func (a Address) Of(r *http.Request) string {
	at := parse(r.RemoteAddr)
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if a.Hops > 0 {
		if n := len(said) - a.Hops; n >= 0 {
			if forwarded := parse(said[n]); forwarded.IsValid() {
				at = forwarded
			}
		}
		return network(at)
	}
	for i := len(said) - 1; i >= 0 && a.trusts(at); i-- {
		forwarded := parse(said[i])
		if !forwarded.IsValid() {
			break
		}
		at = forwarded
	}
	return network(at)
}

func (a Address) trusts(at netip.Addr) bool {
	for _, p := range a.Proxies {
		if p.Contains(at) {
			return true
		}
	}
	return false
}

// parse reads an address with or without a port.
func parse(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if p, err := netip.ParseAddrPort(text); err == nil {
		return p.Addr().Unmap().WithZone("")
	}
	at, _ := netip.ParseAddr(text) // else not valid
	return at.Unmap().WithZone("")
}

func network(at netip.Addr) string {
	if at.Is6() {
		p, _ := at.Prefix(64) // no error: it has as many bits
		return p.String()
	}
	return at.String()
}
