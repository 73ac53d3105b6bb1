package tile_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// golden is a tile that fpack wrote and CFITSIO read (scripts/golden/tiles.py).
type golden struct {
	Name      string
	Codec     string
	Bitpix    int
	Quantised bool
	Dither    tile.Dither
	Seed      int
	BlockSize int
	BytePix   int
	Smooth    bool
	Number    int64
	Column    tile.Column
	Scale     float64
	Zero      float64
	Blank     int32
	HasBlank  bool `json:"has_blank"`
	Data      []byte
	Pixels    []byte
}

func (g golden) image() *tile.Image {
	return &tile.Image{
		Codec: g.Codec, Bitpix: g.Bitpix, Quantised: g.Quantised, Dither: g.Dither, Seed: g.Seed,
		BlockSize: g.BlockSize, BytePix: g.BytePix, Smooth: g.Smooth,
	}
}

func (g golden) size() int { return max(g.Bitpix, -g.Bitpix) / 8 }

func (g golden) tile() tile.Tile {
	return tile.Tile{
		Data: g.Data, Column: g.Column, Number: g.Number, Pixels: len(g.Pixels) / g.size(),
		Scale: g.Scale, Zero: g.Zero, Blank: g.Blank, HasBlank: g.HasBlank,
	}
}

func readGolden(t testing.TB) (all []golden) {
	t.Helper()
	f, err := os.Open("testdata/tiles.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // versions
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if err := lines.Err(); err != nil || len(all) < 50 {
		t.Fatalf("%d golden tiles, %v", len(all), err)
	}
	return all
}

func TestGoldenTiles(t *testing.T) {
	codecs := map[string]bool{}
	for _, g := range readGolden(t) {
		t.Run(g.Name, func(t *testing.T) {
			codecs[g.Codec] = true
			var p tile.Pixels
			got := make([]byte, len(g.Pixels))
			if err := g.image().Decode(&p, g.tile(), g.tile().Pixels); err != nil {
				t.Fatal(err)
			}
			if err := p.Copy(got, 0); err != nil {
				t.Fatal(err)
			}
			if err := outside.SamePixels(got, g.Pixels, g.Bitpix); err != nil {
				t.Error(err)
			} else if g.Quantised && !bytes.Equal(got, g.Pixels) {
				t.Error("the bits of NaN are not those of CFITSIO")
			}
		})
	}
	for _, name := range tile.Codecs() {
		if !codecs[name] {
			t.Errorf("no golden tile of %s", name)
		}
	}
}

// Whatever part of a tile is decoded, and whatever part of that copied, is that of all.
func TestPartsAreThoseOfTheWhole(t *testing.T) {
	for _, g := range readGolden(t) {
		var whole, part tile.Pixels
		all := make([]byte, len(g.Pixels))
		if err := errors.Join(g.image().Decode(&whole, g.tile(), g.tile().Pixels), whole.Copy(all, 0)); err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		for _, tt := range []struct{ decode, first, count int }{{0, 0, 0}, {1, 0, 1}, {33, 0, 33}, {33, 7, 20}, {48, 47, 1}, {60, 59, 1}, {60, 60, 0}} {
			got := make([]byte, tt.count*g.size())
			if err := errors.Join(g.image().Decode(&part, g.tile(), tt.decode), part.Copy(got, tt.first)); err != nil {
				t.Errorf("%s, %v: %v", g.Name, tt, err)
			} else if want := all[tt.first*g.size():][:len(got)]; !bytes.Equal(got, want) {
				t.Errorf("%s: %v is % x, want % x", g.Name, tt, got, want)
			}
		}
		if err := part.Copy(make([]byte, 61*g.size()), 0); !errors.Is(err, fault.Usage) {
			t.Errorf("%s: 61 of 60 pixels are copied: %v", g.Name, err)
		}
	}
}

// Random numbers go on over the ends of their list (section 10.2.1), at any distance.
func TestDitherGoesOnPastTheRandomNumbers(t *testing.T) {
	const n = 35_000
	m := &tile.Image{Codec: "NOCOMPRESS", Bitpix: -64, Quantised: true, Dither: tile.SubtractiveDither1, Seed: 9_999}
	zeros := tile.Tile{Data: make([]byte, 4*n), Number: 10_003, Pixels: n, Scale: 1}
	var p tile.Pixels
	whole := make([]byte, 8*n)
	if err := errors.Join(m.Decode(&p, zeros, n), p.Copy(whole, 0)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(0, n).Draw(t, "first")
		count := rapid.IntRange(0, n-first).Draw(t, "count")
		part := make([]byte, 8*count)
		if err := p.Copy(part, first); err != nil || !bytes.Equal(part, whole[8*first:][:8*count]) {
			t.Errorf("%d pixels from %d on are not those of the whole, %v", count, first, err)
		}
	})
}

