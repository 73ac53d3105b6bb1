package fits

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// collect streams a section and returns its bytes.
func collect(ctx context.Context, a *Ahead, s *Section) (got []byte, err error) {
	err = a.Stream(ctx, s, func(p []byte) error { got = append(got, p...); return nil })
	return got, err
}

// Sections that fit the cost take one round trip: no read is answered before all have come.
func TestSectionsTakeOneRoundTrip(t *testing.T) {
	all, pixels := file(7, -32, []int64{20000, 40})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	var sections []*Section
	var boxes []pixel.Box
	for i := range int64(3) {
		boxes = append(boxes, pixel.Box{Min: []int64{10 * i, 10 * i}, Max: []int64{10*i + 7, 10*i + 9}})
		s, err := x.HDUs[0].Section(boxes[i])
		if err != nil {
			t.Fatal(err)
		}
		s.Cost = Bucket
		sections = append(sections, s)
	}
	g := newGate(all, 27) // the rows are 80 kB apart
	a := NewAhead(t.Context(), g, sections...)
	defer a.Close()
	for i, s := range sections {
		got, err := collect(t.Context(), a, s)
		if err != nil || !bytes.Equal(got, naive(pixels, -32, []int64{20000, 40}, boxes[i])) {
			t.Errorf("section %d: %d bytes that differ from the naive cut's: %v", i, len(got), err)
		}
	}
	if g.come != 27 {
		t.Errorf("%d reads, want 27", g.come)
	}
}

// However sections are streamed, together they keep to the cost and have the bytes that
// each has alone.
func TestAheadIsEachSectionAlone(t *testing.T) {
	all, pixels := file(8, 16, []int64{100, 50})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	u := x.HDUs[0]
	rapid.Check(t, func(t *rapid.T) {
		cost := Cost{
			Bandwidth: 1e6, Overhead: time.Duration(rapid.IntRange(0, 300).Draw(t, "gap")) * time.Microsecond,
			Parallel: rapid.IntRange(1, 9).Draw(t, "requests"), Memory: rapid.Int64Range(200, 20_000).Draw(t, "memory"),
		}
		var sections []*Section
		want := make(map[*Section][]byte)
		for range rapid.IntRange(1, 5).Draw(t, "sections") {
			var s *Section
			var bytes []byte
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				s, bytes = u.Raw(), pixels
			default:
				box := pixel.Whole(u.Shape)
				for i, n := range u.Shape {
					box.Min[i] = rapid.Int64Range(0, n-1).Draw(t, "min")
					box.Max[i] = rapid.Int64Range(box.Min[i], n).Draw(t, "max")
				}
				if s, err = u.Section(box); err != nil {
					t.Fatal(err)
				}
				bytes = naive(pixels, 16, u.Shape, box)
			}
			s.Cost = cost
			want[s] = bytes
			for range rapid.IntRange(1, 2).Draw(t, "passes") {
				sections = append(sections, s)
			}
		}
		b := &busy{ReaderAt: bytes.NewReader(all)}
		a := NewAhead(context.Background(), b, sections...)
		defer a.Close()
		order := sections
		if rapid.IntRange(0, 3).Draw(t, "another order") == 0 {
			order = rapid.Permutation(sections).Draw(t, "order")
		}
		for i, s := range order {
			got, err := collect(context.Background(), a, s)
			if err != nil || !bytes.Equal(got, want[s]) {
				t.Fatalf("section %d: %d bytes, want %d: %v", i, len(got), len(want[s]), err)
			}
		}
		if slices.Equal(order, sections) && b.most > max(cost.Memory, cost.chunk()) {
			t.Fatalf("%d bytes under way, %d are allowed", b.most, cost.Memory)
		}
	})
}

// The error of a read that was begun early ends what is streamed, and nothing is read
// after Close.
func TestAnErrorAheadEndsAll(t *testing.T) {
	all, _ := file(6, 8, []int64{1000, 40})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	section := func(row int64) *Section {
		s, err := x.HDUs[0].Section(pixel.Box{Min: []int64{0, row}, Max: []int64{10, row + 5}})
		if err != nil {
			t.Fatal(err)
		}
		s.Cost = Cost{Parallel: 40, Memory: 1 << 20} // nothing is joined
		return s
	}
	first, second := section(0), section(30)
	down := fault.New(fault.Unavailable, "test", "the store is down")
	a := NewAhead(t.Context(), stuck{20_000, down}, first, second)
	if _, err := collect(t.Context(), a, first); !errors.Is(err, down) {
		t.Errorf("a read of the next section fails: %v, want its error", err)
	}
	a.Close()

	ctx, cancel := context.WithCancel(t.Context())
	a = NewAhead(ctx, stuck{1 << 40, nil}, first, second)
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := collect(ctx, a, first); !errors.Is(err, context.Canceled) {
		t.Errorf("no read ends in time: %v, want context.Canceled", err)
	}
	a.Close()

	b := &busy{ReaderAt: bytes.NewReader(all)}
	a = NewAhead(t.Context(), b, first, second)
	if _, err := collect(t.Context(), a, first); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if b.now != 0 {
		t.Errorf("%d bytes are still being read", b.now)
	}
}
