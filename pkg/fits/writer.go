package fits

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// maxBuffered is the size of data up to which they are kept in memory while their sum is
// computed; more data are produced twice.
const maxBuffered = 32 << 20

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
	const op = "fits.Writer.WriteHDU"
	if err := w.check(h, size); err != nil {
		return err
	}
	var (
		first  sum
		buffer []byte
		keep   = size <= maxBuffered
	)
	if keep {
		buffer = make([]byte, 0, size)
	}
	err := produce(ctx, size, data, func(p []byte) error {
		first.add(p)
		if keep {
			buffer = append(buffer, p...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	padding := pad(h, size)
	datasum := first
	datasum.add(padding)
	block, err := summed(h, datasum.value())
	if err != nil {
		return err
	}
	if err := w.write(block); err != nil {
		return err
	}
	w.hdus++
	if keep {
		if err := w.write(buffer); err != nil {
			return err
		}
		return w.write(padding)
	}
	var second sum
	err = produce(ctx, size, data, func(p []byte) error {
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

func (w *Writer) write(p []byte) error {
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
		first = h.cards[0].Keyword()
	}
	if want := [...]string{"SIMPLE", "XTENSION"}[min(w.hdus, 1)]; first != want {
		return fault.New(fault.Internal, op, "HDU %d begins with the keyword %q; expected %s", w.hdus, first, want)
	}
	u, err := parseHDU(h, w.hdus, 0, int64(len(h.Bytes())))
	if err != nil {
		return err
	}
	if u.DataSize != size {
		return fault.New(fault.Internal, op, "the header announces %d bytes of data (BITPIX %d, NAXISn %d, PCOUNT %d, GCOUNT %d), not %d", u.DataSize, u.BITPIX, u.Axes, u.PCount, u.GCount, size)
	}
	return nil
}

// pad returns what fills the last block of data.
func pad(h *Header, size int64) []byte {
	p := make([]byte, padded(size)-size)
	if extensionKind(h) == ASCIITable {
		for i := range p {
			p[i] = ' '
		}
	}
	return p
}

// summed returns the bytes of h with DATASUM and CHECKSUM. The sum of an HDU is that of
// its header, in which CHECKSUM is '0000000000000000', and its data; the complement takes
// the place of the zeros, so that the whole adds up to -0.
func summed(h *Header, datasum uint32) ([]byte, error) {
	h = h.Clone()
	const zeros = "0000000000000000"
	for _, card := range []struct{ key, value, comment string }{
		{"CHECKSUM", zeros, "HDU checksum"},
		{"DATASUM", strconv.FormatUint(uint64(datasum), 10), "data unit checksum"},
	} {
		if err := h.Set(card.key, card.value, card.comment); err != nil {
			return nil, err
		}
	}
	var s sum
	block := h.Bytes()
	s.add(block)
	total := uint32(fold(uint64(s.value()) + uint64(datasum)))
	at := h.find("CHECKSUM")*cardSize + len("CHECKSUM= '")
	copy(block[at:], encode(^total))
	return block, nil
}
