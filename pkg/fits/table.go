package fits

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// table finds the first card with a keyword: an open-addressed hash table of canonical
// keywords with linear probing, at most half full.
type table struct {
	slots  []slot // a power of two of them
	used   int
	twice  bool        // a keyword with a value occurs twice
	shared atomic.Bool // headers that are clones use it: it must not change any more
}

type slot struct {
	hash uint32
	card int32 // its number + 1; 0 for a free slot
}

// build fills t, which may be nil, with the keywords of cards.
func (t *table) build(cards []Card) *table {
	if t == nil {
		t = new(table)
	}
	size := 64
	for size < 2*(len(cards)+8) {
		size *= 2
	}
	if len(t.slots) >= size {
		clear(t.slots)
	} else {
		t.slots = make([]slot, size)
	}
	t.used, t.twice = 0, false
	for i := range cards {
		t.add(cards, i)
	}
	return t
}

// room reports whether n more cards can be added.
func (t *table) room(n int) bool { return 2*(t.used+n) <= len(t.slots) }

// add enters card i, unless an earlier card has its keyword.
func (t *table) add(cards []Card, i int) {
	var buf [cardSize]byte
	name := appendCanonical(buf[:0], cards[i][:])
	h := hash(name)
	for at := int(h); ; at++ {
		s := &t.slots[at&(len(t.slots)-1)]
		if s.card == 0 {
			*s = slot{h, int32(i + 1)}
			t.used++
			return
		}
		if s.hash == h && isNamed(cards[s.card-1][:], name) {
			t.twice = t.twice || !isCommentary(name)
			return
		}
	}
}

// find returns the number of the first card with a canonical keyword, or -1.
func (t *table) find(cards []Card, key string) int {
	h := hashString(key)
	for at := int(h); ; at++ {
		s := &t.slots[at&(len(t.slots)-1)]
		if s.card == 0 {
			return -1
		}
		if s.hash == h && isNamed(cards[s.card-1][:], key) {
			return int(s.card - 1)
		}
	}
}

// seed makes the places of keywords unknown to who writes headers, who could otherwise
// make thousands of them fall on one.
var seed = maphash.MakeSeed()

func hash(key []byte) uint32       { return uint32(maphash.Bytes(seed, key)) }
func hashString(key string) uint32 { return uint32(maphash.String(seed, key)) }

// isNamed reports whether a card has a canonical keyword.
func isNamed[T string | []byte](card []byte, key T) bool {
	name, _ := splitCard(card)
	if string(name) == string(key) {
		return true
	}
	for _, b := range name {
		if !isKeywordByte(b) {
			return names.spell(name).canonical == string(key)
		}
	}
	return false
}

func isCommentary(name []byte) bool {
	switch string(name) {
	case "", "COMMENT", "HISTORY", "CONTINUE":
		return true
	}
	return false
}

// canonical returns the form of a keyword by which cards are found: upper case, words
// one blank apart, without HIERARCH.
func canonical(key string) string {
	for i := range len(key) {
		if isKeywordByte(key[i]) {
			continue
		}
		key = strings.ToUpper(key)
		if strings.ContainsFunc(key[i:], func(r rune) bool { return r <= ' ' || r >= 0x80 }) { // a blank of some kind, perhaps
			key = strings.TrimPrefix(strings.Join(strings.Fields(key), " "), "HIERARCH ")
		}
		return key
	}
	return key
}

// appendCanonical appends the canonical form of a card's keyword.
func appendCanonical(dst, card []byte) []byte {
	name, _ := splitCard(card)
	for _, b := range name {
		if !isKeywordByte(b) {
			return append(dst, names.spell(name).canonical...)
		}
	}
	return append(dst, name...)
}

// names keeps the keywords that were seen last, because headers repeat them: without it
// each look at a keyword would allocate.
var names interned

// interned is a cache of keywords by their hash, in one of two places; where both are
// taken, a newer one displaces an older.
type interned [1 << 12]atomic.Pointer[spelling]

// spelling is a keyword as it stands in a card, with single blanks, and as it is found.
type spelling struct{ name, words, canonical string }

func (c *interned) spell(name []byte) *spelling {
	h := hash(name)
	first, second := &c[h%uint32(len(c))], &c[(h/uint32(len(c)))%uint32(len(c))]
	for _, at := range [...]*atomic.Pointer[spelling]{first, second} {
		if s := at.Load(); s != nil && s.name == string(name) {
			return s
		}
	}
	s := &spelling{name: string(name)}
	s.words, s.canonical = strings.Join(strings.Fields(s.name), " "), canonical(s.name)
	if first.Load() == nil {
		first.Store(s)
	} else {
		second.Store(s)
	}
	return s
}
