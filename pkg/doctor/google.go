package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2/google"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// endpoint is one of Google's APIs.
type endpoint string

// The APIs.
const (
	functionsAPI   endpoint = "functions"
	runAPI         endpoint = "run"
	pubsubAPI      endpoint = "pubsub"
	firestoreAPI   endpoint = "firestore"
	storageAPI     endpoint = "storage"
	schedulerAPI   endpoint = "scheduler"
	iamAPI         endpoint = "iam"
	credentialsAPI endpoint = "credentials"
	projectsAPI    endpoint = "projects"
)

// places holds where each API is, the variable by which Terraform's provider is told another
// place, and for some that of Google's emulators with the path that they have there.
var places = map[endpoint]struct{ base, variable, emulator, path string }{
	functionsAPI:   {"https://cloudfunctions.googleapis.com/v2/", "GOOGLE_CLOUDFUNCTIONS2_CUSTOM_ENDPOINT", "", ""},
	runAPI:         {"https://run.googleapis.com/v2/", "GOOGLE_CLOUD_RUN_V2_CUSTOM_ENDPOINT", "", ""},
	pubsubAPI:      {"https://pubsub.googleapis.com/v1/", "GOOGLE_PUBSUB_CUSTOM_ENDPOINT", "PUBSUB_EMULATOR_HOST", "/v1/"},
	firestoreAPI:   {"https://firestore.googleapis.com/v1/", "GOOGLE_FIRESTORE_CUSTOM_ENDPOINT", "FIRESTORE_EMULATOR_HOST", "/v1/"},
	storageAPI:     {"https://storage.googleapis.com/storage/v1/", "GOOGLE_STORAGE_CUSTOM_ENDPOINT", "STORAGE_EMULATOR_HOST", "/storage/v1/"},
	schedulerAPI:   {"https://cloudscheduler.googleapis.com/v1/", "GOOGLE_CLOUD_SCHEDULER_CUSTOM_ENDPOINT", "", ""},
	iamAPI:         {"https://iam.googleapis.com/v1/", "GOOGLE_IAM_BETA_CUSTOM_ENDPOINT", "", ""},
	credentialsAPI: {"https://iamcredentials.googleapis.com/v1/", "GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT", "", ""},
	projectsAPI:    {"https://cloudresourcemanager.googleapis.com/v1/", "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT", "", ""},
}

// place returns where an API is.
func place(a endpoint) string {
	p := places[a]
	if base := os.Getenv(p.variable); base != "" {
		return strings.TrimRight(base, "/") + "/"
	}
	if host := os.Getenv(p.emulator); p.emulator != "" && host != "" {
		return "http://" + host + p.path
	}
	return p.base
}

// everything is the scope of tokens: what an account may do is up to its rights.
const everything = "https://www.googleapis.com/auth/cloud-platform"

// tokens gives the token of whoever asks.
type tokens func(context.Context) (string, error)

// client asks Google's APIs in the name of an operator, or of an account that the operator
// may act as.
type client struct {
	http     *http.Client
	operator tokens
	project  string  // that pays for the operator's requests
	human    *client // whose account the operator acts as, or nil

	mu     sync.Mutex
	acting map[string]func() (string, error) // tokens of accounts, by their addresses
}

// newClient finds the operator's credentials as Terraform's provider does: the token of
// GOOGLE_OAUTH_ACCESS_TOKEN, or the application default credentials; and with these, the
// account of GOOGLE_IMPERSONATE_SERVICE_ACCOUNT.
func newClient(ctx context.Context, project string) (*client, error) {
	fresh := func() *client {
		return &client{http: &http.Client{Timeout: 30 * time.Second}, project: project, acting: map[string]func() (string, error){}}
	}
	c := fresh()
	if token := os.Getenv("GOOGLE_OAUTH_ACCESS_TOKEN"); token != "" {
		c.operator = func(context.Context) (string, error) { return token, nil }
	} else {
		found, err := google.FindDefaultCredentials(ctx, everything)
		if err != nil {
			return nil, fault.New(fault.Usage, "doctor.Examine", "there are no credentials to ask Google with; sign in with: gcloud auth application-default login (%w)", err)
		}
		c.operator = func(context.Context) (string, error) {
			token, err := found.TokenSource.Token()
			if err != nil {
				return "", err
			}
			return token.AccessToken, nil
		}
	}
	if deployer := os.Getenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"); deployer != "" {
		human := c
		c = fresh()
		c.human = human
		c.operator = human.as(deployer)
		if _, err := c.operator(ctx); err != nil {
			return nil, fault.New(fault.Usage, "doctor.Examine", "you may not act as %s, which GOOGLE_IMPERSONATE_SERVICE_ACCOUNT names: %w", deployer, err)
		}
	}
	return c, nil
}

