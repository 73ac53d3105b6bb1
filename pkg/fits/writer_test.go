package fits

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
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

	"codeberg.org/astrogo/fitsio"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// pieces returns the data as a producer of pieces of uneven size.
func pieces(data []byte) Data {
	return func(_ context.Context, emit func([]byte) error) error {
		for n, rest := 1, data; len(rest) > 0; n = n*2%100_003 + 1 {
			k := min(n, len(rest))
			if err := emit(rest[:k]); err != nil {
				return err
			}
			rest = rest[k:]
		}
		return nil
	}
}

// sample is one HDU to write.
type sample struct {
	header *Header
	data   []byte
}

// samples returns an HDU of each BITPIX and shape that matters, a table of each kind, and
// one with more data than are buffered.
func samples(t testing.TB) []sample {
	t.Helper()
	var all []sample
	for i, bitpix := range bitpixes {
		shape := [][]int64{{13, 7}, {5}, {6, 5, 4}, {3, 3, 1, 2}, {721, 1}, {33, 32}}[i]
		_, data := file(uint64(i), bitpix, shape)
		finite(data, bitpix)
		h := NewImage(bitpix, shape)
		if i == 0 {
			h = NewPrimary(bitpix, shape)
		}
		h = with(t, h, "EXTNAME", fmt.Sprintf("IMAGE%d", i))
		h.AddHistory("written by a test")
		all = append(all, sample{h, data})
	}
	long := with(t, NewImage(8, nil), "ORIGIN", strings.Repeat("It's a long story. ", 20))
	long = with(t, long, "LONGSTRN", "OGIP 1.0") // or fitsverify warns
	long = with(t, long, "ESO DET CHIP ID", "CCD-44")
	all = append(all, sample{with(t, long, "CHECKSUM", "stale"), nil})

	table := NewImage(8, []int64{8, 1})
	for _, card := range []struct {
		key   string
		value any
	}{{"XTENSION", "BINTABLE"}, {"PCOUNT", 5}, {"TFIELDS", 1}, {"TTYPE1", "A"}, {"TFORM1", "1PB(5)"}} {
		table = with(t, table, card.key, card.value)
	}
	all = append(all, sample{table, []byte("\x00\x00\x00\x05\x00\x00\x00\x00HEAP!")})
	ascii := NewImage(8, []int64{4, 3})
	for _, card := range []struct {
		key   string
		value any
	}{{"XTENSION", "TABLE"}, {"TFIELDS", 1}, {"TTYPE1", "A"}, {"TBCOL1", 1}, {"TFORM1", "I4"}} {
		ascii = with(t, ascii, card.key, card.value)
	}
	all = append(all, sample{ascii, []byte("   1   2  -3")})

	shape := []int64{6001, 5999} // 36 MB, more than maxBuffered
	_, data := file(99, 8, shape)
	return append(all, sample{NewImage(8, shape), data})
}

// finite makes ordinary numbers of floating-point noise, so that programs can compare
// them by value; one NaN stays in each image.
func finite(data []byte, bitpix int) {
	rng := rand.New(rand.NewPCG(7, 7))
	switch bitpix {
	case -32:
		for i := 0; i < len(data); i += 4 {
			binary.BigEndian.PutUint32(data[i:], math.Float32bits(float32(rng.NormFloat64())))
		}
		binary.BigEndian.PutUint32(data, math.Float32bits(float32(math.NaN())))
	case -64:
		for i := 0; i < len(data); i += 8 {
			binary.BigEndian.PutUint64(data[i:], math.Float64bits(rng.NormFloat64()))
		}
		binary.BigEndian.PutUint64(data, math.Float64bits(math.NaN()))
	}
}

// written writes the samples to a file in memory and one on disk.
func written(t testing.TB, all []sample) (data []byte, name string) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for i, s := range all {
		if err := w.WriteHDU(t.Context(), s.header, int64(len(s.data)), pieces(s.data)); err != nil {
			t.Fatalf("HDU %d: %v", i, err)
		}
	}
	name = filepath.Join(t.TempDir(), "written.fits")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), name
}

