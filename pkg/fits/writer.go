package fits

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// maxBuffered is the size of data up to which they are kept in memory while their sum is
// computed; more data are produced twice.
const maxBuffered = 32 << 20

// Passes returns how often [Writer.WriteHDU] asks for data of size bytes.
func Passes(size int64) int {
	if size > maxBuffered {
		return 2
	}
	return 1
}

// Writer writes a FITS file, one HDU after the other, each with CHECKSUM and DATASUM. It
// never seeks.
type Writer struct {
	w    io.Writer
	hdus int
}

// NewWriter returns a writer of a new file.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Data produces the data of an HDU: it passes them to emit, piece by piece, and returns
// the first error of emit.
type Data func(ctx context.Context, emit func(p []byte) error) error

// WriteHDU writes an HDU of size bytes of data, big-endian as they shall stand in the
// file, and the padding behind them: blanks for an ASCII table, else zeros. The first
// HDU must be a primary and the others extensions. h is not changed; CHECKSUM and
// DATASUM are put into the copy that is written, where they stand or at its end.
//
// The sums stand before the data. Up to 32 MB are therefore kept in memory; above that
// data is called twice, and must produce the same bytes.
//
// The error is that of data, of ctx or of the file; [fault.Internal] if header and data
// do not agree, and [fault.Unavailable] if the second pass differs from the first. After
// an error the file is not usable.
func (w *Writer) WriteHDU(ctx context.Context, h *Header, size int64, data Data) error {
	if err := w.check(h, size); err != nil {
		return err
	}
	m := memories.Get().(*memory)
	defer memories.Put(m)
	keep := Passes(size) == 1
	m.data, m.sum = m.data[:0], sum{}
	if keep {
		m.data = slices.Grow(m.data, int(size))
	}
	err := produce(ctx, size, data, func(p []byte) error {
		m.sum.add(p)
		if keep {
			m.data = append(m.data, p...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if keep {
		data = nil
	}
	return w.finish(ctx, h, size, m, m.sum, data)
}

// finish writes a header and size bytes of data with the given sum: those that m holds or,
// if again is not nil, what it produces.
func (w *Writer) finish(ctx context.Context, h *Header, size int64, m *memory, first sum, again Data) (err error) {
	const op = "fits.Writer.WriteHDU"
	padding := pad(h, size)
	datasum := first
	datasum.add(padding)
	if m.header, err = summed(m.header[:0], h, datasum.value()); err != nil {
		return err
	}
	if err := w.write(m.header); err != nil {
		return err
	}
	w.hdus++
	if again == nil {
		if err := w.write(m.data); err != nil {
			return err
		}
		return w.write(padding)
	}
	var second sum
	err = produce(ctx, size, again, func(p []byte) error {
		second.add(p)
		return w.write(p)
	})
	if err != nil {
		return err
	}
	if second.value() != first.value() {
		return fault.New(fault.Unavailable, op, "the data changed while they were read; ask again")
	}
	return w.write(padding)
}

// memory is what writing one HDU needs.
type memory struct {
	header, data []byte
	sum          sum // of the data
}

var memories = sync.Pool{New: func() any { return new(memory) }}

func (w *Writer) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := w.w.Write(p); err != nil {
		return fmt.Errorf("fits.Writer: %w", err)
	}
	return nil
}

// produce runs data once and holds it to size bytes.
func produce(ctx context.Context, size int64, data Data, emit func(p []byte) error) error {
	const op = "fits.Writer.WriteHDU"
	if size == 0 {
		return ctx.Err()
	}
	var n int64
	err := data(ctx, func(p []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n += int64(len(p)); n > size {
			return fault.New(fault.Internal, op, "more than the %d bytes of data that the header announces", size)
		}
		return emit(p)
	})
	if err == nil && n != size {
		err = fault.New(fault.Internal, op, "%d bytes of data; the header announces %d", n, size)
	}
	return err
}

// check refuses a header that does not fit the place in the file or the size of the data.
func (w *Writer) check(h *Header, size int64) error {
	const op = "fits.Writer.WriteHDU"
	first := ""
	if h.Len() > 0 {
		first = keyword(h.cards[0][:])
	}
	if want := [...]string{"SIMPLE", "XTENSION"}[min(w.hdus, 1)]; first != want {
		return fault.New(fault.Internal, op, "HDU %d begins with the keyword %q; expected %s", w.hdus, first, want)
	}
	layout, err := parseLayout(h)
	if err != nil {
		return err
	}
	announced, err := layout.size(w.hdus == 0 && layout.groups(h))
	if err != nil {
		return err
	}
	if announced != size {
		return fault.New(fault.Internal, op, "the header announces %d bytes of data (BITPIX %d, NAXISn %d, PCOUNT %d, GCOUNT %d), not %d",
			announced, layout.bitpix, layout.axes, layout.pcount, layout.gcount, size)
	}
	return nil
}

// What fills a block behind data; a table of text is filled with blanks.
var zeroBlock, blankBlock = make([]byte, blockSize), bytes.Repeat([]byte(" "), blockSize)

// pad returns what fills the last block of data.
func pad(h *Header, size int64) []byte {
	n := padded(size) - size
	if extensionKind(h) == ASCIITable {
		return blankBlock[:n]
	}
	return zeroBlock[:n]
}

// summed appends the bytes of h with DATASUM and CHECKSUM. The sum of an HDU is that of
// its header, in which CHECKSUM is '0000000000000000', and its data; the complement takes
// the place of the zeros, so that the whole adds up to -0.
func summed(dst []byte, h *Header, datasum uint32) ([]byte, error) {
	const zeros = "0000000000000000"
	var digits [10]byte
	values := [...]struct{ key, head, value, comment string }{
		{"CHECKSUM", "CHECKSUM= ", zeros, "HDU checksum"},
		{"DATASUM", "DATASUM = ", string(strconv.AppendUint(digits[:0], uint64(datasum), 10)), "data unit checksum"},
	}
	start := len(dst)
	var buf, more [2]Card
	var where [2]int
	added := 0
	for i, v := range values {
		if where[i] = h.find(v.key); where[i] >= 0 {
			old, n := h.entryAt(where[i])
			if n > 1 || h.where.Load().twice { // rare enough for the longer way
				c := h.Clone()
				c.Delete("CHECKSUM", "DATASUM")
				return summed(dst, c, datasum)
			}
			if len(old.comment) > 0 {
				v.comment = string(old.comment)
			}
		}
		var line [cardSize + 16]byte
		if _, err := appendString(buf[i:i], append(line[:0], v.head...), true, v.value, v.comment); err != nil {
			return nil, err
		}
		if where[i] < 0 {
			where[i] = len(h.cards) + added
			more[added] = buf[i]
			added++
		}
	}
	dst = h.appendBlocks(dst, more[:added])
	for i, at := range where {
		copy(dst[start+at*cardSize:], buf[i][:])
	}
	var s sum
	s.add(dst[start:])
	total := uint32(fold(uint64(s.value()) + uint64(datasum)))
	text := encode(^total)
	copy(dst[start+where[0]*cardSize+len("CHECKSUM= '"):], text[:])
	return dst, nil
}
