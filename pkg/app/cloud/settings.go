package cloud

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/app/settings"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// The functions.
const (
	Soda   = "soda"
	Cutout = "cutout"
	Signer = "signer"
)

// Settings are what a deployment says to the functions; the package's documentation lists
// the variables.
type Settings struct {
	Project          string        `env:"SELTZER_PROJECT" needs:"soda,cutout,signer" doc:"the Google Cloud project of Firestore and Pub/Sub"`
	Database         string        `env:"SELTZER_DATABASE, default=(default)" doc:"the Firestore database"`
	WatchConnections int           `env:"SELTZER_WATCH_CONNECTIONS, default=4" doc:"connections for requests and workers that wait for jobs, 80 each"`
	TopicInteractive string        `env:"SELTZER_TOPIC_INTERACTIVE" needs:"soda,cutout" doc:"the topic of jobs that somebody waits for"`
	TopicBulk        string        `env:"SELTZER_TOPIC_BULK" needs:"soda,cutout" doc:"the topic of large jobs"`
	Archives         []string      `env:"SELTZER_ARCHIVES" needs:"soda,cutout" doc:"archives as NAME=URL, with commas between, such as dr1=gs://bucket/dr1"`
	Authority        string        `env:"SELTZER_AUTHORITY" needs:"soda,cutout" doc:"the authority of the archives' IDs: ivo://AUTHORITY/NAME?path"`
	PublicURL        string        `env:"SELTZER_PUBLIC_URL" needs:"soda" doc:"the URL under which clients reach the service"`
	SignerURL        string        `env:"SELTZER_SIGNER_URL" needs:"soda" doc:"the URL of the function signer, for which it takes tokens"`
	Groups           []string      `env:"SELTZER_GROUPS" doc:"archives that are not public, as NAME=GROUP for each group that may see one, with commas between"`
	Auth             string        `env:"SELTZER_AUTH, default=none" doc:"who may ask: none (public), header (a proxy says who), iap (Google's proxy signs it) or oidc (users send tokens)"`
	ProxyAccount     string        `env:"SELTZER_PROXY_ACCOUNT" doc:"the service account of the proxy that mode header believes"`
	Issuer           string        `env:"SELTZER_ISSUER" doc:"who signs users' tokens in mode oidc: a URL, below which its discovery document is"`
	UserAudience     string        `env:"SELTZER_USER_AUDIENCE" doc:"whom users' tokens must be for in modes oidc and iap: there /projects/NUMBER/global/backendServices/ID"`
	UserClaim        string        `env:"SELTZER_USER_CLAIM" doc:"the claim that names the user; empty: sub, in mode iap email"`
	GroupsClaim      string        `env:"SELTZER_GROUPS_CLAIM" doc:"the claim that names the user's groups; empty: groups, in mode iap hd, the domain of their account"`
	MaxExecution     time.Duration `env:"SELTZER_MAX_EXECUTION, default=8m30s" doc:"the longest time of one job: the function's timeout less 30 s"`
	SyncWait         time.Duration `env:"SELTZER_SYNC_WAIT, default=50s" doc:"how long a sync request waits for its cutout"`
	QuotaJobs        int64         `env:"SELTZER_QUOTA_JOBS, default=200" doc:"live jobs of one owner; 0 here and below: any number"`
	QuotaRows        int64         `env:"SELTZER_QUOTA_ROWS, default=1000000" doc:"cutouts of the live jobs of one owner"`
	QuotaBytes       int64         `env:"SELTZER_QUOTA_BYTES, default=214748364800" doc:"results of one owner in 24 hours"`
	QuotaRequests    int64         `env:"SELTZER_QUOTA_REQUESTS, default=3000" doc:"requests of one user or address in a minute, to each instance"`
	QuotaBacklog     int64         `env:"SELTZER_QUOTA_BACKLOG, default=500" doc:"interactive jobs of all owners from which on sync requests are refused"`
	ForwardedHops    int           `env:"SELTZER_FORWARDED_HOPS, default=1" doc:"entries at the end of X-Forwarded-For that Google writes; 2 behind a load balancer"`
	ResultsBucket    string        `env:"SELTZER_RESULTS_BUCKET" needs:"cutout,signer" doc:"the bucket of results"`
	BatchBucket      string        `env:"SELTZER_BATCH_BUCKET" doc:"the bucket of manifests, under owners/OWNER/; none: manifests come with requests alone"`
	BatchOwner       string        `env:"SELTZER_BATCH_OWNER" doc:"whose batches are that come as rows in a message; none: such messages are refused"`
	TopicJobEnded    string        `env:"SELTZER_TOPIC_JOB_ENDED" doc:"the topic of batches that have ended; none: nobody is told"`
	Memory           int64         `env:"SELTZER_MEMORY, default=536870912" doc:"what all jobs of one instance may use together"`
	MaxCutout        int64         `env:"SELTZER_MAX_CUTOUT, default=17179869184" doc:"the largest cutout"`
	PushAccount      string        `env:"SELTZER_PUSH_ACCOUNT" needs:"cutout" doc:"the service account of the push subscriptions, dead letters too"`
	SweepAccount     string        `env:"SELTZER_SWEEP_ACCOUNT" needs:"cutout" doc:"the service account of the scheduler that POSTs /sweep"`
	SigningAccount   string        `env:"SELTZER_SIGNING_ACCOUNT" needs:"signer" doc:"the service account in whose name results are signed: its own"`
	SodaAccount      string        `env:"SELTZER_SODA_ACCOUNT" needs:"signer" doc:"the service account of the function soda"`
	Audience         string        `env:"SELTZER_AUDIENCE" needs:"cutout,signer" doc:"this function's own URL, for which its callers' tokens are; in mode header also of soda"`
	BehindIAM        bool          `env:"SELTZER_BEHIND_IAM" doc:"only callers that Google let in reach this function: it has no public invoker"`
	Region           string        `env:"SELTZER_REGION" doc:"where the functions run, as their metrics tell"`
	TelemetryURL     string        `env:"SELTZER_TELEMETRY_URL" doc:"who takes traces and metrics by OTLP, such as https://telemetry.googleapis.com; empty: nobody"`
	TraceRatio       float64       `env:"SELTZER_TRACE_RATIO, default=0.01" doc:"the share of requests that are traced, 0 to 1"`
	Version          string        `env:"SELTZER_VERSION, default=devel" doc:"what provenance cards call this version"`

	Insecure    bool   `env:"SELTZER_INSECURE" doc:"callers prove nothing: the emulators send no tokens"`
	TokenIssuer string `env:"SELTZER_TOKEN_ISSUER" doc:"who signs callers' tokens, and the assertions of mode iap, in place of Google; its keys are at that URL"`
	SigningKey  string `env:"SELTZER_SIGNING_KEY" doc:"a key that signs results in place of IAM"`
	StorageURL  string `env:"SELTZER_STORAGE_URL, default=https://storage.googleapis.com" doc:"where signed URLs lead"`
}