func TestWrittenFileReadsBack(t *testing.T) {
	all := samples(t)
	data, _ := written(t, all)
	x, err := ReadIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(x.HDUs) != len(all) || x.Trailing != 0 || x.Size%blockSize != 0 {
		t.Fatalf("%d HDUs, %d bytes trailing of %d; want %d HDUs in whole blocks", len(x.HDUs), x.Trailing, x.Size, len(all))
	}
	for i, u := range x.HDUs {
		if got := data[u.DataOffset:][:u.DataSize]; !bytes.Equal(got, all[i].data) {
			t.Errorf("%s: the data differ", u)
		}
		var s sum
		s.add(data[u.HeaderOffset:padded(u.DataOffset+u.DataSize)])
		if s.value() != math.MaxUint32 { // -0, appendix J
			t.Errorf("%s: the HDU adds up to %#x, want -0", u, s.value())
		}
	}
	if got, want := x.HDUs[6].Header, all[6].header; !bytes.Equal(got.Bytes()[:7*cardSize], want.Bytes()[:7*cardSize]) {
		t.Error("the cards before the sums changed")
	}
}

func TestFitsverifyFindsNoFault(t *testing.T) {
	program := outside.Tool(t, "fitsverify")
	_, name := written(t, samples(t))
	out, err := exec.CommandContext(t.Context(), program, name).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("found 0 warning(s) and 0 error(s)")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// asPixels is what scripts/golden/pixels.py prints of an HDU.
type asPixels struct {
	Shape  []int64
	Pixels string // of images, base64 of little-endian float64
	Text   string // the ORIGIN card, if any
}

func TestAstropyAndAstrogoReadTheSame(t *testing.T) {
	all := samples(t)
	data, name := written(t, all)
	var want []asPixels
	if err := json.Unmarshal(python(t, filepath.Join("..", "..", "scripts", "golden", "pixels.py"), name), &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(all) {
		t.Fatalf("astropy reads %d HDUs, want %d", len(want), len(all))
	}
	if origin, _, _ := all[6].header.Text("ORIGIN"); want[6].Text != origin {
		t.Errorf("astropy reads ORIGIN = %q, want %q", want[6].Text, origin)
	}
	// astrogo reads images; of tables it wants more cards than these samples have.
	f, err := fitsio.Open(bytes.NewReader(data[:imagesEnd(t, data)]))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 6 {
		img, ok := f.HDU(i).(fitsio.Image)
		if !ok {
			t.Fatalf("astrogo reads HDU %d as %T, want an image", i, f.HDU(i))
		}
		var shape []int64
		for _, n := range img.Header().Axes() {
			shape = append(shape, int64(n))
		}
		if !slices.Equal(shape, want[i].Shape) {
			t.Errorf("HDU %d: astrogo reads the shape %d, astropy %d", i, shape, want[i].Shape)
		}
		raw, err := base64.StdEncoding.DecodeString(want[i].Pixels)
		if err != nil {
			t.Fatal(err)
		}
		got := astrogoPixels(t, img)
		if len(got) == 0 || len(got)*8 != len(raw) {
			t.Fatalf("HDU %d: astrogo reads %d pixels, astropy %d", i, len(got), len(raw)/8)
		}
		for j, g := range got {
			if w := math.Float64frombits(binary.LittleEndian.Uint64(raw[8*j:])); g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
				t.Fatalf("HDU %d, pixel %d: astrogo reads %g, astropy %g", i, j, g, w)
			}
		}
	}
}

// imagesEnd returns where the six images end.
func imagesEnd(t *testing.T, data []byte) int64 {
	t.Helper()
	x, err := ReadIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return x.HDUs[6].HeaderOffset
}

// astrogoPixels returns the pixels of an image as astrogo decodes them.
func astrogoPixels(t *testing.T, img fitsio.Image) []float64 {
	t.Helper()
	switch bitpix := img.Header().Bitpix(); bitpix {
	case 8:
		return readAs[uint8](t, img)
	case 16:
		return readAs[int16](t, img)
	case 32:
		return readAs[int32](t, img)
	case 64:
		return readAs[int64](t, img)
	case -32:
		return readAs[float32](t, img)
	default:
		return readAs[float64](t, img)
	}
}

func readAs[T uint8 | int16 | int32 | int64 | float32 | float64](t *testing.T, img fitsio.Image) []float64 {
	t.Helper()
	size := 1
	for _, n := range img.Header().Axes() {
		size *= n
	}
	raw := make([]T, size)
	if err := img.Read(&raw); err != nil {
		t.Fatal(err)
	}
	values := make([]float64, len(raw))
	for i, v := range raw {
		values[i] = float64(v)
	}
	return values
}

func TestSumOfPieces(t *testing.T) {
	_, data := file(11, 8, []int64{2880 * 3})
	var whole uint64
	for i := 0; i < len(data); i += 4 {
		whole += uint64(binary.BigEndian.Uint32(data[i:]))
	}
	want := uint32(fold(whole))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s sum
		for rest := data; len(rest) > 0; {
			n := min(rng.IntN(50), len(rest))
			s.add(rest[:n])
			rest = rest[n:]
		}
		if s.value() != want {
			t.Fatalf("in pieces %#x, want %#x", s.value(), want)
		}
	}
}

