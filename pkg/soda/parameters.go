// Package soda turns the parameters of a request into what shall be cut, after SODA 1.0
// (Bonnarel et al., REC-SODA-1.0, 2017) and DALI 1.1 (Dowler et al., REC-DALI-1.1, 2017).
//
// One table, [Parameters], says everything about every parameter that the service knows.
// What reads a request, what describes the service (capabilities, descriptors, OpenAPI,
// forms) and what is refused by name all follow from it: to add a parameter, write how it
// is read, and add a line.
package soda

import (
	"math"
	"slices"
	"strings"
)

// Multiplicity says what several values of a parameter mean.
type Multiplicity uint8

// The multiplicities.
const (
	Once    Multiplicity = iota // it takes one value
	Product                     // every value is cut on its own: several in an async request, one in a sync one (SODA 1.0, section 3.1)
	Union                       // all values together are one filter
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
	Values      Multiplicity
	Region      bool     // its values are regions; those of all such parameters are pooled
	Numbers     []Number // the numbers of a value in turn, after the last one from the first again; none: it has another grammar
	Options     []string // the words that a value may be, in any case; none: any
	Usual       string   // the option that leaving it out means
	MaxLength   int      // characters of a value; 0: only the request is bounded
	Example     string   // a value
	Later       string   // why it is read and then refused, and what to do; "": it is supported

	read    reader
	control bool // steers the job, is no part of what is cut
}

// Number is the limits of one number of a value: Min and Max belong to it.
type Number struct {
	Name     string
	Min, Max float64
	Positive bool // more than 0, not only Min
	Open     bool // may be infinite
	Whole    bool // an integer
}

var (
	longitude = Number{Name: "longitude", Min: 0, Max: 360}
	latitude  = Number{Name: "latitude", Min: -90, Max: 90}
	side      = Number{Name: "side", Max: 180, Positive: true}
	pixels    = Number{Name: "pixels", Min: 1, Max: maxStamp, Whole: true}
	end       = Number{Name: "end of an interval", Min: math.Inf(-1), Max: math.Inf(1), Open: true}
)

