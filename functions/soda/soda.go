// Package soda registers the function soda: SODA, UWS and VOSI over HTTP.
package soda

import (
	"context"
	"net/http"

	"github.com/seltzer-soda/seltzer/functions/register"
	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/archives"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/app/settings"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/quota"
	"github.com/seltzer-soda/seltzer/pkg/signer"
)

func init() { register.HTTP(cloud.Soda, open) }

func open(ctx context.Context, p *cloud.Parts) (http.Handler, error) {
	base, err := settings.PublicURL(p.PublicURL)
	if err != nil {
		return nil, err
	}
	recorder, err := p.Telemetry(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := p.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := p.Queue(ctx)
	if err != nil {
		return nil, err
	}
	archive, err := archives.Open(ctx, archives.Config{Authority: p.Authority, Archives: p.Archives, Groups: p.Groups})
	if err != nil {
		return nil, err
	}
	p.Keep(archive.Close)
	mode, err := p.Mode()
	if err != nil {
		return nil, err
	}
	client, signing, err := p.Client(ctx, "the signer", p.SignerURL)
	if err != nil {
		return nil, err
	}
	held, err := firestoreholdings.Open(ctx, firestoreholdings.Config{Project: p.Project, Database: p.Database})
	if err != nil {
		return nil, err
	}
	p.Keep(held.Close)
	var batches api.Batches
	if p.BatchBucket != "" {
		batches.Place = "gs://" + p.BatchBucket
	}
	limits := api.DefaultLimits
	limits.MaxExecution, limits.SyncWait = p.MaxExecution, p.SyncWait
	limits.Waiters = p.WatchConnections * firestorejobs.WatchersPerConnection
	return http.StripPrefix(base.Path, recorder.Serve(api.New(api.Config{
		Jobs: jobs, Queue: queue, Archive: archive, Auth: mode, PublicURL: base.String(), Limits: limits, Log: p.Log,
		Batches: batches, Quota: p.Quota(jobs), Address: quota.Address{Hops: p.ForwardedHops},
		Indexes: indexes.New(api.IndexMemory, holdings.Headers(held)),
		Results: &signer.Client{URL: p.SignerURL, HTTP: client},
		Checks: []api.Check{
			{Name: "jobs", Run: jobs.Check}, {Name: "queue", Spare: true, Run: queue.Check}, {Name: "signer", Spare: true, Run: signing.Check},
			{Name: "archive", Spare: len(p.Archives) > 1, Run: archive.Check},
		},
	}))), nil
}
