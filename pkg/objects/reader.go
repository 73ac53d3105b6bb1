package objects

import (
	"context"
	"sync/atomic"
)

// Count says how much was read. It may be shared by many readers; the zero Count is ready.
type Count struct{ bytes, requests atomic.Int64 }

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
	n, err := r.src.ReadAt(r.ctx, p, off)
	r.count.bytes.Add(int64(n))
	return n, err
}

// Size returns the size of the object in bytes.
func (r *Reader) Size() int64 { return r.src.Size() }
