package doctor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// right is one that an account needs.
type right struct {
	what        string // ACCOUNT may WHAT
	who         string // the account, as the settings call it: cutout, push, …
	email       string // its address
	role        string // that terraform/ grants
	on          thing
	condition   string   // that stands in the grant's condition, if it has one
	permissions []string // what the account must be able to do
	try         func(ctx context.Context, by tokens) error
}

// rights returns what each account needs, as package cloud documents it.
func (d *deployment) rights() (all []right) {
	add := func(who, what, role string, on thing, permissions ...string) {
		all = append(all, right{what: what, who: who, email: d.account(who), role: "roles/" + role, on: on, permissions: permissions})
	}
	project := thing{projectsAPI, d.of(), "the project"}
	for _, who := range []string{soda, cutout, signer} {
		add(who, "write metrics", "telemetry.metricsWriter", project, "monitoring.timeSeries.create")
		add(who, "write traces", "telemetry.tracesWriter", project, "telemetry.traces.write")
		reads := right{what: "read jobs", who: who, email: d.account(who), role: "roles/datastore.user", on: project, condition: "databases/" + d.databaseName() + "\"", try: d.readJobs}
		writes := reads
		writes.what, writes.try = "write jobs", d.writeJobs
		if who == signer {
			reads.role = "roles/datastore.viewer"
			all = append(all, reads)
			continue
		}
		all = append(all, reads, writes)
		for _, variable := range []string{"SELTZER_TOPIC_INTERACTIVE", "SELTZER_TOPIC_BULK"} {
			topic := d.agreed(variable)
			add(who, "publish to "+topic, "pubsub.publisher", d.topic(topic), "pubsub.topics.publish")
			add(who, "see "+topic, "pubsub.viewer", d.topic(topic), "pubsub.topics.get")
		}
		for _, a := range d.archives() {
			if bucket, _, ok := a.bucket(); ok {
				add(who, "read the archive "+a.name, "storage.objectViewer", bucketThing(bucket), "storage.objects.get", "storage.objects.list")
			}
		}
	}
	results := bucketThing(d.results())
	add(cutout, "write results", "storage.objectUser", results, "storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.delete")
	add(signer, "read results", "storage.objectViewer", results, "storage.objects.get")
	add(cutout, "read manifests", "storage.objectViewer", bucketThing(d.manifests()), "storage.objects.get")
	add(cutout, "tell of batches that ended", "pubsub.publisher", d.topic(d.agreed("SELTZER_TOPIC_JOB_ENDED")), "pubsub.topics.publish")
	all = append(all, right{
		what: "sign in its own name", who: signer, email: d.account(signer), role: "roles/iam.serviceAccountTokenCreator",
		on: d.accountThing(d.account(signer)), try: d.sign(d.account(signer)),
	})
	add("push", "call cutout", "run.invoker", d.callers(cutout), "run.routes.invoke")
	add("push", "call cutout-bulk", "run.invoker", d.callers(bulk), "run.routes.invoke")
	add("scheduler", "call cutout", "run.invoker", d.callers(cutout), "run.routes.invoke")
	add(soda, "call signer", "run.invoker", d.callers(signer), "run.routes.invoke")
	return all
}

// agents are the ends of the addresses of Google's own accounts.
// Source: Google Cloud, "Service agents".
var agents = map[string]string{
	pubSub:  "@gcp-sa-pubsub.iam.gserviceaccount.com",
	storage: "@gs-project-accounts.iam.gserviceaccount.com",
}

const (
	pubSub  = "Pub/Sub"
	storage = "Cloud Storage"
)

