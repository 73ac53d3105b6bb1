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
	Header  []string      `short:"H" sep:"none" placeholder:"NAME:VALUE" help:"Send a header to the service, to say who asks. Repeatable."`
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
	for _, h := range c.Header {
		name, value, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" {
			return fault.New(fault.Usage, "", "--header %q: want NAME:VALUE", h)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
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

// printFindings prints findings by group, and what failed once more at the end.
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
	fmt.Fprintf(s.out, "\n%d ok, %d failed, %d not seen\n", n[doctor.OK], n[doctor.Failed], n[doctor.Unseen])
}

// oneLine keeps a finding in its line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