// Tile k of an image is tile 0 of one whose ZDITHER0 is SeedAt(k).
func TestSeedOfAnImageThatBeginsAtATile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := tile.Image{Codec: "NOCOMPRESS", Bitpix: -32, Quantised: true, Dither: tile.SubtractiveDither1}
		m.Seed = rapid.IntRange(1, 10_000).Draw(t, "ZDITHER0")
		number := rapid.Int64Range(0, 1<<40).Draw(t, "tile")
		shifted := m
		shifted.Seed = m.SeedAt(number)
		var p, q tile.Pixels
		a, b := make([]byte, 40), make([]byte, 40)
		in := tile.Tile{Data: make([]byte, 40), Number: number, Pixels: 10, Scale: 1}
		first := in
		first.Number = 0
		if err := errors.Join(m.Decode(&p, in, 10), p.Copy(a, 0), shifted.Decode(&q, first, 10), q.Copy(b, 0)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("ZDITHER0 = %d for tile %d became %d: other pixels, %v", m.Seed, number, shifted.Seed, err)
		}
	})
}

// cards is a header for Parse.
type cards map[string]any

func card[T any](c cards, key string) (v T, ok bool, err error) {
	value, ok := c[key]
	if v, right := value.(T); right || !ok {
		return v, ok, nil
	}
	return v, false, fault.New(fault.Corrupt, "tile_test", "%s is a %T", key, value)
}

func (c cards) Float(key string) (float64, bool, error) {
	i, ok, err := card[int64](c, key)
	return float64(i), ok, err
}
func (c cards) Int(key string) (int64, bool, error)   { return card[int64](c, key) }
func (c cards) Text(key string) (string, bool, error) { return card[string](c, key) }

func TestParse(t *testing.T) {
	n := func(i int64) any { return i }
	for _, tt := range []struct {
		name      string
		header    cards
		quantised bool
		want      tile.Image
		code      fault.Code
	}{
		{"RICE_1 of integers", cards{"ZCMPTYPE": "RICE_1", "ZBITPIX": n(16), "ZNAME1": "BLOCKSIZE", "ZVAL1": n(16), "ZNAME2": "BYTEPIX", "ZVAL2": n(2)}, false,
			tile.Image{Codec: "RICE_1", Bitpix: 16, BlockSize: 16, BytePix: 2}, ""},
		{"dithered, with a parameter that does not matter", cards{"ZCMPTYPE": "HCOMPRESS_1", "ZBITPIX": n(-32), "ZQUANTIZ": "SUBTRACTIVE_DITHER_1", "ZDITHER0": n(77),
			"ZNAME1": "SCALE", "ZVAL1": "much", "ZNAME2": "SMOOTH", "ZVAL2": n(1)}, true,
			tile.Image{Codec: "HCOMPRESS_1", Bitpix: -32, Quantised: true, Dither: tile.SubtractiveDither1, Seed: 77, Smooth: true}, ""},
		{"raw floats that say how they were not dithered", cards{"ZCMPTYPE": "GZIP_2", "ZBITPIX": n(-32), "ZQUANTIZ": "NO_DITHER"}, false,
			tile.Image{Codec: "GZIP_2", Bitpix: -32}, ""},
		{"no algorithm", cards{"ZBITPIX": n(16)}, false, tile.Image{}, fault.Unsupported},
		{"an unknown dither", cards{"ZCMPTYPE": "RICE_1", "ZBITPIX": n(-32), "ZQUANTIZ": "DITHER_3"}, true, tile.Image{}, fault.Unsupported},
		{"a dither without ZDITHER0", cards{"ZCMPTYPE": "RICE_1", "ZBITPIX": n(-32), "ZQUANTIZ": "SUBTRACTIVE_DITHER_2"}, true, tile.Image{}, fault.Corrupt},
		{"a parameter of another type", cards{"ZCMPTYPE": "RICE_1", "ZBITPIX": n(16), "ZNAME1": "BLOCKSIZE", "ZVAL1": "32"}, false, tile.Image{}, fault.Corrupt},
		{"a parameter past every range", cards{"ZCMPTYPE": "RICE_1", "ZBITPIX": n(16), "ZNAME1": "BLOCKSIZE", "ZVAL1": n(1<<32 + 32)}, false, tile.Image{}, fault.Corrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tile.Parse(tt.header, tt.quantised)
			if tt.code != "" {
				if !errors.Is(err, tt.code) {
					t.Errorf("%+v, %v; want %s", m, err, tt.code)
				}
			} else if err != nil || *m != tt.want {
				t.Errorf("%+v, %v; want %+v", m, err, tt.want)
			}
		})
	}
}

