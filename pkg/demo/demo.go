// Package demo makes the archive that a newcomer's server shows: images that look like
// the sky: a star field, an exposure with its planes, and a spectral cube.
//
// To add one: write a function that draws it, and name it in the files table.
package demo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// files names the images of the archive and what writes them.
var files = []struct {
	name  string
	write func(context.Context, io.Writer) error
}{
	{"starfield.fits", writeStarfield},
	{"exposure.fits", writeExposure},
	{"cube.fits", writeCube},
}

// Names returns the names of the files of the archive.
func Names() (names []string) {
	for _, f := range files {
		names = append(names, f.name)
	}
	return names
}

// Write makes the files of the archive in dir that are not there yet. Each appears whole
// or not at all. The error is [fault.Usage] if dir cannot be written to.
func Write(ctx context.Context, dir string) error {
	// #nosec G301 -- an archive that others may look at
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New(fault.Usage, "demo.Write", "the folder of the demo archive cannot be made: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = writeFile(ctx, path, f.write)
		}
		if err != nil {
			return fault.New(fault.Usage, "demo.Write", "the demo image %s cannot be made: %w", f.name, err)
		}
	}
	return nil
}

func writeFile(ctx context.Context, path string, write func(context.Context, io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(ctx, f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// card is one keyword of a header to make.
type card struct {
	key     string
	value   any
	comment string
}

func setAll(h *fits.Header, cards []card) error {
	for _, c := range cards {
		if err := h.Set(c.key, c.value, c.comment); err != nil {
			return err
		}
	}
	return nil
}
