package manifest

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/votable"
)

// votableSource reads the first table of a VOTable.
type votableSource struct {
	names  []field
	number []int
	rows   func() ([]any, error, bool)
	stop   func()
}

func openVOTable(m *Reader) (source, error) {
	r, err := votable.NewReader(bufio.NewReaderSize(io.NewSectionReader(m.r, 0, m.size), 256<<10))
	if err != nil {
		return nil, err
	}
	s := new(votableSource)
	for _, f := range r.Fields {
		s.names = append(s.names, field{f.Name, strings.TrimSpace(f.Unit)})
	}
	s.number = numbered(s.names)
	s.rows, s.stop = iter.Pull2(r.Rows())
	return s, nil
}

func (s *votableSource) fields() []field { return s.names }

func (s *votableSource) next(cells []cell) error {
	row, err, ok := s.rows()
	if !ok {
		return io.EOF
	}
	if broken, ok := errors.AsType[*votable.RowError](err); ok {
		err = &rowError{broken.Err}
	} else if err != nil {
		return err
	}
	for i, v := range row {
		if k := s.number[i]; k >= 0 {
			text, ok := plain(v)
			if !ok {
				return badRow("%s is neither a number nor a text", Columns[k].Name)
			}
			cells[k] = cell{text, v != nil || Columns[k].use == forID}
		}
	}
	return err
}

// plain writes the value of a cell.
func plain(v any) (string, bool) {
	switch v.(type) {
	case bool, []bool:
		return "", false
	}
	text, err := votable.Text(v)
	return text, err == nil
}

func (s *votableSource) close() { s.stop() }

func (s *votableSource) skip(n int64) error {
	for range n {
		_, err, ok := s.rows()
		if !ok {
			return io.EOF
		}
		if _, broken := errors.AsType[*votable.RowError](err); err != nil && !broken {
			return err
		}
	}
	return nil
}
