package wcs

import (
	"fmt"
	"math"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// cards reads values and keeps the first error, so that a reader of many keywords checks
// once.
type cards struct {
	h   Keywords
	err error
}

func (c *cards) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// any reports whether keywords may begin with prefix: a header that can tell spares that
// hundreds of them are looked for.
func (c *cards) any(prefix string) bool {
	h, ok := c.h.(interface{ HasPrefix(prefix string) bool })
	return !ok || h.HasPrefix(prefix)
}

// get returns a finite number.
func (c *cards) get(key string) (float64, bool) {
	v, ok, err := c.h.Float(key)
	if err != nil {
		c.fail(err)
		return 0, false
	}
	if ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
		c.fail(fault.New(fault.Corrupt, "wcs.Parse", "%s = %g: want a finite number", key, v))
		return 0, false
	}
	return v, ok
}

func (c *cards) float(key string, otherwise float64) float64 {
	if v, ok := c.get(key); ok {
		return v
	}
	return otherwise
}

func (c *cards) integer(key string, otherwise int64) int64 {
	v, ok, err := c.h.Int(key)
	if err != nil {
		c.fail(err)
	}
	if err != nil || !ok {
		return otherwise
	}
	return v
}

// text returns "" for a keyword that is absent.
func (c *cards) text(key string) string {
	v, _, err := c.h.Text(key)
	if err != nil {
		c.fail(err)
	}
	return v
}

// Keywords with one or two numbers that most headers are asked for, so that they need not be
// put together each time.
var (
	oneNumber  = make(map[string]*[10]string)
	twoNumbers = make(map[string]*[5][100]string)
	oldNumbers = make(map[string]*[5][5]string)
)

func init() {
	for _, name := range []string{"CTYPE", "CRPIX", "CRVAL", "CDELT", "CROTA", "CUNIT", "CPDIS", "CQDIS", "D2IMDIS", "D2IM", "DP", "DQ"} {
		keys := new([10]string)
		for i := range keys {
			keys[i] = name + strconv.Itoa(i)
		}
		oneNumber[name] = keys
	}
	for _, name := range []string{"PC", "CD"} {
		keys := new([5][5]string)
		for i := range keys {
			for j := range keys[i] {
				keys[i][j] = fmt.Sprintf("%s%03d%03d", name, i, j)
			}
		}
		oldNumbers[name] = keys
	}
	for _, name := range []string{"PV", "PC", "CD"} {
		keys := new([5][100]string)
		for i := range keys {
			for j := range keys[i] {
				keys[i][j] = name + strconv.Itoa(i) + "_" + strconv.Itoa(j)
			}
		}
		twoNumbers[name] = keys
	}
}

// numbered returns a keyword such as CRPIX1.
func numbered(name string, i int) string {
	if keys, ok := oneNumber[name]; ok && i < len(keys) {
		return keys[i]
	}
	return name + strconv.Itoa(i)
}

// numberedTwice returns a keyword such as PV2_1.
func numberedTwice(name string, i, j int) string {
	if keys, ok := twoNumbers[name]; ok && i < len(keys) && j < len(keys[i]) {
		return keys[i][j]
	}
	return name + strconv.Itoa(i) + "_" + strconv.Itoa(j)
}

// numberedOld returns a keyword such as CD001002, as it was written before Paper I.
func numberedOld(name string, i, j int) string {
	if keys, ok := oldNumbers[name]; ok && i < len(keys) && j < len(keys[i]) {
		return keys[i][j]
	}
	return fmt.Sprintf("%s%03d%03d", name, i, j)
}
