package tile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// readGzip is what the standard library makes of the first member of a gzip, of up to most bytes.
func readGzip(src []byte, most int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return io.ReadAll(io.LimitReader(z, int64(most)))
}

// What is inflated here is what the standard library inflates, at every level and in parts.
func TestInflateAsTheStandardLibrary(t *testing.T) {
	kinds := []func(r *rand.Rand, i int) byte{
		func(r *rand.Rand, i int) byte { return byte(r.Uint32()) },
		func(r *rand.Rand, i int) byte { return byte(128 + 12*r.NormFloat64()) },
		func(r *rand.Rand, i int) byte { return 0 },
		func(r *rand.Rand, i int) byte { return byte(i / 3) },
		func(r *rand.Rand, i int) byte { return "to be or not to be"[i%(1+r.IntN(18))] },
		func(r *rand.Rand, i int) byte { return byte(uint32(1) << r.IntN(8) >> r.IntN(20)) },
		func(r *rand.Rand, i int) byte { return byte(r.ExpFloat64() * r.ExpFloat64() * r.ExpFloat64()) }, // codes of all lengths
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var want []byte
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			for i := range rapid.IntRange(0, 50_000).Draw(t, "bytes") {
				want = append(want, kind(r, i))
			}
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, rapid.IntRange(gzip.HuffmanOnly, gzip.BestCompression).Draw(t, "level"))
		if err != nil {
			t.Fatal(err)
		}
		w.Name, w.Comment, w.Extra = rapid.SampledFrom([]string{"", "image"}).Draw(t, "name"), rapid.SampledFrom([]string{"", "sky"}).Draw(t, "comment"), make([]byte, rapid.IntRange(0, 3).Draw(t, "extra"))
		w.Write(want)
		w.Close()
		got := make([]byte, len(want))
		if err := inflate(got, packed.Bytes(), true); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: other ones, %v", len(want), err)
		}
		part := got[:rapid.IntRange(0, len(want)).Draw(t, "part")]
		clear(part)
		if err := inflate(part, packed.Bytes(), false); err != nil || !bytes.Equal(part, want[:len(part)]) {
			t.Fatalf("the first %d of %d bytes: other ones, %v", len(part), len(want), err)
		}
		for _, size := range []int{len(want) - 1, len(want) + 1} {
			if size >= 0 && inflate(make([]byte, size), packed.Bytes(), true) == nil {
				t.Fatalf("%d bytes for %d are taken", len(want), size)
			}
		}
		cut := packed.Bytes()[:rapid.IntRange(0, packed.Len()-1).Draw(t, "cut")]
		if inflate(got, cut, true) == nil {
			t.Fatalf("%d of %d bytes are taken for all", len(cut), packed.Len())
		}
	})
}

// FuzzInflate holds what is made of any bytes to what the standard library makes of them.
func FuzzInflate(f *testing.F) {
	for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, level)
		if err != nil {
			f.Fatal(err)
		}
		for i := range 3000 {
			w.Write([]byte{byte(i * i >> 5), byte(i >> 8)})
		}
		w.Close()
		f.Add(packed.Bytes()[10:])
	}
	f.Add([]byte("\x4b\x4c\x4a\x4e\x4c\x04\x63\x00")) // fixed codes
	f.Add([]byte("\x01\x03\x00\xfc\xffabc"))          // stored
	f.Fuzz(func(t *testing.T, body []byte) {
		src := append([]byte(gzipHeader), body...)
		const most = 1 << 16
		want, err := readGzip(src, most)
		if len(want) == most {
			return
		}
		got := make([]byte, len(want))
		if failed := inflate(got, src, true); (failed == nil) != (err == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%v, the standard library says %v", failed, err)
		}
		if err != nil && err != gzip.ErrChecksum { // what came before the error
			if failed := inflate(got, src, false); failed == nil && !bytes.Equal(got, want) {
				t.Fatal("other bytes than those of the standard library")
			}
			return
		}
		if err == gzip.ErrChecksum {
			var z inflater
			n, ended, failed := z.inflate(got, body)
			if failed != nil || !ended || n != len(got) || !bytes.Equal(got, want) || z.pos > len(body) {
				t.Fatalf("%d bytes, ended %t, %v; the standard library has %d", n, ended, failed, len(want))
			}
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var pix []byte
	for range 1 << 16 {
		pix = binary.BigEndian.AppendUint32(pix, uint32(1<<30+r.NormFloat64()*(1<<14)))
	}
	packed, err := deflate(nil, pix, 4)
	if err != nil {
		b.Fatal(err)
	}
	got := make([]byte, len(pix))
	b.SetBytes(int64(len(pix)))
	b.ReportAllocs()
	for b.Loop() {
		if err := inflate(got, packed, true); err != nil {
			b.Fatal(err)
		}
	}
}
