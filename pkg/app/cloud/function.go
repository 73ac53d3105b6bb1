package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Function is one of the functions: a handler that sets itself up at its first request,
// because an instance that nobody asks yet shall start fast. What could not be set up for
// want of credentials is tried again at the next request.
type Function struct {
	name     string
	settings *Settings
	missing  error // why there are no settings
	open     func(context.Context, *Parts) (http.Handler, error)
	log      *slog.Logger

	mu      sync.Mutex
	handler http.Handler
}

// New returns the function of a name, which open makes of its parts. The error, if this
// process is to run that function in the cloud or against emulators, is that of
// [FromEnvironment]; in any other process a function that lacks settings says so to who asks.
func New(name string, open func(context.Context, *Parts) (http.Handler, error)) (*Function, error) {
	f := &Function{name: name, open: open, log: Logger(os.Stderr).With("function", name)}
	f.settings, f.missing = FromEnvironment(context.Background(), name, envconfig.OsLookuper())
	if os.Getenv("FUNCTION_TARGET") == name && Configured() {
		return f, f.missing
	}
	return f, nil
}

// Configured reports whether this process is to run in the cloud or against emulators.
func Configured() bool { return os.Getenv("K_SERVICE") != "" || os.Getenv("SELTZER_PROJECT") != "" }

// ServeHTTP implements [http.Handler].
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := f.ready()
	if err != nil {
		f.log.ErrorContext(r.Context(), "not set up", "error", err)
		http.Error(w, "ServiceUnavailable: the function "+f.name+" is not set up: "+fault.Plain(err), http.StatusServiceUnavailable)
		return
	}
	h.ServeHTTP(w, r)
}

func (f *Function) ready() (http.Handler, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handler != nil || f.missing != nil {
		return f.handler, f.missing
	}
	parts := &Parts{Settings: f.settings, Log: f.log}
	h, err := f.open(context.Background(), parts) // of the process, not of the first request
	if err != nil {
		return nil, errors.Join(err, parts.Close())
	}
	f.handler = h
	return h, nil
}

// Logger writes lines as Cloud Logging reads them. Source: Google Cloud, "Structured
// logging", https://cloud.google.com/logging/docs/structured-logging.
func Logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.MessageKey:
			a.Key = "message"
		case a.Key == slog.LevelKey:
			severity := a.Value.String()
			if severity == slog.LevelWarn.String() {
				severity = "WARNING"
			}
			return slog.String("severity", severity)
		case a.Value.Kind() == slog.KindAny:
			if err, ok := a.Value.Any().(error); ok {
				return slog.String(a.Key, fmt.Sprint(err))
			}
		}
		return a
	}}))
}
