package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The deployment of the tests.
const (
	project  = "example-soda-test"
	region   = "us-central1"
	agent    = "service-100000000009@gcp-sa-pubsub.iam.gserviceaccount.com"
	operator = "operator@example.org"

	storageAgent = "service-100000000009@gs-project-accounts.iam.gserviceaccount.com"
	survey       = "survey@" + project + ".iam.gserviceaccount.com" // writes manifests of its own
)

func email(who string) string { return "seltzer-" + who + "@" + project + ".iam.gserviceaccount.com" }

func runURL(name string) string {
	return fmt.Sprintf("https://%s-100000000009.%s.run.app", name, region)
}

type object = map[string]any

// world is Google Cloud as far as the doctor looks at it: what was put there, no more, and
// rights as policies grant them.
type world struct {
	things   map[string]object              // by API and path
	policies map[string]map[string][]string // members by role, by API and path of a thing
	acting   bool                           // the operator may act as accounts
	deny     bool                           // nobody may anything
}

// grants are the permissions of roles. Source: Google Cloud, "IAM roles and permissions
// index", as far as the doctor asks.
var grants = map[string][]string{
	"roles/pubsub.publisher":               {"pubsub.topics.publish"},
	"roles/pubsub.viewer":                  {"pubsub.topics.get"},
	"roles/pubsub.subscriber":              {"pubsub.subscriptions.consume"},
	"roles/storage.objectViewer":           {"storage.objects.get", "storage.objects.list"},
	"roles/storage.objectUser":             {"storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"},
	"roles/run.invoker":                    {"run.routes.invoke"},
	"roles/iam.serviceAccountTokenCreator": {"iam.serviceAccounts.signBlob"},
	"roles/datastore.user":                 {"datastore.entities.get", "datastore.entities.update"},
	"roles/datastore.viewer":               {"datastore.entities.get"},
	"roles/telemetry.metricsWriter":        {"monitoring.timeSeries.create"},
	"roles/telemetry.tracesWriter":         {"telemetry.traces.write"},
}

// may reports whether a member has a permission on a thing.
func (w *world) may(member, permission, on string) bool {
	for role, members := range w.policies[on] {
		if slices.Contains(grants[role], permission) && (slices.Contains(members, "serviceAccount:"+member) || slices.Contains(members, "allUsers")) {
			return true
		}
	}
	return false
}

func (w *world) grant(on, role string, members ...string) {
	if w.policies[on] == nil {
		w.policies[on] = map[string][]string{}
	}
	for _, m := range members {
		w.policies[on]["roles/"+role] = append(w.policies[on]["roles/"+role], "serviceAccount:"+m)
	}
}

// revoke takes a role on a thing away from a member.
func (w *world) revoke(on, role, member string) {
	list := w.policies[on]["roles/"+role]
	if !slices.Contains(list, "serviceAccount:"+member) {
		panic(member + " has no " + role + " on " + on)
	}
	w.policies[on]["roles/"+role] = slices.DeleteFunc(slices.Clone(list), func(m string) bool { return m == "serviceAccount:"+member })
}

// set changes a value of a thing, by its path; nil takes it away.
func (w *world) set(thing, path string, value any) {
	at, ok := w.things[thing]
	if !ok {
		panic("there is no " + thing)
	}
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(object)
	}
	if value == nil {
		delete(at, steps[len(steps)-1])
		return
	}
	at[steps[len(steps)-1]] = value
}

// Paths of things, by the APIs' names in the tests.
func in(name string) string            { return "projects/" + project + "/locations/" + region + "/" + name }
func functionThing(name string) string { return "functions/" + in("functions/"+name) }
func runThing(name string) string      { return "run/" + in("services/"+name) }
func topicThing(name string) string    { return "pubsub/projects/" + project + "/topics/" + name }
func subThing(name string) string      { return "pubsub/projects/" + project + "/subscriptions/" + name }
func accountThing(who string) string {
	return "iam/projects/" + project + "/serviceAccounts/" + email(who)
}
func bucketOf(name string) string          { return "storage/b/" + name }
func notificationsOf(bucket string) string { return bucketOf(bucket) + "/notificationConfigs" }
func fieldThing(group, f string) string {
	return databaseThing + "/collectionGroups/" + group + "/fields/" + f
}
func variable(name string) string { return "serviceConfig.environmentVariables." + name }

const (
	projectThing  = "projects/projects/" + project
	databaseThing = "firestore/projects/" + project + "/databases/seltzer"
	indexesThing  = databaseThing + "/collectionGroups/jobs/indexes"
	sweepThing    = "scheduler/projects/" + project + "/locations/" + region + "/jobs/sweep"
)

