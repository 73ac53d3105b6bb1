package local

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Function returns the handler of one function over the embedded backends, set up from the
// environment at the first request. A function whose environment lacks something answers
// each request with a sentence that names it.
//
// The process holds the data folder alone, so it runs the whole service and shows the one
// face that choose picks.
func Function(choose func(*Service) http.Handler) http.HandlerFunc {
	open := sync.OnceValues(func() (http.Handler, error) {
		ctx := context.Background() // of the process, not of the first request
		log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
		settings, err := FromEnvironment(ctx, envconfig.OsLookuper())
		if err != nil {
			return nil, err
		}
		s, err := Open(ctx, Config{Settings: settings, Log: log})
		if err != nil {
			return nil, err
		}
		go func() {
			if err := s.Run(ctx); err != nil {
				log.Error("the service stopped", "error", err)
			}
		}()
		return choose(s), nil
	})
	return func(w http.ResponseWriter, r *http.Request) {
		h, err := open()
		if err != nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, api.ErrorText(fault.Unavailable, "the function is not set up: "+fault.Plain(err)))
			return
		}
		h.ServeHTTP(w, r)
	}
}

// FromEnvironment reads the settings. The error is [fault.Usage] and names every variable
// that is missing or cannot be read.
func FromEnvironment(ctx context.Context, variables envconfig.Lookuper) (Settings, error) {
	var s Settings
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &s, Lookuper: variables}); err != nil {
		return s, fault.New(fault.Usage, "local.FromEnvironment", "the environment cannot be read: %w", err)
	}
	var missing []string
	if s.Data == "" {
		missing = append(missing, "SELTZER_DATA (a folder for jobs and results)")
	}
	if s.PublicURL == "" {
		missing = append(missing, "SELTZER_PUBLIC_URL (the URL under which clients reach the service)")
	}
	if len(missing) > 0 {
		return s, fault.New(fault.Usage, "local.FromEnvironment", "set %s", strings.Join(missing, " and "))
	}
	return s, nil
}
