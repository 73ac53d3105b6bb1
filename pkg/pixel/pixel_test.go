package pixel

import (
	"errors"
	"math"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

func TestSection(t *testing.T) {
	shape := []int64{100, 50, 3}
	for _, tt := range []struct {
		name, text string
		want       string // "" is an error
		kind       fault.Code
	}{
		{"two axes of three", "[11:20,1:50]", "[11:20,1:50,1:3]", ""},
		{"without brackets", "11:20,1:50,2:2", "[11:20,1:50,2:2]", ""},
		{"a whole axis", "[*, 3:4]", "[1:100,3:4,1:3]", ""},
		{"clipped at both ends", "[-5:5,40:60]", "[1:5,40:50,1:3]", ""},
		{"one pixel", "[7:7,7:7,1:1]", "[7:7,7:7,1:1]", ""},
		{"beside the image", "[101:200,1:50]", "", fault.NoOverlap},
		{"before the image", "[-9:0,1:50]", "", fault.NoOverlap},
		{"four axes of three", "[1:2,1:2,1:2,1:2]", "", fault.Usage},
		{"turned", "[20:11,1:50]", "", fault.Usage},
		{"turned whole axis", "[-*,1:50]", "", fault.Usage},
		{"every second pixel", "[1:100:2,1:50]", "", fault.Usage},
		{"not whole", "[1.5:2,1:50]", "", fault.Usage},
		{"one number", "[5,1:50]", "", fault.Usage},
		{"half a bracket", "[1:2,1:2", "", fault.Usage},
		{"nothing", "", "", fault.Usage},
		{"pixels count from 1", "[0:0,1:1]", "", fault.Usage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSection(tt.text)
			var b Box
			if err == nil {
				b, err = s.Box(shape)
			}
			if tt.want == "" {
				if !errors.Is(err, tt.kind) {
					t.Errorf("%q is %v (%v), want %s", tt.text, b, err, tt.kind)
				}
				return
			}
			if err != nil || b.String() != tt.want || !b.Inside(shape) {
				t.Errorf("%q is %v (%v), want %s", tt.text, b, err, tt.want)
			}
		})
	}
}

func FuzzParseSection(f *testing.F) {
	for _, s := range []string{"[11:20,1:50]", "*,*", "[-5:5]", "[9007199254740993:9007199254740993]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSection(text)
		if err != nil {
			return
		}
		if again, err := ParseSection(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q became %s, then %s, %v", text, s, again, err)
		}
		shape := []int64{1 << 40, 1, 7}
		if b, err := s.Box(shape); err == nil && (!b.Inside(shape) || b.Empty()) {
			t.Errorf("%q is %v of an image of shape %v", text, b, shape)
		}
	})
}

func TestProductSaysWhenItOverflows(t *testing.T) {
	for _, tt := range []struct {
		name    string
		factors []int64
		want    int64
		ok      bool
	}{
		{"none", nil, 1, true},
		{"an image", []int64{4096, 4096, 4}, 1 << 26, true},
		{"the largest", []int64{math.MaxInt64, 1}, math.MaxInt64, true},
		{"just too large", []int64{1 << 62, 2}, 0, false},
		{"far too large", []int64{1 << 40, 1 << 40, 1 << 40}, 0, false},
		{"too large, then empty", []int64{1 << 62, 4, 0}, 0, false},
		{"negative", []int64{4, -1}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Product(tt.factors...); got != tt.want || ok != tt.ok {
				t.Errorf("Product(%v) = %d, %t, want %d, %t", tt.factors, got, ok, tt.want, tt.ok)
			}
		})
	}
}
