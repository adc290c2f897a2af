package tlog

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// readAhead is how many bundles are read and hashed at once.
const readAhead = 8

// Entry is one entry of a log.
type Entry struct {
	Index int64
	Data  []byte
}

// Entries yields the entries from (inclusive) to (exclusive) of the tree of
// cp, each verified to be in it. A failure is yielded once, as the last pair.
// Memory does not grow with the number of entries: some bundles of 256 are
// held at a time.
func (r *Reader) Entries(ctx context.Context, cp Checkpoint, from, to int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if from < 0 || from > to || to > cp.Size {
			yield(Entry{}, fmt.Errorf("read entries %d to %d: the checkpoint has %d", from, to, cp.Size))
			return
		}
		if from == to {
			return
		}
		v, err := r.at(ctx, cp)
		if err != nil {
			yield(Entry{}, fmt.Errorf("read entries: %w", err))
			return
		}
		work := func(ctx context.Context, n int64) (readBundle, error) { return r.hashedBundle(ctx, n, cp.Size) }
		for b, err := range ordered(ctx, from/tileWidth, (to-1)/tileWidth+1, work) {
			if err == nil {
				err = v.verify(ctx, b)
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("read entries: %w", err))
				return
			}
			for i, data := range b.entries {
				index := b.n*tileWidth + int64(i)
				if index >= from && index < to && !yield(Entry{Index: index, Data: data}, nil) {
					return
				}
			}
		}
	}
}

// Entry returns one entry of the tree of cp, verified to be in it.
func (r *Reader) Entry(ctx context.Context, cp Checkpoint, index int64) ([]byte, error) {
	for e, err := range r.Entries(ctx, cp, index, index+1) {
		return e.Data, err
	}
	return nil, fmt.Errorf("read entry %d: the checkpoint has %d", index, cp.Size)
}

// readBundle is a bundle with the hashes of its entries.
type readBundle struct {
	n       int64
	key     string
	entries [][]byte
	raw     []byte
	hashes  []tlog.Hash
	top     tlog.Hash // over all hashes, if the bundle is full
}

// hashedBundle reads bundle n of a tree.
func (r *Reader) hashedBundle(ctx context.Context, n, size int64) (readBundle, error) {
	w := int(min(tileWidth, size-n*tileWidth))
	entries, raw, key, err := r.bundle(ctx, n, w)
	if err != nil {
		return readBundle{n: n, key: key}, err
	}
	b := readBundle{n: n, key: key, entries: entries, raw: raw, hashes: leafHashes(entries)}
	if w == tileWidth {
		b.top = subtree(b.hashes)
	}
	return b, nil
}

// verify checks a bundle against the tree: a full one by the hash over all of
// it, which spares reading its hash tile. Only to name the false entry that
// tile is read.
func (v *view) verify(ctx context.Context, b readBundle) error {
	if len(b.hashes) == tileWidth {
		top, err := v.top(ctx, b.n)
		if err != nil || top == b.top {
			return err
		}
	}
	row, err := v.row(ctx, 0, b.n)
	if err != nil {
		return fmt.Errorf("%w; %w", corrupt(b.key, "its entries are not those of the log"), err)
	}
	if i := firstDifference(b.hashes, row); i >= 0 {
		return corrupt(b.key, "entry %d is not the one that the checkpoint of size %d commits to", b.n*tileWidth+int64(i), v.cp.Size)
	}
	return nil
}

// ordered does work for from, from+1, ... below to, some at a time, and yields
// the results in their order. After an error it yields nothing more. When it
// returns no work is under way.
func ordered[T any](ctx context.Context, from, to int64, work func(context.Context, int64) (T, error)) iter.Seq2[T, error] {
	type result struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var slots [readAhead]chan result
		next := from
		start := func() {
			if next >= to {
				return
			}
			n, c := next, make(chan result, 1)
			slots[n%readAhead] = c
			next++
			wg.Go(func() {
				value, err := work(ctx, n)
				c <- result{value, err}
			})
		}
		for range readAhead {
			start()
		}
		for i := from; i < to; i++ {
			r := <-slots[i%readAhead]
			start()
			if !yield(r.value, r.err) || r.err != nil {
				return
			}
		}
	}
}
