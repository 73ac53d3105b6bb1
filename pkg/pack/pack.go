// Package pack puts the cutouts of a batch into packages: one object that holds many.
//
// A package is streamed to an [io.Writer], which is never sought, and its bytes are the
// same for the same entries. Each entry's place is told when it is added: the offset and
// length of its own bytes, so that a range read of the package gives the cutout.
//
//	zip    a file for each cutout, stored without compression; the range is a FITS file
//	tar    a file for each cutout; the range is a FITS file
//	mef    one FITS file, the HDUs of the cutouts behind an empty primary, named by EXTNAME and
//	       EXTVER; the range is the extensions of the cutout
//	table  one FITS file with a binary table, a row for each stamp with its pixels and world
//	       coordinates (the form that DMTN-326 favours); the range is the row's pixels
//	files  no package: each cutout is an object of its own, named by a [Template]
//
// To add a format: a file with a type that is a [Writer], and a line in [Formats].
package pack

import (
	"io"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Entry says what a cutout is of.
type Entry struct {
	Row      int64  // of the manifest, from 1
	Of       int    // number among the cutouts of its row, from 1; 0: it is alone
	Label    string // of the client's own
	ID       string // of the dataset
	RA, Dec  float64
	Position bool // there are RA and Dec
}

// Place is where an entry's own bytes are in its package.
type Place struct {
	Name           string // of the file in the package; "" where there are none
	Offset, Length int64
}

// Writer writes a package. It is not for use by two at once.
type Writer interface {
	// Add puts a cutout, the bytes of a FITS file, into the package. It does not keep them.
	//
	// An error of kind [fault.Usage], [fault.Unsupported], [fault.TooLarge] or
	// [fault.Corrupt] says that this cutout has no place in the package, which is as before;
	// after any other the package is lost.
	Add(e Entry, cutout []byte) (Place, error)

	// Skip says that there is no cutout of an entry, which leaves a row of a table without
	// pixels and nothing in the others.
	Skip(e Entry) error

	// Close ends the package. It does not close the writer below.
	Close() error
}

// Options is what some formats must know before they begin.
type Options struct {
	Names  *Template // of files in zip and tar; nil: that of [DefaultTemplate]
	Rows   int64     // table: how many entries there will be, added or skipped
	NX, NY int64     // table: the sides of every stamp
	MaxID  int       // table: bytes of the longest ID; 0: 256
}

// Format is a kind of package.
type Format struct {
	Name        string
	Suffix      string // of the object's name
	MIME        string
	Description string
	Stamps      bool // its cutouts are images of one size: it wants STAMP, with PAD=nan, DETAIL=image and COMPRESS=none

	open func(w *counter, o Options) (Writer, error) // nil: there is no package
}

// Formats is the table of formats. The first one is the usual one.
var Formats = []Format{
	{Name: "zip", Suffix: ".zip", MIME: "application/zip", Description: "a zip of FITS files, stored", open: openZip},
	{Name: "tar", Suffix: ".tar", MIME: "application/x-tar", Description: "a tar of FITS files", open: openTar},
	{Name: "mef", Suffix: ".fits", MIME: "application/fits", Description: "one FITS file with the HDUs of all cutouts", open: openMEF},
	{Name: "table", Suffix: ".fits", MIME: "application/fits", Description: "one FITS binary table with a row for each stamp", Stamps: true, open: openTable},
	{Name: "files", Description: "a FITS file for each cutout"},
}

// Lookup returns the format of a name. The error is [fault.Usage].
func Lookup(name string) (*Format, error) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return nil, fault.New(fault.Usage, "pack.Lookup", "the package %.40q is not known; want zip, tar, mef, table or files", name)
	}
	return &Formats[i], nil
}

// Packs reports whether the format has packages, and not an object for each cutout.
func (f *Format) Packs() bool { return f.open != nil }

// NewWriter begins a package of format f on w. The error is [fault.Usage] for options that
// the format cannot do with, [fault.Internal] where it has no packages, or that of w.
func (f *Format) NewWriter(w io.Writer, o Options) (Writer, error) {
	if f.open == nil {
		return nil, fault.New(fault.Internal, "pack.NewWriter", "%s has no packages", f.Name)
	}
	if o.Names == nil {
		o.Names = usual
	}
	return f.open(&counter{w: w}, o)
}

// counter counts the bytes that pass to a writer.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
