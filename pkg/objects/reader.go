package objects

import (
	"context"
	"io"
	"sync/atomic"
)

// Count says how much was read. It may be shared by many readers; the zero Count is ready.
type Count struct {
	bytes, requests atomic.Int64

	// Observe, if it is not nil, is called when a read begins, and what it returns when the
	// read has ended.
	Observe func() (done func(n int64, err error))
}

// observe calls Observe.
func (c *Count) observe() (done func(n int64, err error)) {
	if c.Observe == nil {
		return func(int64, error) {}
	}
	return c.Observe()
}

// Bytes returns the number of bytes read.
func (c *Count) Bytes() int64 { return c.bytes.Load() }

// Requests returns the number of reads, each of which is one request to the storage.
func (c *Count) Requests() int64 { return c.requests.Load() }

// Reader is a [Source] bound to a context: an [io.ReaderAt].
type Reader struct {
	ctx   context.Context
	src   Source
	count *Count
}

// Bind returns a reader of src that stops when ctx ends and adds what it reads to c,
// which may be nil. Closing src is left to the caller.
func Bind(ctx context.Context, src Source, c *Count) *Reader {
	if c == nil {
		c = new(Count)
	}
	return &Reader{ctx: ctx, src: src, count: c}
}

// ReadAt implements [io.ReaderAt]; its errors are those of [Source] and of the context.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > 0 && off < r.src.Size() {
		r.count.requests.Add(1)
	}
	done := r.count.observe()
	n, err := r.src.ReadAt(r.ctx, p, off)
	done(int64(n), err)
	r.count.bytes.Add(int64(n))
	return n, err
}

// ReadAtContext is ReadAt under another context, for who ends reads that others have made
// useless.
func (r *Reader) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	bound := *r
	bound.ctx = ctx
	return bound.ReadAt(p, off)
}

// runsSource is a [Source] that looks once for many reads whether the object was replaced.
type runsSource interface {
	ReadRuns(ctx context.Context, p []byte, n int64, offsets []int64) error
}

// ReadRuns fills p with runs of n bytes, one after the other, that begin at offsets, until
// ctx ends. The error is [io.EOF] if one of them lies beyond the end, and those of [Source].
func (r *Reader) ReadRuns(ctx context.Context, p []byte, n int64, offsets []int64) error {
	if src, ok := r.src.(runsSource); ok {
		r.count.requests.Add(int64(len(offsets)))
		done := r.count.observe()
		err := src.ReadRuns(ctx, p, n, offsets)
		done(int64(len(p)), err)
		if err == nil {
			r.count.bytes.Add(int64(len(p)))
		}
		return err
	}
	for i, off := range offsets {
		k, err := r.ReadAtContext(ctx, p[int64(i)*n:][:n], off)
		switch {
		case int64(k) == n:
		case err != nil:
			return err
		default:
			return io.EOF
		}
	}
	return nil
}

// Size returns the size of the object in bytes.
func (r *Reader) Size() int64 { return r.src.Size() }