func TestWhatIsNoTileIsRefused(t *testing.T) {
	rice := tile.Image{Codec: "RICE_1", Bitpix: 16, BytePix: 2}
	for _, tt := range []struct {
		name  string
		image tile.Image
		data  string
		want  fault.Code
	}{
		{"unknown algorithm", tile.Image{Codec: "LOSSY_9", Bitpix: 16}, "", fault.Unsupported},
		{"unknown BITPIX", tile.Image{Codec: "GZIP_1", Bitpix: 12}, "", fault.Corrupt},
		{"floats of RICE_1 without ZSCALE", tile.Image{Codec: "RICE_1", Bitpix: -32}, "", fault.Unsupported},
		{"64-bit integers of PLIO_1", tile.Image{Codec: "PLIO_1", Bitpix: 64}, "", fault.Unsupported},
		{"BYTEPIX 3", tile.Image{Codec: "RICE_1", Bitpix: 16, BytePix: 3}, "", fault.Unsupported},
		{"negative BLOCKSIZE", tile.Image{Codec: "RICE_1", Bitpix: 16, BlockSize: -1}, "", fault.Unsupported},
		{"quantised integers", tile.Image{Codec: "RICE_1", Bitpix: 16, Quantised: true}, "", fault.Unsupported},
		{"dither without a seed", tile.Image{Codec: "RICE_1", Bitpix: -32, Quantised: true, Dither: tile.SubtractiveDither1}, "", fault.Corrupt},
		{"empty RICE_1", rice, "", fault.Corrupt},
		{"RICE_1 without its first block", rice, "\x00\x01", fault.Corrupt},
		{"RICE_1 with a code that never ends", rice, "\x00\x01\x10\x00\x00\x00", fault.Corrupt},
		{"RICE_1 with an impossible block code", tile.Image{Codec: "RICE_1", Bitpix: 32}, "\x00\x00\x00\x01\xff\xff", fault.Corrupt},
		{"a gzip that is none", tile.Image{Codec: "GZIP_1", Bitpix: 16}, "\x1f\x8b\x09", fault.Corrupt},
		{"a plain tile that is too long", tile.Image{Codec: "NOCOMPRESS", Bitpix: 8}, "123456789", fault.Corrupt},
		{"PLIO_1 without a header", tile.Image{Codec: "PLIO_1", Bitpix: 16}, "\x00\x00", fault.Corrupt},
		{"PLIO_1 that announces too much", tile.Image{Codec: "PLIO_1", Bitpix: 16}, "\x00\x00\xff\x9c\x00\x05\x40\x01", fault.Corrupt},
		{"PLIO_1 with no instruction", tile.Image{Codec: "PLIO_1", Bitpix: 16}, "\x00\x00\xff\x9c\x00\x04\x80\x01", fault.Corrupt},
		{"PLIO_1 that ends within an instruction", tile.Image{Codec: "PLIO_1", Bitpix: 16}, "\x00\x00\xff\x9c\x00\x04\x10\x01", fault.Corrupt},
		{"HCOMPRESS_1 without its magic", tile.Image{Codec: "HCOMPRESS_1", Bitpix: 16}, "DD99", fault.Corrupt},
		{"HCOMPRESS_1 of another size", tile.Image{Codec: "HCOMPRESS_1", Bitpix: 16}, "\xdd\x99\x00\x00\x00\x03\x00\x00\x00\x03" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x01\x01", fault.Corrupt},
		{"HCOMPRESS_1 of 255 planes", tile.Image{Codec: "HCOMPRESS_1", Bitpix: 16}, "\xdd\x99\x00\x00\x00\x02\x00\x00\x00\x04" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\xff\x01\x01", fault.Corrupt},
		{"HCOMPRESS_1 that ends early", tile.Image{Codec: "HCOMPRESS_1", Bitpix: 16}, "\xdd\x99\x00\x00\x00\x02\x00\x00\x00\x04" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x01\x01", fault.Corrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p tile.Pixels
			err := tt.image.Decode(&p, tile.Tile{Data: []byte(tt.data), Pixels: 8}, 8)
			if !errors.Is(err, tt.want) || p.Len() != 0 {
				t.Errorf("%v and %d pixels, want %s and none", err, p.Len(), tt.want)
			}
		})
	}
	var p tile.Pixels
	for _, tt := range []struct{ pixels, n int }{{8, 9}, {8, -1}, {tile.MaxPixels + 1, 1}} {
		if err := rice.Decode(&p, tile.Tile{Pixels: tt.pixels}, tt.n); !errors.Is(err, fault.Usage) {
			t.Errorf("%d of %d pixels: %v, want Usage", tt.n, tt.pixels, err)
		}
	}
}

// What cannot be true is not believed so far as to make room for it.
func TestSmallTilesOfManyPixelsTakeNoMemory(t *testing.T) {
	for _, codec := range []string{"GZIP_1", "GZIP_2", "NOCOMPRESS"} {
		m := &tile.Image{Codec: codec, Bitpix: -64}
		data, err := m.Encode(nil, make([]byte, 8_000))
		if err != nil {
			t.Fatal(err)
		}
		var p tile.Pixels
		if err := m.Decode(&p, tile.Tile{Data: data, Pixels: tile.MaxPixels}, tile.MaxPixels); !errors.Is(err, fault.Corrupt) || p.Memory() > 0 {
			t.Errorf("%s: %v, and %d bytes of memory", codec, err, p.Memory())
		}
	}
}

// A gzip whose sum is wrong holds wrong pixels, and one that is longer others.
func TestTheSumOfAGzipIsTested(t *testing.T) {
	m := &tile.Image{Codec: "GZIP_2", Bitpix: -32}
	data, err := m.Encode(nil, []byte("abcdefghijkl"))
	if err != nil {
		t.Fatal(err)
	}
	var p tile.Pixels
	if err := m.Decode(&p, tile.Tile{Data: data, Pixels: 2}, 2); !errors.Is(err, fault.Corrupt) {
		t.Errorf("3 pixels for 2: %v", err)
	}
	data[len(data)-8] ^= 1
	if err := m.Decode(&p, tile.Tile{Data: data, Pixels: 3}, 3); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a wrong sum: %v", err)
	}
}

