package evidence

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"reflect"
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
	TypeReceipt:   {must: []string{"capture", "manifest", "observer", "source", "time"}, may: []string{"facts", "object", "payload_sha1", "records", "sha256"}},
	TypeAnchor:    {must: []string{"checkpoint_sha256", "list", "list_sha256", "tree_size"}},
	TypeLost:      {must: []string{"n", "run", "source", "time"}},
	TypeTombstone: {must: []string{"reason", "records", "sha256", "time", "warc"}},
	// Either the log that follows, or the checkpoint of the one before.
	TypeSuccession: {must: []string{"time"}, may: []string{"checkpoint", "origin", "vkey"}},
}

// maxInt is the first integer that not every JSON reader can hold (RFC 8259,
// section 6).
const maxInt = 1 << 53

// check says what is wrong with an entry. Errors name keys, never addresses.
// Every entry of a log goes through it, so it asks nothing of reflection.
func (e *Entry) check() error {
	set, known := typeMasks[e.Type]
	if !known {
		return fmt.Errorf("no such type")
	}
	for i, state := range e.states() {
		mask := fieldMask(1) << i
		switch {
		case state != absent && set.must&mask == 0 && set.may&mask == 0:
			return fmt.Errorf("%s does not belong to this type", entryKeys[i])
		case state == absent && set.must&mask != 0:
			return fmt.Errorf("%s is missing", entryKeys[i])
		case state > present:
			return fmt.Errorf("%s: %s", entryKeys[i], faults[state])
		}
	}
	return e.checkRules()
}

// entryFields is the number of fields of an Entry.
const entryFields = 40

// entryKeys are the JSON keys of an Entry, in the order of its fields.
var entryKeys = func() (keys []string) {
	t := reflect.TypeFor[Entry]()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}()

// fieldMask is a set of fields of an Entry: bit i stands for entryKeys[i].
type fieldMask uint64

// typeMasks is typeFields as sets of bits. All types have v and type.
var typeMasks = func() map[Type]struct{ must, may fieldMask } {
	masks := make(map[Type]struct{ must, may fieldMask }, len(typeFields))
	for typ, set := range typeFields {
		m := masks[typ]
		for i, key := range entryKeys {
			switch {
			case slices.Contains(set.must, key):
				m.must |= 1 << i
			case slices.Contains(set.may, key), key == "v", key == "type":
				m.may |= 1 << i
			}
		}
		masks[typ] = m
	}
	return masks
}()

// fieldState says what stands in a field, as far as all values of its kind are
// judged alike.
type fieldState byte

const (
	absent fieldState = iota
	present
	notUTF8 // this and those below: present, and wrong
	notInt
	notDigest
)

// faults says what is wrong, by state.
var faults = [...]string{notUTF8: "not UTF-8", notInt: "not between 0 and 2^53", notDigest: "not a digest"}

// states returns the state of each field, in their order. A test holds that none
// is forgotten.
func (e *Entry) states() [entryFields]fieldState {
	return [...]fieldState{
		textState(e.Bytes), textState(e.Capture), textState(e.Checkpoint), digestState(e.CheckpointSHA256),
		digestState(e.DeclarationSHA256), textState(e.Error), stateOf(e.Facts != nil), textState(e.FinalURL), intState(e.Length),
		textState(e.List), digestState(e.ListSHA256), intState(e.Looks), stateOf(e.Manifest != nil),
		intState(e.N), textState(e.Object), textState(e.Observer), intState(e.Offset), textState(e.Origin),
		digestState(e.PayloadSHA1), digestState(e.PayloadSHA256), stateOf(e.Prev != nil), textState(e.Reason),
		stateOf(e.Records != nil), textState(e.Result), textState(e.Run), stateOf(e.SameAs != nil),
		digestState(e.SHA256), intState(e.Size), textState(e.Source), intState(int64(e.Status)),
		stateOf(!e.Time.IsZero()), stateOf(e.TLS != nil), textState(e.Tool), intState(e.TreeSize), textState(e.Type),
		textState(e.URL), intState(int64(e.Version)), textState(e.Vantage), textState(e.VKey), textState(e.WARC),
	}
}