// The example of the FITS Standard 4.0, appendix J: the sum 868229149, complemented.
func TestEncodeTheStandardsExample(t *testing.T) {
	if got, want := encode(^uint32(868229149)), "hcHjjc9ghcEghc9g"; string(got[:]) != want {
		t.Errorf("encode = %s, want %s", got, want)
	}
}

func TestWriteHDURefuses(t *testing.T) {
	ten := zeros(10)
	primary := NewPrimary(8, []int64{10})
	for _, tt := range []struct {
		name   string
		header *Header
		size   int64
		data   Data
		code   fault.Code
	}{
		{"an extension first", NewImage(8, []int64{10}), 10, pieces(ten), fault.Internal},
		{"no header", new(Header), 10, pieces(ten), fault.Internal},
		{"a size that differs from the header", primary, 11, pieces(zeros(11)), fault.Internal},
		{"too little data", primary, 10, pieces(zeros(9)), fault.Internal},
		{"too much data", primary, 10, pieces(zeros(11)), fault.Internal},
		{"BITPIX = 9", with(t, primary.Clone(), "BITPIX", 9), 10, pieces(ten), fault.Corrupt},
	} {
		var out bytes.Buffer
		err := NewWriter(&out).WriteHDU(t.Context(), tt.header, tt.size, tt.data)
		if !errors.Is(err, tt.code) || out.Len() > 0 {
			t.Errorf("%s: %v and %d bytes written; want %s and none", tt.name, err, out.Len(), tt.code)
		}
	}
	w := NewWriter(new(bytes.Buffer))
	if err := w.WriteHDU(t.Context(), primary, 10, pieces(ten)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteHDU(t.Context(), primary, 10, pieces(ten)); !errors.Is(err, fault.Internal) {
		t.Errorf("a second primary: %v, want fault.Internal", err)
	}
}

func TestLargeDataAreProducedTwiceAndCompared(t *testing.T) {
	const size = maxBuffered + 1
	block, passes := zeros(1<<20), 0
	produce := func(change byte) Data {
		passes = 0
		return func(_ context.Context, emit func([]byte) error) error {
			passes++
			block[0] = change * byte(passes)
			for n := int64(size); n > 0; n -= int64(len(block)) {
				if err := emit(block[:min(n, int64(len(block)))]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	h := NewPrimary(8, []int64{size})
	var out bytes.Buffer
	if err := NewWriter(&out).WriteHDU(t.Context(), h, size, produce(0)); err != nil || passes != 2 {
		t.Fatalf("%v after %d passes, want 2", err, passes)
	}
	if want := int64(len(h.Bytes())) + padded(size); int64(out.Len()) != want {
		t.Errorf("%d bytes, want %d", out.Len(), want)
	}
	if err := NewWriter(new(bytes.Buffer)).WriteHDU(t.Context(), h, size, produce(1)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("data that change: %v, want fault.Unavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewWriter(new(bytes.Buffer)).WriteHDU(ctx, h, size, produce(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want context.Canceled", err)
	}
}

func TestSectionIntoFile(t *testing.T) {
	shape := []int64{50, 40}
	all, pixels := file(8, 32, shape)
	x, err := ReadIndex(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	box := pixel.Box{Min: []int64{3, 4}, Max: []int64{23, 14}}
	s, err := x.HDUs[0].Section(box)
	if err != nil {
		t.Fatal(err)
	}
	h := x.HDUs[0].Header.Clone()
	if err := h.SetShape(32, box.Shape()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = NewWriter(&out).WriteHDU(t.Context(), h, s.Size(), func(ctx context.Context, emit func([]byte) error) error {
		return s.Stream(ctx, bytes.NewReader(all), emit)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes()[2880:][:s.Size()], naive(pixels, 32, shape, box)) {
		t.Error("the pixels differ from the naive cut")
	}
}
