package tile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

const encodedSide = 41 // of the images and, as rows of 41 × 4, of the tiles that are written

// writeCompressed encodes an image and writes it as a tile-compressed HDU.
func writeCompressed(t *testing.T, path string, m *tile.Image, pix []byte) {
	t.Helper()
	const rows = 4
	var heap, table []byte
	plain, fields := m.Codec == "NOCOMPRESS", 1 // plain pixels have a column of their own
	if plain {
		fields = 2
	}
	size := max(m.Bitpix, -m.Bitpix) / 8
	for rest := pix; len(rest) > 0; {
		n := min(len(rest), size*encodedSide*rows)
		before := len(heap)
		var err error
		if heap, err = m.Encode(heap, rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
		count := len(heap) - before
		if plain {
			table, count = append(table, make([]byte, 8)...), count/size
		}
		table = binary.BigEndian.AppendUint32(table, uint32(count))
		table = binary.BigEndian.AppendUint32(table, uint32(before))
	}
	cards := []string{
		"XTENSION = 'BINTABLE'", "BITPIX = 8", "NAXIS = 2", fmt.Sprint("NAXIS1 = ", 8*fields), fmt.Sprint("NAXIS2 = ", len(table)/8/fields),
		fmt.Sprint("PCOUNT = ", len(heap)), "GCOUNT = 1", fmt.Sprint("TFIELDS = ", fields), "TTYPE1 = 'COMPRESSED_DATA'", "TFORM1 = '1PB     '",
		"ZIMAGE = T", fmt.Sprint("ZBITPIX = ", m.Bitpix), "ZNAXIS = 2", fmt.Sprint("ZNAXIS1 = ", encodedSide), fmt.Sprint("ZNAXIS2 = ", encodedSide),
		fmt.Sprint("ZTILE1 = ", encodedSide), fmt.Sprint("ZTILE2 = ", rows), "ZCMPTYPE = '" + m.Codec + "'",
	}
	if plain {
		form := map[int]string{8: "B", 16: "I", 32: "J", -32: "E", -64: "D"}[m.Bitpix]
		cards = append(cards, "TTYPE2 = 'UNCOMPRESSED_DATA'", "TFORM2 = '1P"+form+"     '")
	}
	if m.Codec == "RICE_1" {
		cards = append(cards, "ZNAME1 = 'BLOCKSIZE'", fmt.Sprint("ZVAL1 = ", m.BlockSize), "ZNAME2 = 'BYTEPIX '", fmt.Sprint("ZVAL2 = ", m.BytePix))
	}
	if m.Bitpix < 0 {
		cards = append(cards, "ZQUANTIZ = 'NONE    '")
	}
	writeHDUs(t, path, []string{"SIMPLE = T", "BITPIX = 8", "NAXIS = 0"}, cards, append(table, heap...))
}

// encodings are the ways of writing that other programs are asked to read.
func encodings() (all []*tile.Image) {
	for _, bitpix := range []int{8, 16, 32, -32, -64} {
		for _, codec := range []string{"GZIP_1", "GZIP_2", "NOCOMPRESS"} {
			all = append(all, &tile.Image{Codec: codec, Bitpix: bitpix})
		}
		for _, blockSize := range []int{16, 32, 7} {
			if bitpix > 0 {
				all = append(all, &tile.Image{Codec: "RICE_1", Bitpix: bitpix, BytePix: bitpix / 8, BlockSize: blockSize})
			}
		}
	}
	return all
}

func TestCFITSIOReadsWhatIsEncoded(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, m := range encodings() {
		mine := scenes
		if m.Codec == "NOCOMPRESS" {
			mine = tame // CFITSIO makes NaN of plain infinities
		}
		pix := pixels(r, m.Bitpix, encodedSide*encodedSide, mine)
		path := filepath.Join(t.TempDir(), "encoded.fits")
		writeCompressed(t, path, m, pix)
		got, bitpix := cfitsio(t, path, 1, 2)
		if bitpix != m.Bitpix {
			t.Errorf("%+v: CFITSIO reads BITPIX = %d", *m, bitpix)
		} else if err := outside.SamePixels(got, pix, bitpix); err != nil {
			t.Errorf("%+v: CFITSIO reads other pixels: %v", *m, err)
		}
	}
}

func TestAstropyReadsWhatIsEncoded(t *testing.T) {
	python := outside.Python(t, "astropy", "numpy")
	const script = `
import base64, sys
from astropy.io import fits
for path in sys.argv[1:]:
    with fits.open(path, do_not_scale_image_data=True) as f:
        data = f[1].data
        print(base64.b64encode(data.astype(data.dtype.newbyteorder('>')).tobytes()).decode())
`
	r := rand.New(rand.NewPCG(9, 10))
	var want [][]byte
	var images []*tile.Image
	args := []string{"-c", script}
	for _, m := range encodings() {
		if m.Codec == "NOCOMPRESS" {
			continue // astropy 5.2 does not know it
		}
		pix := pixels(r, m.Bitpix, encodedSide*encodedSide, tame)
		path := filepath.Join(t.TempDir(), "encoded.fits")
		writeCompressed(t, path, m, pix)
		images, want, args = append(images, m), append(want, pix), append(args, path)
	}
	lines := strings.Fields(outside.Run(t, python, args...))
	if len(lines) != len(want) {
		t.Fatalf("%d answers for %d images: %q", len(lines), len(want), lines)
	}
	for i, line := range lines {
		got, err := base64.StdEncoding.DecodeString(line)
		if err == nil {
			err = outside.SamePixels(got, want[i], images[i].Bitpix)
		}
		if err != nil {
			t.Errorf("%+v: astropy reads other pixels: %v", *images[i], err)
		}
	}
}

// RICE_1 leaves no choice but fs, and that is chosen as by fpack: the bytes are the same.
func TestRiceTilesAreThoseOfFpack(t *testing.T) {
	outside.Tool(t, "fpack")
	r := rand.New(rand.NewPCG(11, 12))
	for _, bitpix := range []int{8, 16, 32} {
		pix := pixels(r, bitpix, encodedSide*encodedSide, scenes)
		_, c := pack(t, t.TempDir(), bitpix, []int{encodedSide, encodedSide}, pix, "-r")
		for i, next := range c.tiles {
			got, err := c.Encode(nil, pix[i*encodedSide*bitpix/8:][:encodedSide*bitpix/8])
			if err != nil || !bytes.Equal(got, next.Data) {
				t.Fatalf("BITPIX %d, tile %d: % x, fpack has % x, %v", bitpix, i, got, next.Data, err)
			}
		}
	}
}
