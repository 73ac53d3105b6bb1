package fits

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

func FuzzCard(f *testing.F) {
	for _, s := range []string{
		"NAXIS1  =                 4096 / columns", "OBSERVER= 'O''Hara' / who", "A       = (1, 2)", "A = - 5D3/c",
		"HIERARCH ESO DET ID = 'x&'", "COMMENT = 'x'", "A       = 'open", "A       =12.5", "FILTER   ='r'", "END", "HIERARCH a\rb\xff = 1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := newCard(text)
		v := c.Value()
		h := &Header{cards: []Card{c}}
		key := c.Keyword()
		if got, ok := h.Value(key); !ok || got != v {
			t.Fatalf("%q: Value(%q) = %+v, %t; the card says %+v", text, key, got, ok, v)
		}
		// A value that was read can be written, and reads back the same.
		var err error
		switch v.Kind {
		case String:
			if !isText(v.Text) {
				return
			}
			err = h.Set("KEY", v.Text, v.Comment)
			if got, ok, _ := h.Text("KEY"); err != nil || !ok || got != v.Text {
				t.Fatalf("%q: wrote %q, read %q, %t, %v", text, v.Text, got, ok, err)
			}
		case Integer, Real:
			want, ok, err := h.Float(key)
			if err != nil || want != want || want-want != 0 {
				return // past float64, NaN or infinite
			}
			err = h.Set("KEY", want, "")
			if got, _, _ := h.Float("KEY"); err != nil || !ok || got != want {
				t.Fatalf("%q: wrote %g, read %g, %v", text, want, got, err)
			}
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(NewPrimary(-32, []int64{3, 4}).Bytes())
	f.Add(NewImage(8, nil).Bytes())
	f.Add([]byte("A       = 'x&'" + fmt.Sprintf("%66sCONTINUE  'y'", "")))
	f.Fuzz(func(t *testing.T, block []byte) {
		h, err := ParseHeader(block)
		if err != nil {
			return
		}
		again, err := ParseHeader(h.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), h.Bytes()) || !bytes.HasPrefix(block, h.Bytes()[:h.Len()*cardSize]) {
			t.Fatalf("%q: parsed, written and parsed again it differs: %v", block, err)
		}
		n := h.Len()
		for _, c := range h.cards {
			h.Float(c.Keyword())
			h.Delete(c.Keyword())
		}
		if n > 0 && h.Len() >= n {
			t.Fatalf("all keywords deleted, %d of %d cards are left", h.Len(), n)
		}
	})
}

func FuzzReadIndex(f *testing.F) {
	image, _ := file(1, 16, []int64{3, 4})
	f.Add(image)
	f.Add(append(NewPrimary(8, nil).Bytes(), NewImage(-64, []int64{2, 2}).Bytes()...))
	f.Add(compress(f, image))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := use(data); err != nil {
			t.Fatal(err)
		}
	})
}

// use opens data and streams what it can of each image. Refusing is fine; the error is
// of what must not happen: positions outside of the file, or pixels missing.
func use(data []byte) error {
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil
	}
	for _, u := range f.HDUs {
		if u.DataOffset+u.DataSize > f.Size && u.DataSize > 0 || u.DataSize < 0 {
			return fmt.Errorf("%s: data at %d to %d of a file of %d bytes", u, u.DataOffset, u.DataOffset+u.DataSize, f.Size)
		}
		if !u.Image() || u.Kind != Image {
			continue
		}
		s, err := u.Section(pixel.Whole(u.Shape))
		if err != nil {
			return err
		}
		var n int64
		err = s.Stream(context.Background(), f.ReaderAt(), func(p []byte) error { n += int64(len(p)); return nil })
		if err != nil || n != u.DataSize {
			return fmt.Errorf("%s: %d of %d bytes streamed: %w", u, n, u.DataSize, err)
		}
	}
	return nil
}

