// Package signer registers the function signer, which signs the URLs of results.
package signer

import (
	"context"
	"net/http"

	"github.com/seltzer-soda/seltzer/functions/register"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/signer"
	"github.com/seltzer-soda/seltzer/pkg/signing/gcssigning"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/observed"
)

func init() { register.HTTP(cloud.Signer, open) }

func open(ctx context.Context, p *cloud.Parts) (http.Handler, error) {
	recorder, err := p.Telemetry(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := p.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	var by gcssigning.SignBytes
	if p.SigningKey != "" {
		by, _, err = gcssigning.Key(p.SigningKey)
	} else {
		by, err = gcssigning.IAM(ctx, p.SigningAccount)
	}
	if err != nil {
		return nil, err
	}
	sign, err := gcssigning.New(gcssigning.Config{Bucket: p.ResultsBucket, Account: p.SigningAccount, Sign: by, BaseURL: p.StorageURL})
	if err != nil {
		return nil, err
	}
	return p.Only(recorder.Serve(signer.Handler(jobs, observed.Signer(sign), p.Log)), p.SodaAccount)
}
