// Package fits reads and writes FITS files by ranges, after the FITS Standard 4.0
// (IAU FITS Working Group 2018; 3.0 is Pence et al. 2010, A&A 524, A42). The numbers of
// sections in comments are those of the standard.
//
// [Open] and [ReadIndex] learn from the headers where everything is, without touching
// pixels; a [Section] streams a box of pixels as the raw big-endian bytes of the file or, of
// a tile-compressed image, as those that it had before; a [Writer] writes HDUs, compressed or
// not, with CHECKSUM and DATASUM. No size that a header announces is
// believed: products are checked for overflow and held against the size of the file
// before anything is allocated, and what is allocated does not grow with an image.
//
// A [Cost] says what a request to the store costs, by its latency, bandwidth and work, and
// decides by that which runs of pixels are read together and how many requests run at
// once: a box of an image in a bucket is one round trip, of a file a sequence of reads
// where they are cheap. Of a compressed image the rows of its table are read first, if they
// are not known, then the tiles that the box touches and no others, which are decoded on
// all processors; a [TileCache] spares to decode them for the next box. An [Index] can be kept as bytes; a file whose index is known is
// opened without a read.
//
// Offsets and sizes are bytes; boxes count pixels from zero (package pixel). Pixel values
// are not scaled: BSCALE, BZERO and BLANK are the reader's of the bytes.
//
// To read another kind of HDU: name it in Kind and hduKinds, tell it by its header in
// extensionKind or examine, and let [HDU.Section] refuse it or plan its reads.
package fits
