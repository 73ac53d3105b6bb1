package batch

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// row is a cutout to be made: one of those that a row of the manifest asks for.
type row struct {
	Number  int64 // of the manifest, from 1
	Cutout  int32 // of the row, from 1
	Of      int32 // cutouts of the row
	Label   string
	ID      string
	Params  []uws.Param
	RA, Dec float64
	Place   bool          // there are RA and Dec
	Problem string        // why nothing can be cut; "": something can
	Status  ledger.Status // with a problem
}

// band is the height in degrees of the strips in which rows of one image are cut.
const band = 1. / 60

// compare is the order in which rows are cut: image by image, in each by strips of the sky,
// so that those that share tiles are near each other.
func compare(a, b *row) int {
	if c := cmp.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	if c := cmp.Compare(math.Floor(a.Dec/band), math.Floor(b.Dec/band)); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.RA, b.RA), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Cutout, b.Cutout))
}

// work is about how many bytes a cutout has, as far as the row tells.
func (r *row) work() int64 {
	if r.Problem != "" {
		return 0
	}
	for _, p := range r.Params {
		if p.Name == "STAMP" {
			return 4 * stampPixels(p.Value)
		}
	}
	return 1 << 20
}

// append appends the row to b. The form is our own, for objects that go with their job.
func (r *row) append(b []byte) []byte {
	text := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendUvarint(b, uint64(r.Number))
	b = binary.AppendUvarint(b, uint64(r.Cutout))
	b = binary.AppendUvarint(b, uint64(r.Of))
	for _, s := range []string{r.Label, r.ID, r.Problem, string(r.Status)} {
		text(s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Params)))
	for _, p := range r.Params {
		text(p.Name)
		text(p.Value)
	}
	place := byte(0)
	if r.Place {
		place = 1
	}
	b = append(b, place)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.RA))
	return binary.BigEndian.AppendUint64(b, math.Float64bits(r.Dec))
}

// rowReader reads rows that follow one another.
type rowReader struct {
	in  *bufio.Reader
	ids map[string]string // so that the rows of an image share its name
	err error
}

func newRowReader(r io.Reader) *rowReader {
	return &rowReader{in: bufio.NewReaderSize(r, 64<<10), ids: map[string]string{}}
}

// What a row may have; manifests let less through.
const (
	maxText   = 1 << 20 // bytes of one text
	maxParams = 100
)

// errRow is why a row cannot be read.
func errRow(format string, args ...any) error {
	return fault.New(fault.Internal, "batch.row", "a row of the plan cannot be read: "+format, args...)
}

func (d *rowReader) number() uint64 {
	if d.err != nil {
		return 0
	}
	var n uint64
	n, d.err = binary.ReadUvarint(d.in)
	return n
}

func (d *rowReader) text() string {
	n := d.number()
	if d.err == nil && n > maxText {
		d.err = errRow("a text has %d bytes", n)
	}
	if d.err != nil || n == 0 {
		return ""
	}
	if b, err := d.in.Peek(int(n)); err == nil { // names that repeat take no memory
		s, ok := d.ids[string(b)]
		if !ok {
			s = string(b)
			if n <= 64 && len(d.ids) < 4096 {
				d.ids[s] = s
			}
		}
		_, d.err = d.in.Discard(int(n))
		return s
	}
	b := make([]byte, n)
	_, d.err = io.ReadFull(d.in, b)
	return string(b)
}

// next reads a row. The error is [io.EOF] behind the last one, else [fault.Internal] or that
// of the reader below.
func (d *rowReader) next() (*row, error) {
	if _, err := d.in.Peek(1); err != nil {
		return nil, err
	}
	r := &row{Number: int64(d.number()), Cutout: int32(d.number()), Of: int32(d.number())}
	r.Label, r.ID, r.Problem, r.Status = d.text(), d.text(), d.text(), ledger.Status(d.text())
	if n := d.number(); n > maxParams {
		d.err = errRow("it has %d parameters", n)
	} else if n > 0 {
		r.Params = make([]uws.Param, n)
		for i := range r.Params {
			r.Params[i] = uws.Param{Name: d.text(), Value: d.text()}
		}
	}
	var rest [17]byte
	if d.err == nil {
		_, d.err = io.ReadFull(d.in, rest[:])
	}
	r.Place = rest[0] == 1
	r.RA = math.Float64frombits(binary.BigEndian.Uint64(rest[1:]))
	r.Dec = math.Float64frombits(binary.BigEndian.Uint64(rest[9:]))
	if d.err == nil {
		return r, nil
	}
	if _, ok := errors.AsType[*fault.Error](d.err); ok || fault.CodeOf(d.err) != fault.Internal {
		return nil, d.err
	}
	return nil, errRow("%w", d.err)
}
