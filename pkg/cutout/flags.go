package cutout

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// flagNames are words in the names of images whose pixels are bits, flagEndings those that
// such words end with, as in PIXELDQ. A number may follow. Numbers of flagged pixels, as in
// MASK_FRACTIONS, are no bits.
var (
	flagNames   = []string{"DQA", "DQF", "QUAL", "QUALITY", "BADPIX", "BPIX", "MSK", "FLG", "CTX", "STENCIL"}
	flagEndings = []string{"MASK", "MASKS", "MASKBITS", "MASKMAP", "FLAG", "FLAGS", "FLAGMAP", "DQ", "BPM"}
	countNames  = []string{"FRACTION", "FRACTIONS", "FRAC", "COUNT", "COUNTS"}
)

// isFlags reports whether the pixels of an image are bits with meanings of their own, not
// numbers: one of integers that is called so, or whose cards name bits.
func isFlags(u *fits.HDU) bool {
	if u.BITPIX <= 0 {
		return false
	}
	words := namesIn(nameOf(u))
	if class, _, _ := u.Header.Text("HDUCLAS2"); class != "" { // ESO's products: 'QUALITY'
		words = append(words, namesIn(class)...)
	}
	counts := slices.ContainsFunc(words, func(w string) bool { return slices.Contains(countNames, w) })
	return !counts && slices.ContainsFunc(words, isFlagName) || bitsOf(u).named()
}

func isFlagName(word string) bool {
	word = strings.TrimRight(word, "0123456789")
	return slices.Contains(flagNames, word) || slices.ContainsFunc(flagEndings, func(e string) bool { return strings.HasSuffix(word, e) })
}

// storage is how the pixels of an image hold bits.
type storage struct {
	bitpix int
	turned bool // BZERO turns the highest bit over, as in unsigned integers (FITS 4.0, table 11)
}

// storageOf returns the storage of an image of integers; ok is false if they are scaled.
func storageOf(u *fits.HDU) (s storage, ok bool) {
	scale, scaled, errScale := u.Header.Float("BSCALE")
	zero, _, errZero := u.Header.Float("BZERO")
	if scaled && scale != 1 || errScale != nil || errZero != nil {
		return s, false
	}
	turn := math.Ldexp(1, u.BITPIX-1)
	if u.BITPIX == 8 {
		turn = -turn
	}
	return storage{u.BITPIX, zero == turn}, zero == 0 || zero == turn
}

// room returns the number of bits that a mask may give names to: 31 of them, and not the sign.
func (s storage) room() int {
	n := s.bitpix
	if s.turned == (s.bitpix == 8) { // the highest one is the sign
		n--
	}
	return min(n, 31)
}

// pixel returns the pixel in which only these bits are set.
func (s storage) pixel(bits uint64) []byte {
	if s.turned {
		bits ^= 1 << (s.bitpix - 1)
	}
	return binary.BigEndian.AppendUint64(nil, bits)[8-s.bitpix/8:]
}

// bitNames is what the cards of a bit mask say of its bits.
type bitNames struct {
	style int            // which of bitStyles; -1: no bit is named
	bit   map[string]int // by name
	last  string         // the last of the cards
}

// bitStyles are the ways in which cards name bits. To add one, add a line.
var bitStyles = []struct {
	prefix string
	// read returns the name and the number of the bit that a card names, if it does.
	read func(h *fits.Header, key string) (name string, bit int, ok bool)
	// cards returns the cards for a bit.
	cards func(name string, bit int) []namedValue
}{
	{"MP_", readMP, func(name string, bit int) []namedValue { // afw: MP_NAME = bit
		return []namedValue{{"MP_" + name, bit, "outside of the region that was cut out"}}
	}},
	{"MSKN", readMSK, func(name string, bit int) []namedValue { // Rubin DP2: MSKNnnnn = name, MSKMnnnn = 1<<n, MSKDnnnn = text
		n := fmt.Sprintf("%04d", bit)
		return []namedValue{
			{"MSKN" + n, name, fmt.Sprintf("Name for mask plane %d.", bit)},
			{"MSKM" + n, int64(1) << bit, fmt.Sprintf("Bitmask for plane n=%d; always 1<<n.", bit)},
			{"MSKD" + n, "Pixel is outside of the region that was cut out.", ""},
		}
	}},
}

type namedValue struct {
	key     string
	value   any
	comment string
}

func readMP(h *fits.Header, key string) (name string, bit int, ok bool) {
	n, ok, err := h.Int(key)
	return key[len("MP_"):], int(n), ok && err == nil && n >= 0 && n < 64
}

func readMSK(h *fits.Header, key string) (name string, bit int, ok bool) {
	digits := key[len("MSKN"):]
	n, err := strconv.ParseUint(digits, 10, 16)
	name, ok, errName := h.Text(key)
	if err != nil || errName != nil || !ok {
		return "", 0, false
	}
	if m, ok, err := h.Int("MSKM" + digits); ok && err == nil && m > 0 && m&(m-1) == 0 {
		n = uint64(bits.TrailingZeros64(uint64(m)))
	}
	return name, int(n), n < 64
}

// bitsOf reads the names of the bits of an image.
func bitsOf(u *fits.HDU) bitNames {
	b := bitNames{style: -1}
	if u.BITPIX <= 0 {
		return b
	}
	for _, c := range u.Header.Cards() {
		if c[0] != 'M' && c[0] != 'H' { // MP_, MSK, HIERARCH
			continue
		}
		key := strings.ToUpper(c.Keyword())
		for style, s := range bitStyles {
			if !strings.HasPrefix(key, s.prefix) || b.style >= 0 && b.style != style {
				continue
			}
			if name, bit, ok := s.read(u.Header, key); ok {
				if b.bit == nil {
					b.bit = make(map[string]int)
				}
				b.style, b.last, b.bit[name] = style, key, bit
			}
		}
	}
	return b
}

func (b bitNames) named() bool { return b.style >= 0 }

// free returns the bit of the given name, or one that has none.
func (b bitNames) free(name string, s storage) (bit int, ok bool) {
	if bit, ok := b.bit[name]; ok {
		return bit, bit < s.bitpix
	}
	var used uint64
	for _, bit := range b.bit {
		used |= 1 << bit
	}
	bit = bits.TrailingZeros64(^used)
	return bit, bit < s.room()
}

// name writes the cards that name a bit into a header, behind those of the others.
func (b bitNames) name(h *fits.Header, name string, bit int) error {
	if _, named := b.bit[name]; named {
		return nil
	}
	after := b.last
	for _, c := range []string{"MSKM", "MSKD"} { // of the same number stand behind it
		if key := c + strings.TrimPrefix(b.last, "MSKN"); strings.HasPrefix(b.last, "MSKN") && h.Has(key) {
			after = key
		}
	}
	for _, c := range bitStyles[b.style].cards(name, bit) {
		if err := h.SetAfter(after, c.key, c.value, c.comment); err != nil {
			return err
		}
		after = c.key
	}
	return nil
}
