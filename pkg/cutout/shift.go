package cutout

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// systemCards are the beginnings of the cards that make a world coordinate system; one or
// two numbers follow, and the system's letter, none for the primary one (Paper I, section 2.1).
var systemCards = []struct {
	name    string
	numbers int
}{{"CTYPE", 1}, {"CRPIX", 1}, {"CRVAL", 1}, {"CDELT", 1}, {"CD", 2}, {"PC", 2}}

// systemOf returns the letter of the coordinate system that a card belongs to.
func systemOf(key string) (letter string, ok bool) {
	if key == "" || key[0] != 'C' && key[0] != 'P' {
		return "", false
	}
	for _, c := range systemCards {
		rest, found := strings.CutPrefix(key, c.name)
		if found {
			rest, found = cutNumber(rest)
		}
		if found && c.numbers == 2 {
			if rest, found = strings.CutPrefix(rest, "_"); found {
				rest, found = cutNumber(rest)
			}
		}
		if found && (rest == "" || len(rest) == 1 && rest[0] >= 'A' && rest[0] <= 'Z') {
			return rest, true
		}
	}
	return "", false
}

// cutNumber removes the number of an axis from the beginning of a text: 1 to 99.
func cutNumber(text string) (rest string, ok bool) {
	n := 0
	for n < len(text) && n < 2 && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return text[n:], n > 0 && text[0] != '0'
}

// systems appends the letters of the coordinate systems of a header.
func systems(letters []string, h *fits.Header) []string {
	for _, c := range h.Cards() {
		if c[0] != 'C' && c[0] != 'P' && c[0] > ' ' && c[0] < 'a' {
			continue
		}
		if letter, ok := systemOf(strings.ToUpper(c.Keyword())); ok && !slices.Contains(letters, letter) {
			letters = append(letters, letter)
		}
	}
	return letters
}

// axisKeys are the keywords of the first axes, so that they need not be put together
// each time.
var axisKeys = func() map[string]*[9]string {
	all := make(map[string]*[9]string)
	for _, name := range []string{"CRPIX", "CRVAL", "LTV", "CNPIX"} {
		all[name] = new([9]string)
		for i := range all[name] {
			all[name][i] = name + strconv.Itoa(i+1)
		}
	}
	return all
}()

// axisKey returns a keyword such as CRPIX2A, of axis 1, counted from 0, and system A.
func axisKey(name string, axis int, a string) string {
	if keys, ok := axisKeys[name]; ok && axis < len(keys) {
		return keys[axis] + a
	}
	return name + strconv.Itoa(axis+1) + a
}

// shiftSystems moves the reference pixels of all coordinate systems by the offset of the
// box: CRPIXja decreases by it, also where it is absent and therefore 0.
//
// LSST's grid of the parent image is the exception: it counts pixels from its own first
// one, CRPIXja = 1, and tells in CRVALia where that is. There CRVALia moves.
func shiftSystems(h *fits.Header, box pixel.Box) error {
	var few [4]string
	for _, a := range systems(few[:0], h) {
		move := shiftCRPIX
		if isParentGrid(h, a) {
			move = shiftCRVAL
		}
		if err := move(h, a, box); err != nil {
			return err
		}
	}
	return nil
}

func shiftCRPIX(h *fits.Header, a string, box pixel.Box) error {
	for j, offset := range box.Min {
		if offset == 0 {
			continue
		}
		key := axisKey("CRPIX", j, a)
		if h.Has(key) {
			if err := add(h, key, -float64(offset)); err != nil {
				return err
			}
			continue
		}
		after := axisKey("CRVAL", j, a)
		if err := h.SetAfter(after, key, -float64(offset), "reference pixel; was absent, which means 0"); err != nil {
			return err
		}
	}
	return nil
}

// isParentGrid reports whether system a is LSST's grid of the parent image: an alternate,
// linear, in pixels, with the first pixel as its reference.
func isParentGrid(h *fits.Header, a string) bool {
	if a == "" {
		return false
	}
	for j := 1; j <= 2; j++ {
		ctype, _, _ := h.Text(axisKey("CTYPE", j-1, a))
		crpix, _, _ := h.Float(axisKey("CRPIX", j-1, a))
		if strings.TrimSpace(ctype) != "LINEAR" || crpix != 1 {
			return false
		}
	}
	return true
}

// shiftCRVAL moves the reference values by the offset times the linear terms: CDi_ja, or
// CDELTia PCi_ja.
func shiftCRVAL(h *fits.Header, a string, box pixel.Box) error {
	n := box.Axes()
	terms := make([]float64, n*n)
	cd := false
	for i := range n {
		for j := range n {
			v, ok, _ := h.Float(fmt.Sprintf("CD%d_%d%s", i+1, j+1, a))
			terms[i*n+j], cd = v, cd || ok
		}
	}
	for i := range n {
		var step float64
		for j, offset := range box.Min {
			term := terms[i*n+j]
			if !cd {
				term = linearTerm(h, i, j, a)
			}
			step += term * float64(offset)
		}
		if step == 0 {
			continue
		}
		if err := add(h, axisKey("CRVAL", i, a), step); err != nil {
			return err
		}
	}
	return nil
}

// linearTerm returns CDELTia PCi_ja.
func linearTerm(h *fits.Header, i, j int, a string) float64 {
	pc, ok, _ := h.Float(fmt.Sprintf("PC%d_%d%s", i+1, j+1, a))
	if !ok && i == j {
		pc = 1
	}
	cdelt, ok, _ := h.Float(fmt.Sprintf("CDELT%d%s", i+1, a))
	if !ok {
		cdelt = 1
	}
	return cdelt * pc
}

