package fits

import (
	"bytes"
	"strconv"
	"strings"
)

// A header is made of cards of cardSize bytes, and a file of blocks of blockSize bytes
// (FITS Standard 4.0, sections 3.1 and 4.1.1).
const (
	cardSize  = 80
	blockSize = 2880
)

// Card is one line of a header, its 80 bytes as they stand in the file.
type Card [cardSize]byte

// String returns the 80 bytes.
func (c Card) String() string { return string(c[:]) }

// Keyword returns the card's keyword as it is written: "CRPIX1", "ESO DET ID" for a
// card of the HIERARCH convention, "COMMENT", "HISTORY", "CONTINUE" or "" for
// commentary.
func (c Card) Keyword() string { return keyword(c[:]) }

func keyword(card []byte) string {
	name, _ := splitCard(card)
	s := names.spell(name)
	if isHierarch(card) {
		return s.words
	}
	return s.name
}

// Value parses the card's value field and comment (section 4.2). A card that
// breaks the rules has the kind Malformed and keeps its text; CONTINUE cards that follow
// are not joined: [Header.Value] does that.
func (c Card) Value() Value {
	f := parseCard(c[:])
	return f.value()
}

// ValueKind is the syntax of a card's value.
type ValueKind uint8

// The kinds of value.
const (
	NoValue   ValueKind = iota // a commentary card
	Undefined                  // a keyword without a value
	String                     // Text is what the quotes hold, without trailing blanks
	Logical                    // Text is T or F
	Integer                    // Text as in the card
	Real                       // Text as in the card; NaN and infinities too, which some programs write
	Complex                    // Text as in the card, with its parentheses
	Malformed                  // none of these; Text is all that stands after the "="
)

var kindNames = [...]string{"commentary", "undefined", "string", "logical", "integer", "real", "complex", "malformed"}

// String names the kind.
func (k ValueKind) String() string { return kindNames[k] }

// Value is the value of a card and its comment.
type Value struct {
	Kind    ValueKind
	Text    string
	Comment string // for commentary cards, columns 9 to 80
}

// entry is a value and its comment as parts of the card that holds them.
type entry struct {
	kind          ValueKind
	text, comment []byte
}

// value returns f as text of its own.
func (f *entry) value() Value {
	var both strings.Builder
	both.Grow(len(f.text) + len(f.comment))
	both.Write(f.text)
	both.Write(f.comment)
	all := both.String()
	return Value{Kind: f.kind, Text: all[:len(f.text)], Comment: all[len(f.text):]}
}

// parseCard parses the value field of a card; what it returns is valid as long as the card.
func parseCard(card []byte) entry {
	_, rest := splitCard(card)
	if rest == nil {
		return entry{kind: NoValue, comment: trimRight(card[8:])}
	}
	return parseEntry(rest)
}

// isHierarch reports whether the card follows the HIERARCH convention: any keyword, a
// "=" somewhere after it, a value.
func isHierarch(card []byte) bool {
	return string(card[:9]) == "HIERARCH " && bytes.IndexByte(card[9:], '=') > 0
}

// splitCard returns the keyword and the value field, which follows the "="; the field
// is nil for commentary. The "= " that belongs in columns 9 and 10 may lack its blank,
// stand earlier, or stand later if only blanks lie between.
func splitCard(card []byte) (name, rest []byte) {
	if card[8] == '=' { // nearly all cards
		if n := keywordLen(card[:8]); n > 0 {
			return card[:n], card[9:]
		}
	}
	if isHierarch(card) {
		i := 9 + bytes.IndexByte(card[9:], '=')
		return bytes.TrimSpace(card[9:i]), card[i+1:]
	}
	name = bytes.TrimRight(card[:8], " \t\n\r\x00")
	switch string(name) {
	case "", "COMMENT", "HISTORY", "CONTINUE":
		return name, nil
	}
	if i := bytes.IndexByte(card[:9], '='); i > 0 {
		return bytes.TrimSpace(card[:i]), card[i+1:]
	}
	if rest := bytes.TrimLeft(card[8:], " "); len(rest) > 0 && rest[0] == '=' {
		return name, rest[1:]
	}
	return name, nil
}

// keywordLen returns the length of a standard keyword that blanks follow, or 0. The first
// letter of commentary is none: that takes the longer way.
func keywordLen(b []byte) (n int) {
	if b[0] == 'C' || b[0] == 'H' {
		switch string(b) {
		case "COMMENT ", "HISTORY ", "CONTINUE", "HIERARCH":
			return 0
		}
	}
	for n < len(b) && isKeywordByte(b[n]) {
		n++
	}
	for _, c := range b[n:] {
		if c != ' ' {
			return 0
		}
	}
	return n
}