// as gives tokens of a service account.
func (c *client) as(account string) tokens {
	return func(ctx context.Context) (string, error) {
		c.mu.Lock()
		once, known := c.acting[account]
		if !known {
			once = sync.OnceValues(func() (string, error) {
				var answer struct {
					AccessToken string `json:"accessToken"`
				}
				err := c.ask(context.WithoutCancel(ctx), nil, http.MethodPost, credentialsAPI, "projects/-/serviceAccounts/"+account+":generateAccessToken",
					map[string]any{"scope": []string{everything}}, &answer)
				if err == nil && answer.AccessToken == "" {
					err = errors.New("there was no token in the answer")
				}
				return answer.AccessToken, err
			})
			c.acting[account] = once
		}
		c.mu.Unlock()
		return once()
	}
}

// identity returns an ID token of a service account for an audience.
func (c *client) identity(ctx context.Context, account, audience string) (string, error) {
	if c.human != nil && account == os.Getenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT") {
		c = c.human // an account may not make tokens of itself
	}
	var answer struct{ Token string }
	err := c.ask(ctx, nil, http.MethodPost, credentialsAPI, "projects/-/serviceAccounts/"+account+":generateIdToken",
		map[string]any{"audience": audience, "includeEmail": true}, &answer)
	if err == nil && answer.Token == "" {
		err = errors.New("there was no token in the answer")
	}
	return answer.Token, err
}

// refusal is an answer of Google's that is none of success.
type refusal struct {
	Status  int
	Message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d, %s", r.Status, r.Message) }

// status returns the status of a refusal, 0 if err is something else.
func status(err error) int {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// get asks for something in the operator's name.
func (c *client) get(ctx context.Context, a endpoint, path string, into any) error {
	return c.ask(ctx, nil, http.MethodGet, a, path, nil, into)
}

// ask sends a request in somebody's name, the operator's if by is nil, and reads the answer's
// JSON. The error is a [refusal] if there was one.
func (c *client) ask(ctx context.Context, by tokens, method string, a endpoint, path string, body, into any) error {
	mine := by == nil
	if mine {
		by = c.operator
	}
	token, err := by(ctx)
	if err != nil {
		return err
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, place(a)+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if mine {
		r.Header.Set("X-Goog-User-Project", c.project) // a person's credentials belong to no project
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		var said struct{ Error struct{ Message string } }
		_ = json.Unmarshal(text, &said) // what is no JSON says nothing
		return &refusal{answer.StatusCode, cmp.Or(said.Error.Message, http.StatusText(answer.StatusCode))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// policy is who has which role on something.
type policy struct {
	Bindings []struct {
		Role      string
		Members   []string
		Condition *struct{ Expression string }
	}
}

// has reports whether a member has a role; condition, if it is not "", must stand in the
// condition of a grant that has one.
func (p *policy) has(role string, member func(string) bool, condition string) bool {
	for _, b := range p.Bindings {
		if b.Role != role || b.Condition != nil && (condition == "" || !strings.Contains(b.Condition.Expression, condition)) {
			continue
		}
		for _, m := range b.Members {
			if member(m) {
				return true
			}
		}
	}
	return false
}

// members returns who has a role, whatever the condition; "" for any role.
func (p *policy) members(role string) (all []string) {
	for _, b := range p.Bindings {
		if role == "" || b.Role == role {
			all = append(all, b.Members...)
		}
	}
	return all
}

// place of a policy: something that rights are on.
type thing struct {
	api  endpoint
	path string // of the thing
	name string // for people
}

// policy reads the policy of a thing.
func (c *client) policy(ctx context.Context, t thing) (*policy, error) {
	p := new(policy)
	method, path, body := http.MethodGet, t.path+":getIamPolicy", any(nil)
	switch t.api {
	case storageAPI:
		path = t.path + "/iam?optionsRequestedPolicyVersion=3"
	case projectsAPI:
		method, body = http.MethodPost, map[string]any{"options": map[string]any{"requestedPolicyVersion": 3}}
	case iamAPI:
		method, path, body = http.MethodPost, t.path+":getIamPolicy?options.requestedPolicyVersion=3", map[string]any{}
	}
	return p, c.ask(ctx, nil, method, t.api, path, body, p)
}

// may asks in somebody's name which of some permissions they lack on a thing.
func (c *client) may(ctx context.Context, by tokens, t thing, permissions []string) (lacking []string, err error) {
	var answer struct{ Permissions []string }
	if t.api == storageAPI {
		err = c.ask(ctx, by, http.MethodGet, t.api, t.path+"/iam/testPermissions?permissions="+strings.Join(permissions, "&permissions="), nil, &answer)
	} else {
		err = c.ask(ctx, by, http.MethodPost, t.api, t.path+":testIamPermissions", map[string]any{"permissions": permissions}, &answer)
	}
	held := map[string]bool{}
	for _, p := range answer.Permissions {
		held[p] = true
	}
	for _, p := range permissions {
		if !held[p] {
			lacking = append(lacking, p)
		}
	}
	return lacking, err
}
