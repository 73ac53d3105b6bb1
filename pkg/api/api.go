// Package api is the service's face: SODA's /sync and /async, UWS below /async, and the
// VOSI documents beside them. It is the handler of the soda function.
//
// No byte of a cutout passes through here. A request becomes a job in the store and a
// message in the queue; who waits sleeps on the store's Watch; a result is a redirect to
// a signed URL. The numbers SODA-nn, UWS-nn and so on in tests are those of the project's
// list of the standards' requirements.
//
// Errors of every kind become answers by the one table in errors.go.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/quota"
)

// ResultURLs makes the URLs under which results can be fetched; package signer has the client.
type ResultURLs interface {
	ResultURL(ctx context.Context, caller auth.Caller, job, result string) (string, error)
}

// Limits bounds what one request may take. The zero value stands for [DefaultLimits].
type Limits struct {
	SyncWait     time.Duration // a sync request waits this long for its job
	MaxWait      time.Duration // WAIT blocks at most this long (UWS-62)
	MaxExecution time.Duration // the longest executionDuration, and the default
	Destruction  time.Duration // a job lives this long if nobody says otherwise …
	MaxDestroy   time.Duration // … and at most this long
	SyncLife     time.Duration // a job of /sync lives this long
	Remember     time.Duration // a destroyed job's document is kept this long as ARCHIVED
	Waiters      int           // requests that may wait for a job at once
	List         int           // jobs in one list
}

// DefaultLimits holds the limits of a service that nobody configured.
var DefaultLimits = Limits{
	SyncWait: 50 * time.Second, MaxWait: 20 * time.Second,
	MaxExecution: 10 * time.Minute, Destruction: 7 * 24 * time.Hour, MaxDestroy: 30 * 24 * time.Hour,
	SyncLife: 24 * time.Hour, Remember: 30 * 24 * time.Hour, Waiters: 4000, List: 500,
}

// Config is what the service is made of.
type Config struct {
	Jobs      jobstore.Store
	Queue     queue.Publisher
	Archive   archive.Resolver
	Results   ResultURLs
	Auth      auth.Mode
	PublicURL string // absolute, without a slash at its end; all links begin with it
	Limits    Limits
	Quota     *quota.Quota  // how much each owner may ask; nil: anything
	Address   quota.Address // where callers without a name ask from
	Batches   Batches
	Checks    []Check        // what /availability asks
	Indexes   *indexes.Cache // of what headers say, perhaps shared; nil: one of IndexMemory
	Log       *slog.Logger
}

// IndexMemory is what the service's own cache of headers may take in bytes.
const IndexMemory = 32 << 20

// Check is one part of the service that /availability asks.
type Check struct {
	Name  string
	Spare bool // without it the service is degraded, but not down
	Run   func(context.Context) error
}

type server struct {
	Config
	started time.Time
	waiters chan struct{} // holds one for each request that waits for a job

	mu      sync.Mutex
	checked time.Time // when notes were made
	up      bool
	notes   []string

	exampleMu sync.Mutex
	exampled  time.Time // when known was found
	known     []example
}

// New returns the handler of the soda function.
func New(c Config) http.Handler {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits
	}
	if c.Indexes == nil {
		c.Indexes = indexes.New(IndexMemory, nil)
	}
	if c.Quota == nil {
		c.Quota = quota.New(c.Jobs, quota.Limits{})
	}
	s := &server{Config: c, started: time.Now(), waiters: make(chan struct{}, c.Limits.Waiters)}
	mux := http.NewServeMux()
	for path, methods := range s.resources() {
		mux.Handle(path, s.allow(path, methods))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.NotFound, "api", "nothing is at %.200q; %s/capabilities lists what there is", r.URL.Path, s.PublicURL))
	})
	return s.guard(s.sameOrigin(mux))
}

