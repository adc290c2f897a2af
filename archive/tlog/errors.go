package tlog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// Kinds of errors a caller may act on, found with errors.Is.
var (
	// ErrLost: another writer was faster; nothing of this batch is in the log.
	ErrLost = errors.New("another writer appended first")
	// ErrClosed: the log has ended in favour of a successor.
	ErrClosed = errors.New("log is closed")
	// ErrElsewhere: the log lives in another place, this is a copy of it or its former place.
	ErrElsewhere = errors.New("log lives elsewhere")
	// ErrWrongKey: the log or checkpoint belongs to another origin or key.
	ErrWrongKey = errors.New("wrong log key")
	// ErrBehind: the store lacks entries that the log is known to have had. To go
	// on from there would be a second history under the log's key.
	ErrBehind = errors.New("the log is not the newest")
)

// CorruptError says that objects of the log are missing or are not what a
// checkpoint commits to. It is a finding about the log, whereas any other
// error of a reader says that nothing is known.
type CorruptError struct {
	Objects []string // keys; if there are several, at least one of them is false
	Problem string   // one clause
}

// Error names the objects.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: %s", strings.Join(e.Objects, " or "), e.Problem)
}

func corrupt(key, format string, args ...any) error {
	return &CorruptError{Objects: []string{key}, Problem: fmt.Sprintf(format, args...)}
}

// missing turns "no such object" into a finding and leaves other errors.
func missing(key string, err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return &CorruptError{Objects: []string{key}, Problem: "it is missing"}
	}
	return err
}
