package manifest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// csvSource reads CSV after RFC 4180, whose first record names the columns.
type csvSource struct {
	bound  *bound
	r      *csv.Reader
	names  []field
	number []int // of each field in Columns, or -1
}

func openCSV(m *Reader) (source, error) {
	b := newBound(m)
	if start, _ := b.r.Peek(3); bytes.Equal(start, []byte("\ufeff")) {
		if _, err := b.r.Discard(3); err != nil {
			return nil, err
		}
	}
	return newCSV(b, ',', nil)
}

// newCSV reads the names of the columns; units are by name.
func newCSV(b *bound, comma rune, units map[string]string) (*csvSource, error) {
	s := &csvSource{bound: b, r: csv.NewReader(b)}
	s.r.Comma, s.r.ReuseRecord, s.r.FieldsPerRecord = comma, true, -1
	names, err := s.r.Read()
	if err == io.EOF {
		return nil, usage("the manifest is empty; want a line with the names of the columns, and rows")
	}
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		s.names = append(s.names, field{n, units[n]})
	}
	s.number = numbered(s.names)
	return s, nil
}

// numbered returns the number of each field in Columns, or -1.
func numbered(fields []field) []int {
	n := make([]int, len(fields))
	for i, f := range fields {
		n[i] = lookup(f.name)
	}
	return n
}

func (s *csvSource) fields() []field { return s.names }

func (s *csvSource) close() {}

func (s *csvSource) next(cells []cell) error {
	s.bound.left = maxRow
	record, err := s.r.Read()
	if err != nil {
		return s.explain(err)
	}
	if len(record) != len(s.names) {
		err = badRow("%d fields; want %d, one for each column", len(record), len(s.names))
	}
	for i, text := range record[:min(len(record), len(s.number))] {
		if k := s.number[i]; k >= 0 {
			cells[k] = cell{text, true}
		}
	}
	return err
}

// explain tells a record that is broken, behind which the reading goes on, from a broken file.
func (s *csvSource) explain(err error) error {
	if broken, ok := errors.AsType[*csv.ParseError](err); ok && s.bound.err == nil {
		return badRow("line %d is no CSV: %v", broken.Line, broken.Err)
	}
	if s.bound.err != nil {
		return s.bound.err
	}
	return err
}

func (s *csvSource) skip(n int64) error {
	for range n {
		s.bound.left = maxRow
		if _, err := s.r.Read(); err != nil {
			if _, broken := s.explain(err).(*rowError); !broken {
				return s.explain(err)
			}
		}
	}
	return nil
}

// bound is a reader that fails when one row takes more bytes than are left for it: so a
// quote that is never closed cannot fill the memory.
type bound struct {
	r    *bufio.Reader
	left int
	err  error // what ended the reading, but not the end of the file
}

func newBound(m *Reader) *bound {
	return &bound{r: bufio.NewReaderSize(io.NewSectionReader(m.r, 0, m.size), 256<<10), left: maxRow}
}

func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = fault.New(fault.TooLarge, "manifest.Rows", "a row has more than %d bytes; is a quote not closed?", maxRow)
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.left -= n
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
