package cutout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// fpacked compresses images by fpack, with noise in those of floats.
func fpacked(t *testing.T, options string, headers ...string) *fits.File {
	t.Helper()
	plain := filepath.Join(t.TempDir(), "plain.fits")
	content := makeBytes(t, headers...)
	plainly, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(31, 32))
	for _, u := range plainly.HDUs {
		for i := int64(0); i < u.DataSize && u.BITPIX == -32; i += 4 {
			binary.BigEndian.PutUint32(content[u.DataOffset+i:], math.Float32bits(float32(100+10*r.NormFloat64())))
		}
	}
	if err := os.WriteFile(plain, content, 0o600); err != nil {
		t.Fatal(err)
	}
	outside.Run(t, outside.Tool(t, "fpack"), append(strings.Fields(options), "-O", plain+".fz", plain)...)
	content, err = os.ReadFile(plain + ".fz")
	if err != nil {
		t.Fatal(err)
	}
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Tiles that are copied are read, by CFITSIO and here, as the same pixels are that are
// decoded from the source; where that cannot be, they are refused.
func TestTilesAsTheyAre(t *testing.T) {
	fitscopy, funpack, fitsverify, python := outside.Tool(t, "fitscopy"), outside.Tool(t, "funpack"), outside.Tool(t, "fitsverify"), outside.Python(t, "astropy")
	integers, floats := primary(100, 80)+tan(10, 20), float(primary(100, 80))+tan(10, 20)
	cube := float(primary(100, 80, 6)) + tan(10, 20)
	dir := t.TempDir()
	for i, tt := range []struct {
		name    string
		options string
		header  string
		pixels  string
		box     string // of the cutout; "": refused
	}{
		{"RICE_1 of rows", "-r", integers, "[20:30,41:50]", "[1:100,41:50]"},
		{"RICE_1 of squares", "-r -t 16,16", integers, "[20:30,41:50]", "[17:32,33:64]"},
		{"at the far edges", "-r -t 16,16", integers, "[98:99,70:80]", "[97:100,65:80]"},
		{"GZIP_1", "-g1 -t 30,7", integers, "[20:30,41:50]", "[1:30,36:56]"},
		{"PLIO_1", "-p -t 30,7", integers, "[20:31,41:50]", "[1:60,36:56]"},
		{"HCOMPRESS_1", "-h -t 30,20", integers, "[20:30,41:50]", "[1:30,41:60]"},
		{"GZIP_2 of floats", "-g2 -q 0 -t 33,33", floats, "[34:34,34:34]", "[34:66,34:66]"},
		{"not dithered", "-r -q0 4 -t 33,33", floats, "[30:40,30:40]", "[1:66,1:66]"},
		{"dithered rows", "-r -q77 4", floats, "[30:40,30:40]", "[1:100,30:40]"},
		{"dithered, whole rows of tiles", "-r -qz9999 4 -t 33,33", floats, "[1:100,40:70]", "[1:100,34:80]"},
		{"dithered, part of a row of tiles", "-r -q77 4 -t 33,33", floats, "[40:70,40:50]", "[34:99,34:66]"},
		{"dithered, two by two tiles", "-r -q77 4 -t 33,33", floats, "[30:40,30:40]", ""},
		{"a cube of dithered rows", "-r -q77 4", cube, "[*,10:20,2:2]", "[1:100,10:20,2:2]"},
		{"rows of two planes", "-r -q77 4", cube, "[*,10:20,2:3]", ""},
		{"two planes", "-r -q77 4", cube, "[*,*,2:3]", "[1:100,1:80,2:3]"},
	} {
		file := fpacked(t, tt.options, tt.header)
		req := Request{Pixels: mustSection(t, tt.pixels), Compress: CompressAsIs, Source: source}
		plan, err := New(file, req)
		if tt.box == "" {
			if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "do not follow each other") || !strings.Contains(err.Error(), "COMPRESS=gzip2") {
				t.Errorf("%s: %v, want Unsupported", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.fits", i))
		save(t, plan, path)
		_, got := cut(t, file, req)
		u := got.HDUs[1]
		if box, _, _ := u.Header.Text("CUTBOX"); box != tt.box || u.Kind != fits.TileCompressed || !u.Header.Has("CUTTILES") {
			t.Errorf("%s: CUTBOX = %s, a %s, want %s of tiles", tt.name, box, u.Kind, tt.box)
		}
		_, want := cut(t, file, Request{Pixels: mustSection(t, tt.box), Compress: CompressNone, Source: source})
		pix := decoded(t, want, 1)
		if !bytes.Equal(decoded(t, got, 1), pix) {
			t.Errorf("%s: other pixels", tt.name)
		}
		if a, b := imageCards(t, u), imageCards(t, want.HDUs[1]); a != b {
			t.Errorf("%s: the cards\n%s\nwant\n%s", tt.name, a, b)
		}
		for _, args := range [][]string{{fitscopy, path + "[1][*,*" + strings.Repeat(",*", len(u.Shape)-2) + "]"}, {funpack, "-O", path + ".unpacked", path}} {
			if tile, _, _ := u.Header.Int("ZTILE1"); args[0] == funpack && tile < u.Shape[0] && u.BITPIX < 0 {
				continue // which puts the pixels of narrow tiles into wrong places
			}
			copied := path + ".unpacked"
			if len(args) == 2 {
				copied = path + ".copied"
				args = append(args, copied)
			}
			outside.Run(t, args[0], args[1:]...)
			content, err := os.ReadFile(copied)
			if err != nil {
				t.Fatal(err)
			}
			f, err := fits.Open(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(decoded(t, f, len(f.HDUs)-1), pix) {
				t.Errorf("%s: %s reads other pixels", tt.name, filepath.Base(args[0]))
			}
		}
		if said := outside.Run(t, fitsverify, "-e", path); !strings.Contains(said, " 0 error(s)") {
			t.Errorf("%s: %s", tt.name, said)
		}
	}
	outside.Run(t, python, "-W", "error", "-c", `
import glob, sys
from astropy.io import fits
for path in glob.glob(sys.argv[1] + '/*.fits'):
    with fits.open(path, checksum=True, memmap=False, disable_image_compression=True) as f:
        f.verify('exception')
        for hdu in f:
            hdu.data
`, dir)
}

// Images that show the same are widened together, whichever their tiles are, and those that
// are not compressed too.
func TestTilesOfAnExposure(t *testing.T) {
	headers := exposure(afw)
	for _, tt := range []struct {
		options string
		box     string
	}{{"-g2 -q 0 -t 32,32", "[33:64,33:64]"}, {"-g2 -q 0", "[1:100,38:42]"}} {
		file := fpacked(t, tt.options, headers...)
		_, got := cut(t, file, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0022"), Compress: CompressAsIs})
		if len(got.HDUs) != 4 {
			t.Fatalf("%v", got.HDUs)
		}
		for _, u := range got.HDUs[1:] {
			if box, _, _ := u.Header.Text("CUTBOX"); box != tt.box {
				t.Errorf("%s: %s has the box %s, want %s", tt.options, u, box, tt.box)
			}
		}
	}
}

func TestChangedTilesAreRefused(t *testing.T) {
	file := fpacked(t, "-g2 -q 0", exposure(afw)...)
	for _, tt := range []struct {
		change func(*Request)
		text   string
	}{
		{func(r *Request) { r.Mask = MaskNaN }, "leave MASK out"},
		{func(r *Request) { r.Mask = MaskPlane }, "leave MASK out"},
		{func(r *Request) { r.Pad = PadNaN; r.Stencil = mustParse(t, "CIRCLE 10.05 20 0.01") }, "leave PAD out"},
	} {
		req := Request{Stencil: mustParse(t, "CIRCLE 10 20 0.01"), Compress: CompressAsIs}
		tt.change(&req)
		if _, err := New(file, req); !errors.Is(err, fault.Usage) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v, want Usage with %q", err, tt.text)
		}
	}
	// An image of its own beside: nothing of it changes.
	one := fpacked(t, "-g2 -q 0", float(primary(100, 80))+tan(10, 20))
	_, got := cut(t, one, Request{Stencil: mustParse(t, "CIRCLE 10 20 0.01"), Compress: CompressAsIs, Mask: MaskPlane})
	if len(got.HDUs) != 3 || got.HDUs[1].Kind != fits.TileCompressed || got.HDUs[2].Name != outlineName || fmt.Sprint(got.HDUs[2].Shape) != fmt.Sprint(got.HDUs[1].Shape) {
		t.Errorf("%v, want tiles and their outline", got.HDUs)
	}
}

// FuzzTilesAsTheyAre copies tiles of mutated files: what cannot be copied is an error of the
// file, and nothing else goes wrong.
func FuzzTilesAsTheyAre(f *testing.F) {
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
	}
	f.Fuzz(func(t *testing.T, content []byte, section string) {
		pixels, err := pixel.ParseSection(section)
		if err != nil || len(content) > 1<<20 {
			return
		}
		file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		for i := range file.HDUs[:min(len(file.HDUs), 4)] {
			plan, err := New(file, Request{Pixels: pixels, HDU: &i, Compress: CompressAsIs, Source: source, Limits: Limits{MaxBytes: 8 << 20}})
			if err == nil {
				_, err = plan.WriteTo(t.Context(), io.Discard)
			}
			if c := fault.CodeOf(err); err != nil && (c == fault.Internal || c == fault.Unavailable) {
				t.Fatalf("HDU %d: %v", i, err)
			}
		}
	})
}
