package fits

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// gate is a file whose reads wait until a number of them have come.
type gate struct {
	io.ReaderAt
	want int

	mu    sync.Mutex
	come  int
	bytes int64
	open  chan struct{}
}

func newGate(all []byte, want int) *gate {
	return &gate{ReaderAt: bytes.NewReader(all), want: want, open: make(chan struct{})}
}

func (g *gate) ReadAt(p []byte, offset int64) (int, error) {
	g.mu.Lock()
	g.come++
	g.bytes += int64(len(p))
	if g.come == g.want {
		close(g.open)
	}
	g.mu.Unlock()
	select {
	case <-g.open:
		return g.ReaderAt.ReadAt(p, offset)
	case <-time.After(10 * time.Second):
		return 0, errors.New("the other reads did not come")
	}
}

// TestOneRoundTrip: all ranges of a small box are asked for at once.
func TestOneRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape []int64
		box   pixel.Box
		reads int
		bytes int64
	}{
		// 16 rows of 64 bytes, 1200 bytes apart, are one range; the planes are 120 kB apart.
		{"64 planes", []int64{300, 100, 64}, pixel.Box{Min: []int64{50, 40, 0}, Max: []int64{66, 56, 64}}, 64, 64 * (15*1200 + 64)},
		// 20 rows of 40 bytes, 80 kB apart, are not worth reading together.
		{"far rows", []int64{20000, 40}, pixel.Box{Min: []int64{100, 10}, Max: []int64{110, 30}}, 20, 20 * 40},
		{"near rows", []int64{300, 100}, pixel.Box{Min: []int64{0, 0}, Max: []int64{10, 100}}, 1, 99*1200 + 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, pixels := file(4, -32, tt.shape)
			x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
			if err != nil {
				t.Fatal(err)
			}
			s, err := x.HDUs[0].Section(tt.box)
			if err != nil {
				t.Fatal(err)
			}
			s.Cost = Bucket
			g := newGate(all, tt.reads)
			var got []byte
			if err := s.Stream(t.Context(), g, func(p []byte) error { got = append(got, p...); return nil }); err != nil {
				t.Fatal(err)
			}
			if g.come != tt.reads || g.bytes != tt.bytes {
				t.Errorf("%d reads of %d bytes, want %d of %d", g.come, g.bytes, tt.reads, tt.bytes)
			}
			if !bytes.Equal(got, naive(pixels, -32, tt.shape, tt.box)) {
				t.Error("the bytes differ from the naive cut's")
			}
		})
	}
}

// busy counts the bytes of reads under way.
type busy struct {
	io.ReaderAt
	mu        sync.Mutex
	now, most int64
	reads     int
}

func (b *busy) ReadAt(p []byte, offset int64) (int, error) {
	b.mu.Lock()
	b.now += int64(len(p))
	b.most = max(b.most, b.now)
	b.reads++
	b.mu.Unlock()
	time.Sleep(time.Millisecond)
	defer func() {
		b.mu.Lock()
		b.now -= int64(len(p))
		b.mu.Unlock()
	}()
	return b.ReaderAt.ReadAt(p, offset)
}

func TestMemoryBoundsReads(t *testing.T) {
	all, _ := file(5, 16, []int64{1000, 500})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := x.HDUs[0].Section(pixel.Whole([]int64{1000, 500}))
	if err != nil {
		t.Fatal(err)
	}
	s.Cost = Cost{Latency: time.Millisecond, Bandwidth: 1e6, Parallel: 50, Memory: 80_000}
	b := &busy{ReaderAt: bytes.NewReader(all)}
	var n int
	if err := s.Stream(t.Context(), b, func(p []byte) error { n += len(p); return nil }); err != nil {
		t.Fatal(err)
	}
	if b.most > 80_000 || b.most < 40_000 || n != 1_000_000 || b.reads != 100 {
		t.Errorf("%d reads, at most %d bytes at once, %d in all; want 100, 40000 to 80000, 1000000", b.reads, b.most, n)
	}
}

// stuck is a store of which one read fails and the others hang until their context ends.
type stuck struct {
	bad int64
	err error
}

func (s stuck) ReadAt([]byte, int64) (int, error) { panic("want ReadAtContext") }

func (s stuck) ReadAtContext(ctx context.Context, p []byte, offset int64) (int, error) {
	if offset >= s.bad {
		return 0, s.err
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestAnErrorEndsTheOtherReads(t *testing.T) {
	all, _ := file(6, 8, []int64{1000, 40})
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := x.HDUs[0].Section(pixel.Box{Min: []int64{0, 0}, Max: []int64{10, 40}})
	if err != nil {
		t.Fatal(err)
	}
	s.Cost = Cost{Parallel: 40, Memory: 1 << 20} // nothing is joined
	discard := func([]byte) error { return nil }
	down := fault.New(fault.Unavailable, "test", "the store is down")
	if err := s.Stream(t.Context(), stuck{20_000, down}, discard); !errors.Is(err, down) {
		t.Errorf("one of 40 reads fails: %v, want its error", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Stream(ctx, stuck{1 << 40, nil}, discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no read ends in time: %v, want context.DeadlineExceeded", err)
	}
	if err := s.Stream(t.Context(), bytes.NewReader(all), func([]byte) error { return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("emit failed: %v, want its error", err)
	}
	if err := s.Stream(t.Context(), bytes.NewReader(all[:9000]), discard); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a shorter file: %v, want fault.Corrupt", err)
	}
}

func TestRingGivesNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring{size: rapid.Int64Range(1, 60).Draw(t, "size")}
		type part struct{ at, n int64 }
		var out []part
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(out) > 0 && rapid.Bool().Draw(t, "release") {
				r.release(out[0].n)
				out = out[1:]
				continue
			}
			p := part{n: rapid.Int64Range(1, r.size).Draw(t, "n")}
			var ok bool
			if p.at, ok = r.take(p.n); !ok {
				if len(out) == 0 {
					t.Fatalf("no room for %d of %d bytes although nothing is out", p.n, r.size)
				}
				continue
			}
			if p.at < 0 || p.at+p.n > r.size {
				t.Fatalf("%d bytes at %d of %d", p.n, p.at, r.size)
			}
			for _, q := range out {
				if p.at < q.at+q.n && q.at < p.at+p.n {
					t.Fatalf("%d bytes at %d overlap %d at %d", p.n, p.at, q.n, q.at)
				}
			}
			out = append(out, p)
		}
	})
}

func TestCostOf(t *testing.T) {
	for place, want := range map[string]Cost{
		"/data": Local, "data/x": Local, "file:///data": Local, "https://example.org/x": Web, "gs://bucket/x": Bucket, "s3://bucket": Bucket,
	} {
		if got := CostOf(place); got != want {
			t.Errorf("CostOf(%q) = %+v, want %+v", place, got, want)
		}
	}
}
