package tile

import (
	"fmt"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Keywords are the cards of a header. ok is false for a keyword that is absent or has no
// value; err is not nil if it has a value of another type.
type Keywords interface {
	Float(key string) (v float64, ok bool, err error)
	Int(key string) (v int64, ok bool, err error)
	Text(key string) (v string, ok bool, err error)
}

const maxParameters = 999 // ZNAMEn

// Parse reads how the tiles of an image are stored from the header of its table; that
// they are quantised is told by the columns too, so the caller says it. Parameters that
// matter to the writer only, such as the SCALE of HCOMPRESS_1, are passed over.
//
// Errors are those of the header, [ParseDither] and [Image.Check].
// Source: FITS 4.0, section 10.1.
func Parse(h Keywords, quantised bool) (*Image, error) {
	m := &Image{Quantised: quantised}
	var err error
	text := func(key string) (v string) {
		if err == nil {
			v, _, err = h.Text(key)
		}
		return v
	}
	whole := func(key string) (v int64) {
		if err == nil {
			v, _, err = h.Int(key)
		}
		if err == nil && int64(int32(v)) != v {
			err = fault.New(fault.Corrupt, "tile.Parse", "%s = %d is out of every range", key, v)
		}
		return v
	}
	m.Codec = text("ZCMPTYPE")
	m.Bitpix = int(whole("ZBITPIX"))
	if zquantiz := text("ZQUANTIZ"); quantised && err == nil {
		if m.Dither, err = ParseDither(zquantiz); m.Dither != NoDither {
			m.Seed = int(whole("ZDITHER0"))
		}
	}
	for i := 1; i <= maxParameters && err == nil; i++ {
		name := text(fmt.Sprint("ZNAME", i))
		if name == "" {
			break
		}
		value := fmt.Sprint("ZVAL", i)
		switch name {
		case "BLOCKSIZE":
			m.BlockSize = int(whole(value))
		case "BYTEPIX":
			m.BytePix = int(whole(value))
		case "SMOOTH":
			var smooth float64
			smooth, _, err = h.Float(value)
			m.Smooth = smooth != 0
		}
	}
	if err == nil {
		err = m.Check()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}
