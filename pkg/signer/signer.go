// Package signer signs the URLs of results, and nothing else: the HTTP handler of the one
// function that holds signing rights, and the client by which the soda function calls it.
//
// A caller names a job and a result, never an object. The signer reads the job from the
// store, checks that it belongs to who is asking and names that result, and signs the
// object that the job names. Who is asking it believes from the soda function, the only one
// that may call it. So a soda function that was taken over can read results, but no other
// object of any bucket.
package signer

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// Path is where the handler takes requests.
const Path = "/sign"

const maxBody = 16 << 10

type request struct {
	Job    string      `json:"job"`
	Result string      `json:"result"`
	Caller auth.Caller `json:"caller"`
}

type response struct {
	URL      string     `json:"url,omitempty"`
	Code     fault.Code `json:"code,omitempty"`
	Sentence string     `json:"sentence,omitempty"`
}

// Handler returns the handler of the signer function.
func Handler(jobs jobstore.Store, sign signing.Signer, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		url, err := resultURL(r, jobs, sign)
		if err != nil {
			log.InfoContext(r.Context(), "not signed", "error", err)
			w.WriteHeader(status(err))
			_ = json.NewEncoder(w).Encode(response{Code: fault.CodeOf(err), Sentence: fault.Sentence(err)})
			return
		}
		_ = json.NewEncoder(w).Encode(response{URL: url})
	})
	return mux
}

func status(err error) int {
	if fault.CodeOf(err) == fault.Unavailable {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

func resultURL(r *http.Request, jobs jobstore.Store, sign signing.Signer) (string, error) {
	var in request
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&in); err != nil {
		return "", fault.New(fault.Usage, "signer.Handler", "the body is no JSON of a job and a result: %w", err)
	}
	j, err := jobs.Get(r.Context(), in.Job)
	if err != nil {
		return "", err
	}
	if j.Deleted {
		return "", fault.New(fault.NotFound, "signer.Handler", "no such job")
	}
	telemetry.Job(r.Context(), j.ID)
	telemetry.Owner(r.Context(), j.Owner)
	if err := in.Caller.May(j); err != nil {
		return "", err
	}
	for _, result := range j.Results {
		if result.ID == in.Result {
			return sign.SignedURL(r.Context(), signing.Request{
				Object: result.Object, Method: http.MethodGet, Expiry: signing.Expiry, Name: result.Name, MIME: result.MIME,
			})
		}
	}
	return "", fault.New(fault.NotFound, "signer.Handler", "the job has no result %q", in.Result)
}

// Client calls the signer function.
type Client struct {
	URL  string // of the function, without [Path]
	HTTP *http.Client
}

// ResultURL returns a URL under which caller can fetch a result for [signing.Expiry].
// Errors are those of the handler: [fault.NotFound], [fault.Forbidden], [fault.Unavailable].
func (c *Client) ResultURL(ctx context.Context, caller auth.Caller, job, result string) (_ string, err error) {
	ctx, span := telemetry.Wait(ctx, "signer")
	defer func() { span.End(err) }()
	body, err := json.Marshal(request{Job: job, Result: result, Caller: caller})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+Path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	if trace := telemetry.Parent(ctx); trace != "" {
		r.Header.Set(telemetry.ParentKey, trace)
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "signer.ResultURL", "the signer does not answer; ask again later")
	}
	defer answer.Body.Close()
	var out response
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxBody)).Decode(&out); err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "signer.ResultURL", "the signer answered %s and no JSON", answer.Status)
	}
	if out.URL == "" {
		return "", fault.New(out.Code, "signer.ResultURL", "%s", out.Sentence)
	}
	return out.URL, nil
}
