package tlog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// view is the tree of one checkpoint. Every hash it returns was checked: the
// right edge against the root, and each full tile against its parent tile. It
// is for one goroutine.
type view struct {
	r    *Reader
	cp   Checkpoint
	edge *edge
	last [maxLevels]checkedTile // the tile of each level that was checked last
}

type checkedTile struct {
	n   int64
	row []tlog.Hash // nil: none yet
}

// at returns the tree of cp. It reads one partial tile per level.
func (r *Reader) at(ctx context.Context, cp Checkpoint) (*view, error) {
	e := &edge{size: cp.Size}
	var keys []string
	for level := range maxLevels {
		w := width(cp.Size, level)
		if w == 0 {
			continue
		}
		row, key, err := r.cachedRow(ctx, level, cp.Size>>(tileHeight*(level+1)), w)
		if err != nil {
			return nil, fmt.Errorf("tree of size %d: %w", cp.Size, err)
		}
		e.rows[level] = row
		keys = append(keys, key)
	}
	e.settle()
	if e.root() != cp.Root {
		return nil, fmt.Errorf("tree of size %d: %w", cp.Size, &CorruptError{Objects: keys, Problem: "it is not what the checkpoint's root commits to"})
	}
	for level, row := range e.rows {
		if row != nil {
			r.cache.put(tileKey(level, cp.Size>>(tileHeight*(level+1)), len(row)), row)
		}
	}
	return &view{r: r, cp: cp, edge: e}, nil
}

// cachedRow is Reader.row with the cache before it.
func (r *Reader) cachedRow(ctx context.Context, level int, n int64, w int) ([]tlog.Hash, string, error) {
	key := tileKey(level, n, w)
	if row, ok := r.cache.get(key); ok {
		return row, key, nil
	}
	return r.row(ctx, level, n, w)
}

// row returns the hashes of tile n of a level.
func (v *view) row(ctx context.Context, level int, n int64) ([]tlog.Hash, error) {
	count := v.cp.Size >> (tileHeight * level) // hashes of this level
	if n == count>>tileHeight {
		return v.edge.rows[level], nil
	}
	if t := v.last[level]; t.row != nil && t.n == n {
		return t.row, nil
	}
	// A full tile is one hash of the level above it.
	above, err := v.row(ctx, level+1, n>>tileHeight)
	if err != nil {
		return nil, err
	}
	row, key, err := v.r.cachedRow(ctx, level, n, tileWidth)
	if err != nil {
		return nil, err
	}
	if subtree(row) != above[n&(tileWidth-1)] {
		return nil, corrupt(key, "it is not what the checkpoint of size %d commits to", v.cp.Size)
	}
	v.r.cache.put(key, row)
	v.last[level] = checkedTile{n: n, row: row}
	return row, nil
}

// top returns the hash over full tile n of level 0: its 256 entries.
func (v *view) top(ctx context.Context, n int64) (tlog.Hash, error) {
	row, err := v.row(ctx, 1, n>>tileHeight)
	if err != nil {
		return tlog.Hash{}, err
	}
	return row[n&(tileWidth-1)], nil
}

// hashes serves proofs (tlog.HashReader).
func (v *view) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			l, up := level/tileHeight, level%tileHeight
			first := n << up // in units of tile level l
			row, err := v.row(ctx, l, first>>tileHeight)
			if err != nil {
				return nil, err
			}
			at := int(first & (tileWidth - 1))
			if at+1<<up > len(row) {
				return nil, errors.New("the proof asks for a hash outside the tree")
			}
			out[i] = subtree(row[at : at+1<<up])
		}
		return out, nil
	})
}
