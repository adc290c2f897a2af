package evidence

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fineprint-archive/fineprint/warc"
)

// fieldSet lists the keys of a type of entry, beside v and type.
type fieldSet struct {
	must, may []string
}

// typeFields is the definition of the types: the keys that each one has and may
// have.
var typeFields = map[Type]fieldSet{
	TypeLook: {
		must: []string{"length", "manifest", "n", "offset", "result", "source", "time", "tool", "url", "warc"},
		may: []string{"bytes", "declaration_sha256", "error", "final_url", "payload_sha1", "payload_sha256", "prev",
			"same_as", "status", "tls", "vantage"},
	},
	TypeWARCFile:  {must: []string{"sha256", "size", "warc"}, may: []string{"looks"}},
	TypeReceipt:   {must: []string{"capture", "manifest", "observer", "source", "time"}, may: []string{"object", "payload_sha1", "sha256"}},
	TypeAnchor:    {must: []string{"checkpoint_sha256", "list", "list_sha256", "tree_size"}},
	TypeLost:      {must: []string{"n", "run", "source", "time"}},
	TypeTombstone: {must: []string{"reason", "records", "sha256", "time", "warc"}},
	// Either the log that follows, or the checkpoint of the one before.
	TypeSuccession: {must: []string{"time"}, may: []string{"checkpoint", "origin", "vkey"}},
}

// values holds the closed lists and forms of text fields.
var (
	errorCode  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	sourceID   = regexp.MustCompile(`^([0-9A-Za-z._-]{1,64}|private:[0-9a-f]{64})$`)
	recordID   = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	scheme     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	commitment = regexp.MustCompile(`^private:[0-9a-f]{64}$`)
)

// maxInt is the first integer that not every JSON reader can hold (RFC 8259,
// section 6).
const maxInt = 1 << 53

// check says what is wrong with an entry. Errors name keys, never addresses.
func (e *Entry) check() error {
	set, known := typeFields[e.Type]
	if !known {
		return fmt.Errorf("no such type")
	}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		key := entryKeys[i]
		present := !v.Field(i).IsZero()
		switch {
		case key == "v" || key == "type":
		case present && !slices.Contains(set.must, key) && !slices.Contains(set.may, key):
			return fmt.Errorf("%s does not belong to this type", key)
		case !present && slices.Contains(set.must, key):
			return fmt.Errorf("%s is missing", key)
		}
		if err := checkValue(v.Field(i)); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return e.checkRules()
}

// entryKeys are the JSON keys of an Entry, in the order of its fields.
var entryKeys = func() (keys []string) {
	t := reflect.TypeFor[Entry]()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}()

// checkValue holds what is true of all values of a kind.
func checkValue(v reflect.Value) error {
	if d, ok := v.Interface().(warc.Digest); ok {
		whole := d.IsZero() || d.Algorithm == warc.SHA256 && len(d.Sum) == sha256.Size || d.Algorithm == warc.SHA1 && len(d.Sum) == sha1.Size
		if !whole {
			return fmt.Errorf("not a digest")
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return fmt.Errorf("not UTF-8")
		}
	case reflect.Int, reflect.Int64:
		if v.Int() < 0 || v.Int() >= maxInt {
			return fmt.Errorf("%d is not between 0 and 2^53", v.Int())
		}
	}
	return nil
}

// checkRules holds what a single field's kind does not say.
func (e *Entry) checkRules() error {
	is256 := func(d warc.Digest) bool { return d.IsZero() || d.Algorithm == warc.SHA256 }
	rules := []struct {
		key string
		ok  bool
	}{
		{"bytes", slices.Contains([]warc.BytesState{"", warc.BytesFirst, warc.BytesSame, warc.BytesDifferent}, e.Bytes)},
		{"result", slices.Contains([]warc.Result{"", warc.Captured, warc.NotModified, warc.Failed}, e.Result)},
		{"error", e.Error == "" || errorCode.MatchString(e.Error)},
		{"error", e.Type != TypeLook || (e.Error != "") == (e.Result == warc.Failed)},
		{"source", e.Source == "" || sourceID.MatchString(e.Source)},
		{"url", e.URL == "" || commitment.MatchString(e.URL) || publicAddress(e.URL)},
		{"url", commitment.MatchString(e.URL) == commitment.MatchString(e.Source) || e.Type != TypeLook},
		{"final_url", e.FinalURL == "" || !commitment.MatchString(e.URL) && publicAddress(e.FinalURL)},
		{"capture", e.Capture == "" || publicAddress(e.Capture)},
		{"status", e.Status <= 999},
		{"time", e.Time.IsZero() || e.Time.Year() >= 1 && e.Time.Year() <= 9999},
		{"manifest", e.Manifest == nil || recordID.MatchString(e.Manifest.Record) && isSHA256(e.Manifest.SHA256)},
		{"prev", e.Prev == nil || recordID.MatchString(e.Prev.Manifest) && isSHA256(e.Prev.SHA256)},
		{"prev", e.Type != TypeLook || e.Prev == nil || e.N > 1},
		{"same_as", e.SameAs == nil || recordID.MatchString(e.SameAs.Record) && utf8.ValidString(e.SameAs.WARC)},
		{"tls", e.TLS == nil || *e.TLS != TLS{} && is256(e.TLS.Anchor) && is256(e.TLS.Chain) && is256(e.TLS.Handshake)},
		{"payload_sha1", e.PayloadSHA1.IsZero() || e.PayloadSHA1.Algorithm == warc.SHA1},
		{"payload_sha256", is256(e.PayloadSHA256)},
		{"checkpoint_sha256", is256(e.CheckpointSHA256)},
		{"declaration_sha256", is256(e.DeclarationSHA256)},
		{"list_sha256", is256(e.ListSHA256)},
		{"sha256", is256(e.SHA256)},
		{"sha256", e.Type != TypeReceipt || e.SHA256.IsZero() == (e.Object == "")},
		{"records", slices.IsSorted(e.Records) && !slices.ContainsFunc(e.Records, func(id string) bool { return !recordID.MatchString(id) })},
		{"origin", e.Type != TypeSuccession || (e.Origin != "") != (e.Checkpoint != "")},
		{"vkey", e.Type != TypeSuccession || (e.Origin != "") == (e.VKey != "")},
	}
	for _, r := range rules {
		if !r.ok {
			return fmt.Errorf("%s does not follow its rules (docs/FORMATS.md, \"Log entries\")", r.key)
		}
	}
	return nil
}

func isSHA256(d warc.Digest) bool { return d.Algorithm == warc.SHA256 && len(d.Sum) == 32 }

// publicAddress reports whether an address may stand in a public log: a scheme,
// no user information, no control character.
func publicAddress(s string) bool {
	if !scheme.MatchString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	_, rest, _ := strings.Cut(s, "://")
	authority := rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool { return r != '/' && r != '?' && r != '#' }))]
	return !strings.Contains(authority, "@")
}
