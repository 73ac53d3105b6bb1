package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
)

type usage struct {
	Data     string `default:"seltzer-data" type:"path" placeholder:"DIR" help:"Data folder of seltzer serve, which may run or not (./seltzer-data)."`
	Project  string `placeholder:"ID" help:"Google Cloud project whose jobs to count instead."`
	Database string `default:"seltzer" placeholder:"NAME" help:"Firestore database of the project (${default}, as it is deployed)."`
}

// Help is what seltzer usage --help adds.
func (usage) Help() string {
	return `For each owner, a line: jobs that have not ended, the cutouts that these are for, and the
bytes of results in the last 24 hours, with those of jobs deleted since. Who did not log in
is shown as -.`
}

// Run prints what each owner uses.
func (c *usage) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var uses []jobstore.Use
	var err error
	if c.Project != "" {
		uses, err = cloud.Usage(ctx, c.Project, c.Database)
	} else {
		uses, err = local.Usage(ctx, c.Data)
	}
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OWNER\tJOBS\tCUTOUTS\tBYTES IN 24 H")
	for _, u := range uses {
		owner := fmt.Sprintf("%q", u.Owner) // as a proxy named them: perhaps with anything in it
		if u.Owner == "" {
			owner = "-"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", owner, u.Jobs, u.Rows, u.Bytes)
	}
	return table.Flush()
}
