package tile

// codec turns the bytes of a tile into pixels. Either ints or raw is set.
type codec struct {
	name string // ZCMPTYPE

	// ints writes the first len(dst) pixels as integers.
	ints func(dst []int32, src []byte, m *Image, p *Pixels) error
	// whole says that ints needs room for all pixels.
	whole bool

	// raw writes the first len(dst) bytes of the pixels, elements of size bytes that
	// take all bytes together.
	raw func(dst, src []byte, all, size int, p *Pixels) error
	// shuffled says that bytes of equal weight stand together, and that raw brings them in order.
	shuffled bool
	// ratio bounds the bytes that one byte can become by raw.
	ratio int

	// encode appends the tile of big-endian pixels to dst; nil if that is not done here.
	encode func(dst, pix []byte, m *Image) ([]byte, error)
}

// maxDeflate is the largest ratio of deflate: 258 bytes for two bits.
const maxDeflate = 1032

// codecs holds the algorithms of section 10.4 and, without a name in ZCMPTYPE of their
// own, the two fallbacks.
var codecs = []*codec{
	{name: "RICE_1", ints: decodeRice, encode: encodeRice},
	{name: "GZIP_1", raw: decodeGzip1, ratio: maxDeflate, encode: encodeGzip1},
	{name: "GZIP_2", raw: decodeGzip2, shuffled: true, ratio: maxDeflate, encode: encodeGzip2},
	{name: "PLIO_1", ints: decodePLIO},
	{name: "HCOMPRESS_1", ints: decodeHCompress, whole: true},
	{name: "NOCOMPRESS", raw: decodePlain, ratio: 1, encode: encodePlain},
}

// aliases are other names in use for the codecs.
var aliases = map[string]string{"RICE_ONE": "RICE_1", "HCOMPRESS1": "HCOMPRESS_1"}

func findCodec(name string) *codec {
	if to, ok := aliases[name]; ok {
		name = to
	}
	for _, c := range codecs {
		if c.name == name {
			return c
		}
	}
	return nil
}

// Codecs returns the names of the algorithms that can be decoded.
func Codecs() []string {
	names := make([]string, len(codecs))
	for i, c := range codecs {
		names[i] = c.name
	}
	return names
}
