// Package register registers functions with the framework that runs them.
package register

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// drainTime is for requests on their way when the platform stops an instance; it waits for
// 10 seconds.
const drainTime = 8 * time.Second

// HTTP registers a function. A process that is to run it and lacks settings ends at once,
// with a line for each.
func HTTP(name string, open func(context.Context, *cloud.Parts) (http.Handler, error)) {
	f, err := cloud.New(name, open)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s cannot start:\n%s\n", name, fault.Plain(err))
		os.Exit(1)
	}
	functions.HTTP(name, untilStopped(f, f.Stop).ServeHTTP)
}

// untilStopped ends the contexts of requests when the platform stops the instance, so that
// workers give their jobs back, and then the process. The platform's signal would else end
// them in the middle, and their jobs would wait for their leases to run out. What comes
// after the signal is refused: another instance takes it. goodbye is called at the end.
func untilStopped(next http.Handler, goodbye func()) http.Handler {
	var working sync.RWMutex // held for reading by each request
	stopping := sync.OnceValue(func() context.Context {
		stopping, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		context.AfterFunc(stopping, func() {
			time.AfterFunc(drainTime, func() { os.Exit(0) })
			working.Lock()
			goodbye()
			os.Exit(0)
		})
		return stopping
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop := stopping()
		if stop.Err() != nil || !working.TryRLock() {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			http.Error(w, "ServiceUnavailable: this instance is stopping; ask again", http.StatusServiceUnavailable)
			return
		}
		defer working.RUnlock()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(stop, cancel)()
		a := &answer{ResponseWriter: w}
		next.ServeHTTP(a, r.WithContext(ctx))
		a.send()
	})
}
