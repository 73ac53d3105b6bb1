package fits

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

var bitpixes = []int{8, 16, 32, 64, -32, -64}

// file returns the bytes of a file with one image of noise, and the pixels alone.
func file(seed uint64, bitpix int, shape []int64) (all, pixels []byte) {
	size, _ := pixel.Product(append(slices.Clone(shape), pixelSize(bitpix))...)
	rng := rand.New(rand.NewPCG(seed, 0))
	for int64(len(pixels)) < size {
		pixels = binary.LittleEndian.AppendUint64(pixels, rng.Uint64())
	}
	pixels = pixels[:size]
	all = append(NewPrimary(bitpix, shape).Bytes(), pixels...)
	return append(all, make([]byte, padded(size)-size)...), pixels
}

// naive cuts a box out of pixels one pixel at a time.
func naive(pixels []byte, bitpix int, shape []int64, box pixel.Box) []byte {
	var out []byte
	at := slices.Clone(box.Min)
	for !box.Empty() {
		var n, stride int64 = 0, 1
		for i := range at {
			n += at[i] * stride
			stride *= shape[i]
		}
		size := pixelSize(bitpix)
		out = append(out, pixels[n*size:(n+1)*size]...)
		axis := 0
		for ; axis < len(at); axis++ {
			if at[axis]++; at[axis] < box.Max[axis] {
				break
			}
			at[axis] = box.Min[axis]
		}
		if axis == len(at) {
			break
		}
	}
	return out
}

func TestSectionIsTheNaiveCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bitpix := rapid.SampledFrom(bitpixes).Draw(t, "BITPIX")
		shape := rapid.SliceOfN(rapid.Int64Range(1, 13), 1, 5).Draw(t, "shape")
		box := pixel.Whole(shape)
		for i, n := range shape {
			box.Min[i] = rapid.Int64Range(0, n-1).Draw(t, "min")
			box.Max[i] = rapid.Int64Range(box.Min[i], n).Draw(t, "max")
		}
		all, pixels := file(1, bitpix, shape)
		x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := x.HDUs[0].Section(box)
		if err != nil {
			t.Fatal(err)
		}
		s.Cost = Cost{
			Bandwidth: rapid.Float64Range(0, 200).Draw(t, "gap"), Overhead: time.Second,
			Parallel: rapid.IntRange(0, 9).Draw(t, "parallel"), Memory: rapid.Int64Range(0, 400).Draw(t, "memory"),
		}
		var r io.ReaderAt = bytes.NewReader(all)
		if rapid.Bool().Draw(t, "by runs") {
			r = byRuns{bytes.NewReader(all)}
		}
		var got []byte
		err = s.Stream(context.Background(), r, func(p []byte) error {
			if most := max(s.Cost.Memory, leastChunk); len(p) == 0 || int64(len(p)) > most {
				t.Errorf("a piece of %d bytes; want 1 to %d", len(p), most)
			}
			got = append(got, p...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := naive(pixels, bitpix, shape, box)
		if !bytes.Equal(got, want) || s.Size() != int64(len(want)) {
			t.Errorf("%s of %d: %d bytes (Size %d) that differ from the naive cut's %d", box, shape, len(got), s.Size(), len(want))
		}
	})
}

// byRuns is a file that reads many runs in one call.
type byRuns struct{ *bytes.Reader }

func (b byRuns) ReadRuns(_ context.Context, p []byte, n int64, offsets []int64) error {
	if int64(len(p)) != n*int64(len(offsets)) {
		return fmt.Errorf("%d runs of %d bytes into %d", len(offsets), n, len(p))
	}
	for i, offset := range offsets {
		if _, err := b.ReadAt(p[int64(i)*n:][:n], offset); err != nil {
			return err
		}
	}
	return nil
}

// counter counts the reads of a file and their bytes.
type counter struct {
	r            io.ReaderAt
	mu           sync.Mutex
	reads, bytes int64
	largest      int
}

func (c *counter) ReadAt(p []byte, offset int64) (int, error) {
	c.mu.Lock()
	c.reads++
	c.bytes += int64(len(p))
	c.largest = max(c.largest, len(p))
	c.mu.Unlock()
	return c.r.ReadAt(p, offset)
}