// IRAF's newer line lists have a longer header (plio.h); the numbers are by hand.
func TestLongHeaderOfALineList(t *testing.T) {
	var list []byte
	for _, w := range []int16{0, 7, -100, 10, 0, 0, 0, 2<<12 | 4, 4<<12 | 2, 5<<12 | 3} {
		list = binary.BigEndian.AppendUint16(list, uint16(w))
	}
	m := &tile.Image{Codec: "PLIO_1", Bitpix: 8}
	var p tile.Pixels
	got := make([]byte, 7)
	if err := errors.Join(m.Decode(&p, tile.Tile{Data: list, Pixels: 7}, 7), p.Copy(got, 0)); err != nil || !bytes.Equal(got, []byte{5, 5, 0, 0, 5, 0, 0}) {
		t.Errorf("% d, %v", got, err)
	}
}

// Early writers stored integers of 32 bits whatever BITPIX was.
func TestGzipOfWiderIntegers(t *testing.T) {
	data, err := (&tile.Image{Codec: "GZIP_1", Bitpix: 32}).Encode(nil, []byte{0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe})
	if err != nil {
		t.Fatal(err)
	}
	m := &tile.Image{Codec: "GZIP_1", Bitpix: 16}
	var p tile.Pixels
	got := make([]byte, 4)
	if err := errors.Join(m.Decode(&p, tile.Tile{Data: data, Pixels: 2}, 2), p.Copy(got, 0)); err != nil || !bytes.Equal(got, []byte{0, 7, 0xff, 0xfe}) {
		t.Errorf("% x, %v", got, err)
	}
}

