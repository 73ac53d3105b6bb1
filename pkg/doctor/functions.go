package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const again = "deploy again: scripts/deploy ENV"

// functionChecks look at each function, and whether they say the same of what they share.
func (d *deployment) functionChecks() (all []check) {
	for _, name := range deployments {
		f := d.functions[name]
		// of adds a check of a function that is there.
		of := func(what string, look func() verdict) {
			all = append(all, check{what, func(context.Context) verdict {
				if f.err != nil {
					return unseen("the function %s could not be read", name)
				}
				return look()
			}})
		}
		all = append(all, check{"function " + name, func(context.Context) verdict { return d.isThere(name) }})
		of(name+"'s settings", func() verdict { return startable(name, f) })
		of(name+"'s URL", func() verdict {
			if d.url(name) == "" {
				return failed(again, "%s is told that its URL is %q, which is neither %s nor as Cloud Run names it: callers' tokens are refused", name, f.set["SELTZER_AUDIENCE"], f.Service.URI)
			}
			return ok("%s", d.url(name))
		})
		of(name+"'s memory", func() verdict { return memoryFits(name, f) })
		of(name+"'s ingress", func() verdict {
			want := []string{"ALLOW_INTERNAL_ONLY"} // what Pub/Sub and the scheduler send is internal
			switch name {
			case signer:
				want = []string{"ALLOW_ALL"}
			case soda:
				want = []string{"ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB"}
			}
			if !slices.Contains(want, f.Service.Ingress) {
				return failed(again, "%s takes %s; want %s", name, f.Service.Ingress, strings.Join(want, " or "))
			}
			return ok("%s", f.Service.Ingress)
		})
	}
	for _, who := range []string{soda, cutout, signer, "push", "scheduler"} {
		all = append(all, check{"account of " + who, func(ctx context.Context) verdict { return d.accountWorks(ctx, who) }})
	}
	for _, shared := range []struct {
		name     string
		variable string
		of       []string
	}{
		{"one project", "SELTZER_PROJECT", deployments},
		{"one database", "SELTZER_DATABASE", deployments},
		{"one topic of interactive jobs", "SELTZER_TOPIC_INTERACTIVE", []string{soda, cutout, bulk}},
		{"one topic of bulk jobs", "SELTZER_TOPIC_BULK", []string{soda, cutout, bulk}},
		{"one list of archives", "SELTZER_ARCHIVES", []string{soda, cutout, bulk}},
		{"one authority of IDs", "SELTZER_AUTHORITY", []string{soda, cutout, bulk}},
		{"one bucket of results", "SELTZER_RESULTS_BUCKET", []string{cutout, bulk, signer}},
		{"one bucket of manifests", "SELTZER_BATCH_BUCKET", []string{soda, cutout, bulk}},
		{"one owner of rows in messages", "SELTZER_BATCH_OWNER", []string{cutout, bulk}},
		{"one topic of batches that ended", "SELTZER_TOPIC_JOB_ENDED", []string{cutout, bulk}},
		{"one account of pushes", "SELTZER_PUSH_ACCOUNT", []string{cutout, bulk}},
		{"one account of sweeps", "SELTZER_SWEEP_ACCOUNT", []string{cutout, bulk}},
		{"one version", "SELTZER_VERSION", []string{cutout, bulk}},
	} {
		all = append(all, check{shared.name, func(context.Context) verdict {
			said := map[string][]string{}
			for _, name := range shared.of {
				if d.functions[name].err == nil {
					said[d.setting(name, shared.variable)] = append(said[d.setting(name, shared.variable)], name)
				}
			}
			var what []string
			for _, value := range slices.Sorted(maps.Keys(said)) {
				what = append(what, fmt.Sprintf("%q in %s", value, strings.Join(said[value], " and ")))
			}
			switch len(said) {
			case 0:
				return unseen("the functions could not be read")
			case 1:
				if said[""] != nil && shared.variable == "SELTZER_BATCH_OWNER" {
					return ok("there is none: orders that bring their rows are refused")
				}
				if said[""] != nil {
					return failed(again, "no function is told %s", shared.variable)
				}
				return ok("%s", what[0])
			}
			return failed(again, "%s is %s", shared.variable, strings.Join(what, ", "))
		}})
	}
	return append(all,
		check{"soda asks signer", func(context.Context) verdict {
			return told(d.setting(soda, "SELTZER_SIGNER_URL"), d.url(signer))
		}},
		check{"signer knows soda", func(context.Context) verdict {
			return told(d.setting(signer, "SELTZER_SODA_ACCOUNT"), d.account(soda))
		}},
		check{"signer signs in its own name", func(context.Context) verdict {
			return told(d.setting(signer, "SELTZER_SIGNING_ACCOUNT"), d.account(signer))
		}},
		check{"soda outlives those who wait", func(context.Context) verdict { return d.waitsFit() }},
		check{"a job ends before its worker", func(context.Context) verdict { return d.workFits() }},
	)
}

