package cutout

import (
	"errors"
	"slices"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// A request without a region is for all of every image of the sky and its planes.
func TestWholeImage(t *testing.T) {
	numbers := func(plan *Plan) (n []int) {
		for _, p := range plan.Parts() {
			if p.Role != Empty {
				n = append(n, p.HDU)
			}
		}
		return n
	}
	file := mosaic(t)
	plan, got := cut(t, file, Request{Source: source})
	if n := numbers(plan); !slices.Equal(n, []int{1, 2, 3, 4, 5}) {
		t.Errorf("HDUs %v, want both detectors with their planes", n)
	}
	for i, u := range got.HDUs[1:] {
		if !slices.Equal(u.Shape, []int64{100, 80}) {
			t.Errorf("%s has the shape %d", u, u.Shape)
		}
		if !slices.Equal(pixels(t, got, i+1), pixels(t, file, i+1)) {
			t.Errorf("%s has other pixels than its source", u)
		}
	}
	if !hasCard(got.HDUs[0].Header, "CUTREQ  = 'the whole image'    / what was asked for") {
		t.Errorf("%s", got.HDUs[0].Header.Bytes())
	}
	four := 4
	if plan, _ := cut(t, file, Request{HDU: &four}); !slices.Equal(numbers(plan), []int{4}) {
		t.Errorf("HDUs %v, want 4 alone", numbers(plan))
	}
	plan, _ = cut(t, makeFile(t, primary(), extension(7, 7)+"EXTNAME = 'PSF'\n", extension(8, 8)), Request{})
	if n := numbers(plan); !slices.Equal(n, []int{1}) || !slices.Equal(plan.Parts()[1].Box.Max, pixel.Whole([]int64{7, 7}).Max) {
		t.Errorf("HDUs %v of a file without a sky, want the first image", n)
	}
	if _, err := New(file, Request{Limits: Limits{MaxBytes: 50_000}}); !errors.Is(err, fault.TooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := New(file, Request{Mask: MaskNaN}); !errors.Is(err, fault.Usage) {
		t.Errorf("MASK without a region: %v", err)
	}
	if _, err := New(file, Request{Pad: PadNaN}); !errors.Is(err, fault.Usage) {
		t.Errorf("PAD without a region: %v", err)
	}
}
