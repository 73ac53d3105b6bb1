// Package ledger writes and reads the manifest of results of a batch: what became of each
// row, as Parquet or VOTable.
//
// A ledger is streamed: what writing, reading and merging hold in memory does not grow with
// its rows. Boxes count pixels from 1, both ends included, as FITS does; sizes are bytes.
//
// To add a column: a field of [Row] with its parquet tag, and a line in columns. To add a
// format: a file with a type that is a [Writer], and a line in [Formats].
package ledger

import (
	"io"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Status says what became of a row.
type Status string

// The statuses.
const (
	OK     Status = "ok"     // there is a cutout
	Empty  Status = "empty"  // the region selects no pixel
	Failed Status = "failed" // the row is broken, or its cutout failed
	Absent Status = "absent" // the batch was aborted before the row was reached
)

// Row is what became of a row of a manifest, or of one of its cutouts where it has several.
type Row struct {
	Row     int64    `parquet:"row,delta"`        // number in the manifest, from 1
	Cutout  int32    `parquet:"cutout"`           // number among the cutouts of the row, from 1
	Label   string   `parquet:"label,zstd"`       // of the client's own
	ID      string   `parquet:"id,dict,zstd"`     // of the dataset
	Status  Status   `parquet:"status,dict"`      //
	Reason  string   `parquet:"reason,dict,zstd"` // why there is no cutout; "" if there is one
	Object  string   `parquet:"object,dict,zstd"` // that holds the cutout, below the job's results
	Name    string   `parquet:"name,zstd"`        // of the cutout's file in its package
	Offset  *int64   `parquet:"offset,optional"`  // of the cutout's bytes in the object
	Length  *int64   `parquet:"length,optional"`  // of the cutout's bytes
	Box     []int64  `parquet:"box,list,zstd"`    // first and last pixel of each axis, in the source's first image
	Overlap *float64 `parquet:"overlap,optional"` // part of the pixels that were asked for that the image has, 0 to 1
	Valid   *int64   `parquet:"valid,optional"`   // pixels of the first image that have a value
	Min     *float64 `parquet:"min,optional"`     // of these
	Max     *float64 `parquet:"max,optional"`     // of these
	Mean    *float64 `parquet:"mean,optional"`    // of these
}

// Place says where the bytes of the row's cutout are.
func (r *Row) Place(object string, offset, length int64) {
	r.Object, r.Offset, r.Length = object, &offset, &length
}

// before is the order of rows in a ledger.
func (r *Row) before(s *Row) bool {
	return r.Row < s.Row || r.Row == s.Row && r.Cutout < s.Cutout
}

// Writer writes a ledger. It is not for use by two at once.
type Writer interface {
	Write(rows ...Row) error

	// Close ends the ledger. It does not close the writer below.
	Close() error
}

// Format is a kind of file.
type Format struct {
	Name   string
	Suffix string // of the object's name
	MIME   string

	open func(io.Writer) (Writer, error)
}

// Formats is the table of formats.
var Formats = []Format{
	{"parquet", ".parquet", "application/vnd.apache.parquet", openParquet},
	{"votable", ".vot", "application/x-votable+xml", openVOTable},
}

// Lookup returns the format of a name. The error is [fault.Usage].
func Lookup(name string) (*Format, error) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return nil, fault.New(fault.Usage, "ledger.Lookup", "the format %.40q of a manifest of results is not known; want parquet or votable", name)
	}
	return &Formats[i], nil
}

// NewWriter begins a ledger of format f on w.
func (f *Format) NewWriter(w io.Writer) (Writer, error) { return f.open(w) }