// drawImage draws a way of storing that can be written.
func drawImage(t *rapid.T) *tile.Image {
	m := &tile.Image{
		Codec:     rapid.SampledFrom([]string{"RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"}).Draw(t, "codec"),
		Bitpix:    rapid.SampledFrom([]int{8, 16, 32, 64, -32, -64}).Draw(t, "bitpix"),
		BlockSize: rapid.IntRange(0, 70).Draw(t, "blocksize"),
	}
	if m.Codec == "RICE_1" {
		m.Bitpix = rapid.SampledFrom([]int{8, 16, 32}).Draw(t, "integer bitpix")
		m.BytePix = m.Bitpix / 8
	}
	return m
}

func TestEncodedTilesAreDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawImage(t)
		size := max(m.Bitpix, -m.Bitpix) / 8
		n := rapid.IntRange(1, 300).Draw(t, "n")
		// Small differences, large ones and none: every kind of block.
		kind := rapid.SampledFrom([]uint64{0, 1, 7, 255, 1 << 15, math.MaxUint64}).Draw(t, "kind")
		var pix []byte
		for range n {
			v := rapid.Uint64().Draw(t, "v") & kind
			pix = append(pix, binary.BigEndian.AppendUint64(nil, v)[8-size:]...)
		}
		data, err := m.Encode([]byte("before"), pix)
		if err != nil {
			t.Fatal(err)
		}
		data, found := bytes.CutPrefix(data, []byte("before"))
		if !found {
			t.Fatal("Encode overwrote what it appends to")
		}
		var p tile.Pixels
		got := make([]byte, len(pix))
		if err := errors.Join(m.Decode(&p, tile.Tile{Data: data, Pixels: n}, n), p.Copy(got, 0)); err != nil || !bytes.Equal(got, pix) {
			t.Errorf("%d pixels of %+v came back otherwise, %v", n, *m, err)
		}
	})
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for _, tt := range []struct {
		image tile.Image
		bytes int
		want  fault.Code
	}{
		{tile.Image{Codec: "PLIO_1", Bitpix: 16}, 2, fault.Unsupported},
		{tile.Image{Codec: "HCOMPRESS_1", Bitpix: 16}, 2, fault.Unsupported},
		{tile.Image{Codec: "RICE_1", Bitpix: 16}, 2, fault.Unsupported},
		{tile.Image{Codec: "RICE_1", Bitpix: -32, Quantised: true}, 4, fault.Unsupported},
		{tile.Image{Codec: "GZIP_2", Bitpix: -32}, 7, fault.Usage},
		{tile.Image{Codec: "GZIP_3", Bitpix: -32}, 4, fault.Unsupported},
	} {
		if _, err := tt.image.Encode(nil, make([]byte, tt.bytes)); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %s", tt.image, err, tt.want)
		}
	}
}

