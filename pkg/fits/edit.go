package fits

import (
	"bytes"
	"math"
	"reflect"
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
	i := h.seek(after)
	if i < 0 {
		return h.Set(key, value, comment)
	}
	_, n := h.entryAt(i)
	return h.set(i+n, key, value, comment)
}

// set writes key where it is, or at card i if it is nowhere.
func (h *Header) set(i int, key string, value any, comment string) error {
	key = canonical(key)
	at := h.seek(key)
	n := 0
	if at >= 0 {
		var old entry
		old, n = h.entryAt(at)
		if i = at; comment == "" {
			comment = string(old.comment)
		}
	}
	var buf [2]Card
	cards, err := appendCards(buf[:0], key, value, comment)
	if err != nil {
		return err
	}
	if at >= 0 && h.where.Load().twice {
		h.deleteFrom(i+n, key)
	}
	switch {
	case len(cards) == n:
		copy(h.cards[i:], cards)
	case i == len(h.cards):
		h.Append(cards...)
	default:
		h.cards = slices.Replace(h.cards, i, i+n, cards...)
		h.moved()
	}
	return nil
}

// Delete removes all cards with these keywords, and the CONTINUE cards that belong to
// them. COMMENT, HISTORY and "" remove all commentary of that kind.
func (h *Header) Delete(keys ...string) {
	for _, key := range keys {
		key = canonical(key)
		if i := h.seek(key); i >= 0 {
			if key == "CONTINUE" {
				i = 0 // it has to be seen to which strings they belong
			}
			h.deleteFrom(i, key)
		}
	}
}

// DeleteFunc removes the cards for which del is true, with the CONTINUE cards that belong to
// them, about which del is not asked.
func (h *Header) DeleteFunc(del func(c Card) bool) {
	h.deleteFunc(0, func(card []byte) bool { return del(Card(card)) })
}

// deleteFrom removes the cards with a canonical keyword from card first on.
func (h *Header) deleteFrom(first int, key string) {
	h.deleteFunc(first, func(card []byte) bool { return isNamed(card, key) })
}

// deleteFunc removes the cards for which del is true, with their continuations, from card
// first on, which is none. It asks about no card that continues another.
func (h *Header) deleteFunc(first int, del func(card []byte) bool) {
	kept := h.cards[:first]
	for i := first; i < len(h.cards); {
		n := 1
		if bytes.IndexByte(h.cards[i][:], '&') >= 0 { // it may go on
			_, n = h.entryAt(i)
		}
		if !del(h.cards[i][:]) {
			kept = append(kept, h.cards[i:i+n]...)
		}
		i += n
	}
	if len(kept) < len(h.cards) {
		h.cards = kept
		h.moved()
	}
}

// Append adds cards as they are at the end.
func (h *Header) Append(cards ...Card) {
	n := len(h.cards)
	h.cards = append(h.cards, cards...)
	t := h.where.Load()
	if t == nil || !t.room(len(cards)) {
		h.moved()
		return
	}
	if t.shared.Load() {
		t = &table{slots: slices.Clone(t.slots), used: t.used, twice: t.twice}
		h.where.Store(t)
	}
	for i := range cards {
		t.add(h.cards, n+i)
	}
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
			c := blank
			copy(c[:], key)
			copy(c[8:], line[:n])
			h.Append(c)
			if line = line[n:]; line == "" {
				break
			}
		}
	}
}

// appendCards appends the cards of a keyword in canonical form (section 4.1.2 and 4.2).
func appendCards(dst []Card, key string, value any, comment string) ([]Card, error) {
	const op = "fits.Header.Set"
	var buf [cardSize + 16]byte // room for any number behind the longest keyword
	head, fixed := buf[:0], true
	switch {
	case isStandardKeyword(key):
		head = append(append(head, key...), "        "[len(key):]...)
		head = append(head, "= "...)
	case !isHierarchKeyword(key):
		return nil, fault.New(fault.Internal, op, "%q cannot be a keyword: expected letters, digits, - and _, and blanks between words", strings.Clone(key))
	default:
		head = append(append(append(head, "HIERARCH "...), key...), " = "...)
		fixed = false
	}
	comment = ascii(comment)
	begin := len(head)
	line := head
	switch v := value.(type) {
	case nil:
	case bool:
		line = append(line, "FT"[b2i(v)])
	case int:
		line = strconv.AppendInt(line, int64(v), 10)
	case int64:
		line = strconv.AppendInt(line, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fault.New(fault.Internal, op, "%s = %g: FITS headers hold finite numbers only", strings.Clone(key), v)
		}
		line = strconv.AppendFloat(line, v, 'G', -1, 64)
		if !bytes.ContainsAny(line[begin:], ".E") {
			line = append(line, ".0"...)
		}
	case string:
		if !isText(v) {
			return nil, fault.New(fault.Internal, op, "%s = %q: FITS headers hold printable ASCII only", strings.Clone(key), v)
		}
		return appendString(dst, head, fixed, v, comment)
	default:
		return nil, fault.New(fault.Internal, op, "%s: a value of type %v has no form in FITS", strings.Clone(key), reflect.TypeOf(value))
	}
	if width := len(line) - begin; fixed && width < 20 {
		line = append(line, blank[:20-width]...)
		copy(line[begin+20-width:], line[begin:begin+width])
		copy(line[begin:], blank[:20-width])
	}
	if len(line) > cardSize {
		return nil, fault.New(fault.Internal, op, "the keyword %s and the value %s do not fit a card", strings.Clone(key), string(line[begin:]))
	}
	return append(dst, withComment(line, comment)), nil
}

// appendString appends the cards of a string: one, or several joined by CONTINUE.
func appendString(dst []Card, head []byte, fixed bool, s, comment string) ([]Card, error) {
	s = strings.TrimRight(s, " ")
	// A string that ends in "&" would swallow a CONTINUE card that happens to follow it,
	// so it takes the long form, whose last card ends it for certain.
	if quotedLen := len(s) + strings.Count(s, "'") + 2; len(head)+quotedLen <= cardSize && !strings.HasSuffix(s, "&") {
		line := appendQuoted(head, s)
		if short := 10 - (len(line) - len(head)); fixed && short > 0 { // section 4.2.1.1: at least eight characters
			line = append(append(line[:len(line)-1], blank[:short]...), '\'')
		}
		return append(dst, withComment(line, comment)), nil
	}
	if len(head)+len("'x&'") > cardSize {
		return nil, fault.New(fault.Internal, "fits.Header.Set", "the keyword in %q leaves no room for a value", string(head))
	}
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
			return nil, fault.New(fault.Internal, "fits.Header.Set", "the keyword in %q leaves no room for a value", string(head))
		}
		line := appendQuoted(head, s[:n])
		line = append(line[:len(line)-1], "&'"...)
		dst = append(dst, withComment(line, ""))
		s, head = s[n:], append(head[:0], "CONTINUE  "...)
	}
	return append(dst, withComment(append(head[:0], "CONTINUE  ''"...), comment)), nil
}

// appendQuoted appends a string in quotes; inside, a quote is written twice.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '\'')
	for i := range len(s) {
		if s[i] == '\'' {
			dst = append(dst, '\'')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '\'')
}

// withComment makes a card of a keyword with its value, which fit it, and adds as much of
// a comment as fits from column 32 on, or behind a longer value.
func withComment(line []byte, comment string) Card {
	c := blank
	copy(c[:], line)
	if at := max(len(line), 30); comment != "" && len(line)+len(" / ") < cardSize {
		copy(c[at:], " / ")
		copy(c[at+len(" / "):], comment)
	}
	return c
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
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
