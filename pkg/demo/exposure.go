package demo

import (
	"context"
	"encoding/binary"
	"io"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// The exposure is a part of the star field as a survey's pipeline would deliver it: one
// detector's IMAGE, MASK and VARIANCE, in the manner of LSST's afw. Its pixels are those
// of a larger parent, whose grid the alternate WCS A tells.
const (
	exposureWidth, exposureHeight = 600, 500
	parentX, parentY              = 220, 260 // of the exposure's first pixel, from 0
)

// maskPlanes names the bits of MASK, as afw's MP_ cards do.
var maskPlanes = []string{"BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "NO_DATA"}

const (
	bitSaturated = 1 << 1
	bitEdge      = 1 << 4
	bitDetected  = 1 << 5
	bitNoData    = 1 << 6
)

func writeExposure(ctx context.Context, w io.Writer) error {
	field := drawStarfield()
	n := exposureWidth * exposureHeight
	image, variance := make([]float32, 0, n), make([]float32, 0, n)
	mask := make([]int32, 0, n)
	for y := range exposureHeight {
		for x := range exposureWidth {
			v := field[(y+parentY)*side+x+parentX]
			var bits int32
			e := float64(v)
			switch {
			case v != v:
				bits |= bitNoData
			case e > sky0+2500:
				bits |= bitSaturated | bitDetected
			case e > sky0+6*math.Sqrt(sky0):
				bits |= bitDetected
			}
			if min(x, y, exposureWidth-1-x, exposureHeight-1-y) < 4 {
				bits |= bitEdge
			}
			image, variance, mask = append(image, v-sky0), append(variance, max(v, 1)), append(mask, bits)
		}
	}
	out := fits.NewWriter(w)
	primary := fits.NewPrimary(8, nil)
	if err := setAll(primary, []card{
		{"OBJECT", "Seltzer demo field", "made, not observed"}, {"INSTRUME", "none", "drawn by Seltzer"},
		{"FILTER", "r", ""}, {"EXPTIME", 120.0, "[s]"}, {"DATE-OBS", "2026-03-20T04:05:06.0", ""}, {"TIMESYS", "UTC", ""},
	}); err != nil {
		return err
	}
	if err := out.WriteHDU(ctx, primary, 0, nil); err != nil {
		return err
	}
	for _, plane := range []struct {
		name   string
		bitpix int
		cards  []card
		data   fits.Data
	}{
		{"IMAGE", -32, []card{{"BUNIT", "electron", ""}, {"FLUXMAG0", math.Pow(10, 0.4*27.5), "electrons of magnitude 0"}}, floats(image)},
		{"MASK", 32, maskCards(), ints(mask)},
		{"VARIANCE", -32, []card{{"BUNIT", "electron2", ""}}, floats(variance)},
	} {
		h := fits.NewImage(plane.bitpix, []int64{exposureWidth, exposureHeight})
		cards := append([]card{{"EXTNAME", plane.name, ""}}, exposureCards()...)
		if err := setAll(h, append(cards, plane.cards...)); err != nil {
			return err
		}
		if err := out.WriteHDU(ctx, h, int64(4*n), plane.data); err != nil {
			return err
		}
	}
	return nil
}

// exposureCards are the world coordinates of each plane: the sky, and the parent's pixels.
func exposureCards() []card {
	cards := tanCards()
	for i := range cards {
		switch cards[i].key {
		case "CRPIX1":
			cards[i].value = side/2 + 0.5 - parentX
		case "CRPIX2":
			cards[i].value = side/2 + 0.5 - parentY
		}
	}
	return append(cards,
		card{"LTV1", float64(-parentX), "from the parent's pixels"}, card{"LTV2", float64(-parentY), ""},
		card{"WCSAXESA", 2, ""}, card{"CTYPE1A", "LINEAR", "the parent's pixels"}, card{"CTYPE2A", "LINEAR", ""},
		card{"CRPIX1A", 1.0, ""}, card{"CRPIX2A", 1.0, ""}, card{"CRVAL1A", float64(parentX), ""}, card{"CRVAL2A", float64(parentY), ""},
		card{"CUNIT1A", "pixel", ""}, card{"CUNIT2A", "pixel", ""},
	)
}

func maskCards() (cards []card) {
	for bit, name := range maskPlanes {
		cards = append(cards, card{"MP_" + name, bit, ""})
	}
	return cards
}

// ints gives pixels as big-endian int32.
func ints(pixels []int32) fits.Data {
	return func(_ context.Context, emit func([]byte) error) error {
		b := make([]byte, 0, 4*len(pixels))
		for _, v := range pixels {
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		}
		return emit(b)
	}
}
