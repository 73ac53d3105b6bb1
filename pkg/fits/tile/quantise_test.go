package tile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// floats are pixels of noise around a star, with NaN here and there if holes.
func floats(r *rand.Rand, bitpix, width, height int, holes bool) (pix []byte) {
	for i := range width * height {
		x, y := float64(i%width-width/2), float64(i/width-height/2)
		v := 100 + 10*r.NormFloat64() + 1e4*math.Exp(-(x*x+y*y)/8)
		switch {
		case holes && i%13 == 5:
			v = math.NaN()
		case i%11 == 3:
			v = 0
		}
		pix = appendPixel(pix, bitpix, v, v)
	}
	return pix
}

// The integers, scales and fallbacks are those of fpack, bit by bit.
func TestQuantisedTilesAreThoseOfFpack(t *testing.T) {
	outside.Tool(t, "fpack")
	r := rand.New(rand.NewPCG(13, 14))
	for _, tt := range []struct {
		name          string
		width, height int
		tile          string
		holes         bool
	}{
		{"rows", 64, 20, "64,1", false},
		{"rows with NaN", 64, 20, "64,1", true},
		{"several rows", 120, 90, "120,30", false},
		{"several rows with NaN", 120, 90, "120,30", true},
		{"more pixels than random numbers", 150, 140, "150,140", true},
		{"narrow rows are one", 7, 60, "7,60", false},
		{"too few pixels", 4, 2, "4,2", false},
	} {
		for _, bitpix := range []int{-32, -64} {
			pix := floats(r, bitpix, tt.width, tt.height, tt.holes)
			for _, options := range [][]string{{"-q77", "4"}, {"-qz9999", "4"}, {"-q0", "16"}} {
				name := fmt.Sprintf("%s, BITPIX %d, %v", tt.name, bitpix, options)
				_, c := pack(t, t.TempDir(), bitpix, []int{tt.width, tt.height}, pix, append([]string{"-r", "-t", tt.tile}, options...)...)
				e := tile.Encoder{Image: &c.Image, Level: 4}
				if options[1] == "16" {
					e.Level = 16
				}
				rest := pix
				for i, want := range c.tiles {
					size := want.Pixels * max(bitpix, -bitpix) / 8
					_, got, err := e.Encode(nil, rest[:size], tt.width, int64(i))
					rest = rest[size:]
					switch {
					case err != nil:
						t.Fatalf("%s: %v", name, err)
					case got.Column != want.Column:
						t.Errorf("%s: tile %d is in column %d, that of fpack in %d", name, i, got.Column, want.Column)
					case got.Column != tile.Compressed:
					case got.Scale != want.Scale || got.Zero != want.Zero || want.HasBlank && got.Blank != want.Blank:
						t.Errorf("%s: tile %d has ZSCALE %g, ZZERO %g, ZBLANK %d; fpack has %g, %g, %d", name, i, got.Scale, got.Zero, got.Blank, want.Scale, want.Zero, want.Blank)
					case !bytes.Equal(got.Data, want.Data):
						t.Errorf("%s: tile %d has other integers than that of fpack", name, i)
					}
				}
			}
		}
	}
}

// What is decoded is no further away than half a step, and NaN and infinities stay.
func TestQuantisedPixelsAreNear(t *testing.T) {
	const width, height = 50, 40
	r := rand.New(rand.NewPCG(15, 16))
	for _, bitpix := range []int{-32, -64} {
		for _, dither := range []tile.Dither{tile.NoDither, tile.SubtractiveDither1, tile.SubtractiveDither2} {
			for _, kind := range []string{"plain", "NaN", "nothing but NaN", "infinite", "constant", "one pixel"} {
				pix := floats(r, bitpix, width, height, kind == "NaN")
				column := tile.Compressed
				switch kind {
				case "nothing but NaN":
					pix = bytes.Repeat([]byte{0xff}, len(pix))
				case "infinite":
					copy(pix[800:], appendPixel(nil, bitpix, 0, math.Inf(-1)))
					column = tile.GzipCompressed
				case "constant":
					pix = bytes.Repeat(appendPixel(nil, bitpix, 0, 7.5), width*height)
					column = tile.GzipCompressed
				case "one pixel":
					pix = pix[:-bitpix/8]
					column = tile.GzipCompressed
				}
				m := &tile.Image{Codec: "RICE_1", Bitpix: bitpix, Quantised: true, Dither: dither, Seed: 4711}
				e := tile.Encoder{Image: m, Level: 4}
				_, packed, err := e.Encode(nil, pix, width, 17)
				if err != nil {
					t.Fatal(err)
				}
				if packed.Column != column {
					t.Errorf("BITPIX %d, dither %d, %s: in column %d, want %d", bitpix, dither, kind, packed.Column, column)
				}
				var p tile.Pixels
				got := make([]byte, len(pix))
				if err := errors.Join(m.Decode(&p, packed, packed.Pixels), p.Copy(got, 0)); err != nil {
					t.Fatal(err)
				}
				if kind != "constant" && kind != "one pixel" && kind != "infinite" && (packed.Scale < 1 || packed.Scale > 4) && kind != "nothing but NaN" {
					t.Errorf("BITPIX %d, dither %d, %s: ZSCALE = %g of noise 10; want about 2.5", bitpix, dither, kind, packed.Scale)
				}
				for i := range packed.Pixels {
					a, b := pixelAt(got, bitpix, i), pixelAt(pix, bitpix, i)
					rounding := 1e-7 * math.Abs(b)
					switch {
					case math.IsNaN(b) && math.IsNaN(a), a == b:
					case column == tile.Compressed && math.Abs(a-b) <= packed.Scale/2+rounding && (b != 0 || dither != tile.SubtractiveDither2):
					default:
						t.Fatalf("BITPIX %d, dither %d, %s: pixel %d of %g became %g; a step is %g", bitpix, dither, kind, i, b, a, packed.Scale)
					}
				}
			}
		}
	}
}

func pixelAt(pix []byte, bitpix, i int) float64 {
	if bitpix == -32 {
		return float64(math.Float32frombits(binary.BigEndian.Uint32(pix[4*i:])))
	}
	return float64FromBits(pix[8*i:])
}

func TestWhatCannotBeQuantisedIsRefused(t *testing.T) {
	rice := tile.Image{Codec: "RICE_1", Bitpix: -32, Quantised: true}
	for _, tt := range []struct {
		change func(e *tile.Encoder)
		width  int
		want   fault.Code
		text   string
	}{
		{func(e *tile.Encoder) { e.Level = 0 }, 2, fault.Usage, "steps"},
		{func(e *tile.Encoder) {}, 0, fault.Usage, "rows of 0"},
		{func(e *tile.Encoder) { e.Image.BytePix = 2 }, 2, fault.Unsupported, "BYTEPIX"},
		{func(e *tile.Encoder) { e.Image.Codec = "GZIP_2" }, 2, fault.Unsupported, "GZIP_2"},
		{func(e *tile.Encoder) { e.Image.Dither = tile.SubtractiveDither1 }, 2, fault.Corrupt, "ZDITHER0"},
	} {
		m := rice
		e := &tile.Encoder{Image: &m, Level: 4}
		tt.change(e)
		if _, _, err := e.Encode(nil, make([]byte, 8), tt.width, 0); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: %v, want %s that names %s", m, err, tt.want, tt.text)
		}
	}
}
