package store

import (
	"errors"
	"fmt"
)

// Kinds of errors a caller may act on, found with errors.Is.
var (
	// ErrNotExist: no object has this key.
	ErrNotExist = errors.New("object does not exist")
	// ErrExists: the key already holds an object with other bytes.
	ErrExists = errors.New("object exists with other content")
	// ErrPrecondition: the object is not in the state the tag stands for.
	ErrPrecondition = errors.New("object was changed by someone else")
	// ErrImmutable: a Mutable was asked for an object that Store.Put made.
	ErrImmutable = errors.New("object is immutable")
	// ErrKey: the key breaks the rules of ValidKey.
	ErrKey = errors.New("invalid key")
	// ErrReadOnly: the place can be read but not written.
	ErrReadOnly = errors.New("store cannot be written")
	// ErrNoSpace: the place is full; nothing was stored.
	ErrNoSpace = errors.New("no space left")
	// ErrTooLarge: the object is larger than the store can take.
	ErrTooLarge = errors.New("object too large")
	// ErrUnavailable: the store could not be reached or did not answer as it
	// should, also after retries; a write may or may not have taken place.
	// Trying again later is safe.
	ErrUnavailable = errors.New("store unavailable")
	// ErrDenied: the store refused the credentials or lacks a permission, or
	// the bucket does not exist: a person must change the configuration.
	ErrDenied = errors.New("store refused access")
)

// DigestError says that bytes do not have the SHA-256 they should have.
type DigestError struct {
	Object string // key
	Want   string // 64 hexadecimal digits
	Got    string // likewise
}

// Error names the object and both digests.
func (e *DigestError) Error() string {
	return fmt.Sprintf("bytes for object %s have SHA-256 %s, want %s", e.Object, e.Got, e.Want)
}
