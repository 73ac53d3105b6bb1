package tile_test

import (
	"bytes"
	"encoding/binary"

	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// compressed is a tile-compressed image of a file, read as plainly as possible.
type compressed struct {
	tile.Image
	shape, side []int64 // of the image and of a tile
	tiles       []tile.Tile
}

// readFile returns the bytes of a file and its index.
func readFile(t testing.TB, path string) ([]byte, *fits.Index) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := fits.ReadIndex(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return file, x
}

// column is a field of a binary table: where it begins in a row, and its form.
type column struct {
	at     int
	repeat int
	form   byte // a letter of TFORMn
}

var formSizes = map[byte]int{'L': 1, 'B': 1, 'A': 1, 'I': 2, 'J': 4, 'K': 8, 'E': 4, 'D': 8, 'P': 8, 'Q': 16}

func columns(t testing.TB, h *fits.Header) map[string]column {
	t.Helper()
	all, at := map[string]column{}, 0
	n, _, _ := h.Int("TFIELDS")
	for i := range n {
		name, _, _ := h.Text(fmt.Sprintf("TTYPE%d", i+1))
		form, _, _ := h.Text(fmt.Sprintf("TFORM%d", i+1))
		digits := strings.IndexFunc(form, func(r rune) bool { return r < '0' || r > '9' })
		c := column{at: at, repeat: 1, form: form[digits]}
		if digits > 0 {
			c.repeat, _ = strconv.Atoi(form[:digits])
		}
		size, ok := formSizes[c.form]
		if !ok {
			t.Fatalf("TFORM%d = %q", i+1, form)
		}
		at += size * c.repeat
		all[name] = c
	}
	return all
}

// readCompressed reads a tile-compressed HDU.
func readCompressed(t testing.TB, file []byte, u *fits.HDU) *compressed {
	t.Helper()
	h := u.Header
	number := func(key string, absent int64) int64 {
		v, ok, err := h.Int(key)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return absent
		}
		return v
	}
	fields := columns(t, h)
	_, quantised := fields["ZSCALE"]
	if !quantised {
		_, quantised, _ = h.Float("ZSCALE")
	}
	m, err := tile.Parse(h, quantised)
	if err != nil {
		t.Fatal(err)
	}
	c := &compressed{Image: *m, shape: u.Shape}
	tiles := int64(1)
	for i, n := range c.shape {
		absent := int64(1)
		if i == 0 {
			absent = n
		}
		side := number(fmt.Sprintf("ZTILE%d", i+1), absent)
		c.side = append(c.side, side)
		tiles *= (n + side - 1) / side
	}
	rows := file[u.DataOffset:]
	heap := rows[number("THEAP", u.Axes[0]*u.Axes[1]):]
	for i := range tiles {
		row := rows[i*u.Axes[0]:][:u.Axes[0]]
		float := func(name string) float64 {
			if f, ok := fields[name]; ok {
				if f.form != 'D' {
					t.Fatalf("%s has the form %c", name, f.form)
				}
				return float64FromBits(row[f.at:])
			}
			v, _, _ := h.Float(name)
			return v
		}
		next := tile.Tile{Number: i, Pixels: int(c.extent(i).product()), Scale: float("ZSCALE"), Zero: float("ZZERO")}
		if f, ok := fields["ZBLANK"]; ok {
			next.Blank, next.HasBlank = int32(binary.BigEndian.Uint32(row[f.at:])), true
		} else if v, ok, _ := h.Int("ZBLANK"); ok {
			next.Blank, next.HasBlank = int32(v), true
		}
		for _, source := range []struct {
			name   string
			column tile.Column
		}{{"COMPRESSED_DATA", tile.Compressed}, {"GZIP_COMPRESSED_DATA", tile.GzipCompressed}, {"UNCOMPRESSED_DATA", tile.UncompressedData}} {
			f, ok := fields[source.name]
			if !ok {
				continue
			}
			form, _, _ := h.Text(fmt.Sprintf("TFORM%d", fieldNumber(h, source.name)))
			var count, at int64
			if f.form == 'P' {
				count, at = int64(binary.BigEndian.Uint32(row[f.at:])), int64(binary.BigEndian.Uint32(row[f.at+4:]))
			} else {
				count, at = int64(binary.BigEndian.Uint64(row[f.at:])), int64(binary.BigEndian.Uint64(row[f.at+8:]))
			}
			element := form[strings.IndexAny(form, "PQ")+1]
			if count > 0 {
				next.Column, next.Data = source.column, heap[at:][:count*int64(formSizes[element])]
				break
			}
		}
		c.tiles = append(c.tiles, next)
	}
	return c
}