// resources holds what there is; operations.go says what it is for.
func (s *server) resources() map[string]methods {
	return map[string]methods{
		"/{$}":                                {"GET": s.root},
		"/sync":                               {"GET": s.sync, "POST": s.sync},
		"/async":                              {"GET": s.list, "POST": s.create},
		"/async/{$}":                          {"GET": s.list, "POST": s.create},
		"/async/{id}":                         {"GET": s.job, "POST": s.postJob, "DELETE": s.deleteJob},
		"/async/{id}/phase":                   {"GET": s.phase, "POST": s.postPhase},
		"/async/{id}/executionduration":       {"GET": s.executionDuration, "POST": s.postExecutionDuration},
		"/async/{id}/destruction":             {"GET": s.destruction, "POST": s.postDestruction},
		"/async/{id}/quote":                   {"GET": s.quote},
		"/async/{id}/owner":                   {"GET": s.owner},
		"/async/{id}/error":                   {"GET": s.errorText},
		"/async/{id}/parameters":              {"GET": s.parameters, "POST": s.postParameters},
		"/async/{id}/results":                 {"GET": s.results},
		"/async/{id}/results/{result}":        {"GET": s.result},
		"/async/{id}/results/{result}/{name}": {"GET": s.result},
		"/availability":                       {"GET": s.availability},
		"/capabilities":                       {"GET": s.capabilities},
		"/links":                              {"GET": s.links, "POST": s.links},
		"/examples":                           {"GET": s.examples},
		"/openapi.json":                       {"GET": s.openAPI},
		"/docs":                               {"GET": s.docs},
	}
}

// sameOrigin refuses what other sites' pages make a browser send, where the service knows
// who asks by something that browsers add unasked: a cookie, a network, a machine.
func (s *server) sameOrigin(next http.Handler) http.Handler {
	deny := func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.Forbidden, "api", "a page of another site sent this request; send it from a program, or from a page of this service"))
	}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(deny))
	protected := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.open(r) {
			next.ServeHTTP(w, r)
			return
		}
		// A GET of /sync works, too; a link that the user follows may still lead here.
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			deny(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// publicPaths are documents that are the same for everybody, and never ask who that is.
var publicPaths = []string{"/links", "/examples", "/capabilities", "/availability", "/openapi.json"}

// open reports whether pages of any site may send the request and read the answer: where
// nothing ambient says who asks, a page has no more power than its user gave it. What a user
// serves to themselves is for their eyes alone.
func (s *server) open(r *http.Request) bool {
	_, local := s.Auth.(auth.Local)
	return !s.Auth.Ambient(r) || !local && slices.Contains(publicPaths, r.URL.Path)
}

// methods maps the methods of a resource to what they do.
type methods map[string]func(http.ResponseWriter, *http.Request) error

// allow serves a resource, answers HEAD like GET except where GET works for its answer, and
// other methods with 405.
func (s *server) allow(path string, m methods) http.Handler {
	names := slices.Sorted(maps.Keys(m))
	head := path != "/sync"
	if head {
		names = append(names, "HEAD")
	}
	allowed := strings.Join(append(names, "OPTIONS"), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead && head {
			method = http.MethodGet
		}
		serve, ok := m[method]
		switch {
		case ok:
			if err := serve(w, withAsking(r)); err != nil {
				s.fail(w, r, err)
			}
		case method == http.MethodOptions:
			w.Header().Set("Allow", allowed)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allowed)
			sayError(w, r, http.StatusMethodNotAllowed, fault.Usage, fmt.Sprintf("%s is not allowed here; %s are", r.Method, allowed))
		}
	})
}

// guard sets the headers of every answer, and turns a panic into an answer and a log line.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if s.open(r) {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Expose-Headers", "Content-Disposition, Content-Length, ETag, Location, Retry-After, "+IgnoredHeader)
		}
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				s.fail(w, r, fault.New(fault.Internal, "api", "panic: %v\n%s", p, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) listURL() string { return s.PublicURL + "/async" }

// seeJob redirects to a job, as every change of one is answered.
func (s *server) seeJob(w http.ResponseWriter, id string) error {
	return see(w, s.listURL()+"/"+id)
}

// see answers 303 with an absolute Location: UWS knows no other answer to a POST.
func see(w http.ResponseWriter, url string) error {
	w.Header().Set("Location", url)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (s *server) root(w http.ResponseWriter, _ *http.Request) error {
	text(w, http.StatusOK, fmt.Sprintf(`Seltzer, an image cutout service (IVOA SODA 1.0)

%[1]s/sync?ID=…&CIRCLE=ra dec radius   one cutout, now
%[1]s/async                            jobs (IVOA UWS 1.1)
%[1]s/links?ID=…                       what there is of a dataset (IVOA DataLink 1.1)
%[1]s/capabilities                     what the service can do
%[1]s/availability                     whether it is up
%[1]s/examples                         requests that work (IVOA DALI)
%[1]s/docs                             all of it for people, and /openapi.json for programs
`, s.PublicURL))
	return nil
}
