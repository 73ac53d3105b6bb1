package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// breakage breaks one thing, and names the check that must find it.
type breakage struct {
	what  string
	check string
	do    func(*world)
}

const wrong = "https://wrong.example.org"

// breakages returns what is broken of a healthy deployment, one thing at a time.
func breakages() []breakage {
	results := project + "-results"
	set := func(thing, path string, value any) func(*world) {
		return func(w *world) { w.set(thing, path, value) }
	}
	gone := func(thing string) func(*world) { return func(w *world) { delete(w.things, thing) } }
	revoked := func(thing, role, member string) func(*world) {
		return func(w *world) { w.revoke(thing, role, member) }
	}
	granted := func(thing, role, member string) func(*world) {
		return func(w *world) { w.policies[thing]["roles/"+role] = append(w.policies[thing]["roles/"+role], member) }
	}
	manifests := project + "-batch"
	all := []breakage{
		{"a function is not deployed", "function signer", func(w *world) { gone(functionThing(signer))(w); delete(w.policies, runThing(signer)) }},
		{"a build failed", "function cutout", set(functionThing(cutout), "state", "FAILED")},
		{"a function runs the code of another", "function cutout-bulk", set(functionThing(bulk), "buildConfig.entryPoint", "soda")},
		{"a function lacks a variable", "signer's settings", set(functionThing(signer), variable("SELTZER_SODA_ACCOUNT"), nil)},
		{"a variable cannot be read", "soda's settings", set(functionThing(soda), variable("SELTZER_WATCH_CONNECTIONS"), "many")},
		{"a setting of emulators is deployed", "cutout's settings", set(functionThing(cutout), variable("SELTZER_INSECURE"), "true")},
		{"a function is told another URL", "cutout's URL", set(functionThing(cutout), variable("SELTZER_AUDIENCE"), wrong)},
		{"signer is told another URL", "signer's URL", set(functionThing(signer), variable("SELTZER_AUDIENCE"), runURL(signer)+"/")},
		{"Go knows no limit", "cutout's memory", set(functionThing(cutout), variable("GOMEMLIMIT"), nil)},
		{"Go may use more than there is", "soda's memory", set(functionThing(soda), "serviceConfig.availableMemory", "512Mi")},
		{"jobs may use more than there is", "cutout-bulk's memory", set(functionThing(bulk), variable("SELTZER_MEMORY"), "4294967296")},
		{"cutout is reached from outside", "cutout's ingress", set(functionThing(cutout), "serviceConfig.ingressSettings", "ALLOW_ALL")},
		{"signer is not reached", "signer's ingress", set(functionThing(signer), "serviceConfig.ingressSettings", "ALLOW_INTERNAL_ONLY")},
		{"an account is disabled", "account of scheduler", set(accountThing("scheduler"), "disabled", true)},
		{"an account is gone", "account of push", gone(accountThing("push"))},
		{"soda writes into another database", "one database", set(functionThing(soda), variable("SELTZER_DATABASE"), "other")},
		{"signer reads in another project", "one project", set(functionThing(signer), variable("SELTZER_PROJECT"), "other")},
		{"soda publishes elsewhere", "one topic of bulk jobs", set(functionThing(soda), variable("SELTZER_TOPIC_BULK"), "other")},
		{"cutout republishes elsewhere", "one topic of interactive jobs", set(functionThing(cutout), variable("SELTZER_TOPIC_INTERACTIVE"), "other")},
		{"soda knows an archive less", "one list of archives", set(functionThing(soda), variable("SELTZER_ARCHIVES"), "dr1=gs://example-dr1/images")},
		{"another authority", "one authority of IDs", set(functionThing(bulk), variable("SELTZER_AUTHORITY"), "example.com")},
		{"cutout knows another bucket of manifests", "one bucket of manifests", set(functionThing(cutout), variable("SELTZER_BATCH_BUCKET"), nil)},
		{"rows in messages are those of two", "one owner of rows in messages", set(functionThing(cutout), variable("SELTZER_BATCH_OWNER"), "survey")},
		{"cutout-bulk tells another topic of batches", "one topic of batches that ended", set(functionThing(bulk), variable("SELTZER_TOPIC_JOB_ENDED"), "other")},
		{"signer signs for another bucket", "one bucket of results", set(functionThing(signer), variable("SELTZER_RESULTS_BUCKET"), "other")},
		{"two versions", "one version", set(functionThing(bulk), variable("SELTZER_VERSION"), "v0")},
		{"soda asks another signer", "soda asks signer", set(functionThing(soda), variable("SELTZER_SIGNER_URL"), wrong)},
		{"signer believes another caller", "signer knows soda", set(functionThing(signer), variable("SELTZER_SODA_ACCOUNT"), "other@example.org")},
		{"signer signs as another", "signer signs in its own name", set(functionThing(signer), variable("SELTZER_SIGNING_ACCOUNT"), email(cutout))},
		{"soda ends before who waits", "soda outlives those who wait", set(functionThing(soda), variable("SELTZER_SYNC_WAIT"), "1m30s")},
		{"cutout ends before its job", "a job ends before its worker", set(functionThing(soda), variable("SELTZER_MAX_EXECUTION"), "9m")},

		{"signer cannot read jobs", "signer may read jobs", revoked(projectThing, "datastore.viewer", email(signer))},
		{"cutout tells nothing of its jobs", "cutout may write metrics", revoked(projectThing, "telemetry.metricsWriter", email(cutout))},
		{"traces end before signer", "signer may write traces", revoked(projectThing, "telemetry.tracesWriter", email(signer))},
		{"soda cannot see a topic", "soda may see interactive", revoked(topicThing("interactive"), "pubsub.viewer", email(soda))},
		{"soda cannot publish", "soda may publish to bulk", revoked(topicThing("bulk"), "pubsub.publisher", email(soda))},
		{"the sweep cannot publish", "cutout may publish to interactive", revoked(topicThing("interactive"), "pubsub.publisher", email(cutout))},
		{"soda cannot read an archive", "soda may read the archive dr2", revoked(bucketOf("example-dr2"), "storage.objectViewer", email(soda))},
		{"cutout cannot write results", "cutout may write results", revoked(bucketOf(results), "storage.objectUser", email(cutout))},
		{"cutout cannot read manifests", "cutout may read manifests", revoked(bucketOf(manifests), "storage.objectViewer", email(cutout))},
		{"cutout cannot tell of batches", "cutout may tell of batches that ended", revoked(topicThing("job-ended"), "pubsub.publisher", email(cutout))},
		{"the bucket of manifests cannot tell", "Cloud Storage may publish to batch", revoked(topicThing("batch"), "pubsub.publisher", storageAgent)},
		{"archives cannot tell", "Cloud Storage may publish to objects", revoked(topicThing("objects"), "pubsub.publisher", storageAgent)},
		{"orders that nobody takes are lost", "Pub/Sub may publish to batch-dead", revoked(topicThing("batch-dead"), "pubsub.publisher", agent)},
		{"dead letters of objects cannot be taken", "Pub/Sub may take from objects", revoked(subThing("objects"), "pubsub.subscriber", agent)},
		{"somebody writes manifests of all owners", "manifests are written by their owners", granted(bucketOf(manifests), "storage.objectUser", "user:eve@example.org")},
		{"signer cannot read results", "signer may read results", revoked(bucketOf(results), "storage.objectViewer", email(signer))},
		{"signer cannot sign", "signer may sign in its own name", revoked(accountThing(signer), "iam.serviceAccountTokenCreator", email(signer))},
		{"pushes are refused", "push may call cutout", revoked(runThing(cutout), "run.invoker", email("push"))},
		{"bulk pushes are refused", "push may call cutout-bulk", revoked(runThing(bulk), "run.invoker", email("push"))},
		{"the sweep is refused", "scheduler may call cutout", revoked(runThing(cutout), "run.invoker", email("scheduler"))},
		{"soda cannot call signer", "soda may call signer", revoked(runThing(signer), "run.invoker", email(soda))},
		{"pushes carry no token", "Pub/Sub may make the tokens of pushes", revoked(accountThing("push"), "iam.serviceAccountTokenCreator", agent)},
		{"dead letters cannot be published", "Pub/Sub may publish to bulk-dead", revoked(topicThing("bulk-dead"), "pubsub.publisher", agent)},
		{"dead letters cannot be taken", "Pub/Sub may take from interactive", revoked(subThing("interactive"), "pubsub.subscriber", agent)},
		{"everybody may call cutout-bulk", "nobody else may call cutout-bulk", granted(runThing(bulk), "run.invoker", "allUsers")},
		{"a stranger may call signer", "nobody else may call signer", granted(runThing(signer), "run.invoker", "user:eve@example.org")},
		{"soda is not as open as it is told", "soda is as open as it is told", set(functionThing(soda), variable("SELTZER_BEHIND_IAM"), "true")},
		{"soda may read results", "nobody else reads results", granted(bucketOf(results), "storage.objectViewer", "serviceAccount:"+email(soda))},

		{"a topic is gone", "topic interactive", gone(topicThing("interactive"))},
		{"a subscription is gone", "subscription bulk-dead", gone(subThing("bulk-dead"))},
		{"a subscription of a topic that was deleted", "subscription bulk", set(subThing("bulk"), "topic", "_deleted-topic_")},
		{"pushes go elsewhere", "subscription interactive: endpoint", set(subThing("interactive"), "pushConfig.pushEndpoint", wrong+"/")},
		{"dead letters go to the front door", "subscription interactive-dead: endpoint", set(subThing("interactive-dead"), "pushConfig.pushEndpoint", runURL(cutout)+"/")},
		{"pushes carry another audience", "subscription bulk: audience", set(subThing("bulk"), "pushConfig.oidcToken.audience", runURL(bulk)+"/")},
		{"pushes carry another account", "subscription bulk-dead: account", set(subThing("bulk-dead"), "pushConfig.oidcToken.serviceAccountEmail", email(soda))},
		{"pushes carry no token at all", "subscription interactive: account", set(subThing("interactive"), "pushConfig.oidcToken.serviceAccountEmail", nil)},
		{"Pub/Sub does not wait for the slowest cutout", "subscription interactive: ack deadline", set(subThing("interactive"), "ackDeadlineSeconds", 60)},
		{"a subscription vanishes when it is idle", "subscription interactive-dead: expiry", set(subThing("interactive-dead"), "expirationPolicy", object{"ttl": "2678400s"})},
		{"messages become dead letters early", "subscription bulk: dead letters", set(subThing("bulk"), "deadLetterPolicy.maxDeliveryAttempts", 5)},
		{"dead letters go nowhere", "subscription interactive: dead letters", set(subThing("interactive"), "deadLetterPolicy", nil)},
		{"the topic of orders is gone", "topic batch", gone(topicThing("batch"))},
		{"archives tell a topic that is gone", "topic objects", gone(topicThing("objects"))},
		{"nobody hears of batches", "topic of batches that ended", gone(topicThing("job-ended"))},
		{"orders go where jobs go", "subscription batch: endpoint", set(subThing("batch"), "pushConfig.pushEndpoint", runURL(bulk)+"/")},
		{"objects go to the bulk workers", "subscription objects: endpoint", set(subThing("objects"), "pushConfig.pushEndpoint", runURL(bulk)+"/objects")},
		{"orders are lost early", "subscription batch: dead letters", set(subThing("batch"), "deadLetterPolicy.maxDeliveryAttempts", 5)},
		{"the subscription of objects vanishes", "subscription objects: expiry", set(subThing("objects"), "expirationPolicy", object{"ttl": "2678400s"})},
		{"nothing sweeps", "sweep", gone(sweepThing)},
		{"the sweep is paused", "sweep", set(sweepThing, "state", "PAUSED")},
		{"the sweep is rare", "sweep: schedule", set(sweepThing, "schedule", "0 * * * *")},
		{"the sweep goes elsewhere", "sweep: target", set(sweepThing, "httpTarget.uri", wrong+"/sweep")},
		{"the sweep carries another audience", "sweep: audience", set(sweepThing, "httpTarget.oidcToken.audience", wrong)},
		{"the sweep carries another account", "sweep: account", set(sweepThing, "httpTarget.oidcToken.serviceAccountEmail", email("push"))},
		{"the last sweep failed", "sweep: last run", set(sweepThing, "status", object{"code": 7, "message": "PERMISSION_DENIED"})},

		{"the database is of the wrong type", "database", set(databaseThing, "type", "DATASTORE_MODE")},
		{"there is no database", "database", gone(databaseThing)},
		{"an index is missing", "index of jobs by shard ascending, dueAt ascending", func(w *world) {
			list := w.things[indexesThing]["indexes"].([]any)
			w.things[indexesThing] = object{"indexes": slices.DeleteFunc(slices.Clone(list), func(i any) bool { return strings.Contains(fmt.Sprint(i), "dueAt") })}
		}},
		{"an index is being built", "index of jobs by phase ascending, listed descending", func(w *world) {
			for _, i := range w.things[indexesThing]["indexes"].([]any) {
				if text := fmt.Sprint(i); strings.Contains(text, "listed") && !strings.Contains(text, "owner") {
					i.(object)["state"] = "CREATING"
				}
			}
		}},
		{"old jobs stay", "time to live of jobs", set(fieldThing("jobs", "purgeAfter"), "ttlConfig", nil)},
		{"a field has an index that grows with time", "indexes of single fields of jobs", set(fieldThing("jobs", "dueAt"), "indexConfig", object{"usesAncestorConfig": true})},
		{"a list of results is indexed", "indexes of single fields of results", gone(fieldThing("results", "results"))},

		{"there is no bucket of results", "results bucket", gone(bucketOf(results))},
		{"results are never deleted", "results bucket: lifecycle", set(bucketOf(results), "lifecycle", nil)},
		{"results are deleted at once", "results bucket: lifecycle", set(bucketOf(results), "lifecycle", object{"rule": []any{object{"action": object{"type": "Delete"}, "condition": object{"age": 0}}}})},
		{"objects have rights of their own", "results bucket: uniform access", set(bucketOf(results), "iamConfiguration.uniformBucketLevelAccess.enabled", false)},
		{"results could be public", "results bucket: public access", set(bucketOf(results), "iamConfiguration.publicAccessPrevention", "inherited")},
		{"deleted results are kept", "results bucket: soft delete", set(bucketOf(results), "softDeletePolicy.retentionDurationSeconds", "604800")},
		{"pages cannot read results", "results bucket: CORS", set(bucketOf(results), "cors", nil)},
		{"only one origin reads results", "results bucket: CORS", set(bucketOf(results), "cors", []any{object{"origin": []string{"https://portal.example.org"}, "method": []string{"GET", "HEAD"}}})},
		{"there is no bucket of manifests", "manifests bucket", gone(bucketOf(manifests))},
		{"manifests are never deleted", "manifests bucket: lifecycle", set(bucketOf(manifests), "lifecycle", nil)},
		{"manifests have rights of their own", "manifests bucket: uniform access", set(bucketOf(manifests), "iamConfiguration.uniformBucketLevelAccess.enabled", false)},
		{"manifests could be public", "manifests bucket: public access", set(bucketOf(manifests), "iamConfiguration.publicAccessPrevention", "inherited")},
		{"deleted manifests are kept", "manifests bucket: soft delete", set(bucketOf(manifests), "softDeletePolicy.retentionDurationSeconds", "604800")},
		{"manifests become no batches", "notifications of manifests", set(notificationsOf(manifests), "items", nil)},
		{"what is kept for orders becomes a batch", "notifications of manifests", func(w *world) { w.tells(manifests, "batch", "", "OBJECT_FINALIZE") }},
		{"deleted manifests become batches", "notifications of manifests", func(w *world) { w.tells(manifests, "batch", "owners/", "OBJECT_FINALIZE", "OBJECT_DELETE") }},
		{"each manifest is told of twice", "notifications of manifests", func(w *world) {
			items := w.things[notificationsOf(manifests)]["items"].([]any)
			w.set(notificationsOf(manifests), "items", append(items, items[0]))
		}},
		{"an archive forgot to tell", "notifications of archives", gone(notificationsOf("example-dr1"))},
		{"an archive does not tell of what went", "notifications of archives", func(w *world) { w.tells("example-dr1", "objects", "", "OBJECT_FINALIZE") }},
		{"an archive has no bucket", "archive dr1", gone(bucketOf("example-dr1") + "/o")},
		{"an archive's folder is empty", "archive dr1", set(bucketOf("example-dr1")+"/o", "items", []any{object{"name": "other/a.fits"}})},
	}
	return all
}

