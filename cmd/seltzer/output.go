package main

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

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
	target := c.Output
	if real, err := filepath.EvalSymlinks(target); err == nil { // a link stays a link
		target = real
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return fillDevice(target, func(w io.Writer) error { return fill(io.MultiWriter(w, show)) })
	}
	temporary := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+rand.Text())
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666) // #nosec G302 G304 -- the user's file, under their umask
	if err != nil {
		return fault.New(fault.Usage, "", "cannot write to %s: %w", c.Output, err)
	}
	defer os.Remove(temporary) // gone already if it was renamed
	if err := errors.Join(fill(io.MultiWriter(f, show)), f.Close()); err != nil {
		return err
	}
	if c.Force {
		return os.Rename(temporary, target)
	}
	if err := os.Link(temporary, target); errors.Is(err, fs.ErrExist) { // a rename would overwrite
		return exists(c.Output)
	} else if err == nil {
		return nil
	}
	return os.Rename(temporary, target) // a file system without links
}

// fillDevice writes through what is no file: a pipe, a device.
func fillDevice(name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0) // #nosec G304 -- the user's file
	if err != nil {
		return fault.New(fault.Usage, "", "cannot write to %s: %w", name, err)
	}
	return errors.Join(fill(f), f.Close())
}

// progress returns a writer that shows how many of size bytes were written, on a terminal
// and after a second.
func progress(w io.Writer, size int64) (show io.Writer, done func()) {
	if !isTerminal(w) {
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

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
