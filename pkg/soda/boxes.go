package soda

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// These parameters are our own.

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
	for i, c := range []struct {
		to     *float64
		name   string
		lo, hi float64
	}{{&s.RA, "right ascension", 0, 360}, {&s.Dec, "declination", -90, 90}} {
		v, err := strconv.ParseFloat(words[i], 64)
		if err != nil || math.IsNaN(v) || v < c.lo || v > c.hi {
			return s, fault.New(fault.Usage, op, "the %s of STAMP is %.40q; want %g to %g degrees", c.name, words[i], c.lo, c.hi)
		}
		*c.to = v
	}
	for i, to := range []*int64{&s.NX, &s.NY} {
		const most = 1 << 20
		if *to, err = strconv.ParseInt(words[2+i], 10, 64); err != nil || *to < 1 || *to > most {
			return s, fault.New(fault.Usage, op, "a side of STAMP is %.40q; want a whole number of pixels, 1 to %d", words[2+i], most)
		}
	}
	return s, nil
}

// String writes the stamp as it is read.
func (s Stamp) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return fmt.Sprintf("%s %s %d %d", number(s.RA), number(s.Dec), s.NX, s.NY)
}

func (r *Request) readStamp(value string) error {
	s, err := ParseStamp(value)
	if err != nil {
		return err
	}
	r.Stamps = append(r.Stamps, s)
	r.regions = append(r.regions, "STAMP="+s.String())
	return nil
}

func (r *Request) readSize(value string) error {
	s, err := stencil.ParseSize(value)
	if err != nil {
		return err
	}
	r.Stencils = append(r.Stencils, s)
	r.regions = append(r.regions, "SIZE="+strings.Join(strings.Fields(value), " "))
	return nil
}

func (r *Request) readPixels(value string) error {
	s, err := pixel.ParseSection(value)
	if err != nil {
		return err
	}
	r.Pixels = append(r.Pixels, s)
	r.regions = append(r.regions, "PIXELS="+s.String())
	return nil
}

func (r *Request) readHDU(value string) error {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 0:
		return fault.New(fault.Usage, "soda.Parse", "HDU is %.40q; want a whole number, 0 for the primary", value)
	case r.HDU != nil:
		return repeated("HDU")
	}
	r.HDU = &n
	return nil
}

// The values of choices, in lower case, and what they mean.
var (
	masks   = map[string]string{"none": "none", "nan": "nan", "plane": "plane"}
	details = map[string]string{"image": "image", "planes": "planes", "full": "full", "maskedimage": "planes", "exposure": "full"}
	pads    = map[string]string{"none": "none", "nan": "nan"}
)

// choice reads one of some values, in any case.
func choice(name string, values map[string]string, of func(*Request) *string) func(*Request, string) error {
	return func(r *Request, value string) error {
		chosen, ok := values[strings.ToLower(value)]
		if !ok {
			known := slices.Sorted(maps.Keys(values))
			return fault.New(fault.Usage, "soda.Parse", "%s is %.40q; want one of %s", name, value, strings.Join(known, ", "))
		}
		if *of(r) != "" {
			return repeated(name)
		}
		*of(r) = chosen
		return nil
	}
}
