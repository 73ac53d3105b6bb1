// Package local is the service on one machine: the three handlers of the functions over
// the embedded backends. SQLite keeps jobs and messages, a folder is the bucket, an HMAC
// signs the URLs of results.
//
// This is the one place that names the embedded backends.
package local

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/archives"
	"github.com/seltzer-soda/seltzer/pkg/app/settings"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/queue/sqlitequeue"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/signer"
	"github.com/seltzer-soda/seltzer/pkg/signing/hmacsigning"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/observed"
	"github.com/seltzer-soda/seltzer/pkg/uws"
	"github.com/seltzer-soda/seltzer/pkg/worker"
)

// Settings are what an operator says. The tags are those of package settings, by which the
// functions are configured when they run on one machine.
type Settings struct {
	Data         string   `env:"SELTZER_DATA" needs:"local" doc:"a folder for jobs, results and the signing key"` // made if it is not there
	PublicURL    string   `env:"SELTZER_PUBLIC_URL" needs:"local" doc:"the URL under which clients reach the service"`
	Archives     []string `env:"SELTZER_ARCHIVES" doc:"NAME=FOLDER or NAME=URL, with commas between"` // none: the demo archive
	Groups       []string `env:"SELTZER_GROUPS" doc:"NAME=GROUP, with commas between: only members of its groups see that archive"`
	Auth         string   `env:"SELTZER_AUTH, default=none" doc:"who may ask"` // one of auth.Names
	Trusted      []string `env:"SELTZER_TRUSTED_PROXIES, default=127.0.0.0/8,::1/128" doc:"addresses of the proxies that mode header believes, and whose X-Forwarded-For is believed"`
	Issuer       string   `env:"SELTZER_ISSUER" doc:"who signs users' tokens in mode oidc"`
	UserAudience string   `env:"SELTZER_USER_AUDIENCE" doc:"whom users' tokens must be for in modes iap and oidc"`
	UserClaim    string   `env:"SELTZER_USER_CLAIM" doc:"the claim of tokens that names the user"`
	GroupsClaim  string   `env:"SELTZER_GROUPS_CLAIM" doc:"the claim of tokens that names the user's groups"`
	Memory       int64    `env:"SELTZER_MEMORY, default=536870912" doc:"bytes for all jobs together"`
	MaxCutout    int64    `env:"SELTZER_MAX_CUTOUT, default=17179869184" doc:"bytes of one cutout"`

	QuotaJobs     int64 `env:"SELTZER_QUOTA_JOBS, default=200" doc:"live jobs of one owner; 0 here and below: any number"`
	QuotaRows     int64 `env:"SELTZER_QUOTA_ROWS, default=1000000" doc:"cutouts of the live jobs of one owner"`
	QuotaBytes    int64 `env:"SELTZER_QUOTA_BYTES, default=214748364800" doc:"results of one owner in 24 hours"`
	QuotaRequests int64 `env:"SELTZER_QUOTA_REQUESTS, default=3000" doc:"requests of one user or address in a minute"`
	QuotaBacklog  int64 `env:"SELTZER_QUOTA_BACKLOG, default=500" doc:"interactive jobs of all owners from which on sync requests are refused"`
}

// Quota returns how much each owner may ask.
func (s *Settings) Quota() quota.Limits {
	return quota.Limits{Jobs: s.QuotaJobs, Rows: s.QuotaRows, Bytes: s.QuotaBytes, Requests: s.QuotaRequests, Backlog: s.QuotaBacklog}
}

// Config is how the service is set up.
type Config struct {
	Settings
	Version string
	Cores   int          // that batches may keep busy; 0: as many threads as run Go code
	Log     *slog.Logger // nil: the default logger
	Limits  api.Limits   // zero: the default limits
	Google  string       // who signs in place of Google, for tests of mode iap; its keys are at that URL
	Traces  string       // the file that gets the traces of all requests; "": none
	Metrics bool         // whether metrics are kept
}

// DemoArchive is the name of the archive that is served when none is configured.
const DemoArchive = "demo"

const (
	resultsPath     = "/results"  // of the signed URLs
	manifestsFolder = "manifests" // in the data folder, with the folders of owners
	sweepPeriod     = 10 * time.Second
	drainTime       = 5 * time.Second // for jobs at work when the service stops; then they are given back
	exampleLimit    = 16              // datasets that Example looks at
)

// Service is the running service. Front serves what clients may reach: the soda handler
// and, under its signed URLs, the bucket. Cutout and Signer are for the service itself.
// Stop makes Front answer those who still wait.
type Service struct {
	Front, Cutout, Signer http.Handler
	Metrics               http.Handler // GET /metrics in Prometheus' form, for operators alone; nil: not kept

	config    Config
	log       *slog.Logger
	db        *sqlitedb.DB
	results   *objects.Bucket
	key       []byte
	archives  *archives.Archives
	indexes   *indexes.Cache
	holdings  *sqliteholdings.Store
	proxies   []netip.Prefix
	stopping  context.Context // ends when the service shall answer who still waits
	Stop      context.CancelFunc
	recorder  *telemetry.Recorder
	queue     *sqlitequeue.Queue
	people    batch.People // who wait for /sync
	manifests objects.Root
	worker    *worker.Worker
}

