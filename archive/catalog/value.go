package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fineprint-archive/fineprint/warc"
)

// timeLayout is fixed in width, so that times sort as bytes, and keeps
// nanoseconds, which neither database's own time type does.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// maxKey bounds what may become a key: PostgreSQL refuses index rows above
// 2,704 bytes.
const maxKey = 512

// timeText returns the stored form of t, "" for the zero time. Years outside
// 0 to 9999 have no RFC 3339 form and become the nearest bound: a wrong clock
// must not stop an archive.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	switch {
	case t.Year() < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	}
	return t.Format(timeLayout)
}

// parseTime reads the stored form.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(timeLayout, s)
}

// clean returns s with each byte that is not UTF-8, and each U+0000, replaced
// by U+FFFD: PostgreSQL stores neither. encoding/json replaces invalid bytes
// in the same way, so a text that comes back through a manifest is equal.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r == 0 {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// checkKey reports why s cannot be a key of a table.
func checkKey(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > maxKey:
		return fmt.Errorf("%s of %d bytes is longer than %d", what, len(s), maxKey)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q is not UTF-8", what, s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%s %q contains U+0000", what, s)
	}
	return nil
}

// hashKey stands for a long text in an index: the first 128 bits of its
// SHA-256 in hexadecimal, "" for "".
func hashKey(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(clean(s)))
	return hex.EncodeToString(sum[:16])
}

// digestText returns the stored form of a digest whose algorithm is that of
// its column.
func digestText(d warc.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.Hex()
}

// parseDigest reads the stored form of a digest.
func parseDigest(alg warc.Algorithm, s string) (warc.Digest, error) {
	if s == "" {
		return warc.Digest{}, nil
	}
	return warc.ParseDigest(string(alg) + ":" + s)
}

// truth returns the stored form of a truth value.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// The scanners below turn stored forms back while a row is scanned.

type scanTime struct{ t *time.Time }

func (s scanTime) Scan(v any) error {
	text, err := scanText(v)
	if err != nil {
		return err
	}
	*s.t, err = parseTime(text)
	return err
}

type scanDigest struct {
	alg warc.Algorithm
	d   *warc.Digest
}

func (s scanDigest) Scan(v any) error {
	text, err := scanText(v)
	if err != nil {
		return err
	}
	*s.d, err = parseDigest(s.alg, text)
	return err
}

func scanText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case nil:
		return "", nil
	}
	return "", fmt.Errorf("column of type %T is not text", v)
}
