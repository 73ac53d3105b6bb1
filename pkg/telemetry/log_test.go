package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// inside runs do in the context of a request about a job and its owner.
func inside(t *testing.T, do func(ctx context.Context)) {
	t.Helper()
	r, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sync", nil)
	in.Header.Set("traceparent", parent)
	r.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		telemetry.Job(r.Context(), "j1")
		telemetry.Owner(r.Context(), "ada")
		do(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), in)
}

func TestCloudLog(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(ctx context.Context, log *slog.Logger)
		want map[string]any
	}{
		{"outside of a request", func(_ context.Context, log *slog.Logger) {
			log.Warn("refused", "error", fault.New(fault.Usage, "x.Y", "why"))
		}, map[string]any{"severity": "WARNING", "message": "refused", "function": "soda", "error": "x.Y: why"}},
		{"in a request", func(ctx context.Context, log *slog.Logger) {
			log.InfoContext(ctx, "cut", "bytes", 1)
		}, map[string]any{"severity": "INFO", "message": "cut", "function": "soda", "bytes": 1.0, "job": "j1", "owner": "ada",
			"logging.googleapis.com/trace":  "projects/p/traces/0af7651916cd43dd8448eb211c80319c",
			"logging.googleapis.com/spanId": "b7ad6b7169203331", "logging.googleapis.com/trace_sampled": true}},
		{"about another job", func(ctx context.Context, log *slog.Logger) {
			log.With("job", "j2").ErrorContext(ctx, "lost", "owner", "bob")
		}, map[string]any{"severity": "ERROR", "message": "lost", "function": "soda", "job": "j2", "owner": "bob",
			"logging.googleapis.com/trace":  "projects/p/traces/0af7651916cd43dd8448eb211c80319c",
			"logging.googleapis.com/spanId": "b7ad6b7169203331", "logging.googleapis.com/trace_sampled": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			inside(t, func(ctx context.Context) {
				tt.log(ctx, slog.New(telemetry.CloudLog(&out, "p")).With("function", "soda"))
			})
			var line map[string]any
			if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
				t.Fatal(err)
			}
			delete(line, slog.TimeKey)
			if !maps.Equal(line, tt.want) {
				t.Errorf("the line is\n%v\nwant\n%v", line, tt.want)
			}
		})
	}
}

func TestLogOfOneMachine(t *testing.T) {
	var out strings.Builder
	plain := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})
	inside(t, func(ctx context.Context) {
		log := slog.New(telemetry.Log(plain))
		log.DebugContext(ctx, "not said")
		log.InfoContext(ctx, "completed", "attempt", 1)
	})
	if want := `level=INFO msg=completed attempt=1 job=j1 owner=ada trace=0af7651916cd43dd8448eb211c80319c` + "\n"; !strings.HasSuffix(out.String(), want) || strings.Contains(out.String(), "not said") {
		t.Errorf("%q, want it to end with %q", out.String(), want)
	}
}

// Queries of URLs and tokens are not written down, wherever in a line they stand; what only
// looks a little like them is.
func TestSecretsAreNotLogged(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl-_x"
	signed := "https://storage.googleapis.com/results/a_cutout.fits?X-Goog-Signature=5ec2e7&X-Goog-Expires=900"
	var out strings.Builder
	log := slog.New(telemetry.CloudLog(&out, "p"))
	log.Info("GET "+signed+": refused", "error", &url.Error{Op: "Get", URL: signed, Err: errors.New("no route")})
	log.With("with", signed).Info("x", "header", "Bearer 5ec2e7bearer", "other", "authorization: basic NWVjMmU3OmJhc2lj")
	log.Info("x", "error", errors.Join(errors.New("token "+token), fault.New(fault.Internal, "a", "panic: %s", token)))
	log.Info("x", slog.Group("g", "url", signed, "token", token))
	log.WithGroup("g").Info("x", "token", token)
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("x", "url", u)
	for _, secret := range []string{"5ec2e7", "X-Goog", "eyJ", "c2lnbmF0dXJl", "NWVj"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, out.String())
		}
	}
	out.Reset()
	const harmless = "ivo://example.org/dr1?a/b.fits at https://storage.googleapis.com/x, is it? Basic images keep their eyes. ID=5"
	log.Info(harmless)
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil || line["message"] != harmless {
		t.Errorf("%v became %v (%v)", harmless, line["message"], err)
	}
}
