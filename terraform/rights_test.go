package terraform

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/batch"
)

// right is a role that a member has on something.
type right struct {
	Member, Role, On string
}

// rights returns what is granted, with everything called by its name within an environment.
func (e environment) rights() (all []right) {
	for _, r := range e.resources {
		member := r.text("member")
		if !strings.HasSuffix(r.Type, "_iam_member") {
			continue
		}
		all = append(all, right{e.called(member), strings.TrimPrefix(r.text("role"), "roles/"), e.on(r)})
	}
	return all
}

// called returns the short name of a member: of an account of ours, or an agent of Google's.
func (e environment) called(member string) string {
	project := regexp.QuoteMeta(fmt.Sprint(e.variables["project_id"]))
	number := regexp.QuoteMeta(fmt.Sprint(e.variables["project_number"]))
	if m := regexp.MustCompile(`^serviceAccount:seltzer-([a-z]+)@` + project + `\.iam\.gserviceaccount\.com$`).FindStringSubmatch(member); m != nil {
		return m[1]
	}
	if m := regexp.MustCompile(`^serviceAccount:service-` + number + `@(gcp-sa-pubsub|gcp-sa-iap|gs-project-accounts)\.iam\.gserviceaccount\.com$`).FindStringSubmatch(member); m != nil {
		return "agent of " + map[string]string{"gcp-sa-pubsub": "Pub/Sub", "gcp-sa-iap": "Identity-Aware Proxy", "gs-project-accounts": "Cloud Storage"}[m[1]]
	}
	return member
}

// on says what a right is on.
func (e environment) on(r resource) string {
	switch r.Type {
	case "google_cloud_run_v2_service_iam_member":
		return "function " + r.text("name")
	case "google_storage_bucket_iam_member":
		if r.text("bucket") == fmt.Sprint(e.variables["project_id"], "-results") {
			return "bucket of results"
		}
		if r.text("bucket") == fmt.Sprint(e.variables["project_id"], "-batch") {
			return "bucket of manifests"
		}
		return "buckets of archives"
	case "google_pubsub_topic_iam_member", "google_pubsub_subscription_iam_member":
		kind := strings.Split(r.Type, "_")[2]
		queue := regexp.MustCompile(`module\.queue\["(\w+)"\]`).FindStringSubmatch(r.Address)
		if queue == nil && r.Name == "job_ended" {
			return "topic job-ended"
		}
		if queue == nil {
			return r.Address
		}
		if kind == "topic" && r.Name == "agent" {
			return "topic " + queue[1] + "-dead"
		}
		return kind + " " + queue[1]
	case "google_service_account_iam_member":
		return "account " + r.Name
	case "google_project_iam_member":
		switch {
		case r.text("condition", "expression") == fmt.Sprintf("resource.name == %q", fmt.Sprintf("projects/%s/databases/seltzer", e.variables["project_id"])):
			return "database seltzer"
		case strings.Contains(r.text("condition", "expression"), "/repositories/gcf-artifacts\")"):
			return "repository gcf-artifacts"
		case strings.Contains(r.text("condition", "expression"), "/buckets/gcf-v2-sources-"):
			return "bucket gcf-v2-sources"
		}
		return "project"
	}
	return r.Address
}

const (
	diagramBegins = "```mermaid\n"
	diagramEnds   = "```\n"
)

