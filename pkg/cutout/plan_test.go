package cutout

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// tan is a tangential projection of 0.001 degrees per pixel around (ra, dec), which is the
// middle of pixel (50, 40).
func tan(ra, dec float64) string {
	return fmt.Sprintf("CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'\nCRVAL1  = %g\nCRVAL2  = %g\nCRPIX1  = 50.0\nCRPIX2  = 40\n"+
		"CDELT1  = -0.001\nCDELT2  = 0.001\nRADESYS = 'ICRS'\n", ra, dec)
}

func primary(shape ...int64) string { return mandatory("SIMPLE  =                    T\n", "", shape) }
func extension(shape ...int64) string {
	return mandatory("XTENSION= 'IMAGE   '\n", "PCOUNT  =                    0\nGCOUNT  =                    1\n", shape)
}

func mandatory(first, last string, shape []int64) string {
	text := fmt.Sprintf("%sBITPIX  = %20d\nNAXIS   = %20d\n", first, 16, len(shape))
	for i, n := range shape {
		text += fmt.Sprintf("NAXIS%d  = %20d\n", i+1, n)
	}
	return text + last
}

// makeFile writes HDUs of images in which pixel n holds n + 1000·HDU: integers, of which the
// lowest bits count, or floats. Tables have such bytes.
func makeFile(t testing.TB, headers ...string) *fits.File {
	t.Helper()
	content := makeBytes(t, headers...)
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func makeBytes(t testing.TB, headers ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := fits.NewWriter(&out)
	for i, text := range headers {
		h, err := fits.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		var shape []int64
		naxis, _, _ := h.Int("NAXIS")
		for j := range naxis {
			n, _, _ := h.Int(fmt.Sprintf("NAXIS%d", j+1))
			shape = append(shape, n)
		}
		var data []byte
		if len(shape) > 0 {
			n, _ := pixel.Product(shape...)
			bitpix, _, _ := h.Int("BITPIX")
			for k := range n {
				if v := k + 1000*int64(i); bitpix == -32 {
					data = binary.BigEndian.AppendUint32(data, math.Float32bits(float32(v)))
				} else {
					data = append(data, binary.BigEndian.AppendUint64(nil, uint64(v))[8-bitpix/8:]...)
				}
			}
		}
		err = w.WriteHDU(context.Background(), h, int64(len(data)), func(_ context.Context, emit func([]byte) error) error { return emit(data) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func mustParse(t testing.TB, text string) stencil.Stencil {
	t.Helper()
	st, err := stencil.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

var source = Provenance{
	ID: "ivo://example.org/dr1?a/b.fits", Object: "gs://dr1/a/b.fits", Generation: "17", Version: "1.2.3",
	Date: time.Date(2026, 11, 21, 20, 30, 0, 0, time.UTC),
}

// cut plans, writes and reads again.
func cut(t testing.TB, file *fits.File, req Request) (*Plan, *fits.File) {
	t.Helper()
	plan, err := New(file, req)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := plan.WriteTo(context.Background(), &out)
	if err != nil || n != int64(out.Len()) || !plan.planned(n) {
		t.Fatalf("wrote %d bytes, counted %d, planned %d: %v", out.Len(), n, plan.Size(), err)
	}
	got, err := fits.Open(bytes.NewReader(out.Bytes()), n)
	if err != nil {
		t.Fatal(err)
	}
	return plan, got
}

// pixels returns the values of an image.
func pixels(t testing.TB, file *fits.File, hdu int) (values []uint16) {
	t.Helper()
	u := file.HDUs[hdu]
	s, err := u.Section(pixel.Whole(u.Shape))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Stream(context.Background(), file.ReaderAt(), func(p []byte) error {
		for ; len(p) > 0; p = p[2:] {
			values = append(values, binary.BigEndian.Uint16(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

const table = "XTENSION= 'BINTABLE'\nBITPIX  =                    8\nNAXIS   =                    2\nNAXIS1  =                    4\nNAXIS2  =                    3\nPCOUNT  =                    0\nGCOUNT  =                    1\nTFIELDS =                    1\nTTYPE1  = 'id      '\nTFORM1  = '1J      '\n"

// A file with two detectors, each with its errors and flags, a point spread function and a
// catalogue; the stencil touches the first detector alone.
func mosaic(t testing.TB) *fits.File {
	return makeFile(t,
		primary()+"EXTEND  = T\nTELESCOP= 'MADE-UP'\nNEXTEND = 8\n",
		extension(100, 80)+"EXTNAME = 'SCI'\nEXTVER  = 1\n"+tan(10, 20),
		extension(100, 80)+"EXTNAME = 'ERR'\nEXTVER  = 1\nLTV1    = -5.5\n",
		extension(100, 80)+"EXTNAME = 'DQ'\nEXTVER  = 1\n",
		extension(100, 80)+"EXTNAME = 'SCI'\nEXTVER  = 2\n"+tan(10.5, 20),
		extension(100, 80)+"EXTNAME = 'DQ'\nEXTVER  = 2\n",
		extension(7, 7)+"EXTNAME = 'PSF'\n",
		table+"EXTNAME = 'CATALOG'\n",
		extension(100, 80)+"EXTNAME = 'BROKEN'\nEXTVER  = 3\n"+strings.Replace(tan(10, 20), "-0.001", "0.0", 1),
	)
}

func TestMosaic(t *testing.T) {
	plan, got := cut(t, mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024"), Source: source})
	box := pixel.Box{Min: []int64{47, 37}, Max: []int64{52, 42}} // 2.4 pixels around pixel (50, 40)
	want := []Part{
		{HDU: 0, Label: "HDU 0", Role: Empty},
		{1, "HDU 1 (SCI)", Cut, box, box},
		{2, "HDU 2 (ERR)", Plane, box, box},
		{3, "HDU 3 (DQ)", Plane, box, box},
	}
	if diff := cmp.Diff(want, plan.Parts()); diff != "" {
		t.Errorf("parts: %s", diff)
	}
	var left []string
	for _, d := range plan.Dropped() {
		left = append(left, d.Label+" "+d.Reason)
	}
	for i, part := range []string{
		"HDU 4 (SCI,2) misses the image by 0.4", "HDU 5 (DQ,2) belongs to HDU 4 (SCI,2), which misses", "HDU 6 (PSF) has no celestial axes",
		"HDU 7 (CATALOG) is a binary table", "HDU 8 (BROKEN,3) cannot be cut: HDU 8 (BROKEN,3): ",
	} {
		if i >= len(left) || !strings.HasPrefix(left[i], part) {
			t.Errorf("left out %q, want %q", left, part)
		}
	}
	for i := 1; i <= 3; i++ {
		var values []uint16
		for y := box.Min[1]; y < box.Max[1]; y++ {
			for x := box.Min[0]; x < box.Max[0]; x++ {
				values = append(values, uint16(x+100*y+1000*int64(i)))
			}
		}
		if diff := cmp.Diff(values, pixels(t, got, i)); diff != "" {
			t.Errorf("pixels of HDU %d: %s", i, diff)
		}
	}
	for _, c := range []struct {
		hdu  int
		card string
	}{
		{0, "DATE    = '2026-11-21T20:30:00' / when this cutout was made (UTC)"},
		{0, "NEXTEND =                    3"},
		{0, "TELESCOP= 'MADE-UP'"},
		{0, "CUTREQ  = 'CIRCLE 10 20 0.0024' / what was asked for"},
		{0, "CUTID   = 'ivo://example.org/dr1?a/b.fits' / identifier of the source"},
		{0, "CUTOBJ  = 'gs://dr1/a/b.fits'  / object that holds the source"},
		{0, "CUTGEN  = '17      '           / generation of that object"},
		{0, "CUTBY   = 'Seltzer 1.2.3'      / software that made this cutout"},
		{0, "HISTORY Seltzer left out HDU 7 (CATALOG): it is a binary table"},
		{1, "CRPIX1  =                  3.0"},
		{1, "CRPIX2  =                    3"},
		{1, "CUTHDU  =                    1 / HDU of the source, from 0"},
		{1, "CUTBOX  = '[48:52,38:42]'      / pixels of the source, from 1"},
		{2, "LTV1    =                -52.5"},
	} {
		if !hasCard(got.HDUs[c.hdu].Header, c.card) {
			t.Errorf("HDU %d lacks the card %q", c.hdu, c.card)
		}
	}
	for _, u := range got.HDUs[1:] {
		if u.Header.Has("DATE") {
			t.Errorf("%s has a DATE, which would make it differ between equal requests", u)
		}
	}
}

func hasCard(h *fits.Header, card string) bool {
	for _, c := range h.Cards() {
		if strings.TrimRight(c.String(), " ") == card {
			return true
		}
	}
	return false
}

func TestOneHDU(t *testing.T) {
	file := mosaic(t)
	number := 4
	plan, _ := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 3"), HDU: &number})
	if p := plan.Parts(); len(p) != 2 || p[0].Role != Empty || p[1].HDU != 4 {
		t.Errorf("%+v, want the primary and HDU 4", p)
	}
	number = 3 // a plane without a sky has that of its image
	plan, _ = cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 3"), HDU: &number})
	if p := plan.Parts(); len(p) != 2 || p[1].HDU != 3 || p[1].Role != Plane {
		t.Errorf("%+v, want the primary and HDU 3", p)
	}
}

// Names tell planes apart where versions do not.
func TestNamedPlanes(t *testing.T) {
	file := makeFile(t, primary(),
		extension(100, 80)+"EXTNAME = 'CCD1_IMAGE'\n"+tan(10, 20),
		extension(100, 80)+"EXTNAME = 'CCD2_IMAGE'\n"+tan(11, 20),
		extension(100, 80)+"EXTNAME = 'ccd1_mask'\n",
		extension(100, 80)+"EXTNAME = 'CCD2_MASK'\n",
	)
	plan, _ := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 11 20 0.01")})
	var numbers []int
	for _, p := range plan.Parts() {
		numbers = append(numbers, p.HDU)
	}
	if want := []int{0, 2, 4}; !slices.Equal(numbers, want) {
		t.Errorf("HDUs %v, want %v", numbers, want)
	}
}

// A section of pixels needs no sky and takes the planes of its image along.
func TestSection(t *testing.T) {
	section, err := pixel.ParseSection("[48:52,38:42]")
	if err != nil {
		t.Fatal(err)
	}
	plan, got := cut(t, mosaic(t), Request{Pixels: section, Source: source})
	box := pixel.Box{Min: []int64{47, 37}, Max: []int64{52, 42}}
	want := []Part{
		{HDU: 0, Label: "HDU 0", Role: Empty}, {1, "HDU 1 (SCI)", Cut, box, box}, {2, "HDU 2 (ERR)", Plane, box, box}, {3, "HDU 3 (DQ)", Plane, box, box},
	}
	if diff := cmp.Diff(want, plan.Parts()); diff != "" {
		t.Errorf("parts: %s", diff)
	}
	if !hasCard(got.HDUs[0].Header, "CUTREQ  = '[48:52,38:42]'      / what was asked for") {
		t.Errorf("%s", got.HDUs[0].Header.Bytes())
	}
	six := 6
	if _, got = cut(t, mosaic(t), Request{Pixels: pixel.Section{}, HDU: &six}); !slices.Equal(got.HDUs[1].Shape, []int64{7, 7}) {
		t.Errorf("shape %d, want the whole point spread function", got.HDUs[1].Shape)
	}
}

// Long values continue, and LONGSTRN says so.
func TestLongStencil(t *testing.T) {
	pos := "POLYGON"
	for i := range 40 {
		s, c := math.Sincos(float64(i) * math.Pi / 20)
		pos += fmt.Sprintf(" %.6f %.6f", 10+0.01*c, 20+0.01*s)
	}
	_, got := cut(t, mosaic(t), Request{Stencil: mustParse(t, pos)})
	h := got.HDUs[0].Header
	if text, _, _ := h.Text("CUTREQ"); text != mustParse(t, pos).String() || !h.Has("LONGSTRN") {
		t.Errorf("CUTREQ %q, LONGSTRN %t", text, h.Has("LONGSTRN"))
	}
}

// A primary with an image stays a primary, or stays behind as an empty one.
func TestPrimary(t *testing.T) {
	file := makeFile(t, primary(100, 80)+tan(10, 20)+"BSCALE  = 2.0\nBZERO   = 32768\nOBSERVER= 'EDWIN'\n", extension(100, 80)+tan(12, 20))
	_, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0001")})
	if len(got.HDUs) != 1 || !slices.Equal(got.HDUs[0].Shape, []int64{1, 1}) || pixels(t, got, 0)[0] != 49+39*100 {
		t.Errorf("%d HDUs, the first of shape %d: want the one pixel (50, 40)", len(got.HDUs), got.HDUs[0].Shape)
	}
	_, got = cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 12 20 0.0001")})
	h := got.HDUs[0].Header
	if len(got.HDUs) != 2 || len(got.HDUs[0].Axes) != 0 || !h.Has("OBSERVER") || h.Has("BSCALE") || h.Has("CTYPE1") {
		t.Errorf("%d HDUs, the first: %s", len(got.HDUs), h.Bytes())
	}
}

// The longitude may be on another axis, and other axes are kept whole.
func TestCube(t *testing.T) {
	text := extension(3, 80, 1, 100) + strings.NewReplacer("CTYPE1", "CTYPE4", "CRVAL1", "CRVAL4", "CRPIX1", "CRPIX4", "CDELT1", "CDELT4").Replace(tan(10, 20))
	plan, got := cut(t, makeFile(t, primary(), text), Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024")})
	if want := (pixel.Box{Min: []int64{0, 37, 0, 47}, Max: []int64{3, 42, 1, 52}}); !cmp.Equal(plan.Parts()[1].Box, want) {
		t.Errorf("box %s, want %s", plan.Parts()[1].Box, want)
	}
	h := got.HDUs[1].Header
	if !hasCard(h, "CRPIX4  =                  3.0") || !hasCard(h, "CRPIX2  =                    3") || h.Has("CRPIX1") {
		t.Errorf("%s", h.Bytes())
	}
}

func TestRefusals(t *testing.T) {
	circle := "CIRCLE 10 20 0.01"
	one, three, nine := 1, 3, 9
	for _, tt := range []struct {
		name string
		file *fits.File
		req  Request
		code fault.Code
		says string
	}{
		{"misses by numbers", makeFile(t, primary(100, 80)+tan(10, 20)), Request{Stencil: mustParse(t, "CIRCLE 10 21 0.5002")},
			fault.NoOverlap, "CIRCLE 10 21 0.5002 misses the image by 0.459 degrees; the image lies within 0.064 degrees of 9.99947 +20.0005"},
		{"misses all", makeFile(t, primary(100, 80)+tan(10, 20), extension(100, 80)+tan(10, 20.9)), Request{Stencil: mustParse(t, "CIRCLE 10 22 0.5002")},
			fault.NoOverlap, "misses all 2 images of the file; of the nearest, HDU 1, it misses the image by 0.559 degrees"},
		{"no sky in one HDU", makeFile(t, primary(100, 80)), Request{Stencil: mustParse(t, circle)},
			fault.Unsupported, "HDU 0 has no celestial axes"},
		{"no sky in any HDU", makeFile(t, primary(), table), Request{Stencil: mustParse(t, circle)},
			fault.Unsupported, "no HDU of the file is an image with celestial axes"},
		{"unreadable beats missed", mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10 40 0.01")}, fault.Corrupt, "HDU 8 (BROKEN,3)"},
		{"no such HDU", mosaic(t), Request{Stencil: mustParse(t, circle), HDU: &nine}, fault.Usage, "HDU 9 of a file with 9: want 0 to 8"},
		{"that HDU misses", mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10.5 20 0.01"), HDU: &one}, fault.NoOverlap, "misses the image by 0.4"},
		{"its plane misses as well", mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10.5 20 0.01"), HDU: &three}, fault.NoOverlap, "misses the image by 0.4"},
		{"compressed, but missed", makeFile(t, primary(), table+"ZIMAGE  = T\nZBITPIX = 16\nZNAXIS  = 2\nZNAXIS1 = 100\nZNAXIS2 = 80\n"+tan(10, 20)),
			Request{Stencil: mustParse(t, "CIRCLE 10 22 0.01")}, fault.NoOverlap, "misses the image by 1.9"},
		{"too large", mosaic(t), Request{Stencil: mustParse(t, circle), Limits: Limits{MaxBytes: 10000}}, fault.TooLarge, "and 10000 are allowed"},
		{"compressed", makeFile(t, primary(), table+"ZIMAGE  = T\nZBITPIX = 16\nZNAXIS  = 2\nZNAXIS1 = 100\nZNAXIS2 = 80\n"+tan(10, 20)),
			Request{Stencil: mustParse(t, circle)}, fault.Unsupported, "ZCMPTYPE = ''"},
		{"lookup table", makeFile(t, primary(100, 80, 2)+tan(10, 20)+"CTYPE3  = 'WAVE-TAB'\n"), Request{Stencil: mustParse(t, circle)}, fault.Unsupported, "CTYPE3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.file, tt.req)
			if !errors.Is(err, tt.code) || !strings.Contains(fault.Sentence(err), tt.says) {
				t.Errorf("%v: want %s and %q", err, tt.code, tt.says)
			}
		})
	}
}

// Equal requests differ in the DATE and CHECKSUM of the first HDU alone.
func TestDeterministic(t *testing.T) {
	file := mosaic(t)
	var outs [2]bytes.Buffer
	for i := range outs {
		s := source
		s.Date = s.Date.Add(time.Duration(i) * time.Hour)
		plan, err := New(file, Request{Stencil: mustParse(t, "CIRCLE 10 20 3"), Source: s})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.WriteTo(t.Context(), &outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	a, b := outs[0].Bytes(), outs[1].Bytes()
	if len(a) != len(b) {
		t.Fatalf("%d and %d bytes", len(a), len(b))
	}
	var differ []string
	for i := 0; i < len(a); i += 80 {
		if !bytes.Equal(a[i:i+80], b[i:i+80]) {
			differ = append(differ, string(a[i:i+8]))
		}
	}
	if want := []string{"CHECKSUM", "DATE    "}; !slices.Equal(differ, want) {
		t.Errorf("cards %q differ, want %q", differ, want)
	}
}

func TestCancelled(t *testing.T) {
	plan, err := New(mosaic(t), Request{Stencil: mustParse(t, "CIRCLE 10 20 3")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plan.WriteTo(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// FuzzCut cuts mutated files: whatever they say, there is an answer of bounded size.
func FuzzCut(f *testing.F) {
	f.Add(makeBytes(f, primary(20, 10)+tan(10, 20)+"CTYPE1A = 'LINEAR'\nCTYPE2A = 'LINEAR'\nCRPIX1A = 1\nCRPIX2A = 1\nLTV1    = 3\n"), "CIRCLE 10.03 19.97 0.001", byte(0), int16(0), int16(0))
	f.Add(makeBytes(f, primary(), extension(20, 10)+"EXTNAME = 'SCI'\n"+tan(10, 20)+"DATASEC = '[1:10,2:5]'\nDETSEC  = '[20:11,2:5]'\nS_REGION= 'x'\n", extension(20, 10)+"EXTNAME = 'DQ'\n"+afw), "RANGE 9 11 19.97 20", byte(2+9*2), int16(0), int16(0))
	f.Add(makeBytes(f, primary(30, 15)+strings.ReplaceAll(strings.ReplaceAll(tan(0, 0), "TAN", "AIT"), "0.001", "12")+"BLANK   = 3\n"), "POLYGON 0 0 90 0 0 90", byte(1+27), int16(0), int16(0))
	f.Add(makeBytes(f, primary(30, 15)+tan(10, 20)+"BLANK   = 3\n", table), "CIRCLE 10.02 20.02 1", byte(9*2+27), int16(30), int16(41))
	f.Fuzz(func(t *testing.T, content []byte, pos string, modes byte, nx, ny int16) {
		st, err := stencil.Parse(pos)
		if err != nil || len(content) > 1<<20 {
			return
		}
		file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		request := Request{
			Stencil: st, Source: source,
			Mask:   []Mask{MaskNone, MaskNaN, MaskPlane}[modes%3],
			Detail: []Detail{DetailPlanes, DetailImage, DetailFull}[modes/3%3],
			Pad:    []Pad{PadNone, PadNaN}[modes/27%2],
			Limits: Limits{MaxBytes: 8 << 20},
		}
		if centre, ok := st.Centre(); ok && nx != 0 {
			request.Stencil, request.Stamp = nil, &Stamp{NX: int64(nx), NY: int64(ny)}
			request.Stamp.RA, request.Stamp.Dec = centre.Degrees()
		}
		plan, err := New(file, request)
		if err != nil {
			if c := fault.CodeOf(err); c == fault.Internal || c == fault.Unavailable {
				t.Errorf("%v", err)
			}
			return
		}
		if limit := 8*file.Size + 1<<20; plan.Size() > limit && request.Pad == PadNone {
			t.Fatalf("a cutout of %d bytes from a file of %d", plan.Size(), file.Size)
		}
		n, err := plan.WriteTo(t.Context(), io.Discard)
		if err != nil || !plan.planned(n) {
			t.Errorf("wrote %d of %d bytes: %v", n, plan.Size(), err)
		}
	})
}

// benchFile makes a file of 4096 × 4096 floats.
func benchFile(b *testing.B) *fits.File {
	b.Helper()
	const side = 4096
	h, err := fits.ParseText("SIMPLE  = T\nBITPIX  = -32\nNAXIS   = 2\nNAXIS1  = 4096\nNAXIS2  = 4096\n" +
		strings.NewReplacer("50.0", "2048.5", "40\n", "2048.5\n").Replace(tan(10, 20)))
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(filepath.Join(b.TempDir(), "bench.fits"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	row := make([]byte, 4*side)
	err = fits.NewWriter(f).WriteHDU(b.Context(), h, side*side*4, func(_ context.Context, emit func([]byte) error) error {
		for y := range side {
			for x := range side {
				binary.BigEndian.PutUint32(row[4*x:], math.Float32bits(float32(x*y%977)))
			}
			if err := emit(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	file, err := fits.Open(f, info.Size())
	if err != nil {
		b.Fatal(err)
	}
	return file
}

// benchStencil is a circle that touches n by n pixels.
func benchStencil(b testing.TB, n int64) stencil.Stencil {
	return mustParse(b, fmt.Sprintf("CIRCLE 10 20 %g", (float64(n)/2-0.25)*0.001))
}

// benchCut plans and writes as a server does that knows the file's index.
func benchCut(b *testing.B, file *fits.File, st stencil.Stencil, n int64, mask Mask, out *bytes.Buffer) {
	plan, err := New(file, Request{Stencil: st, Mask: mask, Source: source})
	if err != nil || plan.parts[0].Box.Size(0) != n {
		b.Fatal(plan, err)
	}
	out.Reset()
	if _, err := plan.WriteTo(b.Context(), out); err != nil {
		b.Fatal(err)
	}
}

// A cutout of a file that is known takes few allocations, however large it is.
func TestAllocations(t *testing.T) {
	file := makeFile(t, float(primary(100, 80))+tan(10, 20))
	st := mustParse(t, "CIRCLE 10 20 0.03")
	var out bytes.Buffer
	request := Request{Stencil: st, Source: source}
	request.Source.RequestText = "CIRCLE=10 20 0.03"
	n := testing.AllocsPerRun(100, func() {
		plan, err := New(file, request)
		if err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if _, err := plan.WriteTo(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations", n)
	if n > 60 { // 31, and some more where the race detector empties pools
		t.Errorf("%.0f allocations, want at most 60", n)
	}
}

func BenchmarkCut(b *testing.B) {
	file := benchFile(b)
	for _, n := range []int64{64, 256, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var out bytes.Buffer
			st := benchStencil(b, n)
			b.ReportAllocs()
			for b.Loop() {
				benchCut(b, file, st, n, MaskNone, &out)
			}
		})
	}
}

// BenchmarkMask cuts with a mask and without, in turn, and compares the medians.
func BenchmarkMask(b *testing.B) {
	file := benchFile(b)
	for _, n := range []int64{64, 256, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var out bytes.Buffer
			st := benchStencil(b, n)
			times := make(map[Mask][]time.Duration)
			for b.Loop() {
				for _, mask := range []Mask{MaskNone, MaskNaN} {
					start := time.Now()
					benchCut(b, file, st, n, mask, &out)
					times[mask] = append(times[mask], time.Since(start))
				}
			}
			median := func(mask Mask) float64 {
				slices.Sort(times[mask])
				return times[mask][len(times[mask])/2].Seconds() * 1000
			}
			b.ReportMetric(median(MaskNone), "plain-ms")
			b.ReportMetric(median(MaskNaN), "masked-ms")
			b.ReportMetric(median(MaskNaN)/median(MaskNone), "ratio")
		})
	}
}
