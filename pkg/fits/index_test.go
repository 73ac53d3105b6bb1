package fits

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// with returns h with a card set.
func with(t testing.TB, h *Header, key string, value any) *Header {
	t.Helper()
	if err := h.Set(key, value, ""); err != nil {
		t.Fatal(err)
	}
	return h
}

func zeros(n int) []byte { return make([]byte, n) }

func TestReadIndexRefuses(t *testing.T) {
	image := func(key string, value any) []byte {
		return slices.Concat(with(t, NewPrimary(16, []int64{10, 10}), key, value).Bytes(), zeros(2880))
	}
	without := func(key string) []byte {
		h := NewPrimary(16, []int64{10, 10})
		h.Delete(key)
		return slices.Concat(h.Bytes(), zeros(2880))
	}
	second := slices.Concat(NewPrimary(8, nil).Bytes(), with(t, NewImage(-32, []int64{100, 100}), "EXTNAME", "SCI").Bytes())
	for _, tt := range []struct {
		name  string
		bytes []byte
		code  fault.Code
		want  string // in the sentence
	}{
		{"empty", nil, fault.Corrupt, "empty"},
		{"text", []byte("Dear archive,\nhere is my image."), fault.Corrupt, `the text "Dear archive`},
		{"noise", []byte{0, 1, 2, 3, 255, 254}, fault.Corrupt, "the bytes 00 01 02"},
		{"a page", []byte("<!DOCTYPE html><html>"), fault.Corrupt, "HTML"},
		{"PNG", []byte("\x89PNG\r\n\x1a\n"), fault.Corrupt, "PNG"},
		{"gzip where none is read", []byte("\x1f\x8b\x08\x00"), fault.Corrupt, "gzip"},
		{"an extension alone", NewImage(8, nil).Bytes(), fault.Corrupt, "without the primary"},
		{"SIMPLE = F", image("SIMPLE", false), fault.Unsupported, "SIMPLE = F"},
		{"SIMPLE = 1", image("SIMPLE", 1), fault.Corrupt, `SIMPLE holds "1"`},
		{"no BITPIX", without("BITPIX"), fault.Corrupt, "no BITPIX"},
		{"no NAXIS", without("NAXIS"), fault.Corrupt, "no NAXIS"},
		{"no NAXIS2", without("NAXIS2"), fault.Corrupt, "no NAXIS2"},
		{"BITPIX = 17", image("BITPIX", 17), fault.Corrupt, "BITPIX = 17; expected 8, 16"},
		{"BITPIX is text", image("BITPIX", "16"), fault.Corrupt, "BITPIX"},
		{"NAXIS = 1000", image("NAXIS", 1000), fault.Corrupt, "expected 0 to 999"},
		{"NAXIS = -1", image("NAXIS", -1), fault.Corrupt, "expected 0 to 999"},
		{"NAXIS2 = -1", image("NAXIS2", -1), fault.Corrupt, "NAXIS2 = -1"},
		{"PCOUNT = -1", image("PCOUNT", -1), fault.Corrupt, "PCOUNT = -1"},
		{"more pixels than int64", image("NAXIS2", int64(1)<<62), fault.Corrupt, "more bytes than any file"},
		{"an end past int64", image("NAXIS2", int64(math.MaxInt64/20)), fault.Corrupt, "past the largest file"},
		{"PCOUNT past int64", image("PCOUNT", int64(math.MaxInt64)), fault.Corrupt, "more bytes than any file"},
		{"announces an exabyte", image("NAXIS2", int64(1)<<56), fault.Corrupt, "cut short"},
		{"cut short", append(second, zeros(39999)...), fault.Corrupt, "HDU 1 (SCI) is cut short: its header announces 40000 bytes of data from byte 5760 on, but 39999 are there"},
		{"no data at all", second, fault.Corrupt, "but 0 are there"},
		{"no END", bytes.Repeat([]byte(newCard("SIMPLE  =                    T").String()), 36), fault.Corrupt, "no END"},
		{"second header without END", append(NewPrimary(8, nil).Bytes(), "XTENSION= 'IMAGE   '"...), fault.Corrupt, "header of HDU 1, at byte 2880, has no END"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadIndex(bytes.NewReader(tt.bytes), int64(len(tt.bytes)))
			if !errors.Is(err, tt.code) || !strings.Contains(fault.Sentence(err), tt.want) {
				t.Errorf("%v; want %s with %q", err, tt.code, tt.want)
			}
		})
	}
}

