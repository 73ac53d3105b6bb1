package tile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
)

// BenchmarkDecode decodes all tiles of what fpack makes of noise, and copies their pixels.
func BenchmarkDecode(b *testing.B) {
	const side = 1024
	for _, bm := range []struct {
		name    string
		bitpix  int
		options []string
	}{
		{"RICE_1/int16", 16, []string{"-r", "-t", "256,256"}},
		{"RICE_1/int32", 32, []string{"-r", "-t", "256,256"}},
		{"RICE_1/int32-wide", 32, []string{"-r", "-t", "256,256"}},
		{"RICE_1/float32-q16-dither", -32, []string{"-r", "-q77", "16", "-t", "256,256"}},
		{"RICE_1/float32-q16-dither-rows", -32, []string{"-r", "-q77", "16"}},
		{"RICE_1/float32-q4-dither2", -32, []string{"-r", "-qz77", "4", "-t", "256,256"}},
		{"RICE_1/float32-q4", -32, []string{"-r", "-q0", "4", "-t", "256,256"}},
		{"RICE_1/float64-q4-dither", -64, []string{"-r", "-q77", "4", "-t", "256,256"}},
		{"GZIP_1/int16", 16, []string{"-g1", "-t", "256,256"}},
		{"GZIP_2/int16", 16, []string{"-g2", "-t", "256,256"}},
		{"GZIP_2/float32", -32, []string{"-g2", "-q", "0", "-t", "256,256"}},
		{"GZIP_2/float64", -64, []string{"-g2", "-q", "0", "-t", "256,256"}},
		{"PLIO_1/int16", 16, []string{"-p", "-t", "256,256"}},
		{"HCOMPRESS_1/int16", 16, []string{"-h", "-t", "256,256"}},
		{"HCOMPRESS_1/int32", 32, []string{"-h", "-t", "256,256"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			scene := tame[0]
			if bm.name == "RICE_1/int32-wide" {
				scene.at = func(r *rand.Rand, i int) float64 { return 1e5 * r.NormFloat64() }
			}
			if bm.options[0] == "-p" {
				scene.at = func(r *rand.Rand, i int) float64 { return float64(i / 50 % 3) }
			}
			r := rand.New(rand.NewPCG(3, 4))
			pix := noiseOnly(r, bm.bitpix, side*side, scene)
			_, c := pack(b, b.TempDir(), bm.bitpix, []int{side, side}, pix, bm.options...)
			out := make([]byte, len(pix))
			var p tile.Pixels
			var read int
			b.ReportAllocs()
			b.SetBytes(int64(len(pix)))
			for b.Loop() {
				read = 0
				for _, next := range c.tiles {
					read += len(next.Data)
					if err := c.Decode(&p, next, next.Pixels); err != nil {
						b.Fatal(err)
					}
					if err := p.Copy(out[:next.Pixels*len(pix)/side/side], 0); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/side/side, "ns/pixel")
			b.ReportMetric(float64(read)*8/side/side, "bits/pixel")
		})
	}
}

// BenchmarkEncode encodes noise in tiles of 256 × 256.
func BenchmarkEncode(b *testing.B) {
	const n = 256 * 256
	for _, m := range []tile.Image{
		{Codec: "RICE_1", Bitpix: 16, BytePix: 2},
		{Codec: "RICE_1", Bitpix: 32, BytePix: 4},
		{Codec: "GZIP_1", Bitpix: 16},
		{Codec: "GZIP_2", Bitpix: 16},
		{Codec: "GZIP_2", Bitpix: -32},
		{Codec: "NOCOMPRESS", Bitpix: -32},
		{Codec: "RICE_1", Bitpix: -32, Quantised: true, Dither: tile.SubtractiveDither1, Seed: 1},
		{Codec: "RICE_1", Bitpix: -64, Quantised: true, Dither: tile.SubtractiveDither1, Seed: 1},
	} {
		b.Run(fmt.Sprintf("%s/BITPIX%d", m.Codec, m.Bitpix), func(b *testing.B) {
			e := tile.Encoder{Image: &m, Level: 4}
			pix := noiseOnly(rand.New(rand.NewPCG(3, 4)), m.Bitpix, n, tame[0])
			var out []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(pix)))
			for b.Loop() {
				var err error
				if out, _, err = e.Encode(out[:0], pix, 256, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pixel")
			b.ReportMetric(float64(len(out))*8/n, "bits/pixel")
		})
	}
}
