package pack

import (
	"archive/tar"
	"archive/zip"
	"fmt"
	"hash/crc32"
	"time"
)

// zipWriter writes files that are stored, their sizes and sums before them, so that a
// reader who cannot seek can read them too. What it holds in memory grows by some hundred
// bytes an entry: the directory, which stands at the end.
type zipWriter struct {
	count *counter
	zip   *zip.Writer
	names *Template
}

func openZip(w *counter, o Options) (Writer, error) {
	return &zipWriter{w, zip.NewWriter(w), o.Names}, nil
}

func (z *zipWriter) Add(e Entry, cutout []byte) (Place, error) {
	h := &zip.FileHeader{Name: z.names.Name(e), Method: zip.Store, CRC32: crc32.ChecksumIEEE(cutout),
		CompressedSize64: uint64(len(cutout)), UncompressedSize64: uint64(len(cutout))}
	//lint:ignore SA1019 CreateRaw takes no other
	h.ModifiedDate = 1<<5 | 1 // 1980-01-01, the first day that zip knows
	w, err := z.zip.CreateRaw(h)
	if err == nil {
		err = z.zip.Flush()
	}
	if err != nil {
		return Place{}, fmt.Errorf("pack.zip: %w", err)
	}
	at := Place{h.Name, z.count.n, int64(len(cutout))}
	if _, err := w.Write(cutout); err != nil {
		return Place{}, fmt.Errorf("pack.zip: %w", err)
	}
	return at, nil
}

func (z *zipWriter) Skip(Entry) error { return nil }

func (z *zipWriter) Close() error { return z.zip.Close() }

// tarWriter writes files of one owner and one time.
type tarWriter struct {
	count *counter
	tar   *tar.Writer
	names *Template
}

func openTar(w *counter, o Options) (Writer, error) {
	return &tarWriter{w, tar.NewWriter(w), o.Names}, nil
}

func (t *tarWriter) Add(e Entry, cutout []byte) (Place, error) {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: t.names.Name(e), Size: int64(len(cutout)), Mode: 0o644, ModTime: time.Unix(0, 0)}
	if err := t.tar.WriteHeader(h); err != nil {
		return Place{}, fmt.Errorf("pack.tar: %w", err)
	}
	at := Place{h.Name, t.count.n, int64(len(cutout))}
	if _, err := t.tar.Write(cutout); err != nil {
		return Place{}, fmt.Errorf("pack.tar: %w", err)
	}
	return at, nil
}

func (t *tarWriter) Skip(Entry) error { return nil }

func (t *tarWriter) Close() error { return t.tar.Close() }
