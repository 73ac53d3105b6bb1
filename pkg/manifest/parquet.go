package manifest

import (
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// parquetSource reads the columns of a Parquet file that are used, and only those, one
// page at a time. Rows are left out without reading their pages.
type parquetSource struct {
	file    *parquet.File
	names   []field
	columns []*parquetColumn
	group   int   // row group of the next row
	left    int64 // rows of the present group
}

// parquetColumn reads the values of one column.
type parquetColumn struct {
	use      int // number in Columns
	leaf     int // number among the columns of the file that hold values
	unsigned bool

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader // of page
	buf    [64]parquet.Value
	next   []parquet.Value // values of buf that were not taken yet
	ended  bool
}

func openParquet(m *Reader) (s source, err error) {
	defer guard(&err)
	f, err := parquet.OpenFile(m.r, m.size, parquet.SkipPageIndex(false), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return nil, err
	}
	p := &parquetSource{file: f, group: -1}
	for _, c := range f.Root().Columns() {
		p.names = append(p.names, field{name: c.Name()})
		use := lookup(c.Name())
		if use < 0 {
			continue
		}
		leaf := c
		for !leaf.Leaf() && len(leaf.Columns()) == 1 {
			leaf = leaf.Columns()[0]
		}
		if !leaf.Leaf() {
			return nil, fault.New(fault.Unsupported, "manifest.Open", "the column %s holds structures; want numbers, texts or lists of numbers", c.Name())
		}
		t := leaf.Type()
		column := &parquetColumn{use: use, leaf: leaf.Index()}
		readable := t.Kind() != parquet.Int96 && t.Kind() != parquet.Boolean
		if l := t.LogicalType(); l != nil {
			switch v := l.Value.(type) {
			case *format.IntType:
				column.unsigned = !v.IsSigned
			case *format.DecimalType:
				readable = false
			}
		}
		if !readable {
			return nil, fault.New(fault.Unsupported, "manifest.Open", "the column %s is of the Parquet type %s; want integers, floats or texts", c.Name(), t)
		}
		p.columns = append(p.columns, column)
	}
	return p, nil
}

// guard turns a panic of the library, which some broken files cause, into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fault.New(fault.Usage, "manifest.Reader", "the manifest cannot be read as Parquet: its pages are broken (%.100s)", fmt.Sprint(p))
	}
}

func (p *parquetSource) fields() []field { return p.names }

func (p *parquetSource) next(cells []cell) (err error) {
	defer guard(&err)
	for p.left == 0 {
		if err := p.openGroup(p.group + 1); err != nil {
			return err
		}
	}
	p.left--
	var failed error
	for _, c := range p.columns {
		v, err := c.row()
		if err != nil {
			return err
		}
		if len(v.text) > maxRow {
			v.text, failed = "", badRow("%s has %d bytes; want at most %d", Columns[c.use].Name, len(v.text), maxRow)
		}
		if !v.set && Columns[c.use].use == forID {
			v.set = true // of a table that has IDs one is missing
		}
		cells[c.use] = v
	}
	return failed
}

// openGroup makes row group n the present one.
func (p *parquetSource) openGroup(n int) error {
	p.close()
	groups := p.file.RowGroups()
	if n >= len(groups) {
		return io.EOF
	}
	p.group, p.left = n, groups[n].NumRows()
	chunks := groups[n].ColumnChunks()
	for _, c := range p.columns {
		c.pages, c.ended = chunks[c.leaf].Pages(), false
	}
	return nil
}

func (p *parquetSource) close() {
	for _, c := range p.columns {
		c.close()
	}
}

func (p *parquetSource) skip(n int64) (err error) {
	defer guard(&err)
	for {
		if err := p.openGroup(p.group + 1); err != nil {
			return err
		}
		if n < p.left {
			break
		}
		n -= p.left
	}
	p.left -= n
	for _, c := range p.columns {
		if err := c.pages.SeekToRow(n); err != nil {
			return err
		}
	}
	return nil
}

func (c *parquetColumn) close() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	if c.pages != nil {
		_ = c.pages.Close() // it was only read
	}
	c.pages, c.page, c.values, c.next = nil, nil, nil, nil
}

// peek reads on until there is a value in next, or the chunk ends.
func (c *parquetColumn) peek() error {
	for len(c.next) == 0 && !c.ended {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if err == io.EOF {
				c.ended = true
				return nil
			}
			if err != nil {
				return err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buf[:])
		if err != nil && err != io.EOF {
			return err
		}
		if c.next = c.buf[:n]; n == 0 {
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	return nil
}

// row returns the values of the next row as a cell, those of a list with blanks between.
func (c *parquetColumn) row() (v cell, err error) {
	var text []byte
	for first := true; ; first = false {
		if err := c.peek(); err != nil {
			return v, err
		}
		if len(c.next) == 0 && first {
			return v, usage("the column %s ends early", Columns[c.use].Name)
		}
		if len(c.next) == 0 || !first && c.next[0].RepetitionLevel() == 0 {
			v.text = string(text)
			return v, nil
		}
		value := c.next[0]
		c.next = c.next[1:]
		if value.IsNull() {
			continue
		}
		if v.set {
			text = append(text, ' ')
		}
		v.set = true
		text = c.append(text, value)
	}
}

// append writes a value as text.
func (c *parquetColumn) append(b []byte, v parquet.Value) []byte {
	switch v.Kind() {
	case parquet.Int32:
		if c.unsigned {
			return strconv.AppendUint(b, uint64(v.Uint32()), 10)
		}
		return strconv.AppendInt(b, int64(v.Int32()), 10)
	case parquet.Int64:
		if c.unsigned {
			return strconv.AppendUint(b, v.Uint64(), 10)
		}
		return strconv.AppendInt(b, v.Int64(), 10)
	case parquet.Float:
		return strconv.AppendFloat(b, float64(v.Float()), 'g', -1, 64)
	case parquet.Double:
		return strconv.AppendFloat(b, v.Double(), 'g', -1, 64)
	}
	return append(b, v.ByteArray()...)
}
