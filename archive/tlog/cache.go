package tlog

import (
	"container/list"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

const cachedTiles = 1024 // of at most 8 KiB each

// cache holds the tiles that were used last. It is bounded by their number.
type cache struct {
	limit int

	mu    sync.Mutex
	items map[string]*list.Element // guarded by mu
	order *list.List               // of cached, the newest first; guarded by mu
}

type cached struct {
	key string
	row []tlog.Hash // never changed
}

func newCache(limit int) *cache {
	return &cache{limit: limit, items: make(map[string]*list.Element), order: list.New()}
}

func (c *cache) get(key string) ([]tlog.Hash, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).row, true
}

func (c *cache) put(key string, row []tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok {
		return
	}
	c.items[key] = c.order.PushFront(cached{key, row})
	if c.order.Len() > c.limit {
		oldest := c.order.Remove(c.order.Back()).(cached)
		delete(c.items, oldest.key)
	}
}
