package cutout

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// image is what choosing learns of one HDU.
type image struct {
	hdu    *fits.HDU
	system *wcs.System // nil: no sky of its own
	box    pixel.Box   // no axes: not cut
	frame  pixel.Box   // the box and the padding around it
	sky    *image      // the image whose box it shares, itself if it has a sky
	reason string      // why it is not cut
	err    error       // the error that reason stands for, if it is one
	missed *Missed     // if the stencil misses it
}

func (m *image) cut() bool { return m.box.Axes() > 0 }

// drop notes why the HDU is not cut.
func (m *image) drop(format string, args ...any) { m.reason = fmt.Sprintf(format, args...) }

// fail notes the error for which the HDU cannot be cut.
func (m *image) fail(err error) {
	m.err = err
	m.reason = "cannot be cut: " + fault.Sentence(err)
}

// lose notes why an HDU that would be cut is not.
func (m *image) lose(format string, args ...any) {
	m.box, m.frame = pixel.Box{}, pixel.Box{}
	m.drop(format, args...)
}

// place gives an image a box along its celestial axes, and the frame around it.
func (m *image) place(x, y int, box, frame area) {
	m.box = pixel.Whole(m.hdu.Shape)
	m.box.Min[x], m.box.Max[x] = box.min[0], box.max[0]
	m.box.Min[y], m.box.Max[y] = box.min[1], box.max[1]
	m.frame = m.box
	if frame != box {
		m.frame = m.box.Clone()
		m.frame.Min[x], m.frame.Max[x] = frame.min[0], frame.max[0]
		m.frame.Min[y], m.frame.Max[y] = frame.min[1], frame.max[1]
	}
	m.checkTiles()
}

// checkTiles takes the box from an image whose tiles cannot be decoded.
func (m *image) checkTiles() {
	if m.hdu.Kind != fits.TileCompressed {
		return
	}
	if _, err := m.hdu.Section(m.box); err != nil {
		m.box, m.frame = pixel.Box{}, pixel.Box{}
		m.fail(err)
	}
}

// together reports whether two images of the sky, both cut, show the same: an image and a
// plane that has a sky of its own.
func (m *image) together(s *image) bool {
	return m == s || m.system != nil && s.system != nil && m.hdu.Version == s.hdu.Version && sameSides(s, m.hdu.Shape) && stem(nameOf(m.hdu)) == stem(nameOf(s.hdu)) && m.sameFrame(s)
}

// sameFrame reports whether the frames of two images are the same along their celestial axes.
func (m *image) sameFrame(s *image) bool {
	x, y := m.sky.system.Axes()
	sx, sy := s.sky.system.Axes()
	return x == sx && y == sy && along(m.frame, x, y) == along(s.frame, x, y)
}

// choose decides for every HDU of a file whether it is cut, and which part.
//
// Cut are the images with celestial axes that the stencil touches, all of them if no region
// is asked for or, where a section of pixels is asked for, the one image it is of; and
// beside them the planes without a sky of their own that belong to one of them. The error
// is that of the section.
func choose(file *fits.File, req Request) ([]*image, error) {
	images := make([]*image, len(file.HDUs))
	for i, u := range file.HDUs {
		images[i] = &image{hdu: u}
		images[i].examine()
	}
	switch {
	case req.Stencil != nil:
		for _, m := range images {
			if m.system != nil {
				m.cover(req.Stencil, req.Pad == PadNaN)
			}
		}
	case req.Stamp != nil:
		at, err := req.Stamp.point()
		if err != nil {
			return nil, err
		}
		for _, m := range images {
			if m.system != nil {
				m.stamp(*req.Stamp, at, req.Pad == PadNaN)
			}
		}
	case req.whole() && slices.ContainsFunc(images, func(m *image) bool { return m.system != nil }):
		for _, m := range images {
			if m.system != nil {
				m.takeWhole()
			}
		}
	default:
		if err := chooseSection(images, req); err != nil {
			return nil, err
		}
	}
	for _, m := range images {
		if m.system == nil && m.sky == nil && m.err == nil && m.hdu.Image() {
			m.join(images)
		}
	}
	if req.Detail == DetailImage && req.HDU == nil {
		dropPlanes(images)
	}
	return images, nil
}

