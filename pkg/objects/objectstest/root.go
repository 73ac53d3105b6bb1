// Package objectstest holds the rules that every archive root and every results bucket
// keeps, as tests: a backend keeps the contract of package objects if [Run] or
// [RunBucket] passes on it.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Archive is a root under test, and the way to replace an object in it. Put must change
// whatever tells generations apart, so where that is a time it first lets one pass.
type Archive struct {
	Root objects.Root
	Put  func(name string, data []byte)
}

// Refused holds names that no root and no bucket takes.
var Refused = []string{
	"", "/", ".", "..", "/etc/passwd", "../secret.fits", "a/../secret.fits", "a/..", "./a.fits",
	"a//b.fits", "a/", "a/./b.fits", `a\b.fits`, `..\secret.fits`, "a\x00.fits", "a\n.fits", "a\x7f.fits",
	"a\u0085.fits", "a\xff.fits", strings.Repeat("a/", 512) + "b",
}

// Awkward holds names that every root and every bucket takes.
var Awkward = []string{
	"a b.fits", "plus+plus.fits", "50%.fits", "%2e%2e/x.fits", "ümlaut/Ω≈ç√.fits", "q?x=1&y=2.fits", "hash#1.fits",
	"semi;colon,comma.fits", "[1][2:3].fits", "'quote\".fits", "..hidden", "dots...fits", "a../b..c/d.fits", "~user/@at:colon=.fits",
}

