// Command seltzer cuts images out of FITS files: as a SODA service on one machine, and by
// hand.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Exit statuses.
const (
	exitFailed    = 1 // it could not be done
	exitUsage     = 2 // it was asked for wrongly
	exitNoOverlap = 3 // region and image have no pixel in common
)

type commands struct {
	Serve      serve                     `cmd:"" help:"Run the whole service on this machine."`
	Usage      usage                     `cmd:"" help:"Say how much each owner uses of a service."`
	Cut        cut                       `cmd:"" help:"Cut a region out of a FITS file."`
	Info       info                      `cmd:"" help:"Say what is in a FITS file."`
	WCS        wcsCommand                `cmd:"" name:"wcs" help:"Turn pixels into sky positions and back."`
	Index      index                     `cmd:"" help:"Read the headers of archives, so that images are found by position."`
	Doctor     doctorCommand             `cmd:"" help:"Examine a service, and say what to mend."`
	Trace      traceCommand              `cmd:"" help:"Print a trace that seltzer serve --trace wrote."`
	Submit     submit                    `cmd:"" help:"Ask for the cutouts of all rows of a table."`
	Completion kongcompletion.Completion `cmd:"" help:"Write the shell code that completes seltzer's commands."`
	Version    kong.VersionFlag          `help:"Print the version and exit."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() { os.Exit(run(os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr})) }

// run runs one command line and returns its exit status.
func run(args []string, s *streams) int {
	exited := -1
	parser, err := kong.New(&commands{},
		kong.Name("seltzer"),
		kong.Description("Cutouts of astronomical images: exactly the pixels asked for, with a header that proves it."),
		kong.Vars{"version": version(), "source": sourceHelp},
		kong.Writers(s.out, s.err),
		kong.Exit(func(status int) { exited = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Tree: true}),
		kong.ShortUsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(s.err, "seltzer:", err)
		return exitFailed
	}
	kongcompletion.Register(parser)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(joinRegions(args))
	if exited >= 0 { // --help, --version
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "seltzer: %v; see seltzer --help\n", err)
		return exitUsage
	}
	if err := command.Run(s); err != nil {
		report(s.err, err)
		switch fault.CodeOf(err) {
		case fault.Usage:
			return exitUsage
		case fault.NoOverlap:
			return exitNoOverlap
		}
		return exitFailed
	}
	return 0
}

// joinRegions joins the options of regions to their values: '-Inf 20 1 2' and '-5 …' begin
// like options, and are none.
func joinRegions(args []string) (joined []string) {
	regions := []string{"--circle", "--polygon", "--range", "--pixels", "--stamp", "--size"}
	for i := 0; i < len(args); i++ {
		if slices.Contains(regions, args[i]) && i+1 < len(args) {
			joined = append(joined, args[i]+"="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

// report prints an error, or each of several that were joined, on a line of its own.
func report(w io.Writer, err error) {
	for line := range strings.SplitSeq(strings.TrimSpace(fault.Plain(err)), "\n") {
		fmt.Fprintln(w, "seltzer:", line)
	}
}

// version returns the version of the module that was built.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
