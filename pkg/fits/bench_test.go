package fits

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// starField writes a file of 4096 × 4096 float32 with some 100 cards once a run.
func starField(b *testing.B) (*os.File, int64) {
	b.Helper()
	h := NewPrimary(-32, []int64{4096, 4096})
	for i := range 100 {
		if err := h.Set(fmt.Sprintf("KEY%d", i), float64(i)/3, "a number of no meaning"); err != nil {
			b.Fatal(err)
		}
	}
	name := filepath.Join(b.TempDir(), "field.fits")
	out, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	block := zeros(1 << 20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	err = NewWriter(out).WriteHDU(b.Context(), h, 64<<20, func(_ context.Context, emit func([]byte) error) error {
		for range 64 {
			if err := emit(block); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return open(b, name)
}

func BenchmarkReadIndex(b *testing.B) {
	f, size := starField(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadIndex(f, size); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSection opens the index, cuts a box and throws it away, as the peers' programs
// do that read a section without writing it.
func BenchmarkSection(b *testing.B) {
	f, size := starField(b)
	for _, side := range []int64{64, 256, 1024} {
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			box := pixel.Box{Min: []int64{1501, 1502}, Max: []int64{1501 + side, 1502 + side}}
			b.SetBytes(side * side * 4)
			b.ReportAllocs()
			for b.Loop() {
				x, err := ReadIndex(f, size)
				if err != nil {
					b.Fatal(err)
				}
				s, err := x.HDUs[0].Section(box)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Stream(b.Context(), f, func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteHDU(b *testing.B) {
	data := zeros(4 << 20)
	h := NewPrimary(-32, []int64{1024, 1024})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := NewWriter(io.Discard).WriteHDU(b.Context(), h, int64(len(data)), pieces(data)); err != nil {
			b.Fatal(err)
		}
	}
}
