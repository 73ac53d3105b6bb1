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
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/queue/pubsubqueue"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// callTime is for one call of another function.
const callTime = 15 * time.Second

// Parts opens the parts of one function, each when it is asked for, and closes them
// together.
type Parts struct {
	*Settings
	Log     *slog.Logger
	closers []func() error
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
func (p *Parts) Jobs(ctx context.Context) (*firestorejobs.Store, error) {
	s, err := firestorejobs.Open(ctx, firestorejobs.Config{Project: p.Project, Database: p.Database, Connections: p.WatchConnections})
	if err != nil {
		return nil, err
	}
	p.Keep(s.Close)
	return s, nil
}

// Queue opens the queue.
func (p *Parts) Queue(ctx context.Context) (*pubsubqueue.Queue, error) {
	q, err := pubsubqueue.Open(ctx, p.Project, map[uws.Class]string{uws.Interactive: p.TopicInteractive, uws.Bulk: p.TopicBulk})
	if err != nil {
		return nil, err
	}
	p.Keep(q.Close)
	return q, nil
}

// Only lets requests of some service accounts through to next.
func (p *Parts) Only(ctx context.Context, next http.Handler, allowed ...string) (http.Handler, error) {
	if p.Insecure {
		return next, nil
	}
	v, err := p.verifier(ctx)
	if err != nil {
		return nil, err
	}
	return v.Only(next, p.Log, allowed...), nil
}

func (p *Parts) verifier(ctx context.Context) (*accounts.Verifier, error) {
	return accounts.New(ctx, accounts.Config{Audience: p.Audience, BehindIAM: p.BehindIAM, Issuer: p.TokenIssuer, KeysURL: p.TokenIssuer})
}

// Mode returns how the function soda knows who is asking.
func (p *Parts) Mode(ctx context.Context) (auth.Mode, error) {
	if p.Auth == "none" {
		return auth.None{}, nil
	}
	v, err := p.verifier(ctx)
	if err != nil {
		return nil, err
	}
	return accounts.Proxy{Verifier: v, Account: p.ProxyAccount}, nil
}

// Client returns a client that proves to the function at url which account it is.
func (p *Parts) Client(ctx context.Context, url string) (*http.Client, error) {
	if p.Insecure {
		return &http.Client{Timeout: callTime}, nil
	}
	client, err := idtoken.NewClient(context.WithoutCancel(ctx), url)
	if err != nil {
		return nil, fault.New(fault.Usage, "cloud.Client", "there are no credentials to call %s with: %w", url, err)
	}
	client.Timeout = callTime
	return client, nil
}
