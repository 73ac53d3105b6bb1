package cloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
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

	flusher flusher

	mu      sync.Mutex
	handler http.Handler
}

// New returns the function of a name, which open makes of its parts. The error, if this
// process is to run that function in the cloud or against emulators, is that of
// [FromEnvironment]; in any other process a function that lacks settings says so to who asks.
func New(name string, open func(context.Context, *Parts) (http.Handler, error)) (*Function, error) {
	f := &Function{name: name, open: open}
	f.settings, f.missing = FromEnvironment(context.Background(), name, envconfig.OsLookuper())
	f.log = slog.New(telemetry.CloudLog(os.Stderr, f.settings.Project)).With("function", name)
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
	f.flusher.serve(h, w, r)
}

// Stop sends what was recorded and is not sent yet; it is for the end of the process.
func (f *Function) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flusher.recorder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
		defer cancel()
		_ = f.flusher.recorder.Close(ctx) // nobody would hear of it
	}
}

func (f *Function) ready() (http.Handler, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handler != nil || f.missing != nil {
		return f.handler, f.missing
	}
	parts := &Parts{Settings: f.settings, Log: f.log, function: f.name}
	h, err := f.open(context.Background(), parts) // of the process, not of the first request
	if err != nil {
		return nil, errors.Join(err, parts.Close())
	}
	f.flusher.recorder = parts.recorder
	f.handler = h
	return h, nil
}
