//go:build unix

// Command engine cuts a box of pixels out of a FITS file again and again, and prints how
// long it took, in the form of the programs that it is measured beside.
//
//	engine FILE HDU X1 X2 Y1 Y2 N [mem|file|reuse] [OUT]
//
// HDU counts from 0; the box is in FITS pixels with both ends included. mem opens, reads the
// headers, cuts and writes a whole FITS file to memory each time; file writes it to OUT;
// reuse reads the headers once.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 7 {
		return fmt.Errorf("usage: engine FILE HDU X1 X2 Y1 Y2 N [mem|file|reuse] [OUT]")
	}
	var numbers [6]int
	for i := range numbers {
		n, err := strconv.Atoi(args[1+i])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	n, mode, out := numbers[5], "mem", filepath.Join(os.TempDir(), "engine_out.fits")
	if len(args) > 7 {
		mode = args[7]
	}
	if len(args) > 8 {
		out = args[8]
	}
	section, err := pixel.ParseSection(fmt.Sprintf("[%d:%d,%d:%d]", numbers[1], numbers[2], numbers[3], numbers[4]))
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // the programs beside it have one thread
	c := cutter{name: args[0], hdu: numbers[0], section: section}
	defer c.close()
	wall, cpu := time.Now(), cpuTime()
	for range n {
		if err := c.cut(mode, out); err != nil {
			return err
		}
	}
	elapsed, used := time.Since(wall).Seconds(), (cpuTime() - cpu).Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	times := float64(n)
	fmt.Printf("peer=seltzer mode=%s n=%d per_s=%.2f ms=%.3f maxrss_mb=%.1f read_mb_per_cut=%.3f cpu_ms=%.3f\n", mode, n,
		times/elapsed, 1e3*elapsed/times, float64(usage.Maxrss)/1024, float64(c.count.Bytes())/1e6/times, 1e3*used/times)
	return nil
}

// cpuTime returns the user and system time of the process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // it cannot fail for the process itself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type cutter struct {
	name    string
	hdu     int
	section pixel.Section
	root    objects.Root
	source  objects.Source
	file    *fits.File
	count   objects.Count
	buffer  bytes.Buffer
}

func (c *cutter) open() error {
	ctx := context.Background()
	var err error
	if c.root, err = objects.OpenRoot(ctx, filepath.Dir(c.name)); err != nil {
		return err
	}
	if c.source, err = c.root.Open(ctx, filepath.Base(c.name)); err != nil {
		return err
	}
	c.file, err = fits.Open(objects.Bind(ctx, c.source, &c.count), c.source.Size())
	return err
}

func (c *cutter) close() {
	if c.source != nil {
		_ = c.source.Close()
		_ = c.root.Close()
	}
	c.source, c.root, c.file = nil, nil, nil
}

func (c *cutter) cut(mode, out string) error {
	if c.file == nil {
		if err := c.open(); err != nil {
			return err
		}
	}
	plan, err := cutout.New(c.file, cutout.Request{Pixels: c.section, HDU: &c.hdu, Source: cutout.Provenance{
		ID: strings.TrimSuffix(filepath.Base(c.name), ".fits"), Object: c.name, Generation: c.source.Generation(), Version: "bench", Date: time.Now(),
	}})
	if err != nil {
		return err
	}
	var w io.Writer = &c.buffer
	c.buffer.Reset()
	if mode == "file" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		w = f
	}
	if _, err := plan.WriteTo(context.Background(), w); err != nil {
		return err
	}
	if mode != "reuse" {
		c.close()
	}
	return nil
}
