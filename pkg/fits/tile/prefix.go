package tile

import "math/bits"

// prefixCode decodes the codes of deflate by a table: entries of their first bits, then of the
// rest of longer ones. From the lowest bit on an entry has the length of a code (4 bits), what
// it means (4), how many extra bits follow (4), and from bit 16 on a value.
type prefixCode struct {
	entries []uint32
	bits    int // that are looked up first
	more    int // and then, of longer codes
}

const (
	maxCode   = 15 // bits of a code
	firstBits = 10 // the most that are looked up first
)

// What an entry means, if it is no length or distance to which extra bits are added.
const (
	isByte    = 1 << 4
	isEnd     = 1 << 5
	isNothing = 1 << 6
	isLonger  = 1 << 7 // the value is where the entries of longer codes begin
)

// The symbols of deflate (RFC 1951, section 3.2.5), as entries without the length of a code.
var literalSymbols, distanceSymbols, lengthSymbols = func() (literals [maxLiterals]uint32, distances [maxDistances]uint32, lengths [19]uint32) {
	for v := range uint32(256) {
		literals[v] = v<<16 | isByte
	}
	literals[256] = isEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := max(i/4, 1) - 1
		literals[257+i] = base<<16 | extra<<8
		base += 1 << extra
	}
	literals[285] = 258 << 16
	literals[286], literals[287] = isNothing, isNothing
	base = 1
	for i := range uint32(30) {
		extra := max(i/2, 1) - 1
		distances[i] = base<<16 | extra<<8
		base += 1 << extra
	}
	distances[30], distances[31] = isNothing, isNothing
	for v := range lengths {
		lengths[v] = uint32(v) << 16
	}
	return literals, distances, lengths
}()

// build makes the table of symbols with codes of these lengths; 0 means that a symbol has
// none. It reports whether they are complete: else one code of one bit may be there, or none.
func (c *prefixCode) build(lengths []uint8, symbols []uint32) bool {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	var next [maxCode + 1]int
	longest, used := 0, 0
	for n := 1; n <= maxCode; n++ {
		next[n] = (next[n-1] + count[n-1]) << 1
		used += count[n] << (maxCode - n)
		if count[n] > 0 {
			longest = n
		}
	}
	if used != 1<<maxCode && longest > 1 || used > 1<<maxCode {
		return false
	}
	c.bits = min(max(longest, 1), firstBits)
	c.more = max(longest-firstBits, 0)
	c.entries = grow(c.entries, 1<<c.bits)
	for i := range c.entries {
		c.entries[i] = isNothing
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[n])) >> (16 - n)) // codes begin with their highest bit
		next[n]++
		table, step := c.entries[:1<<c.bits], 1<<n
		if int(n) > c.bits {
			first := code & (1<<c.bits - 1)
			if c.entries[first] == isNothing {
				c.entries[first] = uint32(len(c.entries))<<16 | isLonger
				for range 1 << c.more {
					c.entries = append(c.entries, isNothing)
				}
			}
			table = c.entries[c.entries[first]>>16:][:1<<c.more]
			code, step = code>>c.bits, step>>c.bits
		}
		for ; code < len(table); code += step {
			table[code] = symbols[symbol] | uint32(n)
		}
	}
	return true
}

// fixedCodes makes the codes of section 3.2.6.
func (z *inflater) fixedCodes() {
	literals, distances := z.lengths[:maxLiterals], z.lengths[maxLiterals:]
	for i := range literals {
		switch {
		case i < 144 || i >= 280:
			literals[i] = 8
		case i < 256:
			literals[i] = 9
		default:
			literals[i] = 7
		}
	}
	for i := range distances {
		distances[i] = 5
	}
	z.literals.build(literals, literalSymbols[:])
	z.distances.build(distances, distanceSymbols[:])
}

// codeOrder is the order of the lengths of the codes of lengths.
var codeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodes reads the codes of a block (section 3.2.7).
func (z *inflater) readCodes() error {
	literals, distances, lengths := 257+z.take(5), 1+z.take(5), 4+z.take(4)
	if literals > 286 || distances > 30 {
		return errDeflate
	}
	var of [19]uint8
	for _, symbol := range codeOrder[:lengths] {
		of[symbol] = uint8(z.take(3))
	}
	if !z.codes.build(of[:], lengthSymbols[:]) {
		return errDeflate
	}
	all := z.lengths[:literals+distances]
	for i := 0; i < len(all); {
		e := z.symbol(&z.codes)
		if e&isNothing != 0 || z.n < 0 {
			return errDeflate
		}
		value, repeat := uint8(e>>16), 1
		switch value {
		case 16:
			if i == 0 {
				return errDeflate
			}
			value, repeat = all[i-1], 3+z.take(2)
		case 17:
			value, repeat = 0, 3+z.take(3)
		case 18:
			value, repeat = 0, 11+z.take(7)
		}
		if repeat > len(all)-i {
			return errDeflate
		}
		for range repeat {
			all[i] = value
			i++
		}
	}
	if !z.literals.build(all[:literals], literalSymbols[:]) || !z.distances.build(all[literals:], distanceSymbols[:]) {
		return errDeflate
	}
	return nil
}
