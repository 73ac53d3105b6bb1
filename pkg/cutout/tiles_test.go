package cutout

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
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// cutSpoiled cuts a box of each HDU of a file that may be broken, and returns how many it
// could cut. The error is of what must not happen: a cutout of another size than planned, or an error that is not the file's.
func cutSpoiled(ctx context.Context, content []byte, section string) (cut int, err error) {
	pixels, err := pixel.ParseSection(section)
	if err != nil {
		return 0, nil
	}
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return 0, nil
	}
	for i := range file.HDUs[:min(len(file.HDUs), 8)] {
		plan, err := New(file, Request{Pixels: pixels, HDU: &i, Source: source, Limits: Limits{MaxBytes: 8 << 20}})
		if err != nil {
			if c := fault.CodeOf(err); c == fault.Internal || c == fault.Unavailable {
				return cut, err
			}
			continue
		}
		n, err := plan.WriteTo(ctx, io.Discard)
		switch c := fault.CodeOf(err); {
		case err == nil && !plan.planned(n):
			return cut, fmt.Errorf("HDU %d: %d bytes, %d were planned", i, n, plan.Size())
		case err != nil && c != fault.Corrupt && c != fault.TooLarge && c != fault.Unsupported:
			return cut, fmt.Errorf("HDU %d: %w", i, err)
		case err == nil:
			cut++
		}
	}
	return cut, nil
}

// FuzzCutTiles cuts mutated files of compressed images.
func FuzzCutTiles(f *testing.F) {
	names, err := filepath.Glob("testdata/tiles/*.fz")
	if err != nil || len(names) == 0 {
		f.Fatalf("%d seeds, %v", len(names), err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, "[5:21,3:28]")
		f.Add(content, "[*,*]")
	}
	f.Fuzz(func(t *testing.T, content []byte, section string) {
		if len(content) > 1<<20 || len(section) > 80 {
			return
		}
		if _, err := cutSpoiled(t.Context(), content, section); err != nil {
			t.Error(err)
		}
	})
}

// TestMutatedTiles spoils real compressed files, in the headers of their tables, in the rows
// and in the heap, and cuts what comes out. It makes 1200 mutations, or as many as
// SELTZER_MUTATIONS says.
func TestMutatedTiles(t *testing.T) {
	count := 1200
	if s := os.Getenv("SELTZER_MUTATIONS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(outside.Images(t), "real", "*.f*"))
	if err != nil {
		t.Fatal(err)
	}
	type original struct {
		name    string
		content []byte
		tables  []*fits.HDU
	}
	var originals []original
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
		if err != nil || file.Gzipped() {
			continue
		}
		o := original{name: filepath.Base(name), content: content}
		for _, u := range file.HDUs {
			if u.Kind == fits.TileCompressed && u.Image() {
				o.tables = append(o.tables, u)
			}
		}
		if len(o.tables) > 0 {
			originals = append(originals, o)
		}
	}
	if len(originals) < 10 {
		t.Fatalf("%d compressed files", len(originals))
	}
	const mostMemory, mostTime = 600 << 20, 30 * time.Second // of one mutation
	rng := rand.New(rand.NewPCG(20261121, 5))
	var before, after runtime.MemStats
	var largest uint64
	var slowest time.Duration
	var cuts int
	for i := range count {
		o := originals[i%len(originals)]
		content := bytes.Clone(o.content)
		what := spoil(rng, content, o.tables[rng.IntN(len(o.tables))])
		section := []string{"[*,*]", "[7:40,11:30]", "[1:1,*]"}[rng.IntN(3)]
		runtime.ReadMemStats(&before)
		began := time.Now()
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("mutation %d, %s, %s: panic: %v", i, o.name, what, p)
				}
			}()
			n, err := cutSpoiled(t.Context(), content, section)
			if err != nil {
				t.Errorf("mutation %d, %s, %s: %v", i, o.name, what, err)
			}
			cuts += n
		}()
		slowest = max(slowest, time.Since(began))
		runtime.ReadMemStats(&after)
		largest = max(largest, after.TotalAlloc-before.TotalAlloc)
		if used := after.TotalAlloc - before.TotalAlloc; used > mostMemory || time.Since(began) > mostTime {
			t.Errorf("mutation %d, %s, %s: %d bytes allocated in %s", i, o.name, what, used, time.Since(began))
		}
	}
	if cuts < count/2 {
		t.Errorf("%d cutouts of %d files: the mutations break all", cuts, count)
	}
	t.Logf("%d mutations of %d files: %d images cut; at most %d bytes allocated by one, %s the slowest", count, len(originals), cuts, largest, slowest)
}

// spoil spoils a compressed image in place and says how.
func spoil(rng *rand.Rand, content []byte, u *fits.HDU) string {
	const card = 80
	header := content[u.HeaderOffset:u.DataOffset]
	rows := content[u.DataOffset:][:u.Axes[0]*u.Axes[1]]
	heap := content[u.DataOffset+int64(len(rows)) : u.DataOffset+u.DataSize]
	some := func(p []byte, n int) {
		for range n {
			if len(p) > 0 {
				p[rng.IntN(len(p))] = byte(rng.Uint32())
			}
		}
	}
	switch rng.IntN(6) {
	case 0:
		i := rng.IntN(u.Header.Len())
		value := []string{"-1", "0", "1", "3", "8", "64", "16777216", "2147483647", "4294967296", "9223372036854775807", "'GZIP_1'", "'RICE_1'", "'HCOMPRESS_1'", "'PLIO_1'", "'1QB(9)'", "'1PI'", "NaN", "1E30"}[rng.IntN(18)]
		copy(header[i*card+10:][:30], fmt.Sprintf("%-30s", value))
		return fmt.Sprintf("the value of card %d became %s", i, value)
	case 1:
		i, j := rng.IntN(u.Header.Len()), rng.IntN(u.Header.Len())
		copy(header[i*card:][:card], header[j*card:][:card])
		return fmt.Sprintf("card %d became card %d", i, j)
	case 2:
		n := 1 + rng.IntN(4)
		some(rows, n)
		return fmt.Sprintf("%d bytes of the rows", n)
	case 3:
		n := 1 + rng.IntN(20)
		some(heap, n)
		return fmt.Sprintf("%d bytes of the heap", n)
	case 4:
		if len(heap) > 0 {
			at := rng.IntN(len(heap))
			p := heap[at:min(len(heap), at+1+rng.IntN(4000))]
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
		}
		return "noise in the heap"
	}
	some(header, 3)
	some(rows, 2)
	some(heap, 5)
	return "some bytes everywhere"
}