// healthy returns a deployment that lacks nothing.
func healthy() *world {
	w := &world{things: map[string]object{}, policies: map[string]map[string][]string{}, acting: true}
	shared := object{"SELTZER_PROJECT": project, "SELTZER_DATABASE": "seltzer", "SELTZER_WATCH_CONNECTIONS": "4", "SELTZER_BEHIND_IAM": "true", "GOMEMLIMIT": "1843MiB"}
	work := object{
		"SELTZER_TOPIC_INTERACTIVE": "interactive", "SELTZER_TOPIC_BULK": "bulk", "SELTZER_AUTHORITY": "example.org",
		"SELTZER_ARCHIVES": "dr1=gs://example-dr1/images,dr2=gs://example-dr2", "SELTZER_BATCH_BUCKET": project + "-batch",
	}
	cut := object{
		"SELTZER_RESULTS_BUCKET": project + "-results", "SELTZER_PUSH_ACCOUNT": email("push"), "SELTZER_SWEEP_ACCOUNT": email("scheduler"),
		"SELTZER_TOPIC_JOB_ENDED": "job-ended", "SELTZER_MAX_CUTOUT": "17179869184", "SELTZER_VERSION": "v1", "SELTZER_MEMORY": "1073741824",
	}
	for name, f := range map[string]struct {
		runs, ingress string
		timeout       int
		own           []object
	}{
		soda: {soda, "ALLOW_ALL", 60, []object{work, {
			"SELTZER_PUBLIC_URL": runURL(soda), "SELTZER_SIGNER_URL": runURL(signer), "SELTZER_AUTH": "none",
			"SELTZER_MAX_EXECUTION": "510s", "SELTZER_SYNC_WAIT": "50s", "SELTZER_BEHIND_IAM": "false",
		}}},
		cutout: {cutout, "ALLOW_INTERNAL_ONLY", 540, []object{work, cut}},
		bulk:   {cutout, "ALLOW_INTERNAL_ONLY", 540, []object{work, cut}},
		signer: {signer, "ALLOW_ALL", 30, []object{{
			"SELTZER_RESULTS_BUCKET": project + "-results", "SELTZER_SIGNING_ACCOUNT": email(signer), "SELTZER_SODA_ACCOUNT": email(soda),
		}}},
	} {
		variables := object{"SELTZER_AUDIENCE": runURL(name)}
		for _, set := range append([]object{shared}, f.own...) {
			maps.Copy(variables, set)
		}
		w.things[functionThing(name)] = object{
			"state": "ACTIVE", "buildConfig": object{"entryPoint": f.runs},
			"serviceConfig": object{
				"serviceAccountEmail": email(f.runs), "ingressSettings": f.ingress, "timeoutSeconds": f.timeout,
				"availableMemory": "2048Mi", "environmentVariables": variables, "uri": "https://" + name + "-abcdefghij-uc.a.run.app",
			},
		}
		w.policies[runThing(name)] = map[string][]string{}
	}
	w.policies[runThing(soda)]["roles/run.invoker"] = []string{"allUsers"}
	w.grant(runThing(cutout), "run.invoker", email("push"), email("scheduler"))
	w.grant(runThing(bulk), "run.invoker", email("push"))
	w.grant(runThing(signer), "run.invoker", email(soda))
	for _, who := range []string{soda, cutout, signer, "push", "scheduler"} {
		w.things[accountThing(who)] = object{"email": email(who)}
		w.policies[accountThing(who)] = map[string][]string{}
	}
	w.grant(accountThing(signer), "iam.serviceAccountTokenCreator", email(signer))
	w.grant(accountThing("push"), "iam.serviceAccountTokenCreator", agent)
	w.grant(projectThing, "datastore.user", email(soda), email(cutout))
	w.grant(projectThing, "datastore.viewer", email(signer))
	w.grant(projectThing, "telemetry.metricsWriter", email(soda), email(cutout), email(signer))
	w.grant(projectThing, "telemetry.tracesWriter", email(soda), email(cutout), email(signer))
	w.queues()
	w.database()
	w.buckets()
	return w
}

