package fits

import "strconv"

// tableHeader is the header of a table of tiles, as it is put together.
type tableHeader struct {
	Header
	err error // of the first card that failed
}

// newTableHeader begins with the cards of section 7.3.1.
func newTableHeader(rowSize, rows, heap int64, fields int) *tableHeader {
	t := new(tableHeader)
	t.set("XTENSION", "BINTABLE", "binary table extension")
	t.cards = shapeCards(t.cards, 8, []int64{rowSize, rows})
	t.set("PCOUNT", heap, "bytes of compressed pixels")
	t.set("GCOUNT", 1, "one group")
	t.set("TFIELDS", fields, "number of columns")
	return t
}

func (t *tableHeader) set(key string, value any, comment string) {
	if t.err == nil {
		t.cards, t.err = appendCards(t.cards, key, value, comment)
	}
}

// with adds the cards of section 10.1 that tell of the image, and those of its header h. The
// first stand in the order of the cards that they keep, which funpack relies on.
func (t *tableHeader) with(h *Header, bitpix int, shape, side []int64) (*Header, error) {
	primary := keyword(h.cards[0][:]) == "SIMPLE"
	if primary {
		t.set("ZSIMPLE", true, "it was a primary")
	} else {
		t.set("ZTENSION", "IMAGE", "it was an image extension")
	}
	t.set("ZBITPIX", bitpix, pixelComment(bitpix))
	t.set("ZNAXIS", len(shape), "number of axes")
	for i, n := range shape {
		t.set("ZNAXIS"+strconv.Itoa(i+1), n, "length of axis "+strconv.Itoa(i+1))
	}
	if primary {
		t.set("ZEXTEND", true, "there may be extensions")
	} else {
		t.set("ZPCOUNT", 0, "no parameters")
		t.set("ZGCOUNT", 1, "one group")
	}
	for i, n := range side {
		t.set("ZTILE"+strconv.Itoa(i+1), min(n, shape[i]), "pixels of a tile along axis "+strconv.Itoa(i+1))
	}
	if t.err != nil {
		return nil, t.err
	}
	rest := h.Clone()
	rest.deleteFunc(0, func(card []byte) bool {
		return isShapeCard(card) || isTableCard(card) || isNamed(card, "SIMPLE") || isNamed(card, "XTENSION")
	})
	t.cards = append(t.cards, rest.cards...)
	return &t.Header, nil
}
