package soda

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// reader reads one value of parameter p into a request.
type reader func(p *Parameter, r *Request, value string) error

const (
	maxStamp = 1 << 20 // pixels of a side
	maxHDU   = 1 << 20
	maxName  = 100 // characters of a file name
)

func usage(format string, args ...any) error {
	return fault.New(fault.Usage, "soda.Read", format, args...)
}

// list writes words as people do: "a, b or c".
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

func readID(_ *Parameter, r *Request, value string) error {
	r.IDs = append(r.IDs, value)
	return nil
}

// addStencil adds a region on the sky: CIRCLE, POLYGON and POS name their stencil alike.
func (r *Request) addStencil(s stencil.Stencil, err error) error {
	if err != nil {
		return err
	}
	r.Regions = append(r.Regions, Region{Stencil: s, text: "POS=" + s.String()})
	return nil
}

func readCircle(_ *Parameter, r *Request, value string) error {
	c, err := stencil.ParseCircle(value)
	return r.addStencil(c, err)
}

func readPolygon(_ *Parameter, r *Request, value string) error {
	p, err := stencil.ParsePolygon(value)
	return r.addStencil(p, err)
}

func readPos(_ *Parameter, r *Request, value string) error {
	s, err := stencil.Parse(value)
	return r.addStencil(s, err)
}

func readSize(_ *Parameter, r *Request, value string) error {
	s, err := stencil.ParseSize(value)
	if err != nil {
		return err
	}
	r.Regions = append(r.Regions, Region{Stencil: s, text: "SIZE=" + strings.Join(strings.Fields(value), " ")})
	return nil
}

func readStamp(_ *Parameter, r *Request, value string) error {
	s, err := ParseStamp(value)
	if err != nil {
		return err
	}
	r.Regions = append(r.Regions, Region{Stamp: &s, text: "STAMP=" + s.String()})
	return nil
}

func readPixels(_ *Parameter, r *Request, value string) error {
	s, err := pixel.ParseSection(value)
	if err != nil {
		return err
	}
	r.Regions = append(r.Regions, Region{Pixels: s, text: "PIXELS=" + s.String()})
	return nil
}

// Interval is a closed interval; either end may be infinite.
type Interval struct{ Low, High float64 }

// ParseInterval reads the two numbers of an interval, called name in the sentence of an
// error, which is [fault.Usage] (DALI 1.1, section 3.3.3).
func ParseInterval(name, value string) (i Interval, err error) {
	words := strings.Fields(value)
	if len(words) != 2 {
		return i, usage("%s has %d values; want 2, the ends of an interval (a single value is written twice)", name, len(words))
	}
	for k, to := range []*float64{&i.Low, &i.High} {
		if *to, err = stencil.ParseNumber(words[k], "an end of "+name); err != nil {
			return i, err
		}
	}
	switch {
	case i.Low > i.High:
		return i, usage("%s goes from %s down to %s; want the lower end first", name, words[0], words[1])
	case math.IsInf(i.Low, 1) || math.IsInf(i.High, -1):
		return i, usage("%s holds no finite value; want -Inf as lower or +Inf as upper end only", name)
	}
	return i, nil
}

func interval(of func(*Request) *[]Interval) reader {
	return func(p *Parameter, r *Request, value string) error {
		i, err := ParseInterval(p.Name, value)
		if err == nil {
			*of(r) = append(*of(r), i)
		}
		return err
	}
}

func readPol(p *Parameter, r *Request, value string) error {
	label, err := p.option(value)
	if err == nil && !slices.Contains(r.Pol, label) {
		r.Pol = append(r.Pol, label)
	}
	return err
}

func readHDU(_ *Parameter, r *Request, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > maxHDU {
		return usage("HDU is %.40q; want a whole number, 0 for the primary", value)
	}
	r.HDU = &n
	return nil
}

// option returns the one of p's options that value is, in any case.
func (p *Parameter) option(value string) (string, error) {
	for _, o := range p.Options {
		if strings.EqualFold(o, value) {
			return o, nil
		}
	}
	return "", usage("%s is %.40q; want %s", p.Name, value, list(p.Options, "or"))
}

func choice(of func(*Request) *string) reader {
	return func(p *Parameter, r *Request, value string) error {
		chosen, err := p.option(value)
		if err == nil && *of(r) != "" { // by its other name
			return repeated(p.Name)
		}
		*of(r) = chosen
		return err
	}
}

// readCutoutDetail reads the names that the Rubin Observatory gives to the values of DETAIL.
func readCutoutDetail(p *Parameter, r *Request, value string) error {
	chosen, err := p.option(value)
	if err == nil && r.Detail != "" {
		return fault.New(fault.MultiValued, "soda.Read", "DETAIL and CUTOUTDETAIL say the same; want one of them")
	}
	r.Detail = map[string]string{"Image": "image", "MaskedImage": "planes", "Exposure": "full"}[chosen]
	return err
}

// readFormat reads a media type or DALI's short form of it, and answers by the type that
// was asked for (DALI 1.1, section 3.4.3).
func readFormat(p *Parameter, r *Request, value string) error {
	format, err := p.option(value)
	if format == "fits" {
		format = "application/fits"
	}
	r.Format = format
	return err
}

func readRunID(p *Parameter, r *Request, value string) error {
	switch n := utf8.RuneCountInString(value); {
	case n > p.MaxLength:
		return usage("RUNID has %d characters; want at most %d", n, p.MaxLength)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return usage("RUNID %.40q holds a control character, or is no UTF-8; want text", value)
	}
	r.RunID = value
	return nil
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// readName reads the name of a file, which goes into paths, URLs and headers.
func readName(p *Parameter, r *Request, value string) error {
	if len(value) > p.MaxLength || !fileName.MatchString(value) {
		return usage("CUTOUTNAME is %.40q; want a file name of at most %d letters, digits and . _ - +, the first one a letter or a digit", value, p.MaxLength)
	}
	r.Name = value
	return nil
}
