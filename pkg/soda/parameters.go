// Package soda turns the parameters of a request into what shall be cut, after SODA 1.0
// (Bonnarel et al., REC-SODA-1.0, 2017) and DALI 1.1 (Dowler et al., REC-DALI-1.1, 2017).
//
// One table, [Parameters], names every parameter that the service knows. To add one,
// write how it is read and add a line; what is announced and what is refused by name
// follow from the table.
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

// Parameter is what the service says and does about one parameter.
type Parameter struct {
	Name        string // upper case
	Description string
	Standard    bool   // of SODA or DALI, not our own
	Required    bool   // at RUN
	Unit        string // VOUnit
	UCD         string
	Datatype    string // VOTable datatype
	Arraysize   string // VOTable arraysize
	Xtype       string // DALI xtype

	read    func(*Request, string) error // nil: known and refused, never ignored
	control bool                         // steers the job, is no part of what is cut
}

// Parameters is the table of all parameters. Names, UCDs and units are those of SODA 1.0,
// section 3.4 ("three factors"). A parameter that cannot be read yet is refused by name:
// to ignore it would give wrong data.
var Parameters = []Parameter{
	{Name: "ID", Description: "publisher DID of the dataset", Standard: true, Required: true,
		UCD: "meta.ref.url;meta.curation", Datatype: "char", Arraysize: "*", read: (*Request).readID},
	{Name: "CIRCLE", Description: "ICRS longitude, latitude and radius", Standard: true,
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "3", Xtype: "circle", read: region(stencil.ParseCircle)},
	{Name: "POLYGON", Description: "ICRS longitude and latitude of three vertices or more; either winding means the smaller region", Standard: true,
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "*", Xtype: "polygon", read: region(stencil.ParsePolygon)},
	{Name: "POS", Description: "CIRCLE, RANGE or POLYGON followed by ICRS degrees", Standard: true,
		UCD: "pos.outline;obs", Datatype: "char", Arraysize: "*", read: region(stencil.Parse)},
	{Name: "SIZE", Description: "box on the sky: ICRS longitude and latitude of its centre, width and height in the tangent plane, north up",
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "4", read: (*Request).readSize},
	{Name: "STAMP", Description: "box of pixels around a place: ICRS longitude and latitude in degrees, then columns and rows; an odd side is centred on the nearest pixel, an even one on the nearest edge between two",
		UCD: "pos.outline;obs", Datatype: "double", Arraysize: "4", read: (*Request).readStamp},
	{Name: "PIXELS", Description: "section of pixels as CFITSIO writes it, [x1:x2,y1:y2]: from 1, both ends included, * for a whole axis; of the first image, or that of HDU",
		UCD: "instr.pixel", Datatype: "char", Arraysize: "*", read: (*Request).readPixels},
	{Name: "HDU", Description: "cut this HDU only, counted from 0",
		UCD: "meta.number", Datatype: "int", Arraysize: "1", read: (*Request).readHDU},
	{Name: "MASK", Description: "what becomes of pixels outside of the region: none (they stay), nan (NaN, or BLANK), plane (a bit OUTSIDE_STENCIL in the mask, or an image STENCIL)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", read: choice("MASK", masks, func(r *Request) *string { return &r.Mask })},
	{Name: "DETAIL", Description: "which HDUs travel: image, planes (errors, flags, weights too) or full (tables and other attachments too)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", read: choice("DETAIL", details, func(r *Request) *string { return &r.Detail })},
	{Name: "CUTOUTDETAIL", Description: "DETAIL by the names of the Rubin Observatory: Image, MaskedImage or Exposure",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", read: choice("DETAIL or CUTOUTDETAIL", details, func(r *Request) *string { return &r.Detail })},
	{Name: "PAD", Description: "whether STAMP and regions on the sky go on beyond the edges of an image: none, or nan (NaN, or BLANK)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", read: choice("PAD", pads, func(r *Request) *string { return &r.Pad })},
	{Name: "BAND", Standard: true},
	{Name: "TIME", Standard: true},
	{Name: "POL", Standard: true},
	{Name: "RESPONSEFORMAT", Description: "media type of the result: application/fits, image/fits or fits", Standard: true,
		Datatype: "char", Arraysize: "*", read: (*Request).readFormat},
	{Name: "RUNID", Description: "name of yours for the job, at most 64 characters", Standard: true,
		Datatype: "char", Arraysize: "*", read: (*Request).readRunID, control: true},
}

// Announced returns the parameters that the service supports.
func Announced() []Parameter {
	return slices.DeleteFunc(slices.Clone(Parameters), func(p Parameter) bool { return p.read == nil })
}

// Lookup returns the parameter of a name in any case, or nil.
func Lookup(name string) *Parameter {
	name = strings.ToUpper(name)
	for i := range Parameters {
		if Parameters[i].Name == name {
			return &Parameters[i]
		}
	}
	return nil
}

// Control reports whether the parameter steers the job and is no part of what is cut.
func (p *Parameter) Control() bool { return p.control }

func (p *Parameter) parse(r *Request, value string) error {
	if p.read == nil {
		return fault.New(fault.Usage, "soda.Parse", "%s is not supported yet; leave it out to get the whole axis", p.Name)
	}
	return p.read(r, value)
}

// region reads a stencil. CIRCLE, POLYGON and POS, and of our own SIZE, STAMP and PIXELS all
// describe the one spatial axis, so their values are pooled: two of them are two values of
// one parameter.
func region[S stencil.Stencil](parse func(string) (S, error)) func(*Request, string) error {
	return func(r *Request, value string) error {
		s, err := parse(value)
		if err != nil {
			return err
		}
		r.Stencils = append(r.Stencils, s)
		r.regions = append(r.regions, "POS="+s.String())
		return nil
	}
}

func (r *Request) readID(value string) error {
	r.IDs = append(r.IDs, value)
	return nil
}

func (r *Request) readRunID(value string) error {
	if n := len([]rune(value)); n > 64 {
		return fault.New(fault.Usage, "soda.Parse", "RUNID has %d characters; want at most 64", n)
	}
	if r.RunID != "" {
		return repeated("RUNID")
	}
	r.RunID = value
	return nil
}

// formats maps what RESPONSEFORMAT may say to the media type of the answer (DALI 1.1, section 3.4.3).
var formats = map[string]string{
	"fits":             "application/fits",
	"application/fits": "application/fits",
	"image/fits":       "image/fits",
}

func (r *Request) readFormat(value string) error {
	mime, ok := formats[strings.ToLower(value)]
	if !ok {
		return fault.New(fault.Usage, "soda.Parse", "RESPONSEFORMAT %q is not supported; want application/fits, image/fits or fits", value)
	}
	if r.formatSet {
		return repeated("RESPONSEFORMAT")
	}
	r.Format, r.formatSet = mime, true
	return nil
}

func repeated(name string) error {
	return fault.New(fault.MultiValued, "soda.Parse", "%s may be given once", name)
}

// Request is what the parameters of one job ask for.
type Request struct {
	IDs      []string
	Stencils []stencil.Stencil // of CIRCLE, POLYGON, POS and SIZE, in the order of the request
	Stamps   []Stamp
	Pixels   []pixel.Section
	HDU      *int   // nil: not given
	Mask     string // none, nan or plane; "" is none
	Detail   string // image, planes or full; "" is planes
	Pad      string // none or nan; "" is none
	Format   string // media type of a cutout
	RunID    string

	regions   []string // "NAME=value" of each region
	formatSet bool
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

// Read reads all parameters that are known and checks each value; parameters that are
// not known are left alone. It does not ask whether the request is complete, so that
// a job can be built up while it is PENDING: that is [Request.Complete].
// The errors are [fault.Usage] and [fault.MultiValued].
func Read(params []uws.Param) (*Request, error) {
	r := &Request{Format: "application/fits"}
	for _, p := range Normalize(params) {
		known := Lookup(p.Name)
		if known == nil {
			continue
		}
		if err := known.parse(r, p.Value); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Single checks that no more than one dataset and one region are named. The error is
// [fault.MultiValued].
func (r *Request) Single() error {
	switch {
	case len(r.IDs) > 1:
		return fault.New(fault.MultiValued, "soda.Single", "%d values of ID; send one request for each", len(r.IDs))
	case len(r.regions) > 1:
		return fault.New(fault.MultiValued, "soda.Single", "%d regions in CIRCLE, POLYGON, POS, SIZE, STAMP and PIXELS together; send one request for each", len(r.regions))
	}
	return nil
}

// Complete checks that the request says which dataset and which region. The error is
// [fault.Usage].
func (r *Request) Complete() error {
	switch {
	case len(r.IDs) == 0:
		return fault.New(fault.Usage, "soda.Complete", "the request names no dataset; give ID=…")
	case len(r.regions) == 0:
		return fault.New(fault.Usage, "soda.Complete", "the request names no region; give one of CIRCLE, POLYGON, POS, SIZE, STAMP, PIXELS, such as CIRCLE=150.1 2.2 0.01 (ICRS degrees)")
	}
	return nil
}

// String writes the request in one line for logs.
func (r *Request) String() string {
	var s []string
	for _, id := range r.IDs {
		s = append(s, "ID="+id)
	}
	if cut := r.Cut(); cut != "" {
		s = append(s, cut)
	}
	return strings.Join(s, " ")
}

// Cut writes in one line what of the dataset is asked for, for provenance.
func (r *Request) Cut() string {
	s := slices.Clone(r.regions)
	if r.HDU != nil {
		s = append(s, fmt.Sprintf("HDU=%d", *r.HDU))
	}
	for _, c := range []struct{ name, value string }{{"MASK", r.Mask}, {"DETAIL", r.Detail}, {"PAD", r.Pad}} {
		if c.value != "" {
			s = append(s, c.name+"="+c.value)
		}
	}
	return strings.Join(s, " ")
}
