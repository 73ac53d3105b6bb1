// Package archive finds the dataset that an ID names.
//
// An ID is an opaque publisher dataset identifier such as ivo://localhost/m31?hst/a.fits.
// It is never fetched as a URL and never decoded: a [Resolver] knows what it names, and
// nothing else can be reached. [Collections] is the resolver whose IDs carry the path of
// the object: a prefix, and a name below that prefix's root. To resolve IDs that carry no
// path, write another Resolver beside it; what every Resolver keeps is the contract
// suite, package archivetest.
//
// Source: IVOA Identifiers 2.0, section 4 (dataset identifiers); SODA 1.0, section 3.2 (ID).
package archive

import (
	"context"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Viewer is who looks. The zero Viewer is anybody.
type Viewer struct {
	Groups []string // that they belong to
	All    bool     // sees what every group may see
}

// Owner returns the viewer as whom a job is worked on: its owner when they made it.
func Owner(j *uws.Job) Viewer { return Viewer{Groups: j.Groups, All: j.SeesAll} }

// sees reports whether the viewer may see what is for some groups, or for everybody if
// there are none.
func (v Viewer) sees(groups []string) bool {
	belongs := func(group string) bool { return slices.Contains(v.Groups, group) }
	return v.All || len(groups) == 0 || slices.ContainsFunc(groups, belongs)
}

// Dataset is what an ID names.
type Dataset struct {
	ID     string
	Name   string // file name for people: image.fits
	Public bool   // else it is for some groups

	Root   objects.Root // where its bytes are …
	Object string       // … and under which name
}

// Open pins the dataset's object at its present generation; for the errors see
// [objects.Root].
func (d *Dataset) Open(ctx context.Context) (objects.Source, error) {
	return d.Root.Open(ctx, d.Object)
}

// Resolver finds datasets. Methods are safe for concurrent use.
type Resolver interface {
	// Resolve returns the dataset that id names, if viewer may see it. It need not look
	// whether the bytes are there; [Dataset.Open] does. The error is [fault.NotFound] for an
	// ID that names nothing that viewer may see, [fault.Usage] for one whose form is wrong.
	// Neither its kind nor its sentence tells whether something exists that they may not see.
	Resolve(ctx context.Context, id string, viewer Viewer) (*Dataset, error)

	// Examples returns up to n IDs of public datasets that are there; none is no error.
	Examples(ctx context.Context, n int) ([]string, error)

	// Check is nil if the resolver can answer.
	Check(ctx context.Context) error
}