// diagram draws rights, grouped by account. Mermaid, https://mermaid.js.org/syntax/flowchart.html.
func diagram(rights []right) string {
	ids := map[string]string{}
	id := func(prefix, name string) string {
		key := prefix + name
		if ids[key] == "" {
			ids[key] = fmt.Sprintf("%s%d", prefix, len(ids))
		}
		return ids[key]
	}
	edges := map[[2]string][]string{}
	for _, r := range rights {
		pair := [2]string{r.Member, r.On}
		if !slices.Contains(edges[pair], r.Role) {
			edges[pair] = append(edges[pair], r.Role)
		}
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	pairs := slices.SortedFunc(maps.Keys(edges), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, p := range pairs {
		slices.Sort(edges[p])
		fmt.Fprintf(&b, "    %s([%s]) -- %s --> %s[%s]\n", id("a", p[0]), p[0], strings.Join(edges[p], ", "), id("r", p[1]), p[1])
	}
	return b.String()
}

// The diagram of README.md is what is planned: nobody has another right. A proxy, the people
// whom an operator lets in and everybody, where a service is public, may call soda besides;
// where archives tell of their objects the queue of these has the rights that others have.
func TestRights(t *testing.T) {
	for name, e := range planned(t) {
		rights := slices.DeleteFunc(e.rights(), func(r right) bool {
			return strings.Contains(r.Member, ":") || r.Member == "allUsers" || strings.HasSuffix(r.On, " objects") || strings.HasSuffix(r.On, " objects-dead")
		})
		got := diagram(rights)
		text, err := os.ReadFile("README.md")
		if err != nil {
			t.Fatal(err)
		}
		before, rest, _ := strings.Cut(string(text), diagramBegins+"flowchart LR\n")
		want, after, found := strings.Cut(rest, diagramEnds)
		if !found {
			t.Fatal("README.md holds no diagram of accounts and rights")
		}
		if *update {
			if err := os.WriteFile("README.md", []byte(before+diagramBegins+got+diagramEnds+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if want = "flowchart LR\n" + want; got != want {
			t.Errorf("%s: the rights are\n%s\nand README.md draws\n%s\n(go test -run TestRights -update writes it anew)", name, got, want)
		}
	}
}

// Nobody but our accounts and Google's agents has a right, but for those whom the operator
// lets call soda.
func TestMembers(t *testing.T) {
	for name, e := range planned(t) {
		let := map[string]bool{"allUsers": e.variables["public"] == true}
		if auth, ok := e.variables["auth"].(map[string]any); ok && auth["proxy_account"] != nil {
			let["serviceAccount:"+auth["proxy_account"].(string)] = true
		}
		for _, r := range e.rights() {
			if (strings.Contains(r.Member, ":") || r.Member == "allUsers") && (!let[r.Member] || r.On != "function soda" || r.Role != "run.invoker") {
				if !e.writes(r) && !e.orders(r) {
					t.Errorf("%s: %s has %s on %s", name, r.Member, r.Role, r.On)
				}
			}
		}
		for _, kind := range []string{"_iam_binding", "_iam_policy", "_acl", "_access_control"} {
			for _, r := range e.resources {
				if strings.HasSuffix(r.Type, kind) {
					t.Errorf("%s: %s takes rights away from others, or gives them outside of IAM", name, r.Address)
				}
			}
		}
		for deployment, f := range e.functions() {
			public := slices.Contains(e.rights(), right{"allUsers", "run.invoker", "function " + deployment})
			if behind := f.variables()["SELTZER_BEHIND_IAM"]; behind != fmt.Sprint(!public) {
				t.Errorf("%s: %s is public: %t, and is told that Google checks its callers: %s", name, deployment, public, behind)
			}
		}
	}
}

// Each archive's bucket is granted once to each reader, unless its owner does that.
func TestArchiveGrants(t *testing.T) {
	for name, e := range planned(t) {
		want := map[string]int{}
		for _, a := range e.variables["archives"].(map[string]any) {
			archive := a.(map[string]any)
			if bucket, ok := strings.CutPrefix(archive["url"].(string), "gs://"); ok && archive["grant"] != false {
				bucket, _, _ = strings.Cut(bucket, "/")
				want["soda "+bucket], want["cutout "+bucket] = 1, 1
			}
		}
		got := map[string]int{}
		for _, r := range e.of("google_storage_bucket_iam_member") {
			if e.on(r) == "buckets of archives" {
				got[e.called(r.text("member"))+" "+r.text("bucket")]++
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: the grants of archives are %v, want %v", name, got, want)
		}
	}
}

// notifies reports whether an archive tells of its objects.
func (e environment) notifies() bool { return len(e.of("google_storage_notification")) > 1 }

// writes reports whether a right is that of a member to whom batch_writers lets an owner's
// manifests.
func (e environment) writes(r right) bool {
	owners, _ := e.variables["batch_writers"].(map[string]any)
	for _, members := range owners {
		if all, _ := members.([]any); slices.Contains(all, any(r.Member)) {
			return r.Role == "storage.objectCreator" && r.On == "bucket of manifests"
		}
	}
	return false
}

// orders reports whether a right is that of a member whom batch_orders lets publish orders.
func (e environment) orders(r right) bool {
	orders, _ := e.variables["batch_orders"].(map[string]any)
	publishers, _ := orders["publishers"].([]any)
	return slices.Contains(publishers, any(r.Member)) && r.Role == "pubsub.publisher" && r.On == "topic batch"
}

// Orders are published by Cloud Storage and those whom the operator lets; rows in a message are
// whose the operator says, in both deployments that read them.
func TestBatchOrders(t *testing.T) {
	let := 0
	for name, e := range planned(t) {
		orders, _ := e.variables["batch_orders"].(map[string]any)
		publishers, _ := orders["publishers"].([]any)
		want, got := map[string]bool{"agent of Cloud Storage": true}, map[string]bool{}
		for _, member := range publishers {
			let++
			want[member.(string)] = true
		}
		for _, r := range e.rights() {
			if r.On == "topic batch" {
				got[r.Member] = r.Role == "pubsub.publisher"
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: orders are published by\n%s\nwant\n%s", name, lines(got), lines(want))
		}
		owner, _ := orders["rows_owner"].(string)
		for _, deployment := range []string{"cutout", "cutout-bulk"} {
			if told := e.functions()[deployment].variables()["SELTZER_BATCH_OWNER"]; told != owner {
				t.Errorf("%s: %s is told that rows are %q's; want %q", name, deployment, told, owner)
			}
		}
	}
	if let == 0 {
		t.Error("no environment lets anybody publish orders, so nothing is shown")
	}
}

// Who writes manifests of an owner writes them below that owner's folder and nowhere else, by
// the rule of package batch; and the bucket tells of these folders alone.
func TestBatchWriters(t *testing.T) {
	granted := 0
	for name, e := range planned(t) {
		bucket := fmt.Sprint(e.variables["project_id"], "-batch")
		want, got := map[string]bool{}, map[string]bool{}
		owners, _ := e.variables["batch_writers"].(map[string]any)
		for owner, members := range owners {
			for _, member := range members.([]any) {
				granted++
				want[fmt.Sprintf("%s resource.name.startsWith(%q)", member, "projects/_/buckets/"+bucket+"/objects/"+batch.Folder(owner))] = true
			}
		}
		for _, r := range e.of("google_storage_bucket_iam_member") {
			if r.text("bucket") == bucket && r.text("role") != "roles/storage.objectViewer" {
				got[r.text("member")+" "+r.text("condition", "expression")] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: manifests are written by\n%s\nwant\n%s", name, lines(got), lines(want))
		}
		for _, n := range e.of("google_storage_notification") {
			events, _ := n.value("event_types").([]any)
			switch {
			case n.text("bucket") == bucket && (n.text("object_name_prefix") != "owners/" || n.text("payload_format") != "JSON_API_V1" || len(events) != 1 || events[0] != "OBJECT_FINALIZE"):
				t.Errorf("%s: the bucket of manifests tells %v of %q as %s", name, events, n.text("object_name_prefix"), n.text("payload_format"))
			case n.text("bucket") != bucket && (n.text("object_name_prefix") != "" || len(events) != 2):
				t.Errorf("%s: the archive %s tells %v of %q", name, n.text("bucket"), events, n.text("object_name_prefix"))
			}
		}
	}
	if granted == 0 {
		t.Error("no environment lets anybody write manifests, so nothing is shown")
	}
}