// isThere looks whether a function is deployed, and runs what it should.
func (d *deployment) isThere(name string) verdict {
	f := d.functions[name]
	switch {
	case status(f.err) == http.StatusNotFound:
		return failed(again, "there is no function %s in %s of %s", name, d.region, d.project)
	case status(f.err) == http.StatusForbidden, status(f.err) == http.StatusUnauthorized:
		return unseen("you may not see it (%v): be an owner of the project, or the deployer (GOOGLE_IMPERSONATE_SERVICE_ACCOUNT)", f.err)
	case f.err != nil:
		return failed("see whether Google can be reached, and ask again", "it could not be read: %v", f.err)
	case f.State != "ACTIVE":
		return failed("read why: gcloud functions describe "+name+" --region="+d.region+"; then "+again, "its state is %s, not ACTIVE", f.State)
	case f.BuildConfig.EntryPoint != runs[name]:
		return failed(again, "it runs %q; want %q", f.BuildConfig.EntryPoint, runs[name])
	}
	return ok("it is active")
}

// startable looks whether a function would start with its settings.
func startable(name string, f *function) verdict {
	if _, err := cloud.FromEnvironment(context.Background(), runs[name], envconfig.MapLookuper(f.set)); err != nil {
		return failed(again, "%s does not start: %s", name, strings.ReplaceAll(fault.Plain(err), "\n", "; "))
	}
	return ok("it starts")
}

// memoryFits looks whether what a function may use fits into what it has.
func memoryFits(name string, f *function) verdict {
	has := f.memory()
	if has == 0 {
		return unseen("%s has %q of memory, which is no number", name, f.Service.Memory)
	}
	limit, _ := strconv.ParseInt(strings.TrimSuffix(f.set["GOMEMLIMIT"], "MiB"), 10, 64)
	if limit <= 0 || limit<<20 >= has {
		return failed(again, "GOMEMLIMIT of %s is %q, and it has %s: the platform ends it before Go frees memory", name, f.set["GOMEMLIMIT"], f.Service.Memory)
	}
	if jobs, err := strconv.ParseInt(f.set["SELTZER_MEMORY"], 10, 64); err == nil && jobs > has*3/4 {
		return failed("lower SELTZER_MEMORY, or raise scaling.….memory_mib", "the jobs of %s may use %d bytes, and it has %s", name, jobs, f.Service.Memory)
	}
	return ok("%s, of which Go uses %d MiB", f.Service.Memory, limit)
}

// accountWorks looks whether an account is there.
func (d *deployment) accountWorks(ctx context.Context, who string) verdict {
	email := d.account(who)
	if email == "" {
		return unseen("it is not known which it is")
	}
	var account struct{ Disabled bool }
	err := d.get(ctx, iamAPI, d.accountThing(email).path, &account)
	switch {
	case status(err) == http.StatusNotFound:
		return failed(again, "%s is not there", email)
	case err != nil:
		return unseen("it could not be read: %v", err)
	case account.Disabled:
		return failed("gcloud iam service-accounts enable "+email, "%s is disabled", email)
	}
	return ok("%s", email)
}

// span reads a duration of the settings of a function.
func (d *deployment) span(deployment, variable string) (time.Duration, bool) {
	t, err := time.ParseDuration(d.setting(deployment, variable))
	return t, err == nil
}

func (d *deployment) waitsFit() verdict {
	wait, known := d.span(soda, "SELTZER_SYNC_WAIT")
	limit := time.Duration(d.functions[soda].Service.Timeout) * time.Second
	if !known || limit == 0 {
		return unseen("soda's times are not known")
	}
	if wait = max(wait, api.DefaultLimits.MaxWait); wait >= limit {
		return failed("raise soda's timeout above sync_wait_seconds", "a request may wait %v, and the platform ends it after %v", wait, limit)
	}
	return ok("requests wait up to %v and end after %v", wait, limit)
}

func (d *deployment) workFits() verdict {
	work, known := d.span(soda, "SELTZER_MAX_EXECUTION")
	for _, name := range []string{cutout, bulk} {
		limit := time.Duration(d.functions[name].Service.Timeout) * time.Second
		if !known || limit == 0 {
			return unseen("the times of soda and %s are not known", name)
		}
		if work > limit-20*time.Second {
			return failed(again, "a job may take %v, and the platform ends %s after %v; want 30 s between", work, name, limit)
		}
	}
	return ok("jobs take up to %v", work)
}