func TestReadsOfASection(t *testing.T) {
	shape := []int64{1000, 300}
	all, _ := file(2, -32, shape) // rows of 4000 bytes
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		box          pixel.Box
		gap          float64
		reads, bytes int64
	}{
		{"narrow rows, gaps dearer than reads", pixel.Box{Min: []int64{10, 0}, Max: []int64{20, 100}}, 1000, 100, 4000},
		{"narrow rows, reads dearer than gaps", pixel.Box{Min: []int64{10, 0}, Max: []int64{20, 50}}, 4000, 1, 49*4000 + 40},
		{"full rows are one run", pixel.Box{Min: []int64{0, 10}, Max: []int64{1000, 20}}, 0, 1, 40000},
		{"all, in chunks", pixel.Whole(shape), 0, 5, 1200000},
		{"one pixel", pixel.Box{Min: []int64{999, 299}, Max: []int64{1000, 300}}, 0, 1, 4},
		{"nothing", pixel.Box{Min: []int64{5, 5}, Max: []int64{5, 9}}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := x.HDUs[0].Section(tt.box)
			if err != nil {
				t.Fatal(err)
			}
			s.Cost.Bandwidth, s.Cost.Overhead = tt.gap, time.Second
			c := &counter{r: bytes.NewReader(all)}
			if err := s.Stream(t.Context(), c, func([]byte) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if c.reads != tt.reads || c.bytes != tt.bytes {
				t.Errorf("%d reads of %d bytes, want %d of %d", c.reads, c.bytes, tt.reads, tt.bytes)
			}
		})
	}
}

func TestSectionRefuses(t *testing.T) {
	groups := strings.Replace(string(NewPrimary(-32, []int64{0, 3}).Bytes()), "EXTEND  =", "GROUPS  =", 1)
	table := NewImage(8, []int64{8, 2})
	for _, h := range []error{
		table.Set("XTENSION", "BINTABLE", ""), table.Set("ZIMAGE", true, ""), table.Set("ZBITPIX", 16, ""),
		table.Set("ZNAXIS", 1, ""), table.Set("ZNAXIS1", 100, ""),
	} {
		if h != nil {
			t.Fatal(h)
		}
	}
	all := slices.Concat([]byte(groups), make([]byte, 2880), table.Bytes(), make([]byte, 2880), NewImage(16, []int64{4, 4}).Bytes(), make([]byte, 2880))
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		hdu  int
		box  pixel.Box
		code fault.Code
		text string
	}{
		{"random groups", 0, pixel.Whole([]int64{0, 3}), fault.Unsupported, "random groups"},
		{"tiles", 1, pixel.Whole([]int64{100}), fault.Corrupt, "TFIELDS = 0"},
		{"outside", 2, pixel.Whole([]int64{4, 5}), fault.Internal, "[1:4,1:5]"},
		{"fewer axes", 2, pixel.Whole([]int64{4}), fault.Internal, "shape"},
	} {
		_, err := x.HDUs[tt.hdu].Section(tt.box)
		if !errors.Is(err, tt.code) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %s with %q", tt.name, err, tt.code, tt.text)
		}
	}
}

func TestStreamEndsWithTheErrorThatStoppedIt(t *testing.T) {
	all, _ := file(3, 8, []int64{5000, 300})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := x.HDUs[0].Section(pixel.Box{Min: []int64{0, 0}, Max: []int64{100, 300}})
	if err != nil {
		t.Fatal(err)
	}
	discard := func([]byte) error { return nil }

	ctx, cancel := context.WithCancel(t.Context())
	c := &counter{r: bytes.NewReader(all)}
	s.Cost.Memory = 1000
	err = s.Stream(ctx, c, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || c.reads > 20 {
		t.Errorf("cancelled: %v after %d of 300 reads; want context.Canceled soon", err, c.reads)
	}
	if err := s.Stream(t.Context(), bytes.NewReader(all), func([]byte) error { return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("emit failed: %v, want its error", err)
	}
	for _, r := range []io.ReaderAt{bytes.NewReader(all[:9000]), byRuns{bytes.NewReader(all[:9000])}} {
		if err := s.Stream(t.Context(), r, discard); !errors.Is(err, fault.Corrupt) {
			t.Errorf("a shorter file (%T): %v, want fault.Corrupt", r, err)
		}
	}
	down := fault.New(fault.Unavailable, "store", "the store is down")
	if err := s.Stream(t.Context(), failing{down}, discard); !errors.Is(err, fault.Unavailable) || !errors.Is(err, down) {
		t.Errorf("the store is down: %v, want that", err)
	}
	if _, err := ReadIndex(failing{down}, 1<<20); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ReadIndex with the store down: %v, want fault.Unavailable", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
