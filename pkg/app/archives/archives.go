// Package archives opens the archives of a service.
package archives

import (
	"context"
	"errors"
	"fmt"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/drivers"
)

// Archives are the archives of a service.
type Archives struct {
	archive.Resolver
	roots []objects.Root
}

// Open opens archives given as NAME=FOLDER or NAME=URL; their IDs begin with
// ivo://authority/NAME?. examples name objects to show where an archive lists none. The
// error names everything that is wrong.
func Open(ctx context.Context, authority string, specs, examples []string) (_ *Archives, err error) {
	a := &Archives{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	var collections []archive.Collection
	var errs []error
	for _, spec := range specs {
		name, location, err := archive.ParseArchive(spec)
		var root objects.Root
		if err == nil {
			root, err = drivers.OpenRoot(ctx, location)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("archive %s: %w", spec, err))
			continue
		}
		a.roots = append(a.roots, root)
		collections = append(collections, archive.Collection{Prefix: archive.Prefix(authority, name), Root: root, Examples: examples})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	a.Resolver, err = archive.NewCollections(collections...)
	return a, err
}

// Close lets go of the archives.
func (a *Archives) Close() error {
	var errs []error
	for _, r := range a.roots {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
