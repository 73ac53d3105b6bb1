package fits

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// parse reads a header from lines.
func parse(t testing.TB, lines ...string) *Header {
	t.Helper()
	h, err := ParseText(strings.Join(lines, "\n") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// lines returns the cards without trailing blanks.
func lines(h *Header) []string {
	var all []string
	for _, c := range h.Cards() {
		all = append(all, strings.TrimRight(c.String(), " "))
	}
	return all
}

func TestTypedValues(t *testing.T) {
	h := parse(t,
		"SIMPLE  =                    T",
		"BITPIX  =                  -32",
		"WCSAXES =                   2.",
		"TZERO1  =  9223372036854775808",
		"CRVAL1  =             1.25D+01",
		"HUGE    =               1E+999",
		"HALF    =                  1.5",
		"EMPTY   =",
		"OBJECT  = 'M 31'",
		"BAD     = 'O'Hara'",
		"crval2  = -5.5",
		"CRVAL1  = 99.0",
		"HIERARCH ESO DET ID = 7",
		"COMMENT = 5",
	)
	type result struct {
		Value any
		OK    bool
		Code  fault.Code
	}
	read := func(v any, ok bool, err error) result { return result{v, ok, fault.CodeOf(err)} }
	float := func(key string) result { v, ok, err := h.Float(key); return read(v, ok, err) }
	integer := func(key string) result { v, ok, err := h.Int(key); return read(v, ok, err) }
	text := func(key string) result { v, ok, err := h.Text(key); return read(v, ok, err) }
	logical := func(key string) result { v, ok, err := h.Bool(key); return read(v, ok, err) }
	for _, tt := range []struct {
		name      string
		got, want result
	}{
		{"an integer is a number", float("BITPIX"), result{-32.0, true, ""}},
		{"the first of two counts, and D is an exponent", float("CRVAL1"), result{12.5, true, ""}},
		{"lower-case keyword", float("CRVAL2"), result{-5.5, true, ""}},
		{"lower-case key", float("crval1"), result{12.5, true, ""}},
		{"2^63 as a number", float("TZERO1"), result{math.Ldexp(1, 63), true, ""}},
		{"2^63 is no int64", integer("TZERO1"), result{int64(0), false, fault.Corrupt}},
		{"past float64", float("HUGE"), result{0.0, false, fault.Corrupt}},
		{"a real that is whole", integer("WCSAXES"), result{int64(2), true, ""}},
		{"a real that is not", integer("HALF"), result{int64(0), false, fault.Corrupt}},
		{"text is no number", float("OBJECT"), result{0.0, false, fault.Corrupt}},
		{"a number is no text", text("BITPIX"), result{"", false, fault.Corrupt}},
		{"text", text("OBJECT"), result{"M 31", true, ""}},
		{"broken text", text("BAD"), result{"", false, fault.Corrupt}},
		{"logical", logical("SIMPLE"), result{true, true, ""}},
		{"a number is no logical", logical("BITPIX"), result{false, false, fault.Corrupt}},
		{"absent", float("CDELT1"), result{0.0, false, ""}},
		{"undefined", integer("EMPTY"), result{int64(0), false, ""}},
		{"HIERARCH", integer("ESO DET ID"), result{int64(7), true, ""}},
		{"HIERARCH with the word", integer("hierarch eso det id"), result{int64(7), true, ""}},
		{"commentary has no value", integer("COMMENT"), result{int64(0), false, ""}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
	if got := h.Duplicates(); !slices.Equal(got, []string{"CRVAL1"}) {
		t.Errorf("Duplicates() = %q, want CRVAL1", got)
	}
	if !h.Has("EMPTY") || h.Has("CDELT1") {
		t.Error("Has: want true for EMPTY, which has a card, and false for CDELT1")
	}
}

func TestContinue(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
		cards int
	}{
		{"two cards", []string{"A       = 'first &'", "CONTINUE  'second'"}, "first second", 2},
		{"three cards, quotes, the last one empty", []string{"A       = 'it''s &'", "CONTINUE  'long&'", "CONTINUE  '' / c"}, "it's long", 3},
		{"& without CONTINUE stays", []string{"A       = 'R&D &'", "B       = 1"}, "R&D &", 1},
		{"CONTINUE without & does not belong", []string{"A       = 'first'", "CONTINUE  'second'"}, "first", 1},
		{"CONTINUE without a string does not belong", []string{"A       = 'first&'", "CONTINUE  5"}, "first&", 1},
		{"CONTINUE of a HIERARCH card", []string{"HIERARCH A = 'x&'", "CONTINUE  'y'"}, "xy", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := parse(t, tt.lines...)
			got, ok, err := h.Text("A")
			if got != tt.want || !ok || err != nil {
				t.Errorf("Text = %q, %t, %v; want %q", got, ok, err, tt.want)
			}
			h.Delete("A")
			if want := len(tt.lines) - tt.cards; h.Len() != want {
				t.Errorf("Delete leaves %d cards, want %d", h.Len(), want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  []string
		key     string
		value   any
		comment string
		want    []string
	}{
		{"new integer", nil, "NAXIS1", int64(64), "columns", []string{"NAXIS1  =                   64 / columns"}},
		{"replaced where it stands, with its comment", []string{"A       = 1 / one", "B       = 2"}, "A", 5, "",
			[]string{"A       =                    5 / one", "B       = 2"}},
		{"later duplicates go", []string{"A       = 1", "B       = 2", "A       = 3"}, "A", 5, "",
			[]string{"A       =                    5", "B       = 2"}},
		{"a long string gives its cards back", []string{"A       = 'x&'", "CONTINUE  'y'", "B       = 2"}, "A", "z", "",
			[]string{"A       = 'z       '", "B       = 2"}},
		{"logical", nil, "EXTEND", true, "", []string{"EXTEND  =                    T"}},
		{"undefined", nil, "A", nil, "c", []string{"A       =                      / c"}},
		{"whole float", nil, "A", 5.0, "", []string{"A       =                  5.0"}},
		{"small float", nil, "A", 1e-10, "", []string{"A       =                1E-10"}},
		{"longest float", nil, "A", -2.2250738585072014e-308, "", []string{"A       = -2.2250738585072014E-308"}},
		{"a tenth, exactly", nil, "A", 0.1, "", []string{"A       =                  0.1"}},
		{"quotes are written twice", nil, "A", "O'Hara", "", []string{"A       = 'O''Hara '"}},
		{"an empty string is not undefined", nil, "A", "", "", []string{"A       = '        '"}},
		{"HIERARCH", nil, "ESO DET ID", 7, "chip", []string{"HIERARCH ESO DET ID = 7        / chip"}},
		{"long keyword", nil, "LONGKEYWORD", "v", "", []string{"HIERARCH LONGKEYWORD = 'v'"}},
		{"a string of 68 fits", nil, "A", strings.Repeat("x", 68), "lost", []string{"A       = '" + strings.Repeat("x", 68) + "'"}},
		{"a string of 69 continues", nil, "A", strings.Repeat("x", 69), "kept", []string{
			"A       = '" + strings.Repeat("x", 67) + "&'", "CONTINUE  'xx&'", "CONTINUE  ''                   / kept"}},
		{"a quote is not torn", nil, "A", strings.Repeat("x", 66) + "'yyyy", "", []string{
			"A       = '" + strings.Repeat("x", 66) + "&'", "CONTINUE  '''yyyy&'", "CONTINUE  ''"}},
		{"a string that ends in &", nil, "A", "R&", "", []string{"A       = 'R&&'", "CONTINUE  ''"}},
		{"a comment of the old card that is not ASCII", []string{"A       = 1 / 5 µm"}, "A", 2, "",
			[]string{"A       =                    2 / 5 ?m"}},
		{"false", nil, "EXTEND", false, "", []string{"EXTEND  =                    F"}},
		{"a comment that is too long is cut", nil, "A", 1, strings.Repeat("c", 99), []string{
			"A       =                    1 / " + strings.Repeat("c", 47)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := parse(t, tt.before...)
			if err := h.Set(tt.key, tt.value, tt.comment); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, lines(h)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if want, ok := tt.value.(string); ok {
				if got, _, err := h.Text(tt.key); got != want || err != nil {
					t.Errorf("reads back %q, %v", got, err)
				}
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		key   string
		value any
	}{
		{"NaN", "A", math.NaN()},
		{"infinity", "A", math.Inf(1)},
		{"not ASCII", "A", "García"},
		{"control character", "A", "a\nb"},
		{"unknown type", "A", []int{1}},
		{"no keyword", "", 1},
		{"END", "END", 1},
		{"= in the keyword", "A=B", 1},
		{"keyword that leaves no room", strings.Repeat("K", 70), "value"},
		{"keyword that leaves no room for a number", strings.Repeat("K", 67), 12345},
	} {
		h := parse(t, "B       = 2")
		if err := h.Set(tt.key, tt.value, ""); !errors.Is(err, fault.Internal) {
			t.Errorf("%s: error %v, want fault.Internal", tt.name, err)
		}
		if got := lines(h); !slices.Equal(got, []string{"B       = 2"}) {
			t.Errorf("%s: the header became %q", tt.name, got)
		}
	}
}

func TestEditing(t *testing.T) {
	h := parse(t, "A       = 'x&'", "CONTINUE  'y'", "B       = 2   / kept  exactly", "A       = 3")
	original := h.Clone()
	if err := h.SetAfter("A", "C", 1, ""); err != nil {
		t.Fatal(err)
	}
	if err := h.SetAfter("ABSENT", "D", 2, ""); err != nil {
		t.Fatal(err)
	}
	h.AddHistory(strings.Repeat("h", 73) + "\nsecond Ünline")
	h.AddComment("")
	h.Append(original.cards[2])
	want := []string{
		"A       = 'x&'", "CONTINUE  'y'",
		"C       =                    1",
		"B       = 2   / kept  exactly", "A       = 3",
		"D       =                    2",
		"HISTORY " + strings.Repeat("h", 72), "HISTORY h", "HISTORY second ?nline",
		"COMMENT",
		"B       = 2   / kept  exactly",
	}
	if diff := cmp.Diff(want, lines(h)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	h.Delete("A", "HISTORY", "ABSENT", "b")
	if got, want := lines(h), []string{"C       =                    1", "D       =                    2", "COMMENT"}; !slices.Equal(got, want) {
		t.Errorf("after Delete: %q, want %q", got, want)
	}
	if original.Len() != 4 {
		t.Errorf("the clone has %d cards, want the 4 it had", original.Len())
	}
}

func TestParseText(t *testing.T) {
	want := []string{"A       = 1", "B       = 2"}
	card := func(s string) string { c := newCard(s); return c.String() }
	for name, text := range map[string]string{
		"lines":             "A       = 1\nB       = 2\n",
		"lines of Windows":  "A       = 1\r\nB       = 2\r\nEND\r\n",
		"cards":             card(want[0]) + card(want[1]) + card("END") + card(""),
		"cards without END": card(want[0]) + want[1] + "\n",
	} {
		h, err := ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(h); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := ParseText("A = 1\n" + strings.Repeat("x", 81) + "\n"); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a line of 81 characters: %v, want fault.Corrupt", err)
	}
}

func TestBytesArePadded(t *testing.T) {
	h := new(Header)
	for range 35 {
		h.AddComment("x")
	}
	if n := len(h.Bytes()); n != 2880 {
		t.Errorf("35 cards and END: %d bytes, want 2880", n)
	}
	h.AddComment("x")
	if n := len(h.Bytes()); n != 5760 {
		t.Errorf("36 cards and END: %d bytes, want 5760", n)
	}
	if _, err := ParseHeader([]byte(strings.Repeat(" ", 2880))); !errors.Is(err, fault.Corrupt) {
		t.Errorf("no END: %v, want fault.Corrupt", err)
	}
}

func TestShapeAndForm(t *testing.T) {
	primary := parse(t,
		"SIMPLE  =                    T / my file",
		"BITPIX  =                   16 / my pixels",
		"NAXIS   =                    3",
		"NAXIS1  =                   10",
		"NAXIS2  =                   20 / rows",
		"NAXIS3  =                    5",
		"EXTEND  =                    T",
		"OBJECT  = 'M31'",
	)
	extension, err := primary.AsExtension()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"XTENSION= 'IMAGE   '           / image extension",
		"BITPIX  =                   16 / my pixels",
		"NAXIS   =                    3",
		"NAXIS1  =                   10",
		"NAXIS2  =                   20 / rows",
		"NAXIS3  =                    5",
		"PCOUNT  =                    0 / no parameters",
		"GCOUNT  =                    1 / one group",
		"OBJECT  = 'M31'",
	}, lines(extension)); diff != "" {
		t.Errorf("AsExtension: (-want +got)\n%s", diff)
	}
	if err := extension.Set("INHERIT", true, ""); err != nil {
		t.Fatal(err)
	}
	back, err := extension.AsPrimary()
	if err != nil {
		t.Fatal(err)
	}
	if err := back.SetShape(16, []int64{10, 7}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"SIMPLE  =                    T / conforms to FITS standard",
		"BITPIX  =                   16 / my pixels",
		"NAXIS   =                    2 / number of axes",
		"NAXIS1  =                   10",
		"NAXIS2  =                    7 / rows",
		"EXTEND  =                    T / there may be extensions",
		"OBJECT  = 'M31'",
	}, lines(back)); diff != "" {
		t.Errorf("AsPrimary, SetShape: (-want +got)\n%s", diff)
	}
	table := parse(t, "XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 0")
	if _, err := table.AsPrimary(); !errors.Is(err, fault.Unsupported) {
		t.Errorf("a table as primary: %v, want fault.Unsupported", err)
	}
	if _, err := parse(t, "A       = 1").AsPrimary(); !errors.Is(err, fault.Corrupt) {
		t.Errorf("no header at all: %v, want fault.Corrupt", err)
	}
}

func TestReadingIsSafeForConcurrentUse(t *testing.T) {
	h := parse(t, "A       = 1", "B       = 2")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if n, _, _ := h.Int("B"); n != 2 {
				t.Errorf("B = %d, want 2", n)
			}
		})
	}
	wg.Wait()
}

// TestReadingCardsAllocatesNothing: a cutout looks up hundreds of keywords.
func TestReadingCardsAllocatesNothing(t *testing.T) {
	h := parse(t, "SIMPLE  =                    T", "NAXIS   =                    2", "CRPIX1  = 1.25D2 / pixel", "CTYPE1  = 'RA---TAN'",
		"HIERARCH ESO DET ID = 5 / number")
	n := testing.AllocsPerRun(100, func() {
		_, _, _ = h.Bool("SIMPLE")
		_, _, _ = h.Int("NAXIS")
		_, _, _ = h.Float("CRPIX1")
		_, _, _ = h.Float("ABSENT")
		_ = h.Has("CTYPE1")
		for _, c := range h.Cards() {
			_ = c.Keyword()
		}
	})
	if n > 0 {
		t.Errorf("%g allocations, want none", n)
	}
	n = testing.AllocsPerRun(100, func() {
		_ = h.Set("CRPIX1", 1.5, "")
		_ = h.Set("CTYPE1", "DEC--TAN", "")
	})
	if n > 4 { // the values as interfaces, and a comment
		t.Errorf("two cards that are changed in place take %g allocations, want at most 4", n)
	}
}
