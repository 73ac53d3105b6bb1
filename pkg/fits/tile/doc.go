// Package tile decodes and encodes the tiles of compressed FITS images, after section 10
// of the FITS Standard 4.0 (Pence et al. 2010, A&A 524, A42; Pence, White & Seaman 2010,
// PASP 122, 1065 for dithering). It knows nothing of files: a tile is some bytes.
//
// An [Image] says how all tiles of an image are stored, in the words of its header.
// [Image.Decode] turns the bytes of one tile into [Pixels], in memory that is used again;
// [Pixels.Copy] writes any run of them as the raw big-endian bytes of an uncompressed
// FITS image. Integers are copied unscaled; floating-point values that were quantised are
// restored bit by bit as CFITSIO does. [Image.Encode] is the way back without loss, and
// an [Encoder] quantises floating-point values as fpack does.
//
// No byte of a tile is believed: what is decoded is bounded by the number of pixels that
// the caller expects, and whatever does not fit is [fault.Corrupt].
//
// To add a codec: write a file with a decoding function of one of the two kinds that
// [codecs] holds, give it a line there, and add a file of fpack or another writer to the
// tests.
package tile