// Open sets the service up and takes up the jobs of the last run. The error names
// everything that is wrong with the configuration, each as [fault.Usage].
func Open(ctx context.Context, c Config) (_ *Service, err error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Limits == (api.Limits{}) {
		c.Limits = api.DefaultLimits
	}
	s := &Service{config: c, log: c.Log}
	s.stopping, s.Stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	mode, modeErr := s.openAuth()
	base, urlErr := settings.PublicURL(c.PublicURL)
	dataErr := s.openData(ctx)
	archiveErr := s.openArchives(ctx, dataErr == nil)
	telemetryErr := s.openTelemetry()
	var memoryErr error
	if c.Memory < worker.JobMemory {
		memoryErr = fault.New(fault.Usage, "local.Open", "%d bytes of memory are too few for one job; want at least %d", c.Memory, worker.JobMemory)
	}
	if err := errors.Join(urlErr, modeErr, memoryErr, dataErr, archiveErr, telemetryErr); err != nil {
		return nil, err
	}
	return s, s.assemble(ctx, mode, base)
}

func (s *Service) openAuth() (auth.Mode, error) {
	var trusted []netip.Prefix
	var errs []error
	for _, t := range s.config.Trusted {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			errs = append(errs, fault.New(fault.Usage, "local.Open", "%q is no range of addresses; want one such as 10.0.0.0/8", t))
		}
		trusted = append(trusted, p)
	}
	s.proxies = trusted
	c := s.config
	mode, err := auth.New(c.Auth, auth.Config{
		Trusted: trusted, Issuer: c.Issuer, Audience: c.UserAudience, UserClaim: c.UserClaim, GroupsClaim: c.GroupsClaim, Google: c.Google,
	})
	return mode, errors.Join(append(errs, err, settings.Groups(c.Auth, c.Groups))...)
}

// openData opens everything in the data folder.
func (s *Service) openData(ctx context.Context) error {
	if s.config.Data == "" {
		return fault.New(fault.Usage, "local.Open", "no data folder is named; want one for jobs and results")
	}
	if err := os.MkdirAll(s.config.Data, 0o700); err != nil {
		return fault.New(fault.Usage, "local.Open", "the data folder cannot be made: %w", err)
	}
	var err error
	if s.db, err = sqlitedb.Open(filepath.Join(s.config.Data, dataFile)); err != nil {
		return err
	}
	s.key, err = hmacsigning.LoadKey(s.config.Data)
	bucket, bucketErr := objects.OpenBucket(ctx, filepath.Join(s.config.Data, "bucket"))
	s.results = bucket
	folder := filepath.Join(s.config.Data, manifestsFolder)
	folderErr := os.MkdirAll(folder, 0o700)
	if folderErr == nil {
		s.manifests, folderErr = objects.OpenRoot(ctx, folder)
	}
	return errors.Join(err, bucketErr, folderErr)
}

func (s *Service) openArchives(ctx context.Context, data bool) error {
	specs := s.config.Archives
	var examples []string
	if len(specs) == 0 {
		if !data {
			return nil // the demo archive lives in the data folder
		}
		dir := filepath.Join(s.config.Data, "demo")
		if err := demo.Write(ctx, dir); err != nil {
			return err
		}
		specs, examples = []string{DemoArchive + "=" + dir}, demo.Names()
	}
	var err error
	s.archives, err = archives.Open(ctx, archives.Config{Authority: archive.Local, Archives: specs, Groups: s.config.Groups, Examples: examples})
	return err
}

