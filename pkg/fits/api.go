// Package fits reads and writes FITS 4.0 files by ranges.
package fits

import (
	"context"
	"io"
	"iter"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

var errSoon = fault.New(fault.Internal, "fits", "not yet")

// Card is one 80-byte line of a header, as it stands in the file.
type Card [80]byte

func (c Card) Keyword() string { return "" }
func (c Card) String() string  { return string(c[:]) }
func (c Card) Value() Value    { return Value{} }

// ValueKind is the syntax of a card's value.
type ValueKind uint8

const (
	NoValue   ValueKind = iota // a commentary card
	Undefined                  // a keyword without a value
	String                     // Text is unquoted, trailing blanks stripped
	Logical                    // Text is T or F
	Integer                    // Text as in the card
	Real                       // Text as in the card
	Complex                    // Text as in the card, with its parentheses
	Malformed                  // none of these; Text is what stands there
)

// Value is the value field of a card and its comment.
type Value struct {
	Kind    ValueKind
	Text    string
	Comment string // for commentary cards: columns 9 to 80
}

// Header holds the cards of an HDU, without END. Reading is safe for concurrent use; changing is not.
type Header struct{ cards []Card }

func ParseHeader(block []byte) (*Header, error)            { return nil, errSoon }
func ParseText(text string) (*Header, error)               { return nil, errSoon } // lines of up to 80 characters, END optional
func NewPrimary(bitpix int, shape []int64) *Header         { return nil }
func NewImage(bitpix int, shape []int64) *Header           { return nil }
func (h *Header) Cards() iter.Seq2[int, Card]              { return nil }
func (h *Header) Len() int                                 { return 0 }
func (h *Header) Has(key string) bool                      { return false }
func (h *Header) Value(key string) (Value, bool)           { return Value{}, false } // CONTINUE joined
func (h *Header) Float(key string) (float64, bool, error)  { return 0, false, nil }
func (h *Header) Int(key string) (int64, bool, error)      { return 0, false, nil } // a real that is whole is an integer too
func (h *Header) Text(key string) (string, bool, error)    { return "", false, nil }
func (h *Header) Bool(key string) (bool, bool, error)      { return false, false, nil }
func (h *Header) Duplicates() []string                     { return nil }
func (h *Header) Clone() *Header                           { return nil }
func (h *Header) Append(cards ...Card)                     {} // copies cards as they are, before END
func (h *Header) AddHistory(text string)                   {} // wrapped at 72; bytes outside of ASCII become ?
func (h *Header) AddComment(text string)                   {}
func (h *Header) Delete(keys ...string)                    {} // all occurrences with their CONTINUE cards
func (h *Header) Bytes() []byte                            { return nil }
func (h *Header) SetShape(bitpix int, shape []int64) error { return nil } // BITPIX, NAXIS, NAXISn in the standard's order
func (h *Header) AsPrimary() (*Header, error)              { return nil, errSoon }
func (h *Header) AsExtension() (*Header, error)            { return nil, errSoon }

// Set writes a card: value is a string, bool, any integer, float64, or nil (undefined). It replaces the
// first card with that keyword in place and deletes later ones, or appends before END.
// An empty comment keeps the comment that is there.
func (h *Header) Set(key string, value any, comment string) error { return nil }

// SetAfter is Set, but a new card goes after the card with the keyword after.
func (h *Header) SetAfter(after, key string, value any, comment string) error { return nil }

// Kind is what an HDU holds.
type Kind uint8

const (
	Other Kind = iota // an XTENSION that this package does not know
	Image             // primary or IMAGE
	BinTable
	ASCIITable
	TileCompressed // a BINTABLE with ZIMAGE = T
	RandomGroups
)

// HDU is what the header of one HDU says.
type HDU struct {
	Number       int // from zero: 0 is the primary
	Header       *Header
	Kind         Kind
	Name         string  // EXTNAME, or ""
	Version      int64   // EXTVER, 1 by default
	BITPIX       int     // of the pixels: ZBITPIX for TileCompressed
	Shape        []int64 // of the image, NAXIS1 first: ZNAXISn for TileCompressed
	Axes         []int64 // NAXISn as written; for tables bytes of a row, rows
	PCount       int64
	HeaderOffset int64
	DataOffset   int64
	DataSize     int64 // without padding
	Err          error // why this HDU cannot be read as the image it says it is, or nil
}

// Image reports whether the HDU is an image with pixels, tile-compressed or not.
func (u *HDU) Image() bool { return false }

// Index is what one pass over the headers of a file learns.
type Index struct {
	Size     int64 // of the file in bytes; inflated for gzip
	HDUs     []*HDU
	Trailing int64 // bytes after the last HDU that are none
}

func ReadIndex(r io.ReaderAt, size int64) (*Index, error) { return nil, errSoon }

// File is an open FITS file, or a whole-file gzip of one.
type File struct{ *Index }

func Open(r io.ReaderAt, size int64) (*File, error) { return nil, errSoon }

// ReaderAt returns the (inflated) bytes that offsets count in.
func (f *File) ReaderAt() io.ReaderAt { return nil }

// Gzipped reports whether the file is a gzip, where only reading forward is cheap.
func (f *File) Gzipped() bool { return false }

// Section is a box of an uncompressed image.
type Section struct {
	// Gap is how many unwanted bytes may be read to save one read: 4 KiB by default, right for files.
	// Chunk is how many bytes one read may fetch: 256 KiB by default.
	Gap, Chunk int64
}

func (u *HDU) Section(box pixel.Box) (*Section, error) { return nil, errSoon }
func (s *Section) Size() int64                         { return 0 }

// Stream emits the raw big-endian bytes of the box in FITS order. p is only valid until emit returns.
func (s *Section) Stream(ctx context.Context, r io.ReaderAt, emit func(p []byte) error) error {
	return errSoon
}

// Writer writes HDUs one after the other, with CHECKSUM and DATASUM.
type Writer struct{ w io.Writer }

func NewWriter(w io.Writer) *Writer { return &Writer{w} }

// WriteHDU writes one HDU: the first a primary, the others extensions. data emits exactly size bytes
// and is called twice when size is more than 32 MB. h is not changed.
func (w *Writer) WriteHDU(ctx context.Context, h *Header, size int64, data func(ctx context.Context, emit func(p []byte) error) error) error {
	return errSoon
}
