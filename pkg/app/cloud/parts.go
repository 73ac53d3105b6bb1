package cloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/api/idtoken"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/auth/accounts"
	"github.com/seltzer-soda/seltzer/pkg/breaker"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/queue/pubsubqueue"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/observed"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Times of one try of a call.
const (
	publishTime = 2 * time.Second // a job is durable before it is published, and somebody waits
	callTime    = 5 * time.Second // of another function
	callTries   = 3
)

// Parts opens the parts of one function, each when it is asked for, and closes them
// together.
type Parts struct {
	*Settings
	Log      *slog.Logger
	function string
	recorder *telemetry.Recorder
	closers  []func() error
}

// Telemetry opens what records traces and metrics.
func (p *Parts) Telemetry(ctx context.Context) (*telemetry.Recorder, error) {
	r, err := collector{p.TelemetryURL, p.Project, p.Region, p.function, p.TraceRatio, p.Insecure}.open(ctx)
	if err != nil {
		return nil, err
	}
	p.recorder = r
	p.Keep(func() error { return r.Close(context.WithoutCancel(ctx)) })
	return r, nil
}

// Keep has what was opened closed with the other parts.
func (p *Parts) Keep(closer func() error) { p.closers = append(p.closers, closer) }

// Close closes what was opened.
func (p *Parts) Close() error {
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c())
	}
	p.closers = nil
	return errors.Join(errs...)
}

// Jobs opens the store of jobs.
func (p *Parts) Jobs(ctx context.Context) (jobstore.Store, error) {
	s, err := firestorejobs.Open(ctx, firestorejobs.Config{Project: p.Project, Database: p.Database, Connections: p.WatchConnections})
	if err != nil {
		return nil, err
	}
	p.Keep(s.Close)
	return observed.Jobs(s), nil
}

// Queue opens the queue, behind a breaker.
func (p *Parts) Queue(ctx context.Context) (queue.Publisher, error) {
	q, err := pubsubqueue.Open(ctx, p.Project, map[uws.Class]string{uws.Interactive: p.TopicInteractive, uws.Bulk: p.TopicBulk})
	if err != nil {
		return nil, err
	}
	p.Keep(q.Close)
	return observed.Queue(breaker.New(breaker.Config{Name: "the queue", Time: publishTime, Log: p.Log}).Publisher(q)), nil
}

// Only lets requests of some service accounts through to next.
func (p *Parts) Only(next http.Handler, allowed ...string) (http.Handler, error) {
	if p.Insecure {
		return next, nil
	}
	v, err := p.verifier()
	if err != nil {
		return nil, err
	}
	return v.Only(next, p.Log, allowed...), nil
}

func (p *Parts) verifier() (*accounts.Verifier, error) {
	return accounts.New(accounts.Config{Audience: p.Audience, BehindIAM: p.BehindIAM, Issuer: p.TokenIssuer, KeysURL: p.TokenIssuer})
}

// Mode returns how the function soda knows who is asking.
func (p *Parts) Mode() (auth.Mode, error) {
	if p.Auth != "header" {
		return auth.New(p.Auth, auth.Config{
			Issuer: p.Issuer, Audience: p.UserAudience, UserClaim: p.UserClaim, GroupsClaim: p.GroupsClaim, Google: p.TokenIssuer,
		})
	}
	v, err := p.verifier()
	if err != nil {
		return nil, err
	}
	return accounts.Proxy{Verifier: v, Account: p.ProxyAccount}, nil
}

// Quota returns how much each owner may ask, counted from the store of jobs.
func (p *Parts) Quota(jobs jobstore.Store) *quota.Quota {
	return quota.New(jobs, quota.Limits{Jobs: p.QuotaJobs, Rows: p.QuotaRows, Bytes: p.QuotaBytes, Requests: p.QuotaRequests, Backlog: p.QuotaBacklog})
}

// Client returns a client, behind a breaker, that proves to the function at url which account
// it is. name is what sentences call that function.
func (p *Parts) Client(ctx context.Context, name, url string) (*http.Client, *breaker.Breaker, error) {
	client := &http.Client{Transport: http.DefaultTransport}
	if !p.Insecure {
		var err error
		if client, err = idtoken.NewClient(context.WithoutCancel(ctx), url); err != nil {
			return nil, nil, fault.New(fault.Usage, "cloud.Client", "there are no credentials to call %s with: %w", url, err)
		}
	}
	b := breaker.New(breaker.Config{Name: name, Time: callTime, Tries: callTries, Log: p.Log})
	client.Transport = b.Transport(client.Transport)
	return client, b, nil
}