func TestReadIndexAccepts(t *testing.T) {
	primary := NewPrimary(8, nil).Bytes()
	image := slices.Concat(primary, NewImage(16, []int64{10, 10}).Bytes(), zeros(200))
	for _, tt := range []struct {
		name     string
		bytes    []byte
		hdus     int
		trailing int64
	}{
		{"no data", primary, 1, 0},
		{"a last header that is not padded", primary[:80*6], 1, 0},
		{"a last block that is not padded", image, 2, 0},
		{"a last block padded in part", slices.Concat(image, zeros(100)), 2, 0},
		{"a block of zeros behind", slices.Concat(image, zeros(2680+2880)), 2, 2880},
		{"junk behind", slices.Concat(image, zeros(2680), []byte("junk")), 2, 4},
		{"NAXIS1 = 0", slices.Concat(NewPrimary(8, []int64{0, 1 << 40}).Bytes()), 1, 0},
		{"a header past the first range", slices.Concat(primary, NewImage(8, []int64{200000}).Bytes(), zeros(int(padded(200000))), NewImage(8, nil).Bytes()), 3, 0},
		{"an extension nobody knows", slices.Concat(primary, with(t, NewImage(8, []int64{3}), "XTENSION", "FOREIGN").Bytes(), zeros(2880)), 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, gzipped := range []bool{false, true} {
				data := tt.bytes
				if gzipped {
					data = compress(t, data)
				}
				f, err := Open(bytes.NewReader(data), int64(len(data)))
				if err != nil {
					t.Fatalf("gzipped %t: %v", gzipped, err)
				}
				if len(f.HDUs) != tt.hdus || f.Trailing != tt.trailing || f.Size != int64(len(tt.bytes)) || f.Gzipped() != gzipped {
					t.Errorf("gzipped %t: %d HDUs, %d bytes trailing of %d; want %d, %d of %d", gzipped, len(f.HDUs), f.Trailing, f.Size, tt.hdus, tt.trailing, len(tt.bytes))
				}
			}
		})
	}
}

func TestImagesThatAreNone(t *testing.T) {
	tiles := func(key string, value any) *Header {
		h := NewImage(8, []int64{8, 0})
		for _, card := range []struct {
			key   string
			value any
		}{{"XTENSION", "BINTABLE"}, {"ZIMAGE", true}, {"ZBITPIX", -32}, {"ZNAXIS", 2}, {"ZNAXIS1", 30}, {"ZNAXIS2", 20}, {"EXTNAME", "T"}, {key, value}} {
			h = with(t, h, card.key, card.value)
		}
		return h
	}
	data := NewPrimary(16, []int64{0, 5}).Bytes()
	for _, h := range []*Header{
		tiles("EXTVER", 3),
		tiles("ZBITPIX", nil),
		tiles("ZNAXIS1", int64(1)<<62),
		with(t, NewImage(8, []int64{0}), "GCOUNT", 2),
		with(t, NewImage(8, []int64{0}), "XTENSION", "TABLE"),
	} {
		data = append(data, h.Bytes()...)
	}
	x, err := ReadIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name  string
		kind  Kind
		image bool
		text  string // in Err
	}{
		{"HDU 0", Image, false, ""},
		{"HDU 1 (T,3)", TileCompressed, true, ""},
		{"HDU 2 (T)", TileCompressed, false, "no ZBITPIX"},
		{"HDU 3 (T)", TileCompressed, false, "more pixels than can be counted"},
		{"HDU 4", Image, false, "GCOUNT = 2"},
		{"HDU 5", ASCIITable, false, ""},
	} {
		u := x.HDUs[i]
		if u.String() != want.name || u.Kind != want.kind || u.Image() != want.image || (u.Err != nil) != (want.text != "") {
			t.Errorf("%s: %s, image %t, %v; want %+v", u, u.Kind, u.Image(), u.Err, want)
		}
		if u.Err != nil && !strings.Contains(u.Err.Error(), want.text) {
			t.Errorf("%s: %v; want %q", u, u.Err, want.text)
		}
		if _, err := u.Section(pixel.Whole(u.Shape)); i > 0 && err == nil {
			t.Errorf("%s: a section of what is no plain image", u)
		}
	}
	if got, want := x.HDUs[1].Shape, []int64{30, 20}; !slices.Equal(got, want) || x.HDUs[1].BITPIX != -32 {
		t.Errorf("shape %d, BITPIX %d; want those of the image, %d and -32", got, x.HDUs[1].BITPIX, want)
	}
}

// endless is a file that begins with head and goes on with one card for ever.
type endless struct {
	head []byte
	card Card
}

func (e endless) ReadAt(p []byte, offset int64) (int, error) {
	for i := range p {
		if at := offset + int64(i); at < int64(len(e.head)) {
			p[i] = e.head[at]
		} else {
			p[i] = e.card[at%cardSize]
		}
	}
	return len(p), nil
}