// FromEnvironment reads the settings of a function. The error is [fault.Usage] and names
// every variable that is missing or wrong.
func FromEnvironment(ctx context.Context, function string, variables envconfig.Lookuper) (*Settings, error) {
	s := new(Settings)
	errs := []error{settings.Read(ctx, s, function, variables)}
	wrong := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fault.New(fault.Usage, "cloud.FromEnvironment", format, args...))
		}
	}
	wrong(!slices.Contains(auth.Names(), s.Auth) || s.Auth == "local", "SELTZER_AUTH=%s: want none, header, iap or oidc", s.Auth)
	if function == Soda {
		errs = append(errs, settings.Groups(s.Auth, s.Groups))
		wrong(s.Auth == "oidc" && s.Issuer == "", "SELTZER_ISSUER is not set: mode oidc wants the URL of who signs users' tokens")
		wrong((s.Auth == "oidc" || s.Auth == "iap") && s.UserAudience == "", "SELTZER_USER_AUDIENCE is not set: mode %s wants to know whom users' tokens must be for", s.Auth)
	}
	if function == Soda && s.Auth == "header" && !s.Insecure {
		wrong(s.ProxyAccount == "", "SELTZER_PROXY_ACCOUNT is not set: mode header wants the service account of the proxy")
		wrong(s.Audience == "", "SELTZER_AUDIENCE is not set: mode header wants the URL for which the proxy's tokens are")
	}
	wrong(s.WatchConnections < 1, "SELTZER_WATCH_CONNECTIONS=%d: want 1 or more", s.WatchConnections)
	wrong(min(s.QuotaJobs, s.QuotaRows, s.QuotaBytes, s.QuotaRequests, s.QuotaBacklog) < 0,
		"SELTZER_QUOTA_JOBS=%d, SELTZER_QUOTA_ROWS=%d, SELTZER_QUOTA_BYTES=%d, SELTZER_QUOTA_REQUESTS=%d, SELTZER_QUOTA_BACKLOG=%d: want 0 or more", s.QuotaJobs, s.QuotaRows, s.QuotaBytes, s.QuotaRequests, s.QuotaBacklog)
	wrong(s.ForwardedHops < 0, "SELTZER_FORWARDED_HOPS=%d: want 0 or more", s.ForwardedHops)
	wrong(s.MaxExecution <= 0 || s.SyncWait <= 0, "SELTZER_MAX_EXECUTION=%v, SELTZER_SYNC_WAIT=%v: want more than 0", s.MaxExecution, s.SyncWait)
	wrong(strings.ContainsAny(s.Authority, "/?# "), "SELTZER_AUTHORITY=%q: want one such as example.org", s.Authority)
	wrong(!(s.TraceRatio >= 0 && s.TraceRatio <= 1), "SELTZER_TRACE_RATIO=%v: want 0 to 1", s.TraceRatio)
	if s.TelemetryURL != "" {
		u, err := url.Parse(s.TelemetryURL)
		wrong(err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Host)), "SELTZER_TELEMETRY_URL=%q: want an https:// URL, or http:// of this machine with a port", s.TelemetryURL)
	}
	emulated := loopback(os.Getenv("FIRESTORE_EMULATOR_HOST"))
	wrong((s.Insecure || s.TokenIssuer != "" || s.SigningKey != "") && !emulated, "SELTZER_INSECURE, SELTZER_TOKEN_ISSUER and SELTZER_SIGNING_KEY are for emulators on this machine: unset them, or set FIRESTORE_EMULATOR_HOST")
	return s, errors.Join(errs...)
}

// loopback reports whether a host and port are of this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
