// Package archives opens the archives of a service.
package archives

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/drivers"
)

// Archives are the archives of a service.
type Archives struct {
	*archive.Collections
	roots []objects.Root
}

// Config says what archives there are.
type Config struct {
	Authority string   // their IDs begin with ivo://AUTHORITY/NAME?
	Archives  []string // as NAME=FOLDER or NAME=URL
	Groups    []string // as NAME=GROUP: only the members of its groups see that archive
	Examples  []string // names of objects to show where an archive lists none
}

// Open opens archives. The error names everything that is wrong.
func Open(ctx context.Context, c Config) (_ *Archives, err error) {
	a := &Archives{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	groups, err := readGroups(c.Groups)
	errs := []error{err}
	var collections []archive.Collection
	for _, spec := range c.Archives {
		name, location, err := archive.ParseArchive(spec)
		var root objects.Root
		if err == nil {
			root, err = drivers.OpenRoot(ctx, location)
		}
		members := groups[name]
		delete(groups, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("archive %s: %w", spec, err))
			continue
		}
		a.roots = append(a.roots, root)
		collections = append(collections, archive.Collection{Prefix: archive.Prefix(c.Authority, name), Root: root, Groups: members, Examples: c.Examples})
	}
	for name := range groups {
		errs = append(errs, fault.New(fault.Usage, "archives.Open", "there are groups for the archive %q, which is none of those served; want the name of one", name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	a.Collections, err = archive.NewCollections(collections...)
	return a, err
}

// readGroups reads NAME=GROUP and returns the groups of each archive.
func readGroups(specs []string) (map[string][]string, error) {
	groups := make(map[string][]string)
	var errs []error
	for _, spec := range specs {
		name, group, found := strings.Cut(spec, "=")
		if group = strings.TrimSpace(group); !found || name == "" || group == "" {
			errs = append(errs, fault.New(fault.Usage, "archives.Open", "%q is not NAME=GROUP: an archive, and a group that may see it", spec))
			continue
		}
		if !slices.Contains(groups[name], group) {
			groups[name] = append(groups[name], group)
		}
	}
	return groups, errors.Join(errs...)
}

// Close lets go of the archives.
func (a *Archives) Close() error {
	var errs []error
	for _, r := range a.roots {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
