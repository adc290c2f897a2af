package tlog

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

const (
	lockKey       = prefix + "lock"
	publicKey     = prefix + "checkpoint"
	keptPrefix    = prefix + "checkpoints/"
	stagingPrefix = prefix + "staging/"

	lockHeader = "fineprint log lock v1"
	maxValue   = 1000 // bytes of a place or successor
)

// keptKey is where the checkpoint of a size is kept.
func keptKey(size int64) string { return fmt.Sprintf("%s%d", keptPrefix, size) }

// stagingKey is where the batch of one write is staged. The id makes it the
// writer's own: two that append equal bytes never share, or delete, it.
func stagingKey(cp Checkpoint, id string) string {
	return fmt.Sprintf("%s%d-%x-%s", stagingPrefix, cp.Size, cp.Root[:], id)
}

// lock is the content of the lock object.
type lock struct {
	write   string // random id of this write
	place   string // where the log lives
	staging string // key of the batch that led to cp, "" if the lock was written for another reason
	moved   string // the place the log went to, else ""
	closed  string // what follows the log, else ""
	cp      Checkpoint
}

// checkValue returns nil for a text that fits a line of the lock.
func checkValue(what, s string) error {
	if s == "" || len(s) > maxValue || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s %q must be 1 to %d bytes of text on one line", what, s[:min(len(s), 80)], maxValue)
	}
	return nil
}

func (l lock) encode() []byte {
	b := []byte(lockHeader + "\n")
	for _, f := range l.fields() {
		if *f.value != "" {
			b = fmt.Appendf(b, "%s %s\n", f.name, *f.value)
		}
	}
	return append(append(b, '\n'), l.cp.Raw...)
}

type lockField struct {
	name  string
	value *string
}

// fields are the lines in their order.
func (l *lock) fields() []lockField {
	return []lockField{{"write", &l.write}, {"place", &l.place}, {"staging", &l.staging}, {"moved", &l.moved}, {"closed", &l.closed}}
}

// parseLock reads the lock object and verifies its checkpoint.
func parseLock(data []byte, v note.Verifier) (lock, error) {
	var l lock
	header, raw, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(header, "\n")
	if !ok || lines[0] != lockHeader {
		return lock{}, errors.New("it is not a lock of format 1 (a newer version of this program may have written it)")
	}
	lines = lines[1:]
	for _, f := range l.fields() {
		if len(lines) == 0 {
			break
		}
		value, ok := strings.CutPrefix(lines[0], f.name+" ")
		if !ok {
			continue
		}
		if err := checkValue(f.name, value); err != nil {
			return lock{}, err
		}
		*f.value, lines = value, lines[1:]
	}
	if len(lines) > 0 {
		return lock{}, fmt.Errorf("line %.80q is unknown, out of order or doubled", lines[0])
	}
	if l.write == "" || l.place == "" {
		return lock{}, errors.New("its write id or place is missing")
	}
	cp, err := ParseCheckpoint([]byte(raw), v)
	if err != nil {
		return lock{}, err
	}
	l.cp = cp
	if l.staging != "" && l.staging != stagingKey(cp, l.write) {
		return lock{}, errors.New("its staging is not that of its checkpoint")
	}
	return l, nil
}
