package tile

import (
	"encoding/binary"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// The instructions of a line list, the upper four bits of a word; the lower twelve are
// its operand.
const (
	plioZeros     = 0 // so many zeros
	plioSetHigh   = 1 // the value becomes the operand plus 4096 times the next word
	plioUp        = 2 // the value grows by the operand
	plioDown      = 3 // the value shrinks by the operand
	plioRun       = 4 // so many pixels of the value
	plioZerosLast = 5 // so many pixels, zeros but for the last, which is the value
	plioUpPixel   = 6 // the value grows, and is one pixel
	plioDownPixel = 7 // the value shrinks, and is one pixel
)

// decodePLIO writes the first len(dst) pixels of a tile of PLIO_1, an IRAF pixel list: the
// pixels that the list does not reach are zero.
//
// The list counts its words, header included, in its third word; where that is not
// positive, the second word is the length of the header and the fourth and fifth hold the
// number of words, 15 bits each, the lower ones first.
//
// Source: FITS 4.0, section 10.4.3; IRAF, plio$pll2p.x and plio.h.
func decodePLIO(dst []int32, src []byte, _ *Image, _ *Pixels) error {
	const op = "tile.Decode"
	word := func(i int) int { return int(int16(binary.BigEndian.Uint16(src[2*i:]))) }
	words := len(src) / 2
	if words < 3 {
		return fault.New(fault.Corrupt, op, "a PLIO_1 tile of %d bytes is too short for the header of its line list", len(src))
	}
	at, end := 3, word(2)
	if end <= 0 && words >= 5 {
		at, end = word(1), word(4)<<15+word(3)
	}
	if at < 3 || end < at || end > words {
		return fault.New(fault.Corrupt, op, "the line list of a PLIO_1 tile announces %d words, %d of them header, and has %d", end, at, words)
	}
	value := int32(1)
	for ; at < end && len(dst) > 0; at++ {
		w := word(at)
		if w < 0 {
			return fault.New(fault.Corrupt, op, "word %d of the line list of a PLIO_1 tile is %d, which is no instruction", at+1, w)
		}
		operand := w & 0xfff
		run := dst[:min(operand, len(dst))]
		switch w >> 12 {
		case plioSetHigh:
			if at++; at == end {
				return fault.New(fault.Corrupt, op, "the line list of a PLIO_1 tile ends within an instruction")
			}
			value = int32(word(at))<<12 + int32(operand)
			continue
		case plioUp:
			value += int32(operand)
			continue
		case plioDown:
			value -= int32(operand)
			continue
		case plioUpPixel:
			value += int32(operand)
			run = dst[:1]
			run[0] = value
		case plioDownPixel:
			value -= int32(operand)
			run = dst[:1]
			run[0] = value
		case plioRun:
			for i := range run {
				run[i] = value
			}
		case plioZeros:
			clear(run)
		case plioZerosLast:
			clear(run)
			if len(run) == operand && operand > 0 {
				run[operand-1] = value
			}
		}
		dst = dst[len(run):]
	}
	clear(dst)
	return nil
}
