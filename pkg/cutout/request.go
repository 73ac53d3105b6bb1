package cutout

import (
	"time"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Request is what to cut out of a file: the pixels that Stencil touches or, if it is nil,
// those of Stamp or, if that is nil too, those of Pixels; if there is none of them, the
// whole of every image of the sky, or of the first image if none shows the sky.
type Request struct {
	Stencil  stencil.Stencil
	Stamp    *Stamp
	Pixels   pixel.Section // of one image and its planes
	HDU      *int          // cut only this HDU, counted from 0; nil: every HDU that the region touches, with Pixels the first image
	Mask     Mask          // what becomes of pixels outside of Stencil
	Detail   Detail        // which HDUs travel with the images
	Pad      Pad           // whether the cutout goes on beyond the edges of an image
	Compress Compress      // how the images are stored
	Source   Provenance    // goes into the cutout's header
	Limits   Limits
}

// whole reports whether no region is asked for, of no HDU of its own.
func (req *Request) whole() bool {
	return req.Stencil == nil && req.Stamp == nil && req.Pixels == nil && req.HDU == nil
}

// Provenance is what the cutout's header says of its origin. Empty fields are left out.
type Provenance struct {
	ID          string    // the publisher's identifier that was asked for
	Object      string    // the object that holds the file, as its URL
	Generation  string    // of the object
	Version     string    // of Seltzer
	RequestText string    // the request, for people
	Date        time.Time // when; the DATE card, the only one that differs between equal requests
}

// Limits bounds a cutout.
type Limits struct {
	MaxBytes int64 // of the output; 0: no limit
}

// Part is one HDU of a cutout.
type Part struct {
	HDU   int    // its number in the source, from 0
	Label string // "HDU 1 (IMAGE)"
	Role  Role
	Box   pixel.Box // of source pixels; no axes for Empty and Attached
	Frame pixel.Box // Box and the padding around it, which may reach beyond the image; Box itself without padding
}

// Role says why an HDU is in the cutout.
type Role uint8

// The roles.
const (
	Cut      Role = iota // an image of the sky that the region touches
	Plane                // a plane beside one: errors, flags, weights
	Empty                // the primary header alone, which FITS requires first
	Attached             // copied whole, with [Full]
	Outline              // added: which pixels of an image are inside of the stencil
)

// Drop is an HDU of the source that is not in the cutout, and why.
type Drop struct {
	HDU    int
	Label  string
	Reason string // the rest of a sentence that begins with Label: "is a binary table"
}
