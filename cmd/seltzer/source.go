package main

import (
	"context"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/drivers"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// sourceHelp is said of SOURCE in every command that takes one.
const sourceHelp = "FITS file: a path, or an https://, gs://, s3:// or file:// URL. Only the bytes that are needed are read."

// source is an open FITS file.
type source struct {
	*fits.File
	objects.Source
	count objects.Count
	root  objects.Root
}

// openSource opens a path or URL. The error is one of [objects.Root]'s or [fits.Open]'s.
func openSource(ctx context.Context, name string) (_ *source, err error) {
	place, object, err := split(name)
	if err != nil {
		return nil, err
	}
	s := &source{}
	if s.root, err = drivers.OpenRoot(ctx, place); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	if s.Source, err = s.root.Open(ctx, object); err != nil {
		return nil, err
	}
	if s.File, err = fits.CostOf(place).Open(objects.Bind(ctx, s.Source, &s.count), s.Source.Size()); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *source) close() error {
	if s.Source != nil {
		_ = s.Source.Close() // nothing was written
	}
	return s.root.Close()
}

// split divides a path or URL into the root to open and the object below it. The query
// of a URL, which sets up the driver of a bucket, stays with the root.
func split(name string) (root, object string, err error) {
	if !strings.Contains(name, "://") {
		dir, file := filepath.Split(name)
		if dir == "" {
			dir = "."
		}
		if file == "" {
			return "", "", fault.New(fault.Usage, "", "%s is a folder; want a FITS file", name)
		}
		return dir, file, nil
	}
	u, err := url.Parse(name)
	if err != nil {
		return "", "", fault.New(fault.Usage, "", "%s is no URL: %w", name, err)
	}
	object = strings.TrimPrefix(u.Path, "/")
	if u.Scheme == "file" || u.Scheme == "http" || u.Scheme == "https" {
		u.Path, object = path.Split(u.Path)
		u.RawPath = ""
	} else {
		u.Path, u.RawPath = "", ""
	}
	if object == "" {
		return "", "", fault.New(fault.Usage, "", "%s names no file; want a URL that ends in one", name)
	}
	return u.String(), object, nil
}

// skyHDU returns the image that a command is about: the HDU of a number or, if that is
// nil, the first image with a sky.
func (s *source) skyHDU(number *int) (*fits.HDU, *wcs.System, error) {
	if number != nil {
		if *number < 0 || *number >= len(s.HDUs) {
			return nil, nil, fault.New(fault.Usage, "", "there is no HDU %d; the file has %d, from 0", *number, len(s.HDUs))
		}
		u := s.HDUs[*number]
		system, err := wcs.Parse(u.Header, len(u.Shape))
		return u, system, err
	}
	first := error(fault.New(fault.Unsupported, "", "no HDU of the file is an image of the sky"))
	found := false
	for _, u := range s.HDUs {
		if !u.Image() {
			continue
		}
		system, err := wcs.Parse(u.Header, len(u.Shape))
		if err == nil {
			return u, system, nil
		}
		if !found {
			first, found = err, true
		}
	}
	return nil, nil, first
}
