package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seltzer-soda/seltzer/pkg/app/archives"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
)

type index struct {
	Collection []string `arg:"" optional:"" help:"Names of the archives to index; all that are given, if none is named."`
	Archive    []string `required:"" placeholder:"NAME=DIR|URL" sep:"none" help:"An archive, as seltzer serve or a deployment has it. Repeatable."`
	Data       string   `default:"seltzer-data" type:"path" placeholder:"DIR" help:"Data folder of the service that serves the archives (./seltzer-data)."`
	Project    string   `placeholder:"PROJECT" help:"Google Cloud project of the deployment that serves the archives, in place of a data folder."`
	Database   string   `placeholder:"NAME" help:"Its Firestore database."`
	Authority  string   `placeholder:"AUTHORITY" help:"The authority of its IDs: ivo://AUTHORITY/NAME?path."`
	Parallel   int      `default:"8" placeholder:"N" help:"Files that are read at the same time (${default})."`
}

// Help is what seltzer index --help adds.
func (index) Help() string {
	return `The headers of every FITS file are read into the store, by which images are found by their
position on the sky and described without being read. A file that is known and has not changed
is not read again, so a run that was stopped goes on. One that cannot be read is named, with
the reason, and stops nothing.

A running seltzer serve indexes its folders by itself; stop it to index its buckets.

    seltzer index --archive real=/data/fits
    seltzer index dr1 --archive dr1=gs://bucket/dr1 --project my-project --database seltzer --authority example.org`
}

// Run indexes.
func (c *index) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if c.Parallel < 1 {
		return fault.New(fault.Usage, "", "--parallel %d: want 1 or more", c.Parallel)
	}
	indexer, served, closer, err := c.open(ctx)
	if err != nil {
		return err
	}
	indexer.Parallel = c.Parallel
	return errors.Join(c.index(ctx, indexer, served, s), closer())
}

// open opens the archives and the store.
func (c *index) open(ctx context.Context) (*holdings.Indexer, *archives.Archives, func() error, error) {
	if c.Project != "" {
		if c.Authority == "" {
			return nil, nil, nil, fault.New(fault.Usage, "", "--project wants --authority, with which the IDs of its archives begin")
		}
		store, err := firestoreholdings.Open(ctx, firestoreholdings.Config{Project: c.Project, Database: c.Database})
		if err != nil {
			return nil, nil, nil, err
		}
		served, err := archives.Open(ctx, archives.Config{Authority: c.Authority, Archives: c.Archive})
		if err != nil {
			return nil, nil, nil, errors.Join(err, store.Close())
		}
		closer := func() error { return errors.Join(store.Close(), served.Close()) }
		return &holdings.Indexer{Store: store, Archive: served}, served, closer, nil
	}
	x, err := local.OpenIndex(ctx, c.Data, c.Archive)
	if errors.Is(err, fault.Unavailable) {
		err = fault.New(fault.Unavailable, "", "%w; a running seltzer serve indexes its folders by itself", err)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return x.Indexer, x.Archives, x.Close, nil
}

func (c *index) index(ctx context.Context, indexer *holdings.Indexer, served *archives.Archives, s *streams) error {
	var chosen []archive.Collection
	var names []string
	for i, collection := range served.All() { // in the order of the options
		name, _, _ := strings.Cut(c.Archive[i], "=")
		names = append(names, name)
		if len(c.Collection) == 0 || slices.Contains(c.Collection, name) {
			chosen = append(chosen, collection)
		}
	}
	for _, name := range c.Collection {
		if !slices.Contains(names, name) {
			return fault.New(fault.Usage, "", "there is no archive %q; --archive names %s", name, strings.Join(names, ", "))
		}
	}
	counts := map[holdings.Outcome]int{}
	began := time.Now()
	show, done := counter(s.err)
	var errs []error
	for _, collection := range chosen {
		errs = append(errs, indexer.Collection(ctx, collection, func(id string, outcome holdings.Outcome, err error) {
			counts[outcome]++
			if err != nil {
				done()
				fmt.Fprintf(s.err, "%s: %s: %s\n", outcome, id, fault.Sentence(err))
			}
			show()
		}))
	}
	done()
	fmt.Fprintf(s.out, "%d read, %d known, %d gone, %d broken, %d failed in %.1f s\n", counts[holdings.Read], counts[holdings.Known],
		counts[holdings.Gone], counts[holdings.Broken], counts[holdings.Failed], time.Since(began).Seconds())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if n := counts[holdings.Failed]; n > 0 {
		return fault.New(fault.Unavailable, "", "%d files could not be read now; run the command again to go on", n)
	}
	return nil
}

// counter returns what counts files, on a terminal, and what clears the line.
func counter(w io.Writer) (show, done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}, func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("files"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return func() { _ = bar.Add(1) }, func() { _ = bar.Clear() } // a bar that cannot be drawn is no failure
}
