package fits

import (
	"bytes"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Header holds the cards of an HDU in their order, without END. Cards that are not
// changed keep their 80 bytes.
//
// Keywords are looked up without regard to case, and those of the HIERARCH convention
// with or without that word. Of a keyword that occurs twice the first card counts.
// Reading is safe for concurrent use; changing is not.
type Header struct {
	cards []Card
	where atomic.Pointer[map[string]int] // keyword → first card with it; built when first asked for
}

// ParseHeader reads the cards of block up to the END card, and ignores what follows it.
// The error is [fault.Corrupt] if there is no END.
func ParseHeader(block []byte) (*Header, error) {
	n := findEnd(block, 0)
	if n < 0 {
		return nil, fault.New(fault.Corrupt, "fits.ParseHeader", "no END card among the %d cards of the header", len(block)/cardSize)
	}
	return newHeader(block[:n*cardSize]), nil
}

// ParseText reads a header that is kept as text: lines of up to 80 characters, or cards
// of 80 without line ends. END may be missing. The error is [fault.Corrupt] if a line
// is longer.
func ParseText(text string) (*Header, error) {
	var block []byte
	text = strings.TrimRight(text, "\r\n")
	if first := strings.IndexByte(text, '\n'); first < 0 || first > cardSize {
		block = []byte(text)
		if part := len(block) % cardSize; part > 0 {
			block = append(block, bytes.Repeat([]byte(" "), cardSize-part)...)
		}
	} else {
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if len(line) > cardSize {
				return nil, fault.New(fault.Corrupt, "fits.ParseText", "the line %q has %d characters; a card has %d", line, len(line), cardSize)
			}
			card := newCard(line)
			block = append(block, card[:]...)
		}
	}
	if n := findEnd(block, 0); n >= 0 {
		block = block[:n*cardSize]
	}
	return newHeader(block), nil
}

// newHeader copies the cards of block, whose size is a multiple of cardSize.
func newHeader(block []byte) *Header {
	h := &Header{cards: make([]Card, len(block)/cardSize)}
	for i := range h.cards {
		h.cards[i] = Card(block[i*cardSize:])
	}
	return h
}

// newCard returns text, of which no more than 80 bytes count, as a card.
func newCard(text string) (c Card) {
	for i := copy(c[:], text); i < cardSize; i++ {
		c[i] = ' '
	}
	return c
}

// findEnd returns the number of the first END card from card first on, or -1. END may be
// followed by anything but a character of a keyword: not every program pads with blanks.
func findEnd(block []byte, first int) int {
	for i := first; (i+1)*cardSize <= len(block); i++ {
		c := block[i*cardSize:]
		if c[0] == 'E' && c[1] == 'N' && c[2] == 'D' && !isKeywordByte(c[3]) {
			return i
		}
	}
	return -1
}

func isKeywordByte(b byte) bool {
	return b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-'
}

// Len returns the number of cards.
func (h *Header) Len() int { return len(h.cards) }

// Cards yields the cards in their order.
func (h *Header) Cards() iter.Seq2[int, Card] { return slices.All(h.cards) }

// Clone returns a copy that shares nothing with h.
func (h *Header) Clone() *Header { return &Header{cards: slices.Clone(h.cards)} }

// Bytes returns the header as it stands in a file: cards, END and blanks up to a
// multiple of 2880 bytes.
func (h *Header) Bytes() []byte {
	block := make([]byte, 0, padded(int64(len(h.cards)+1)*cardSize))
	for i := range h.cards {
		block = append(block, h.cards[i][:]...)
	}
	block = append(block, "END"...)
	for len(block) < cap(block) {
		block = append(block, ' ')
	}
	return block
}

