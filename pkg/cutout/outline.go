package cutout

import (
	"bytes"
	"context"
	"regexp"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// outlineName is the EXTNAME of an image that tells which pixels are inside of the stencil.
const outlineName = "STENCIL"

// worldCards matches the cards of all coordinate systems of an image.
var worldCards = regexp.MustCompile(`^(?:` +
	`(?:CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA|CNAME|CRDER|CSYER)[0-9]+[A-Z]?|(?:CD|PC|PV|PS)[0-9]+_[0-9]+[A-Z]?|` +
	`(?:WCSAXES|WCSNAME|LONPOLE|LATPOLE|RADESYS|EQUINOX|SPECSYS|SSYSOBS|VELOSYS|RESTFRQ|RESTWAV)[A-Z]?|RADECSYS|EPOCH|` +
	`(?:A|B|AP|BP)_(?:ORDER|[0-9]+_[0-9]+)|LTV[0-9]|LTM[0-9]_[0-9]|` +
	`CNPIX[12]|PPO[1-6]|PLT(?:RA[HMS]|DEC(?:[DMS]|SN))|AMD[XY][0-9]+|[XY]PIXELSZ|PLTSCALE|DATE-OBS|MJD-OBS)$`)

// isOutline reports whether an image is an outline that an earlier cutout added.
func isOutline(u *fits.HDU) bool {
	return u.Name == outlineName && u.BITPIX == 8 && u.Header.Has("CUTHDU")
}

// outlineOf returns the part for the pixels of another part: an image of the same frame,
// without the axes that are not celestial. Its EXTVER is that of the other or, if an HDU of
// this name and version is there, the first that is free.
func (p *Plan) outlineOf(of *part) part {
	x, y := of.image.sky.system.Axes()
	version, taken := of.image.hdu.Version, p.outlineVersions()
	if slices.Contains(taken, version) {
		for version = 1; slices.Contains(taken, version); version++ {
		}
	}
	outline := part{version: version, Part: Part{HDU: of.HDU, Label: outlineName + " of " + of.Label, Role: Outline}, image: of.image}
	for _, b := range []struct{ from, to *pixel.Box }{{&of.Box, &outline.Box}, {&of.Frame, &outline.Frame}} {
		*b.to = b.from.Clone()
		for axis := range b.to.Axes() {
			if axis != x && axis != y {
				b.to.Max[axis] = b.to.Min[axis] + 1
			}
		}
	}
	return outline
}

// outlineVersions returns EXTVER of all parts with the name of an outline.
func (p *Plan) outlineVersions() (versions []int64) {
	for i := range p.parts {
		switch q := &p.parts[i]; {
		case q.Role == Outline:
			versions = append(versions, q.version)
		case q.image.hdu.Name == outlineName:
			versions = append(versions, q.image.hdu.Version)
		}
	}
	return versions
}

// outlineHeader returns the header of an outline: of has the coordinate systems.
func outlineHeader(outline *part, of *fits.Header) (*fits.Header, error) {
	h := fits.NewImage(8, outline.Frame.Shape())
	var world []fits.Card
	for _, c := range of.Cards() {
		if worldCards.MatchString(c.Keyword()) {
			world = append(world, c)
		}
	}
	if err := h.Set("EXTNAME", outlineName, "1: inside of the region; 0: outside"); err != nil {
		return nil, err
	}
	if outline.version != 1 {
		if err := h.Set("EXTVER", outline.version, ""); err != nil {
			return nil, err
		}
	}
	h.Append(world...)
	return h, nil
}

// What an outline holds.
var zeros, ones = make([]byte, 4096), bytes.Repeat([]byte{1}, 4096)

// drawOutline returns the data of an outline.
func drawOutline(r *raster) fits.Data {
	return func(ctx context.Context, emit func([]byte) error) error {
		piece := make([]byte, 0, min(int64(r.nx)*int64(r.ny), 64<<10))
		draw := func(n int, of []byte) error {
			for n > 0 {
				if len(piece) == cap(piece) {
					if err := emit(piece); err != nil {
						return err
					}
					piece = piece[:0]
				}
				m := min(n, cap(piece)-len(piece), len(of))
				piece = append(piece, of[:m]...)
				n -= m
			}
			return nil
		}
		for y := range r.ny {
			out, err := r.outside(ctx, y)
			if err != nil {
				return err
			}
			x := 0
			for _, q := range out {
				if err := draw(q.from-x, ones); err != nil {
					return err
				}
				if err := draw(q.upto-q.from, zeros); err != nil {
					return err
				}
				x = q.upto
			}
			if err := draw(r.nx-x, ones); err != nil {
				return err
			}
		}
		return emit(piece)
	}
}
