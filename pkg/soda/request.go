package soda

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// MaxCuts is how many cutouts one job may ask for.
const MaxCuts = 1000

// Region is what of an image is asked for: one of a stencil, a stamp and a section of
// pixels, or none of them, which is the whole image.
type Region struct {
	Stencil stencil.Stencil // of CIRCLE, POLYGON, POS and SIZE
	Stamp   *Stamp
	Pixels  pixel.Section

	text string
}

// String returns the region as a parameter, "POS=CIRCLE 1 2 3"; "" for the whole image.
func (r Region) String() string { return r.text }

// Request is what the parameters of one job ask for.
type Request struct {
	IDs      []string
	Regions  []Region // in the order of the request
	Bands    []Interval
	Times    []Interval
	Pol      []string
	HDU      *int   // nil: not given
	Mask     string // none, nan or plane; "" is none
	Detail   string // image, planes or full; "" is planes
	Pad      string // none or nan; "" is none
	Compress string // none, gzip2, rice or asis; "" is as in the archive, without loss
	Name     string // file name of a cutout; "": it is named after its dataset
	Format   string // media type of a cutout
	RunID    string
}

// Normalize returns the parameters of a request with their names in upper case and
// without empty values, which forms send for fields that were left blank. Values are kept
// as they are, since an ID is opaque.
func Normalize(params []uws.Param) []uws.Param {
	var kept []uws.Param
	for _, p := range params {
		if p.Value != "" {
			kept = append(kept, uws.Param{Name: strings.ToUpper(p.Name), Value: p.Value})
		}
	}
	return kept
}

// Ignored returns the names of parameters that the service does not know, each once and
// in upper case.
func Ignored(params []uws.Param) (names []string) {
	for _, p := range Normalize(params) {
		if Lookup(p.Name) == nil && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Read reads all parameters that are known and checks each value; parameters that are
// not known are left alone. It does not ask whether the request is complete, so that
// a job can be built up while it is PENDING: that is [Request.Complete].
// The errors are [fault.Usage], [fault.MultiValued] and [fault.TooLarge].
func Read(params []uws.Param) (*Request, error) {
	r := &Request{Format: "application/fits"}
	given := make(map[string]bool)
	for _, p := range Normalize(params) {
		known := Lookup(p.Name)
		if known == nil {
			continue
		}
		if given[p.Name] && known.Values == Once {
			return nil, repeated(p.Name)
		}
		given[p.Name] = true
		if err := known.parse(r, p.Value); err != nil {
			return nil, err
		}
	}
	if n := r.cuts(); n > MaxCuts {
		return nil, fault.New(fault.TooLarge, "soda.Read", "%d values of ID times %d regions are %d cutouts; want at most %d in one job: divide the request",
			len(r.IDs), len(r.Regions), n, MaxCuts)
	}
	return r, nil
}

func (p *Parameter) parse(r *Request, value string) error {
	if err := p.read(p, r, value); err != nil {
		return err
	}
	if p.Later != "" {
		return fault.New(fault.Usage, "soda.Read", "%s is not supported yet; %s", p.Name, p.Later)
	}
	return nil
}

func repeated(name string) error {
	return fault.New(fault.MultiValued, "soda.Read", "%s was given more than once; want one value", name)
}

// Single checks that the request is for one cutout. The error is [fault.MultiValued].
func (r *Request) Single() error {
	const op, advice = "soda.Single", "send one request for each, or all of them as one job to /async"
	for _, axis := range []struct {
		n    int
		name string
	}{{len(r.IDs), "values of ID"}, {len(r.Regions), "regions in " + list(regionNames(), "and") + " together"}, {len(r.Bands), "values of BAND"}, {len(r.Times), "values of TIME"}} {
		if axis.n > 1 {
			return fault.New(fault.MultiValued, op, "%d %s; want one: %s", axis.n, axis.name, advice)
		}
	}
	return nil
}

// Complete checks that the request says which dataset; one that names no region is for
// the whole image. The error is [fault.Usage].
func (r *Request) Complete() error {
	if len(r.IDs) == 0 {
		return fault.New(fault.Usage, "soda.Complete", "the request names no dataset; give ID=…, and for a part of the image one of %s, such as CIRCLE=150.1 2.2 0.01 (ICRS degrees)", list(regionNames(), "or"))
	}
	return nil
}

func regionNames() (names []string) {
	for _, p := range Parameters {
		if p.Region {
			names = append(names, p.Name)
		}
	}
	return names
}

// Cut is one combination of a request: what one cutout is made of.
type Cut struct {
	ID         string
	Region     Region
	Band, Time *Interval // nil: not given
}

// cuts returns how many combinations there are.
func (r *Request) cuts() int {
	return max(1, len(r.IDs)) * max(1, len(r.Regions)) * max(1, len(r.Bands)) * max(1, len(r.Times))
}

// Cuts returns all combinations of ID, region, band and time in this order: the ID
// changes slowest, and each in the order of the request (SODA 1.0, section 3.1). There is
// one at least if the request is complete.
func (r *Request) Cuts() []Cut {
	cuts := make([]Cut, 0, r.cuts())
	for _, id := range r.IDs {
		for _, region := range orNone(r.Regions) {
			for _, band := range orAny(r.Bands) {
				for _, time := range orAny(r.Times) {
					cuts = append(cuts, Cut{id, region, band, time})
				}
			}
		}
	}
	return cuts
}

// orNone returns regions or, if there is none, one that is the whole image.
func orNone(regions []Region) []Region {
	if len(regions) == 0 {
		return []Region{{}}
	}
	return regions
}

// orAny returns pointers to intervals or, if there is none, one nil.
func orAny(intervals []Interval) []*Interval {
	if len(intervals) == 0 {
		return []*Interval{nil}
	}
	p := make([]*Interval, len(intervals))
	for i := range intervals {
		p[i] = &intervals[i]
	}
	return p
}

// ResultID returns the id of the result of cut i, counted from 0, of n: "result" if it is
// the only one, where clients look for it, else "cutout-0001" and so on (SODA 1.0, section
// 4.2; UWS 1.1, section 2.2.2.4).
func ResultID(i, n int) string {
	if n == 1 {
		return "result"
	}
	return fmt.Sprintf("cutout-%04d", i+1)
}

// String writes the request in one line for logs.
func (r *Request) String() string {
	var s []string
	for _, id := range r.IDs {
		s = append(s, "ID="+id)
	}
	for _, region := range r.Regions {
		s = append(s, region.String())
	}
	return strings.Join(append(s, r.options()...), " ")
}

// Describe writes in one line what of the dataset a cut asks for, for provenance.
func (r *Request) Describe(c Cut) string {
	var s []string
	if text := c.Region.String(); text != "" {
		s = append(s, text)
	}
	return strings.Join(append(s, r.options()...), " ")
}

// options returns "NAME=value" of what changes the cutout beside its region.
func (r *Request) options() (s []string) {
	if r.HDU != nil {
		s = append(s, fmt.Sprintf("HDU=%d", *r.HDU))
	}
	for _, c := range []struct{ name, value string }{{"MASK", r.Mask}, {"DETAIL", r.Detail}, {"PAD", r.Pad}, {"COMPRESS", r.Compress}} {
		if c.value != "" {
			s = append(s, c.name+"="+c.value)
		}
	}
	return s
}
