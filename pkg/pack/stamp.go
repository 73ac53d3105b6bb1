package pack

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// stamp is what a row of a table tells of one image.
type stamp struct {
	ctype     [2]string
	wcs       [10]float64 // CRPIX1 CRPIX2 CRVAL1 CRVAL2 CD1_1 CD1_2 CD2_1 CD2_2 LONPOLE LATPOLE
	radesys   string
	equinox   float64
	distorted bool
	bunit     string
	pixels
}

// pixels are those of an image as they are in a file.
type pixels struct {
	data        []byte
	bitpix      int
	scale, zero float64
	blank       int64
	hasBlank    bool
}

func newPixels(u *fits.HDU, file []byte) pixels {
	p := pixels{data: file[u.DataOffset : u.DataOffset+u.DataSize], bitpix: u.BITPIX}
	p.scale, p.zero = number(u.Header, "BSCALE", 1), number(u.Header, "BZERO", 0)
	if u.BITPIX > 0 {
		n, ok, err := u.Header.Int("BLANK")
		p.blank, p.hasBlank = n, ok && err == nil
	}
	return p
}

// number returns the number of a card; one that is absent or no number is as absent says.
func number(h *fits.Header, key string, absent float64) float64 {
	if v, ok, err := h.Float(key); ok && err == nil {
		return v
	}
	return absent
}

// noStamp is that of an entry without one.
var noStamp = func() (s stamp) {
	for i := range s.wcs {
		s.wcs[i] = math.NaN()
	}
	s.equinox = math.NaN()
	return s
}()

// readStamp reads the cards of an image. A card of the world coordinates that is no number
// counts as absent.
func readStamp(u *fits.HDU, file []byte) *stamp {
	s := &stamp{pixels: newPixels(u, file)}
	h := u.Header
	number := func(key string, absent float64) float64 { return number(h, key, absent) }
	text := func(key string) string { v, _, _ := h.Text(key); return v }
	s.bunit, s.radesys, s.equinox = text("BUNIT"), text("RADESYS"), number("EQUINOX", math.NaN())
	cd := h.HasPrefix("CD1_") || h.HasPrefix("CD2_")
	rotated := !cd && h.Has("CROTA2") && !h.HasPrefix("PC1_") && !h.HasPrefix("PC2_")
	for i := range 2 {
		n := strconv.Itoa(i + 1)
		s.ctype[i] = text("CTYPE" + n)
		s.wcs[i], s.wcs[2+i] = number("CRPIX"+n, 0), number("CRVAL"+n, 0)
		for j := range 2 {
			m := strconv.Itoa(j + 1)
			same := 0.
			if i == j {
				same = 1
			}
			at := 4 + 2*i + j
			switch {
			case cd:
				s.wcs[at] = number("CD"+n+"_"+m, 0)
			case !rotated:
				s.wcs[at] = number("PC"+n+"_"+m, same) * number("CDELT"+n, 1)
			default: // Calabretta & Greisen 2002, section 6.1
				sin, cos := math.Sincos(number("CROTA2", 0) * math.Pi / 180)
				cdelt := [2]float64{number("CDELT1", 1), number("CDELT2", 1)}
				s.wcs[at] = [4]float64{cdelt[0] * cos, -cdelt[1] * sin, cdelt[0] * sin, cdelt[1] * cos}[2*i+j]
			}
		}
	}
	s.wcs[8], s.wcs[9] = number("LONPOLE", math.NaN()), number("LATPOLE", math.NaN())
	s.distorted = strings.HasSuffix(s.ctype[0], "-SIP") || strings.HasSuffix(s.ctype[0], "-TPV") || h.HasPrefix("PV") || h.HasPrefix("CPDIS") || h.HasPrefix("D2IMDIS") || h.Has("PLTRAH")
	return s
}

// appendPixels appends the physical values of the pixels and, where there is no stamp, NaN,
// up to end bytes.
func (s *pixels) appendPixels(b []byte, end int, wide bool) []byte {
	if !wide && s.plain(-32) || wide && s.plain(-64) {
		return append(b, s.data...)
	}
	size := max(s.bitpix, -s.bitpix) / 8
	for at := 0; len(b) < end; at += size {
		v := math.NaN()
		if s.data != nil {
			v = s.pixel(s.data[at:])
		}
		if wide {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
		} else {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
	}
	return b
}

// plain reports whether the pixels are physical values of a BITPIX as they are.
func (s *pixels) plain(bitpix int) bool { return s.bitpix == bitpix && s.scale == 1 && s.zero == 0 }

// pixel returns the physical value of a pixel.
func (s *pixels) pixel(p []byte) float64 {
	var n int64
	switch s.bitpix {
	case 8:
		n = int64(p[0])
	case 16:
		n = int64(int16(binary.BigEndian.Uint16(p)))
	case 32:
		n = int64(int32(binary.BigEndian.Uint32(p)))
	case 64:
		n = int64(binary.BigEndian.Uint64(p))
	case -32:
		return s.zero + s.scale*float64(math.Float32frombits(binary.BigEndian.Uint32(p)))
	default:
		return s.zero + s.scale*math.Float64frombits(binary.BigEndian.Uint64(p))
	}
	if s.hasBlank && n == s.blank {
		return math.NaN()
	}
	return s.zero + s.scale*float64(n)
}
