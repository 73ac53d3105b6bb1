//go:build unix

// Command engine cuts a box of pixels out of a FITS file again and again, and prints how
// long it took, in the form of the programs that it is measured beside.
//
//	engine [FLAGS] FILE HDU X1 X2 Y1 Y2 N [MODE] [OUT]
//
// FILE is a path or the URL of an archive's object. HDU counts from 0; the box is in FITS
// pixels with both ends included, and further axes are kept whole. MODE says what is done
// each time, and where the cutout goes:
//
//	mem      opens the object, reads its headers, cuts; to memory (default)
//	file     the same; to the file OUT
//	discard  the same; to nowhere
//	known    opens an object whose headers are in a cache, cuts; to memory
//	reuse    cuts a file that stays open; to memory
//
// The archive itself, a folder or an address, stays open as it does in a service.
//
// With -circle not the box of one HDU is cut, but the circle in it, out of all images of the
// file that it touches, with their planes; -mask and -pad go with that. The box may then
// reach beyond the image.
//
// -profile writes a profile of the processor's time for go tool pprof.
//
// -counts names the page where the program store tells what it was asked for; it is read
// before the clock starts and after it has stopped, and printed behind the figures.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	compress := flags.String("compress", "none", "how the cutout is stored: none, as the programs beside write it, gzip2, rice or asis")
	cost := flags.String("cost", "", "what reading costs: local, bucket or web (default: as usual for FILE)")
	cores := flags.Int("cores", 1, "processors that may be used; the programs beside it have one thread")
	counts := flags.String("counts", "", "page where the program store tells what it was asked for")
	circle := flags.Bool("circle", false, "cut the circle in the box, out of all images")
	mask := flags.String("mask", "none", "with -circle: none, nan or plane")
	padding := flags.String("pad", "none", "with -circle: none or nan")
	profile := flags.String("profile", "", "file for a profile of the processor's time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if args = flags.Args(); len(args) < 7 {
		return fmt.Errorf("usage: engine [FLAGS] FILE HDU X1 X2 Y1 Y2 N [mem|file|discard|known|reuse] [OUT]")
	}
	var numbers [6]int
	for i := range numbers {
		n, err := strconv.Atoi(args[1+i])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	c := cutter{mode: "mem", out: filepath.Join(os.TempDir(), "engine_out.fits"), indexes: indexes.New(64<<20, nil)}
	if c.place, c.name = path.Split(args[0]); c.place == "" {
		c.place = "."
	}
	costs := map[string]fits.Cost{"": fits.CostOf(c.place), "local": fits.Local, "bucket": fits.Bucket, "web": fits.Web}
	var ok bool
	if c.cost, ok = costs[*cost]; !ok {
		return fmt.Errorf("-cost %q: want local, bucket or web", *cost)
	}
	if len(args) > 7 {
		c.mode = args[7]
	}
	if len(args) > 8 {
		c.out = args[8]
	}
	runtime.GOMAXPROCS(*cores)
	defer c.close()
	var err error
	c.request.Compress = cutout.Compress(*compress)
	if *circle {
		c.request.Mask, c.request.Pad = cutout.Mask(*mask), cutout.Pad(*padding)
		c.request.Stencil, err = c.circle(numbers[0], numbers[1:5])
	} else {
		c.request.HDU = &numbers[0]
		c.request.Pixels, err = pixel.ParseSection(fmt.Sprintf("[%d:%d,%d:%d]", numbers[1], numbers[2], numbers[3], numbers[4]))
	}
	if err != nil {
		return err
	}
	if c.mode == "known" || c.mode == "reuse" { // what stays is made before the clock starts
		if err := c.cut(); err != nil {
			return err
		}
	}
	if _, err := fetch(*counts); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	n, already := numbers[5], c.count.Bytes()
	wall, cpu := time.Now(), cpuTime()
	for range n {
		if err := c.cut(); err != nil {
			return err
		}
	}
	elapsed, used := time.Since(wall).Seconds(), (cpuTime() - cpu).Seconds()
	counted, err := fetch(*counts)
	if err != nil {
		return err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	times := float64(n)
	fmt.Printf("peer=seltzer mode=%s n=%d per_s=%.2f ms=%.3f maxrss_mb=%.1f read_mb_per_cut=%.3f cpu_ms=%.3f %s\n", c.mode, n,
		times/elapsed, 1e3*elapsed/times, float64(usage.Maxrss)/1024, float64(c.count.Bytes()-already)/1e6/times, 1e3*used/times, counted)
	return nil
}

// fetch returns the text of a page, or "" if none is named.
func fetch(url string) (string, error) {
	if url == "" {
		return "", nil
	}
	answer, err := http.Get(url) // #nosec G107 -- the store beside it
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(text)), err
}

// cpuTime returns the user and system time of the process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // it cannot fail for the process itself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type cutter struct {
	place, name string
	request     cutout.Request
	cost        fits.Cost
	mode, out   string

	indexes *indexes.Cache
	root    objects.Root
	source  objects.Source
	file    *fits.File
	count   objects.Count
	buffer  bytes.Buffer
}

func (c *cutter) open(ctx context.Context) (err error) {
	if c.root == nil {
		if c.root, err = objects.OpenRoot(ctx, c.place); err != nil {
			return err
		}
	}
	if c.source, err = c.root.Open(ctx, c.name); err != nil {
		return err
	}
	r := objects.Bind(ctx, c.source, &c.count)
	if c.mode == "known" {
		c.file, err = c.indexes.Open(ctx, indexes.Key{Object: c.place + c.name, Generation: c.source.Generation()}, r, c.source.Size(), c.cost)
	} else {
		c.file, err = c.cost.Open(r, c.source.Size())
	}
	return err
}

// circle returns the circle in a box of pixels of an HDU.
func (c *cutter) circle(hdu int, box []int) (stencil.Stencil, error) {
	if err := c.open(context.Background()); err != nil {
		return nil, err
	}
	defer c.close()
	if hdu < 0 || hdu >= len(c.file.HDUs) {
		return nil, fmt.Errorf("HDU %d of %d", hdu, len(c.file.HDUs))
	}
	system, err := cutout.System(c.file.HDUs[hdu])
	if err != nil {
		return nil, err
	}
	at := []float64{float64(box[0]+box[1]) / 2, float64(box[2]+box[3]) / 2}
	if _, err := system.ToSky(at, at); err != nil {
		return nil, err
	}
	side := min(box[1]-box[0], box[3]-box[2]) + 1
	return stencil.NewCircle(at[0], at[1], (float64(side)/2-0.25)*system.PixelScale())
}

func (c *cutter) close() {
	if c.source != nil {
		_ = c.source.Close()
	}
	c.source, c.file = nil, nil
}

func (c *cutter) cut() error {
	ctx := context.Background()
	if c.file == nil {
		if err := c.open(ctx); err != nil {
			return err
		}
	}
	c.request.Source = cutout.Provenance{
		ID: strings.TrimSuffix(c.name, ".fits"), Object: c.name, Generation: c.source.Generation(), Version: "bench", Date: time.Now(),
	}
	plan, err := cutout.New(c.file, c.request)
	if err != nil {
		return err
	}
	var w io.Writer = io.Discard
	switch c.mode {
	case "mem", "known", "reuse":
		c.buffer.Reset()
		c.buffer.Grow(int(plan.Size()))
		w = &c.buffer
	case "file":
		f, err := os.Create(c.out)
		if err != nil {
			return err
		}
		defer f.Close()
		w = f
	}
	if _, err := plan.WriteTo(ctx, w); err != nil {
		return err
	}
	if c.mode != "reuse" {
		c.close()
	}
	return nil
}