func (w *world) queues() {
	for queue, takes := range map[string][2]string{"interactive": {cutout, "/"}, "bulk": {bulk, "/"}, "batch": {bulk, "/batch"}, "objects": {cutout, "/objects"}} {
		worker := takes[0]
		for name, path := range map[string]string{queue: takes[1], queue + "-dead": "/dead-letter"} {
			w.things[topicThing(name)] = object{"name": strings.TrimPrefix(topicThing(name), "pubsub/")}
			w.things[subThing(name)] = object{
				"topic": strings.TrimPrefix(topicThing(name), "pubsub/"), "state": "ACTIVE", "ackDeadlineSeconds": 600, "expirationPolicy": object{},
				"pushConfig": object{"pushEndpoint": runURL(worker) + path, "oidcToken": object{"serviceAccountEmail": email("push"), "audience": runURL(worker)}},
			}
		}
		w.set(subThing(queue), "deadLetterPolicy", object{"deadLetterTopic": strings.TrimPrefix(topicThing(queue+"-dead"), "pubsub/"), "maxDeliveryAttempts": 100})
		if takes[1] == "/" {
			w.grant(topicThing(queue), "pubsub.publisher", email(soda), email(cutout))
			w.grant(topicThing(queue), "pubsub.viewer", email(soda), email(cutout))
		} else {
			w.grant(topicThing(queue), "pubsub.publisher", storageAgent)
		}
		w.grant(topicThing(queue+"-dead"), "pubsub.publisher", agent)
		w.grant(subThing(queue), "pubsub.subscriber", agent)
	}
	w.things[topicThing("job-ended")] = object{}
	w.grant(topicThing("job-ended"), "pubsub.publisher", email(cutout))
	w.things[sweepThing] = object{
		"state": "ENABLED", "schedule": "* * * * *", "lastAttemptTime": "2026-01-01T00:00:00Z", "status": object{},
		"httpTarget": object{"uri": runURL(cutout) + "/sweep", "httpMethod": "POST", "oidcToken": object{"serviceAccountEmail": email("scheduler"), "audience": runURL(cutout)}},
	}
}

func (w *world) database() {
	w.things[databaseThing] = object{"type": "FIRESTORE_NATIVE"}
	list, err := needs()
	if err != nil {
		panic(err)
	}
	groups := map[string][]any{}
	for _, i := range list.Indexes {
		var fields []any
		for _, f := range i.Fields {
			fields = append(fields, object{"fieldPath": f.FieldPath, "order": f.Order, "arrayConfig": f.ArrayConfig})
		}
		fields = append(fields, object{"fieldPath": "__name__", "order": "ASCENDING"}) // which Firestore adds
		groups[i.CollectionGroup] = append(groups[i.CollectionGroup], object{"state": "READY", "queryScope": "COLLECTION", "fields": fields})
	}
	for group, indexes := range groups {
		w.things[databaseThing+"/collectionGroups/"+group+"/indexes"] = object{"indexes": indexes}
	}
	for _, f := range list.FieldOverrides {
		thing := object{"indexConfig": object{"indexes": f.Indexes}}
		if f.TTL {
			thing["ttlConfig"] = object{"state": "ACTIVE"}
		}
		w.things[fieldThing(f.CollectionGroup, f.FieldPath)] = thing
	}
}

func (w *world) buckets() {
	results, manifests := project+"-results", project+"-batch"
	for _, name := range []string{results, manifests} {
		w.things[bucketOf(name)] = object{
			"lifecycle": object{"rule": []any{
				object{"action": object{"type": "Delete"}, "condition": object{"age": 30}},
				object{"action": object{"type": "AbortIncompleteMultipartUpload"}, "condition": object{"age": 1}},
			}},
			"iamConfiguration": object{"uniformBucketLevelAccess": object{"enabled": true}, "publicAccessPrevention": "enforced"},
			"softDeletePolicy": object{"retentionDurationSeconds": "0"},
		}
	}
	w.set(bucketOf(results), "cors", []any{object{"origin": []string{"*"}, "method": []string{"GET", "HEAD"}}})
	w.tells(manifests, "batch", "owners/", "OBJECT_FINALIZE")
	w.tells("example-dr1", "objects", "", "OBJECT_FINALIZE", "OBJECT_DELETE")
	w.grant(bucketOf(manifests), "storage.objectViewer", email(cutout))
	w.grant(bucketOf(manifests), "storage.objectCreator", survey)
	w.grant(bucketOf(results), "storage.objectUser", email(cutout))
	w.grant(bucketOf(results), "storage.objectViewer", email(signer))
	for bucket, name := range map[string]string{"example-dr1": "images/a.fits", "example-dr2": "b.fits"} {
		w.things[bucketOf(bucket)] = object{}
		w.things[bucketOf(bucket)+"/o"] = object{"items": []any{object{"name": name}}}
		w.grant(bucketOf(bucket), "storage.objectViewer", email(soda), email(cutout))
	}
}

// tells has a bucket tell a topic of its objects below a prefix, and of nothing else.
func (w *world) tells(bucket, topic, prefix string, events ...string) {
	w.things[notificationsOf(bucket)] = object{"items": []any{object{
		"topic": "//pubsub.googleapis.com/projects/" + project + "/topics/" + topic, "payload_format": "JSON_API_V1",
		"object_name_prefix": prefix, "event_types": events,
	}}}
}