// assemble makes the three handlers, and takes up the jobs of the last run.
func (s *Service) assemble(ctx context.Context, mode auth.Mode, base *url.URL) error {
	public := base.String()
	sign, err := hmacsigning.New(s.key, public+resultsPath)
	if err != nil {
		return err
	}
	// The queue posts to the cutout handler, which publishes to the queue: the handler is
	// bound when both are there.
	var cutout http.Handler
	s.queue, err = sqlitequeue.New(ctx, s.db, sqlitequeue.Config{
		Endpoints:  map[uws.Class]string{uws.Interactive: "http://cutout/", uws.Bulk: "http://cutout/"},
		DeadLetter: "http://cutout/dead-letter",
		Slots:      s.slots(),
		Client: &http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cutout.ServeHTTP(w, r)
		})}},
		AckDeadline: s.config.Limits.MaxExecution + time.Minute, // a job ends by its own limit first
		Grace:       drainTime,
		Logger:      s.log,
	})
	if err != nil {
		return err
	}
	jobs, err := sqlitejobs.New(ctx, s.db, sqlitejobs.WithOutbox(func(ctx context.Context, tx *sqlitedb.Tx, j *uws.Job) error {
		return s.queue.Enqueue(ctx, tx, j.Class, j.ID)
	}))
	if err != nil {
		return err
	}
	if s.holdings, err = sqliteholdings.New(ctx, s.db); err != nil {
		return err
	}
	s.indexes = indexes.New(worker.IndexMemory, holdings.Headers(s.holdings))
	seen, published := observed.Jobs(jobs), observed.Queue(s.queue)
	limits := quota.New(seen, s.config.Quota())
	batches := batch.New(batch.Config{
		Jobs: seen, Queue: published, Archive: s.archives, Results: s.results, Manifests: s.manifests, People: &s.people,
		Finder:  holdings.NewFinder(s.holdings, s.archives),
		Indexes: s.indexes, Quota: limits, Lanes: cmp.Or(s.config.Cores, runtime.GOMAXPROCS(0)), Version: s.config.Version, Log: s.log,
	})
	s.worker, err = worker.New(worker.Config{
		Jobs: seen, Queue: published, Archive: s.archives, Results: s.results,
		Batches: batches, Memory: s.config.Memory, MaxBytes: s.config.MaxCutout, Indexes: s.indexes, Version: s.config.Version, ErrorText: api.ErrorText, Log: s.log,
	})
	if err != nil {
		return err
	}
	cutout = s.recorder.Carry(s.worker.Handler())
	s.Cutout = cutout
	s.Signer = s.recorder.Serve(signer.Handler(seen, sign, s.log))
	soda := api.New(api.Config{
		Jobs: seen, Queue: published, Archive: s.archives, Auth: mode, PublicURL: public, Limits: s.config.Limits, Log: s.log, Indexes: s.indexes,
		Quota: limits, Address: quota.Address{Proxies: s.proxies},
		Batches: api.Batches{Uploads: s.results, Place: filepath.Join(s.config.Data, manifestsFolder)},
		Results: &signer.Client{URL: "http://signer", HTTP: &http.Client{Transport: inProcess{s.Signer}}},
		Checks: []api.Check{
			{Name: "jobs", Run: jobs.Check}, {Name: "queue", Run: s.queue.Check},
			{Name: "results", Run: s.results.Check}, {Name: "archive", Spare: len(s.config.Archives) > 1, Run: s.archives.Check},
		},
	})
	mux := http.NewServeMux()
	mux.Handle(base.Path+"/", http.StripPrefix(base.Path, s.untilStop(s.first(s.recorder.Serve(soda)))))
	mux.Handle(base.Path+resultsPath+"/", s.recorder.Serve(sign.Handler(s.results, api.ErrorText)))
	if base.Path != "" {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusNotFound, fault.NotFound, "the service is at "+public)
		})
	}
	s.Front = mux
	if _, ok := mode.(auth.Local); ok {
		s.Front = onlyHost(base.Host, mux)
	}
	n, err := jobs.Recover(ctx)
	if n > 0 {
		s.log.InfoContext(ctx, "jobs of the last run go on", "jobs", n)
	}
	return err
}

// onlyHost serves requests for the machine itself or the public host. A page of another
// site whose name was made to lead here (DNS rebinding) would else act as the local user.
func onlyHost(public string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if r.Host != public && host != "localhost" && (err != nil || !ip.IsLoopback()) {
			refuse(w, http.StatusMisdirectedRequest, fault.Usage, "this service does not answer for "+host)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, code fault.Code, sentence string) {
	http.Error(w, api.ErrorText(code, sentence), status)
}

// first has batches stand back while somebody waits for an answer of /sync.
func (s *Service) first(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sync" {
			defer s.people.Enter()()
		}
		next.ServeHTTP(w, r)
	})
}

// untilStop ends the waiting of requests when the service stops, so that each is answered.
func (s *Service) untilStop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// slots lets each class use what fits into memory, which bounds both together. Bulk jobs get
// half, so that interactive ones always find room.
func (s *Service) slots() map[uws.Class]int {
	n := int(s.config.Memory / worker.JobMemory)
	return map[uws.Class]int{uws.Interactive: n, uws.Bulk: max(1, n/2)}
}

// Run delivers messages and sweeps until ctx ends, and then waits for jobs at work.
func (s *Service) Run(ctx context.Context) error {
	go s.sweep(ctx)
	var indexing sync.WaitGroup
	indexing.Go(func() { s.keepHoldings(ctx) })
	defer indexing.Wait()
	return s.queue.Run(ctx)
}

func (s *Service) sweep(ctx context.Context) {
	ctx = s.recorder.With(ctx)
	tick := time.NewTicker(sweepPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := s.worker.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the sweep failed", "error", err)
		}
	}
}

// Close lets go of everything. It may be called once Run has returned.
func (s *Service) Close() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.results != nil {
		errs = append(errs, s.results.Close())
	}
	if s.manifests != nil {
		errs = append(errs, s.manifests.Close())
	}
	if s.archives != nil {
		errs = append(errs, s.archives.Close())
	}
	errs = append(errs, s.closeTelemetry())
	return errors.Join(errs...)
}
