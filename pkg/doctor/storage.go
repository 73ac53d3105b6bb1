package doctor

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// bucket is what Cloud Storage says of one. Source: Cloud Storage JSON API v1, resource
// buckets.
type bucket struct {
	Lifecycle struct {
		Rule []struct {
			Action    struct{ Type string }
			Condition struct{ Age *int }
		}
	}
	IAM struct {
		Uniform struct{ Enabled bool } `json:"uniformBucketLevelAccess"`
		Public  string                 `json:"publicAccessPrevention"`
	} `json:"iamConfiguration"`
	SoftDelete *struct {
		Seconds string `json:"retentionDurationSeconds"`
	} `json:"softDeletePolicy"`
	CORS []struct {
		Origin         []string
		Method         []string
		ResponseHeader []string
	}
	err error
}

// storageChecks look at the rules of the buckets, and whether archives hold something.
func (d *deployment) storageChecks() (all []check) {
	all = append(d.bucketChecks("results", d.results()), d.bucketChecks("manifests", d.manifests())...)
	all = append(all, check{"notifications of manifests", d.manifestsTell}, check{"notifications of archives", d.archivesAreHeard})
	for _, a := range d.archives() {
		all = append(all, check{"archive " + a.name, func(ctx context.Context) verdict { return d.holdsImages(ctx, a) }})
	}
	return all
}

// bucketChecks look at the rules of a bucket of ours.
func (d *deployment) bucketChecks(what, name string) (all []check) {
	seen := d.once(func(ctx context.Context) any {
		b := new(bucket)
		b.err = d.get(ctx, storageAPI, "b/"+name, b)
		return b
	})
	of := func(rule string, look func(*bucket) verdict) {
		all = append(all, check{what + " bucket" + rule, func(ctx context.Context) verdict {
			if name == "" {
				return unseen("no function is told which bucket it is")
			}
			b := seen(ctx).(*bucket)
			if b.err != nil && rule != "" {
				return unseen("the bucket %s could not be read", name)
			}
			return look(b)
		}})
	}
	of("", func(b *bucket) verdict { return there(b.err, "bucket "+name) })
	of(": lifecycle", func(b *bucket) verdict {
		for _, r := range b.Lifecycle.Rule {
			if r.Action.Type == "Delete" && r.Condition.Age != nil {
				if *r.Condition.Age < 1 {
					return failed(apply, "%s are deleted at an age of %d days, which is at once", what, *r.Condition.Age)
				}
				return ok("%s are deleted after %d days at last", what, *r.Condition.Age)
			}
		}
		return failed(apply, "%s that nobody deletes stay forever", what)
	})
	of(": uniform access", func(b *bucket) verdict {
		if !b.IAM.Uniform.Enabled {
			return failed(apply, "single objects may have rights of their own")
		}
		return ok("it is uniform")
	})
	of(": public access", func(b *bucket) verdict {
		return same(b.IAM.Public, "enforced", apply)
	})
	of(": soft delete", func(b *bucket) verdict {
		if b.SoftDelete == nil {
			return ok("nothing is kept")
		}
		if seconds, err := strconv.Atoi(b.SoftDelete.Seconds); err != nil || seconds > 0 {
			return failed(apply, "deleted %s are kept, and paid for, another %s s", what, b.SoftDelete.Seconds)
		}
		return ok("nothing is kept")
	})
	if what != "results" {
		return all // no page reads it
	}
	of(": CORS", func(b *bucket) verdict {
		for _, c := range b.CORS {
			if slices.Contains(c.Origin, "*") && slices.Contains(c.Method, "GET") && slices.Contains(c.Method, "HEAD") {
				return ok("pages of every origin read results")
			}
			if len(c.Origin) > 0 {
				return failed("set cors_origins to [\"*\"], unless it is wanted; then "+apply, "pages that are redirected to a result send the origin null, and only %s may read it", strings.Join(c.Origin, ", "))
			}
		}
		return failed(apply, "pages cannot read results")
	})
	return all
}

// notification is one that a bucket sends. Source: Cloud Storage JSON API v1, resource
// notifications.
type notification struct {
	Topic  string
	Format string   `json:"payload_format"`
	Events []string `json:"event_types"`
	Prefix string   `json:"object_name_prefix"`
}

const (
	written = "OBJECT_FINALIZE"
	deleted = "OBJECT_DELETE"
)

// notifications returns what a bucket tells a topic of.
func (d *deployment) notifications(ctx context.Context, bucket, topic string) ([]notification, error) {
	var list struct{ Items []notification }
	if err := d.get(ctx, storageAPI, "b/"+bucket+"/notificationConfigs", &list); err != nil {
		return nil, err
	}
	path := "//pubsub.googleapis.com/" + d.topic(topic).path
	return slices.DeleteFunc(list.Items, func(n notification) bool { return n.Topic != path }), nil
}

