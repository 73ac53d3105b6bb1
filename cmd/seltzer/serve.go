package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

type serve struct {
	Listen      string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (${default}). Port 0 takes a free one."`
	Data        string   `default:"seltzer-data" type:"path" placeholder:"DIR" help:"Folder for jobs, results and the signing key; made if it is not there (./seltzer-data)."`
	Archive     []string `placeholder:"NAME=DIR|URL" sep:"none" help:"Serve the FITS files of a folder or URL: DIR/sub/x.fits has the ID ivo://localhost/NAME?sub/x.fits. Repeatable. Without it a demo archive is made and served."`
	PublicURL   string   `placeholder:"URL" help:"URL under which clients reach the service, if that is not the address it listens on. All links begin with it."`
	Groups      []string `placeholder:"NAME=GROUP" sep:"none" help:"Show the archive NAME to members of GROUP alone; to others its IDs are unknown. Repeatable."`
	Auth        string   `default:"" placeholder:"MODE" help:"Who may ask. local: one user, who sees everything (the default on a loopback address). none: public; a job is reached by its id. header: the user that a proxy names in X-Auth-Request-User, with their groups in X-Auth-Request-Groups. oidc: users send a token as Authorization: Bearer, or as a password. iap: behind Google's Identity-Aware Proxy."`
	Trust       []string `default:"127.0.0.0/8,::1/128" placeholder:"CIDR" help:"Addresses of the proxies that --auth header believes, and whose X-Forwarded-For says where requests come from (${default})."`
	Issuer      string   `placeholder:"URL" help:"Who signs users' tokens, for --auth oidc: its keys are found by URL/.well-known/openid-configuration."`
	Audience    string   `placeholder:"NAME" help:"Whom users' tokens must be for, for --auth oidc and iap: the client's id there, mostly."`
	UserClaim   string   `placeholder:"CLAIM" help:"The claim of tokens that names the user (sub; with --auth iap email)."`
	GroupsClaim string   `placeholder:"CLAIM" help:"The claim of tokens that names the user's groups (groups; with --auth iap hd)."`
	Memory      int64    `default:"512" placeholder:"MIB" help:"Memory in MiB that all jobs together may use (${default})."`
	MaxCutout   int64    `default:"16384" placeholder:"MIB" help:"Size in MiB of the largest cutout (${default})."`
	Trace       string   `placeholder:"FILE" type:"path" help:"Append the traces of all requests to a file, for seltzer trace."`
	Metrics     string   `placeholder:"[HOST]:PORT" help:"Serve metrics at /metrics of another address, in Prometheus' form. Without a HOST this machine alone reaches it."`
	Verbose     bool     `short:"v" help:"Log more."`

	Quota quotaFlags `embed:"" prefix:"quota-" group:"How much one owner may ask, 0 for anything (with --auth local no limit holds that is not given; all who do not log in are one owner, who may have ten times as much)"`
}

// quotaFlags are nil where they are not given.
type quotaFlags struct {
	Jobs     *int64 `placeholder:"N" help:"Jobs that have not ended (200)."`
	Rows     *int64 `placeholder:"N" help:"Cutouts of the jobs that have not ended (1000000)."`
	Bytes    *int64 `placeholder:"MIB" help:"MiB of results in 24 hours (204800)."`
	Requests *int64 `placeholder:"N" help:"Requests in a minute, of a user or an address (3000)."`
}

// limits returns what is given, and else what suits who may ask.
func (q quotaFlags) limits(auth string) (quota.Limits, error) {
	l := quota.Defaults
	if auth == "local" {
		l = quota.Limits{}
	}
	var errs []error
	for _, f := range []struct {
		name  string
		given *int64
		limit *int64
		unit  int64
	}{{"jobs", q.Jobs, &l.Jobs, 1}, {"rows", q.Rows, &l.Rows, 1}, {"bytes", q.Bytes, &l.Bytes, 1 << 20}, {"requests", q.Requests, &l.Requests, 1}} {
		switch {
		case f.given == nil:
		case *f.given < 0 || *f.given > 1<<30:
			errs = append(errs, fault.New(fault.Usage, "", "--quota-%s %d: want 0 to %d", f.name, *f.given, 1<<30))
		default:
			*f.limit = *f.given * f.unit
		}
	}
	return l, errors.Join(errs...)
}

// Help is what seltzer serve --help adds.
func (serve) Help() string {
	return `Everything runs in this one process: the SODA endpoint (/sync and /async), the worker and
the store of results. Jobs survive a crash: what was acknowledged goes on at the next start.

    seltzer serve
    seltzer serve --archive real=/data/fits --archive dss=https://example.org/dss/
    seltzer serve --listen 0.0.0.0:8080 --public-url https://cutouts.example.org --auth header
    seltzer serve --archive dr1=/data/dr1 --archive new=/data/new --groups new=team --auth oidc --issuer https://login.example.org --audience seltzer`
}

// patience is how long a server waits for those who talk to it.
type patience struct{ header, read, write, idle time.Duration }

// strangers is the patience with whoever comes. Sync requests wait for their cutout and WAIT
// blocks, so the time to write an answer is longer than any of them; results move theirs on
// while bytes flow.
var strangers = patience{header: 10 * time.Second, read: 30 * time.Second, write: 2 * time.Minute, idle: 2 * time.Minute}

const (
	maxHeader   = 64 << 10
	goodbyeTime = 8 * time.Second // platforms give a process 10 s
)