// Parameters is the table of all parameters. Names, UCDs and units are those of SODA 1.0,
// section 3.4 ("three factors"). A parameter that cannot be cut by yet is refused by name
// (Later): to ignore it would give wrong data.
var Parameters = []Parameter{
	{Name: "ID", Description: "publisher DID of the dataset", Standard: true, Required: true, Values: Product,
		UCD: "meta.ref.url;meta.curation", Datatype: "char", Arraysize: "*", Example: "ivo://localhost/demo?starfield.fits", read: readID},
	{Name: "CIRCLE", Description: "ICRS longitude, latitude and radius", Standard: true, Values: Product, Region: true,
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "3", Xtype: "circle",
		Numbers: []Number{longitude, latitude, {Name: "radius", Max: 180, Positive: true}}, Example: "150.1163 2.2058 0.004", read: readCircle},
	{Name: "POLYGON", Description: "ICRS longitude and latitude of three vertices or more; either winding means the smaller region", Standard: true, Values: Product, Region: true,
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "*", Xtype: "polygon",
		Numbers: []Number{longitude, latitude}, Example: "150.114 2.204 150.118 2.204 150.116 2.208", read: readPolygon},
	{Name: "POS", Description: "CIRCLE, RANGE or POLYGON followed by ICRS degrees", Standard: true, Values: Product, Region: true,
		UCD: "pos.outline;obs", Datatype: "char", Arraysize: "*", Example: "RANGE 150.114 150.118 2.204 2.208", read: readPos},
	{Name: "SIZE", Description: "box on the sky: ICRS longitude and latitude of its centre, width and height in the tangent plane, north up", Values: Product, Region: true,
		Unit: "deg", UCD: "pos.outline;obs", Datatype: "double", Arraysize: "4",
		Numbers: []Number{longitude, latitude, side, side}, Example: "150.1163 2.2058 0.008 0.005", read: readSize},
	{Name: "STAMP", Description: "box of pixels around a place: ICRS longitude and latitude in degrees, then columns and rows; an odd side is centred on the nearest pixel, an even one on the nearest edge between two", Values: Product, Region: true,
		UCD: "pos.outline;obs", Datatype: "double", Arraysize: "4",
		Numbers: []Number{longitude, latitude, pixels, pixels}, Example: "150.1163 2.2058 64 64", read: readStamp},
	{Name: "PIXELS", Description: "section of pixels as CFITSIO writes it, [x1:x2,y1:y2]: from 1, both ends included, * for a whole axis; of the first image, or that of HDU", Values: Product, Region: true,
		UCD: "instr.pixel", Datatype: "char", Arraysize: "*", Example: "[101:200,1:50]", read: readPixels},
	{Name: "BAND", Description: "barycentric wavelengths in vacuum, from and to", Standard: true, Values: Product,
		Unit: "m", UCD: "em.wl;stat.interval", Datatype: "double", Arraysize: "2", Xtype: "interval",
		Numbers: []Number{end, end}, Example: "5.5e-7 7.0e-7", Later: wholeAxis, read: interval(func(r *Request) *[]Interval { return &r.Bands })},
	{Name: "TIME", Description: "Modified Julian Dates in UTC, from and to", Standard: true, Values: Product,
		Unit: "d", UCD: "time.interval;obs.exposure", Datatype: "double", Arraysize: "2", Xtype: "interval",
		Numbers: []Number{end, end}, Example: "60000.10 60000.12", Later: wholeAxis, read: interval(func(r *Request) *[]Interval { return &r.Times })},
	{Name: "POL", Description: "polarisation state; several are one filter", Standard: true, Values: Union,
		UCD: "meta.code;phys.polarization", Datatype: "char", Arraysize: "*",
		Options: []string{"I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA"}, Example: "I", Later: wholeAxis, read: readPol},
	{Name: "HDU", Description: "cut this HDU only, counted from 0",
		UCD: "meta.number", Datatype: "int", Arraysize: "1", Numbers: []Number{{Name: "HDU", Max: maxHDU, Whole: true}}, Example: "1", read: readHDU},
	{Name: "MASK", Description: "what becomes of pixels outside of the region: none (they stay), nan (NaN, or BLANK), plane (a bit OUTSIDE_STENCIL in the mask, or an image STENCIL)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", Options: []string{"none", "nan", "plane"}, Usual: "none", Example: "nan",
		read: choice(func(r *Request) *string { return &r.Mask })},
	{Name: "DETAIL", Description: "which HDUs travel: image, planes (errors, flags, weights too) or full (tables and other attachments too)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", Options: []string{"image", "planes", "full"}, Usual: "planes", Example: "full",
		read: choice(func(r *Request) *string { return &r.Detail })},
	{Name: "CUTOUTDETAIL", Description: "DETAIL by the names of the Rubin Observatory: Image, MaskedImage or Exposure",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", Options: []string{"Image", "MaskedImage", "Exposure"}, Usual: "MaskedImage", Example: "Exposure", read: readCutoutDetail},
	{Name: "PAD", Description: "whether STAMP and regions on the sky go on beyond the edges of an image: none, or nan (NaN, or BLANK)",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", Options: []string{"none", "nan"}, Usual: "none", Example: "nan",
		read: choice(func(r *Request) *string { return &r.Pad })},
	{Name: "COMPRESS", Description: "how images are stored: none; gzip2 (tiles of GZIP_2, without loss); rice (tiles of RICE_1: integers without loss, floating-point pixels rounded to a quarter of the noise and dithered, 64-bit integers as by gzip2); asis (the compressed tiles of the archive that the region touches, whole and unchanged). Without it images that are compressed in the archive are compressed without loss, floating-point pixels by gzip2 and integers by rice, and others are not",
		UCD: "meta.code", Datatype: "char", Arraysize: "*", Options: []string{"none", "gzip2", "rice", "asis"}, Example: "gzip2",
		read: choice(func(r *Request) *string { return &r.Compress })},
	{Name: "CUTOUTNAME", Description: "file name of the cutout: letters, digits and . _ - + only, of which the first is a letter or a digit; several cutouts of one job are numbered",
		UCD: "meta.id;meta.file", Datatype: "char", Arraysize: "*", MaxLength: maxName, Example: "m31-core.fits", read: readName},
	{Name: "RESPONSEFORMAT", Description: "media type of the result", Standard: true,
		UCD: "meta.code.mime", Datatype: "char", Arraysize: "*", Options: []string{"application/fits", "image/fits", "fits"}, Usual: "application/fits", Example: "image/fits", read: readFormat},
	{Name: "RUNID", Description: "name of yours for the job", Standard: true,
		UCD: "meta.id", Datatype: "char", Arraysize: "*", MaxLength: 64, Example: "tonight", read: readRunID, control: true},
}

const wholeAxis = "leave it out to get the whole axis"

// Announced returns the parameters that the service supports.
func Announced() []Parameter {
	return slices.DeleteFunc(slices.Clone(Parameters), func(p Parameter) bool { return p.Later != "" })
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
