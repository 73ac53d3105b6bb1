package wcs

import (
	"math"

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
