package fits

import (
	"bytes"
	"iter"
	"math"
	"slices"
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
	where atomic.Pointer[table] // built when first asked for
	spare *table                // one that changes have made useless, to be filled again by the next change
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

// Clone returns a copy; changing one does not change the other.
func (h *Header) Clone() *Header {
	c := &Header{cards: append(make([]Card, 0, len(h.cards)+16), h.cards...)} // some cards more are likely
	if t := h.where.Load(); t != nil {
		t.shared.Store(true)
		c.where.Store(t)
	}
	return c
}

// Bytes returns the header as it stands in a file: cards, END and blanks up to a
// multiple of 2880 bytes.
func (h *Header) Bytes() []byte { return h.appendBlocks(nil, nil) }

// blocks returns the bytes of a header of n cards and END.
func blocks(n int) int64 { return padded(int64(n+1) * cardSize) }

// appendBlocks appends the header as it stands in a file, with more cards at its end.
func (h *Header) appendBlocks(dst []byte, more []Card) []byte {
	end := len(dst) + int(blocks(len(h.cards)+len(more)))
	dst = slices.Grow(dst, end-len(dst))
	for i := range h.cards {
		dst = append(dst, h.cards[i][:]...)
	}
	for i := range more {
		dst = append(dst, more[i][:]...)
	}
	dst = append(dst, "END"...)
	for len(dst) < end {
		dst = append(dst, blank[:min(end-len(dst), cardSize)]...)
	}
	return dst
}

var blank = newCard("")

// padded rounds n up to whole blocks.
func padded(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// find returns the number of the first card with a keyword, or -1. Goroutines that build
// the table at once build equal ones.
func (h *Header) find(key string) int {
	t := h.where.Load()
	if t == nil {
		t = (*table)(nil).build(h.cards)
		h.where.Store(t)
	}
	return h.lookUp(t, key)
}

// seek is find for those who change h, alone: it builds no second table.
func (h *Header) seek(key string) int {
	t := h.where.Load()
	if t == nil {
		t, h.spare = h.spare.build(h.cards), nil
		h.where.Store(t)
	}
	return h.lookUp(t, key)
}

func (h *Header) lookUp(t *table, key string) int {
	if i := t.find(h.cards, key); i >= 0 {
		return i
	}
	if c := canonical(key); c != key {
		return t.find(h.cards, c)
	}
	return -1
}

// moved gives up the table because cards have moved.
func (h *Header) moved() {
	if t := h.where.Swap(nil); t != nil && !t.shared.Load() {
		h.spare = t
	}
}

// Has reports whether there is a card with the keyword, be it without a value.
func (h *Header) Has(key string) bool { return h.find(key) >= 0 }

// HasPrefix reports whether a keyword begins with prefix, in upper case.
func (h *Header) HasPrefix(prefix string) bool {
	var buf [cardSize]byte
	for i := range h.cards {
		if bytes.HasPrefix(appendCanonical(buf[:0], h.cards[i][:]), []byte(prefix)) {
			return true
		}
	}
	return false
}

// Duplicates returns the keywords with values that occur more than once, in the order
// of their second occurrence.
func (h *Header) Duplicates() []string {
	var twice []string
	seen := make(map[string]bool, len(h.cards))
	for i := range h.cards {
		if _, rest := splitCard(h.cards[i][:]); rest == nil {
			continue
		}
		name := canonical(keyword(h.cards[i][:]))
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
	f, _ := h.entryAt(i)
	return f.value(), true
}

// entryAt returns the value of card i and how many cards it takes (section 4.2.1.2): a
// string that ends in "&" goes on in the CONTINUE card that follows, if one does.
func (h *Header) entryAt(i int) (f entry, cards int) {
	f, cards = parseCard(h.cards[i][:]), 1
	if f.kind != String || !bytes.HasSuffix(f.text, ampersand) {
		return f, cards
	}
	text, comment := slices.Clone(f.text), slices.Clone(f.comment)
	for i+cards < len(h.cards) && bytes.HasSuffix(text, ampersand) {
		next, ok := continuation(h.cards[i+cards][:])
		if !ok {
			break
		}
		text = append(text[:len(text)-1], next.text...)
		if len(next.comment) > 0 {
			if len(comment) > 0 {
				comment = append(comment, ' ')
			}
			comment = append(comment, next.comment...)
		}
		cards++
	}
	return entry{String, trimRight(text), comment}, cards
}

var ampersand = []byte("&")

// present returns the value of key for the typed readers: ok is false if it is absent,
// undefined or commentary.
func (h *Header) present(key string) (f entry, ok bool) {
	i := h.find(key)
	if i < 0 {
		return entry{}, false
	}
	f, _ = h.entryAt(i)
	return f, f.kind != Undefined && f.kind != NoValue
}

// Float returns the value of key as a number; ok is false if it is absent or undefined.
// The error is [fault.Corrupt] if it is no number or none that a float64 can hold.
func (h *Header) Float(key string) (v float64, ok bool, err error) {
	f, ok := h.present(key)
	if !ok {
		return 0, false, nil
	}
	if f.kind == Integer || f.kind == Real {
		if v, err := parseFloat(f.text); err == nil {
			return v, true, nil
		}
	}
	return 0, false, wrongValue("fits.Header.Float", key, f, "a number")
}

// Int returns the value of key as an integer; ok is false if it is absent or undefined.
// A real without a fraction, such as 2., is one too. The error is [fault.Corrupt] if
// the value is anything else or does not fit 64 bits.
func (h *Header) Int(key string) (n int64, ok bool, err error) {
	f, ok := h.present(key)
	if !ok {
		return 0, false, nil
	}
	switch f.kind {
	case Integer:
		if n, err := parseInt(f.text); err == nil {
			return n, true, nil
		}
	case Real:
		if v, err := parseFloat(f.text); err == nil && v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), true, nil
		}
	}
	return 0, false, wrongValue("fits.Header.Int", key, f, "an integer of 64 bits")
}

// Text returns the value of key, a string, with CONTINUE cards joined and without
// trailing blanks; ok is false if it is absent or undefined. The error is
// [fault.Corrupt] if it is no string.
func (h *Header) Text(key string) (s string, ok bool, err error) {
	f, ok := h.present(key)
	if !ok {
		return "", false, nil
	}
	if f.kind == String {
		return string(f.text), true, nil
	}
	return "", false, wrongValue("fits.Header.Text", key, f, "a string in single quotes")
}

// Bool returns the value of key, T or F; ok is false if it is absent or undefined. The
// error is [fault.Corrupt] if it is neither.
func (h *Header) Bool(key string) (b, ok bool, err error) {
	f, ok := h.present(key)
	if !ok {
		return false, false, nil
	}
	if f.kind == Logical {
		return f.text[0] == 'T', true, nil
	}
	return false, false, wrongValue("fits.Header.Bool", key, f, "T or F")
}

// wrongValue does not keep key, so that callers may build it without allocating.
func wrongValue(op, key string, f entry, want string) error {
	return fault.New(fault.Corrupt, op, "the card %s holds %s (%s); expected %s", strings.Clone(key), string(f.text), f.kind, want)
}
