package fits

import "strings"

// ImageHeader returns the header of the image that the HDU holds: its own or, of a
// compressed image, the one that it had before, as an IMAGE extension without the cards
// of the table, with BLANK from ZBLANK (section 10.1.2). It is shared: clone it to change it.
//
// The error is that of Err, or [fault.Corrupt] if the mandatory cards are broken.
func (u *HDU) ImageHeader() (*Header, error) {
	if u.Kind != TileCompressed {
		return u.Header, u.Err
	}
	type key struct{}
	type result struct {
		header *Header
		err    error
	}
	r := u.Remember(key{}, func() any {
		h, err := u.imageHeader()
		return result{h, err}
	}).(result)
	return r.header, r.err
}

func (u *HDU) imageHeader() (*Header, error) {
	if u.Err != nil {
		return nil, u.Err
	}
	h := u.Header.Clone()
	blank, hasBlank, _ := h.Int("ZBLANK")
	h.deleteFunc(1, isTableCard)
	if name, _, _ := h.Text("EXTNAME"); name == "COMPRESSED_IMAGE" { // which CFITSIO gives to images without a name
		h.Delete("EXTNAME")
	}
	h.cards[0] = imageCard
	h.moved()
	if err := h.SetShape(u.BITPIX, u.Shape); err != nil {
		return nil, err
	}
	h.insert(3+len(u.Shape), pcountCard, gcountCard)
	if hasBlank && u.BITPIX > 0 && !h.Has("BLANK") {
		if err := h.Set("BLANK", blank, "value of undefined pixels"); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// tableCards are the keywords of a compressed image that tell of its table (sections
// 7.3 and 10.1), and those that stood in the header of a primary; indexedCards have a
// number behind.
var (
	tableCards = map[string]bool{
		"PCOUNT": true, "GCOUNT": true, "TFIELDS": true, "THEAP": true, "EXTEND": true,
		"ZIMAGE": true, "ZCMPTYPE": true, "ZBITPIX": true, "ZNAXIS": true, "ZMASKCMP": true,
		"ZQUANTIZ": true, "ZDITHER0": true, "ZSCALE": true, "ZZERO": true, "ZBLANK": true,
		"ZSIMPLE": true, "ZTENSION": true, "ZEXTEND": true, "ZBLOCKED": true, "ZPCOUNT": true, "ZGCOUNT": true,
		"ZHECKSUM": true, "ZDATASUM": true,
	}
	indexedCards = map[string]bool{
		"TTYPE": true, "TFORM": true, "TUNIT": true, "TSCAL": true, "TZERO": true, "TNULL": true, "TDISP": true, "TDIM": true,
		"ZNAXIS": true, "ZTILE": true, "ZNAME": true, "ZVAL": true,
	}
)

func isTableCard(card []byte) bool {
	key := canonical(keyword(card))
	name := strings.TrimRight(key, "0123456789")
	return tableCards[key] || name != key && indexedCards[name]
}
