package fits_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// scenery are big-endian pixels with a bit of everything: noise on a slope, constant parts,
// the extremes of integers, and NaN, zeros and large numbers among floats.
func scenery(random *rand.Rand, bitpix int, pixels int64) (data []byte) {
	for i := range pixels {
		v := 20*random.NormFloat64() + float64(i%100)/5 + 40
		switch part := 8 * i / pixels; {
		case part == 2:
			v = 7
		case part == 5 && bitpix > 0 && random.IntN(9) == 0:
			v = []float64{math.Inf(1), math.Inf(-1)}[random.IntN(2)]
		case part == 6 && bitpix < 0 && random.IntN(9) == 0:
			v = []float64{math.NaN(), 0, 1e6}[random.IntN(3)]
		}
		switch bitpix {
		case 8:
			data = append(data, byte(max(0, min(v, 255))))
		case 16:
			data = binary.BigEndian.AppendUint16(data, uint16(int16(max(math.MinInt16, min(v, math.MaxInt16)))))
		case 32:
			data = binary.BigEndian.AppendUint32(data, uint32(int32(max(math.MinInt32, min(1000*v, math.MaxInt32)))))
		case 64:
			data = binary.BigEndian.AppendUint64(data, uint64(int64(max(-1e18, min(1e12*v, 1e18)))))
		case -32:
			data = binary.BigEndian.AppendUint32(data, math.Float32bits(float32(v)))
		case -64:
			data = binary.BigEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	return data
}

// inPieces passes data on in pieces of all sizes.
func inPieces(data []byte, random *rand.Rand) fits.Data {
	return func(_ context.Context, emit func([]byte) error) error {
		for rest := data; len(rest) > 0; {
			n := min(1+random.IntN(100_000), len(rest))
			if err := emit(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	}
}

// writeCompressed writes an image as the extension of a file.
func writeCompressed(t testing.TB, h *fits.Header, how fits.Compression, data fits.Data) (*fits.File, []byte) {
	t.Helper()
	var out bytes.Buffer
	w := fits.NewWriter(&out)
	err := w.WriteHDU(t.Context(), fits.NewPrimary(8, nil), 0, nil)
	if err == nil {
		err = w.WriteCompressed(t.Context(), h, how, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := fits.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f, out.Bytes()
}

// pixelsOf reads all pixels of an image.
func pixelsOf(t testing.TB, f *fits.File, u *fits.HDU) []byte {
	t.Helper()
	got, err := readBox(f, u, pixel.Whole(u.Shape), fits.Local)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every program reads what is written, and reads what is decoded here.
func TestCompressedImagesAreReadByAll(t *testing.T) {
	fitscopy, funpack, fitsverify := outside.Tool(t, "fitscopy"), outside.Tool(t, "funpack"), outside.Tool(t, "fitsverify")
	python := outside.Python(t, "astropy", "numpy", "fitsio")
	random := rand.New(rand.NewPCG(21, 22))
	dir := t.TempDir()
	names := []string{"-W", "error", "-c", readers}
	for i, shape := range [][]int64{{300, 200}, {400, 250}, {70_001, 3}, {1, 1, 5000}, {90, 80, 12}, {300, 500, 3}, {7, 3}, {150_000}, {1}} {
		for j, bitpix := range []int{8, 16, 32, 64, -32, -64} {
			for k, how := range []fits.Compression{fits.GZIP2, fits.Rice} {
				if bitpix == 64 && how == fits.Rice || i > 0 && (i+j+k)%2 > 0 {
					continue
				}
				name := fmt.Sprintf("%v %d %s", shape, bitpix, how)
				pixels, _ := pixel.Product(shape...)
				data := scenery(random, bitpix, pixels)
				h := fits.NewImage(bitpix, shape)
				if len(shape) == 2 {
					h = fits.NewPrimary(bitpix, shape)
				}
				if err := h.Set("OBJECT", name, "what is written"); err != nil {
					t.Fatal(err)
				}
				f, file := writeCompressed(t, h, how, inPieces(data, random))
				path := filepath.Join(dir, fmt.Sprintf("%d.fits", len(names)))
				u := f.HDUs[1]
				decoded := pixelsOf(t, f, u)
				if lossy := bitpix < 0 && how == fits.Rice; !lossy && !bytes.Equal(decoded, data) {
					t.Errorf("%s: other pixels came back", name)
				}
				if err := errors.Join(os.WriteFile(path, file, 0o600), os.WriteFile(path+".raw", decoded, 0o600)); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command(fitsverify, path).CombinedOutput(); err != nil || !strings.Contains(string(out), "found 0 warning(s) and 0 error(s)") {
					t.Errorf("%s: fitsverify: %v\n%s", name, err, out)
				}
				if bitpix == 64 {
					continue // which CFITSIO does not decompress
				}
				names = append(names, path)
				box := pixel.Whole(u.Shape)
				if err := outside.SamePixels(decoded, cfitsioBox(t, fitscopy, path, u, box), bitpix); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				outside.Run(t, funpack, "-O", path+".unpacked", path)
				unpacked, err := os.ReadFile(path + ".unpacked")
				if err != nil {
					t.Fatal(err)
				}
				g, err := fits.Open(bytes.NewReader(unpacked), int64(len(unpacked)))
				if err != nil {
					t.Fatal(err)
				}
				number := slices.IndexFunc(g.HDUs, (*fits.HDU).Image)
				v := g.HDUs[number]
				if err := outside.SamePixels(pixelsOf(t, g, v), decoded, bitpix); err != nil {
					t.Errorf("%s: funpack: %v", name, err)
				}
				if object, _, _ := v.Header.Text("OBJECT"); object != name || (number == 0) != (len(shape) == 2) {
					t.Errorf("%s: funpack makes it HDU %d with OBJECT = %q", name, number, object)
				}
			}
		}
	}
	outside.Run(t, python, names...)
}

// readers compares what astropy, with the sums, and fitsio read with the pixels beside each
// file. These versions lose NaN of quantised tiles, which read as numbers there.
const readers = `
import sys, warnings
import numpy as np
import fitsio
from astropy.io import fits
for path in sys.argv[1:]:
    with fits.open(path, checksum=True, do_not_scale_image_data=True) as f:
        h, got = f[1].header, f[1].data
        kind = got.dtype.newbyteorder('>')
        want = np.fromfile(path + '.raw', kind).reshape(got.shape)
        quantised = fitsio.read_header(path, ext=1).get('ZQUANTIZ', 'NONE') != 'NONE'
        for program, pixels in (('astropy', got), ('fitsio', fitsio.read(path, ext=1) if h['BITPIX'] != 64 else got)):
            wrong = pixels != want
            if want.dtype.kind == 'f':
                wrong &= ~np.isnan(want) if quantised else ~(np.isnan(want) & np.isnan(pixels))
            if wrong.any():
                sys.exit(f'{path}, {h["OBJECT"]}: {program} reads {wrong.sum()} other pixels of {wrong.size}, first {pixels[wrong][0]} for {want[wrong][0]}')
`

// What does not fit memory is compressed twice, and found out if it changes meanwhile.
func TestLargeCompressedImagesAreMadeTwice(t *testing.T) {
	shape := []int64{5000, 9000} // noise of 8 bits, which does not shrink
	h := fits.NewImage(8, shape)
	data := make([]byte, 45_000_000)
	random := rand.New(rand.NewPCG(23, 24))
	for i := 0; i < len(data); i += 8 {
		binary.BigEndian.PutUint64(data[i:], random.Uint64())
	}
	for _, changes := range []bool{false, true} {
		passes := 0
		file, err := os.Create(filepath.Join(t.TempDir(), "large.fits"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		w := fits.NewWriter(file)
		err = w.WriteHDU(t.Context(), fits.NewPrimary(8, nil), 0, nil)
		if err == nil {
			err = w.WriteCompressed(t.Context(), h, fits.Rice, func(ctx context.Context, emit func([]byte) error) error {
				passes++
				if changes && passes == 2 {
					data[len(data)-1] ^= 0xff
				}
				return inPieces(data, random)(ctx, emit)
			})
		}
		if changes {
			if !errors.Is(err, fault.Unavailable) {
				t.Errorf("pixels that change: %v, want Unavailable", err)
			}
			continue
		}
		if err != nil || passes != 2 {
			t.Fatalf("%d passes, %v; want 2", passes, err)
		}
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		f, err := fits.Open(file, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pixelsOf(t, f, f.HDUs[1]), data) {
			t.Error("other pixels came back")
		}
		outside.Run(t, outside.Python(t, "astropy"), "-W", "error", "-c", "import sys; from astropy.io import fits\nwith fits.open(sys.argv[1], checksum=True, disable_image_compression=True) as f: f[1].data", file.Name())
	}
}

func TestWhatCannotBeCompressedIsRefused(t *testing.T) {
	stop := errors.New("stop")
	ten := fits.NewImage(16, []int64{5, 2})
	table := fits.NewImage(8, []int64{8, 1})
	if err := table.Set("XTENSION", "BINTABLE", ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		h    *fits.Header
		how  fits.Compression
		data []byte
		err  error
		want error
	}{
		{"no pixels", fits.NewImage(16, nil), fits.Rice, nil, nil, fault.Internal},
		{"a table", table, fits.GZIP2, make([]byte, 8), nil, fault.Internal},
		{"64-bit integers by Rice", fits.NewImage(64, []int64{5}), fits.Rice, make([]byte, 40), nil, fault.Unsupported},
		{"an unknown compression", ten, "LOSSY_9", make([]byte, 20), nil, fault.Unsupported},
		{"too few pixels", ten, fits.Rice, make([]byte, 18), nil, fault.Internal},
		{"too many", ten, fits.Rice, make([]byte, 22), nil, fault.Internal},
		{"an error while they are read", ten, fits.Rice, make([]byte, 20), stop, stop},
	} {
		w := fits.NewWriter(new(bytes.Buffer))
		err := w.WriteHDU(t.Context(), fits.NewPrimary(8, nil), 0, nil)
		if err == nil {
			err = w.WriteCompressed(t.Context(), tt.h, tt.how, func(_ context.Context, emit func([]byte) error) error {
				return errors.Join(emit(tt.data), tt.err)
			})
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := fits.NewWriter(new(bytes.Buffer)).WriteCompressed(t.Context(), ten, fits.Rice, inPieces(make([]byte, 20), rand.New(rand.NewPCG(1, 1)))); !errors.Is(err, fault.Internal) {
		t.Errorf("as the first HDU: %v, want Internal", err)
	}
}

// FuzzCompress writes images of any shape and reads them back.
func FuzzCompress(f *testing.F) {
	f.Add([]byte("noise of some kind"), uint16(3), uint16(2), uint8(1), uint8(0))
	f.Add(make([]byte, 1000), uint16(70), uint16(9), uint8(4), uint8(1))
	f.Add([]byte("\x7f\xc0\x00\x00\x7f\x80\x00\x00\x3f\x80\x00\x00"), uint16(65_535), uint16(3), uint8(4), uint8(1))
	f.Fuzz(func(t *testing.T, seed []byte, nx, ny uint16, kind, way uint8) {
		bitpix := []int{8, 16, 32, 64, -32, -64}[kind%6]
		how := []fits.Compression{fits.GZIP2, fits.Rice}[way%2]
		shape := []int64{1 + int64(nx), 1 + int64(ny)%(1+1<<18/(1+int64(nx)))}
		total, _ := pixel.Product(shape[0], shape[1], int64(max(bitpix, -bitpix)/8))
		data := bytes.Repeat(append(seed, 0), int(total)/(len(seed)+1)+1)[:total]
		if bitpix == 64 && how == fits.Rice {
			how = fits.GZIP2
		}
		random := rand.New(rand.NewPCG(uint64(nx), uint64(ny)))
		file, first := writeCompressed(t, fits.NewImage(bitpix, shape), how, inPieces(data, random))
		got := pixelsOf(t, file, file.HDUs[1])
		if bitpix < 0 && how == fits.Rice {
			for i, j := 0, -bitpix/8; i < len(got); i, j = j, j-bitpix/8 {
				if outside.IsNaN(got[i:j]) != outside.IsNaN(data[i:j]) {
					t.Fatalf("pixel number %d is % x, was % x", i, got[i:j], data[i:j])
				}
			}
		} else if !bytes.Equal(got, data) {
			t.Fatal("other pixels came back")
		}
		if _, second := writeCompressed(t, fits.NewImage(bitpix, shape), how, inPieces(data, random)); !bytes.Equal(first, second) {
			t.Fatal("written again, the bytes are others")
		}
	})
}
