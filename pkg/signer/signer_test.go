package signer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// asked remembers what it was asked to sign.
type asked struct{ requests []signing.Request }

func (a *asked) SignedURL(_ context.Context, r signing.Request) (string, error) {
	a.requests = append(a.requests, r)
	return "https://bucket.example.org/" + r.Object + "?signature=x", nil
}

// The signer signs what a job names, for who may see the job, and nothing else.
func TestSignerSignsOnlyWhatJobsName(t *testing.T) {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	jobs, err := sqlitejobs.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	result := uws.Result{ID: "result", Object: "results/j1/1/a.fits", Name: "a.fits", MIME: "application/fits"}
	for _, j := range []*uws.Job{
		{ID: "j1", Owner: "alice", Phase: uws.Completed, Kind: uws.Async, Results: []uws.Result{result}},
		{ID: "gone", Owner: "alice", Phase: uws.Completed, Kind: uws.Async, Results: []uws.Result{result}, Deleted: true},
	} {
		j.Created, j.Destruction = time.Now(), time.Now().Add(time.Hour)
		if err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	var sign asked
	server := httptest.NewServer(Handler(jobs, &sign, slog.New(slog.NewTextHandler(io.Discard, nil))))
	defer server.Close()
	client := &Client{URL: server.URL, HTTP: server.Client()}
	for _, tt := range []struct {
		name        string
		caller      auth.Caller
		job, result string
		code        fault.Code
	}{
		{"the owner", auth.Caller{Name: "alice"}, "j1", "result", ""},
		{"who sees all", auth.Caller{Name: "local", All: true}, "j1", "result", ""},
		{"somebody else", auth.Caller{Name: "bob"}, "j1", "result", fault.Forbidden},
		{"nobody", auth.Caller{}, "j1", "result", fault.Forbidden},
		{"an object instead of a result", auth.Caller{Name: "alice"}, "j1", "results/j1/1/a.fits", fault.NotFound},
		{"a job that is not there", auth.Caller{Name: "alice"}, "j2", "result", fault.NotFound},
		{"a deleted job", auth.Caller{Name: "alice"}, "gone", "result", fault.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sign.requests = nil
			url, err := client.ResultURL(t.Context(), tt.caller, tt.job, tt.result)
			if tt.code != "" {
				if !errors.Is(err, tt.code) || len(sign.requests) != 0 {
					t.Errorf("got %q, %v after %d signatures; want %s and none", url, err, len(sign.requests), tt.code)
				}
				return
			}
			want := signing.Request{Object: result.Object, Method: http.MethodGet, Expiry: signing.Expiry, Name: result.Name, MIME: result.MIME}
			if err != nil || !strings.HasPrefix(url, "https://bucket.example.org/"+result.Object) || len(sign.requests) != 1 || sign.requests[0] != want {
				t.Errorf("got %q, %v for %+v", url, err, sign.requests)
			}
		})
	}
	server.Close()
	if _, err := client.ResultURL(t.Context(), auth.Caller{Name: "alice"}, "j1", "result"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a signer that is down: %v, want %s", err, fault.Unavailable)
	}
}