// rightChecks look at the rights that accounts need, and at some that nobody may have.
func (d *deployment) rightChecks() (all []check) {
	for _, r := range d.rights() {
		all = append(all, check{r.who + " may " + r.what, func(ctx context.Context) verdict { return d.holds(ctx, r) }})
	}
	agent := func(of, what, role string, on thing, unless func(func(context.Context) verdict) func(context.Context) verdict) {
		all = append(all, check{of + " may " + what, unless(func(ctx context.Context) verdict {
			return d.granted(ctx, of+"'s agent", "roles/"+role, on, "", func(m string) bool { return strings.HasSuffix(m, agents[of]) })
		})})
	}
	push, sweep, caller := d.account("push"), d.account("scheduler"), d.account(soda)
	agent(pubSub, "make the tokens of pushes", "iam.serviceAccountTokenCreator", d.accountThing(push), aQueue{}.unless)
	for _, queue := range d.queues() {
		agent(pubSub, "publish to "+queue.topic+"-dead", "pubsub.publisher", d.topic(queue.topic+"-dead"), queue.unless)
		agent(pubSub, "take from "+queue.topic, "pubsub.subscriber", d.subscription(queue.topic), queue.unless)
		if queue.told {
			agent(storage, "publish to "+queue.topic, "pubsub.publisher", d.topic(queue.topic), queue.unless)
		}
	}
	return append(all,
		d.nobodyElse(cutout, push, sweep), d.nobodyElse(bulk, push), d.nobodyElse(signer, caller),
		check{"soda is as open as it is told", d.sodaIsOpen},
		check{"nobody else reads results", d.resultsAreClosed},
		check{"manifests are written by their owners", d.manifestsAreOwned},
	)
}

// holds tries a right in the name of its account; or, for who may not, looks it up.
func (d *deployment) holds(ctx context.Context, r right) verdict {
	if r.email == "" || strings.HasSuffix(r.on.path, "/") {
		return unseen("it is not known which account or what it is on")
	}
	by := d.as(r.email)
	if _, err := by(ctx); err != nil {
		v := d.granted(ctx, r.email, r.role, r.on, r.condition, func(m string) bool { return m == "serviceAccount:"+r.email || m == "allUsers" })
		if v.outcome == OK {
			v.found += fmt.Sprintf(", but it was not tried: you may not act as that account (%v)", err)
			v.untried = true
		}
		return v
	}
	mend := fmt.Sprintf("give %s %s on %s by %s", r.email, r.role, r.on.name, apply)
	if r.try != nil {
		switch err := r.try(ctx, by); status(err) {
		case http.StatusForbidden, http.StatusUnauthorized:
			return failed(mend, "it may not: %v", err)
		default:
			if err != nil {
				return unseen("it could not be tried: %v", err)
			}
			return ok("it was tried")
		}
	}
	lacking, err := d.may(ctx, by, r.on, r.permissions)
	switch {
	case status(err) == http.StatusForbidden:
		return failed(mend, "it may not: %v", err)
	case err != nil:
		return unseen("it could not be tried: %v", err)
	case len(lacking) > 0:
		return failed(mend, "it lacks %s on %s", strings.Join(lacking, ", "), r.on.name)
	}
	return ok("it was tried")
}

// granted looks whether the policy of a thing grants a role.
func (d *deployment) granted(ctx context.Context, who, role string, on thing, condition string, member func(string) bool) verdict {
	p, err := d.policyOf(ctx, on)
	if err != nil {
		return unseen("the rights on %s could not be read: %v", on.name, err)
	}
	if !p.has(role, member, condition) {
		return failed(fmt.Sprintf("give %s %s on %s by %s", who, role, on.name, apply), "%s has not %s on %s", who, role, on.name)
	}
	return ok("%s is granted", role)
}

