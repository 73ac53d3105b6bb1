package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// text is a Source in memory that counts what is read of it.
type text struct {
	data   []byte
	read   int64
	broken bool
}

func (s *text) Name() string       { return "text" }
func (s *text) Size() int64        { return int64(len(s.data)) }
func (s *text) Generation() string { return "1" }
func (s *text) ModTime() time.Time { return time.Time{} }
func (s *text) Close() error       { return nil }

func (s *text) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if s.broken {
		return 0, fault.New(fault.Unavailable, "test", "away")
	}
	n := copy(p, s.data[off:])
	s.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// What is read through blocks is what is there, and is read about once.
func TestBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := &text{data: make([]byte, 1<<20+12345)}
	for i := range s.data {
		s.data[i] = byte(r.Uint32())
	}
	b := objects.Blocks(s, 8<<20)
	for range 2000 {
		p := make([]byte, r.IntN(300_000))
		off := r.Int64N(b.Size() + 10)
		n, err := b.ReadAt(t.Context(), p, off)
		want := s.data[min(off, b.Size()):]
		want = want[:min(len(want), len(p))]
		if !bytes.Equal(p[:n], want) || (err == nil) != (n == len(p)) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d: %d, %v; want %d", len(p), off, n, err, len(want))
		}
	}
	if s.read != b.Size() {
		t.Errorf("%d bytes were read of %d", s.read, b.Size())
	}
	s.broken = true
	if _, err := objects.Blocks(s, 1).ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, fault.Unavailable) {
		t.Errorf("%v, want the error of the source", err)
	}
}
