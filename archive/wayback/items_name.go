package wayback

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	maxItem     = 100 // characters of an identifier
	minItem     = 3
	maxFileName = 230 // bytes of a file's name in an item
)

// ItemName is the name of the item for a month: prefix, "test" for trials, and
// the month, joined with "-". Names are global to archive.org and for ever, so the
// prefix says whose it is. The error says what is wrong with the prefix.
func ItemName(prefix string, month time.Time, test bool) (string, error) {
	if prefix == "" {
		return "", fmt.Errorf("the name of the items is empty (wayback.item)")
	}
	if strings.HasSuffix(prefix, "-test") {
		return "", fmt.Errorf("wayback.item %.120q: it ends with -test, which trials add (--test): leave it out", prefix)
	}
	name := prefix
	if test {
		name += "-test"
	}
	name += "-" + month.UTC().Format("2006-01")
	return name, CheckItem(name)
}

// CheckItem says what is wrong with the identifier of an item, nil if nothing is.
func CheckItem(name string) error {
	bad := func(why string) error {
		return fmt.Errorf("item %.120q: %s (wayback.item)", name, why)
	}
	switch {
	case len(name) < minItem || len(name) > maxItem:
		return bad(fmt.Sprintf("it has %d characters, want %d to %d", len(name), minItem, maxItem))
	case strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(plainBytes, r) }):
		return bad("only A-Z a-z 0-9 . _ - can be part of it")
	case !strings.Contains(letters, name[:1]):
		return bad("it begins with a letter or a digit")
	}
	return nil
}

const (
	letters    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	plainBytes = letters + "._-"
)

// checkFileName is CheckItem for the name of a file.
func checkFileName(name string) error {
	if name == "" || len(name) > maxFileName || strings.Trim(name, ".") == "" ||
		strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(plainBytes, r) }) {
		return fmt.Errorf("file name %.250q: want up to %d of A-Z a-z 0-9 . _ -", name, maxFileName)
	}
	return nil
}

// CheckCollection says what is wrong with the name of a collection, nil if
// nothing is. Whether the account may use it only the service knows.
func CheckCollection(name string) error {
	if err := CheckItem(name); err != nil {
		return fmt.Errorf("wayback.collection %.120q: want the name of a collection, 3 to 100 of A-Z a-z 0-9 . _ - (opensource is open to everybody)", name)
	}
	return nil
}

// MetaField is one value of an item's metadata. A name may occur several times.
type MetaField struct {
	Name  string // of a-z 0-9 _ -
	Value string // any text; empty ones are left out
}

// setMeta writes metadata as headers: x-archive-meta-NAME, numbered where a name
// has several values, "--" for "_", which headers have no place for, and
// uri(percent-encoded) for what is not plain ASCII.
func setMeta(h http.Header, fields []MetaField) {
	total := map[string]int{}
	for _, f := range fields {
		if f.Value != "" {
			total[f.Name]++
		}
	}
	seen := map[string]int{}
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		name := strings.ReplaceAll(f.Name, "_", "--")
		if total[f.Name] > 1 {
			seen[f.Name]++
			h.Set(fmt.Sprintf("X-Archive-Meta%02d-%s", seen[f.Name], name), metaValue(f.Value))
			continue
		}
		h.Set("X-Archive-Meta-"+name, metaValue(f.Value))
	}
}

// metaValue is a value as a header carries it.
func metaValue(s string) string {
	plain := s == strings.TrimSpace(s) && !strings.HasPrefix(s, "uri(")
	for i := 0; plain && i < len(s); i++ {
		plain = ' ' <= s[i] && s[i] <= '~'
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.WriteString("uri(")
	for i := range len(s) {
		if strings.IndexByte(plainBytes+"~", s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	b.WriteString(")")
	return b.String()
}
