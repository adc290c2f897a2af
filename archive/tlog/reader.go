package tlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Reader reads a log with nothing but its objects and its public key. It trusts
// no object: whatever it returns was checked against a signed checkpoint. Its
// methods may be called from several goroutines.
type Reader struct {
	store    store.Store
	verifier note.Verifier
	cache    *cache // hash tiles that some checkpoint committed to; checked again for each
}

// NewReader returns a reader of the log in s with key v.
func NewReader(s store.Store, v note.Verifier) *Reader {
	return &Reader{store: s, verifier: v, cache: newCache(cachedTiles)}
}

// Verifier returns the public key.
func (r *Reader) Verifier() note.Verifier { return r.verifier }

// Checkpoint returns the newest published checkpoint, with its cosignatures. A
// store without a log is store.ErrNotExist.
func (r *Reader) Checkpoint(ctx context.Context) (Checkpoint, error) {
	return r.checkpoint(ctx, publicKey)
}

// CheckpointAt returns the kept checkpoint of a size, exactly the bytes that
// were published first. There is one for each batch; another size is
// store.ErrNotExist.
func (r *Reader) CheckpointAt(ctx context.Context, size int64) (Checkpoint, error) {
	cp, err := r.checkpoint(ctx, keptKey(size))
	if err == nil && cp.Size != size {
		return Checkpoint{}, corrupt(keptKey(size), "it holds the checkpoint of size %d", cp.Size)
	}
	return cp, err
}

// checkpoint reads and verifies one checkpoint. One that does not verify is a
// finding and of kind ErrWrongKey.
func (r *Reader) checkpoint(ctx context.Context, key string) (Checkpoint, error) {
	raw, err := r.read(ctx, key, maxCheckpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	cp, err := ParseCheckpoint(raw, r.verifier)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", corrupt(key, "it is no checkpoint of this log"), err)
	}
	return cp, nil
}

// Checkpoints yields the kept checkpoints by size. A failure to list is
// yielded last; a checkpoint that cannot be read or verified is yielded as its
// error in its place, and the next ones follow.
func (r *Reader) Checkpoints(ctx context.Context) iter.Seq2[Checkpoint, error] {
	return func(yield func(Checkpoint, error) bool) {
		sizes, err := r.sizes(ctx)
		for _, size := range sizes {
			if !yield(r.CheckpointAt(ctx, size)) {
				return
			}
		}
		if err != nil {
			yield(Checkpoint{}, err)
		}
	}
}

// sizes lists for which sizes a checkpoint is kept, in increasing order.
func (r *Reader) sizes(ctx context.Context) ([]int64, error) {
	var sizes []int64
	var failure error
	for info, err := range r.store.List(ctx, keptPrefix, "") {
		if err != nil {
			failure = fmt.Errorf("list checkpoints: %w", err)
			break
		}
		name := info.Key[len(keptPrefix):]
		n, err := strconv.ParseInt(name, 10, 64)
		if err == nil && n >= 0 && strconv.FormatInt(n, 10) == name {
			sizes = append(sizes, n)
		}
	}
	slices.Sort(sizes)
	return sizes, failure
}

// read returns a whole object of at most limit bytes.
func (r *Reader) read(ctx context.Context, key string, limit int64) (_ []byte, err error) {
	body, err := r.store.Get(ctx, key, 0, limit+1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if int64(len(data)) > limit {
		return nil, corrupt(key, "it has more than the %d bytes it may have", limit)
	}
	return data, nil
}

// readTile returns the object of a tile of the given width, or, where a partial
// one was deleted because the full one exists, that. The key is that of the
// object read.
func (r *Reader) readTile(ctx context.Context, level int, n int64, w int, limit int64) (data []byte, key string, full bool, err error) {
	key = tileKey(level, n, w)
	data, err = r.read(ctx, key, limit)
	if w == tileWidth || !errors.Is(err, store.ErrNotExist) {
		return data, key, w == tileWidth, missing(key, err)
	}
	fullKey := tileKey(level, n, tileWidth)
	data, err = r.read(ctx, fullKey, limit)
	if errors.Is(err, store.ErrNotExist) {
		return nil, key, false, missing(key, err)
	}
	return data, fullKey, true, err
}

// row returns the first w hashes of a hash tile, unchecked, and the key of its
// object.
func (r *Reader) row(ctx context.Context, level int, n int64, w int) ([]tlog.Hash, string, error) {
	data, key, full, err := r.readTile(ctx, level, n, w, tileWidth*tlog.HashSize)
	if err != nil {
		return nil, key, err
	}
	want := w
	if full {
		want = tileWidth
	}
	if len(data) != want*tlog.HashSize {
		return nil, key, corrupt(key, "it has %d bytes instead of %d", len(data), want*tlog.HashSize)
	}
	row := make([]tlog.Hash, w)
	for i := range row {
		copy(row[i][:], data[i*tlog.HashSize:])
	}
	return row, key, nil
}

// bundle returns the entries of a bundle of width w, unchecked: cut, their
// bytes as stored, and the key of the object.
func (r *Reader) bundle(ctx context.Context, n int64, w int) (entries [][]byte, raw []byte, key string, err error) {
	data, key, full, err := r.readTile(ctx, -1, n, w, maxBundle)
	if err != nil {
		return nil, nil, key, err
	}
	entries, raw, err = splitBundle(data, w, full && w < tileWidth)
	if err != nil {
		return nil, nil, key, corrupt(key, "%v", err)
	}
	return entries, raw, key, nil
}

// tail reads the right edge at cp with its last entries, for a writer.
func (r *Reader) tail(ctx context.Context, cp Checkpoint) (tail, error) {
	v, err := r.at(ctx, cp)
	if err != nil {
		return tail{}, err
	}
	t := tail{edge: v.edge.clone()}
	w := width(cp.Size, 0)
	if w == 0 {
		return t, nil
	}
	entries, raw, key, err := r.bundle(ctx, cp.Size/tileWidth, w)
	if err != nil {
		return tail{}, err
	}
	if i := firstDifference(leafHashes(entries), v.edge.rows[0]); i >= 0 {
		return tail{}, corrupt(key, "entry %d is not the one of the log", cp.Size/tileWidth*tileWidth+int64(i))
	}
	t.bundle = raw
	return t, nil
}

// firstDifference returns the first index at which a and b differ, -1 if none.
func firstDifference[T comparable](a, b []T) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
