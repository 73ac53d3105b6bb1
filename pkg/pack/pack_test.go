package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// cutouts returns n small FITS files with pixels that differ.
func cutouts(t testing.TB, n int, nx, ny int64) (files [][]byte) {
	t.Helper()
	for i := range n {
		h := fits.NewPrimary(-32, []int64{nx, ny})
		for _, c := range []struct {
			key   string
			value any
		}{{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRPIX1", 32.5 - float64(i)}, {"CRPIX2", 30.}, {"CRVAL1", 150.1}, {"CRVAL2", 2.2},
			{"CD1_1", -2.5e-5}, {"CD2_2", 2.5e-5}, {"RADESYS", "ICRS"}, {"BUNIT", "nJy"}} {
			if err := h.Set(c.key, c.value, ""); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		err := fits.NewWriter(&b).WriteHDU(t.Context(), h, 4*nx*ny, func(_ context.Context, emit func([]byte) error) error {
			p := make([]byte, 4*nx*ny)
			for k := range int(nx * ny) {
				binary.BigEndian.PutUint32(p[4*k:], math.Float32bits(float32(1000*i+k)))
			}
			return emit(p)
		})
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b.Bytes())
	}
	return files
}

// pack puts the cutouts into a package, a skipped entry after each third.
func packAll(t testing.TB, format string, files [][]byte, o Options) (b []byte, places []Place) {
	t.Helper()
	f, err := Lookup(format)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := f.NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	row := int64(0)
	for i, file := range files {
		row++
		at, err := w.Add(Entry{Row: row, Label: fmt.Sprintf("Stern/%d", i), ID: "ivo://localhost/mine?a.fits", RA: 150.1, Dec: 2.2, Position: true}, file)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
		if i%3 == 2 {
			row++
			if err := w.Skip(Entry{Row: row, Label: "missing"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), places
}

func TestRangesOfArchivesAreTheCutouts(t *testing.T) {
	files := cutouts(t, 10, 16, 16)
	for _, format := range []string{"zip", "tar"} {
		b, places := packAll(t, format, files, Options{})
		for i, at := range places {
			if !bytes.Equal(b[at.Offset:at.Offset+at.Length], files[i]) {
				t.Errorf("%s: the range of entry %d is not its cutout", format, i)
			}
		}
		again, _ := packAll(t, format, files, Options{})
		if !bytes.Equal(b, again) {
			t.Errorf("%s: the same entries make other bytes", format)
		}
	}
}

func TestArchivesAreRead(t *testing.T) {
	files := cutouts(t, 3, 16, 16)
	b, places := packAll(t, "zip", files, Options{})
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range z.File {
		if f.Name != places[i].Name {
			t.Errorf("file %d is called %q, want %q", i, f.Name, places[i].Name)
		}
	}
	b, places = packAll(t, "tar", files, Options{})
	r := tar.NewReader(bytes.NewReader(b))
	for i := range files {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || h.Name != places[i].Name || !bytes.Equal(got, files[i]) {
			t.Errorf("file %d is %q of %d bytes, %v", i, h.Name, len(got), err)
		}
	}
}