// shiftLogical moves the cards that tie pixels to those of another image, where they
// exist: IRAF's LTVi, and CNPIXi of the plates of the Digitized Sky Survey.
func shiftLogical(h *fits.Header, box pixel.Box) error {
	for j, offset := range box.Min {
		for _, c := range []struct {
			name string
			sign float64
		}{{"LTV", -1}, {"CNPIX", 1}} {
			key := axisKey(c.name, j, "")
			if offset == 0 || !h.Has(key) {
				continue
			}
			if err := add(h, key, c.sign*float64(offset)); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds step to the number on a card, which is 0 if it has no value. A card that holds
// anything else stays as it is: it says nothing that could become false.
func add(h *fits.Header, key string, step float64) error {
	if v, ok := h.Value(key); ok && v.Kind == fits.Integer && step == math.Trunc(step) {
		if n, _, err := h.Int(key); err == nil && math.Abs(float64(n)) < 1<<52 && math.Abs(step) < 1<<52 {
			return h.Set(key, n+int64(step), "")
		}
	}
	v, _, err := h.Float(key)
	if err != nil {
		return nil
	}
	return h.Set(key, v+step, "")
}

// Sections are written as IRAF does, "[x1:x2,y1:y2]". Those of the first kind count pixels
// of this image; those of the second count pixels of the detector, and belong to the
// DATASEC with the same ending.
var (
	imageSections    = regexp.MustCompile(`^(?:DATA|TRIM|BIAS)SEC[A-Z0-9]?$`)
	detectorSections = regexp.MustCompile(`^(CCD|DET|AMP)SEC([A-Z0-9]?)$`)
	sectionText      = regexp.MustCompile(`^\[\s*(-?[0-9]{1,9})\s*:\s*(-?[0-9]{1,9})\s*,\s*(-?[0-9]{1,9})\s*:\s*(-?[0-9]{1,9})\s*\]$`)
)

// sectionKeys returns the keywords of a header that may be those of sections.
func sectionKeys(h *fits.Header) (keys []string) {
	for _, c := range h.Cards() {
		if key := strings.ToUpper(c.Keyword()); strings.Contains(key, "SEC") {
			keys = append(keys, key)
		}
	}
	return keys
}

// section is the first and last pixel along both axes, from 1; the first may be the
// larger, where an axis runs backwards.
type section [2][2]int64

func parseSection(h *fits.Header, key string) (s section, ok bool) {
	text, _, err := h.Text(key)
	m := sectionText.FindStringSubmatch(strings.TrimSpace(text))
	if err != nil || m == nil {
		return s, false
	}
	for i := range 4 {
		s[i/2][i%2], _ = strconv.ParseInt(m[i+1], 10, 64) // no error: at most nine digits
	}
	return s, true
}

func (s section) String() string {
	return fmt.Sprintf("[%d:%d,%d:%d]", s[0][0], s[0][1], s[1][0], s[1][1])
}

// shiftSections rewrites the sections that the box leaves something of, and deletes the
// others and those that cannot be understood.
func shiftSections(h *fits.Header, box pixel.Box) error {
	if box.Axes() < 2 {
		return nil
	}
	isSection := func(key string) bool { return imageSections.MatchString(key) || detectorSections.MatchString(key) }
	if !slices.ContainsFunc(sectionKeys(h), isSection) {
		return nil
	}
	old := h.Clone()
	for _, c := range old.Cards() {
		key := strings.ToUpper(c.Keyword())
		var s section
		ok := false
		if imageSections.MatchString(key) {
			if s, ok = parseSection(old, key); ok {
				s, ok = s.clip(box)
			}
		} else if m := detectorSections.FindStringSubmatch(key); m != nil {
			if s, ok = parseSection(old, key); ok {
				s, ok = s.follow(old, m[2], box)
			}
		} else {
			continue
		}
		if !ok {
			h.Delete(key)
			continue
		}
		if err := h.Set(key, s.String(), ""); err != nil {
			return err
		}
	}
	return nil
}

// clip returns the part of a section of this image that is in the box, counted there.
func (s section) clip(box pixel.Box) (section, bool) {
	for i := range s {
		lo, hi := min(s[i][0], s[i][1]), max(s[i][0], s[i][1])
		lo, hi = max(lo-box.Min[i], 1), min(hi-box.Min[i], box.Size(i))
		if lo > hi {
			return s, false
		}
		if s[i][0] > s[i][1] {
			lo, hi = hi, lo
		}
		s[i] = [2]int64{lo, hi}
	}
	return s, true
}

// follow returns the part of a section of the detector that shows in the box. The section
// is that of DATASEC with the same ending, pixel by pixel.
func (s section) follow(h *fits.Header, ending string, box pixel.Box) (section, bool) {
	data, ok := parseSection(h, "DATASEC"+ending)
	if !ok {
		return s, false
	}
	for i := range s {
		from, to := data[i][0], data[i][1]
		if from > to || max(s[i][0], s[i][1])-min(s[i][0], s[i][1]) != to-from {
			return s, false
		}
		lo, hi := max(from, box.Min[i]+1), min(to, box.Max[i])
		if lo > hi {
			return s, false
		}
		if a := s[i][0]; s[i][0] <= s[i][1] {
			s[i] = [2]int64{a + lo - from, a + hi - from}
		} else {
			s[i] = [2]int64{a - (lo - from), a - (hi - from)}
		}
	}
	return s, true
}
