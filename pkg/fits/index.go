package fits

import (
	"bytes"
	"errors"
	"io"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Limits of one index; a header that goes past them is refused with fault.TooLarge.
const (
	firstRead       = 64 << 10 // of a store with latency: the headers of most files fit into it
	nextRead        = 16 << 10
	maxHeaderBlocks = 4096 // of one HDU: 11.8 MB, some 147 000 cards
	maxHeaderBytes  = 32 << 20
	maxHDUs         = 10_000
	maxAxes         = 999 // section 4.4.1.1
)

// Index is what one pass over the headers of a file learns. It is not changed afterwards
// and safe for concurrent use.
type Index struct {
	Size     int64 // bytes of the file; of the inflated one if it was a gzip
	Packed   int64 // bytes of that gzip; 0 if it was none
	HDUs     []*HDU
	Trailing int64 // bytes after the last HDU and its padding, which are no HDU; they are ignored
}

// ReadIndex reads the headers of a FITS file of size bytes, and no pixels, 16 KiB at once.
// [Cost.Open] makes fewer requests of a store where they cost much.
//
// The error is [fault.Corrupt] if r holds no FITS file or one whose headers are broken
// or whose last HDU is cut short, [fault.Unsupported] for SIMPLE = F, and
// [fault.TooLarge] for headers past the limits. Errors of r keep their kind.
func ReadIndex(r io.ReaderAt, size int64) (*Index, error) {
	w := newWindow(r, Local, func() int64 { return size })
	defer w.free()
	return readIndex(w)
}

func readIndex(w *window) (*Index, error) {
	x := new(Index)
	var offset, headers, stride int64
	guesses := 1 // how many HDUs of the same size as the last are expected to follow
	for {
		w.expect(offset, stride, guesses)
		start, err := w.at(offset, blockSize)
		if err != nil {
			return nil, err
		}
		if size := w.size(); size >= 0 && len(x.HDUs) > 0 {
			if last := x.HDUs[len(x.HDUs)-1]; last.DataSize > 0 && last.DataOffset+last.DataSize > size {
				return nil, truncated(last, size)
			}
		}
		if len(x.HDUs) == 0 {
			if err := checkStart(start); err != nil {
				return nil, err
			}
		} else if !bytes.HasPrefix(start, []byte("XTENSION")) {
			break
		}
		if len(x.HDUs) == maxHDUs {
			return nil, fault.New(fault.TooLarge, "fits.ReadIndex", "the file has more than %d HDUs", maxHDUs)
		}
		u, err := readHDU(w, len(x.HDUs), offset)
		if err != nil {
			return nil, err
		}
		if headers += u.DataOffset - u.HeaderOffset; headers > maxHeaderBytes {
			return nil, fault.New(fault.TooLarge, "fits.ReadIndex", "the headers of the file take more than %d bytes", maxHeaderBytes)
		}
		x.HDUs = append(x.HDUs, u)
		u.keepTable(w)
		offset = padded(u.DataOffset + u.DataSize) // no overflow: parseHDU has checked it
		if size := offset - u.HeaderOffset; size == stride {
			guesses *= 2
		} else {
			stride, guesses = size, 1
		}
	}
	if w.size() < 0 {
		if _, err := w.r.ReadAt(make([]byte, 1), beyond); !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	x.Size = w.size()
	x.Trailing = max(0, x.Size-offset)
	return x, nil
}

func truncated(u *HDU, size int64) error {
	return fault.New(fault.Corrupt, "fits.ReadIndex", "%s is cut short: its header announces %d bytes of data from byte %d on, but %d are there; fetch the file again",
		u, u.DataSize, u.DataOffset, max(0, size-u.DataOffset))
}

// readHDU reads the header that begins at offset.
func readHDU(w *window, number int, offset int64) (*HDU, error) {
	var scanned int // cards already searched for END
	for want := int64(blockSize); ; want += max(want, nextRead) / blockSize * blockSize {
		want = min(want, maxHeaderBlocks*blockSize)
		block, err := w.at(offset, want)
		if err != nil {
			return nil, err
		}
		if n := findEnd(block, scanned); n >= 0 {
			return parseHDU(newHeader(block[:n*cardSize]), number, offset, blocks(n))
		}
		scanned = len(block) / cardSize
		switch {
		case int64(len(block)) < want:
			return nil, fault.New(fault.Corrupt, "fits.ReadIndex", "the header of HDU %d, at byte %d, has no END card before the file ends", number, offset)
		case want == maxHeaderBlocks*blockSize:
			return nil, fault.New(fault.TooLarge, "fits.ReadIndex", "the header of HDU %d, at byte %d, has no END card within %d blocks", number, offset, maxHeaderBlocks)
		}
	}
}

// magics are the first bytes of files that are sometimes taken for FITS.
var magics = []struct{ magic, name string }{
	{"\x1f\x8b", "a gzip file; open it with its compression (.fits.gz)"},
	{"BZh", "a bzip2 file; unpack it with bunzip2"},
	{"\xfd7zXZ", "an xz file; unpack it with unxz"},
	{"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it with unzstd"},
	{"\x1f\x9d", "a file of compress (.Z); unpack it with uncompress"},
	{"PK\x03\x04", "a ZIP archive; unpack it"},
	{"\x89PNG", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"GIF8", "a GIF image"},
	{"II*\x00", "a TIFF image"},
	{"MM\x00*", "a TIFF image"},
	{"\x89HDF", "an HDF5 file"},
	{"#ASDF", "an ASDF file"},
	{"%PDF", "a PDF document"},
	{"<", "an XML or HTML document, perhaps an error page of a download"},
	{"{", "a JSON document, perhaps an error message of a download"},
	{"XTENSION", "a FITS extension without the primary HDU that must stand before it"},
}

// checkStart refuses a file that does not begin as FITS must, and says what it is.
func checkStart(start []byte) error {
	const op, fits = "fits.ReadIndex", `a FITS file begins with "SIMPLE  ="`
	if len(start) == 0 {
		return fault.New(fault.Corrupt, op, "the file is empty; "+fits)
	}
	if len(start) >= cardSize && keyword(start[:cardSize]) == "SIMPLE" {
		v := Card(start[:cardSize]).Value()
		if v.Kind == Logical && v.Text == "T" {
			return nil
		}
		if v.Kind == Logical {
			return fault.New(fault.Unsupported, op, "the file says SIMPLE = F: it does not follow the FITS standard, so its layout is not known")
		}
		return fault.New(fault.Corrupt, op, "SIMPLE holds %q; %s and T", v.Text, fits)
	}
	for _, m := range magics {
		if bytes.HasPrefix(start, []byte(m.magic)) {
			return fault.New(fault.Corrupt, op, "this is %s; %s", m.name, fits)
		}
	}
	text := start[:min(len(start), 40)]
	if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0xfffd }) {
		return fault.New(fault.Corrupt, op, "the file begins with the bytes % x; %s", text[:min(len(text), 8)], fits)
	}
	return fault.New(fault.Corrupt, op, "the file begins with the text %q; %s", text, fits)
}
