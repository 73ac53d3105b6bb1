package fits

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// The binary form of an index: keepMagic, whose last byte is the version; the CRC-32C of
// all that follows, 4 bytes little-endian; then, deflated, numbers as unsigned varints: the
// size of the file, that of its gzip or 0, the number of HDUs, and for each HDU the number
// of its cards and the cards. All else follows from the cards and is learned again.
const keepMagic = "SFX\x01"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary returns the index in a form to be kept. A header takes some 1 to 2 KB.
func (x *Index) MarshalBinary() ([]byte, error) {
	var raw []byte
	for _, n := range []int64{x.Size, x.Packed, int64(len(x.HDUs))} {
		raw = binary.AppendUvarint(raw, uint64(n))
	}
	for _, u := range x.HDUs {
		raw = binary.AppendUvarint(raw, uint64(u.Header.Len()))
		for i := range u.Header.cards {
			raw = append(raw, u.Header.cards[i][:]...)
		}
	}
	out := bytes.NewBufferString(keepMagic + "....")
	w, err := flate.NewWriter(out, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "fits.Index.MarshalBinary", "the index cannot be deflated")
	}
	kept := out.Bytes()
	body := kept[len(keepMagic)+4:]
	binary.LittleEndian.PutUint32(kept[len(keepMagic):], crc32.Checksum(body, castagnoli))
	return kept, nil
}

// UnmarshalBinary makes x the index that [Index.MarshalBinary] wrote. Its headers are
// held to the same rules and limits as those of a file. The error is [fault.Unsupported]
// for a version that this package does not know, and [fault.Corrupt] or [fault.TooLarge]
// for anything else that is no index; x is then unchanged.
func (x *Index) UnmarshalBinary(kept []byte) error {
	const op = "fits.Index.UnmarshalBinary"
	head := len(keepMagic) + 4
	switch {
	case len(kept) < head || string(kept[:3]) != keepMagic[:3]:
		return fault.New(fault.Corrupt, op, "these %d bytes are no index of a FITS file", len(kept))
	case kept[3] != keepMagic[3]:
		return fault.New(fault.Unsupported, op, "the index has version %d; only %d is known: read the headers again", kept[3], keepMagic[3])
	case binary.LittleEndian.Uint32(kept[4:]) != crc32.Checksum(kept[head:], castagnoli):
		return fault.New(fault.Corrupt, op, "the sum of the index is wrong: read the headers again")
	}
	// What ReadAll allocates grows with what was inflated, at most 1032 times the input.
	const most = maxHeaderBytes + maxHDUs*binary.MaxVarintLen64
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(kept[head:])), most+1))
	if err != nil || len(raw) > most {
		return fault.New(fault.Corrupt, op, "the index does not inflate to headers: read them again")
	}
	y, err := parseKept(raw)
	if err != nil {
		return err
	}
	*x = *y
	return nil
}

// parseKept reads the inflated form of an index.
func parseKept(raw []byte) (*Index, error) {
	broken := fault.New(fault.Corrupt, "fits.Index.UnmarshalBinary", "the index is broken: read the headers again")
	var numbers [3]uint64
	for i := range numbers {
		n, used := binary.Uvarint(raw)
		if used <= 0 || n > 1<<62 {
			return nil, broken
		}
		numbers[i], raw = n, raw[used:]
	}
	x := &Index{Size: int64(numbers[0]), Packed: int64(numbers[1])}
	if numbers[2] == 0 || numbers[2] > maxHDUs {
		return nil, broken
	}
	var offset int64
	for range numbers[2] {
		n, used := binary.Uvarint(raw)
		if used <= 0 || n == 0 || n > uint64(len(raw)-used)/cardSize {
			return nil, broken
		}
		block := raw[used:][:n*cardSize]
		raw = raw[used+len(block):]
		if findEnd(block, 0) >= 0 {
			return nil, broken
		}
		if len(x.HDUs) == 0 {
			if err := checkStart(block); err != nil {
				return nil, err
			}
		} else if !bytes.HasPrefix(block, []byte("XTENSION")) {
			return nil, broken
		}
		u, err := parseHDU(newHeader(block), len(x.HDUs), offset, blocks(int(n)))
		if err != nil {
			return nil, err
		}
		if u.DataSize > 0 && u.DataOffset+u.DataSize > x.Size {
			return nil, broken
		}
		x.HDUs = append(x.HDUs, u)
		offset = padded(u.DataOffset + u.DataSize)
	}
	if len(raw) > 0 {
		return nil, broken
	}
	x.Trailing = max(0, x.Size-offset)
	return x, nil
}

// Memory returns about how many bytes of memory the index takes, with what users let its
// HDUs remember.
func (x *Index) Memory() int64 {
	const perHDU, perCard = 6 << 10, cardSize + 4*8
	n := int64(256)
	for _, u := range x.HDUs {
		n += perHDU + perCard*int64(u.Header.Len())
		if u.Kind == TileCompressed {
			n += min(u.DataSize, maxKeptTable) // of its table, which may come later
		}
	}
	return n
}

// OpenKnown opens a FITS file whose index is known: it reads nothing. r holds size bytes
// and must be the object that was indexed, at the same generation. The error is
// [fault.Corrupt] if its size is another.
func OpenKnown(r io.ReaderAt, size int64, x *Index) (*File, error) {
	f := &File{Index: x, Cost: Local, r: r}
	want := x.Size
	if f.Gzipped() {
		want = x.Packed
	}
	if size != want {
		return nil, fault.New(fault.Corrupt, "fits.OpenKnown", "the file has %d bytes; the one that was indexed had %d", size, want)
	}
	if f.Gzipped() {
		g := newInflater(r, size)
		g.size = x.Size
		f.r = g
	}
	return f, nil
}
