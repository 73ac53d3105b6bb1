package fits

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// NewPrimary returns the header of a primary HDU with an image of the given shape, NAXIS1
// first; an empty shape means no data.
func NewPrimary(bitpix int, shape []int64) *Header {
	h := new(Header)
	h.cards = append(h.cards, simpleCard)
	h.cards = shapeCards(h.cards, bitpix, shape)
	h.cards = append(h.cards, extendCard)
	return h
}

// NewImage returns the header of an IMAGE extension.
func NewImage(bitpix int, shape []int64) *Header {
	h := new(Header)
	h.cards = append(h.cards, imageCard)
	h.cards = shapeCards(h.cards, bitpix, shape)
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

// shapeCards appends BITPIX, NAXIS and NAXISn.
func shapeCards(dst []Card, bitpix int, shape []int64) []Card {
	dst = append(dst, numberCard("BITPIX", int64(bitpix), pixelComment(bitpix)), numberCard("NAXIS", int64(len(shape)), "number of axes"))
	for i, n := range shape {
		key := axisKey("NAXIS", i+1)
		dst = append(dst, numberCard(key, n, "length of axis "+key[len("NAXIS"):]))
	}
	return dst
}

func numberCard(key string, n int64, comment string) Card {
	var buf [2]Card
	cards, _ := appendCards(buf[:0], key, n, comment) // no error: a standard keyword, an integer
	return cards[0]
}

// axisKeys are the keywords of the axes of most images.
var axisKeys = [...]string{"NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4"}

// axisKey returns NAXISn, or ZNAXISn.
func axisKey(name string, n int) string {
	if name == "NAXIS" && n <= len(axisKeys) {
		return axisKeys[n-1]
	}
	return name + strconv.Itoa(n)
}

func pixelComment(bitpix int) string {
	switch bitpix {
	case 8:
		return "unsigned 8-bit integers"
	case -32:
		return "IEEE floating point of 32 bits"
	case -64:
		return "IEEE floating point of 64 bits"
	}
	return strconv.Itoa(bitpix) + "-bit integers"
}

// SetShape makes h, whose first card is SIMPLE or XTENSION, announce an image of the
// given BITPIX and shape: BITPIX, NAXIS and NAXISn follow the first card in that order,
// keeping cards whose value stays the same; NAXISn of axes that are gone are deleted.
// The error is [fault.Internal] if h begins with anything else.
func (h *Header) SetShape(bitpix int, shape []int64) error {
	if !h.isFirst() {
		return fault.New(fault.Internal, "fits.Header.SetShape", "the header begins with neither SIMPLE nor XTENSION")
	}
	var buf [8]Card
	fresh := shapeCards(buf[:0], bitpix, shape)
	for i := range fresh {
		c := &fresh[i]
		at := h.seek(keyword(c[:]))
		if at < 0 {
			continue
		}
		old := parseCard(h.cards[at][:])
		if old.kind == Integer && string(old.text) == string(parseCard(c[:]).text) {
			*c = h.cards[at]
		} else if len(old.comment) > 0 {
			*c = withComment(c[:30], string(old.comment))
		}
	}
	// Where the cards are already in their place they are overwritten.
	if h.beginsWith(fresh) {
		copy(h.cards[1:], fresh)
		return nil
	}
	h.deleteFunc(1, isShapeCard)
	h.insert(1, fresh...)
	return nil
}

// isFirst reports whether h begins as a header must.
func (h *Header) isFirst() bool {
	if len(h.cards) == 0 {
		return false
	}
	key := keyword(h.cards[0][:])
	return key == "SIMPLE" || key == "XTENSION"
}

// beginsWith reports whether the cards behind the first have the keywords of fresh, and no
// other card tells of the shape.
func (h *Header) beginsWith(fresh []Card) bool {
	for i := range h.cards[1:] {
		card := h.cards[1+i][:]
		if i < len(fresh) && !isNamed(card, keyword(fresh[i][:])) || i >= len(fresh) && isShapeCard(card) {
			return false
		}
	}
	return len(h.cards) > len(fresh)
}

// isShapeCard reports whether a card is BITPIX, NAXIS or an NAXISn.
func isShapeCard(card []byte) bool {
	key := canonical(keyword(card))
	n, ok := strings.CutPrefix(key, "NAXIS")
	return key == "BITPIX" || ok && strings.Trim(n, "0123456789") == ""
}

// insert puts cards before card i.
func (h *Header) insert(i int, cards ...Card) {
	h.cards = slices.Insert(h.cards, i, cards...)
	h.moved()
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
	if !h.isFirst() {
		return nil, fault.New(fault.Corrupt, op, "the header begins with neither SIMPLE nor XTENSION")
	}
	c := h.Clone()
	if keyword(c.cards[0][:]) == key {
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
