package cutout

import (
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Detail says which HDUs travel with the images that the region touches.
type Detail string

// The details. The zero Detail is DetailPlanes.
const (
	DetailImage  Detail = "image"  // the images alone; an HDU that is asked for by its number is one
	DetailPlanes Detail = "planes" // and their planes: errors, flags, weights
	DetailFull   Detail = "full"   // and what is attached to them: tables and images without a sky, copied whole
)

// knownDetail refuses a detail that is none.
func knownDetail(d Detail) error {
	if d != "" && !slices.Contains([]Detail{DetailImage, DetailPlanes, DetailFull}, d) {
		return fault.New(fault.Usage, "cutout.New", "DETAIL=%s is not known; want image, planes or full", printable(string(d)))
	}
	return nil
}

// dropPlanes leaves out the planes, those with a sky of their own as well.
func dropPlanes(images []*image) {
	for _, m := range images {
		if !m.cut() {
			continue
		}
		of := m.sky
		if of == m && isPlane(m) {
			for _, s := range images {
				if s != m && s.cut() && s.sky == s && !isPlane(s) && m.together(s) {
					of = s
					break
				}
			}
		}
		if of != m {
			m.lose("is a plane of %s", of.hdu)
		}
	}
}

// isPlane reports whether an image is called as planes of images are.
func isPlane(m *image) bool {
	return slices.ContainsFunc(namesIn(nameOf(m.hdu)), func(w string) bool {
		role, _ := roleOf(w)
		return role != "" && !slices.Contains(imageRoles, role) || isFlagName(w)
	})
}

// attached reports whether an HDU that is not cut goes with the images that are.
func (m *image) attached() bool {
	if m.cut() || m.system != nil || m.sky != nil || m.err != nil || m.hdu.Err != nil || m.hdu.Kind == fits.RandomGroups {
		return false
	}
	return m.hdu.Number > 0 || m.hdu.Image()
}

// travel tells where in the cutout the HDUs of the source that others point at are.
type travel struct {
	archive int            // the number, from 1, of the HDU with afw's tables; 0: it stays behind
	target  map[string]int // by the name of a card with the address of an HDU: its part
}

// addresses are the cards with the byte of the file where an HDU begins, and with its size (Rubin DP2).
var addresses = []struct{ address, size string }{{"JSONADDR", "JSONSIZE"}}

// isIndex reports whether an HDU is a table of where in the source the HDUs are.
func isIndex(file *fits.File, u *fits.HDU) bool {
	at, ok, err := file.HDUs[0].Header.Int("INDXADDR")
	return ok && err == nil && u.Number > 0 && at == u.HeaderOffset
}

// newTravel looks for the targets of pointers among the parts.
func newTravel(file *fits.File, parts []part) travel {
	var t travel
	first := file.HDUs[0].Header
	packed := false // then it is not known where the HDUs behind begin
	for i := range parts {
		packed = packed || parts[i].packed != ""
		if parts[i].Role != Attached {
			continue
		}
		u := parts[i].image.hdu
		if n, ok, err := first.Int("AR_HDU"); ok && err == nil && n == int64(u.Number)+1 {
			t.archive = i + 1
		}
		for _, a := range addresses {
			if at, ok, err := first.Int(a.address); ok && err == nil && at == u.HeaderOffset && u.Number > 0 && !packed {
				if t.target == nil {
					t.target = make(map[string]int)
				}
				t.target[a.address] = i
			}
		}
	}
	return t
}

// keeps reports whether a card that points into the file stays, to be corrected.
func (t *travel) keeps(key string) bool {
	if key == "AR_HDU" {
		return t.archive > 0
	}
	for _, a := range addresses {
		if key == a.address || key == a.size {
			_, ok := t.target[a.address]
			return ok
		}
	}
	return false
}

// correct makes the cards of the source's first header point where their targets are in the
// cutout.
func (t *travel) correct(parts []part) error {
	h := parts[0].header
	if parts[0].image == nil {
		h = parts[1].header
	}
	if t.archive > 0 && h.Has("AR_HDU") {
		if err := h.Set("AR_HDU", t.archive, ""); err != nil {
			return err
		}
	}
	for _, a := range addresses {
		target, ok := t.target[a.address]
		if !ok || !h.Has(a.address) {
			continue
		}
		var at int64
		for i := range parts[:target] {
			at += parts[i].size()
		}
		if err := h.Set(a.address, at, ""); err != nil {
			return err
		}
		if h.Has(a.size) {
			if err := h.Set(a.size, parts[target].size(), ""); err != nil {
				return err
			}
		}
	}
	return nil
}
