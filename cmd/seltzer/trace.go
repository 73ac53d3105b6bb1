package main

import (
	"os"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry/tracefile"
)

type traceCommand struct {
	File string `arg:"" type:"path" help:"The file that was named to seltzer serve --trace."`
	ID   string `arg:"" optional:"" help:"Beginning of the trace's id; without it, the trace that began last. A line of the log names the trace of its request."`
}

// Help is what seltzer trace --help adds.
func (traceCommand) Help() string {
	return `Each line is a span: when it began after the first, how long it took, and how much of that is
its own, without the spans below it. Spans that wait do so for a call, a commit or a disk; the
last line sums what the others took.`
}

// Run prints one trace.
func (c *traceCommand) Run(s *streams) error {
	f, err := os.Open(c.File) // #nosec G304 -- the operator names it
	if err != nil {
		return fault.New(fault.Usage, "", "the file of traces cannot be read: %w", err)
	}
	defer f.Close()
	spans, err := tracefile.Read(f)
	if err != nil {
		return err
	}
	return tracefile.Table(s.out, spans, c.ID)
}
