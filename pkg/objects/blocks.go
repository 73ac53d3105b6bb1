package objects

import (
	"context"
	"io"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// blockSize is what [Blocks] reads at once.
const blockSize = 256 << 10

// Blocks returns src as who reads many overlapping pieces of it wants it: it is read in whole
// blocks, and those used last stay in memory, up to a number of bytes. Closing it closes src.
func Blocks(src Source, memory int64) Source {
	// No error: the number of blocks is positive.
	known, _ := simplelru.NewLRU[int64, []byte](int(min(max(1, memory/blockSize), math.MaxInt32)), nil)
	return &blocks{Source: src, known: known}
}

type blocks struct {
	Source
	mu    sync.Mutex
	known *simplelru.LRU[int64, []byte]
}

// ReadAt implements [Source].
func (b *blocks) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	part, done, err := clip(p, off, b.Size())
	if done {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := 0; n < len(part); {
		at := off + int64(n)
		block, err := b.block(ctx, at/blockSize)
		if err != nil {
			return n, err
		}
		n += copy(part[n:], block[at%blockSize:])
	}
	if len(part) < len(p) {
		return len(part), io.EOF
	}
	return len(part), nil
}

// block returns block i.
func (b *blocks) block(ctx context.Context, i int64) ([]byte, error) {
	if block, ok := b.known.Get(i); ok {
		return block, nil
	}
	block := make([]byte, min(blockSize, b.Size()-i*blockSize))
	if n, err := b.Source.ReadAt(ctx, block, i*blockSize); n < len(block) {
		return nil, err
	}
	b.known.Add(i, block)
	return block, nil
}
