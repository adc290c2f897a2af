package tlog

import (
	"crypto/sha256"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	prefix     = "log/"
	tileWidth  = torchwood.TileWidth  // hashes or entries in a full tile
	tileHeight = torchwood.TileHeight // levels of the tree in a tile
	maxLevels  = 7                    // of tiles: 2^56 entries, more than maxSize
)

// emptyRoot is the root of the tree without entries (RFC 6962, section 2.1).
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }

// tileKey returns the key of a tile; level -1 are the entries.
func tileKey(level int, n int64, width int) string {
	return prefix + torchwood.TilePath(tlog.Tile{H: tileHeight, L: level, N: n, W: width})
}

// edge is the right edge of a tree: all that is needed to continue it and to
// know its root. The tree of size s has on tile level l floor(s/256^l) hashes;
// those behind the last full tile are rows[l].
type edge struct {
	size  int64
	nodes [8 * maxLevels]tlog.Hash // nodes[b] is the full subtree of 2^b entries, if bit b of size is set
	rows  [maxLevels][]tlog.Hash   // partial hash tiles, each shorter than 256
}

// clone returns a copy that shares nothing.
func (e *edge) clone() *edge {
	c := *e
	for i, row := range e.rows {
		c.rows[i] = slices.Clone(row)
	}
	return &c
}

// add continues the tree by one leaf hash. Each tile that becomes full is given
// to full, which must not keep the slice.
func (e *edge) add(h tlog.Hash, full func(level int, n int64, row []tlog.Hash)) {
	at := e.size // position of h among the nodes of its height
	for b := 0; ; b++ {
		if b%tileHeight == 0 {
			e.push(b/tileHeight, at, h, full)
		}
		if at&1 == 0 {
			e.nodes[b] = h
			break
		}
		h = tlog.NodeHash(e.nodes[b], h)
		at >>= 1
	}
	e.size++
}

// push appends a hash to the row of a level.
func (e *edge) push(level int, at int64, h tlog.Hash, full func(int, int64, []tlog.Hash)) {
	row := append(e.rows[level], h)
	if len(row) == tileWidth {
		full(level, at>>tileHeight, row)
		row = row[:0]
	}
	e.rows[level] = row
}

// root returns the root hash: the full subtrees, the smallest on the right,
// hashed together from there (RFC 6962, section 2.1).
func (e *edge) root() tlog.Hash {
	var h tlog.Hash
	first := true
	for b := range e.nodes {
		if e.size>>b&1 == 0 {
			continue
		}
		if first {
			h, first = e.nodes[b], false
			continue
		}
		h = tlog.NodeHash(e.nodes[b], h)
	}
	if first {
		return emptyRoot()
	}
	return h
}

// settle computes the nodes from rows that were read.
func (e *edge) settle() {
	for l, row := range e.rows {
		for bit := range tileHeight {
			if len(row)>>bit&1 == 0 {
				continue
			}
			start := len(row) >> (bit + 1) << (bit + 1)
			e.nodes[l*tileHeight+bit] = subtree(row[start : start+1<<bit])
		}
	}
}

// subtree hashes a row whose length is a power of two up to its top.
func subtree(row []tlog.Hash) tlog.Hash {
	var buf [tileWidth]tlog.Hash
	h := buf[:copy(buf[:], row)]
	for len(h) > 1 {
		for i := range len(h) / 2 {
			h[i] = tlog.NodeHash(h[2*i], h[2*i+1])
		}
		h = h[:len(h)/2]
	}
	return h[0]
}

// rowBytes is the content of a hash tile.
func rowBytes(row []tlog.Hash) []byte {
	b := make([]byte, 0, len(row)*tlog.HashSize)
	for _, h := range row {
		b = append(b, h[:]...)
	}
	return b
}

// width returns how many hashes the last tile of a level has, 0 if all are full.
func width(size int64, level int) int { return int(size >> (tileHeight * level) & (tileWidth - 1)) }
