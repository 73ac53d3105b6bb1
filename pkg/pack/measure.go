package pack

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Statistics is about the pixels of an image that have a value: physical ones, which are
// neither BLANK nor NaN.
type Statistics struct {
	Valid          int64
	Min, Max, Mean float64 // NaN if there is none
}

// Measure returns the statistics of the first image of a cutout; ok is false if it has none
// or is compressed. The error is that of reading the headers.
func Measure(cutout []byte) (m Statistics, ok bool, err error) {
	index, err := fits.ReadIndex(bytes.NewReader(cutout), int64(len(cutout)))
	if err != nil {
		return m, false, err
	}
	i := slices.IndexFunc(index.HDUs, (*fits.HDU).Image)
	if i < 0 || index.HDUs[i].Kind != fits.Image {
		return m, false, nil
	}
	s := newPixels(index.HDUs[i], cutout)
	m.Min, m.Max = math.Inf(1), math.Inf(-1)
	sum := 0.
	add := func(v float64) {
		if v != v {
			return
		}
		m.Valid++
		sum += v
		if v < m.Min {
			m.Min = v
		}
		if v > m.Max {
			m.Max = v
		}
	}
	if s.plain(-32) { // most stamps
		for p := s.data; len(p) >= 4; p = p[4:] {
			add(float64(math.Float32frombits(binary.BigEndian.Uint32(p))))
		}
	} else {
		size := max(s.bitpix, -s.bitpix) / 8
		for at := 0; at < len(s.data); at += size {
			add(s.pixel(s.data[at:]))
		}
	}
	if m.Mean = sum / float64(m.Valid); m.Valid == 0 {
		m.Min, m.Max = math.NaN(), math.NaN()
	}
	return m, true, nil
}