// TestMutatedHeaders spoils headers of the real files and opens what comes out. It makes
// 1200 mutations, or as many as SELTZER_MUTATIONS says.
func TestMutatedHeaders(t *testing.T) {
	count := 1200
	if s := os.Getenv("SELTZER_MUTATIONS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	type original struct {
		name    string
		data    []byte
		headers [][2]int64 // where they begin and end
	}
	var originals []original
	for _, name := range realFiles(t, fitsPatterns...) {
		r, size := open(t, name)
		f, err := Open(r, size)
		if err != nil {
			t.Fatal(err)
		}
		o := original{name: filepath.Base(name), data: zeros(int(f.Size))}
		if n, err := f.ReaderAt().ReadAt(o.data, 0); err != nil && err != io.EOF || n != len(o.data) {
			t.Fatal(err)
		}
		for _, u := range f.HDUs {
			o.headers = append(o.headers, [2]int64{u.HeaderOffset, u.HeaderOffset + int64(u.Header.Len()+1)*cardSize})
		}
		originals = append(originals, o)
	}

	rng := rand.New(rand.NewPCG(20260101, 4))
	var before, after runtime.MemStats
	var largest uint64
	var refused, panics int
	for i := range count {
		o := originals[i%len(originals)]
		data := bytes.Clone(o.data)
		at := o.headers[rng.IntN(len(o.headers))]
		what := mutate(rng, data[at[0]:at[1]])
		func() {
			defer func() {
				if p := recover(); p != nil {
					panics++
					t.Errorf("mutation %d, %s, %s: panic: %v", i, o.name, what, p)
				}
			}()
			runtime.ReadMemStats(&before)
			_, err := Open(bytes.NewReader(data), int64(len(data)))
			bad := use(data)
			runtime.ReadMemStats(&after)
			if err != nil {
				refused++
			}
			if bad != nil {
				t.Errorf("mutation %d, %s, %s: %v", i, o.name, what, bad)
			}
			used := after.TotalAlloc - before.TotalAlloc
			if largest = max(largest, used); used > 64<<20 {
				t.Errorf("mutation %d, %s, %s: %d bytes allocated", i, o.name, what, used)
			}
		}()
	}
	t.Logf("%d mutations of %d files: %d refused, %d panics, at most %d bytes allocated by one", count, len(originals), refused, panics, largest)
}

// mutate spoils a header in place and says how.
func mutate(rng *rand.Rand, header []byte) string {
	cards := len(header) / cardSize
	i := rng.IntN(cards)
	if rng.IntN(2) == 0 { // among the mandatory ones
		i = rng.IntN(min(cards, 10))
	}
	card := header[i*cardSize:][:cardSize]
	switch rng.IntN(7) {
	case 0:
		k := rng.IntN(cardSize)
		card[k] = byte(rng.Uint32())
		return fmt.Sprintf("byte %d of card %d became %#x", k, i, card[k])
	case 1:
		numbers := []string{"-1", "0", "1", "2147483648", "4294967296", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "1E308", "NaN", ".", "1000", "7"}
		n := numbers[rng.IntN(len(numbers))]
		copy(card[10:], fmt.Sprintf("%20s", n))
		return fmt.Sprintf("the value of card %d became %s", i, n)
	case 2:
		words := []string{"NAXIS", "NAXIS1", "NAXIS999", "BITPIX", "PCOUNT", "GCOUNT", "GROUPS", "ZIMAGE", "ZNAXIS", "XTENSION", "END", "CONTINUE", "EXTNAME"}
		w := words[rng.IntN(len(words))]
		copy(card, fmt.Sprintf("%-8s= ", w))
		return fmt.Sprintf("the keyword of card %d became %s", i, w)
	case 3:
		j := rng.IntN(cards)
		other := header[j*cardSize:][:cardSize]
		copy(card, other)
		return fmt.Sprintf("card %d became card %d", i, j)
	case 4:
		n := rng.IntN(len(header))
		for k := range n / 10 {
			header[(k*7919+n)%len(header)] ^= byte(1 << rng.IntN(8))
		}
		return fmt.Sprintf("%d bits flipped", n/10)
	case 5:
		clear(header[i*cardSize:])
		return fmt.Sprintf("zeros from card %d on", i)
	default:
		copy(header[rng.IntN(len(header)):], card)
		return fmt.Sprintf("card %d copied somewhere", i)
	}
}