func fieldNumber(h *fits.Header, name string) int {
	for i := 1; ; i++ {
		if v, ok, _ := h.Text(fmt.Sprintf("TTYPE%d", i)); v == name || !ok {
			return i
		}
	}
}

type box struct{ pixel.Box }

func (b box) product() int64 { n, _ := b.Bytes(1); return n }

// extent returns the box of a tile.
func (c *compressed) extent(number int64) box {
	b := pixel.Box{}
	for i, n := range c.shape {
		count := (n + c.side[i] - 1) / c.side[i]
		k := number % count
		number /= count
		b.Min = append(b.Min, k*c.side[i])
		b.Max = append(b.Max, min(n, (k+1)*c.side[i]))
	}
	return box{b}
}

// image decodes all tiles into the bytes of an uncompressed image.
func (c *compressed) image(t testing.TB) []byte {
	t.Helper()
	size := int64(max(c.Bitpix, -c.Bitpix) / 8)
	total, _ := pixel.Whole(c.shape).Bytes(size)
	out := make([]byte, total)
	var p tile.Pixels
	for i, next := range c.tiles {
		if err := c.Decode(&p, next, next.Pixels); err != nil {
			t.Fatalf("tile %d: %v", i, err)
		}
		b := c.extent(int64(i))
		width := b.Size(0)
		for row := range b.product() / width {
			rest, at, stride := row, b.Min[0], c.shape[0]
			for axis := 1; axis < b.Axes(); axis++ {
				at += (b.Min[axis] + rest%b.Size(axis)) * stride
				rest /= b.Size(axis)
				stride *= c.shape[axis]
			}
			if err := p.Copy(out[at*size:][:width*size], int(row*width)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// cfitsio returns the pixels of an HDU as CFITSIO's sections give them.
func cfitsio(t testing.TB, path string, hdu int, axes int) ([]byte, int) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy.fits")
	section := "[" + strings.TrimSuffix(strings.Repeat("*,", axes), ",") + "]"
	outside.Run(t, outside.Tool(t, "fitscopy"), fmt.Sprintf("%s[%d]%s", path, hdu, section), copied)
	file, x := readFile(t, copied)
	for _, u := range x.HDUs {
		if u.Image() && u.Kind == fits.Image {
			return file[u.DataOffset:][:u.DataSize], u.BITPIX
		}
	}
	t.Fatalf("fitscopy wrote no image for HDU %d", hdu)
	return nil, 0
}

func TestRealImagesAreThoseOfCFITSIO(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(outside.Images(t), "real", "*.f*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	judged := map[string]int{}
	for _, path := range files {
		name := filepath.Base(path)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		x, err := fits.ReadIndex(f, info.Size())
		f.Close()
		if err != nil {
			continue // what is broken is the index's affair
		}
		for _, u := range x.HDUs {
			if u.Kind != fits.TileCompressed || !u.Image() {
				continue
			}
			t.Run(fmt.Sprintf("%s[%d]", name, u.Number), func(t *testing.T) {
				file, _ := readFile(t, path)
				c := readCompressed(t, file, u)
				want, bitpix := cfitsio(t, path, u.Number, len(c.shape))
				if bitpix != c.Bitpix {
					t.Fatalf("CFITSIO wrote BITPIX = %d, the image has %d", bitpix, c.Bitpix)
				}
				if err := outside.SamePixels(c.image(t), want, bitpix); err != nil {
					t.Error(err)
				}
				judged[c.Codec]++
			})
		}
	}
	for _, codec := range []string{"RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"} {
		if judged[codec] == 0 {
			t.Errorf("no image of %s was judged", codec)
		}
	}
}

func float64FromBits(p []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(p)) }
