package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/doctor"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

type doctorCommand struct {
	URL     string        `arg:"" optional:"" help:"URL of the service, such as http://127.0.0.1:8080; that which a deployment has by default."`
	Project string        `placeholder:"ID" help:"Google Cloud project of a deployment, to examine all of it."`
	Region  string        `placeholder:"REGION" help:"Region of the deployment."`
	Skip    []string      `placeholder:"GROUP" help:"Leave a group of checks out: functions, rights, queues, database, storage, service. Repeatable."`
	Header  []string      `short:"H" sep:"none" placeholder:"NAME:VALUE" help:"Send a header to the service, to say who asks; several, one a line. Repeatable."`
	Wait    time.Duration `placeholder:"TIME" help:"Wait so long for the service to become available, such as 5m."`
	JSON    bool          `name:"json" help:"Print the findings as JSON."`
}

// Help is what seltzer doctor --help adds.
func (doctorCommand) Help() string {
	return `Asks the service for a cutout, now and as a job that is deleted again, and looks at its
bytes. With --project also at everything that a deployment is made of, by the application
default credentials, or as the account of GOOGLE_IMPERSONATE_SERVICE_ACCOUNT. Each check says
what it found, and if it failed what to mend; then the exit status is 1.

    seltzer doctor http://127.0.0.1:8080
    seltzer doctor --project=example-soda-dev --region=us-central1`
}

// Run examines a service.
func (c *doctorCommand) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	header := http.Header{}
	for _, lines := range c.Header {
		for h := range strings.Lines(strings.TrimSpace(lines)) {
			name, value, found := strings.Cut(strings.TrimSpace(h), ":")
			if !found || strings.TrimSpace(name) == "" {
				return fault.New(fault.Usage, "", "--header %q: want NAME:VALUE, one a line", h)
			}
			header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	findings, err := doctor.Examine(ctx, doctor.Config{Project: c.Project, Region: c.Region, URL: c.URL, Header: header, Skip: c.Skip, Wait: c.Wait})
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		if err := e.Encode(findings); err != nil {
			return err
		}
	} else {
		printFindings(s, findings)
	}
	if n := doctor.Count(findings); n[doctor.Failed] > 0 {
		return fault.New(fault.Unavailable, "", "%d of %d checks failed", n[doctor.Failed], len(findings))
	}
	return nil
}

// printFindings prints findings by group, what failed once more at the end, and at last what
// nobody saw: who reads one line reads that.
func printFindings(s *streams, findings []doctor.Finding) {
	group := ""
	for _, f := range findings {
		if f.Group != group {
			group = f.Group
			fmt.Fprintln(s.out, group)
		}
		fmt.Fprintf(s.out, "  %-8s  %s: %s\n", f.Outcome, f.Name, oneLine(f.Found))
	}
	for _, f := range findings {
		if f.Outcome == doctor.Failed {
			fmt.Fprintf(s.out, "\n%s: %s\n  mend: %s\n", f.Name, oneLine(f.Found), f.Mend)
		}
	}
	n := doctor.Count(findings)
	fmt.Fprintf(s.out, "\n%d ok, %d failed, %d not seen%s\n", n[doctor.OK], n[doctor.Failed], n[doctor.Unseen], hidden(findings))
}

// hidden names the checks that saw nothing, the first of each group, and says how many rights
// were looked up only.
func hidden(findings []doctor.Finding) string {
	const most = 2
	var names []string
	untried := 0
	for _, group := range doctor.Groups {
		unseen := 0
		for _, f := range findings {
			if f.Group == group && f.Outcome == doctor.Unseen {
				if unseen++; unseen <= most {
					names = append(names, f.Name)
				}
			}
			if f.Group == group && f.Untried {
				untried++
			}
		}
		if unseen > most {
			names = append(names, fmt.Sprintf("%d more of %s", unseen-most, group))
		}
	}
	text := ""
	if len(names) > 0 {
		text = " (" + strings.Join(names, "; ") + ")"
	}
	if untried > 0 {
		text += fmt.Sprintf("; of the rights %d are granted and were not tried", untried)
	}
	return text
}

// oneLine keeps a finding in its line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