func TestLimits(t *testing.T) {
	c := &counter{r: endless{NewPrimary(8, nil).Bytes()[:4*cardSize], newCard("HISTORY")}}
	if _, err := ReadIndex(c, 1<<50); !errors.Is(err, fault.TooLarge) || c.bytes > 2*maxHeaderBlocks*blockSize {
		t.Errorf("a header without end: %v after %d bytes, want fault.TooLarge", err, c.bytes)
	}
	many := append(NewPrimary(8, nil).Bytes(), bytes.Repeat(NewImage(8, nil).Bytes(), maxHDUs)...)
	if _, err := ReadIndex(bytes.NewReader(many), int64(len(many))); !errors.Is(err, fault.TooLarge) {
		t.Errorf("10001 HDUs: %v, want fault.TooLarge", err)
	}
}

func TestReadIndexReadsNoPixels(t *testing.T) {
	all := NewPrimary(8, nil).Bytes()
	for range 3 {
		all = slices.Concat(all, NewImage(-32, []int64{1000, 250}).Bytes(), zeros(int(padded(1000*250*4))))
	}
	c := &counter{r: bytes.NewReader(all)}
	if _, err := ReadIndex(c, int64(len(all))); err != nil {
		t.Fatal(err)
	}
	if c.reads != 3 || c.bytes != 3*nextRead {
		t.Errorf("%d reads of %d bytes; want 3 of 16 KiB: the first two headers, and each of those beyond", c.reads, c.bytes)
	}
}

func compress(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGzip(t *testing.T) {
	shape := []int64{100, 90}
	all, pixels := file(4, 16, shape)
	half := len(all) / 2
	for name, data := range map[string][]byte{
		"one member":              compress(t, all),
		"two members":             slices.Concat(compress(t, all[:half]), compress(t, all[half:])),
		"zeros behind, as a tape": slices.Concat(compress(t, all), zeros(512)),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			box := pixel.Box{Min: []int64{10, 20}, Max: []int64{50, 80}}
			s, err := f.HDUs[0].Section(box)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time begins behind the reader
				var got []byte
				if err := s.Stream(t.Context(), f.ReaderAt(), func(p []byte) error { got = append(got, p...); return nil }); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, naive(pixels, 16, shape, box)) {
					t.Error("the box differs from the naive cut")
				}
			}
			p := zeros(10)
			if n, err := f.ReaderAt().ReadAt(p, f.Size-4); n != 4 || !errors.Is(err, io.EOF) {
				t.Errorf("reading past the end: %d, %v; want 4, EOF", n, err)
			}
		})
	}
}

func TestInflatingTakesConstantMemory(t *testing.T) {
	const size = 40 << 20
	h := NewPrimary(8, []int64{size})
	data := compress(t, slices.Concat(h.Bytes(), zeros(size), zeros(int(padded(size)-size))))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	runtime.ReadMemStats(&after)
	if err != nil || f.HDUs[0].DataSize != size {
		t.Fatalf("%v, want an image of %d bytes", err, size)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated for a gzip of %d bytes that inflates to %d; want at most 4 MB", used, len(data), f.Size)
	}
}

func TestGzipRefuses(t *testing.T) {
	all, _ := file(5, 16, []int64{100, 90})
	whole := compress(t, all)
	flipped := slices.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // in the sum at its end
	for name, data := range map[string][]byte{
		"cut short":        whole[:len(whole)-100],
		"magic alone":      whole[:2],
		"wrong sum":        flipped,
		"gzip of a gzip":   compress(t, whole),
		"gzip of nothing":  compress(t, nil),
		"gzip of half":     compress(t, all[:len(all)/2]),
		"gzip of a header": compress(t, all[:2880]),
	} {
		if _, err := Open(bytes.NewReader(data), int64(len(data))); !errors.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v, want fault.Corrupt", name, err)
		}
	}
	bomb := newInflater(bytes.NewReader(whole), int64(len(whole)))
	bomb.limit = 10_000
	if _, err := bomb.ReadAt(zeros(1), beyond); !errors.Is(err, fault.TooLarge) {
		t.Errorf("a bomb: %v, want fault.TooLarge", err)
	}
	for compressed, limit := range map[int64]int64{1 << 20: 1 << 30, 10 << 20: 2000 << 20, 1 << 30: maxInflated / maxRatio * maxRatio} {
		if g := newInflater(nil, compressed); g.limit != limit {
			t.Errorf("a gzip of %d bytes may inflate to %d, want %d", compressed, g.limit, limit)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newInflater(bytes.NewReader(whole), int64(len(whole))).ReadAtContext(ended, zeros(1), 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v, want context.Canceled", err)
	}
	down := fault.New(fault.Unavailable, "store", "the store is down")
	g := newInflater(cutOff{bytes.NewReader(whole), down}, 1<<30)
	if _, err := g.ReadAt(zeros(1), beyond); !errors.Is(err, fault.Unavailable) {
		t.Errorf("the store goes down: %v, want fault.Unavailable", err)
	}
}

// cutOff is a reader whose end is an error.
type cutOff struct {
	r   io.ReaderAt
	err error
}

func (c cutOff) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.r.ReadAt(p, offset)
	if err != nil {
		err = c.err
	}
	return n, err
}
