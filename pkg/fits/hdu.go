package fits

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// Kind is what an HDU holds.
type Kind uint8

// The kinds of HDU.
const (
	Other          Kind = iota // an XTENSION that this package does not know
	Image                      // the primary, or IMAGE
	BinTable                   // BINTABLE
	ASCIITable                 // TABLE
	TileCompressed             // a BINTABLE with ZIMAGE = T (section 10)
	RandomGroups               // a primary with GROUPS = T (section 6)
)

var hduKinds = [...]string{"unknown extension", "image", "binary table", "ASCII table", "tile-compressed image", "random groups"}

// String names the kind.
func (k Kind) String() string { return hduKinds[k] }

// HDU is one header-data unit: what its header says, and where its bytes are.
type HDU struct {
	Number       int     // from 0, the primary
	Header       *Header // shared by all users of the index: clone it to change it
	Kind         Kind
	Name         string  // EXTNAME, or ""
	Version      int64   // EXTVER, 1 if absent
	BITPIX       int     // of the pixels: 8, 16, 32, 64, -32, -64; ZBITPIX if tile-compressed
	Shape        []int64 // of the image, NAXIS1 first; ZNAXISn if tile-compressed
	Axes         []int64 // NAXISn as written; of a table the bytes of a row, then the rows
	PCount       int64   // PCOUNT: of a table, bytes behind the rows, which hold the heap
	GCount       int64   // GCOUNT
	HeaderOffset int64   // byte of the file where the header begins
	DataOffset   int64   // byte of the file where the data begin
	DataSize     int64   // bytes of data, without padding
	Err          error   // why this HDU is not the image that it says it is, or nil

	learned sync.Map
	table   atomic.Pointer[[]byte] // the rows of a compressed image's tiles, once they are known
}

// Image reports whether the HDU is an image, compressed or not, with one pixel or more.
func (u *HDU) Image() bool {
	return (u.Kind == Image || u.Kind == TileCompressed) && u.Err == nil && len(u.Shape) > 0 && !slices.Contains(u.Shape, 0)
}

// Remember returns what learn returned when it was first called with this key for the HDU:
// what users derive from a header, such as its coordinate system or the places of its
// tiles, lives as long as the index does. It must take little memory, some KB, and not be
// changed. Several goroutines may call learn at once; one result is kept.
func (u *HDU) Remember(key any, learn func() any) any {
	if v, ok := u.learned.Load(key); ok {
		return v
	}
	v, _ := u.learned.LoadOrStore(key, learn())
	return v
}

// String names the HDU for people: "HDU 3 (SCI,2)".
func (u *HDU) String() string {
	switch {
	case u.Name == "":
		return fmt.Sprintf("HDU %d", u.Number)
	case u.Version == 1:
		return fmt.Sprintf("HDU %d (%s)", u.Number, u.Name)
	}
	return fmt.Sprintf("HDU %d (%s,%d)", u.Number, u.Name, u.Version)
}

// fault puts the HDU's name before the sentence of an error in its header.
func (u *HDU) fault(err error) error {
	return fault.New(fault.CodeOf(err), "fits.ReadIndex", "%s, at byte %d: %s", u, u.HeaderOffset, fault.Sentence(err))
}

// parseHDU makes an HDU of a header of headerSize bytes at offset.
func parseHDU(h *Header, number int, offset, headerSize int64) (*HDU, error) {
	u := &HDU{Number: number, Header: h, HeaderOffset: offset, DataOffset: offset + headerSize, Kind: Image, Version: 1}
	// A bad name is no reason to refuse an image: as in CFITSIO, it then has none.
	u.Name, _, _ = h.Text("EXTNAME")
	if v, ok, err := h.Int("EXTVER"); ok && err == nil {
		u.Version = v
	}
	if number > 0 {
		u.Kind = extensionKind(h)
	}
	layout, err := parseLayout(h)
	if err == nil {
		u.BITPIX, u.Axes, u.PCount, u.GCount = layout.bitpix, layout.axes, layout.pcount, layout.gcount
		u.Shape = u.Axes
		if number == 0 && layout.groups(h) {
			u.Kind = RandomGroups
		}
		u.DataSize, err = layout.size(u.Kind == RandomGroups)
	}
	if err == nil && u.DataSize > math.MaxInt64-blockSize-u.DataOffset {
		err = fault.New(fault.Corrupt, "fits.ReadIndex", "%d bytes of data would end past the largest file", u.DataSize)
	}
	if err != nil {
		return nil, u.fault(err)
	}
	u.examine()
	return u, nil
}

func extensionKind(h *Header) Kind {
	name, _ := h.present("XTENSION")
	switch string(name.text) {
	case "IMAGE", "IUEIMAGE":
		return Image
	case "TABLE":
		return ASCIITable
	case "BINTABLE", "A3DTABLE":
		if z, _, _ := h.Bool("ZIMAGE"); z {
			return TileCompressed
		}
		return BinTable
	}
	return Other
}

