package api

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// asking is who sends a request, once that was asked for.
type asking struct {
	once   sync.Once
	caller auth.Caller
	err    error
}

type askingKey struct{}

func withAsking(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), askingKey{}, new(asking)))
}

// caller returns who sends a request, which counts for their quota once. The errors are those
// of the mode, and [fault.Quota].
func (s *server) caller(r *http.Request) (auth.Caller, error) {
	if id := r.PathValue("id"); id != "" {
		telemetry.Job(r.Context(), id)
	}
	a := r.Context().Value(askingKey{}).(*asking)
	a.once.Do(func() {
		a.caller, a.err = s.Auth.Caller(r)
		telemetry.Owner(r.Context(), a.caller.Name)
		if a.err != nil && !errors.Is(a.err, fault.Unauthenticated) {
			return
		}
		name := "name " + a.caller.Name
		if a.caller.Name == "" {
			name = "address " + s.Address.Of(r)
		}
		if err := s.Quota.Request(name); err != nil {
			a.err = err
		}
	})
	return a.caller, a.err
}