// The inflater of a gzip allocates for itself; nothing else does once memory is there.
func TestDecodingAgainAllocatesNothing(t *testing.T) {
	for _, g := range readGolden(t) {
		if strings.HasPrefix(g.Codec, "GZIP") || g.Column == tile.GzipCompressed {
			continue
		}
		var p tile.Pixels
		m, in, out := g.image(), g.tile(), make([]byte, len(g.Pixels))
		if n := testing.AllocsPerRun(5, func() {
			if err := errors.Join(m.Decode(&p, in, in.Pixels), p.Copy(out, 0)); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %g allocations", g.Name, n)
		}
	}
}

func TestTrimKeepsThePixels(t *testing.T) {
	for _, g := range readGolden(t) {
		var p tile.Pixels
		before, after := make([]byte, len(g.Pixels)), make([]byte, len(g.Pixels))
		if err := errors.Join(g.image().Decode(&p, g.tile(), g.tile().Pixels), p.Copy(before, 0)); err != nil {
			t.Fatal(err)
		}
		full := p.Memory()
		p.Trim()
		if err := p.Copy(after, 0); err != nil || !bytes.Equal(before, after) || p.Memory() > full {
			t.Errorf("%s: trimmed, the pixels are others (%v), or %d bytes became %d", g.Name, err, full, p.Memory())
		}
	}
}

// FuzzDecode decodes arbitrary bytes by each codec. Whatever they are, they are pixels or
// fault.Corrupt, the same twice, and the first half of them too.
func FuzzDecode(f *testing.F) {
	for i, g := range readGolden(f) {
		if i%3 == 0 {
			f.Add(g.Data, g.Codec, g.Bitpix, g.BlockSize, g.BytePix, g.Quantised, uint8(g.Dither), uint8(g.Column), uint16(60))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, codec string, bitpix, blockSize, bytePix int, quantised bool, dither, column uint8, pixels uint16) {
		fuzzOne(t, &tile.Image{
			Codec: codec, Bitpix: bitpix, BlockSize: blockSize, BytePix: bytePix, Smooth: blockSize&1 == 1,
			Quantised: quantised, Dither: tile.Dither(dither % 3), Seed: 1 + int(pixels)%10_000,
		}, tile.Tile{Data: data, Column: tile.Column(column % 3), Number: int64(column), Pixels: int(pixels), Scale: 0.5})
	})
}

func fuzzOne(t *testing.T, m *tile.Image, in tile.Tile) {
	t.Helper()
	if m.Check() != nil {
		return
	}
	var p, half tile.Pixels
	if err := m.Decode(&p, in, in.Pixels); err != nil {
		if !errors.Is(err, fault.Corrupt) {
			t.Errorf("%+v: %v", *m, err)
		}
		return
	}
	size := max(m.Bitpix, -m.Bitpix) / 8
	out := make([]byte, size*in.Pixels)
	if err := p.Copy(out, 0); err != nil {
		t.Fatal(err)
	}
	n := in.Pixels / 2
	part := make([]byte, size*n)
	if err := errors.Join(m.Decode(&half, in, n), half.Copy(part, 0)); err != nil || !bytes.Equal(part, out[:len(part)]) {
		t.Errorf("%+v: the first %d pixels are others than those of all %d, %v", *m, n, in.Pixels, err)
	}
}

// fuzzCodec is a target for one codec, at each BITPIX that it knows.
func fuzzCodec(f *testing.F, codec string) {
	found := false
	for _, g := range readGolden(f) {
		if g.Codec == codec && g.Column == tile.Compressed || codec == "NOCOMPRESS" {
			found = true
			f.Add(g.Data, uint8(g.BytePix), uint8(g.BlockSize), uint16(60))
		}
	}
	if !found {
		f.Fatalf("no seed for %s", codec)
	}
	f.Fuzz(func(t *testing.T, data []byte, bytePix, blockSize uint8, pixels uint16) {
		for _, bitpix := range []int{8, 16, 32, 64, -32, -64} {
			fuzzOne(t, &tile.Image{
				Codec: codec, Bitpix: bitpix, BytePix: int(bytePix), BlockSize: int(blockSize), Smooth: blockSize&1 == 1,
				Quantised: bitpix < 0 && blockSize&2 == 0, Dither: tile.SubtractiveDither2, Seed: 42,
			}, tile.Tile{Data: data, Pixels: int(pixels), Scale: 0.5, Blank: 7, HasBlank: true})
		}
	})
}

func FuzzRice(f *testing.F)      { fuzzCodec(f, "RICE_1") }
func FuzzGzip1(f *testing.F)     { fuzzCodec(f, "GZIP_1") }
func FuzzGzip2(f *testing.F)     { fuzzCodec(f, "GZIP_2") }
func FuzzPLIO(f *testing.F)      { fuzzCodec(f, "PLIO_1") }
func FuzzHCompress(f *testing.F) { fuzzCodec(f, "HCOMPRESS_1") }
func FuzzPlain(f *testing.F)     { fuzzCodec(f, "NOCOMPRESS") }