func answer(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

func refuse(rw http.ResponseWriter, status int, why string) {
	answer(rw, status, object{"error": object{"code": status, "message": why}})
}

// ServeHTTP serves /API/path.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	caller := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	path := strings.TrimPrefix(r.URL.Path, "/")
	var body object
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			refuse(rw, 400, err.Error())
			return
		}
	}
	thing, verb, _ := strings.Cut(path, ":")
	switch {
	case w.deny:
		refuse(rw, 403, "Permission denied.")
	case strings.HasPrefix(path, "credentials/"):
		w.credentials(rw, caller, thing[strings.LastIndexByte(thing, '/')+1:], verb, body)
	case verb == "getIamPolicy" || strings.HasSuffix(path, "/iam"):
		thing = strings.TrimSuffix(thing, "/iam")
		w.policy(rw, thing)
	case verb == "testIamPermissions" || strings.HasSuffix(path, "/iam/testPermissions"):
		thing = strings.TrimSuffix(thing, "/iam/testPermissions")
		if w.policies[thing] == nil {
			refuse(rw, 404, "not found: "+thing)
			return
		}
		asked := r.URL.Query()["permissions"]
		if list, ok := body["permissions"].([]any); ok {
			for _, p := range list {
				asked = append(asked, p.(string))
			}
		}
		answer(rw, 200, object{"permissions": slices.DeleteFunc(asked, func(p string) bool { return !w.may(caller, p, thing) })})
	case strings.Contains(path, "/documents"):
		w.documents(rw, caller, r.Method)
	case r.Method != http.MethodGet:
		refuse(rw, 405, "only reading")
	case w.things[path] == nil:
		refuse(rw, 404, "not found: "+path)
	case strings.HasSuffix(path, "/o"):
		w.list(rw, caller, path, r.URL.Query())
	default:
		answer(rw, 200, w.things[path])
	}
}

func (w *world) policy(rw http.ResponseWriter, thing string) {
	roles, known := w.policies[thing]
	if !known {
		refuse(rw, 404, "no policy of "+thing)
		return
	}
	var bindings []any
	for role, members := range roles {
		b := object{"role": role, "members": members}
		if strings.HasPrefix(role, "roles/datastore.") {
			b["condition"] = object{"expression": fmt.Sprintf("resource.name == %q", "projects/"+project+"/databases/seltzer")}
		}
		if role == "roles/storage.objectCreator" {
			b["condition"] = object{"expression": fmt.Sprintf("resource.name.startsWith(%q)", "projects/_/buckets/"+project+"-batch/objects/owners/survey@example.org/")}
		}
		bindings = append(bindings, b)
	}
	answer(rw, 200, object{"bindings": bindings})
}

func (w *world) credentials(rw http.ResponseWriter, caller, account, verb string, body object) {
	known := slices.ContainsFunc(slices.Collect(maps.Keys(w.things)), func(k string) bool { return strings.HasSuffix(k, "/serviceAccounts/"+account) })
	switch {
	case !known:
		refuse(rw, 404, "no such account")
	case verb == "signBlob" && w.may(caller, "iam.serviceAccounts.signBlob", "iam/projects/"+project+"/serviceAccounts/"+account):
		answer(rw, 200, object{"signedBlob": "c2lnbmVk"})
	case verb == "generateAccessToken" && w.acting && caller == operator:
		answer(rw, 200, object{"accessToken": account})
	case verb == "generateIdToken" && w.acting && caller == operator:
		answer(rw, 200, object{"token": fmt.Sprintf("%s for %v", account, body["audience"])})
	default:
		refuse(rw, 403, caller+" may not "+verb+" as "+account)
	}
}

// documents answers to what the doctor tries: nothing is there.
func (w *world) documents(rw http.ResponseWriter, caller, method string) {
	permission := map[string]string{http.MethodGet: "datastore.entities.get", http.MethodPost: "datastore.entities.update"}[method]
	switch {
	case w.things[databaseThing] == nil:
		refuse(rw, 404, "no such database")
	case !w.may(caller, permission, projectThing):
		refuse(rw, 403, "Missing or insufficient permissions.")
	default:
		refuse(rw, 404, "no such document")
	}
}

func (w *world) list(rw http.ResponseWriter, caller, path string, query url.Values) {
	bucket := strings.TrimSuffix(path, "/o")
	if caller != operator && !w.may(caller, "storage.objects.list", bucket) {
		refuse(rw, 403, caller+" may not list "+bucket)
		return
	}
	items, _ := w.things[path]["items"].([]any)
	answer(rw, 200, object{"items": slices.DeleteFunc(slices.Clone(items), func(i any) bool {
		return !strings.HasPrefix(i.(object)["name"].(string), query.Get("prefix"))
	})})
}

// open has the doctor ask this world.
func (w *world) open(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	for name, p := range places {
		t.Setenv(p.variable, server.URL+"/"+string(name)+"/")
	}
	t.Setenv("GOOGLE_OAUTH_ACCESS_TOKEN", operator)
	t.Setenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "")
}
