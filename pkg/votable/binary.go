package votable

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// streamText reads the characters of a STREAM up to the "<" that ends it, without blanks.
type streamText struct{ m *meter }

func (s streamText) Read(p []byte) (n int, err error) {
	for n < len(p) {
		b, err := s.m.r.ReadByte()
		if err != nil {
			if err != io.EOF {
				s.m.err = err
			}
			return n, io.ErrUnexpectedEOF
		}
		switch b {
		case ' ', '\t', '\n', '\r':
			continue
		case '<':
			if err := s.m.r.UnreadByte(); err != nil {
				return n, err
			}
			return n, io.EOF
		}
		p[n] = b
		n++
	}
	return n, nil
}

// binaryRow reads rows of BINARY and BINARY2 (sections 5.3 and 5.4): big-endian values, of
// arrays of variable size behind their count. A row of BINARY2 begins with a bit for each
// column, set where it has no value.
type binaryRow struct {
	v    *Reader
	in   io.Reader
	left int // bytes that the row may still take
}

func (v *Reader) binaryRows() func() ([]any, error) {
	b := &binaryRow{v: v, in: base64.NewDecoder(base64.StdEncoding, streamText{v.meter})}
	return b.next
}

// next returns the next row; the error is io.EOF behind the last one.
func (b *binaryRow) next() ([]any, error) {
	b.left = maxRow
	columns := b.v.columns
	var null []byte
	if b.v.data == "BINARY2" {
		null = make([]byte, (len(columns)+7)/8)
		if _, err := io.ReadFull(b.in, null); err != nil {
			return nil, err
		}
	}
	if len(columns) == 0 {
		return nil, io.EOF
	}
	row := make([]any, len(columns))
	for i := range columns {
		c := &columns[i]
		data, n, err := b.cell(c)
		if err == io.EOF && (i > 0 || null != nil) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if null == nil || null[i/8]&(0x80>>(i%8)) == 0 {
			row[i] = c.decode(data, n)
		} else if c.text() {
			row[i] = ""
		}
	}
	return row, nil
}

// cell reads the bytes of one cell, which holds n values.
func (b *binaryRow) cell(c *column) (data []byte, n int, err error) {
	n = c.count
	if c.variable {
		var count [4]byte
		if _, err := io.ReadFull(b.in, count[:]); err != nil {
			return nil, 0, err
		}
		n = int(min(binary.BigEndian.Uint32(count[:]), maxRow+1))
	}
	bytes := n * c.parts * c.size
	if c.size == 0 {
		bytes = (n + 7) / 8
	}
	if b.left -= bytes; b.left < 0 {
		return nil, 0, b.large()
	}
	data = make([]byte, bytes)
	if _, err = io.ReadFull(b.in, data); err == io.EOF && c.variable {
		err = io.ErrUnexpectedEOF
	}
	return data, n, err
}

func (b *binaryRow) large() error {
	return fault.New(fault.TooLarge, "votable.Rows", "row %d of the table has more than %d bytes", b.v.row, maxRow)
}

// decode reads a cell of n values of a binary row.
func (c *column) decode(data []byte, n int) any {
	switch c.kind.name {
	case "char":
		return strings.TrimRight(strings.ToValidUTF8(string(data), "\uFFFD"), "\x00")
	case "unicodeChar":
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(data[2*i:])
		}
		return strings.TrimRight(string(utf16.Decode(units)), "\x00")
	case "boolean":
		if c.scalar && strings.IndexByte("TtFf10", data[0]) < 0 {
			return nil
		}
		return values(c, data, func(p []byte) bool { return p[0] == 'T' || p[0] == 't' || p[0] == '1' })
	case "bit":
		bit := func(i int) bool { return data[i/8]&(0x80>>(i%8)) != 0 }
		if c.scalar {
			return data[0] != 0 // astropy sets the fifth bit of the byte, others the first
		}
		bits := make([]bool, n)
		for i := range bits {
			bits[i] = bit(i)
		}
		return bits
	case "unsignedByte":
		return c.integers(data, func(p []byte) int64 { return int64(p[0]) })
	case "short":
		return c.integers(data, func(p []byte) int64 { return int64(int16(binary.BigEndian.Uint16(p))) })
	case "int":
		return c.integers(data, func(p []byte) int64 { return int64(int32(binary.BigEndian.Uint32(p))) })
	case "long":
		return c.integers(data, func(p []byte) int64 { return int64(binary.BigEndian.Uint64(p)) })
	case "float", "floatComplex":
		return values(c, data, func(p []byte) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(p))) })
	}
	return values(c, data, func(p []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(p)) })
}

// integers reads integers, of which one value may stand for none.
func (c *column) integers(data []byte, read func([]byte) int64) any {
	if c.scalar && c.null != "" && strconv.FormatInt(read(data), 10) == c.null {
		return nil
	}
	return values(c, data, read)
}

func values[T any](c *column, data []byte, read func([]byte) T) any {
	if c.scalar {
		return read(data)
	}
	all := make([]T, len(data)/c.size)
	for i := range all {
		all[i] = read(data[i*c.size:])
	}
	return all
}
