package ledger

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const (
	groupRows = 50_000 // of a row group, which is what a writer keeps in memory
	readRows  = 256    // read at once
)

type parquetWriter struct {
	w    *parquet.GenericWriter[Row]
	rows int
}

func openParquet(w io.Writer) (Writer, error) {
	return &parquetWriter{w: parquet.NewGenericWriter[Row](w,
		parquet.CreatedBy("seltzer", "", ""), parquet.PageBufferSize(64<<10), parquet.DataPageStatistics(true))}, nil
}

func (p *parquetWriter) Write(rows ...Row) error {
	if _, err := p.w.Write(rows); err != nil {
		return fmt.Errorf("ledger.parquet: %w", err)
	}
	if p.rows += len(rows); p.rows >= groupRows {
		p.rows = 0
		if err := p.w.Flush(); err != nil {
			return fmt.Errorf("ledger.parquet: %w", err)
		}
	}
	return nil
}

func (p *parquetWriter) Close() error { return p.w.Close() }

// Reader reads a ledger that was written as Parquet.
type Reader struct {
	ctx  context.Context
	file *parquet.File
}

// Open reads the footer of a ledger of size bytes. The error is [fault.Corrupt] for what is
// none; errors of r keep their kind.
func Open(ctx context.Context, r io.ReaderAt, size int64) (_ *Reader, err error) {
	defer guard(&err)
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return nil, unreadable(err)
	}
	if got, want := f.Schema().String(), parquet.SchemaOf(Row{}).String(); got != want {
		return nil, fault.New(fault.Corrupt, "ledger.Open", "the Parquet file is no manifest of results: its columns differ")
	}
	return &Reader{ctx, f}, nil
}

func unreadable(err error) error {
	if fault.CodeOf(err) == fault.Internal {
		return fault.New(fault.Corrupt, "ledger.Open", "the manifest of results cannot be read: %w", err)
	}
	return err
}

// guard turns a panic of the library, which some broken files cause, into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fault.New(fault.Corrupt, "ledger.Reader", "the manifest of results is broken (%.100s)", fmt.Sprint(p))
	}
}

// Len returns the number of rows.
func (r *Reader) Len() int64 { return r.file.NumRows() }

// Rows yields the rows. An error ends them.
func (r *Reader) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, group := range r.file.RowGroups() {
			if !r.group(group, yield) {
				return
			}
		}
	}
}

// group yields the rows of one row group and reports whether to go on.
func (r *Reader) group(group parquet.RowGroup, yield func(Row, error) bool) bool {
	in := parquet.NewGenericRowGroupReader[Row](group)
	defer in.Close()
	buf := make([]Row, readRows)
	for {
		n, err := r.read(in, buf)
		for _, row := range buf[:n] {
			if !yield(row, nil) {
				return false
			}
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			yield(Row{}, unreadable(err))
			return false
		}
	}
}

func (r *Reader) read(in *parquet.GenericReader[Row], buf []Row) (n int, err error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	defer guard(&err)
	clear(buf) // pointers and lists are the caller's
	return in.Read(buf)
}
