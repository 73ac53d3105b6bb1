package soda

import (
	"errors"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func params(text string) (p []uws.Param) {
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		p = append(p, uws.Param{Name: name, Value: value})
	}
	return p
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, params string
		want         string // Cut, if code is ""
		code         fault.Code
	}{
		{"a circle", "CIRCLE=10 20 0.5", "POS=CIRCLE 10 20 0.5", ""},
		{"a box on the sky", "size= 10 20  1 0.5 ", "SIZE=10 20 1 0.5", ""},
		{"a stamp", "STAMP=10.5 -20 64 32", "STAMP=10.5 -20 64 32", ""},
		{"a section of one HDU", "PIXELS=1:5,*&HDU=3", "PIXELS=[1:5,*] HDU=3", ""},
		{"choices in any case", "POS=CIRCLE 1 2 3&MASK=NaN&DETAIL=Full&PAD=NAN", "POS=CIRCLE 1 2 3 MASK=nan DETAIL=full PAD=nan", ""},
		{"Rubin's names", "POS=CIRCLE 1 2 3&CUTOUTDETAIL=MaskedImage", "POS=CIRCLE 1 2 3 DETAIL=planes", ""},
		{"Rubin's image", "POS=CIRCLE 1 2 3&CUTOUTDETAIL=Image", "POS=CIRCLE 1 2 3 DETAIL=image", ""},
		{"Rubin's exposure", "POS=CIRCLE 1 2 3&CUTOUTDETAIL=exposure", "POS=CIRCLE 1 2 3 DETAIL=full", ""},
		{"empty values are none", "POS=CIRCLE 1 2 3&MASK=&STAMP=&HDU=", "POS=CIRCLE 1 2 3", ""},
		{"both names of the detail", "DETAIL=full&CUTOUTDETAIL=Image", "", fault.MultiValued},
		{"two masks", "MASK=nan&MASK=none", "", fault.MultiValued},
		{"two HDUs", "HDU=1&HDU=2", "", fault.MultiValued},
		{"another mask", "MASK=zero", "", fault.Usage},
		{"another detail", "DETAIL=all", "", fault.Usage},
		{"another padding", "PAD=0", "", fault.Usage},
		{"an HDU that is none", "HDU=-1", "", fault.Usage},
		{"a stamp of three numbers", "STAMP=10 20 64", "", fault.Usage},
		{"a stamp of nothing", "STAMP=10 20 0 64", "", fault.Usage},
		{"half a pixel", "STAMP=10 20 64.5 64", "", fault.Usage},
		{"an endless stamp", "STAMP=10 20 64 1048577", "", fault.Usage},
		{"a stamp beyond the pole", "STAMP=10 91 64 64", "", fault.Usage},
		{"a stamp nowhere", "STAMP=NaN 1 64 64", "", fault.Usage},
		{"a box without width", "SIZE=10 20 0 1", "", fault.Usage},
		{"a box of more than half of the sky", "SIZE=10 20 181 1", "", fault.Usage},
		{"a section that is none", "PIXELS=[1:5", "", fault.Usage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Read(params(tt.params))
			if tt.code != "" {
				if !errors.Is(err, tt.code) {
					t.Errorf("%v, want %s", err, tt.code)
				}
				return
			}
			if err != nil || r.Cut() != tt.want {
				t.Errorf("%v, %v; want %s", r, err, tt.want)
			}
		})
	}
}

// All regions are values of the one spatial axis, and one of them there must be.
func TestOneRegion(t *testing.T) {
	regions := []string{"CIRCLE=1 2 3", "POLYGON=1 1 2 1 1 2", "POS=RANGE 1 2 3 4", "SIZE=1 2 3 4", "STAMP=1 2 3 4", "PIXELS=[1:2,3:4]"}
	for i, one := range regions {
		r, err := Read(params("ID=x&" + one))
		if err := errors.Join(err, r.Single(), r.Complete()); err != nil {
			t.Errorf("%s: %v", one, err)
		}
		for _, other := range regions[i:] {
			r, err := Read(params("ID=x&" + one + "&" + other))
			if err != nil || !errors.Is(r.Single(), fault.MultiValued) {
				t.Errorf("%s and %s: %v, want MultiValued", one, other, err)
			}
		}
	}
	r, err := Read(params("ID=x&MASK=nan"))
	if err != nil || !errors.Is(r.Complete(), fault.Usage) || !strings.Contains(fault.Sentence(r.Complete()), "STAMP") {
		t.Errorf("%v, %v", err, r.Complete())
	}
}

// What is announced says all that VODataService wants to know.
func TestAnnounced(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range Announced() {
		if seen[p.Name] || p.Description == "" || p.Datatype == "" || p.Arraysize == "" || p.Name != strings.ToUpper(p.Name) {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = true
	}
	for _, name := range []string{"SIZE", "STAMP", "PIXELS", "HDU", "MASK", "DETAIL", "CUTOUTDETAIL", "PAD"} {
		if p := Lookup(name); p == nil || !seen[name] || p.Standard || p.UCD == "" {
			t.Errorf("%s is not announced as our own, with a UCD: %+v", name, p)
		}
	}
}
