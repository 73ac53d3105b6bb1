package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// linesSource reads JSON lines: an object on each line. Empty lines are none.
type linesSource struct {
	m *Reader
	r *bufio.Reader
}

func openJSONLines(m *Reader) (source, error) {
	r := newBound(m).r
	if start, _ := r.Peek(3); bytes.Equal(start, []byte("\ufeff")) {
		if _, err := r.Discard(3); err != nil {
			return nil, err
		}
	}
	return &linesSource{m, r}, nil
}

func (s *linesSource) fields() []field { return nil }

func (s *linesSource) close() {}

func (s *linesSource) next(cells []cell) error {
	line, err := s.line()
	if err != nil {
		return err
	}
	return s.m.object(line, cells)
}

// line returns the next line that is not blank. One that is too long is a broken row.
func (s *linesSource) line() ([]byte, error) {
	for {
		line, err := s.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			line, err = s.long(slices.Clone(line))
		}
		if err != nil && (err != io.EOF || len(line) == 0) {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err == io.EOF {
			return nil, err
		}
	}
}

// long reads the rest of a line that did not fit the buffer.
func (s *linesSource) long(line []byte) ([]byte, error) {
	n := len(line)
	for {
		more, err := s.r.ReadSlice('\n')
		if n += len(more); n <= maxRow {
			line = append(line, more...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, err
		case n > maxRow:
			return nil, badRow("the line has %d bytes; want at most %d", n, maxRow)
		}
		return line, err
	}
}

func (s *linesSource) skip(n int64) error {
	for range n {
		_, err := s.line()
		if _, broken := err.(*rowError); err != nil && !broken {
			return err
		}
	}
	return nil
}

// arraySource reads an array of objects.
type arraySource struct {
	m *Reader
	d *json.Decoder
	b *bound
}

func openJSON(m *Reader) (source, error) {
	b := newBound(m)
	if start, _ := b.r.Peek(3); bytes.Equal(start, []byte("\ufeff")) {
		if _, err := b.r.Discard(3); err != nil {
			return nil, err
		}
	}
	s := &arraySource{m: m, d: json.NewDecoder(b), b: b}
	if t, err := s.d.Token(); err != nil || t != json.Delim('[') {
		return nil, usage("the manifest is no JSON array of objects, one for each row")
	}
	return s, nil
}

func (s *arraySource) fields() []field { return nil }

func (s *arraySource) raw() (raw json.RawMessage, err error) {
	s.b.left = maxRow
	if !s.d.More() {
		if _, err := s.d.Token(); err != nil {
			return nil, s.explain(err)
		}
		return nil, io.EOF
	}
	if err := s.d.Decode(&raw); err != nil {
		return nil, s.explain(err)
	}
	return raw, nil
}

func (s *arraySource) explain(err error) error {
	switch {
	case s.b.err != nil:
		return s.b.err
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return usage("the array of rows ends early")
	}
	return usage("the array of rows is no JSON: %w", err)
}

func (s *arraySource) close() {}

func (s *arraySource) next(cells []cell) error {
	raw, err := s.raw()
	if err != nil {
		return err
	}
	return s.m.object(raw, cells)
}

func (s *arraySource) skip(n int64) error {
	for range n {
		if _, err := s.raw(); err != nil {
			return err
		}
	}
	return nil
}

// object reads the cells of one JSON object.
func (m *Reader) object(text []byte, cells []cell) error {
	if !utf8.Valid(text) {
		return badRow("the row is no UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return badRow("the row is no JSON: %v", syntax)
		}
		return badRow("the row is no JSON object but %.40s", text)
	}
	var failed error
	first := len(Columns) // of the columns that failed: the error does not depend on the order of a map
	fail := func(i int, format string, args ...any) {
		if i < first {
			first, failed = i, badRow(format, args...)
		}
	}
	for name, raw := range object {
		i := lookup(name)
		if i < 0 {
			m.ignore(name)
			continue
		}
		if cells[i].set {
			fail(i, "%s stands twice in the row", Columns[i].Name)
			continue
		}
		c, err := value(raw)
		if err != nil {
			fail(i, "%s is %.40s; want a number or a text", Columns[i].Name, raw)
		}
		cells[i] = c
	}
	return failed
}

var errValue = fault.New(fault.Usage, "manifest.Rows", "neither a number nor a text")

// value reads a number, a text, null, or an array of numbers.
func value(raw json.RawMessage) (c cell, err error) {
	switch raw[0] {
	case 'n':
		return cell{}, nil
	case '"':
		err = json.Unmarshal(raw, &c.text)
		c.set = true
		return c, err
	case '[':
		var all []json.Number
		if json.Unmarshal(raw, &all) != nil {
			return cell{}, errValue
		}
		words := make([]string, len(all))
		for i, n := range all {
			words[i] = n.String()
		}
		return cell{strings.Join(words, " "), true}, nil
	case '{', 't', 'f':
		return cell{}, errValue
	}
	return cell{string(raw), true}, nil
}