// server returns the server of a handler.
func (p patience) server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: p.header, ReadTimeout: p.read, WriteTimeout: p.write, IdleTimeout: p.idle, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Run serves until the process is told to stop.
func (c *serve) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	listener, listenErr := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if listenErr != nil {
		listenErr = fault.New(fault.Usage, "", "cannot listen on %q: %w; choose another address with --listen", c.Listen, listenErr)
	} else {
		defer listener.Close()
	}
	modeErr := c.chooseAuth(listener)
	address := "http://" + c.Listen
	if listener != nil {
		address = "http://" + reachable(listener.Addr())
	}
	c.PublicURL = strings.TrimRight(cmp.Or(c.PublicURL, address), "/")
	limits, quotaErr := c.Quota.limits(c.Auth)
	memoryErr := errors.Join(mebibytes("memory", &c.Memory), mebibytes("max-cutout", &c.MaxCutout))
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(telemetry.Log(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level})))
	metrics, metricsErr := c.listenMetrics(ctx)
	if metrics != nil {
		defer metrics.Close()
	}
	service, openErr := local.Open(ctx, local.Config{
		Settings: local.Settings{
			Data: c.Data, PublicURL: c.PublicURL, Archives: c.Archive, Groups: c.Groups, Auth: c.Auth, Trusted: c.Trust,
			Issuer: c.Issuer, UserAudience: c.Audience, UserClaim: c.UserClaim, GroupsClaim: c.GroupsClaim,
			Memory: c.Memory, MaxCutout: c.MaxCutout,
			QuotaJobs: limits.Jobs, QuotaRows: limits.Rows, QuotaBytes: limits.Bytes, QuotaRequests: limits.Requests, QuotaBacklog: limits.Backlog,
		},
		Version: version(), Cores: leaveRoom(), Log: log, Traces: c.Trace, Metrics: metrics != nil,
	})
	if service != nil {
		defer service.Close()
	}
	if err := errors.Join(listenErr, modeErr, memoryErr, metricsErr, quotaErr, openErr); err != nil {
		return err
	}
	if metrics != nil {
		server := strangers.server(service.Metrics, log)
		go func() { _ = server.Serve(metrics) }() // until the process ends
		fmt.Fprintf(s.err, "metrics on http://%s/metrics\n", reachable(metrics.Addr()))
	}
	return c.serve(ctx, stop, listener, service, log, s.err)
}

// listenMetrics listens on the address of the metrics; it returns nil if none is given.
func (c *serve) listenMetrics(ctx context.Context) (net.Listener, error) {
	if c.Metrics == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(c.Metrics)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "--metrics %q is no address: want [HOST]:PORT, such as :9464", c.Metrics)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port))
	if err != nil {
		return nil, fault.New(fault.Usage, "", "cannot listen on %q: %w; choose another address with --metrics", c.Metrics, err)
	}
	return l, nil
}

// spare is how many threads may run Go code besides one for each core. A batch keeps all cores
// busy, and the runtime looks for what the network brings where a thread is idle, else every
// 10 ms: with spare threads a request is seen at once, and the system gives it its share.
const spare = 2

// leaveRoom returns the number of cores, and lets spare threads run unless GOMAXPROCS says how
// many shall.
func leaveRoom() (cores int) {
	cores = runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(cores + spare)
	}
	return cores
}

// mebibytes turns a flag in MiB into bytes.
func mebibytes(flag string, n *int64) error {
	if *n < 1 || *n > 1<<30 {
		return fault.New(fault.Usage, "", "--%s %d: want MiB, 1 to %d", flag, *n, 1<<30)
	}
	*n <<= 20
	return nil
}

// chooseAuth chooses the mode if none is given. A public address needs a choice of its
// owner: local would let everybody see everything.
func (c *serve) chooseAuth(l net.Listener) error {
	loopback := l == nil || isLoopback(l.Addr())
	switch {
	case c.Auth == "" && loopback:
		c.Auth = "local"
	case c.Auth == "":
		c.Auth = "none" // so that the other errors can be found too
		return fault.New(fault.Usage, "", "%s can be reached from other machines: say with --auth who may ask (%s)", c.Listen, strings.Join(auth.Names(), ", "))
	case c.Auth == "local" && !loopback:
		return fault.New(fault.Usage, "", "--auth local shows every job to everybody who reaches %s; want another mode, or a loopback address", c.Listen)
	}
	return nil
}

func isLoopback(a net.Addr) bool {
	p, err := netip.ParseAddrPort(a.String())
	return err == nil && p.Addr().Unmap().IsLoopback()
}

// reachable writes an address as a client on this machine can use it.
func reachable(a net.Addr) string {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil || !p.Addr().IsUnspecified() {
		return a.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), p.Port()).String()
}

// serve serves until ctx ends, and then answers who waits, lets jobs at work end, and goes. A
// second signal ends the process at once.
func (c *serve) serve(ctx context.Context, stop context.CancelFunc, listener net.Listener, service *local.Service, log *slog.Logger, stderr io.Writer) error {
	server := strangers.server(service.Front, log)
	worked := make(chan error, 1)
	go func() { worked <- service.Run(ctx) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stderr, "listening on http://%s\n", reachable(listener.Addr()))
	if e, ok := service.Example(ctx); ok {
		fmt.Fprintf(stderr, "try: %s\n", e.Curl(c.PublicURL))
	} else {
		fmt.Fprintln(stderr, "no example to try: the archives list no image of the sky that can be cut")
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-worked:
		worked <- nil
	}
	stop()
	service.Stop()
	goodbye, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if shutErr := server.Shutdown(goodbye); shutErr != nil {
		_ = server.Close() // clients that still wait are cut off; their jobs are kept
	}
	return errors.Join(err, <-worked)
}
