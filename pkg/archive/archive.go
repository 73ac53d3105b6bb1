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

	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Dataset is what an ID names.
type Dataset struct {
	ID     string
	Name   string   // file name for people: image.fits
	Groups []string // who may see it, if it is not public
	Public bool

	Root   objects.Root // where its bytes are …
	Object string       // … and under which name
}

// Open pins the dataset's object at its present generation; for the errors see
// [objects.Root]. Whether who asks may see the dataset is the caller's to check, before.
func (d *Dataset) Open(ctx context.Context) (objects.Source, error) {
	return d.Root.Open(ctx, d.Object)
}

// Resolver finds datasets. Methods are safe for concurrent use.
type Resolver interface {
	// Resolve returns the dataset that id names. It need not look whether the bytes are
	// there; [Dataset.Open] does. The error is [fault.NotFound] for an ID that names
	// nothing, [fault.Usage] for one whose form is wrong. Neither its kind nor its
	// sentence tells whether something exists that is not public.
	Resolve(ctx context.Context, id string) (*Dataset, error)

	// Examples returns up to n IDs of public datasets that are there; none is no error.
	Examples(ctx context.Context, n int) ([]string, error)

	// Check is nil if the resolver can answer.
	Check(ctx context.Context) error
}
