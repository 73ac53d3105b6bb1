package fits

import (
	"strings"
	"testing"
)

func TestCardValue(t *testing.T) {
	for _, tt := range []struct {
		name    string
		card    string
		keyword string
		kind    ValueKind
		text    string
		comment string
	}{
		{"fixed integer", "NAXIS1  =                 4096 / columns", "NAXIS1", Integer, "4096", "columns"},
		{"fixed logical", "SIMPLE  =                    T", "SIMPLE", Logical, "T", ""},
		{"no blank after =", "CRPIX1  =12.5/pixel", "CRPIX1", Real, "12.5", "pixel"},
		{"= one column early", "CRVAL1 = 10.5", "CRVAL1", Real, "10.5", ""},
		{"= one column late", "FILTER   ='r'", "FILTER", String, "r", ""},
		{"comment glued to an integer", "GAIN    = 12/comment", "GAIN", Integer, "12", "comment"},
		{"point first", "A       = .5", "A", Real, ".5", ""},
		{"point last", "A       = 5.", "A", Real, "5.", ""},
		{"a point alone is no number", "A       = .", "A", Malformed, ".", ""},
		{"exponent D", "A       = 1.5D-03", "A", Real, "1.5D-03", ""},
		{"exponent e without a point", "A       = 1e5", "A", Real, "1e5", ""},
		{"exponent without digits", "A       = 1E", "A", Malformed, "1E", ""},
		{"blank after the sign", "A       = - 5", "A", Integer, "- 5", ""},
		{"plus", "A       = +5", "A", Integer, "+5", ""},
		{"NaN, against the standard", "A       = NaN", "A", Real, "NaN", ""},
		{"minus infinity, against the standard", "A       = -Inf", "A", Real, "-Inf", ""},
		{"hexadecimal is no FITS", "A       = 0x10", "A", Malformed, "0x10", ""},
		{"underscore is no FITS", "A       = 1_000", "A", Malformed, "1_000", ""},
		{"two numbers", "SKEW    = 1.5, 2.5", "SKEW", Malformed, "1.5, 2.5", ""},
		{"complex", "A       = (1.5, -2) / c", "A", Complex, "(1.5, -2)", "c"},
		{"complex without an imaginary part", "A       = (1.5)", "A", Malformed, "(1.5)", ""},
		{"lower-case logical", "A       = t", "A", Malformed, "t", ""},
		{"undefined", "A       =                      / nothing", "A", Undefined, "", "nothing"},
		{"undefined to the end", "A       =", "A", Undefined, "", ""},
		{"string", "OBJECT  = 'M 31    '           / target", "OBJECT", String, "M 31", "target"},
		{"leading blanks count", "OBJECT  = '  M31'", "OBJECT", String, "  M31", ""},
		{"empty string", "OBJECT  = ''", "OBJECT", String, "", ""},
		{"blank string", "OBJECT  = '   '", "OBJECT", String, "", ""},
		{"quote written twice", "OBSERVER= 'O''Hara'", "OBSERVER", String, "O'Hara", ""},
		{"quote alone", "OBSERVER= ''''", "OBSERVER", String, "'", ""},
		{"slash in a string", "BUNIT   = 'erg/s/cm2' / unit", "BUNIT", String, "erg/s/cm2", "unit"},
		{"comment glued to a string", "A       = 'x'/c", "A", String, "x", "c"},
		{"quote not written twice", "OBSERVER= 'O'Hara'", "OBSERVER", Malformed, "'O'Hara'", ""},
		{"no closing quote", "OBJECT  = 'M31 / target", "OBJECT", Malformed, "'M31 / target", ""},
		{"string of 68", "A       = '" + strings.Repeat("x", 68) + "'", "A", String, strings.Repeat("x", 68), ""},
		{"not ASCII", "OBSERVER= 'Garc\xeda'", "OBSERVER", String, "Garc\xeda", ""},
		{"newline in a string", "A       = 'a\nb'", "A", String, "a\nb", ""},
		{"newline behind a number", "A       = 5\n", "A", Integer, "5", ""},
		{"HIERARCH", "HIERARCH ESO DET  ID = 'CCD' / chip", "ESO DET ID", String, "CCD", "chip"},
		{"HIERARCH without blanks", "HIERARCH Some_Long_Key=5", "Some_Long_Key", Integer, "5", ""},
		{"HIERARCH without a value", "HIERARCH ESO DET", "HIERARCH", NoValue, "", " ESO DET"},
		{"COMMENT with =", "COMMENT = 'HiPS tile'", "COMMENT", NoValue, "", "= 'HiPS tile'"},
		{"HISTORY", "HISTORY flat = 3", "HISTORY", NoValue, "", "flat = 3"},
		{"blank keyword", "        = 3", "", NoValue, "", "= 3"},
		{"no value indicator", "ESO-LOG 00:00:00> DATE = 'x'", "ESO-LOG", NoValue, "", "00:00:00> DATE = 'x'"},
		{"CONTINUE", "CONTINUE  'more'", "CONTINUE", NoValue, "", "  'more'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCard(tt.card)
			if got := c.Keyword(); got != tt.keyword {
				t.Errorf("keyword %q, want %q", got, tt.keyword)
			}
			if got, want := c.Value(), (Value{tt.kind, tt.text, tt.comment}); got != want {
				t.Errorf("%q: %+v, want %+v", tt.card, got, want)
			}
			if got := c.String(); len(got) != 80 || strings.TrimRight(got, " ") != tt.card {
				t.Errorf("String() = %q, want the 80 bytes", got)
			}
		})
	}
}