// chooseSection gives the box of a section of pixels to the image that it is of.
func chooseSection(images []*image, req Request) error {
	i := slices.IndexFunc(images, func(m *image) bool { return m.hdu.Image() })
	if req.HDU != nil {
		i = *req.HDU
	}
	if i < 0 {
		return fault.New(fault.Unsupported, "cutout.New", "no HDU of the file is an image")
	}
	target := images[i]
	switch {
	case target.err != nil:
		return target.err
	case !target.hdu.Image():
		return fault.New(fault.Unsupported, "cutout.New", "%s %s: want an image", target.hdu, target.reason)
	}
	box, err := req.Pixels.Box(target.hdu.Shape)
	if err != nil {
		return err
	}
	for _, m := range images {
		if m != target && m.system != nil {
			m.drop("was not asked for")
		}
	}
	target.box, target.frame, target.sky = box, box, target
	target.checkTiles()
	return target.err
}

// examine finds out whether an HDU is an image of the sky.
func (m *image) examine() {
	const op = "cutout.New"
	u := m.hdu
	switch {
	case u.Kind == fits.RandomGroups:
		m.fail(fault.New(fault.Unsupported, op, "%s holds random groups (visibilities), which are no image", u))
		return
	case u.Kind != fits.Image && u.Kind != fits.TileCompressed:
		m.drop("is a %s", u.Kind)
		return
	case u.Err == nil && !u.Image():
		m.drop("has no pixels")
		return
	}
	system, err := System(u)
	switch {
	case errors.Is(err, wcs.NoSky):
		m.drop("has no celestial axes and belongs to no image that is cut")
		return
	case u.Err != nil:
		m.fail(u.Err)
		return
	case err != nil:
		m.fail(fault.New(fault.CodeOf(err), op, "%s: %s", u, fault.Sentence(err)))
		return
	}
	if key := tableAxis(u.Header); key != "" {
		m.fail(fault.New(fault.Unsupported, op, "%s: the coordinates of %s are in a lookup table (-TAB), which a cutout would lose", u, key))
		return
	}
	m.system, m.sky = system, m
}

// System returns the celestial coordinate system of an HDU, which is parsed once for its
// index. Errors are those of [wcs.Parse].
func System(u *fits.HDU) (*wcs.System, error) {
	type key struct{}
	type result struct {
		system *wcs.System
		err    error
	}
	r := u.Remember(key{}, func() any {
		system, err := wcs.Parse(u.Header, len(u.Shape))
		return result{system, err}
	}).(result)
	return r.system, r.err
}

// cover gives an image of the sky the box of the pixels that a stencil touches.
func (m *image) cover(st stencil.Stencil, pad bool) {
	u := m.hdu
	x, y := m.system.Axes()
	x0, x1, y0, y1, ok, err := Cover(m.system, st, u.Shape[x], u.Shape[y])
	switch {
	case err != nil:
		m.fail(err)
		return
	case !ok:
		m.miss(st)
		return
	}
	seen := area{[2]int64{x0, y0}, [2]int64{x1, y1}}
	frame := seen
	if pad && (x0 == 0 || y0 == 0 || x1 == u.Shape[x] || y1 == u.Shape[y]) {
		if frame, err = coverAll(m.system, st, seen); err == nil {
			err = checkPadding(frame, seen)
		}
		if err != nil {
			m.fail(err)
			return
		}
	}
	m.place(x, y, seen, frame)
}

// takeWhole gives an image of the sky all of its pixels.
func (m *image) takeWhole() {
	m.box = pixel.Whole(m.hdu.Shape)
	m.frame = m.box
	m.checkTiles()
}

// stamp gives an image of the sky the box of a stamp around at.
func (m *image) stamp(s Stamp, at stencil.Stencil, pad bool) {
	u := m.hdu
	x, y := m.system.Axes()
	frame, ok, err := s.on(m.system)
	if err != nil {
		m.fail(err)
		return
	}
	seen, overlaps := frame.clip(u.Shape[x], u.Shape[y])
	switch {
	case !ok || !overlaps:
		m.miss(at)
		return
	case !pad:
		frame = seen
	}
	if err := checkPadding(frame, seen); err != nil {
		m.fail(err)
		return
	}
	m.place(x, y, seen, frame)
}

// miss notes by how much the stencil misses the image.
func (m *image) miss(st stencil.Stencil) {
	x, y := m.system.Axes()
	missed, err := Miss(m.system, st, m.hdu.Shape[x], m.hdu.Shape[y])
	if err != nil {
		m.fail(err)
		return
	}
	m.missed = &missed
	m.drop("%s", missed)
}

// tableAxis returns the CTYPE card of an axis whose coordinates are in a table of another
// HDU (Paper III, section 6), or "".
func tableAxis(h *fits.Header) string {
	for _, c := range h.Cards() {
		if !bytes.Contains(c[:], []byte("-TAB")) {
			continue
		}
		if key := strings.ToUpper(c.Keyword()); strings.HasPrefix(key, "CTYPE") && strings.HasSuffix(c.Value().Text, "-TAB") {
			return key
		}
	}
	return ""
}

