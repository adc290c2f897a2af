// Package store keeps objects by key: the immutable ones that are the archive
// (WARC files, log tiles, checkpoints) and the few mutable ones beside them
// (lock, newest checkpoint, pending entries, staging).
//
// # Terms
//
// An object is a key and a run of bytes. A key is a short ASCII path such as
// "warc/2026/11/fineprint-20261122.warc.gz" (ValidKey has the rules).
// A Store creates objects and never changes them. A Mutable replaces small
// objects by compare-and-swap: a tag names the state that was read, and a
// write succeeds only while that is still the state.
//
// Both share one space of keys: Store.Get, Stat and List also see what Mutable
// wrote. A Mutable refuses to touch an object made by Store.Put
// (ErrImmutable), so a mistaken key cannot destroy evidence. A key must not be
// the folder of another ("a" and "a/b"): stores of files cannot hold both.
//
// # Implementations
//
// Dir keeps objects as plain files in a folder, Memory in memory (for tests),
// package s3 in S3-compatible storage. Package storetest holds the suites
// that all of them pass. Each implements Store itself and hands out the
// Mutable over the same keys by its method Mutable.
//
//	d, err := store.OpenDir("fineprint-data")
//	...
//	err = d.Put(ctx, "warc/a.warc.gz", f, size, sum, store.PutOptions{Retain: true})
//	data, tag, err := d.Mutable().Get(ctx, "log/checkpoint")
//
// # What it does not do
//
// It does not encrypt, compress, cache or delete immutable objects, and it has
// no idea what the bytes mean.
package store

import (
	"context"
	"io"
	"iter"
	"time"
)

// Store creates, reads and lists immutable objects. All methods may be called
// from several goroutines, and several processes may use the same place.
type Store interface {
	// Put creates the object key from the size bytes of r, whose SHA-256 must
	// be sha256hex (64 lower-case hexadecimal digits). r is read from offset 0
	// and possibly more than once; it stays open. When Put returns nil the
	// object is whole, verified and durable: it survives a power cut. When it
	// returns an error nothing, or the whole object, is there, never a part.
	//
	// Put never replaces an object. If key already holds other bytes the error
	// is ErrExists. If it already holds exactly these bytes (same size and
	// SHA-256, compared in the store) Put returns nil: a caller that never saw
	// the answer to its first Put simply repeats it. Put is therefore no lock;
	// use Mutable for exclusion.
	//
	// Bytes that do not match give *DigestError and are not stored. Other
	// kinds: ErrKey, ErrNoSpace, ErrReadOnly, ErrTooLarge, and ErrUnavailable,
	// after which the object may or may not be there and Put may be repeated.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, opt PutOptions) error

	// Get reads length bytes of an object from offset; length < 0 means to the
	// end. Bytes asked for beyond the end are left out; an offset equal to the
	// size gives an empty reader, a larger one an error. The caller closes the
	// reader. A reader never ends early without an error. A missing object is
	// ErrNotExist.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat tells what is known about an object without reading it. A missing
	// object is ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)

	// List yields the objects whose keys begin with prefix (any string, not
	// only a folder) and are greater than after, in byte order of their keys.
	// A failure is yielded once, as the last pair: a listing that ends without
	// an error is complete. Objects that come or go during the listing may or
	// may not be in it. Things in the same place whose names ValidKey refuses
	// are not objects and are left out.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
}

// Mutable reads and replaces the few small objects that change (at most some
// megabytes each; they are held in memory). All methods may be called from
// several goroutines and processes: of several writers that hold the same tag
// exactly one succeeds.
//
// A tag stands for the content it was given with. The tag of equal bytes may
// be equal, so content that returns to an earlier state may match an earlier
// tag: callers that must notice put a counter into the content.
type Mutable interface {
	// Get reads a whole object and its tag. A missing object is ErrNotExist,
	// an object made by Store.Put is ErrImmutable.
	Get(ctx context.Context, key string) (data []byte, tag string, err error)

	// PutIfMatch replaces the object whose tag is tag, or creates it when tag
	// is "" and no object is there, and returns the new tag. If the state is
	// another one nothing changes and the error is ErrPrecondition. When it
	// returns nil the new content is durable; readers see the old or the new
	// content, never a mixture. After ErrUnavailable the write may or may not
	// have taken place: read again before deciding.
	PutIfMatch(ctx context.Context, key string, data []byte, tag string) (newTag string, err error)

	// Delete removes the object whose tag is tag ("" is not a tag). A missing
	// object is ErrNotExist, another state ErrPrecondition.
	Delete(ctx context.Context, key string, tag string) error
}

// Info describes one object.
type Info struct {
	Key      string
	Size     int64     // bytes
	SHA256   string    // 64 lower-case hexadecimal digits; "" where the store does not keep it
	Modified time.Time // UTC; when the object was stored, by the clock of the store
}

// PutOptions are what a Store may use beyond the bytes. A store that cannot
// honour a field ignores it; package s3 honours both.
type PutOptions struct {
	ContentType string // media type, "" for application/octet-stream
	Retain      bool   // protect by the retention that the store is configured with (WARC files only)
}
