package terraform

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
)

// deployments holds which function each deployment runs.
var deployments = map[string]string{"soda": cloud.Soda, "cutout": cloud.Cutout, "cutout-bulk": cloud.Cutout, "signer": cloud.Signer}

// ofEmulators returns the variables that no deployment sets, as the documentation of package
// cloud lists them.
func ofEmulators(t *testing.T) (names []string) {
	t.Helper()
	doc, err := os.ReadFile("../pkg/app/cloud/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "never with a deployment:")
	for line := range strings.Lines(list) {
		if name, ok := strings.CutPrefix(line, "//\tSELTZER_"); ok {
			names = append(names, "SELTZER_"+strings.Fields(name)[0])
		}
	}
	if len(names) == 0 {
		t.Fatal("package cloud documents no variables of emulators")
	}
	return names
}

// parse returns the functions and methods of a file of Go.
func parse(t *testing.T, file string) map[string]*ast.FuncDecl {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.FuncDecl{}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			all[d.Name.Name] = d
		}
	}
	return all
}

// read returns the variables that a function reads: the settings that its source, and the
// methods of its parts that it calls, select from p.
func read(t *testing.T, function string) []string {
	t.Helper()
	variables := map[string]string{} // by the settings' fields
	for field := range reflect.TypeFor[cloud.Settings]().Fields() {
		variables[field.Name], _, _ = strings.Cut(field.Tag.Get("env"), ",")
	}
	methods := parse(t, "../pkg/app/cloud/parts.go")
	found := map[string]bool{}
	var look func(ast.Node)
	look = func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if p, ok := s.X.(*ast.Ident); !ok || p.Name != "p" || found[s.Sel.Name] {
				return true
			}
			found[s.Sel.Name] = true
			if method, ok := methods[s.Sel.Name]; ok {
				look(method)
			}
			return true
		})
	}
	open, ok := parse(t, "../functions/"+function+"/"+function+".go")["open"]
	if !ok {
		t.Fatalf("function %s is not set up by a function open", function)
	}
	look(open)
	var names []string
	never := ofEmulators(t)
	for field := range found {
		if name, ok := variables[field]; ok && !slices.Contains(never, name) {
			names = append(names, name)
		}
	}
	if len(names) < 5 {
		t.Fatalf("%s reads %v: its source is not understood", function, names)
	}
	slices.Sort(names)
	return names
}

// chosen holds the variables that are set where the operator's choice of who may ask and see
// wants them; that nothing is missing FromEnvironment says.
var chosen = []string{"SELTZER_GROUPS", "SELTZER_PROXY_ACCOUNT", "SELTZER_ISSUER", "SELTZER_USER_AUDIENCE", "SELTZER_USER_CLAIM", "SELTZER_GROUPS_CLAIM", "SELTZER_BATCH_OWNER"}

// Every variable that a function reads is set, with a value that it takes, and no other.
func TestVariables(t *testing.T) {
	for name, e := range planned(t) {
		functions := e.functions()
		if !maps.EqualFunc(functions, deployments, func(f resource, function string) bool { return f.text("build_config", "entry_point") == function }) {
			t.Errorf("%s: the functions are %v; want %v", name, slices.Collect(maps.Keys(functions)), deployments)
		}
		for deployment, f := range functions {
			set := f.variables()
			want := append([]string{"GOMEMLIMIT"}, read(t, deployments[deployment])...) // Go's own
			want = slices.DeleteFunc(want, func(v string) bool { return slices.Contains(chosen, v) && set[v] == "" })
			if got := slices.Sorted(maps.Keys(set)); !slices.Equal(got, want) {
				t.Errorf("%s: %s is set\n%v\nand reads\n%v", name, deployment, got, want)
			}
			if _, err := cloud.FromEnvironment(t.Context(), deployments[deployment], envconfig.MapLookuper(set)); err != nil {
				t.Errorf("%s: %s does not start: %v", name, deployment, err)
			}
		}
	}
}