// parseEntry reads a value field: blanks, a value, and a comment after "/".
func parseEntry(b []byte) entry {
	rest := trimLeft(b)
	if len(rest) > 0 && rest[0] == '\'' {
		return parseString(rest)
	}
	text, comment, ok := bytes.Cut(rest, slash)
	if ok {
		comment = bytes.Trim(comment, " ")
	}
	for len(text) > 0 && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return entry{classify(text), text, comment}
}

var slash = []byte("/")

// isBlank reports whether a byte separates values: a blank by the standard, the others in
// headers that broken programs wrote.
func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == 0 }

// parseString reads a value that begins with a quote; inside, a quote is written twice.
func parseString(b []byte) entry {
	doubled := false
	for i := 1; i < len(b); i++ {
		if b[i] != '\'' {
			continue
		}
		if i+1 < len(b) && b[i+1] == '\'' {
			doubled = true
			i++
			continue
		}
		text := b[1:i]
		if doubled {
			text = bytes.ReplaceAll(text, []byte("''"), []byte("'"))
		}
		after := trimLeft(b[i+1:])
		switch {
		case len(after) == 0:
			return entry{kind: String, text: trimRight(text)}
		case after[0] == '/':
			return entry{String, trimRight(text), bytes.Trim(after[1:], " ")}
		}
		break // as in 'O'Hara'
	}
	return entry{kind: Malformed, text: trimRight(b)} // as above, or no closing quote
}

// continuation returns the string on a CONTINUE card; ok is false if it holds none.
func continuation(card []byte) (f entry, ok bool) {
	if string(card[:8]) != "CONTINUE" {
		return entry{}, false
	}
	rest := trimLeft(card[8:])
	if len(rest) == 0 || rest[0] != '\'' {
		return entry{}, false
	}
	f = parseString(rest)
	return f, f.kind == String
}

// classify names the kind of a value that is no string.
func classify(text []byte) ValueKind {
	switch {
	case len(text) == 0:
		return Undefined
	case len(text) == 1 && (text[0] == 'T' || text[0] == 'F'):
		return Logical
	case text[0] == '(' && text[len(text)-1] == ')':
		re, im, ok := strings.Cut(string(text[1:len(text)-1]), ",")
		if ok && isNumber(strings.Trim(re, " ")) && isNumber(strings.Trim(im, " ")) {
			return Complex
		}
		return Malformed
	}
	return classifyNumber(string(text))
}

func isNumber(text string) bool {
	k := classifyNumber(text)
	return k == Integer || k == Real
}

// classifyNumber tells integers from reals (section 4.2.3 and 4.2.4): sign, digits with
// a point anywhere among them or none, and an exponent after E, D, e or d. Blanks may follow a
// sign and the exponent's letter, as in headers older than the standard.
func classifyNumber(text string) ValueKind {
	s := skipSign(text)
	if s != "" && s[0] >= 'A' && (strings.EqualFold(s, "NAN") || strings.EqualFold(s, "INF") || strings.EqualFold(s, "INFINITY")) {
		return Real
	}
	s, whole := skipDigits(s)
	kind, digits := Integer, whole
	if strings.HasPrefix(s, ".") {
		kind = Real
		var fraction int
		s, fraction = skipDigits(s[1:])
		digits += fraction
	}
	if digits == 0 {
		return Malformed
	}
	if s != "" && strings.IndexByte("EDed", s[0]) >= 0 {
		kind = Real
		var exponent int
		s, exponent = skipDigits(skipSign(strings.TrimLeft(s[1:], " ")))
		if exponent == 0 {
			return Malformed
		}
	}
	if s != "" {
		return Malformed
	}
	return kind
}

func skipSign(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return strings.TrimLeft(s[1:], " ")
	}
	return s
}

func skipDigits(s string) (rest string, n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[n:], n
}

// parseFloat reads the text of an Integer or Real.
func parseFloat(text []byte) (float64, error) {
	var buf [cardSize]byte
	return strconv.ParseFloat(string(appendNumber(buf[:0], text)), 64)
}

func parseInt(text []byte) (int64, error) {
	var buf [cardSize]byte
	return strconv.ParseInt(string(appendNumber(buf[:0], text)), 10, 64)
}

// appendNumber appends a number as package strconv reads it.
func appendNumber(dst, text []byte) []byte {
	for _, b := range text {
		switch b {
		case ' ':
			continue
		case 'D', 'd':
			b = 'E'
		}
		dst = append(dst, b)
	}
	return dst
}

func trimLeft(b []byte) []byte {
	n := 0
	for n < len(b) && isBlank(b[n]) {
		n++
	}
	return b[n:]
}

func trimRight(b []byte) []byte { return bytes.TrimRight(b, " ") }
