package batch_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// pack compresses an image of the archive.
func (w *world) pack(name string) {
	w.tb.Helper()
	file := filepath.Join(filepath.Dir(w.manifests), "images", name)
	text, err := os.ReadFile(file)
	if err != nil {
		w.tb.Fatal(err)
	}
	image, err := fits.Open(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		w.tb.Fatal(err)
	}
	plan, err := cutout.New(image, cutout.Request{Compress: cutout.CompressGzip2})
	if err != nil {
		w.tb.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := plan.WriteTo(context.Background(), &b); err != nil {
		w.tb.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		w.tb.Fatal(err)
	}
}

// Stamps of a compressed image are stored as they are, with statistics, unless COMPRESS says
// otherwise or they are large; other cutouts are compressed as the image is.
func TestStampsArePlain(t *testing.T) {
	w := newWorld(t, 600)
	w.pack("one.fits")
	for _, tt := range []struct {
		columns, row string // beside ID and position
		params       []uws.Param
		plain        bool
	}{
		{"stamp", "64", nil, true},
		{"stamp", "512", nil, true},
		{"stamp", "513", nil, false},
		{"stamp,compress", "64,gzip2", nil, false},
		{"stamp", "64", []uws.Param{{Name: "COMPRESS", Value: "gzip2"}}, false},
		{"radius", "0.02", nil, false},
		{"radius", "0.02", []uws.Param{{Name: "COMPRESS", Value: "none"}}, true},
	} {
		j := w.drive(w.make(fmt.Sprintf("ID,ra,dec,%s\n%sone.fits,10,20,%s\n", tt.columns, prefix, tt.row), tt.params...).ID)
		lines := w.lines(j)
		if len(lines) != 1 || lines[0].Length == nil {
			t.Fatalf("%s %v: %s, %+v", tt.columns, tt.params, j.Phase, lines)
		}
		made := w.read(j.Results[len(j.Results)-1].Object)
		z, err := zip.NewReader(bytes.NewReader(made), int64(len(made)))
		if err != nil || len(z.File) != 1 {
			t.Fatal(err)
		}
		inside := made[*lines[0].Offset:][:*lines[0].Length]
		index, err := fits.ReadIndex(bytes.NewReader(inside), int64(len(inside)))
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for !index.HDUs[i].Image() {
			i++
		}
		if plain := index.HDUs[i].Kind == fits.Image; plain != tt.plain || (lines[0].Valid != nil) != tt.plain {
			t.Errorf("%s %s %v: plain is %t, want %t; %+v", tt.columns, tt.row, tt.params, plain, tt.plain, lines[0])
		}
	}
}
