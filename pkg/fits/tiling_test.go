package fits_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// far is the cost of a store that takes several requests at once and little memory.
var far = fits.Cost{Latency: time.Microsecond, Bandwidth: 1e9, Parallel: 7, Memory: 100_000}

func TestBoxesOfCompressedImagesAreThoseOfCFITSIO(t *testing.T) {
	fitscopy := outside.Tool(t, "fitscopy")
	files, err := filepath.Glob(filepath.Join(outside.Images(t), "real", "*.f*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	judged := map[string]int{}
	for _, path := range files {
		all, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := fits.Open(bytes.NewReader(all), int64(len(all)))
		if err != nil {
			continue // what is broken is the index's affair
		}
		for _, u := range f.HDUs {
			if u.Kind != fits.TileCompressed || !u.Image() {
				continue
			}
			t.Run(fmt.Sprintf("%s[%d]", filepath.Base(path), u.Number), func(t *testing.T) {
				codec, _, _ := u.Header.Text("ZCMPTYPE")
				judged[codec]++
				judge(t, fitscopy, path, f, u, rand.New(rand.NewPCG(uint64(u.Number), uint64(len(all)))))
			})
		}
	}
	for _, codec := range []string{"RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"} {
		if judged[codec] == 0 {
			t.Errorf("no image of %s was judged", codec)
		}
	}
}

// judge compares boxes of an image with CFITSIO's sections.
func judge(t *testing.T, fitscopy, path string, f *fits.File, u *fits.HDU, random *rand.Rand) {
	t.Helper()
	for i := range 5 {
		box := pixel.Whole(u.Shape)
		for axis, n := range u.Shape {
			if i > 0 {
				box.Min[axis] = random.Int64N(n)
				box.Max[axis] = box.Min[axis] + 1 + random.Int64N(min(n-box.Min[axis], 700))
			}
		}
		want := cfitsioBox(t, fitscopy, path, u, box)
		for name, cost := range map[string]fits.Cost{"local": fits.Local, "far": far} {
			got, err := readBox(f, u, box, cost)
			if err != nil {
				t.Fatalf("%s, %s: %v", box, name, err)
			}
			if err := outside.SamePixels(got, want, u.BITPIX); err != nil {
				t.Errorf("%s, %s: %v", box, name, err)
			}
		}
	}
}

func readBox(f *fits.File, u *fits.HDU, box pixel.Box, cost fits.Cost) (got []byte, err error) {
	s, err := f.Section(u, box)
	if err != nil {
		return nil, err
	}
	s.Cost = cost
	err = s.Stream(context.Background(), f.ReaderAt(), func(p []byte) error {
		if len(p) == 0 || len(p) > 256<<10 {
			return fmt.Errorf("a piece has %d bytes", len(p))
		}
		got = append(got, p...)
		return nil
	})
	return got, err
}

// cfitsioBox returns a box of an image as CFITSIO cuts it.
func cfitsioBox(t *testing.T, fitscopy, path string, u *fits.HDU, box pixel.Box) []byte {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "box.fits")
	outside.Run(t, fitscopy, fmt.Sprintf("%s[%d]%s", path, u.Number, box), copied)
	all, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	x, err := fits.ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range x.HDUs {
		if v.Kind == fits.Image && v.Image() {
			if v.BITPIX != u.BITPIX || !slices.Equal(v.Shape, box.Shape()) {
				t.Fatalf("CFITSIO wrote BITPIX %d and the shape %d, the box has %d and %d", v.BITPIX, v.Shape, u.BITPIX, box.Shape())
			}
			return all[v.DataOffset:][:v.DataSize]
		}
	}
	t.Fatal("CFITSIO wrote no image")
	return nil
}

// TestBoxesOfWhatFpackMakes cuts random images of every BITPIX, compressed by fpack in
// its ways and with tiles of random shapes, NaNs and dithering included.
func TestBoxesOfWhatFpackMakes(t *testing.T) {
	fpack, fitscopy := outside.Tool(t, "fpack"), outside.Tool(t, "fitscopy")
	random := rand.New(rand.NewPCG(7, 11))
	for _, images := range []struct {
		bitpix  int
		options []string
	}{
		{8, []string{"-r", "-g1", "-g2", "-p", "-h"}}, {16, []string{"-r", "-g1", "-g2", "-h"}}, {32, []string{"-r", "-g1", "-g2"}},
		{-32, []string{"-r -q 8", "-r -qz 4", "-g1 -q 0", "-g2 -q 0", "-g2 -q 16", "-h -q 8"}}, {-64, []string{"-r -q 8", "-g2 -q 0", "-g1 -q 4"}},
	} {
		bitpix := images.bitpix
		for _, option := range images.options {
			for round := range 3 {
				shape := []int64{20 + random.Int64N(300), 20 + random.Int64N(200)}
				sides := []int64{1 + random.Int64N(shape[0]), 1 + random.Int64N(shape[1])}
				if strings.HasPrefix(option, "-h") {
					sides = []int64{min(shape[0], 8+random.Int64N(60)), min(shape[1], 8+random.Int64N(60))}
				} else if round == 2 {
					shape, sides = append(shape, 3+random.Int64N(4)), append(sides, 1+random.Int64N(3))
				}
				name := fmt.Sprint(bitpix, option, shape, sides)
				t.Run(name, func(t *testing.T) {
					dir := t.TempDir()
					plain := filepath.Join(dir, "plain.fits")
					writeNoise(t, plain, bitpix, shape, random)
					tiles := strings.Trim(strings.ReplaceAll(fmt.Sprint(sides), " ", ","), "[]")
					args := append(strings.Fields(option), "-t", tiles, "-O", plain+".fz", plain)
					outside.Run(t, fpack, args...)
					all, err := os.ReadFile(plain + ".fz")
					if err != nil {
						t.Fatal(err)
					}
					f, err := fits.Open(bytes.NewReader(all), int64(len(all)))
					if err != nil {
						t.Fatal(err)
					}
					if len(f.HDUs) != 2 || f.HDUs[1].Kind != fits.TileCompressed {
						t.Fatal("fpack made no compressed image")
					}
					judge(t, fitscopy, plain+".fz", f, f.HDUs[1], random)
				})
			}
		}
	}
}

// writeNoise writes an image of noise on a slope, small numbers that every algorithm takes,
// with NaNs among floats.
func writeNoise(t *testing.T, name string, bitpix int, shape []int64, random *rand.Rand) {
	t.Helper()
	size := max(bitpix, -bitpix) / 8
	total, _ := pixel.Whole(shape).Bytes(1)
	var data []byte
	for i := range total {
		v := 20*random.NormFloat64() + float64(i%shape[0])/5 + 40
		switch {
		case bitpix == 8:
			data = append(data, byte(max(0, min(v, 255))))
		case bitpix == 16:
			data = binary.BigEndian.AppendUint16(data, uint16(int16(v)))
		case bitpix == 32:
			data = binary.BigEndian.AppendUint32(data, uint32(int32(1000*v)))
		default:
			if random.IntN(40) == 0 {
				v = math.NaN()
			} else if random.IntN(30) == 0 {
				v = 0
			}
			if bitpix == -32 {
				data = binary.BigEndian.AppendUint32(data, math.Float32bits(float32(v)))
			} else {
				data = binary.BigEndian.AppendUint64(data, math.Float64bits(v))
			}
		}
	}
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	err = fits.NewWriter(out).WriteHDU(t.Context(), fits.NewPrimary(bitpix, shape), total*int64(size), func(_ context.Context, emit func([]byte) error) error {
		return emit(data)
	})
	if err != nil {
		t.Fatal(err)
	}
}