// manifestsTell looks whether a manifest that is written becomes a batch, and once.
func (d *deployment) manifestsTell(ctx context.Context) verdict {
	bucket := d.manifests()
	if bucket == "" {
		return unseen("no function is told which bucket it is")
	}
	all, err := d.notifications(ctx, bucket, batchTopic)
	switch {
	case err != nil:
		return unseen("what the bucket %s tells of could not be read: %v", bucket, err)
	case len(all) == 0:
		return failed(apply, "the bucket %s tells the topic %s of nothing: manifests become no batches", bucket, batchTopic)
	case len(all) > 1:
		return failed("delete all but one: gcloud storage buckets notifications list gs://"+bucket, "the bucket %s tells of each manifest %d times", bucket, len(all))
	case all[0].Prefix != "owners/" || all[0].Format != "JSON_API_V1" || !slices.Equal(all[0].Events, []string{written}):
		return failed(apply, "the bucket %s tells %v of %q as %s; want %s of owners/ as JSON_API_V1", bucket, all[0].Events, all[0].Prefix, all[0].Format, written)
	}
	return ok("it tells of manifests below owners/")
}

// telling returns what the buckets of archives tell the topic of objects. One that may not be
// seen, as another's, tells nothing here.
func (d *deployment) telling(ctx context.Context) any {
	all := map[string][]notification{}
	for _, a := range d.archives() {
		if bucket, _, ok := a.bucket(); ok && all[bucket] == nil {
			if n, err := d.notifications(ctx, bucket, objectsTopic); err == nil && len(n) > 0 {
				all[bucket] = n
			}
		}
	}
	return all
}

// archivesTell reports whether any archive does.
func (d *deployment) archivesTell(ctx context.Context) bool {
	return len(d.told(ctx).(map[string][]notification)) > 0
}

// archivesAreHeard looks whether buckets tell of all that changes what is held.
func (d *deployment) archivesAreHeard(ctx context.Context) verdict {
	telling := d.told(ctx).(map[string][]notification)
	if len(telling) == 0 {
		if err := d.get(ctx, pubsubAPI, d.topic(objectsTopic).path, new(topic)); err == nil {
			return failed(apply, "there is a topic %s, and no archive tells it of its objects: what is held goes stale", objectsTopic)
		}
		return ok("no archive tells of its objects")
	}
	for _, bucket := range slices.Sorted(maps.Keys(telling)) {
		var events []string
		for _, n := range telling[bucket] {
			if n.Prefix == "" && n.Format == "JSON_API_V1" {
				events = append(events, n.Events...)
			}
		}
		if !slices.Contains(events, written) || !slices.Contains(events, deleted) {
			return failed(apply, "the archive in %s tells %v of all its objects; want %s and %s: what is held goes stale", bucket, events, written, deleted)
		}
	}
	return ok("%s tell of their objects", strings.Join(slices.Sorted(maps.Keys(telling)), ", "))
}

// holdsImages looks whether an archive has an object, or a server that answers.
func (d *deployment) holdsImages(ctx context.Context, a anArchive) verdict {
	name, folder, inBucket := a.bucket()
	if !inBucket {
		return d.webAnswers(ctx, a)
	}
	by := d.as(d.account(cutout))
	if _, err := by(ctx); err != nil {
		by = nil // the operator may see it, too
	}
	if folder != "" {
		folder = strings.TrimRight(folder, "/") + "/"
	}
	var list struct{ Items []struct{ Name string } }
	err := d.ask(ctx, by, http.MethodGet, storageAPI, "b/"+name+"/o?maxResults=1&prefix="+url.QueryEscape(folder), nil, &list)
	switch {
	case status(err) == http.StatusNotFound:
		return failed("correct the URL of the archive, or make the bucket", "there is no bucket %s", name)
	case err != nil:
		return unseen("it could not be read: %v", err)
	case len(list.Items) == 0:
		return failed("put images there, or correct the URL of the archive", "%s holds no object", a.url)
	}
	return ok("it holds %s", list.Items[0].Name)
}

// webAnswers looks whether the server of an archive answers anything.
func (d *deployment) webAnswers(ctx context.Context, a anArchive) verdict {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, a.url, nil)
	if err != nil {
		return failed("correct the URL of the archive", "%q is no URL", a.url)
	}
	answer, err := d.http.Do(r)
	if err != nil {
		return failed("see whether the server is up, and correct the URL of the archive", "%s does not answer: %v", a.url, err)
	}
	defer answer.Body.Close()
	return ok("%s", answer.Status)
}
