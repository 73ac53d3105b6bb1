package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

type cut struct {
	Source  string `arg:"" help:"${source}"`
	Circle  string `group:"region" xor:"region" required:"" placeholder:"'RA DEC R'" help:"Circle: centre and radius."`
	Polygon string `group:"region" xor:"region" required:"" placeholder:"'RA DEC …'" help:"Polygon of three vertices or more, joined by great circles; either winding means the smaller region."`
	Range   string `group:"region" xor:"region" required:"" placeholder:"'RA1 RA2 DEC1 DEC2'" help:"Range of right ascension and declination; -Inf and +Inf leave an end open, RA1 > RA2 crosses 0."`
	Pixels  string `group:"region" xor:"region" required:"" placeholder:"'[x1:x2,y1:y2]'" help:"Section of pixels as CFITSIO writes it: from 1, both ends included, * for a whole axis; axes that are not named stay whole."`
	HDU     *int   `name:"hdu" placeholder:"N" help:"Cut this HDU only, counted from 0 (every image that the region touches; with --pixels the first image)."`
	Output  string `short:"o" required:"" placeholder:"OUT.fits" help:"File to write; - is standard output."`
	Force   bool   `short:"f" help:"Overwrite OUT.fits."`
}

// Help is what seltzer cut --help adds.
func (cut) Help() string {
	return `
Cuts the smallest box of whole pixels that covers the region, by the same engine as the
service. Pixels are copied bit by bit; the header tells where they come from. Images that
belong together, such as IMAGE, MASK and VARIANCE, are cut together.

Positions are ICRS, in degrees (150.1 2.2) or sexagesimal (10:00:24 +02:12:00, hours and
degrees). A radius takes a unit: 0.1deg, 6', 30", 6arcmin, 30arcsec; without one it is degrees.

    seltzer cut image.fits --circle '10:00:28 +02:12:21 30"' -o stamp.fits
    seltzer cut https://example.org/image.fits --polygon '150.1 2.2 150.2 2.2 150.15 2.3' -o p.fits
    seltzer cut image.fits --pixels '[101:200,1:50]' -o - | fitsverify -

Exit status: 0 done, 1 it could not be done, 2 it was asked for wrongly, 3 the region and
the image have no pixel in common.`
}

// Run cuts.
func (c *cut) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	request, err := c.request()
	if err != nil {
		return err
	}
	if err := c.mayWrite(); err != nil {
		return err
	}
	source, err := openSource(ctx, c.Source)
	if err != nil {
		return err
	}
	defer source.close()
	request.Source = cutout.Provenance{
		Object: c.Source, Generation: source.Generation(), Version: version(), RequestText: c.text(request), Date: time.Now().UTC(),
	}
	plan, err := cutout.New(source.File, *request)
	if err != nil {
		return err
	}
	return c.write(s, plan.Size(), func(w io.Writer) error {
		_, err := plan.WriteTo(ctx, w)
		return err
	})
}

func (c *cut) text(r *cutout.Request) string {
	if r.Stencil == nil {
		return "PIXELS=" + c.Pixels
	}
	return "POS=" + r.Stencil.String()
}

// request reads the region.
func (c *cut) request() (r *cutout.Request, err error) {
	r = &cutout.Request{HDU: c.HDU}
	switch {
	case c.Circle != "":
		r.Stencil, err = readRegion("CIRCLE", c.Circle, sky.ParseLongitude, sky.ParseLatitude, sky.ParseAngle)
	case c.Polygon != "":
		r.Stencil, err = readRegion("POLYGON", c.Polygon, sky.ParseLongitude, sky.ParseLatitude)
	case c.Range != "":
		r.Stencil, err = readRegion("RANGE", c.Range, openEnd(sky.ParseLongitude), openEnd(sky.ParseLongitude), openEnd(sky.ParseLatitude), openEnd(sky.ParseLatitude))
	default:
		r.Pixels, err = pixel.ParseSection(c.Pixels)
		if err != nil {
			err = fault.New(fault.Usage, "", "--pixels: %w", err)
		}
	}
	return r, err
}

// readRegion turns a region as people write it into one of SODA's: each word is read by
// its parser, in turn, from the first one again after the last.
func readRegion(shape, text string, parsers ...parser) (stencil.Stencil, error) {
	words := strings.Fields(strings.ReplaceAll(text, ",", " "))
	parts := []string{shape}
	for i, word := range words {
		v, err := parsers[i%len(parsers)](word)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "--%s: %w", strings.ToLower(shape), err)
		}
		parts = append(parts, strconv.FormatFloat(v, 'g', -1, 64))
	}
	st, err := stencil.Parse(strings.Join(parts, " "))
	if err != nil {
		return nil, fault.New(fault.Usage, "", "--%s %q: %s", strings.ToLower(shape), text, fault.Sentence(err))
	}
	return st, nil
}

// openEnd lets -Inf and +Inf through.
func openEnd(parse parser) parser {
	return func(word string) (float64, error) {
		switch strings.ToLower(word) {
		case "-inf", "+inf", "inf":
			return strconv.ParseFloat(word, 64)
		}
		return parse(word)
	}
}

// mayWrite refuses to overwrite a file, before any work is done.
func (c *cut) mayWrite() error {
	if c.Output == "-" || c.Force {
		return nil
	}
	if _, err := os.Lstat(c.Output); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return exists(c.Output)
	}
	return nil
}

func exists(name string) error {
	return fault.New(fault.Usage, "", "%s exists; choose another name, or overwrite it with --force", name)
}

// write gives fill where to write to: standard output, or a file that appears under its
// name when it is whole.
func (c *cut) write(s *streams, size int64, fill func(io.Writer) error) error {
	show, done := progress(s.err, size)
	defer done()
	if c.Output == "-" {
		return fill(io.MultiWriter(s.out, show))
	}
	f, err := os.CreateTemp(filepath.Dir(c.Output), "."+filepath.Base(c.Output)+".*")
	if err != nil {
		return fault.New(fault.Usage, "", "cannot write to %s: %w", c.Output, err)
	}
	defer os.Remove(f.Name()) // gone already if it was renamed
	if err := fill(io.MultiWriter(f, show)); err != nil {
		_ = f.Close()
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", c.Output, err)
	}
	if c.Force {
		return os.Rename(f.Name(), c.Output)
	}
	if err := os.Link(f.Name(), c.Output); errors.Is(err, fs.ErrExist) { // a rename would overwrite
		return exists(c.Output)
	} else if err == nil {
		return nil
	}
	return os.Rename(f.Name(), c.Output) // a file system without links
}

// progress returns a writer that shows how many of size bytes were written, on a terminal
// and after a second.
func progress(w io.Writer, size int64) (show io.Writer, done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return io.Discard, func() {}
	}
	bar := &lateBar{from: time.Now(), make: func() *progressbar.ProgressBar {
		return progressbar.NewOptions64(size, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetWidth(40), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}}
	return bar, bar.finish
}

// lateBar is a bar that appears when it takes longer than a second.
type lateBar struct {
	from time.Time
	make func() *progressbar.ProgressBar
	bar  *progressbar.ProgressBar
	n    int64
}

func (b *lateBar) Write(p []byte) (int, error) {
	b.n += int64(len(p))
	if b.bar == nil && time.Since(b.from) > time.Second {
		b.bar = b.make()
	}
	if b.bar != nil {
		_ = b.bar.Set64(b.n) // a bar that cannot be drawn is no failure
	}
	return len(p), nil
}

func (b *lateBar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