// failing returns the names of the checks that failed, and those that saw nothing.
func failing(t *testing.T) (failed, unseen []string) {
	t.Helper()
	findings, err := Examine(t.Context(), Config{Project: project, Region: region, Skip: []string{"service"}})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range findings {
		if f.Untried && (f.Group != "rights" || f.Outcome != OK) {
			t.Errorf("%+v: want only a right that is granted to be untried", f)
		}
		if names[f.Name] || f.Name == "" || f.Found == "" || (f.Outcome == Failed) != (f.Mend != "") {
			t.Errorf("%+v: want a name of its own, what was found, and what to mend if it failed", f)
		}
		names[f.Name] = true
		switch f.Outcome {
		case Failed:
			failed = append(failed, f.Name)
		case Unseen:
			unseen = append(unseen, f.Name)
		}
	}
	return failed, unseen
}

// A deployment that lacks nothing passes, whether or not the operator may act as its accounts.
func TestHealthy(t *testing.T) {
	for _, acting := range []bool{true, false} {
		w := healthy()
		w.acting = acting
		w.open(t)
		if failed, unseen := failing(t); len(failed)+len(unseen) > 0 {
			t.Errorf("acting as accounts %t: failed %q, not seen %q; want neither", acting, failed, unseen)
		}
		findings, err := Examine(t.Context(), Config{Project: project, Region: region, Skip: allBut("rights")})
		if err != nil {
			t.Fatal(err)
		}
		if untried := slices.ContainsFunc(findings, func(f Finding) bool { return f.Untried }); untried == acting {
			t.Errorf("acting as accounts %t: rights were not tried: %t", acting, untried)
		}
	}
}

