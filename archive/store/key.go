package store

import (
	"fmt"
	"strings"
)

const (
	maxKey     = 512 // bytes, so that a prefix fits beside it into the 1,024 of S3
	maxSegment = 255 // bytes, NAME_MAX of the usual filesystems
	shownKey   = 80  // bytes of a bad key that an error repeats
)

// ValidKey returns nil for a key that every store can hold, and otherwise an
// error of kind ErrKey that says what is wrong. A key has 1 to 512 bytes of
// A-Z a-z 0-9 . _ + @ - and "/" between its segments. A segment has 1 to 255
// bytes and does not begin with "." (which excludes ".", ".." and the names a
// Dir keeps for itself).
func ValidKey(key string) error {
	if reason := keyFault(key); reason != "" {
		return fmt.Errorf("%w %q: %s", ErrKey, shorten(key), reason)
	}
	return nil
}

// keyFault says in words what is wrong with key, "" if nothing is.
func keyFault(key string) string {
	if key == "" {
		return "it is empty"
	}
	if len(key) > maxKey {
		return fmt.Sprintf("it has %d bytes, at most %d are allowed", len(key), maxKey)
	}
	for seg := range strings.SplitSeq(key, "/") {
		switch {
		case seg == "":
			return "it has an empty segment, or a slash at its start or end"
		case seg[0] == '.':
			return fmt.Sprintf("the segment %q begins with a dot", shorten(seg))
		case len(seg) > maxSegment:
			return fmt.Sprintf("a segment has %d bytes, at most %d are allowed", len(seg), maxSegment)
		}
	}
	for i := range len(key) {
		if !keyByte(key[i]) {
			return fmt.Sprintf("byte %d (%q) is not one of A-Z a-z 0-9 . _ + @ - /", i, key[i])
		}
	}
	return ""
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("._+@-/", c) >= 0
}

func shorten(s string) string {
	if len(s) <= shownKey {
		return s
	}
	return s[:shownKey] + "..."
}