// Run checks a root. open returns a fresh one that holds the files; it is not closed by Run.
func Run(t *testing.T, open func(t *testing.T, files map[string][]byte) Archive) {
	data := make([]byte, 200_003)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	source := func(t *testing.T, root objects.Root, name string) objects.Source {
		t.Helper()
		src, err := root.Open(t.Context(), name)
		if err != nil {
			t.Fatalf("Open(%q): %v", name, err)
		}
		t.Cleanup(func() {
			if err := src.Close(); err != nil {
				t.Errorf("Close of %q: %v", name, err)
			}
		})
		return src
	}

	t.Run("ReadsEveryEdgeOfAnObject", func(t *testing.T) {
		src := source(t, open(t, map[string][]byte{"dr1/a.fits": data}).Root, "dr1/a.fits")
		if src.Size() != int64(len(data)) || src.Name() != "dr1/a.fits" || src.Generation() == "" {
			t.Errorf("Size %d, Name %q, Generation %q; want %d, dr1/a.fits, some text", src.Size(), src.Name(), src.Generation(), len(data))
		}
		size := int64(len(data))
		for _, tt := range []struct {
			off    int64
			length int
		}{
			{0, 0}, {0, 1}, {0, 2880}, {0, len(data)}, {0, len(data) + 1}, {1, len(data) - 1}, {1, len(data)}, {2880, 2880},
			{size - 1, 1}, {size - 1, 2}, {size, 1}, {size + 1, 1}, {1 << 40, 1}, {5, 0}, {size, 0},
		} {
			got, want := make([]byte, tt.length), make([]byte, tt.length)
			n, err := src.ReadAt(t.Context(), got, tt.off)
			wantN, wantErr := 0, error(nil)
			if tt.length > 0 {
				wantN, wantErr = bytes.NewReader(data).ReadAt(want, tt.off)
			}
			if n != wantN || err != wantErr || !bytes.Equal(got[:n], want[:wantN]) {
				t.Errorf("ReadAt of %d bytes at %d: %d, %v; want %d, %v and the object's bytes", tt.length, tt.off, n, err, wantN, wantErr)
			}
		}
		if _, err := src.ReadAt(t.Context(), make([]byte, 1), -1); !errors.Is(err, fault.Usage) {
			t.Errorf("ReadAt at -1: %v; want Usage", err)
		}
	})

	t.Run("IsAReaderAt", func(t *testing.T) {
		small := data[:611] // iotest reads each byte in several ways
		src := source(t, open(t, map[string][]byte{"a.fits": small}).Root, "a.fits")
		if err := iotest.TestReader(io.NewSectionReader(objects.Bind(t.Context(), src, nil), 0, src.Size()), small); err != nil {
			t.Error(err)
		}
	})

	t.Run("ReadsAnEmptyObject", func(t *testing.T) {
		src := source(t, open(t, map[string][]byte{"empty.fits": nil}).Root, "empty.fits")
		if n, err := src.ReadAt(t.Context(), make([]byte, 8), 0); src.Size() != 0 || n != 0 || err != io.EOF {
			t.Errorf("size %d, ReadAt %d, %v; want 0, 0, EOF", src.Size(), n, err)
		}
	})

	t.Run("CountsBytesAndRequests", func(t *testing.T) {
		src := source(t, open(t, map[string][]byte{"a.fits": data[:1000]}).Root, "a.fits")
		var count objects.Count
		r, other := objects.Bind(t.Context(), src, &count), objects.Bind(t.Context(), src, &count)
		r.ReadAt(make([]byte, 300), 0)
		other.ReadAt(make([]byte, 300), 900) // 100 are there
		r.ReadAt(make([]byte, 300), 1000)    // asks for nothing
		r.ReadAt(nil, 0)
		if count.Bytes() != 400 || count.Requests() != 2 {
			t.Errorf("%d bytes in %d requests; want 400 in 2", count.Bytes(), count.Requests())
		}
	})

	t.Run("ManyReadAtOnce", func(t *testing.T) {
		src := source(t, open(t, map[string][]byte{"a.fits": data}).Root, "a.fits")
		var count objects.Count
		r := objects.Bind(t.Context(), src, &count)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for k := range 20 {
					off := (i*20 + k) * 1200
					p := make([]byte, 1000)
					if n, err := r.ReadAt(p, int64(off)); n != 1000 || err != nil || !bytes.Equal(p, data[off:off+1000]) {
						t.Errorf("reader %d at %d: %d, %v", i, off, n, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if count.Bytes() != 160_000 || count.Requests() != 160 {
			t.Errorf("%d bytes in %d requests; want 160000 in 160", count.Bytes(), count.Requests())
		}
	})

	t.Run("ReadsRuns", func(t *testing.T) {
		src := source(t, open(t, map[string][]byte{"a.fits": data}).Root, "a.fits")
		var count objects.Count
		r := objects.Bind(t.Context(), src, &count)
		got := make([]byte, 30)
		offsets := []int64{100_000, 0, int64(len(data)) - 10}
		want := slices.Concat(data[100_000:100_010], data[:10], data[len(data)-10:])
		if err := r.ReadRuns(t.Context(), got, 10, offsets); err != nil || !bytes.Equal(got, want) || count.Bytes() != 30 || count.Requests() != 3 {
			t.Errorf("ReadRuns: %v, %d bytes in %d requests; want the runs, 30 in 3", err, count.Bytes(), count.Requests())
		}
		if err := r.ReadRuns(t.Context(), got[:10], 10, []int64{int64(len(data)) - 9}); err != io.EOF {
			t.Errorf("ReadRuns past the end: %v; want EOF", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.ReadRuns(ctx, got, 10, offsets); !errors.Is(err, context.Canceled) {
			t.Errorf("ReadRuns after the end of its context: %v; want context canceled", err)
		}
		if _, err := r.ReadAtContext(ctx, got, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("ReadAtContext after its end: %v; want context canceled", err)
		}
	})

	t.Run("StopsWithItsContext", func(t *testing.T) {
		root := open(t, map[string][]byte{"a.fits": data}).Root
		src := source(t, root, "a.fits")
		ctx, cancel := context.WithCancel(t.Context())
		r := objects.Bind(ctx, src, nil)
		if _, err := r.ReadAt(make([]byte, 10), 0); err != nil {
			t.Fatal(err)
		}
		cancel()
		if n, err := r.ReadAt(make([]byte, 10), 0); n != 0 || !errors.Is(err, context.Canceled) || fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("ReadAt after the end: %d, %v; want 0, context canceled", n, err)
		}
		if src, err := root.Open(ctx, "a.fits"); err == nil {
			src.Close()
			t.Error("Open after the end gave a source; want an error")
		} else if fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("Open after the end: %v; want Unavailable", err)
		}
	})

	t.Run("NeverMixesGenerations", func(t *testing.T) {
		const size = 1 << 20
		for _, change := range []struct {
			name string
			size int
		}{{"same size", size}, {"shorter", size / 3}, {"longer", size * 2}, {"empty", 0}} {
			t.Run(change.name, func(t *testing.T) {
				a := open(t, map[string][]byte{"a.fits": bytes.Repeat([]byte{'a'}, size)})
				src := source(t, a.Root, "a.fits")
				before := src.Generation()
				if again := source(t, a.Root, "a.fits"); again.Generation() != before {
					t.Errorf("generation %q, then %q of the same object", before, again.Generation())
				}
				r := objects.Bind(t.Context(), src, nil)
				check := func(p []byte, n int, err error) {
					switch {
					case err != nil && fault.CodeOf(err) != fault.Unavailable:
						t.Errorf("reading: %v; want the old bytes or Unavailable", err)
					case err == nil && (n != len(p) || bytes.Count(p, []byte{'a'}) != n):
						t.Errorf("%d of %d bytes of another generation", n-bytes.Count(p[:n], []byte{'a'}), n)
					}
				}
				var wg sync.WaitGroup
				for i := range 3 {
					wg.Go(func() {
						for k := range 40 {
							p := make([]byte, size/4)
							n, err := r.ReadAt(p, int64((i+k)%4*size/4))
							check(p, n, err)
						}
					})
				}
				a.Put("a.fits", bytes.Repeat([]byte{'b'}, change.size))
				wg.Wait()
				p := make([]byte, size)
				n, err := r.ReadAt(p, 0)
				check(p, n, err)
				if err = r.ReadRuns(t.Context(), p[:40], 20, []int64{0, 1000}); err != io.EOF {
					check(p[:40], 40, err)
				}
				now := source(t, a.Root, "a.fits")
				if now.Generation() == before || now.Size() != int64(change.size) {
					t.Errorf("opened again: generation %q, size %d; want another than %q, %d", now.Generation(), now.Size(), before, change.size)
				}
			})
		}
	})

	t.Run("AnswersForWhatIsNotThere", func(t *testing.T) {
		root := open(t, map[string][]byte{"dr1/a.fits": data[:10]}).Root
		for _, name := range []string{"b.fits", "dr1/b.fits", "dr2/a.fits", "dr1", "dr1/a.fits/b", "a.fits", strings.Repeat("n", 300)} {
			src, err := root.Open(t.Context(), name)
			if err == nil {
				src.Close()
			}
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("Open(%q): %v; want NotFound", name, err)
			} else if s := fault.Sentence(err); strings.Contains(s, root.String()) || !strings.Contains(s, name) {
				t.Errorf("Open(%q) says %q; want the name and not the place %q", name, s, root.String())
			}
		}
	})

	t.Run("RefusesNames", func(t *testing.T) {
		root := open(t, map[string][]byte{"a.fits": data[:10], "a/b.fits": data[:10]}).Root
		for _, name := range Refused {
			src, err := root.Open(t.Context(), name)
			if err == nil {
				src.Close()
			}
			if !errors.Is(err, fault.Usage) {
				t.Errorf("Open(%q): %v; want Usage", name, err)
			}
		}
	})

	t.Run("TakesAwkwardNames", func(t *testing.T) {
		files := make(map[string][]byte)
		for i, name := range Awkward {
			files[name] = fmt.Appendf(nil, "object %d", i)
		}
		root := open(t, files).Root
		for _, name := range Awkward {
			src, err := root.Open(t.Context(), name)
			if err != nil {
				t.Errorf("Open(%q): %v", name, err)
				continue
			}
			got, err := io.ReadAll(io.NewSectionReader(objects.Bind(t.Context(), src, nil), 0, 1<<20))
			if err != nil || !bytes.Equal(got, files[name]) {
				t.Errorf("%q holds %q, %v; want %q", name, got, err, files[name])
			}
			src.Close()
		}
		lister, ok := root.(objects.Lister)
		if !ok {
			return
		}
		var listed []string
		for name, err := range lister.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, name)
		}
		slices.Sort(listed)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(files)), listed); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
		for range lister.List(t.Context()) {
			break // stopping early must not go on
		}
	})
}
