package local

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/settings"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
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
		log := slog.New(telemetry.Log(slog.NewJSONHandler(os.Stderr, nil)))
		var from Settings
		if err := settings.Read(ctx, &from, "local", envconfig.OsLookuper()); err != nil {
			return nil, err
		}
		s, err := Open(ctx, Config{Settings: from, Log: log})
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
