// Package doctor examines a deployment from outside and says what to mend: the service by
// its face, with a canary job, and on Google Cloud everything that it is made of, by
// Google's own REST APIs and an operator's credentials.
//
// What a deployment should be is not configured anywhere a second time: the functions' own
// environment variables say where everything is, package firestorejobs which indexes its
// queries need, and terraform/ what the things are called.
//
// A right is tried in the name of the account that needs it, without leaving a trace; who
// may not act as that account has the right looked up in the policy that grants it.
//
// To add a check: a line in the list of its file, with a name of its own, and a row of
// TestBreakages that breaks what it looks at and nothing else. What cannot be seen, because
// something else is broken or forbidden, is no failure: the check of that says so.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Outcome is what came of a check.
type Outcome string

// The outcomes.
const (
	OK     Outcome = "ok"
	Failed Outcome = "failed"
	Unseen Outcome = "not seen" // for want of a right, or because of what another check says
)

// Groups holds the names of the groups of checks, in the order in which they are made.
var Groups = []string{"functions", "rights", "queues", "database", "storage", "service"}

// Finding is what one check found.
type Finding struct {
	Group   string  `json:"group"`
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Found   string  `json:"found,omitempty"`   // what is so
	Mend    string  `json:"mend,omitempty"`    // what to do, if it failed
	Untried bool    `json:"untried,omitempty"` // a right that is granted, and could not be tried
}

// Config says what is examined.
type Config struct {
	Project string // of Google Cloud; "" for a service that is known by its URL alone
	Region  string
	URL     string      // of the service; that of soda's settings if it is ""
	Header  http.Header // of every request to the service: who asks
	Skip    []string    // groups that are left out
	Wait    time.Duration
	Client  *http.Client // for the service; nil: one of its own
}

// verdict is the outcome of a check before it has a name.
type verdict struct {
	outcome     Outcome
	found, mend string
	untried     bool
}

func ok(format string, args ...any) verdict {
	return verdict{outcome: OK, found: fmt.Sprintf(format, args...)}
}

func failed(mend, format string, args ...any) verdict {
	return verdict{outcome: Failed, found: fmt.Sprintf(format, args...), mend: mend}
}

func unseen(format string, args ...any) verdict {
	return verdict{outcome: Unseen, found: fmt.Sprintf(format, args...)}
}

// same is ok if two values that must agree do.
func same(got, want, mend string) verdict {
	switch {
	case want == "":
		return unseen("it is not known what it should be")
	case got != want:
		return failed(mend, "it is %q; want %q", got, want)
	}
	return ok("%s", got)
}

// told is as [same], of a variable; that one is missing is said by the check of settings.
func told(got, want string) verdict {
	if got == "" {
		return unseen("it is not told")
	}
	return same(got, want, again)
}

// check is one check; look is called once.
type check struct {
	name string
	look func(context.Context) verdict
}

// checkTime is for one check; atOnce are made at the same time.
const (
	checkTime = 3 * time.Minute
	atOnce    = 8
)

// Examine makes all checks, and returns what they found in the order of [Groups]. The error
// is [fault.Usage] if there is nothing to examine, and that of the credentials.
func Examine(ctx context.Context, c Config) ([]Finding, error) {
	for _, g := range c.Skip {
		if !slices.Contains(Groups, g) {
			return nil, fault.New(fault.Usage, "doctor.Examine", "there is no group of checks %q; want one of %s", g, strings.Join(Groups, ", "))
		}
	}
	if c.Project == "" && c.URL == "" {
		return nil, fault.New(fault.Usage, "doctor.Examine", "want the URL of a service, or the project and the region of a deployment")
	}
	if (c.Project == "") != (c.Region == "") {
		return nil, fault.New(fault.Usage, "doctor.Examine", "the project is %q and the region %q; want both", c.Project, c.Region)
	}
	var findings []Finding
	run := func(group string, parallel int, checks []check) {
		if !slices.Contains(c.Skip, group) {
			findings = append(findings, makeAll(ctx, group, parallel, checks)...)
		}
	}
	s := &service{url: strings.TrimRight(c.URL, "/"), header: c.Header.Clone(), http: c.Client}
	if c.Project != "" {
		d, err := find(ctx, c.Project, c.Region)
		if err != nil {
			return nil, err
		}
		run("functions", atOnce, d.functionChecks())
		for _, group := range []struct {
			name   string
			checks func() []check
		}{{"rights", d.rightChecks}, {"queues", d.queueChecks}, {"database", d.databaseChecks}, {"storage", d.storageChecks}} {
			if d.known() {
				run(group.name, atOnce, group.checks())
				continue
			}
			run(group.name, 1, []check{{group.name, func(context.Context) verdict {
				return unseen("no function could be read, which would say what there should be")
			}}})
		}
		s.url = cmp.Or(s.url, strings.TrimRight(d.functions[soda].set["SELTZER_PUBLIC_URL"], "/"))
		s.deployment = d
	}
	if !slices.Contains(c.Skip, "service") {
		s.waitFor(ctx, c.Wait)
		run("service", 1, s.checks()) // each goes on from the one before
	}
	return findings, nil
}

// makeAll makes the checks of a group.
func makeAll(ctx context.Context, group string, parallel int, checks []check) []Finding {
	findings := make([]Finding, len(checks))
	free := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, c := range checks {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			v := c.look(ctx)
			findings[i] = Finding{group, c.name, v.outcome, v.found, v.mend, v.untried}
		})
	}
	wg.Wait()
	return findings
}

// Count returns how many findings have each outcome.
func Count(findings []Finding) map[Outcome]int {
	n := map[Outcome]int{}
	for _, f := range findings {
		n[f.Outcome]++
	}
	return n
}
