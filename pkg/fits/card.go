package fits

import (
	"bytes"
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
func (c Card) Keyword() string {
	name, _ := splitCard(c[:])
	if isHierarch(c[:]) {
		return strings.Join(strings.Fields(string(name)), " ")
	}
	return string(name)
}

// Value parses the card's value field and comment (section 4.2). A card that
// breaks the rules has the kind Malformed and keeps its text; CONTINUE cards that follow
// are not joined: [Header.Value] does that.
func (c Card) Value() Value {
	_, field := splitCard(c[:])
	if field == nil {
		return Value{Kind: NoValue, Comment: trimRight(c[8:])}
	}
	return parseValue(field)
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

// isHierarch reports whether the card follows the HIERARCH convention: any keyword, a
// "=" somewhere after it, a value.
func isHierarch(card []byte) bool {
	return string(card[:9]) == "HIERARCH " && bytes.IndexByte(card[9:], '=') > 0
}

// splitCard returns the keyword and the value field, which follows the "="; the field
// is nil for commentary. The "= " that belongs in columns 9 and 10 may lack its blank,
// stand earlier, or stand later if only blanks lie between.
func splitCard(card []byte) (name, field []byte) {
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

// parseValue reads a value field: blanks, a value, and a comment after "/".
func parseValue(field []byte) Value {
	rest := trimLeft(field)
	if len(rest) > 0 && rest[0] == '\'' {
		return parseString(rest)
	}
	text, comment := string(rest), ""
	if value, after, ok := strings.Cut(text, "/"); ok {
		text, comment = value, strings.Trim(after, " ")
	}
	text = strings.Trim(text, blanks)
	return Value{Kind: classify(text), Text: text, Comment: comment}
}

// blanks are the bytes that separate values: a blank by the standard, the others in
// headers that broken programs wrote.
const blanks = " \t\n\r\x00"

// parseString reads a value that begins with a quote; inside, a quote is written twice.
func parseString(field []byte) Value {
	var text []byte
	for i := 1; i < len(field); i++ {
		if field[i] != '\'' {
			text = append(text, field[i])
			continue
		}
		if i+1 < len(field) && field[i+1] == '\'' {
			text = append(text, '\'')
			i++
			continue
		}
		after := trimLeft(field[i+1:])
		switch {
		case len(after) == 0:
			return Value{Kind: String, Text: trimRight(text)}
		case after[0] == '/':
			return Value{Kind: String, Text: trimRight(text), Comment: strings.Trim(string(after[1:]), " ")}
		}
		return Value{Kind: Malformed, Text: trimRight(field)} // as in 'O'Hara'
	}
	return Value{Kind: Malformed, Text: trimRight(field)} // no closing quote
}

// continuation returns the string on a CONTINUE card; ok is false if it holds none.
func continuation(card []byte) (v Value, ok bool) {
	if string(card[:8]) != "CONTINUE" {
		return Value{}, false
	}
	rest := trimLeft(card[8:])
	if len(rest) == 0 || rest[0] != '\'' {
		return Value{}, false
	}
	v = parseString(rest)
	return v, v.Kind == String
}

// classify names the kind of a value that is no string.
func classify(text string) ValueKind {
	switch {
	case text == "":
		return Undefined
	case text == "T" || text == "F":
		return Logical
	case text[0] == '(' && text[len(text)-1] == ')':
		re, im, ok := strings.Cut(text[1:len(text)-1], ",")
		if ok && isNumber(strings.Trim(re, " ")) && isNumber(strings.Trim(im, " ")) {
			return Complex
		}
		return Malformed
	}
	return classifyNumber(text)
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
	switch strings.ToUpper(s) {
	case "NAN", "INF", "INFINITY":
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

// goNumber rewrites the text of an Integer or Real as package strconv reads it.
func goNumber(text string) string {
	if strings.IndexByte(text, ' ') >= 0 {
		text = strings.ReplaceAll(text, " ", "")
	}
	if i := strings.IndexAny(text, "Dd"); i >= 0 {
		text = text[:i] + "E" + text[i+1:]
	}
	return text
}

func trimLeft(b []byte) []byte { return bytes.TrimLeft(b, blanks) }

// trimRight returns b as a string without trailing blanks.
func trimRight(b []byte) string { return string(bytes.TrimRight(b, " ")) }
