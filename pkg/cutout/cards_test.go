package cutout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// The box [11:30,6:25] of an image of 100 by 80 pixels: offsets 10 and 5.
func TestCards(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string // after "" means that the cards keep their bytes
	}{
		{"reference pixels, whatever their form",
			"CTYPE1  = 'RA---TAN'\nCRPIX1  = 5.05D1 / column\nCRPIX2  = 40\n", "CTYPE1  = 'RA---TAN'\nCRPIX1  =                 40.5 / column\nCRPIX2  =                   35\n"},
		{"an absent reference pixel is 0",
			"CTYPE1B = 'X'\nCRVAL1B = 3.0\nCRVAL2B = 4.0\n",
			"CTYPE1B = 'X'\nCRVAL1B = 3.0\nCRPIX1B =                -10.0 / reference pixel; was absent, which means 0\n" +
				"CRVAL2B = 4.0\nCRPIX2B =                 -5.0 / reference pixel; was absent, which means 0\n"},
		{"LSST's parent grid keeps its reference pixel",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1.0\nCRPIX2A = 1\nCRVAL1A = 128.0\nCRVAL2A = 0\n",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1.0\nCRPIX2A = 1\nCRVAL1A =                138.0\nCRVAL2A =                    5\n"},
		{"by its matrix",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1\nCRPIX2A = 1\nCRVAL1A = 0.0\nCRVAL2A = 0.0\nCD1_2A  = 2.0\nCD2_1A  = -1.0\n",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1\nCRPIX2A = 1\nCRVAL1A =                 10.0\nCRVAL2A =                -10.0\nCD1_2A  = 2.0\nCD2_1A  = -1.0\n"},
		{"a linear system with another reference pixel moves that",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1.0\nCRPIX2A = 2.0\nCRVAL1A = 128.0\n",
			"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A =                 -9.0\nCRPIX2A =                 -3.0\nCRVAL1A = 128.0\n"},
		{"ties to other images", "LTV1    = 0.0\nLTV2    = -7\nLTM1_1  = 1.0\nCNPIX1  = 4187\nCNPIX2  = 100\n",
			"LTV1    =                -10.0\nLTV2    =                  -12\nLTM1_1  = 1.0\nCNPIX1  =                 4197\nCNPIX2  =                  105\n"},
		{"sections of the image and of the detector",
			"DATASEC = '[9:100,1:20]'\nTRIMSEC = '[9:100,1:20]'\nBIASSEC = '[1:8,1:80]'\nDETSEC  = '[2092:2001,501:520]'\nCCDSEC  = '[1:92,1:20]'\nAMPSEC  = '[1:46,1:20]'\nDATASECB= 'all'\n",
			"DATASEC = '[1:20,1:15]'\nTRIMSEC = '[1:20,1:15]'\nDETSEC  = '[2090:2071,506:520]'\nCCDSEC  = '[3:22,6:20]'\n"},
		{"corners, centres, statistics, places in the file, rows of tables",
			"CENRA1  = 1.0\nCOR1RA1 = 1.0\nCORN2DEC= 1.0\nDATAMIN = 0\nDATAMAX = 9\nGOODMEAN= 3.0\nJSONADDR= 5\nAR_HDU  = 5\nHIERARCH SKYWCS_ID = 1 / archive ID for generic component\nVISIT_ID= 7\n",
			"VISIT_ID= 7\n"},
		{"nothing else", "OBJECT  = 'M  31'  /  as written\nGAIN    = 1.50E+0\nSATURATE=   60000.\nBZERO   = 32768\nCORRECTD= T\nCENTURY = 20\nHISTORY CRPIX1 was 5\n" +
			"A_0_2   = 1.0E-5\nPV1_1   = 1.0\nHIERARCH ESO DET CRPIX1 = 5\nSECTION = 1\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := boxed(t, tt.before, pixel.Box{Min: []int64{10, 5}, Max: []int64{30, 25}})
			h, err := cutHeader(&part{Part: Part{Box: m.box, Frame: m.box}, image: m}, new(travel))
			if err != nil {
				t.Fatal(err)
			}
			want := tt.after
			if want == "" {
				want = tt.before
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(body(h), "\n")); diff != "" {
				t.Errorf("cards (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestWholeImageKeepsItsCards(t *testing.T) {
	before := "CRPIX1  = 5.05D1\nDATAMIN = 0\nS_REGION= 'CIRCLE ICRS 1 2 3'\nDATASEC = '[1:100,1:80]'\nINDXADDR= 5\n"
	m := boxed(t, before, pixel.Box{Min: []int64{0, 0}, Max: []int64{100, 80}})
	h, err := cutHeader(&part{Part: Part{Box: m.box, Frame: m.box}, image: m}, new(travel))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := body(h), strings.TrimSuffix(before, "INDXADDR= 5\n"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The footprint's corners come from wcslib (astropy 5.2.1): all_pix2world of (10.5, 5.5), (30.5, 5.5),
// (30.5, 25.5), (10.5, 25.5), origin 1: lower left, lower right, and so on as one sees it from inside.
func TestRegion(t *testing.T) {
	file := makeFile(t, primary(100, 80)+tan(10, 20)+"S_REGION= 'POLYGON ICRS 0 0 1 1 2 2'\n")
	m := &image{hdu: file.HDUs[0]}
	m.examine()
	m.box = pixel.Box{Min: []int64{10, 5}, Max: []int64{30, 25}}
	h, err := cutHeader(&part{Part: Part{Box: m.box, Frame: m.box}, image: m}, new(travel))
	if err != nil {
		t.Fatal(err)
	}
	const want = "POLYGON ICRS 10.0420258041 19.9654950577 10.0207469188 19.9654987987 10.0207495544 19.9854987935 10.0420311429 19.9854950485"
	if got, _, _ := h.Text("S_REGION"); got != want {
		t.Errorf("S_REGION %s, want %s", got, want)
	}
}

func boxed(t *testing.T, cards string, box pixel.Box) *image {
	t.Helper()
	h, err := fits.ParseText(primary(100, 80) + cards)
	if err != nil {
		t.Fatal(err)
	}
	return &image{hdu: &fits.HDU{Header: h, BITPIX: 16, Shape: []int64{100, 80}, Kind: fits.Image}, box: box}
}

// body returns the cards after the mandatory ones.
func body(h *fits.Header) string {
	var s strings.Builder
	for i, c := range h.Cards() {
		if i >= 5 {
			s.WriteString(strings.TrimRight(c.String(), " ") + "\n")
		}
	}
	return s.String()
}