// readJobs reads a document that is not there.
func (d *deployment) readJobs(ctx context.Context, by tokens) error {
	err := d.ask(ctx, by, http.MethodGet, firestoreAPI, d.database()+"/documents/doctor/nothing", nil, nil)
	if status(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// writeJobs changes a document that is not there, which fails and leaves nothing.
func (d *deployment) writeJobs(ctx context.Context, by tokens) error {
	err := d.ask(ctx, by, http.MethodPost, firestoreAPI, d.database()+"/documents:commit", map[string]any{
		"writes": []any{map[string]any{
			"update":          map[string]any{"name": d.database() + "/documents/doctor/nothing"},
			"currentDocument": map[string]any{"exists": true},
		}},
	}, nil)
	if s := status(err); s == http.StatusNotFound || s == http.StatusBadRequest { // NOT_FOUND, FAILED_PRECONDITION
		return nil
	}
	return err
}

// sign has a text signed in the name of an account.
func (d *deployment) sign(email string) func(context.Context, tokens) error {
	return func(ctx context.Context, by tokens) error {
		var answer struct{ SignedBlob string }
		err := d.ask(ctx, by, http.MethodPost, credentialsAPI, "projects/-/serviceAccounts/"+email+":signBlob",
			map[string]any{"payload": base64.StdEncoding.EncodeToString([]byte("seltzer doctor"))}, &answer)
		if err == nil && answer.SignedBlob == "" {
			err = errors.New("there was no signature in the answer")
		}
		return err
	}
}

const invoker = "roles/run.invoker"

// nobodyElse looks whether only those who must may call a function.
func (d *deployment) nobodyElse(deployment string, callers ...string) check {
	return check{"nobody else may call " + deployment, func(ctx context.Context) verdict {
		p, err := d.policyOf(ctx, d.callers(deployment))
		if err != nil || slices.Contains(callers, "") {
			return unseen("who may call %s could not be read: %v", deployment, err)
		}
		for _, m := range p.members(invoker) {
			if !slices.Contains(callers, strings.TrimPrefix(m, "serviceAccount:")) {
				return failed(fmt.Sprintf("gcloud run services remove-iam-policy-binding %s --region=%s --role=%s --member=%s", deployment, d.region, invoker, m), "%s may call %s", m, deployment)
			}
		}
		return ok("only %s", strings.Join(callers, ", "))
	}}
}

// sodaIsOpen looks whether soda checks the tokens that Google does not.
func (d *deployment) sodaIsOpen(ctx context.Context) verdict {
	p, err := d.policyOf(ctx, d.callers(soda))
	if err != nil || d.functions[soda].err != nil {
		return unseen("who may call soda could not be read: %v", errors.Join(err, d.functions[soda].err))
	}
	public := slices.Contains(p.members(invoker), "allUsers")
	if behind := d.setting(soda, "SELTZER_BEHIND_IAM") == "true"; public == behind {
		return failed(apply, "everybody may call soda: %t; and it is told that Google checks its callers: %t", public, behind)
	}
	return ok("everybody may call it: %t", public)
}

// resultsAreClosed looks whether only cutout and signer reach results.
func (d *deployment) resultsAreClosed(ctx context.Context) verdict {
	bucket := d.results()
	p, err := d.policyOf(ctx, bucketThing(bucket))
	if err != nil || d.account(cutout) == "" || d.account(signer) == "" {
		return unseen("the rights on %s, or whose they should be, could not be read: %v", bucket, err)
	}
	let := []string{"serviceAccount:" + d.account(cutout), "serviceAccount:" + d.account(signer)}
	for _, b := range p.Bindings {
		for _, m := range b.Members {
			// Owners and editors of the project reach it by the roles that every bucket begins with.
			if !slices.Contains(let, m) && !strings.HasPrefix(m, "project") {
				return failed(fmt.Sprintf("gcloud storage buckets remove-iam-policy-binding gs://%s --role=%s --member=%s", bucket, b.Role, m), "%s has %s on the results", m, b.Role)
			}
		}
	}
	return ok("only cutout and signer")
}

// manifestsAreOwned looks whether who writes manifests may do so below an owner's folder
// alone: whose batch it becomes is said by the folder.
func (d *deployment) manifestsAreOwned(ctx context.Context) verdict {
	bucket := d.manifests()
	if bucket == "" {
		return unseen("no function is told which bucket it is")
	}
	p, err := d.policyOf(ctx, bucketThing(bucket))
	if err != nil {
		return unseen("the rights on %s could not be read: %v", bucket, err)
	}
	own := regexp.MustCompile(`^resource\.name\.startsWith\("projects/_/buckets/` + regexp.QuoteMeta(bucket) + `/objects/owners/[^/"]+/"\)$`)
	for _, b := range p.Bindings {
		if b.Role == "roles/storage.objectViewer" || b.Condition != nil && own.MatchString(b.Condition.Expression) {
			continue
		}
		for _, m := range b.Members {
			if !strings.HasPrefix(m, "project") { // owners and editors of the project, by the roles that every bucket begins with
				return failed(fmt.Sprintf("take %s on gs://%s from %s, and name it in batch_writers; then %s", b.Role, bucket, m, apply), "%s has %s on the manifests of all owners", m, b.Role)
			}
		}
	}
	return ok("each below a folder of its own")
}