// examine looks for what makes an image unreadable although its size is known.
func (u *HDU) examine() {
	switch {
	case u.Kind == Image && (u.PCount != 0 || u.GCount != 1) && len(u.Axes) > 0:
		u.Err = fault.New(fault.Unsupported, "fits.ReadIndex", "%s has PCOUNT = %d and GCOUNT = %d; an image has 0 and 1", u, u.PCount, u.GCount)
	case u.Kind == TileCompressed:
		u.BITPIX, u.Shape = 0, nil
		bitpix, shape, err := parseAxes(u.Header, "ZBITPIX", "ZNAXIS")
		if err == nil {
			if _, ok := pixel.Product(append(slices.Clone(shape), 8)...); !ok {
				err = fault.New(fault.Corrupt, "fits.ReadIndex", "ZNAXISn = %d: more pixels than can be counted", shape)
			}
		}
		if err != nil {
			u.Err = u.fault(err)
			return
		}
		u.BITPIX, u.Shape = bitpix, shape
	}
}

// layout is what tells the size of the data (section 4.4.1.1, equations 1 and 2).
type layout struct {
	bitpix         int
	axes           []int64
	pcount, gcount int64
}

func parseLayout(h *Header) (l layout, err error) {
	if l.bitpix, l.axes, err = parseAxes(h, "BITPIX", "NAXIS"); err != nil {
		return l, err
	}
	l.gcount = 1
	for _, key := range [...]string{"PCOUNT", "GCOUNT"} {
		n, ok, err := h.Int(key)
		switch {
		case err != nil:
			return l, err
		case ok && n < 0:
			return l, fault.New(fault.Corrupt, "fits.ReadIndex", "%s = %d; expected 0 or more", key, n)
		case ok && key == "PCOUNT":
			l.pcount = n
		case ok:
			l.gcount = n
		}
	}
	return l, nil
}

// parseAxes reads BITPIX, NAXIS and NAXISn, or their namesakes of a tile-compressed image.
func parseAxes(h *Header, bitpixKey, naxisKey string) (bitpix int, axes []int64, err error) {
	const op = "fits.ReadIndex"
	need := func(key string) (int64, error) {
		n, ok, err := h.Int(key)
		if err == nil && !ok {
			err = fault.New(fault.Corrupt, op, "the header has no %s", key)
		}
		return n, err
	}
	b, err := need(bitpixKey)
	if err != nil {
		return 0, nil, err
	}
	if !slices.Contains([]int64{8, 16, 32, 64, -32, -64}, b) {
		return 0, nil, fault.New(fault.Corrupt, op, "%s = %d; expected 8, 16, 32, 64, -32 or -64", bitpixKey, b)
	}
	n, err := need(naxisKey)
	if err != nil {
		return 0, nil, err
	}
	if n < 0 || n > maxAxes {
		return 0, nil, fault.New(fault.Corrupt, op, "%s = %d; expected 0 to %d", naxisKey, n, maxAxes)
	}
	axes = make([]int64, 0, n)
	for i := range n {
		key := axisKey(naxisKey, int(i+1))
		side, err := need(key)
		if err != nil {
			return 0, nil, err
		}
		if side < 0 {
			return 0, nil, fault.New(fault.Corrupt, op, "%s = %d; expected 0 or more", key, side)
		}
		axes = append(axes, side)
	}
	return int(b), axes, nil
}

// groups reports whether a primary with this layout holds random groups (section 6).
func (l layout) groups(h *Header) bool {
	if len(l.axes) == 0 || l.axes[0] != 0 {
		return false
	}
	groups, _, _ := h.Bool("GROUPS")
	return groups
}

// size returns the bytes of data: |BITPIX|/8 · GCOUNT · (PCOUNT + ΠNAXISn), and 0
// without axes; of random groups NAXIS1, which is 0, does not count.
func (l layout) size(groups bool) (int64, error) {
	axes := l.axes
	if len(axes) == 0 {
		return 0, nil
	}
	if groups {
		axes = axes[1:]
	}
	n, ok := pixel.Product(axes...)
	if ok = ok && n <= math.MaxInt64-l.pcount; ok {
		n, ok = pixel.Product(n+l.pcount, l.gcount, pixelSize(l.bitpix))
	}
	if !ok {
		return 0, fault.New(fault.Corrupt, "fits.ReadIndex", "BITPIX = %d, NAXISn = %d, PCOUNT = %d, GCOUNT = %d: more bytes than any file has", l.bitpix, l.axes, l.pcount, l.gcount)
	}
	return n, nil
}

// pixelSize returns the bytes of a pixel.
func pixelSize(bitpix int) int64 { return int64(max(bitpix, -bitpix)) / 8 }
