package fits

import (
	"encoding/binary"
	"math/bits"
)

// sum is the ones' complement sum of a sequence of bytes taken as big-endian words of 32
// bits (FITS Standard 4.0, section 4.4.2.7 and appendix J).
type sum struct {
	total uint64
	bytes int64   // how many bytes were added
	part  [4]byte // the bytes of a word that is not complete
}

// add adds bytes; they may come in pieces of any size.
func (s *sum) add(p []byte) {
	if k := int(s.bytes & 3); k > 0 {
		n := copy(s.part[k:], p)
		s.bytes += int64(n)
		if k+n < len(s.part) {
			return
		}
		s.total = fold(s.total + uint64(binary.BigEndian.Uint32(s.part[:])))
		p = p[n:]
	}
	s.bytes += int64(len(p))
	var low, carry uint64 // a sum of 64 bits with its carry folds to the same 32
	for len(p) >= 64 {
		q := p[:64]
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[8:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[16:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[24:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[32:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[40:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[48:]), carry)
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(q[56:]), carry)
		p = p[64:]
	}
	total := s.total + fold(low) + carry
	for len(p) >= 4 {
		total += uint64(binary.BigEndian.Uint32(p))
		p = p[4:]
	}
	copy(s.part[:], p)
	s.total = fold(total)
}

// value returns the sum, with an incomplete word filled up with zeros.
func (s *sum) value() uint32 {
	total := s.total
	if k := s.bytes & 3; k > 0 {
		last := s.part
		clear(last[k:])
		total += uint64(binary.BigEndian.Uint32(last[:]))
	}
	return uint32(fold(total))
}

// fold carries what lies above 32 bits around to the lowest one.
func fold(n uint64) uint64 {
	for n>>32 > 0 {
		n = n&0xffffffff + n>>32
	}
	return n
}

// encode writes the complement of a sum as the 16 ASCII characters of CHECKSUM: each
// byte as four letters or digits that add up to it, where moving two of them apart avoids
// the punctuation between '9' and 'A' and between 'Z' and 'a'; then the string is turned
// right by one, because it begins one byte before a word of the header (appendix J).
func encode(n uint32) (text [16]byte) {
	const zero = '0'
	for i := range 4 {
		b := byte(n >> (24 - 8*i))
		ch := [4]byte{b/4 + b%4 + zero, b/4 + zero, b/4 + zero, b/4 + zero}
		for again := true; again; {
			again = false
			for j := 0; j < 4; j += 2 {
				if isPunctuation(ch[j]) || isPunctuation(ch[j+1]) {
					ch[j]++
					ch[j+1]--
					again = true
				}
			}
		}
		for j, c := range ch {
			text[(4*j+i+1)%16] = c
		}
	}
	return text
}

func isPunctuation(c byte) bool { return c > '9' && c < 'A' || c > 'Z' && c < 'a' }
