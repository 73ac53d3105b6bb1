package archive

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Collection maps the IDs that begin with Prefix to the objects of Root: the ID is the
// prefix followed by the object's name.
type Collection struct {
	Prefix   string       // such as ivo://example.org/dr1?
	Root     objects.Root // not closed by the resolver
	Groups   []string     // who may see it; none means that it is public
	Examples []string     // names of objects to show where Root cannot list any
}

// Collections is the [Resolver] of some collections.
type Collections struct {
	byLength []Collection // longest prefix first
	ordered  []Collection // as given
}

// NewCollections returns a resolver of collections. Where prefixes overlap, the longest
// that an ID begins with counts. The error is [fault.Usage] for a prefix that is empty or
// given twice, and for a collection without a root.
func NewCollections(collections ...Collection) (*Collections, error) {
	c := &Collections{ordered: slices.Clone(collections), byLength: slices.Clone(collections)}
	slices.SortStableFunc(c.byLength, func(a, b Collection) int { return len(b.Prefix) - len(a.Prefix) })
	seen := make(map[string]bool)
	for _, one := range collections {
		switch {
		case one.Prefix == "" || strings.ContainsFunc(one.Prefix, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return nil, fault.New(fault.Usage, "archive.NewCollections", "the prefix %q is empty or holds blanks; want one such as ivo://example.org/dr1?", one.Prefix)
		case seen[one.Prefix]:
			return nil, fault.New(fault.Usage, "archive.NewCollections", "two collections have the prefix %q; want each once", one.Prefix)
		case one.Root == nil:
			return nil, fault.New(fault.Usage, "archive.NewCollections", "the collection %q has no root", one.Prefix)
		}
		seen[one.Prefix] = true
	}
	return c, nil
}

// Resolve implements [Resolver]. An ID in a collection that is not for viewer is answered
// in the same words as one of no collection, whatever follows the prefix.
func (c *Collections) Resolve(ctx context.Context, id string, viewer Viewer) (*Dataset, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, one := range c.byLength {
		name, found := strings.CutPrefix(id, one.Prefix)
		if !found {
			continue
		}
		if !viewer.sees(one.Groups) {
			break
		}
		if err := objects.CleanName(name); err != nil {
			return nil, fault.New(fault.Usage, "archive.Resolve", "the ID does not name a dataset of %s: %s", one.Prefix, fault.Sentence(err))
		}
		return &Dataset{ID: id, Name: path.Base(name), Public: len(one.Groups) == 0, Root: one.Root, Object: name}, nil
	}
	return nil, c.unknown(id)
}

// unknown is the error for an ID that names nothing; it names the public prefixes.
func (c *Collections) unknown(id string) error {
	const shown = 100 // bytes of an ID
	if len(id) > shown {
		id = strings.ToValidUTF8(id[:shown], "") + "…"
	}
	var prefixes []string
	for _, one := range c.ordered {
		if len(one.Groups) == 0 {
			prefixes = append(prefixes, one.Prefix)
		}
	}
	if len(prefixes) == 0 {
		return fault.New(fault.NotFound, "archive.Resolve", "there is no dataset with the ID %q", id)
	}
	return fault.New(fault.NotFound, "archive.Resolve", "there is no dataset with the ID %q; the public IDs begin with %s", id, strings.Join(prefixes, " or "))
}

var image = regexp.MustCompile(`(?i)\.(fits|fit|fts|fz)(\.gz)?$`)

// IsImage reports whether an object is named as FITS files are.
func IsImage(name string) bool { return image.MatchString(name) }

// All returns the collections in the order in which they were given.
func (c *Collections) All() []Collection { return slices.Clone(c.ordered) }

// maxLooked is how many names of one collection Examples looks at.
const maxLooked = 1000

// Examples implements [Resolver]: names that look like FITS images from each public
// collection in turn. A collection that cannot be listed now gives none.
func (c *Collections) Examples(ctx context.Context, n int) ([]string, error) {
	var found [][]string // by collection
	for _, one := range c.ordered {
		if len(one.Groups) > 0 {
			continue
		}
		var ids []string
		for _, name := range one.Examples {
			ids = append(ids, one.Prefix+name)
		}
		if lister, ok := one.Root.(objects.Lister); ok && len(ids) == 0 {
			looked := 0
			for name, err := range lister.List(ctx) {
				if looked++; err != nil || len(ids) >= n || looked > maxLooked {
					break
				}
				if IsImage(name) {
					ids = append(ids, one.Prefix+name)
				}
			}
		}
		found = append(found, ids)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var examples []string
	for i := 0; len(examples) < n; i++ {
		before := len(examples)
		for _, ids := range found {
			if i < len(ids) && len(examples) < n {
				examples = append(examples, ids[i])
			}
		}
		if len(examples) == before {
			break
		}
	}
	return examples, nil
}

// Check implements [Resolver]: it asks the root of each collection.
func (c *Collections) Check(ctx context.Context) error {
	var errs []error
	for _, one := range c.ordered {
		errs = append(errs, one.Root.Check(ctx))
	}
	return errors.Join(errs...)
}

// Local is the authority of archives that are served on one machine.
const Local = "localhost"

// Prefix returns the prefix of the IDs of an archive that an authority serves under a name.
func Prefix(authority, name string) string { return "ivo://" + authority + "/" + name + "?" }

// archiveName matches the names that an archive may be served under.
var archiveName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// ParseArchive reads NAME=DIR or NAME=URL as the command line takes it; the location is
// for [objects.OpenRoot]. The error is [fault.Usage].
func ParseArchive(spec string) (name, location string, err error) {
	name, location, found := strings.Cut(spec, "=")
	switch {
	case !found || location == "":
		return "", "", fault.New(fault.Usage, "archive.ParseArchive", "the archive %q is not NAME=FOLDER or NAME=URL", spec)
	case !archiveName.MatchString(name) || name == "." || name == "..":
		return "", "", fault.New(fault.Usage, "archive.ParseArchive", "the archive name %q in %q is not made of letters, digits, dots, - and _", name, spec)
	}
	return name, location, nil
}
