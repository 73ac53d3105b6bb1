package fits

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seltzer-soda/seltzer/pkg/fits/tile"
)

// TileCache keeps decoded tiles, those used last, up to a number of bytes, for those who cut
// many boxes out of the same images. Its tiles are those of one index: a file that is opened
// with the same index finds them. It is safe for concurrent use.
type TileCache struct {
	limit int64

	mu    sync.Mutex
	bytes int64
	tiles *simplelru.LRU[tileKey, *tile.Pixels]
}

type tileKey struct {
	hdu    *HDU
	number int64 // its row of the table
}

// NewTileCache returns a cache of up to limit bytes.
func NewTileCache(limit int64) *TileCache {
	c := &TileCache{limit: limit}
	// No error: the number of tiles is positive.
	c.tiles, _ = simplelru.NewLRU(math.MaxInt, func(_ tileKey, p *tile.Pixels) { c.bytes -= int64(p.Memory()) })
	return c
}

// get returns a tile, or nil.
func (c *TileCache) get(u *HDU, number int64) *tile.Pixels {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, _ := c.tiles.Get(tileKey{u, number})
	return p
}

// put keeps a whole tile, which does not change any more.
func (c *TileCache) put(u *HDU, number int64, p *tile.Pixels) {
	p.Trim()
	c.mu.Lock()
	defer c.mu.Unlock()
	key := tileKey{u, number}
	if int64(p.Memory()) > c.limit || c.tiles.Contains(key) {
		return
	}
	c.tiles.Add(key, p)
	for c.bytes += int64(p.Memory()); c.bytes > c.limit; {
		c.tiles.RemoveOldest()
	}
}
