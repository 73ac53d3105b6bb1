package indexes_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is a FITS file in memory that counts its reads.
type file struct {
	*bytes.Reader
	reads atomic.Int64
	wait  <-chan struct{} // reads wait for it, if there is one
	err   error
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.reads.Add(1)
	if f.wait != nil {
		<-f.wait
	}
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.ReadAt(p, offset)
}

func image(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	err := fits.NewWriter(&b).WriteHDU(t.Context(), fits.NewPrimary(8, []int64{100, 100}), 10000, func(_ context.Context, emit func([]byte) error) error {
		return emit(make([]byte, 10000))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t *testing.T, c *indexes.Cache, key indexes.Key, f *file) *fits.File {
	t.Helper()
	opened, err := c.Open(t.Context(), key, f, f.Size(), fits.Local)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestAKnownObjectIsNotRead(t *testing.T) {
	c := indexes.New(1<<20, nil)
	all := image(t)
	first := open(t, c, indexes.Key{Object: "a", Generation: "1"}, &file{Reader: bytes.NewReader(all)})
	for _, tt := range []struct {
		name string
		key  indexes.Key
		want bool // it is read
	}{
		{"the same generation", indexes.Key{Object: "a", Generation: "1"}, false},
		{"another generation", indexes.Key{Object: "a", Generation: "2"}, true},
		{"another object", indexes.Key{Object: "b", Generation: "1"}, true},
	} {
		f := &file{Reader: bytes.NewReader(all)}
		opened := open(t, c, tt.key, f)
		if read := f.reads.Load() > 0; read != tt.want || (opened.Index == first.Index) == tt.want {
			t.Errorf("%s: read %t, want %t", tt.name, read, tt.want)
		}
		p := make([]byte, 100)
		if _, err := opened.ReaderAt().ReadAt(p, 2880); err != nil {
			t.Errorf("%s: the file that was opened cannot be read: %v", tt.name, err)
		}
	}
	if _, err := c.Open(t.Context(), indexes.Key{Object: "a", Generation: "1"}, bytes.NewReader(all[:2880]), 2880, fits.Local); !errors.Is(err, fault.Corrupt) {
		t.Errorf("another size at the same generation: %v, want fault.Corrupt", err)
	}
}

func TestAKnownGzipIsNotInflatedForItsIndex(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(image(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := indexes.New(1<<20, nil)
	key := indexes.Key{Object: "a.gz", Generation: "1"}
	open(t, c, key, &file{Reader: bytes.NewReader(b.Bytes())})
	f := &file{Reader: bytes.NewReader(b.Bytes())}
	opened := open(t, c, key, f)
	if f.reads.Load() > 0 || !opened.Gzipped() {
		t.Errorf("%d reads, Gzipped = %t; want none, true", f.reads.Load(), opened.Gzipped())
	}
	p := make([]byte, 6)
	if _, err := opened.ReaderAt().ReadAt(p, 0); err != nil || string(p) != "SIMPLE" {
		t.Errorf("the inflated file begins with %q, %v", p, err)
	}
}

func TestManyAtOnceReadOnce(t *testing.T) {
	c := indexes.New(1<<20, nil)
	gate := make(chan struct{})
	all := image(t)
	var reads atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			f := &file{Reader: bytes.NewReader(all), wait: gate}
			if _, err := c.Open(t.Context(), indexes.Key{Object: "a", Generation: "1"}, f, f.Size(), fits.Local); err != nil {
				t.Error(err)
			}
			reads.Add(f.reads.Load())
		})
		if i == 10 {
			close(gate)
		}
	}
	wg.Wait()
	if n := reads.Load(); n != 1 {
		t.Errorf("20 openings of one object made %d reads, want 1", n)
	}
}

// TestTheReaderGoesAway: who waits for headers that another reads gets them also if that
// other gives up.
func TestTheReaderGoesAway(t *testing.T) {
	c := indexes.New(1<<20, nil)
	gate := make(chan struct{})
	key := indexes.Key{Object: "a", Generation: "1"}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	leader := &file{Reader: bytes.NewReader(image(t)), wait: gate, err: context.Canceled}
	wg.Go(func() {
		if _, err := c.Open(ctx, key, leader, leader.Size(), fits.Local); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who gave up: %v, want context.Canceled", err)
		}
	})
	for leader.reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	wg.Go(func() {
		f := &file{Reader: bytes.NewReader(image(t))}
		if _, err := c.Open(t.Context(), key, f, f.Size(), fits.Local); err != nil {
			t.Errorf("the caller who waited: %v", err)
		}
	})
	cancel()
	close(gate)
	wg.Wait()
}

// TestNothingIsReadAfterOpen: the caller closes what it had opened when it gives up.
func TestNothingIsReadAfterOpen(t *testing.T) {
	c := indexes.New(1<<20, nil)
	ctx, cancel := context.WithCancel(t.Context())
	gate := make(chan struct{})
	f := &file{Reader: bytes.NewReader(image(t)), wait: gate}
	time.AfterFunc(10*time.Millisecond, cancel)
	time.AfterFunc(50*time.Millisecond, func() { close(gate) })
	_, err := c.Open(ctx, indexes.Key{Object: "a", Generation: "1"}, f, f.Size(), fits.Local)
	select {
	case <-gate:
	default:
		if f.reads.Load() > 0 {
			t.Error("Open returned while its reader was read")
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	<-gate
}

func TestFailuresAreNotKept(t *testing.T) {
	c := indexes.New(1<<20, nil)
	down := fault.New(fault.Unavailable, "test", "the store is down")
	f := &file{Reader: bytes.NewReader(image(t)), err: down}
	if _, err := c.Open(t.Context(), indexes.Key{Object: "a", Generation: "1"}, f, f.Size(), fits.Local); !errors.Is(err, down) {
		t.Errorf("the store is down: %v, want that", err)
	}
	f.err = nil
	open(t, c, indexes.Key{Object: "a", Generation: "1"}, f)
}

func TestWhatWasNotUsedForLongestIsForgotten(t *testing.T) {
	all := image(t)
	x, err := fits.ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	one := x.Memory() + int64(len("a1"))
	c := indexes.New(3*one+10, nil)
	key := func(name string) indexes.Key { return indexes.Key{Object: name, Generation: "1"} }
	for _, name := range []string{"a", "b", "c", "a", "d"} { // d takes the place of b
		open(t, c, key(name), &file{Reader: bytes.NewReader(all)})
	}
	for _, tt := range []struct {
		name string
		read bool
	}{{"a", false}, {"c", false}, {"d", false}, {"b", true}} {
		f := &file{Reader: bytes.NewReader(all)}
		open(t, c, key(tt.name), f)
		if read := f.reads.Load() > 0; read != tt.read {
			t.Errorf("%s was read: %t, want %t", tt.name, read, tt.read)
		}
	}
	small := indexes.New(one-1, nil)
	for range 2 {
		f := &file{Reader: bytes.NewReader(all)}
		open(t, small, key("a"), f)
		if f.reads.Load() == 0 {
			t.Error("an index larger than the cache was kept")
		}
	}
}

// What was read last of an object is known without a source, and without its pixels, until it
// is forgotten.
func TestKnownHeaders(t *testing.T) {
	data := image(t)
	one := indexes.New(1<<20, nil)
	if f := one.Known(t.Context(), "a.fits"); f != nil {
		t.Error("something is known of an object that was never read")
	}
	for _, generation := range []string{"1", "2"} {
		open(t, one, indexes.Key{Object: "a.fits", Generation: generation}, &file{Reader: bytes.NewReader(data)})
	}
	f := one.Known(t.Context(), "a.fits")
	if f == nil || len(f.HDUs) != 1 || f.HDUs[0].DataSize != 10000 {
		t.Fatalf("known: %+v, want the headers of the image", f)
	}
	x, err := fits.ReadIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	small := indexes.New(x.Memory()*3/2, nil)
	for _, name := range []string{"a.fits", "b.fits"} {
		open(t, small, indexes.Key{Object: name, Generation: "1"}, &file{Reader: bytes.NewReader(data)})
	}
	if small.Known(t.Context(), "a.fits") != nil || small.Known(t.Context(), "b.fits") == nil {
		t.Error("of two objects, where there is room for one, the first is known")
	}
}