// Where no archive tells of its objects there is no queue of them, and none is missed.
func TestNoArchiveTells(t *testing.T) {
	w := healthy()
	for _, name := range []string{"objects", "objects-dead"} {
		delete(w.things, topicThing(name))
		delete(w.things, subThing(name))
		delete(w.policies, topicThing(name))
		delete(w.policies, subThing(name))
	}
	delete(w.things, notificationsOf("example-dr1"))
	w.open(t)
	if failed, unseen := failing(t); len(failed)+len(unseen) > 0 {
		t.Errorf("failed %q, not seen %q; want neither", failed, unseen)
	}
}

// Each thing that is broken is named by exactly its check; with -v what is tried is printed.
func TestBreakages(t *testing.T) {
	named := map[string]bool{}
	for _, b := range breakages() {
		for _, acting := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, acting as accounts %t", b.what, acting), func(t *testing.T) {
				w := healthy()
				w.acting = acting
				b.do(w)
				w.open(t)
				if failed, _ := failing(t); !slices.Equal(failed, []string{b.check}) {
					t.Errorf("failed: %q, want %q", failed, b.check)
				}
				t.Logf("%s → %s", b.what, b.check)
			})
		}
		named[b.check] = true
	}
	t.Logf("%d breakages, %d checks", len(breakages()), len(named))
}

// Who may see nothing is told so, and of no failure; who cannot reach Google fails.
func TestNothingSeen(t *testing.T) {
	w := healthy()
	w.deny = true
	w.open(t)
	if failed, unseen := failing(t); len(failed) > 0 || len(unseen) < 30 {
		t.Errorf("with no right: failed %q, not seen %q; want none and all", failed, unseen)
	}
	t.Setenv(places[functionsAPI].variable, "http://127.0.0.1:1/")
	want := []string{"function soda", "function cutout", "function cutout-bulk", "function signer"}
	if failed, _ := failing(t); !slices.Equal(failed, want) {
		t.Errorf("without Google: failed %q, want %q", failed, want)
	}
}

func TestWronglyAsked(t *testing.T) {
	for what, c := range map[string]Config{
		"nothing":              {},
		"a project alone":      {Project: project},
		"a region alone":       {Region: region, URL: "http://127.0.0.1"},
		"a group that is none": {URL: "http://127.0.0.1", Skip: []string{"everything"}},
	} {
		if _, err := Examine(t.Context(), c); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
