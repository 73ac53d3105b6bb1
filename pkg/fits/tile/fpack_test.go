package tile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// writeHDUs writes a FITS file of cards, as "KEY = value" each, and data.
func writeHDUs(t testing.TB, path string, hdus ...any) {
	t.Helper()
	var file bytes.Buffer
	pad := func(with string) {
		for file.Len()%2880 != 0 {
			file.WriteString(with)
		}
	}
	for _, part := range hdus {
		switch part := part.(type) {
		case []string:
			for _, card := range part {
				key, value, _ := strings.Cut(card, "=")
				fmt.Fprintf(&file, "%-80s", fmt.Sprintf("%-8s= %20s", strings.TrimSpace(key), strings.TrimSpace(value)))
			}
			fmt.Fprintf(&file, "%-80s", "END")
			pad(" ")
		case []byte:
			file.Write(part)
			pad("\x00")
		}
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeImage writes an uncompressed image.
func writeImage(t testing.TB, path string, bitpix int, shape []int, pix []byte) {
	cards := []string{"SIMPLE = T", fmt.Sprint("BITPIX = ", bitpix), fmt.Sprint("NAXIS = ", len(shape))}
	for i, n := range shape {
		cards = append(cards, fmt.Sprintf("NAXIS%d = %d", i+1, n))
	}
	writeHDUs(t, path, cards, pix)
}

// scene makes pixels that test a codec.
type scene struct {
	name string
	at   func(r *rand.Rand, i int) float64
}

// tame scenes do not come near the limits of the integers.
var tame = []scene{
	{"noise", func(r *rand.Rand, i int) float64 { return math.Round(100 + 16*r.NormFloat64()) }},
	{"constant", func(r *rand.Rand, i int) float64 { return 7 }},
	{"zero", func(r *rand.Rand, i int) float64 { return 0 }},
	{"ramp", func(r *rand.Rand, i int) float64 { return float64(i) }},
	{"stars", func(r *rand.Rand, i int) float64 {
		if r.IntN(20) == 0 {
			return float64(r.IntN(30000))
		}
		return float64(r.IntN(3))
	}},
}

var scenes = append(slices.Clip(tame), []scene{
	{"extremes", func(r *rand.Rand, i int) float64 { return []float64{math.Inf(-1), math.Inf(1), 0, -1, 1}[r.IntN(5)] }},
	{"anything", func(r *rand.Rand, i int) float64 { return (2*r.Float64() - 1) * math.MaxInt32 }},
}...)

// pixels returns n pixels as big-endian values, a band of each scene; infinities are the
// extremes of integers, and floating-point values get a fraction, NaN and exact zeros.
func pixels(r *rand.Rand, bitpix, n int, scenes []scene) (pix []byte) {
	for i := range n {
		v := scenes[i*len(scenes)/n].at(r, i)
		f := v + r.Float64()
		if holes := r.IntN(16); holes == 0 {
			f = math.NaN()
		} else if holes == 1 {
			f = 0
		}
		pix = appendPixel(pix, bitpix, v, f)
	}
	return pix
}

// noiseOnly is one scene without NaN or exact zeros.
func noiseOnly(r *rand.Rand, bitpix, n int, s scene) (pix []byte) {
	for i := range n {
		v := s.at(r, i)
		pix = appendPixel(pix, bitpix, v, v+r.Float64())
	}
	return pix
}

// appendPixel appends v as an integer, or f.
func appendPixel(pix []byte, bitpix int, v, f float64) []byte {
	switch bitpix {
	case 8:
		return append(pix, uint8(max(0, min(v, math.MaxUint8))))
	case 16:
		return binary.BigEndian.AppendUint16(pix, uint16(int16(max(math.MinInt16, min(v, math.MaxInt16)))))
	case 32:
		return binary.BigEndian.AppendUint32(pix, uint32(int32(max(math.MinInt32, min(v, math.MaxInt32)))))
	case -32:
		return binary.BigEndian.AppendUint32(pix, math.Float32bits(float32(f)))
	}
	return binary.BigEndian.AppendUint64(pix, math.Float64bits(f))
}

// pack runs fpack on an image and reads the result.
func pack(t testing.TB, dir string, bitpix int, shape []int, pix []byte, options ...string) (path string, c *compressed) {
	t.Helper()
	plain := filepath.Join(dir, "plain.fits")
	path = filepath.Join(dir, "packed.fits")
	writeImage(t, plain, bitpix, shape, pix)
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	outside.Run(t, outside.Tool(t, "fpack"), append(options, "-O", path, plain)...)
	file, x := readFile(t, path)
	if u := x.HDUs[len(x.HDUs)-1]; u.Kind == fits.TileCompressed {
		return path, readCompressed(t, file, u)
	}
	t.Fatalf("fpack %v compressed nothing", options)
	return "", nil
}

// fpackCases returns the ways in which fpack can compress an image.
func fpackCases(bitpix int, twoD bool) (cases [][]string) {
	algorithms := [][]string{{"-r"}, {"-g1"}, {"-g2"}}
	if twoD {
		algorithms = append(algorithms, []string{"-h"}, []string{"-h", "-s", "-7"})
	}
	if bitpix == 8 || bitpix == 16 {
		algorithms = append(algorithms, []string{"-p"})
	}
	if slices.Contains([]int{16, 32, -32}, bitpix) {
		algorithms = append(algorithms, []string{"-d"})
	}
	if bitpix > 0 {
		return algorithms
	}
	for _, a := range algorithms {
		for _, levels := range [][]string{{"-q77", "4"}, {"-qz9999", "4"}, {"-q0", "4"}} {
			cases = append(cases, slices.Concat(a, levels))
		}
		if strings.HasPrefix(a[0], "-g") {
			cases = append(cases, slices.Concat(a, []string{"-q", "0"}))
		}
	}
	return cases
}

func TestWhatFpackWritesIsReadAsByCFITSIO(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	judged := map[string]int{}
	for _, shape := range []struct {
		shape []int
		tile  string
	}{
		{[]int{37, 23}, "37,1"},
		{[]int{37, 23}, "16,8"},
		{[]int{64, 63}, "64,63"},
		{[]int{9, 11, 5}, "4,5,2"},
		{[]int{300}, "101"},
		{[]int{150, 140}, "150,140"}, // more pixels than random numbers
	} {
		for _, bitpix := range []int{8, 16, 32, -32, -64} {
			n := 1
			for _, side := range shape.shape {
				n *= side
			}
			for _, options := range fpackCases(bitpix, len(shape.shape) == 2 && shape.tile != "37,1") {
				mine := scenes
				switch {
				case slices.Contains(options, "-s") && bitpix > 0:
					mine = tame[:2] // CFITSIO refuses what becomes too large for BITPIX
				case options[0] == "-h" || bitpix < 0:
					mine = tame // fpack's buffer is too small for others; infinities are not quantised
				}
				pix := pixels(r, bitpix, n, mine)
				if options[0] == "-d" { // fpack writes a number for NaN, which CFITSIO reads as NaN
					pix = noiseOnly(r, bitpix, n, tame[0])
				}
				if options[0] == "-p" && bitpix == 16 {
					for i := 0; i < len(pix); i += 2 {
						pix[i] &= 0x7f // masks are not negative
					}
				}
				options = append(options, "-t", shape.tile)
				name := fmt.Sprintf("%d, %v, %s", bitpix, shape.shape, strings.Join(options, " "))
				path, c := pack(t, t.TempDir(), bitpix, shape.shape, pix, options...)
				for _, smooth := range []bool{false, true} {
					if smooth && options[0] != "-h" {
						continue
					}
					if smooth { // fpack does not write SMOOTH, but CFITSIO obeys it
						path, c = smoothed(t, path)
					}
					want, _ := cfitsio(t, path, 1, len(c.shape))
					if err := outside.SamePixels(c.image(t), want, bitpix); err != nil {
						t.Errorf("%s, smooth %t: %v", name, smooth, err)
					}
				}
				for _, next := range c.tiles {
					judged[fmt.Sprintf("%s of BITPIX %d, column %d, dither %d", c.Codec, bitpix, next.Column, c.Dither)]++
				}
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(judged)) {
		t.Logf("%5d tiles of %s", judged[kind], kind)
	}
}

// smoothed turns the SMOOTH of an HCOMPRESS_1 file on.
func smoothed(t *testing.T, path string) (string, *compressed) {
	t.Helper()
	file, _ := readFile(t, path)
	off, on := []byte("ZVAL2   =                    0"), []byte("ZVAL2   =                    1")
	if bytes.Count(file, off) != 1 {
		t.Fatalf("fpack wrote no SMOOTH = 0")
	}
	path += ".smooth"
	if err := os.WriteFile(path, bytes.Replace(file, off, on, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	file, x := readFile(t, path)
	return path, readCompressed(t, file, x.HDUs[1])
}
