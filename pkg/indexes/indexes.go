// Package indexes keeps what was learned from the headers of files (package fits), so that
// a cutout of a known image reads its pixels alone.
//
// An index belongs to one object at one generation; those used last are kept, up to a
// number of bytes.
package indexes

import (
	"context"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// Key names an object at one generation. Objects of different archives differ in Object.
type Key struct{ Object, Generation string }

// Cache keeps indexes. It is safe for concurrent use.
type Cache struct {
	limit   int64
	kept    Kept
	flights singleflight.Group

	mu    sync.Mutex
	bytes int64
	known *simplelru.LRU[Key, *fits.Index]
	last  map[string]string // of objects that are known: the generation that was read last
}

// Kept returns the index of an object that somebody keeps elsewhere, or nil; for a key without
// a generation that of whichever is kept.
type Kept func(ctx context.Context, key Key) *fits.Index

// New returns a cache of up to limit bytes. It asks kept, which may be nil, before it reads
// headers.
func New(limit int64, kept Kept) *Cache {
	c := &Cache{limit: limit, kept: kept, last: make(map[string]string)}
	// No error: the number of indexes is positive.
	c.known, _ = simplelru.NewLRU(math.MaxInt, func(key Key, x *fits.Index) {
		c.bytes -= memory(key, x)
		if c.last[key.Object] == key.Generation {
			delete(c.last, key.Object)
		}
	})
	return c
}

func memory(key Key, x *fits.Index) int64 {
	return x.Memory() + int64(len(key.Object)+len(key.Generation))
}

// Open opens a FITS file in a store of that cost as [fits.Cost.Open] does. Of an object that is known nothing is read,
// unless it is a gzip; the headers of one that is not are read once, however many ask for
// them at the same time. r reads until ctx ends, and is not read after Open has returned.
func (c *Cache) Open(ctx context.Context, key Key, r io.ReaderAt, size int64, cost fits.Cost) (*fits.File, error) {
	known := func(x *fits.Index) (*fits.File, error) {
		f, err := fits.OpenKnown(r, size, x)
		if err == nil {
			f.Cost = cost
		}
		return f, err
	}
	telemetry.From(ctx).IndexAsked(ctx, c.get(key) != nil)
	for {
		if x := c.get(key); x != nil {
			return known(x)
		}
		var file atomic.Pointer[fits.File] // set if the headers were read with r
		var led atomic.Bool                // whether it was this caller who read
		answer := c.flights.DoChan(key.Object+"\x00"+key.Generation, func() (any, error) {
			led.Store(true)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if c.kept != nil {
				if x := c.kept(ctx, key); x != nil {
					c.put(key, x)
					return x, nil
				}
			}
			f, err := cost.Open(r, size)
			if err != nil {
				return nil, err
			}
			c.put(key, f.Index)
			file.Store(f)
			return f.Index, nil
		})
		select {
		case <-ctx.Done():
			if led.Load() { // else, if it is this caller's turn later, nothing is read any more
				<-answer
			}
			return nil, ctx.Err()
		case a := <-answer:
			switch f := file.Load(); {
			case f != nil:
				return f, nil
			case a.Err == nil:
				return known(a.Val.(*fits.Index))
			case ctx.Err() == nil && !led.Load() && fault.Transient(a.Err): // of the caller who read, and may have left
				continue
			}
			return nil, a.Err
		}
	}
}

// Known returns the headers of an object as they were read last or are kept, of whatever
// generation, or nil if they are not known by the end of ctx. The file's pixels cannot be read.
func (c *Cache) Known(ctx context.Context, object string) *fits.File {
	c.mu.Lock()
	generation, read := c.last[object]
	c.mu.Unlock()
	var x *fits.Index
	if read {
		x = c.get(Key{object, generation})
	}
	if x == nil && c.kept != nil {
		x = c.kept(ctx, Key{Object: object})
	}
	if x == nil {
		return nil
	}
	size := x.Size
	if x.Packed > 0 {
		size = x.Packed
	}
	f, err := fits.OpenKnown(headersAlone{}, size, x)
	if err != nil {
		return nil
	}
	return f
}

// headersAlone stands for an object of which only the headers are known.
type headersAlone struct{}

// ReadAt implements [io.ReaderAt].
func (headersAlone) ReadAt([]byte, int64) (int, error) {
	return 0, fault.New(fault.Unavailable, "indexes.Known", "only the headers of the file are known")
}

func (c *Cache) get(key Key) *fits.Index {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, _ := c.known.Get(key)
	return x
}

// put keeps an index, and forgets those that were not used for longest to make room.
func (c *Cache) put(key Key, x *fits.Index) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes := memory(key, x)
	if bytes > c.limit || c.known.Contains(key) {
		return
	}
	c.known.Add(key, x)
	c.last[key.Object] = key.Generation
	for c.bytes += bytes; c.bytes > c.limit; {
		c.known.RemoveOldest()
	}
}
