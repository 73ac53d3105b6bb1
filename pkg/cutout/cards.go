package cutout

import (
	"regexp"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// stale names the cards that a cut makes false and that are deleted, unless the box is
// the whole image. To add one, add a line.
var stale = compile(
	`CORN?[1-4](RA|DEC|X|Y)?[1-4]?`, `RA_?CORN?[1-4]`, `DEC_?CORN?[1-4]`, // corners: COR1RA1, CORN2DEC, RACORN3
	`CEN(RA|DEC)[0-9]*`, `CENT(RA|DEC)`, `RA_CENT?`, `DEC_CENT?`, // centres
	`DATA(MIN|MAX|MEAN|MED|MEDIAN|AVG|SIG|STD|RMS|ZER|P[0-9]+)`, // statistics of the pixels
	`GOOD(MIN|MAX|MEAN)`, `SOFT(MIN|MAX|MEAN)`, `IMG(MIN|MAX|MEAN)`, `PIX(MIN|MAX|MEAN)`, // HST, IRAF and others: likewise
)

// rewritten names the cards that belong to the file as a whole or to tables that do not
// travel with a cutout. They are deleted, unless the tables do (detail.go).
var rewritten = compile(
	`AR_HDU`,                                       // afw: the HDU with the archive's tables
	`JSONADDR`, `JSONSIZE`, `INDXADDR`, `INDXSIZE`, // Rubin: where in the file the tables are
)

// pixelCards names the cards that describe pixels, which an empty primary does not have.
var pixelCards = compile(
	`BSCALE|BZERO|BLANK|BUNIT|DATAMIN|DATAMAX`,
	`(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA|CNAME|LTV|CNPIX)[0-9]+[A-Z]?`,
	`(CD|PC|PV|PS)[0-9]+_[0-9]+[A-Z]?`,
	`LTM[0-9]+_[0-9]+|WCSAXES[A-Z]?|WCSNAME[A-Z]?|S_REGION`,
	`GROUPS|PCOUNT|GCOUNT`,
)

// inherited names the cards that can be rewritten where the pixels are, and are deleted
// from a primary without pixels, of whose extensions they tell.
var inherited = compile(`S_REGION|(DATA|TRIM|BIAS|CCD|DET|AMP)SEC[A-Z0-9]?`)

// keywords is a set of them: what they begin with, which sorts out most others, and what
// they match as a whole.
type keywords []struct {
	prefix string
	whole  *regexp.Regexp
}

func compile(patterns ...string) keywords {
	set := make(keywords, len(patterns))
	for i, p := range patterns {
		set[i].prefix, _ = regexp.MustCompile(p).LiteralPrefix()
		set[i].whole = regexp.MustCompile("^(?:" + p + ")$")
	}
	return set
}

func (k keywords) has(key string) bool {
	for i := range k {
		if strings.HasPrefix(key, k[i].prefix) && k[i].whole.MatchString(key) {
			return true
		}
	}
	return false
}

// without returns a copy of h without the cards whose keyword is in one of sets, and
// without afw's numbers of rows in archive tables, but with those that t keeps.
func without(h *fits.Header, t *travel, sets ...keywords) *fits.Header {
	h = h.Clone()
	h.DeleteFunc(func(c fits.Card) bool {
		key := strings.ToUpper(c.Keyword())
		return t.archive == 0 && isArchiveID(c, key) || !t.keeps(key) && slices.ContainsFunc(sets, func(k keywords) bool { return k.has(key) })
	})
	return h
}

// isArchiveID reports whether a card holds the number of a row of afw's archive tables, of
// which a comment such as "archive ID for generic component" tells. Other cards end in _ID,
// too.
func isArchiveID(c fits.Card, key string) bool {
	if !strings.HasSuffix(key, "_ID") {
		return false
	}
	v := c.Value()
	return v.Kind == fits.Integer && strings.Contains(v.Comment, "archive ID")
}

// cutHeader returns the header of an HDU of which the frame is kept.
func cutHeader(p *part, t *travel) (*fits.Header, error) {
	m := p.image
	source, err := m.hdu.ImageHeader()
	if err != nil {
		return nil, err
	}
	if p.whole() {
		return without(source, t, rewritten), nil
	}
	h := without(source, t, rewritten, stale)
	if err := h.SetShape(m.hdu.BITPIX, p.Frame.Shape()); err != nil {
		return nil, err
	}
	for _, change := range []func(*fits.Header, pixel.Box) error{shiftSystems, shiftLogical, shiftSections} {
		if err := change(h, p.Frame); err != nil {
			return nil, err
		}
	}
	return h, setRegion(h, m)
}

// asExtension returns the header of the source's primary where an empty one stands before it.
func asExtension(h *fits.Header) (*fits.Header, error) {
	h, err := h.AsExtension()
	if err == nil {
		h.Delete("NEXTEND")
	}
	return h, err
}

// emptyHeader returns the header of a primary without its data. whole says that nothing
// of the other HDUs is cut off.
func emptyHeader(u *fits.HDU, whole bool, t *travel) (*fits.Header, error) {
	sets := []keywords{rewritten}
	if !whole {
		sets = append(sets, stale, inherited)
	}
	if len(u.Axes) == 0 {
		return without(u.Header, t, sets...), nil
	}
	h := without(u.Header, t, append(sets, pixelCards)...)
	return h, h.SetShape(8, nil)
}

// setRegion makes a card S_REGION name the part of the sky that the box covers, if there
// is such a card.
func setRegion(h *fits.Header, m *image) error {
	if !h.Has("S_REGION") {
		return nil
	}
	if m.sky != nil && m.sky.system != nil {
		if corners, ok := Footprint(m.sky.system, m.box); ok {
			region := "POLYGON ICRS"
			for _, c := range corners {
				region += " " + fixed(c)
			}
			return h.Set("S_REGION", region, "")
		}
	}
	h.Delete("S_REGION")
	return nil
}

// Footprint returns right ascension and declination, ICRS degrees, of the four corners of
// a box of pixels of an image, counter-clockwise as seen from inside the sphere (north up,
// east left): the order of DALI's polygons. ok is false if a corner has no sky or the box is
// so large that arcs of great circles do not follow its sides (30 degrees across).
func Footprint(system *wcs.System, box pixel.Box) (corners []float64, ok bool) {
	x, y := system.Axes()
	x0, x1 := float64(box.Min[x])+0.5, float64(box.Max[x])+0.5
	y0, y1 := float64(box.Min[y])+0.5, float64(box.Max[y])+0.5
	corners = []float64{x0, y0, x1, y0, x1, y1, x0, y1}
	if hidden, err := system.ToSky(corners, corners); err != nil || hidden > 0 {
		return nil, false
	}
	var v [4]sky.Vec
	for i := range v {
		v[i] = sky.FromDegrees(corners[2*i], corners[2*i+1])
	}
	if v[0].Angle(v[2]) > 30*sky.Degree || v[1].Angle(v[3]) > 30*sky.Degree {
		return nil, false
	}
	if v[2].Add(v[0].Scale(-1)).Cross(v[3].Add(v[1].Scale(-1))).Dot(v[0]) > 0 {
		corners[0], corners[1], corners[6], corners[7] = corners[6], corners[7], corners[0], corners[1]
		corners[2], corners[3], corners[4], corners[5] = corners[4], corners[5], corners[2], corners[3]
	}
	return corners, true
}
