package pack

import (
	"bytes"
	"context"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
)

const maxExtName = 60 // characters, which fit one card

// mefWriter writes one FITS file. Of each cutout every HDU becomes an extension, an empty
// primary too, since its cards tell of the others. EXTNAME is the label of the row and, of
// all HDUs but the first image, what it was; EXTVER is the number of the row. CHECKSUM and
// DATASUM are made anew.
type mefWriter struct {
	count *counter
	fits  *fits.Writer
}

func openMEF(w *counter, _ Options) (Writer, error) {
	m := &mefWriter{w, fits.NewWriter(w)}
	return m, m.fits.WriteHDU(context.Background(), fits.NewPrimary(8, nil), 0, nil)
}

func (m *mefWriter) Add(e Entry, cutout []byte) (Place, error) {
	index, err := fits.ReadIndex(bytes.NewReader(cutout), int64(len(cutout)))
	if err != nil {
		return Place{}, err
	}
	headers := make([]*fits.Header, len(index.HDUs))
	name, first := extName(e), true
	for i, u := range index.HDUs {
		h, err := u.Header.Clone(), error(nil)
		if i == 0 {
			if h, err = h.AsExtension(); err != nil {
				return Place{}, err
			}
		}
		called := name
		switch {
		case u.Image() && first:
			first = false
		case u.Name != "":
			called += "_" + string(appendSafe(nil, u.Name, false))
		case i == 0:
			called += "_PRIMARY"
		default:
			called += "_" + strconv.Itoa(i)
		}
		called = called[:min(len(called), maxExtName)]
		err = h.Set("EXTNAME", called, "label of the row")
		if err == nil {
			err = h.Set("EXTVER", e.Row, "number of the row")
		}
		if err != nil {
			return Place{}, err
		}
		headers[i] = h
	}
	at := Place{Name: name, Offset: m.count.n}
	for i, u := range index.HDUs {
		data := cutout[u.DataOffset : u.DataOffset+u.DataSize]
		err := m.fits.WriteHDU(context.Background(), headers[i], u.DataSize, func(_ context.Context, emit func([]byte) error) error { return emit(data) })
		if err != nil {
			return Place{}, fault.Wrap(err, fault.Internal, "pack.mef", "row %d cannot be written", e.Row)
		}
	}
	at.Length = m.count.n - at.Offset
	return at, nil
}

// extName is what the first image of an entry is called.
func extName(e Entry) string {
	name := "ROW"
	if e.Label != "" {
		name = string(appendSafe(nil, e.Label, true))
	}
	name = name[:min(len(name), maxExtName/2)]
	if e.Of > 1 {
		name += "." + strconv.Itoa(e.Of)
	}
	return name
}

func (m *mefWriter) Skip(Entry) error { return nil }

func (m *mefWriter) Close() error { return nil }
