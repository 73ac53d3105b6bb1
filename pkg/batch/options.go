package batch

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/manifest"
	"github.com/seltzer-soda/seltzer/pkg/pack"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Parameters of a batch, beside those that are values for rows without their own.
const (
	Manifest = "MANIFEST" // the file, or its name in the owner's folder
	Package  = "PACKAGE"  // form of the results: one of pack.Formats
	Names    = "NAMES"    // template of the names of files: pack.Template
)

// Defaults names the parameters that are values for rows without their own.
var Defaults = []string{"ID", "RADIUS", "SIZE", "STAMP", "MASK", "DETAIL", "PAD", "COMPRESS", "HDU"}

// Options is what the parameters of a batch ask for.
type Options struct {
	Manifest string // as it was sent
	Package  *pack.Format
	Names    *pack.Template // nil: the usual one
	Defaults []uws.Param
}

// Asks reports whether a request is for a batch.
func Asks(params []uws.Param) bool {
	return slices.ContainsFunc(params, func(p uws.Param) bool { return strings.EqualFold(p.Name, Manifest) })
}

// Read reads the parameters of a batch. The errors are [fault.Usage] and [fault.MultiValued].
func Read(params []uws.Param) (*Options, error) {
	o := &Options{Package: &pack.Formats[0]}
	given := map[string]bool{}
	for _, p := range soda.Normalize(params) {
		if given[p.Name] {
			return nil, fault.New(fault.MultiValued, "batch.Read", "%s was given more than once; want one value for all rows, or a column of the manifest", p.Name)
		}
		given[p.Name] = true
		var err error
		switch {
		case p.Name == Manifest:
			o.Manifest = p.Value
		case p.Name == Package:
			o.Package, err = pack.Lookup(strings.ToLower(p.Value))
		case p.Name == Names:
			o.Names, err = pack.ParseTemplate(p.Value)
		case slices.Contains(Defaults, p.Name):
			o.Defaults = append(o.Defaults, p)
		case soda.Lookup(p.Name) != nil && !soda.Lookup(p.Name).Control():
			err = fault.New(fault.Usage, "batch.Read", "%s cannot be said for all rows of a manifest; make it a column, or leave it out", p.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	if !given[Manifest] {
		return nil, fault.New(fault.Usage, "batch.Read", "the request names no manifest; send the file, or its name, as %s", Manifest)
	}
	if o.Package.Stamps { // its rows are images of one shape
		for _, p := range []uws.Param{{Name: "PAD", Value: "nan"}, {Name: "DETAIL", Value: "image"}, {Name: "COMPRESS", Value: "none"}} {
			if !given[p.Name] {
				o.Defaults = append(o.Defaults, p)
			}
		}
	}
	_, err := manifest.Open(context.Background(), bytes.NewReader([]byte("{}")), 2, "rows.jsonl", o.Defaults...) // judges the values
	return o, err
}

// Known reports whether a parameter is one of a batch.
func Known(name string) bool {
	name = strings.ToUpper(name)
	return name == Manifest || name == Package || name == Names || slices.Contains(Defaults, name)
}
