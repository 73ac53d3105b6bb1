package doctor

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/archive"
)

// The deployments of functions, as terraform/ names them.
const (
	soda   = "soda"
	cutout = "cutout"
	bulk   = "cutout-bulk"
	signer = "signer"
)

var deployments = []string{soda, cutout, bulk, signer}

// runs holds which function each deployment runs.
var runs = map[string]string{soda: cloud.Soda, cutout: cloud.Cutout, bulk: cloud.Cutout, signer: cloud.Signer}

// function is what Cloud Functions says of one. Source: Cloud Functions API v2, resource
// projects.locations.functions.
type function struct {
	State       string
	BuildConfig struct{ EntryPoint string }
	Service     struct {
		Account   string            `json:"serviceAccountEmail"`
		Ingress   string            `json:"ingressSettings"`
		Timeout   int               `json:"timeoutSeconds"`
		Memory    string            `json:"availableMemory"`
		Variables map[string]string `json:"environmentVariables"`
		URI       string
	} `json:"serviceConfig"`

	set map[string]string // its environment variables
	err error             // why it could not be read
}

// memory returns the bytes that an instance has, 0 if it is not known.
func (f *function) memory() int64 {
	for suffix, unit := range map[string]int64{"Mi": 1 << 20, "Gi": 1 << 30, "M": 1e6, "G": 1e9} {
		if n, err := strconv.ParseInt(strings.TrimSuffix(f.Service.Memory, suffix), 10, 64); err == nil {
			return n * unit
		}
	}
	return 0
}

// deployment is a service on Google Cloud.
type deployment struct {
	*client
	project, region string
	functions       map[string]*function // by the names of deployments; all are there, perhaps with an error

	policies sync.Map                  // of policyOnce by thing
	told     func(context.Context) any // telling, once
}

// find reads what there is.
func find(ctx context.Context, project, region string) (*deployment, error) {
	c, err := newClient(ctx, project)
	if err != nil {
		return nil, err
	}
	d := &deployment{client: c, project: project, region: region, functions: map[string]*function{}}
	d.told = d.once(d.telling)
	var wg sync.WaitGroup
	for _, name := range deployments {
		f := new(function)
		d.functions[name] = f
		wg.Go(func() {
			f.err = d.get(ctx, functionsAPI, d.in("functions/"+name), f)
			f.set = f.Service.Variables
		})
	}
	wg.Wait()
	return d, nil
}

// in returns the full name of something in the region.
func (d *deployment) in(name string) string {
	return fmt.Sprintf("projects/%s/locations/%s/%s", d.project, d.region, name)
}

// setting returns a variable of a deployment, "" if it is not known.
func (d *deployment) setting(deployment, variable string) string {
	return d.functions[deployment].set[variable]
}

// known reports whether any function could be read.
func (d *deployment) known() bool {
	for _, f := range d.functions {
		if f.err == nil {
			return true
		}
	}
	return false
}

// agreed returns what most deployments say of a variable that they share, so that one that
// says something else is found by itself.
func (d *deployment) agreed(variable string) (value string) {
	said := map[string]int{}
	for _, name := range deployments {
		if v := d.setting(name, variable); v != "" {
			if said[v]++; said[v] > said[value] {
				value = v
			}
		}
	}
	return value
}

// url returns the URL of a deployment, "" if what it is told is not right.
func (d *deployment) url(name string) string {
	f := d.functions[name]
	url := f.set["SELTZER_AUDIENCE"]
	rule := fmt.Sprintf(`^https://%s-\d+\.%s\.run\.app$`, regexp.QuoteMeta(name), regexp.QuoteMeta(d.region))
	if url != f.Service.URI && !regexp.MustCompile(rule).MatchString(url) {
		return ""
	}
	return url
}

// account returns the address of an account by its short name.
func (d *deployment) account(who string) string {
	switch who {
	case "push":
		return d.agreed("SELTZER_PUSH_ACCOUNT")
	case "scheduler":
		return d.agreed("SELTZER_SWEEP_ACCOUNT")
	case cutout:
		return cmp.Or(d.functions[cutout].Service.Account, d.functions[bulk].Service.Account)
	}
	return d.functions[who].Service.Account
}

func (d *deployment) databaseName() string { return d.agreed("SELTZER_DATABASE") }
func (d *deployment) results() string      { return d.agreed("SELTZER_RESULTS_BUCKET") }
func (d *deployment) manifests() string    { return d.agreed("SELTZER_BATCH_BUCKET") }
func (d *deployment) of() string           { return "projects/" + d.agreed("SELTZER_PROJECT") }
func (d *deployment) database() string     { return d.of() + "/databases/" + d.databaseName() }

func (d *deployment) topic(name string) thing {
	return thing{pubsubAPI, d.of() + "/topics/" + name, "topic " + name}
}

func (d *deployment) subscription(name string) thing {
	return thing{pubsubAPI, d.of() + "/subscriptions/" + name, "subscription " + name}
}

func bucketThing(name string) thing { return thing{storageAPI, "b/" + name, "bucket " + name} }

func (d *deployment) callers(deployment string) thing {
	return thing{runAPI, d.in("services/" + deployment), "function " + deployment}
}

func (d *deployment) accountThing(email string) thing {
	return thing{iamAPI, "projects/" + d.project + "/serviceAccounts/" + email, "account " + email}
}

// prefixes returns those of the IDs that the deployment serves, none if they are not known.
func (d *deployment) prefixes() (all []string) {
	authority := d.agreed("SELTZER_AUTHORITY")
	for _, a := range d.archives() {
		if authority != "" {
			all = append(all, archive.Prefix(authority, a.name))
		}
	}
	return all
}

// policyOf reads the policy of a thing, once.
func (d *deployment) policyOf(ctx context.Context, t thing) (*policy, error) {
	once, _ := d.policies.LoadOrStore(t, sync.OnceValues(func() (*policy, error) { return d.policy(context.WithoutCancel(ctx), t) }))
	return once.(func() (*policy, error))()
}

// anArchive is an archive of the settings.
type anArchive struct{ name, url string }

// bucket returns the bucket of an archive in Cloud Storage, and the folder in it.
func (a anArchive) bucket() (bucket, folder string, ok bool) {
	rest, ok := strings.CutPrefix(a.url, "gs://")
	bucket, folder, _ = strings.Cut(rest, "/")
	return bucket, folder, ok
}

func (d *deployment) archives() (all []anArchive) {
	for spec := range strings.SplitSeq(d.agreed("SELTZER_ARCHIVES"), ",") {
		if name, url, ok := strings.Cut(spec, "="); ok {
			all = append(all, anArchive{name, url})
		}
	}
	return all
}
