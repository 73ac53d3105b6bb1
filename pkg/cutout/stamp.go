package cutout

import (
	"fmt"
	"math"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// MaxStamp is the largest side of a stamp in pixels.
const MaxStamp = 1 << 20

// Stamp is a box of NX by NY pixels around a direction, along the celestial axes of an
// image in their order. Of all such boxes it is the one whose middle is nearest to the
// direction: an odd side is centred on the nearest pixel, an even one on the nearest edge
// between two pixels; of two that are as near, the first. That is the rule of astropy.nddata.Cutout2D.
type Stamp struct {
	RA, Dec float64 // ICRS degrees
	NX, NY  int64   // pixels, 1 to MaxStamp
}

// String returns "STAMP ra dec nx ny".
func (s Stamp) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return fmt.Sprintf("STAMP %s %s %d %d", number(s.RA), number(s.Dec), s.NX, s.NY)
}

// point returns the direction as a stencil, too small to be seen.
func (s Stamp) point() (stencil.Stencil, error) {
	const small = 1e-12 // degrees
	c, err := stencil.NewCircle(s.RA, s.Dec, small)
	if err != nil {
		return nil, fault.New(fault.Usage, "cutout.New", "the place %g %g of STAMP: want a right ascension of 0 to 360 and a declination of -90 to 90 degrees", s.RA, s.Dec)
	}
	if s.NX < 1 || s.NY < 1 || s.NX > MaxStamp || s.NY > MaxStamp {
		return nil, fault.New(fault.Usage, "cutout.New", "a STAMP of %d by %d pixels: want 1 to %d", s.NX, s.NY, MaxStamp)
	}
	return c, nil
}

// on returns the box of the stamp on an image, from 0 and half-open; ok is false where its
// direction has no pixel.
func (s Stamp) on(m Mapper) (b area, ok bool, err error) {
	p := []float64{s.RA, s.Dec}
	hidden, err := m.ToPixel(p, p)
	if err != nil || hidden > 0 || math.Abs(p[0])+math.Abs(p[1]) > farPixel {
		return area{}, false, err
	}
	for i, n := range [2]int64{s.NX, s.NY} {
		b.min[i] = int64(math.Ceil(p[i] - 1 - float64(n)/2 - 10*edgeTolerance)) // rounding must not decide between two
		b.max[i] = b.min[i] + n
	}
	return b, true, nil
}

// area is a rectangle of pixels along the two celestial axes, from 0 and half-open.
type area struct{ min, max [2]int64 }

// clip returns what of an area is in an image of the given sides.
func (b area) clip(nx, ny int64) (clipped area, ok bool) {
	for i, n := range [2]int64{nx, ny} {
		b.min[i], b.max[i] = max(b.min[i], 0), min(b.max[i], n)
	}
	return b, b.min[0] < b.max[0] && b.min[1] < b.max[1]
}

// union returns the smallest area that holds both.
func (b area) union(c area) area {
	for i := range 2 {
		b.min[i], b.max[i] = min(b.min[i], c.min[i]), max(b.max[i], c.max[i])
	}
	return b
}
