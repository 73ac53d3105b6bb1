package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// RunBucket checks a results bucket. open returns a fresh, empty one each time; it is not
// closed by RunBucket.
func RunBucket(t *testing.T, open func(*testing.T) *objects.Bucket) {
	put := func(t *testing.T, b *objects.Bucket, name string, data []byte) {
		t.Helper()
		w, err := b.Create(t.Context(), name, "application/fits")
		if err != nil {
			t.Fatalf("Create(%q): %v", name, err)
		}
		defer w.Abort()
		if _, err := w.Write(data); err != nil {
			t.Fatalf("Write to %q: %v", name, err)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("Close of %q: %v", name, err)
		}
	}
	get := func(t *testing.T, b *objects.Bucket, name string) []byte {
		t.Helper()
		o, err := b.Open(t.Context(), name)
		if err != nil {
			t.Fatalf("Open(%q): %v", name, err)
		}
		defer o.Close()
		data, err := io.ReadAll(o)
		if err != nil || int64(len(data)) != o.Size() {
			t.Fatalf("%q: read %d of %d bytes, %v", name, len(data), o.Size(), err)
		}
		return data
	}
	list := func(t *testing.T, b *objects.Bucket, prefix string) []string {
		t.Helper()
		names := []string{}
		for name, err := range b.List(t.Context(), prefix) {
			if err != nil {
				t.Fatalf("List(%q): %v", prefix, err)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	absent := func(t *testing.T, b *objects.Bucket, name string) {
		t.Helper()
		if o, err := b.Open(t.Context(), name); !errors.Is(err, fault.NotFound) {
			if err == nil {
				o.Close()
			}
			t.Errorf("Open(%q): %v; want NotFound", name, err)
		}
		if names := list(t, b, ""); len(names) != 0 {
			t.Errorf("the bucket holds %q; want nothing", names)
		}
	}

	t.Run("KeepsWhatIsWritten", func(t *testing.T) {
		b := open(t)
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
		w, err := b.Create(t.Context(), "results/a1/1/cutout.fits", "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "12345")
		io.WriteString(w, "6789")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		// The check value of CRC-32/ISCSI in the catalogue of parametrised CRC algorithms (G. Cook).
		if w.Size() != 9 || w.CRC32C() != 0xe3069283 || w.Name() != "results/a1/1/cutout.fits" {
			t.Errorf("size %d, CRC32C %#x, name %q; want 9, 0xe3069283 and the name", w.Size(), w.CRC32C(), w.Name())
		}
		o, err := b.Open(t.Context(), w.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if o.Size() != 9 || o.ModTime().IsZero() {
			t.Errorf("size %d, time %v; want 9 and a time", o.Size(), o.ModTime())
		}
		if err := iotest.TestReader(o, []byte("123456789")); err != nil {
			t.Error(err)
		}
	})

	t.Run("KeepsAnEmptyObject", func(t *testing.T) {
		b := open(t)
		put(t, b, "empty", nil)
		if got := get(t, b, "empty"); len(got) != 0 {
			t.Errorf("read %q; want nothing", got)
		}
	})

	t.Run("ShowsNothingBeforeClose", func(t *testing.T) {
		b := open(t)
		w, err := b.Create(t.Context(), "results/a1/r.fits", "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		w.Write(make([]byte, 1<<20))
		if o, err := b.Open(t.Context(), "results/a1/r.fits"); !errors.Is(err, fault.NotFound) {
			if err == nil {
				o.Close()
			}
			t.Errorf("Open while it is written: %v; want NotFound", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := get(t, b, "results/a1/r.fits"); len(got) != 1<<20 {
			t.Errorf("%d bytes after Close; want %d", len(got), 1<<20)
		}
	})

	t.Run("OneOfManyWritersWins", func(t *testing.T) {
		b := open(t)
		for round := range 25 {
			name := fmt.Sprintf("results/r%d/cutout.fits", round)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var winners []int
			start := make(chan struct{})
			for i := range 8 {
				w, err := b.Create(t.Context(), name, "application/fits")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(bytes.Repeat([]byte{byte('0' + i)}, 1000+i)); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					<-start
					switch err := w.Close(); {
					case err == nil:
						mu.Lock()
						winners = append(winners, i)
						mu.Unlock()
					case !errors.Is(err, objects.ErrExists) || fault.CodeOf(err) != fault.Internal:
						t.Errorf("Close of a second writer: %v; want ErrExists", err)
					}
				})
			}
			close(start)
			wg.Wait()
			if len(winners) != 1 {
				t.Fatalf("round %d: writers %v won; want one", round, winners)
			}
			if got, want := get(t, b, name), bytes.Repeat([]byte{byte('0' + winners[0])}, 1000+winners[0]); !bytes.Equal(got, want) {
				t.Errorf("round %d: the object holds %d bytes %q…; want those of writer %d", round, len(got), got[:1], winners[0])
			}
			if names := list(t, b, fmt.Sprintf("results/r%d", round)); len(names) != 1 {
				t.Errorf("round %d left %q; want one object", round, names)
			}
		}
	})

	t.Run("AbortLeavesNothing", func(t *testing.T) {
		b := open(t)
		w, err := b.Create(t.Context(), "results/a1/r.fits", "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, 100_000))
		w.Abort()
		if err := w.Close(); err != nil {
			t.Errorf("Close after Abort: %v; want nil", err)
		}
		absent(t, b, "results/a1/r.fits")
		put(t, b, "results/a1/r.fits", []byte("again"))
	})

	t.Run("AContextThatEndedLeavesNothing", func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.Create(ctx, "results/a1/r.fits", "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, 100_000))
		cancel()
		if err := w.Close(); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("Close after the end: %v; want Unavailable", err)
		}
		absent(t, b, "results/a1/r.fits")
	})

	t.Run("AbortAfterCloseKeeps", func(t *testing.T) {
		b := open(t)
		w, err := b.Create(t.Context(), "r.fits", "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "kept")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if got := get(t, b, "r.fits"); string(got) != "kept" {
			t.Errorf("read %q; want kept", got)
		}
	})

	t.Run("Deletes", func(t *testing.T) {
		b := open(t)
		put(t, b, "results/a1/1/r.fits", []byte("x"))
		for range 2 { // the second time it is not there
			if err := b.Delete(t.Context(), "results/a1/1/r.fits"); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		absent(t, b, "results/a1/1/r.fits")
		put(t, b, "results/a1/1/r.fits", []byte("y"))
	})

	t.Run("WritesBesideDeletes", func(t *testing.T) {
		b := open(t)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for k := range 50 {
					name := fmt.Sprintf("results/a1/%d/%d.fits", i%2, i*100+k)
					w, err := b.Create(t.Context(), name, "application/fits")
					if err != nil {
						t.Errorf("Create: %v", err)
						return
					}
					if err := errors.Join(w.Close(), b.Delete(t.Context(), name)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		absent(t, b, "results/a1/0/0.fits")
	})

	t.Run("ListsOneFolderAndNoNeighbour", func(t *testing.T) {
		b := open(t)
		all := []string{
			"results/a1/1/r.fits", "results/a1/2/preview.png", "results/a1/2/r.fits",
			"results/a1.fits", "results/a10/1/r.fits", "results/a1x", "results/b/a1/r.fits",
		}
		for _, name := range all {
			put(t, b, name, []byte(name))
		}
		slices.Sort(all)
		for _, tt := range []struct {
			prefix string
			want   []string
		}{
			{"results/a1", []string{"results/a1/1/r.fits", "results/a1/2/preview.png", "results/a1/2/r.fits"}},
			{"results/a1/", []string{"results/a1/1/r.fits", "results/a1/2/preview.png", "results/a1/2/r.fits"}},
			{"results/a1/2", []string{"results/a1/2/preview.png", "results/a1/2/r.fits"}},
			{"results/none", []string{}},
			{"result", []string{}},
			{"", all},
		} {
			if diff := cmp.Diff(tt.want, list(t, b, tt.prefix)); diff != "" {
				t.Errorf("List(%q) (-want +got):\n%s", tt.prefix, diff)
			}
		}
		for _, err := range b.List(t.Context(), "../up") {
			if !errors.Is(err, fault.Usage) {
				t.Errorf("List(../up): %v; want Usage", err)
			}
		}
		for name := range b.List(t.Context(), "results/a1") { // deleting while listing
			if err := b.Delete(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		if names := list(t, b, "results/a1"); len(names) != 0 {
			t.Errorf("after deleting all: %q", names)
		}
		if names := list(t, b, ""); len(names) != len(all)-3 {
			t.Errorf("deleting results/a1 left %q; want its neighbours", names)
		}
	})

	t.Run("RefusesNames", func(t *testing.T) {
		b := open(t)
		for _, name := range Refused {
			if w, err := b.Create(t.Context(), name, "application/fits"); !errors.Is(err, fault.Usage) {
				if err == nil {
					w.Abort()
				}
				t.Errorf("Create(%q): %v; want Usage", name, err)
			}
			if o, err := b.Open(t.Context(), name); !errors.Is(err, fault.Usage) {
				if err == nil {
					o.Close()
				}
				t.Errorf("Open(%q): %v; want Usage", name, err)
			}
			if err := b.Delete(t.Context(), name); !errors.Is(err, fault.Usage) {
				t.Errorf("Delete(%q): %v; want Usage", name, err)
			}
		}
	})

	t.Run("TakesAwkwardNames", func(t *testing.T) {
		b := open(t)
		for _, name := range Awkward {
			put(t, b, "results/"+name, []byte(name))
			if got := get(t, b, "results/"+name); string(got) != name {
				t.Errorf("%q holds %q", name, got)
			}
			if err := b.Delete(t.Context(), "results/"+name); err != nil {
				t.Errorf("Delete(%q): %v", name, err)
			}
		}
		absent(t, b, "results/"+Awkward[0])
	})
}