// What a function is told of the others is so.
func TestWiring(t *testing.T) {
	for name, e := range planned(t) {
		functions := e.functions()
		account := func(name string) string {
			return "seltzer-" + name + "@" + e.variables["project_id"].(string) + ".iam.gserviceaccount.com"
		}
		soda, signer := functions["soda"].variables(), functions["signer"].variables()
		same := func(what, got, want string) {
			t.Helper()
			if got != want || want == "" {
				t.Errorf("%s: %s is %q, want %q", name, what, got, want)
			}
		}
		same("the signer's URL", soda["SELTZER_SIGNER_URL"], signer["SELTZER_AUDIENCE"])
		same("the caller that signer believes", signer["SELTZER_SODA_ACCOUNT"], functions["soda"].text("service_config", "service_account_email"))
		same("the account that signer signs as", signer["SELTZER_SIGNING_ACCOUNT"], functions["signer"].text("service_config", "service_account_email"))
		same("the bucket that signer signs for", signer["SELTZER_RESULTS_BUCKET"], e.one(t, "google_storage_bucket", e.variables["project_id"].(string)+"-results").text("name"))
		for deployment, f := range functions {
			set := f.variables()
			same(deployment+"'s URL", set["SELTZER_AUDIENCE"], "https://"+deployment+"-"+e.variables["project_number"].(string)+"."+e.variables["region"].(string)+".run.app")
			same(deployment+"'s database", set["SELTZER_DATABASE"], e.of("google_firestore_database")[0].text("name"))
			same(deployment+"'s account", f.text("service_config", "service_account_email"), account(deployments[deployment]))
			if deployments[deployment] == cloud.Cutout {
				same(deployment+"'s bucket", set["SELTZER_RESULTS_BUCKET"], signer["SELTZER_RESULTS_BUCKET"])
				same("the account of pushes", set["SELTZER_PUSH_ACCOUNT"], account("push"))
				same("the account of sweeps", set["SELTZER_SWEEP_ACCOUNT"], account("scheduler"))
				same("the bucket of batches", set["SELTZER_BATCH_BUCKET"], e.one(t, "google_storage_bucket", e.variables["project_id"].(string)+"-batch").text("name"))
				same("the topic of batches that ended", set["SELTZER_TOPIC_JOB_ENDED"], e.one(t, "google_pubsub_topic", "job-ended").text("name"))
			}
		}
		for _, class := range []string{"interactive", "bulk"} {
			same("the topic "+class, soda["SELTZER_TOPIC_"+strings.ToUpper(class)], e.one(t, "google_pubsub_topic", class).text("name"))
			same("the topic "+class, functions["cutout"].variables()["SELTZER_TOPIC_"+strings.ToUpper(class)], class)
		}
		queues := map[string][2]string{"interactive": {"cutout", "/"}, "bulk": {"cutout-bulk", "/"}, "batch": {"cutout-bulk", "/batch"}}
		if e.notifies() {
			queues["objects"] = [2]string{"cutout", "/objects"}
		}
		for queue, to := range queues {
			url := functions[to[0]].variables()["SELTZER_AUDIENCE"]
			for subscription, endpoint := range map[string]string{queue: url + to[1], queue + "-dead": url + "/dead-letter"} {
				s := e.one(t, "google_pubsub_subscription", subscription)
				same(subscription+"'s endpoint", s.text("push_config", "push_endpoint"), endpoint)
				same(subscription+"'s audience", s.text("push_config", "oidc_token", "audience"), url)
				same(subscription+"'s account", s.text("push_config", "oidc_token", "service_account_email"), account("push"))
			}
		}
		sweep := e.one(t, "google_cloud_scheduler_job", "sweep")
		same("the sweep's audience", sweep.text("http_target", "oidc_token", "audience"), functions["cutout"].variables()["SELTZER_AUDIENCE"])
		same("the sweep's account", sweep.text("http_target", "oidc_token", "service_account_email"), account("scheduler"))
	}
}

// Times and numbers fit each other.
func TestLimits(t *testing.T) {
	for name, e := range planned(t) {
		functions := e.functions()
		seconds := func(f resource) time.Duration {
			return time.Duration(f.number("service_config", "timeout_seconds")) * time.Second
		}
		duration := func(variable string) time.Duration {
			d, err := time.ParseDuration(functions["soda"].variables()[variable])
			if err != nil {
				t.Errorf("%s: %s: %v", name, variable, err)
			}
			return d
		}
		for class, deployment := range map[string]string{"interactive": "cutout", "bulk": "cutout-bulk"} {
			f := functions[deployment]
			if ack := e.one(t, "google_pubsub_subscription", class).number("ack_deadline_seconds"); time.Duration(ack)*time.Second != seconds(f)+time.Minute || seconds(f) > 540*time.Second {
				t.Errorf("%s: Pub/Sub waits %v s for %s, whose requests take up to %v; want a minute more, and at most 540 s", name, ack, deployment, seconds(f))
			}
			if work := duration("SELTZER_MAX_EXECUTION"); work != seconds(f)-30*time.Second {
				t.Errorf("%s: a job takes up to %v and a request to %s up to %v; want 30 s more", name, work, deployment, seconds(f))
			}
			if f.text("service_config", "ingress_settings") != "ALLOW_INTERNAL_ONLY" {
				t.Errorf("%s: %s can be reached from outside", name, deployment)
			}
		}
		if wait := max(duration("SELTZER_SYNC_WAIT"), api.DefaultLimits.MaxWait); wait >= seconds(functions["soda"]) {
			t.Errorf("%s: a request waits %v, and soda is stopped after %v", name, wait, seconds(functions["soda"]))
		}
		connections, err := strconv.Atoi(functions["soda"].variables()["SELTZER_WATCH_CONNECTIONS"])
		if requests := functions["soda"].number("service_config", "max_instance_request_concurrency"); err != nil || int(requests) != connections*firestorejobs.WatchersPerConnection {
			t.Errorf("%s: soda takes %v requests at once; want as many as %d connections have watchers (%v)", name, requests, connections, err)
		}
		for deployment, f := range functions {
			memory, _ := strconv.Atoi(strings.TrimSuffix(f.text("service_config", "available_memory"), "Mi"))
			work, _ := strconv.Atoi(f.variables()["SELTZER_MEMORY"])
			if deployments[deployment] == cloud.Cutout && (work <= 0 || work > memory<<20/2) {
				t.Errorf("%s: the jobs of %s may use %d bytes of %d MiB; want half at most", name, deployment, work, memory)
			}
			if text, set := f.variables()["GOMEMLIMIT"]; set { // that it is set says TestVariables
				if limit, _ := strconv.Atoi(strings.TrimSuffix(text, "MiB")); limit >= memory || limit < memory*8/10 {
					t.Errorf("%s: Go's limit of %s is %q of %d MiB; want a little less than all", name, deployment, text, memory)
				}
			}
			if warm := f.number("service_config", "min_instance_count"); warm < 1 && (deployment == "cutout" || name == "prod" && deployment != "cutout-bulk") {
				t.Errorf("%s: %s is not kept warm", name, deployment)
			}
		}
	}
}