func stateOf(there bool) fieldState {
	if there {
		return present
	}
	return absent
}

func textState[T ~string](s T) fieldState {
	if s == "" {
		return absent
	}
	if !utf8.ValidString(string(s)) {
		return notUTF8
	}
	return present
}

func intState(n int64) fieldState {
	if n < 0 || n >= maxInt {
		return notInt
	}
	return stateOf(n != 0)
}

func digestState(d warc.Digest) fieldState {
	switch {
	case d == warc.Digest{}:
		return absent
	case d.Algorithm == warc.SHA256 && len(d.Sum) == sha256.Size, d.Algorithm == warc.SHA1 && len(d.Sum) == sha1.Size:
		return present
	}
	return notDigest
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
		{"error", e.Error == "" || isErrorCode(e.Error)},
		{"error", e.Type != TypeLook || (e.Error != "") == (e.Result == warc.Failed)},
		{"source", e.Source == "" || isSourceID(e.Source)},
		{"url", e.URL == "" || isCommitment(e.URL) || publicAddress(e.URL)},
		{"url", isCommitment(e.URL) == isCommitment(e.Source) || e.Type != TypeLook},
		{"final_url", e.FinalURL == "" || !isCommitment(e.URL) && publicAddress(e.FinalURL)},
		{"capture", e.Capture == "" || publicAddress(e.Capture)},
		{"status", e.Status <= 999},
		{"time", e.Time.IsZero() || e.Time.Year() >= 1 && e.Time.Year() <= 9999},
		{"manifest", e.Manifest == nil || isRecordID(e.Manifest.Record) && isSHA256(e.Manifest.SHA256)},
		{"prev", e.Prev == nil || isRecordID(e.Prev.Manifest) && isSHA256(e.Prev.SHA256)},
		{"prev", e.Type != TypeLook || e.Prev == nil || e.N > 1},
		{"same_as", e.SameAs == nil || isRecordID(e.SameAs.Record) && utf8.ValidString(e.SameAs.WARC)},
		{"tls", e.TLS == nil || *e.TLS != TLS{} && is256(e.TLS.Anchor) && is256(e.TLS.Chain) && is256(e.TLS.Handshake)},
		{"payload_sha1", e.PayloadSHA1.IsZero() || e.PayloadSHA1.Algorithm == warc.SHA1},
		{"payload_sha256", is256(e.PayloadSHA256)},
		{"checkpoint_sha256", is256(e.CheckpointSHA256)},
		{"declaration_sha256", is256(e.DeclarationSHA256)},
		{"list_sha256", is256(e.ListSHA256)},
		{"sha256", is256(e.SHA256)},
		{"facts", e.Facts == nil || *e.Facts != warc.Facts{} && isFacts(e.Facts)},
		{"sha256", e.Type != TypeReceipt || e.SHA256.IsZero() == (e.Object == "")},
		{"records", slices.IsSorted(e.Records) && !slices.ContainsFunc(e.Records, func(id string) bool { return !isRecordID(id) })},
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

// isFacts reports whether each of the facts has one of the known answers.
func isFacts(f *warc.Facts) bool {
	for _, fact := range []warc.Fact{f.Content, f.Index, f.Replay, f.Text} {
		switch fact {
		case "", warc.FactSame, warc.FactVariant, warc.FactDifferent, warc.FactAbsent:
		default:
			return false
		}
	}
	return true
}

func isSHA256(d warc.Digest) bool { return d.Algorithm == warc.SHA256 && len(d.Sum) == 32 }

// publicAddress reports whether an address may stand in a public log: a scheme,
// no user information, no control character.
func publicAddress(s string) bool {
	if !hasScheme(s) {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	_, authority, _ := strings.Cut(s, "://")
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	return !strings.Contains(authority, "@")
}
