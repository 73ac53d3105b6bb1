package fits

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Set gives key a value: a string, a bool, an int, an int64, a float64 or nil, which
// leaves it undefined. A card that is there is replaced where it stands, and later cards
// with the same keyword are deleted, because some programs read the last of them. A new
// card goes to the end. An empty comment keeps the comment of the card that is there; a
// comment too long for the card is cut.
//
// A string that needs more than one card continues on CONTINUE cards, and a keyword that
// is longer than 8 characters or holds a blank is written by the HIERARCH convention. A
// float64 is written in the shortest form that reads back the same. In comments, what is
// not ASCII becomes "?".
//
// The error is [fault.Internal] if FITS cannot express the keyword or the value: text
// beyond ASCII, a NaN, an infinity, another type.
func (h *Header) Set(key string, value any, comment string) error {
	return h.set(len(h.cards), key, value, comment)
}

// SetAfter is Set, but a new card goes behind the card with the keyword after, if that
// exists.
func (h *Header) SetAfter(after, key string, value any, comment string) error {
	i := h.find(after)
	if i < 0 {
		return h.Set(key, value, comment)
	}
	_, n := h.valueAt(i)
	return h.set(i+n, key, value, comment)
}

// set writes key where it is, or at card i if it is nowhere.
func (h *Header) set(i int, key string, value any, comment string) error {
	key = canonical(key)
	n, fresh := 0, true
	if at := h.find(key); at >= 0 {
		var old Value
		old, n = h.valueAt(at)
		if comment == "" {
			comment = old.Comment
		}
		i, fresh = at, false
	}
	cards, err := format(key, value, comment)
	if err != nil {
		return err
	}
	if !fresh {
		h.deleteFrom(i+n, key)
	}
	h.cards = slices.Replace(h.cards, i, i+n, cards...)
	h.where.Store(nil)
	return nil
}

// Delete removes all cards with these keywords, and the CONTINUE cards that belong to
// them. COMMENT, HISTORY and "" remove all commentary of that kind.
func (h *Header) Delete(keys ...string) {
	for _, key := range keys {
		if key = canonical(key); h.find(key) >= 0 {
			h.deleteFrom(0, key)
		}
	}
}

// deleteFrom removes the cards with a canonical keyword from card first on.
func (h *Header) deleteFrom(first int, key string) {
	kept := h.cards[:first]
	for i := first; i < len(h.cards); {
		_, n := h.valueAt(i)
		if canonical(h.cards[i].Keyword()) != key {
			kept = append(kept, h.cards[i:i+n]...)
		}
		i += n
	}
	h.cards = kept
	h.where.Store(nil)
}

// Append adds cards as they are at the end.
func (h *Header) Append(cards ...Card) {
	h.cards = append(h.cards, cards...)
	h.where.Store(nil)
}

// AddHistory adds text at the end as HISTORY cards of 72 characters each. A line end
// begins a new card, and what is not ASCII becomes "?".
func (h *Header) AddHistory(text string) { h.addCommentary("HISTORY", text) }

// AddComment adds text as [Header.AddHistory] does, as COMMENT cards.
func (h *Header) AddComment(text string) { h.addCommentary("COMMENT", text) }

func (h *Header) addCommentary(key, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = ascii(line)
		for {
			n := min(len(line), cardSize-8)
			h.Append(newCard(fmt.Sprintf("%-8s%s", key, line[:n])))
			if line = line[n:]; line == "" {
				break
			}
		}
	}
}

// format returns the cards of a keyword in canonical form (section 4.1.2 and 4.2).
func format(key string, value any, comment string) ([]Card, error) {
	const op = "fits.Header.Set"
	head, fixed := fmt.Sprintf("%-8s= ", key), true
	if !isStandardKeyword(key) {
		if !isHierarchKeyword(key) {
			return nil, fault.New(fault.Internal, op, "%q cannot be a keyword: expected letters, digits, - and _, and blanks between words", key)
		}
		head, fixed = "HIERARCH "+key+" = ", false
	}
	comment = ascii(comment)
	var text string
	switch v := value.(type) {
	case nil:
	case bool:
		text = "F"
		if v {
			text = "T"
		}
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fault.New(fault.Internal, op, "%s = %g: FITS headers hold finite numbers only", key, v)
		}
		text = strconv.FormatFloat(v, 'G', -1, 64)
		if !strings.ContainsAny(text, ".E") {
			text += ".0"
		}
	case string:
		if !isText(v) {
			return nil, fault.New(fault.Internal, op, "%s = %q: FITS headers hold printable ASCII only", key, v)
		}
		return formatString(head, fixed, v, comment)
	default:
		return nil, fault.New(fault.Internal, op, "%s: a value of type %T has no form in FITS", key, value)
	}
	if fixed {
		text = fmt.Sprintf("%20s", text)
	}
	if len(head)+len(text) > cardSize {
		return nil, fault.New(fault.Internal, op, "the keyword %s and the value %s do not fit a card", key, text)
	}
	return []Card{newCard(withComment(head+text, comment))}, nil
}

// formatString returns the cards of a string: one, or several joined by CONTINUE.
func formatString(head string, fixed bool, s, comment string) ([]Card, error) {
	s = strings.TrimRight(s, " ")
	text := quote(s)
	if fixed && len(text) < 10 { // section 4.2.1.1: at least eight characters
		text = fmt.Sprintf("'%-8s'", text[1:len(text)-1])
	}
	// A string that ends in "&" would swallow a CONTINUE card that happens to follow it,
	// so it takes the long form, whose last card ends it for certain.
	if len(head)+len(text) <= cardSize && !strings.HasSuffix(s, "&") {
		return []Card{newCard(withComment(head+text, comment))}, nil
	}
	if len(head)+len("'x&'") > cardSize {
		return nil, fault.New(fault.Internal, "fits.Header.Set", "the keyword in %q leaves no room for a value", head)
	}
	var cards []Card
	for s != "" {
		n, quoted := 0, len("''&")
		for n < len(s) {
			width := 1
			if s[n] == '\'' {
				width = 2
			}
			if len(head)+quoted+width > cardSize {
				break
			}
			quoted += width
			n++
		}
		if n == 0 { // no room for a quote, which is written twice
			return nil, fault.New(fault.Internal, "fits.Header.Set", "the keyword in %q leaves no room for a value", head)
		}
		text := quote(s[:n] + "&")
		cards = append(cards, newCard(head+text))
		s, head = s[n:], "CONTINUE  "
	}
	cards = append(cards, newCard(withComment("CONTINUE  ''", comment)))
	return cards, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// withComment adds a comment from column 32 on, or behind a longer value.
func withComment(card, comment string) string {
	if comment == "" || len(card)+len(" / ") >= cardSize {
		return card
	}
	card = fmt.Sprintf("%-30s / %s", card, comment)
	return strings.TrimRight(card[:min(len(card), cardSize)], " ")
}

func isStandardKeyword(key string) bool {
	for i := range len(key) {
		if !isKeywordByte(key[i]) {
			return false
		}
	}
	switch key {
	case "", "END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH":
		return false
	}
	return len(key) <= 8
}

// isHierarchKeyword reports whether key is one or more words that HIERARCH can carry and
// that do not read back as something else.
func isHierarchKeyword(key string) bool {
	switch key {
	case "", "END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH":
		return false
	}
	return isText(key) && !strings.ContainsAny(key, "='/")
}

// ascii writes "?" for each character that a header cannot hold.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
