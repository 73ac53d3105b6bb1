package votable

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// kind is a datatype (section 2.1): its bytes in a binary row, and how to read one value.
type kind struct {
	name  string
	size  int // bytes of a number in a binary row; 0: a bit
	parts int // numbers in one value: 2 of a complex one
}

var kinds = []kind{
	{"boolean", 1, 1}, {"bit", 0, 1}, {"unsignedByte", 1, 1}, {"short", 2, 1}, {"int", 4, 1}, {"long", 8, 1},
	{"char", 1, 1}, {"unicodeChar", 2, 1}, {"float", 4, 1}, {"double", 8, 1}, {"floatComplex", 4, 2}, {"doubleComplex", 8, 2},
}

func (k *kind) text() bool { return k.name == "char" || k.name == "unicodeChar" }

// column is how the cells of a field are read.
type column struct {
	kind
	name     string
	scalar   bool
	variable bool   // in a binary row a count comes first
	count    int    // values of one cell; of a variable column, of one step of its last axis
	null     string // the integer that stands for no value, or ""
}

func newColumn(f Field) (column, error) {
	c := column{name: f.Name, scalar: true, count: 1}
	for _, k := range kinds {
		if k.name == f.Datatype {
			c.kind = k
		}
	}
	if c.kind.name == "" {
		return c, fault.New(fault.Usage, "votable.NewReader", "the field %.40q has the datatype %.40q, which VOTable does not know", f.Name, f.Datatype)
	}
	if f.Values != nil {
		c.null = strings.TrimSpace(f.Values.Null)
	}
	size := strings.TrimSpace(f.Arraysize)
	if size == "" {
		c.scalar = c.parts == 1
		return c, nil
	}
	c.scalar = false
	axes := strings.Split(size, "x")
	if last := axes[len(axes)-1]; strings.HasSuffix(last, "*") {
		// 10* is at most 10: what comes is counted, so the limit says nothing more.
		c.variable, axes = true, axes[:len(axes)-1]
		if _, err := strconv.ParseUint("0"+strings.TrimSuffix(last, "*"), 10, 32); err != nil {
			return c, badSize(f)
		}
	}
	for _, a := range axes {
		n, err := strconv.ParseUint(a, 10, 32)
		if err != nil || n == 0 {
			return c, badSize(f)
		}
		if c.count *= int(min(n, maxRow+1)); c.count > maxRow {
			return c, fault.New(fault.TooLarge, "votable.NewReader", "a cell of the field %.40q has arraysize %.40q; want at most %d bytes", f.Name, f.Arraysize, maxRow)
		}
	}
	return c, nil
}

func badSize(f Field) error {
	return fault.New(fault.Usage, "votable.NewReader", "the field %.40q has the arraysize %.40q; want such as 3, * or 2x3", f.Name, f.Arraysize)
}

// want says what a cell of TABLEDATA holds.
func (c *column) want() string {
	if c.scalar {
		return c.kind.name
	}
	return "an array of " + c.kind.name
}

var errCell = errors.New("not of its column's type")

// parse reads a cell of TABLEDATA (section 5.1).
func (c *column) parse(text string) (any, error) {
	if c.text() {
		return text, nil
	}
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return nil, nil
	case c.scalar && len(words) > 1:
		return nil, errCell
	case c.scalar && words[0] == c.null:
		return nil, nil
	case c.kind.name == "bit" && !c.scalar:
		words = strings.Split(strings.Join(words, ""), "")
	}
	if n := c.count * c.parts; !c.scalar && (len(words)%n != 0 || !c.variable && len(words) != n) {
		return nil, errCell
	}
	switch c.kind.name {
	case "boolean", "bit":
		return cells(c, words, parseBool)
	case "unsignedByte", "short", "int", "long":
		return cells(c, words, c.parseInt)
	}
	return cells(c, words, func(s string) (float64, error) { return strconv.ParseFloat(s, 8*c.size) })
}

// cells reads the one value of a scalar, or all of an array.
func cells[T any](c *column, words []string, parse func(string) (T, error)) (any, error) {
	values := make([]T, 0, len(words))
	for _, w := range words {
		if c.scalar && w == "?" && c.kind.name == "boolean" {
			return nil, nil
		}
		v, err := parse(w)
		if err != nil {
			return nil, errCell
		}
		values = append(values, v)
	}
	if c.scalar {
		return values[0], nil
	}
	return values, nil
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "t", "true", "1":
		return true, nil
	case "f", "false", "0", "?": // of an array, which has no room for nil
		return false, nil
	}
	return false, errCell
}

func (c *column) parseInt(s string) (int64, error) {
	base := 10
	if digits, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, base = digits, 16
	}
	n, err := strconv.ParseInt(s, base, 64)
	low, high := c.bounds()
	if err != nil || n < low || n > high {
		return 0, errCell
	}
	return n, nil
}

func (c *column) bounds() (low, high int64) {
	switch c.size {
	case 1:
		return 0, math.MaxUint8
	case 2:
		return math.MinInt16, math.MaxInt16
	case 4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
