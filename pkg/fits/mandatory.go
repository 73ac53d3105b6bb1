package fits

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// NewPrimary returns the header of a primary HDU with an image of the given shape, NAXIS1
// first; an empty shape means no data.
func NewPrimary(bitpix int, shape []int64) *Header {
	h := new(Header)
	h.cards = append(h.cards, simpleCard)
	h.cards = append(h.cards, shapeCards(bitpix, shape)...)
	h.cards = append(h.cards, extendCard)
	return h
}

// NewImage returns the header of an IMAGE extension.
func NewImage(bitpix int, shape []int64) *Header {
	h := new(Header)
	h.cards = append(h.cards, imageCard)
	h.cards = append(h.cards, shapeCards(bitpix, shape)...)
	h.cards = append(h.cards, pcountCard, gcountCard)
	return h
}

var (
	simpleCard = newCard(fmt.Sprintf("SIMPLE  = %20s / conforms to FITS standard", "T"))
	extendCard = newCard(fmt.Sprintf("EXTEND  = %20s / there may be extensions", "T"))
	imageCard  = newCard(fmt.Sprintf("XTENSION= %-20s / image extension", "'IMAGE   '"))
	pcountCard = newCard(fmt.Sprintf("PCOUNT  = %20d / no parameters", 0))
	gcountCard = newCard(fmt.Sprintf("GCOUNT  = %20d / one group", 1))
)

func shapeCards(bitpix int, shape []int64) []Card {
	number := func(key string, n int64, comment string) Card {
		return newCard(fmt.Sprintf("%-8s= %20d / %s", key, n, comment))
	}
	cards := []Card{
		number("BITPIX", int64(bitpix), pixelComment(bitpix)),
		number("NAXIS", int64(len(shape)), "number of axes"),
	}
	for i, n := range shape {
		cards = append(cards, number("NAXIS"+strconv.Itoa(i+1), n, "length of axis "+strconv.Itoa(i+1)))
	}
	return cards
}

func pixelComment(bitpix int) string {
	switch {
	case bitpix == 8:
		return "unsigned 8-bit integers"
	case bitpix < 0:
		return fmt.Sprintf("IEEE floating point of %d bits", -bitpix)
	}
	return fmt.Sprintf("%d-bit integers", bitpix)
}

// SetShape makes h, whose first card is SIMPLE or XTENSION, announce an image of the
// given BITPIX and shape: BITPIX, NAXIS and NAXISn follow the first card in that order,
// keeping cards whose value stays the same; NAXISn of axes that are gone are deleted.
// The error is [fault.Internal] if h begins with anything else.
func (h *Header) SetShape(bitpix int, shape []int64) error {
	if h.Len() == 0 || !isFirstKeyword(h.cards[0].Keyword()) {
		return fault.New(fault.Internal, "fits.Header.SetShape", "the header begins with neither SIMPLE nor XTENSION")
	}
	fresh := shapeCards(bitpix, shape)
	for i, c := range fresh {
		at := h.find(c.Keyword())
		if at < 0 {
			continue
		}
		if old := h.cards[at].Value(); old.Kind == Integer && old.Text == c.Value().Text {
			fresh[i] = h.cards[at]
		} else if old.Comment != "" {
			text := strings.TrimRight(string(c[:30]), " ")
			fresh[i] = newCard(withComment(text, old.Comment))
		}
	}
	h.dropShape()
	h.insert(1, fresh...)
	return nil
}

func isFirstKeyword(key string) bool { return key == "SIMPLE" || key == "XTENSION" }

// dropShape deletes BITPIX, NAXIS and all NAXISn.
func (h *Header) dropShape() {
	keys := []string{"BITPIX", "NAXIS"}
	for i := range h.cards {
		key := canonical(h.cards[i].Keyword())
		if n, ok := strings.CutPrefix(key, "NAXIS"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			keys = append(keys, key)
		}
	}
	h.Delete(keys...)
}

// insert puts cards before card i.
func (h *Header) insert(i int, cards ...Card) {
	h.cards = append(h.cards[:i:i], append(cards, h.cards[i:]...)...)
	h.where.Store(nil)
}

// AsPrimary returns h as the header of a primary HDU: an IMAGE extension gets SIMPLE for
// XTENSION and EXTEND = T, and loses PCOUNT, GCOUNT and INHERIT, which mean nothing there.
// A primary is returned as it is, as a copy.
//
// The error is [fault.Corrupt] if the mandatory cards are broken, and [fault.Unsupported]
// if h is no image's.
func (h *Header) AsPrimary() (*Header, error) {
	return h.convert("SIMPLE", simpleCard, []Card{extendCard}, "PCOUNT", "GCOUNT", "EXTEND", "INHERIT")
}

// AsExtension returns h as the header of an IMAGE extension: a primary gets XTENSION for
// SIMPLE, PCOUNT = 0 and GCOUNT = 1, and loses EXTEND, GROUPS and BLOCKED, which belong
// to a primary. An extension is returned as it is, as a copy. Errors are those of
// [Header.AsPrimary].
func (h *Header) AsExtension() (*Header, error) {
	return h.convert("XTENSION", imageCard, []Card{pcountCard, gcountCard}, "PCOUNT", "GCOUNT", "EXTEND", "GROUPS", "BLOCKED")
}

// convert returns a copy of h that begins with the card first, whose keyword is key, and
// has the cards behind after NAXISn, without the keywords in drop.
func (h *Header) convert(key string, first Card, behind []Card, drop ...string) (*Header, error) {
	const op = "fits.Header.AsPrimary, AsExtension"
	if h.Len() == 0 || !isFirstKeyword(h.cards[0].Keyword()) {
		return nil, fault.New(fault.Corrupt, op, "the header begins with neither SIMPLE nor XTENSION")
	}
	c := h.Clone()
	if c.cards[0].Keyword() == key {
		return c, nil
	}
	if kind := extensionKind(h); key == "SIMPLE" && kind != Image {
		return nil, fault.New(fault.Unsupported, op, "the HDU holds a %s; only an image can be a primary", kind)
	}
	bitpix, shape, err := parseAxes(h, "BITPIX", "NAXIS")
	if err != nil {
		return nil, err
	}
	c.Delete("SIMPLE", "XTENSION")
	c.Delete(drop...)
	c.insert(0, first)
	if err := c.SetShape(bitpix, shape); err != nil {
		return nil, err
	}
	c.insert(3+len(shape), behind...)
	return c, nil
}
