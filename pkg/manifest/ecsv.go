package manifest

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// maxECSV is how many bytes the header of an ECSV file may have.
const maxECSV = 1 << 20

// openECSV reads ECSV (Astropy Proposal for Enhancement 6): a header of YAML in lines that
// begin with "#", then CSV with blanks or commas between. No value is an empty field.
func openECSV(m *Reader) (source, error) {
	b := newBound(m)
	var header bytes.Buffer
	for {
		start, err := b.r.Peek(1)
		if err != nil || start[0] != '#' {
			break // an empty table is told of below
		}
		line, err := b.r.ReadSlice('\n')
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrShortBuffer) {
			return nil, err
		}
		if header.Len() > maxECSV {
			return nil, fault.New(fault.TooLarge, "manifest.Open", "the header of the ECSV file has more than %d bytes", maxECSV)
		}
		text := bytes.TrimPrefix(bytes.TrimPrefix(line, []byte("#")), []byte(" "))
		if !bytes.HasPrefix(text, []byte("%ECSV")) {
			header.Write(text)
		}
	}
	var about struct {
		Delimiter string
		Datatype  []struct{ Name, Unit, Datatype string }
	}
	if err := yaml.Unmarshal(header.Bytes(), &about); err != nil {
		return nil, usage("the header of the ECSV file is no YAML: %w", err)
	}
	comma := ' '
	switch about.Delimiter {
	case "", " ":
	case ",":
		comma = ','
	default:
		return nil, usage("the ECSV file has the delimiter %.10q; want a blank or a comma", about.Delimiter)
	}
	units := make(map[string]string)
	for _, d := range about.Datatype {
		units[d.Name] = strings.TrimSpace(d.Unit)
	}
	s, err := newCSV(b, comma, units)
	if err != nil {
		return nil, err
	}
	if len(about.Datatype) != len(s.names) {
		return nil, usage("the header of the ECSV file describes %d columns, its first line names %d", len(about.Datatype), len(s.names))
	}
	return s, nil
}