// padded rounds n up to whole blocks.
func padded(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// canonical returns the form of a keyword by which cards are found: upper case, words
// one blank apart, without HIERARCH.
func canonical(key string) string {
	key = strings.ToUpper(key)
	if strings.IndexByte(key, ' ') >= 0 {
		key = strings.Join(strings.Fields(key), " ")
		key = strings.TrimPrefix(key, "HIERARCH ")
	}
	return key
}

// appendCanonical appends the canonical form of a card's keyword.
func appendCanonical(dst, card []byte) []byte {
	name, _ := splitCard(card)
	for _, b := range name {
		if !isKeywordByte(b) {
			return append(dst, canonical(Card(card).Keyword())...)
		}
	}
	return append(dst, name...)
}

// find returns the number of the first card with a keyword, or -1.
func (h *Header) find(key string) int {
	m := h.where.Load()
	if m == nil {
		m = h.index()
	}
	if i, ok := (*m)[key]; ok {
		return i
	}
	if i, ok := (*m)[canonical(key)]; ok {
		return i
	}
	return -1
}

// index builds the map from keywords to cards. Several goroutines may do so at once;
// their maps are equal.
func (h *Header) index() *map[string]int {
	names := make([]byte, 0, 10*len(h.cards))
	ends := make([]int, len(h.cards))
	for i := range h.cards {
		names = appendCanonical(names, h.cards[i][:])
		ends[i] = len(names)
	}
	all, start := string(names), 0
	m := make(map[string]int, len(h.cards))
	for i, end := range ends {
		name := all[start:end]
		if _, seen := m[name]; !seen {
			m[name] = i
		}
		start = end
	}
	h.where.Store(&m)
	return &m
}

// Has reports whether there is a card with the keyword, be it without a value.
func (h *Header) Has(key string) bool { return h.find(key) >= 0 }

// Duplicates returns the keywords with values that occur more than once, in the order
// of their second occurrence.
func (h *Header) Duplicates() []string {
	var twice []string
	seen := make(map[string]bool, len(h.cards))
	for i := range h.cards {
		if _, field := splitCard(h.cards[i][:]); field == nil {
			continue
		}
		name := canonical(h.cards[i].Keyword())
		if seen[name] && !slices.Contains(twice, name) {
			twice = append(twice, name)
		}
		seen[name] = true
	}
	return twice
}

// Value returns the value of the first card with the keyword, CONTINUE cards joined; ok
// is false if there is none.
func (h *Header) Value(key string) (v Value, ok bool) {
	i := h.find(key)
	if i < 0 {
		return Value{}, false
	}
	v, _ = h.valueAt(i)
	return v, true
}

// valueAt returns the value of card i and how many cards it takes (section 4.2.1.2): a
// string that ends in "&" goes on in the CONTINUE card that follows, if one does.
func (h *Header) valueAt(i int) (v Value, cards int) {
	v, cards = h.cards[i].Value(), 1
	if v.Kind != String || !strings.HasSuffix(v.Text, "&") {
		return v, cards
	}
	text, comment := []byte(v.Text), []byte(v.Comment)
	for i+cards < len(h.cards) && bytes.HasSuffix(text, []byte("&")) {
		next, ok := continuation(h.cards[i+cards][:])
		if !ok {
			break
		}
		text = append(text[:len(text)-1], next.Text...)
		if next.Comment != "" {
			if len(comment) > 0 {
				comment = append(comment, ' ')
			}
			comment = append(comment, next.Comment...)
		}
		cards++
	}
	return Value{Kind: String, Text: trimRight(text), Comment: string(comment)}, cards
}

// present returns the value of key for the typed readers: ok is false if it is absent,
// undefined or commentary.
func (h *Header) present(key string) (v Value, ok bool) {
	v, ok = h.Value(key)
	return v, ok && v.Kind != Undefined && v.Kind != NoValue
}

// Float returns the value of key as a number; ok is false if it is absent or undefined.
// The error is [fault.Corrupt] if it is no number or none that a float64 can hold.
func (h *Header) Float(key string) (f float64, ok bool, err error) {
	v, ok := h.present(key)
	if !ok {
		return 0, false, nil
	}
	if v.Kind == Integer || v.Kind == Real {
		if f, err := strconv.ParseFloat(goNumber(v.Text), 64); err == nil {
			return f, true, nil
		}
	}
	return 0, false, wrongValue("fits.Header.Float", key, v, "a number")
}

// Int returns the value of key as an integer; ok is false if it is absent or undefined.
// A real without a fraction, such as 2., is one too. The error is [fault.Corrupt] if
// the value is anything else or does not fit 64 bits.
func (h *Header) Int(key string) (n int64, ok bool, err error) {
	v, ok := h.present(key)
	if !ok {
		return 0, false, nil
	}
	switch v.Kind {
	case Integer:
		if n, err := strconv.ParseInt(goNumber(v.Text), 10, 64); err == nil {
			return n, true, nil
		}
	case Real:
		if f, err := strconv.ParseFloat(goNumber(v.Text), 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return int64(f), true, nil
		}
	}
	return 0, false, wrongValue("fits.Header.Int", key, v, "an integer of 64 bits")
}

// Text returns the value of key, a string, with CONTINUE cards joined and without
// trailing blanks; ok is false if it is absent or undefined. The error is
// [fault.Corrupt] if it is no string.
func (h *Header) Text(key string) (s string, ok bool, err error) {
	v, ok := h.present(key)
	if !ok {
		return "", false, nil
	}
	if v.Kind == String {
		return v.Text, true, nil
	}
	return "", false, wrongValue("fits.Header.Text", key, v, "a string in single quotes")
}

// Bool returns the value of key, T or F; ok is false if it is absent or undefined. The
// error is [fault.Corrupt] if it is neither.
func (h *Header) Bool(key string) (b, ok bool, err error) {
	v, ok := h.present(key)
	if !ok {
		return false, false, nil
	}
	if v.Kind == Logical {
		return v.Text == "T", true, nil
	}
	return false, false, wrongValue("fits.Header.Bool", key, v, "T or F")
}

func wrongValue(op, key string, v Value, want string) error {
	return fault.New(fault.Corrupt, op, "the card %s holds %s (%s); expected %s", key, v.Text, v.Kind, want)
}
