package doctor

import (
	"context"
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

// storageChecks look at the rules of the results bucket, and whether archives hold something.
func (d *deployment) storageChecks() (all []check) {
	name := d.results()
	results := d.once(func(ctx context.Context) any {
		b := new(bucket)
		b.err = d.get(ctx, storageAPI, "b/"+name, b)
		return b
	})
	of := func(what string, look func(*bucket) verdict) {
		all = append(all, check{"results bucket" + what, func(ctx context.Context) verdict {
			b := results(ctx).(*bucket)
			if b.err != nil && what != "" {
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
					return failed(apply, "results are deleted at an age of %d days, which is at once", *r.Condition.Age)
				}
				return ok("results are deleted after %d days at last", *r.Condition.Age)
			}
		}
		return failed(apply, "results that the sweep forgot are never deleted")
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
			return failed(apply, "deleted results are kept, and paid for, another %s s", b.SoftDelete.Seconds)
		}
		return ok("nothing is kept")
	})
	of(": CORS", func(b *bucket) verdict {
		for _, c := range b.CORS {
			if slices.Contains(c.Origin, "*") && slices.Contains(c.Method, "GET") && slices.Contains(c.Method, "HEAD") {
				return ok("pages of every origin read results")
			}
			if len(c.Origin) > 0 {
				return failed("set cors_origins to [\"*\"], unless it is wanted; terraform apply", "pages that are redirected to a result send the origin null, and only %s may read it", strings.Join(c.Origin, ", "))
			}
		}
		return failed(apply, "pages cannot read results")
	})
	for _, a := range d.archives() {
		all = append(all, check{"archive " + a.name, func(ctx context.Context) verdict { return d.holdsImages(ctx, a) }})
	}
	return all
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
