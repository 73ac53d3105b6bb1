package fits

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// Heaps beyond 2 GiB have descriptors of 64 bits; here a smaller one has them.
func TestWideDescriptors(t *testing.T) {
	fitscopy := outside.Tool(t, "fitscopy")
	before := maxNarrow
	maxNarrow = 1000
	t.Cleanup(func() { maxNarrow = before })
	_, data := file(5, -32, []int64{300, 700})
	finite(data, -32)
	for _, how := range []Compression{GZIP2, Rice} {
		var out bytes.Buffer
		w := NewWriter(&out)
		err := w.WriteHDU(t.Context(), NewPrimary(8, nil), 0, nil)
		if err == nil {
			err = w.WriteCompressed(t.Context(), NewImage(-32, []int64{300, 700}), how, pieces(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "wide.fits")
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if form, _, _ := f.HDUs[1].Header.Text("TFORM1"); !strings.HasPrefix(form, "1QB(") {
			t.Errorf("%s: TFORM1 = %s, want 1QB", how, form)
		}
		got := streamed(t, f, f.HDUs[1])
		if how == GZIP2 && !bytes.Equal(got, data) {
			t.Errorf("%s: other pixels came back", how)
		}
		outside.Run(t, fitscopy, path+"[1][*,*]", path+".copy")
		content, err := os.ReadFile(path + ".copy")
		if err != nil {
			t.Fatal(err)
		}
		g, err := Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		if !sameFloats(streamed(t, g, g.HDUs[len(g.HDUs)-1]), got) {
			t.Errorf("%s: CFITSIO reads other pixels", how)
		}
	}
}

func streamed(t *testing.T, f *File, u *HDU) (pix []byte) {
	t.Helper()
	s, err := f.Section(u, pixel.Whole(u.Shape))
	if err == nil {
		err = s.Stream(t.Context(), f.ReaderAt(), func(p []byte) error {
			pix = append(pix, p...)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return pix
}

// sameFloats compares 32-bit floats; NaN is NaN.
func sameFloats(a, b []byte) bool {
	for i := 0; i < len(a) && len(a) == len(b); i += 4 {
		if x, y := floatAt(a, i), floatAt(b, i); x != y && (x == x || y == y) {
			return false
		}
	}
	return len(a) == len(b)
}

func floatAt(p []byte, i int) float32 {
	return math.Float32frombits(uint32(p[i])<<24 | uint32(p[i+1])<<16 | uint32(p[i+2])<<8 | uint32(p[i+3]))
}
