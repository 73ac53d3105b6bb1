package archives

import (
	"slices"
	"testing"
)

func TestIDs(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1") // nothing is asked
	a, err := Open(t.Context(), Config{Authority: "example.org", Archives: []string{
		"dr1=gs://b/dr1", "all=gs://b", "other=gs://c/dr1", "here=" + t.TempDir(), "web=https://b/dr1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, tt := range []struct {
		bucket, object string
		want           []string
	}{
		{"b", "dr1/x/a b.fits", []string{"ivo://example.org/dr1?x/a b.fits", "ivo://example.org/all?dr1/x/a b.fits"}},
		{"b", "dr10/a.fits", []string{"ivo://example.org/all?dr10/a.fits"}},
		{"b", "dr1/", []string{"ivo://example.org/all?dr1/"}},
		{"c", "a.fits", nil},
		{"", "a.fits", nil},
	} {
		if got := a.IDs(tt.bucket, tt.object); !slices.Equal(got, tt.want) {
			t.Errorf("%s of %s: %q, want %q", tt.object, tt.bucket, got, tt.want)
		}
	}
}
