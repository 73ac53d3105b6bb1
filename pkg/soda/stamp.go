package soda

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// Stamp is a box of pixels around a direction.
type Stamp struct {
	RA, Dec float64 // ICRS degrees
	NX, NY  int64   // pixels
}

// ParseStamp reads "ra dec nx ny". The error is [fault.Usage].
func ParseStamp(value string) (s Stamp, err error) {
	const op = "soda.ParseStamp"
	words := strings.Fields(value)
	if len(words) != 4 {
		return s, fault.New(fault.Usage, op, "STAMP has %d values; want 4, ra dec in degrees and nx ny in pixels", len(words))
	}
	for i, to := range []*float64{&s.RA, &s.Dec} {
		if *to, err = stencil.ParseNumber(words[i], [2]string{"the longitude of STAMP", "the latitude of STAMP"}[i]); err != nil {
			return s, err
		}
	}
	if err := stencil.CheckDirection(s.RA, s.Dec, "STAMP"); err != nil {
		return s, err
	}
	for i, to := range []*int64{&s.NX, &s.NY} {
		if *to, err = strconv.ParseInt(words[2+i], 10, 64); err != nil || *to < 1 || *to > maxStamp {
			return s, fault.New(fault.Usage, op, "a side of STAMP is %.40q; want a whole number of pixels, 1 to %d", words[2+i], maxStamp)
		}
	}
	return s, nil
}

// String writes the stamp as it is read.
func (s Stamp) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return fmt.Sprintf("%s %s %d %d", number(s.RA), number(s.Dec), s.NX, s.NY)
}
