package fits

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// variety is an index of several HDUs.
func variety(t testing.TB) (*Index, []byte) {
	t.Helper()
	table := NewImage(8, []int64{4, 3})
	image := NewImage(-32, []int64{5, 7, 2})
	for _, err := range []error{
		table.Set("XTENSION", "BINTABLE", ""), table.Set("PCOUNT", 100, ""), table.Set("EXTNAME", "TABLE", ""),
		image.Set("EXTNAME", "SCI", ""), image.Set("EXTVER", 2, ""), image.Set("ESO DET ID", "a long text "+strings.Repeat("x", 80), ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var all []byte
	for _, h := range []*Header{NewPrimary(8, nil), table, image} {
		all = append(all, h.Bytes()...)
		if h.Len() > 4 {
			all = append(all, make([]byte, blockSize)...)
		}
	}
	all = append(all, "after the last HDU"...)
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	return x, all
}

// sameIndex says in which way two indexes differ, or returns "".
func sameIndex(a, b *Index) string {
	if a.Size != b.Size || a.Packed != b.Packed || a.Trailing != b.Trailing || len(a.HDUs) != len(b.HDUs) {
		return "size, trailing bytes or number of HDUs"
	}
	for i, u := range a.HDUs {
		v := b.HDUs[i]
		if u.String() != v.String() || u.Kind != v.Kind || u.BITPIX != v.BITPIX || !slices.Equal(u.Shape, v.Shape) || !slices.Equal(u.Axes, v.Axes) ||
			u.PCount != v.PCount || u.GCount != v.GCount || u.HeaderOffset != v.HeaderOffset || u.DataOffset != v.DataOffset || u.DataSize != v.DataSize ||
			(u.Err == nil) != (v.Err == nil) || !bytes.Equal(u.Header.Bytes(), v.Header.Bytes()) {
			return u.String()
		}
	}
	return ""
}

func TestAnIndexIsKept(t *testing.T) {
	x, all := variety(t)
	kept, err := x.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var y Index
	if err := y.UnmarshalBinary(kept); err != nil {
		t.Fatal(err)
	}
	if d := sameIndex(x, &y); d != "" {
		t.Errorf("the index that was kept differs: %s", d)
	}
	if len(kept) > len(all)/8 {
		t.Errorf("%d bytes are kept of %d bytes of headers; want less than an eighth", len(kept), len(all))
	}
	for i := range kept {
		broken := slices.Clone(kept)
		broken[i] ^= 0x10
		if err := new(Index).UnmarshalBinary(broken); !errors.Is(err, fault.Corrupt) && (i != 3 || !errors.Is(err, fault.Unsupported)) {
			t.Fatalf("with another byte %d: %v, want fault.Corrupt, or fault.Unsupported for the version", i, err)
		}
		if err := new(Index).UnmarshalBinary(kept[:i]); !errors.Is(err, fault.Corrupt) {
			t.Fatalf("cut to %d bytes: %v, want fault.Corrupt", i, err)
		}
	}
}

func TestIndexesOfRealFilesAreKept(t *testing.T) {
	for _, name := range realFiles(t, "*.fits") {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		x, err := ReadIndex(f, info.Size())
		if err != nil {
			continue // refused files are the subject of other tests
		}
		kept, err := x.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var y Index
		if err := y.UnmarshalBinary(kept); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := sameIndex(x, &y); d != "" {
			t.Errorf("%s: the index that was kept differs: %s", name, d)
		}
	}
}

func TestOpenKnownReadsNothing(t *testing.T) {
	x, all := variety(t)
	c := &counter{r: bytes.NewReader(all)}
	f, err := OpenKnown(c, int64(len(all)), x)
	if err != nil || c.reads > 0 || f.Gzipped() {
		t.Errorf("OpenKnown: %v after %d reads", err, c.reads)
	}
	if _, err := OpenKnown(c, int64(len(all))-1, x); !errors.Is(err, fault.Corrupt) {
		t.Errorf("OpenKnown of a file of another size: %v, want fault.Corrupt", err)
	}
}

func TestRememberLearnsOnce(t *testing.T) {
	x, _ := variety(t)
	type key struct{}
	u, calls := x.HDUs[2], 0
	for range 3 {
		if v := u.Remember(key{}, func() any { calls++; return calls }); v != 1 {
			t.Errorf("Remember returns %v, want the first 1", v)
		}
	}
	if v := x.HDUs[1].Remember(key{}, func() any { return "other" }); v != "other" {
		t.Errorf("another HDU remembers %v", v)
	}
}

// FuzzKeptIndex reads what is no index of ours: as the inflated form and, with a right sum
// put before it, as the deflated one. It must be refused or be an index that can be kept,
// and never take more memory than the input can hold.
func FuzzKeptIndex(f *testing.F) {
	x, _ := variety(f)
	kept, err := x.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kept[8:])
	raw := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, 1<<40), 0), 2)
	raw = append(binary.AppendUvarint(raw, uint64(x.HDUs[0].Header.Len())), x.HDUs[0].Header.Bytes()[:x.HDUs[0].Header.Len()*cardSize]...)
	raw = append(binary.AppendUvarint(raw, uint64(x.HDUs[2].Header.Len())), x.HDUs[2].Header.Bytes()[:x.HDUs[2].Header.Len()*cardSize]...)
	f.Add(raw)
	var bomb bytes.Buffer
	w, _ := flate.NewWriter(&bomb, flate.BestCompression)
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Close()
	f.Add(bomb.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		sealed := append(binary.LittleEndian.AppendUint32([]byte(keepMagic), crc32.Checksum(in, castagnoli)), in...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var a Index
		errA := a.UnmarshalBinary(sealed)
		b, errB := parseKept(in)
		runtime.ReadMemStats(&after)
		// Deflate makes at most 1032 bytes of one; growing by appending and the cards' copy
		// make that less than six times as much.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(6*1032*len(in)+1<<20); used > most {
			t.Errorf("%d bytes took %d bytes of memory, more than %d", len(in), used, most)
		}
		for _, got := range []struct {
			x   *Index
			err error
		}{{&a, errA}, {b, errB}} {
			if got.err != nil {
				continue
			}
			again, err := got.x.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var y Index
			if err := y.UnmarshalBinary(again); err != nil {
				t.Fatalf("accepted, kept, and then: %v", err)
			}
			if d := sameIndex(got.x, &y); d != "" {
				t.Errorf("kept again it differs: %s", d)
			}
		}
	})
}