// join finds the image that a plane without a sky belongs to: one of the same size, by
// its name or, if names do not tell, the one of the same version that stands before it.
func (m *image) join(images []*image) {
	var best *image
	for _, s := range images {
		if s.system == nil || s.err != nil || !sameSides(s, m.hdu.Shape) {
			continue
		}
		if named := stem(m.hdu.Name); named != "" && named == stem(s.hdu.Name) && s.hdu.Version == m.hdu.Version {
			best = s
			break
		}
		if s.hdu.Version == m.hdu.Version && (best == nil || s.hdu.Number < m.hdu.Number) {
			best = s
		}
	}
	if best == nil {
		return
	}
	m.sky = best
	if !best.cut() {
		m.drop("belongs to %s, which %s", best.hdu, best.reason)
		return
	}
	x, y := best.system.Axes()
	m.place(x, y, along(best.box, x, y), along(best.frame, x, y))
}

// along returns the sides of a box along two axes.
func along(b pixel.Box, x, y int) area {
	return area{[2]int64{b.Min[x], b.Min[y]}, [2]int64{b.Max[x], b.Max[y]}}
}

// sameSides reports whether an image has the shape of s along its celestial axes.
func sameSides(s *image, shape []int64) bool {
	x, y := s.system.Axes()
	return len(shape) > y && shape[x] == s.hdu.Shape[x] && shape[y] == s.hdu.Shape[y]
}

// roles are words in the names of planes that say what a plane holds, not what it belongs
// to; imageRoles are those of the image itself.
var imageRoles = []string{"SCI", "SCIENCE", "IMAGE", "DATA", "FLUX"}

var roles = append(slices.Clone(imageRoles), "ERR", "ERROR", "UNC", "SIGMA", "RMS", "NOISE", "VAR", "VARIANCE", "IVAR",
	"DQ", "DQA", "FLAG", "FLAGS", "QUALITY", "MASK", "BPM", "BADPIX", "OBJMASK", "CCDMASK", "STENCIL", "WHT", "WEIGHT", "WT", "CTX", "CON", "EXP", "EXPTIME", "BKG", "BACKGROUND",
	"QUAL", "FLG", "MSK", "BPIX", "WGT", "ERRS")

// roleOf returns the role that a word says, without the number that may follow; "" if none.
func roleOf(word string) (role, number string) {
	role = strings.TrimRight(word, "0123456789")
	if !slices.Contains(roles, role) {
		return "", word
	}
	return role, word[len(role):]
}

// namesIn returns the words of a name, in upper case.
func namesIn(name string) []string {
	return strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// nameOf returns what an HDU is called: EXTNAME or, in older files of afw, EXTTYPE.
func nameOf(u *fits.HDU) string {
	if u.Name != "" {
		return u.Name
	}
	name, _, _ := u.Header.Text("EXTTYPE")
	return name
}

// stem returns what is left of a name without the words of roles: "CCD3_MASK" and
// "CCD3_IMAGE" have the stem "CCD3", "SCI2" and "DQ_2" the stem "2", MASK has none.
func stem(name string) string {
	var rest []string
	for _, w := range namesIn(name) {
		if _, number := roleOf(w); number != "" {
			rest = append(rest, number)
		}
	}
	return strings.Join(rest, " ")
}

// nothing returns the error for a file of which no HDU is cut: the stencil misses it if
// it misses every image of the sky; otherwise the first reason why one could not be cut.
func nothing(images []*image, region fmt.Stringer) error {
	const op = "cutout.New"
	if len(images) == 1 && images[0].sky != nil {
		images = []*image{images[0].sky} // a plane is missed as its image is
	}
	var nearest *image
	missed := 0
	for _, m := range images {
		switch {
		case m.missed != nil:
			if missed++; nearest == nil || m.missed.By < nearest.missed.By {
				nearest = m
			}
		case m.err != nil:
			return m.err
		}
	}
	switch {
	case nearest == nil && len(images) == 1:
		return fault.New(fault.Unsupported, op, "%s %s: want an image with celestial axes (CTYPEn such as RA---TAN)", images[0].hdu, images[0].reason)
	case nearest == nil:
		return fault.New(fault.Unsupported, op, "no HDU of the file is an image with celestial axes (CTYPEn such as RA---TAN)")
	case missed == 1:
		return fault.New(fault.NoOverlap, op, "%s %s", short(region), nearest.missed)
	}
	return fault.New(fault.NoOverlap, op, "%s misses all %d images of the file; of the nearest, %s, it %s", short(region), missed, nearest.hdu, nearest.missed)
}

// short returns the text of a region, the beginning of it if it is long.
func short(region fmt.Stringer) string {
	const most = 80
	s := region.String()
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
