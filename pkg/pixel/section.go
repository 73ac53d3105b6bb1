package pixel

import (
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Section is a part of an image as CFITSIO's image sections name it: one range for each
// axis, NAXIS1 first. Axes that it does not name are meant whole.
// Source: CFITSIO User's Reference Guide, section 10.3 (image section).
type Section []span

// span is a range of one axis, from 1, both ends included; the zero span is the whole axis.
type span struct{ first, last int64 }

const maxAxes = 999 // FITS 4.0, section 4.4.1.1

// ParseSection reads a section such as [101:200,1:50], with or without the brackets; * is
// a whole axis. CFITSIO's reversed axes (x1 > x2, -*) and steps are refused, since a
// cutout keeps the pixels as they are. The error is [fault.Usage].
func ParseSection(text string) (Section, error) {
	refuse := func(format string, args ...any) (Section, error) {
		return nil, fault.New(fault.Usage, "pixel.ParseSection", format, args...)
	}
	inner := strings.TrimSpace(text)
	if opened, closed := strings.HasPrefix(inner, "["), strings.HasSuffix(inner, "]"); opened != closed {
		return refuse("a bracket of %q has no partner; want a section such as [101:200,1:50]", text)
	} else if opened {
		inner = inner[1 : len(inner)-1]
	}
	ranges := strings.Split(inner, ",")
	if len(ranges) > maxAxes {
		return refuse("%d axes are more than FITS knows (%d)", len(ranges), maxAxes)
	}
	s := make(Section, len(ranges))
	for i, r := range ranges {
		r = strings.TrimSpace(r)
		if r == "*" {
			continue
		}
		if r == "-*" || strings.Count(r, ":") > 1 {
			return refuse("the range %q of axis %d turns or thins the axis out; want first:last", r, i+1)
		}
		first, last, found := strings.Cut(r, ":")
		var errFirst, errLast error
		s[i].first, errFirst = strconv.ParseInt(strings.TrimSpace(first), 10, 64)
		s[i].last, errLast = strconv.ParseInt(strings.TrimSpace(last), 10, 64)
		switch {
		case !found || errFirst != nil || errLast != nil:
			return refuse("the range %q of axis %d is not first:last in whole pixels, or *; want a section such as [101:200,1:50]", r, i+1)
		case s[i].last < s[i].first:
			return refuse("the range %q of axis %d ends before it begins; want the smaller pixel first", r, i+1)
		case s[i].first < -1<<53 || s[i].last > 1<<53:
			return refuse("the range %q of axis %d is beyond every image; want pixels of the image, from 1", r, i+1)
		case s[i] == span{}:
			return refuse("the range 0:0 of axis %d is outside; pixels count from 1", i+1)
		}
	}
	return s, nil
}

// Box returns the pixels that the section has in common with an image of the given shape.
// The error is [fault.Usage] if it names more axes than the image has, and
// [fault.NoOverlap] if there is no such pixel.
func (s Section) Box(shape []int64) (Box, error) {
	if len(s) > len(shape) {
		return Box{}, fault.New(fault.Usage, "pixel.Box", "the section %s names %d axes and the image has %d", s, len(s), len(shape))
	}
	b := Whole(shape)
	for i, r := range s {
		if r != (span{}) {
			b.Min[i], b.Max[i] = max(r.first-1, 0), min(r.last, shape[i])
		}
	}
	if b.Empty() {
		return Box{}, fault.New(fault.NoOverlap, "pixel.Box", "the section %s misses the image, whose pixels are %s", s, Whole(shape))
	}
	return b, nil
}

// String writes the section in CFITSIO's form.
func (s Section) String() string {
	var ranges []string
	for _, r := range s {
		if r == (span{}) {
			ranges = append(ranges, "*")
			continue
		}
		ranges = append(ranges, strconv.FormatInt(r.first, 10)+":"+strconv.FormatInt(r.last, 10))
	}
	return "[" + strings.Join(ranges, ",") + "]"
}
