package cutout

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Bounds of what a header says of its origin.
const (
	maxSigned  = 2000 // characters of one value
	maxHistory = 200  // HDUs that were left out, by name
)

// signFirst writes into the first header what was asked for, of which object, when and by
// which version, and which HDUs were left out.
func (p *Plan) signFirst(h *fits.Header, req Request) error {
	if h.Has("NEXTEND") {
		if err := h.Set("NEXTEND", len(p.parts)-1, ""); err != nil {
			return err
		}
	}
	if len(p.parts) > 1 && !h.Has("EXTEND") {
		if err := h.SetAfter(lastAxis(h), "EXTEND", true, "there may be extensions"); err != nil {
			return err
		}
	}
	s := req.Source
	if !s.Date.IsZero() {
		if err := h.Set("DATE", s.Date.UTC().Format("2006-01-02T15:04:05"), "when this cutout was made (UTC)"); err != nil {
			return err
		}
	}
	asked := s.RequestText
	if asked == "" {
		asked = req.region().String()
	}
	by := "Seltzer"
	if s.Version != "" {
		by += " " + s.Version
	}
	for _, c := range []struct{ key, value, comment string }{
		{"CUTREQ", asked, "what was asked for"},
		{"CUTID", s.ID, "identifier of the source"},
		{"CUTOBJ", s.Object, "object that holds the source"},
		{"CUTGEN", s.Generation, "generation of that object"},
		{"CUTBY", by, "software that made this cutout"},
	} {
		if err := setOrDelete(h, c.key, printable(c.value), c.comment); err != nil {
			return err
		}
	}
	for i, d := range p.dropped {
		if i == maxHistory {
			h.AddHistory(fmt.Sprintf("Seltzer left out %d more HDUs", len(p.dropped)-i))
			break
		}
		h.AddHistory(printable(fmt.Sprintf("Seltzer left out %s: it %s", d.Label, d.Reason)))
	}
	return announceLongStrings(h)
}

// announceLongStrings adds LONGSTRN, which older readers want before strings that are
// continued (HEASARC's convention, FITS 4.0 section 4.2.1.2), where it is missing.
func announceLongStrings(h *fits.Header) error {
	if h.Has("LONGSTRN") {
		return nil
	}
	for _, c := range h.Cards() {
		if c.Keyword() == "CONTINUE" {
			after := lastAxis(h)
			if h.Has("EXTEND") {
				after = "EXTEND"
			}
			return h.SetAfter(after, "LONGSTRN", "OGIP 1.0", "some strings are continued")
		}
	}
	return nil
}

// lastAxis returns the keyword after which EXTEND belongs.
func lastAxis(h *fits.Header) string {
	n, _, _ := h.Int("NAXIS")
	if n == 0 {
		return "NAXIS"
	}
	return "NAXIS" + strconv.FormatInt(n, 10)
}

// sign writes into the header of a part which HDU and which pixels of the source it holds,
// and what became of those outside of the stencil.
func (p *part) sign() error {
	if p.Role == Empty || p.Role == Attached {
		return nil
	}
	h := p.header
	if p.note == notePlane {
		if err := bitsOf(p.image.hdu).name(h, outsidePlane, p.bit); err != nil {
			return err
		}
	}
	if err := h.Set("CUTHDU", p.HDU, "HDU of the source, from 0"); err != nil {
		return err
	}
	if err := h.Set("CUTBOX", p.Box.String(), "pixels of the source, from 1"); err != nil {
		return err
	}
	frame := "" // that of the source is false, if it is itself a cutout
	if p.padding() > 0 {
		frame = p.Frame.String()
	}
	for _, c := range []struct {
		key, value, comment string
		there               bool
	}{
		{"CUTPAD", frame, "these and the padding around them", true},
		{"CUTMASK", p.note.value, p.note.comment, true},
		{"CUTTILES", "as in the source", "the box was widened to whole tiles", p.asis},
		{"CUTLOSS", "steps of a quarter of the noise, dithered", "pixels were rounded to these", p.lossy()},
	} {
		if !c.there {
			c.value = ""
		}
		if err := setOrDelete(h, c.key, c.value, c.comment); err != nil {
			return err
		}
	}
	return nil
}

// setOrDelete sets a card or, without a value, deletes it.
func setOrDelete(h *fits.Header, key, value, comment string) error {
	if value == "" {
		h.Delete(key)
		return nil
	}
	return h.Set(key, value, comment)
}

// printable returns text as a FITS header can hold it: ASCII, and not endless.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(text) > maxSigned {
		return text[:maxSigned] + "..."
	}
	return text
}

// fixed writes an angle in degrees to 1e-10, as regions want it.
func fixed(v float64) string { return strconv.FormatFloat(v, 'f', 10, 64) }
