package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"codeberg.org/astrogo/fitsio"
)

// readByAstrogo reads the float32 image of a file's primary HDU by astrogo/fitsio, and
// returns a line of big-endian hexadecimal digits for each pixel.
func readByAstrogo(t *testing.T, name string) string {
	t.Helper()
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := fitsio.Open(r)
	if err != nil {
		t.Fatalf("astrogo/fitsio: %v", err)
	}
	defer f.Close()
	image := f.HDU(0).(fitsio.Image)
	n := 1
	for _, axis := range image.Header().Axes() {
		n *= axis
	}
	pixels := make([]float32, n)
	if err := image.Read(&pixels); err != nil {
		t.Fatalf("astrogo/fitsio: %v", err)
	}
	var b strings.Builder
	for _, v := range pixels {
		fmt.Fprintf(&b, "%08x\n", math.Float32bits(v))
	}
	return b.String()
}
