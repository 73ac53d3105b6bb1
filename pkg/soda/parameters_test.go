package soda

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
		want         string // String, if code is ""
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
			if err != nil || r.String() != tt.want {
				t.Errorf("%v, %v; want %s", r, err, tt.want)
			}
		})
	}
}

// All regions are values of the one spatial axis (SODA-29).
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
	r, err := Read(params("MASK=nan"))
	if err != nil || !errors.Is(r.Complete(), fault.Usage) || !strings.Contains(fault.Sentence(r.Complete()), "STAMP or PIXELS") {
		t.Errorf("%v, %v", err, r.Complete())
	}
}

// SODA-28 SODA-31 SODA-42: every combination is one cut, the ID outermost; POL does not multiply.
func TestCuts(t *testing.T) {
	r, err := Read(params("CIRCLE=1 2 3&ID=b&POS=CIRCLE 4 5 6&ID=a&ID=a"))
	if err != nil {
		t.Fatal(err)
	}
	r.Bands, r.Pol = []Interval{{1, 2}, {3, 4}}, []string{"I", "Q"}
	var got []string
	for i, c := range r.Cuts() {
		got = append(got, fmt.Sprintf("%s %s %s %g", ResultID(i, 12), c.ID, c.Region, c.Band.Low))
		if c.Time != nil {
			t.Errorf("cut %d has a time", i)
		}
	}
	want := []string{
		"cutout-0001 b POS=CIRCLE 1 2 3 1", "cutout-0002 b POS=CIRCLE 1 2 3 3", "cutout-0003 b POS=CIRCLE 4 5 6 1", "cutout-0004 b POS=CIRCLE 4 5 6 3",
		"cutout-0005 a POS=CIRCLE 1 2 3 1", "cutout-0006 a POS=CIRCLE 1 2 3 3", "cutout-0007 a POS=CIRCLE 4 5 6 1", "cutout-0008 a POS=CIRCLE 4 5 6 3",
		"cutout-0009 a POS=CIRCLE 1 2 3 1", "cutout-0010 a POS=CIRCLE 1 2 3 3", "cutout-0011 a POS=CIRCLE 4 5 6 1", "cutout-0012 a POS=CIRCLE 4 5 6 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	whole, err := Read(params("ID=x"))
	if err != nil || len(whole.Cuts()) != 1 || whole.Cuts()[0].Region.String() != "" || ResultID(0, 1) != "result" {
		t.Errorf("SODA-23: an ID alone gives %v, %v; want one cut of the whole image", whole, err)
	}
	const many = 32
	text := strings.Repeat("ID=x&", many) + strings.Repeat("CIRCLE=1 2 3&", many)
	if r, err := Read(params(text)); !errors.Is(err, fault.TooLarge) || !strings.Contains(fault.Sentence(err), "1024 cutouts; want at most 1000") {
		t.Errorf("%v, %v; want TooLarge", r, err)
	}
}

// BAND, TIME and POL are checked, and refused until their axes can be cut (SODA-17 to SODA-21, SODA-25,
// DALI-04, DALI-06).
func TestLaterParameters(t *testing.T) {
	for _, tt := range []struct{ params, want string }{
		{"BAND=5e-7 6e-7", "not supported yet; leave it out"},
		{"BAND=-Inf +Inf", "not supported yet"},
		{"BAND=5e-7  Inf", "not supported yet"}, // a plus sign that a URL lost
		{"TIME=60000 60000", "not supported yet"},
		{"POL=i", "not supported yet"},
		{"BAND=5e-7", "1 values; want 2"},
		{"BAND=1 2 3", "3 values; want 2"},
		{"BAND=2 1", "from 2 down to 1"},
		{"BAND=NaN 1", "want a decimal number"},
		{"BAND=+Inf Inf", "no finite value"},
		{"TIME=-Inf -Inf", "no finite value"},
		{"TIME=2026-01-01 2026-01-02", "want a decimal number"},
		{"TIME=1e999 2", "too large"},
		{"POL=W", `POL is "W"; want I, Q, U`},
	} {
		if _, err := Read(params(tt.params)); !errors.Is(err, fault.Usage) || !strings.Contains(fault.Sentence(err), tt.want) {
			t.Errorf("%s: %v, want %q", tt.params, err, tt.want)
		}
	}
}

// What is announced says all that VODataService wants to know, and what it says is how
// requests are read: the example, each limit and what lies beyond it, each option (DALI-04).
func TestTheTableIsTrue(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range Parameters {
		if seen[p.Name] || p.Description == "" || p.Datatype == "" || p.Arraysize == "" || p.UCD == "" || p.Name != strings.ToUpper(p.Name) {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = true
		p.Later = "" // as it will be
		try := func(value string, good bool) {
			t.Helper()
			if err := p.parse(new(Request), value); (err == nil) != good || err != nil && !errors.Is(err, fault.Usage) {
				t.Errorf("%s=%s: %v, want accepted: %t", p.Name, value, err, good)
			}
		}
		try(p.Example, true)
		for _, o := range p.Options {
			try(o, true)
			try(strings.ToLower(o), true)
			try(o+"x", false)
		}
		if p.Usual != "" {
			try(p.Usual, true)
		}
		if p.MaxLength > 0 {
			try(strings.Repeat("x", p.MaxLength), true)
			try(strings.Repeat("x", p.MaxLength+1), false)
		}
		words := strings.Fields(p.Example)
		if len(p.Numbers) > 0 && len(words)%len(p.Numbers) != 0 {
			t.Errorf("%s: the example %s has another count of numbers than %d", p.Name, p.Example, len(p.Numbers))
		}
		for i, n := range p.Numbers {
			with := func(v float64) string {
				changed := slices.Clone(words)
				changed[i] = strconv.FormatFloat(v, 'g', -1, 64)
				return strings.Join(changed, " ")
			}
			switch {
			case n.Open:
				continue
			case n.Positive:
				try(with(1e-9), true)
				try(with(0), false)
			case p.Name != "POLYGON": // whose vertex at a pole may leave no area
				try(with(n.Min), true)
			}
			if n.Whole {
				try(with(n.Min+0.5), false)
				try(with(n.Max+1), false)
			}
			try(with(n.Min-1), false)
			try(with(n.Max+0.001), false)
			for _, trap := range []string{"NaN", "Inf", "-Inf", "0x1p3", "1_0", "1e999", "1,5", "12:30:00", "\uff11", "Infinity", ""} { // SODA-20
				changed := slices.Clone(words)
				changed[i] = trap
				try(strings.Join(changed, " "), false)
			}
		}
	}
	for _, tt := range []Parameter{ // DALI-07: the types that DALI gives them
		{Name: "CIRCLE", Datatype: "double", Arraysize: "3", Xtype: "circle"}, {Name: "POLYGON", Datatype: "double", Arraysize: "*", Xtype: "polygon"},
		{Name: "BAND", Datatype: "double", Arraysize: "2", Xtype: "interval"}, {Name: "TIME", Datatype: "double", Arraysize: "2", Xtype: "interval"},
		{Name: "ID", Datatype: "char", Arraysize: "*"}, {Name: "POS", Datatype: "char", Arraysize: "*"}, {Name: "POL", Datatype: "char", Arraysize: "*"},
	} {
		if p := Lookup(tt.Name); p.Datatype != tt.Datatype || p.Arraysize != tt.Arraysize || p.Xtype != tt.Xtype {
			t.Errorf("%s is %s[%s] %s, want %s[%s] %s", p.Name, p.Datatype, p.Arraysize, p.Xtype, tt.Datatype, tt.Arraysize, tt.Xtype)
		}
	}
	if later := len(Parameters) - len(Announced()); later != 3 || Lookup("band").Later == "" {
		t.Errorf("%d parameters are not announced, want BAND, TIME and POL", later)
	}
	if !Lookup("runid").Control() || Lookup("FOO") != nil {
		t.Error("RUNID steers the job, and FOO is not known")
	}
}

func TestNamesOfFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		good bool
	}{
		{"m31.fits", true}, {"M-31_r+i.v2", true}, {"..", false}, {".hidden", false}, {"-rf", false}, {"a/b", false}, {`a\b`, false},
		{"a\r\nSet-Cookie: x=1", false}, {`a"; filename=b`, false}, {"a b", false}, {"a%0d%0ab", false}, {"\u202egpj.fits", false}, {"<x>", false},
	} {
		if _, err := Read([]uws.Param{{Name: "CUTOUTNAME", Value: tt.name}}); (err == nil) != tt.good {
			t.Errorf("CUTOUTNAME=%q: %v, want accepted: %t", tt.name, err, tt.good)
		}
	}
}

// Unknown parameters are ignored, and named (SODA-25, DALI-10).
func TestIgnored(t *testing.T) {
	got := Ignored(params("ID=x&maxrec=5&FOO=1&foo=2&EMPTY=&VERSION=1"))
	if !slices.Equal(got, []string{"MAXREC", "FOO", "VERSION"}) {
		t.Errorf("ignored: %q", got)
	}
}

// Whatever is sent, reading does not panic, refuses with a kind of error that blames the
// request, and what it reads has as many cuts as it says.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"ID=a&CIRCLE=1 2 3", "ID=a&ID=b&POS=RANGE 1 2 3 Inf&STAMP=1 2 3 4", "PIXELS=[1:2,*]&HDU=1&MASK=nan", "BAND=1 2&TIME=-Inf 5&POL=I"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(params(text))
		if err != nil {
			if !errors.Is(err, fault.Usage) && !errors.Is(err, fault.MultiValued) && !errors.Is(err, fault.TooLarge) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if r.Complete() == nil && (len(r.Cuts()) != r.cuts() || r.cuts() > MaxCuts) {
			t.Errorf("%q: %d cuts of %d", text, len(r.Cuts()), r.cuts())
		}
	})
}
