package warc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxManifest bounds the block of a manifest record, in bytes.
const MaxManifest = 8 << 20

// ErrNewer says that something was written by a newer version of this program
// in a format that this one does not know.
var ErrNewer = errors.New("written by a newer version; update fineprint to read it")

// MarshalManifest returns the one form in which a manifest is written: one line
// of JSON without a line end, keys in the order of the Go types, text as UTF-8
// (bytes that are not become U+FFFD). Version and Type are set to what this
// package writes.
func MarshalManifest(m *Manifest) ([]byte, error) {
	c := *m
	c.Version, c.Type = ManifestVersion, "look"
	c.Time, c.Ended = c.Time.UTC(), c.Ended.UTC()
	b, err := encodeManifest(&c)
	if err == nil && bytes.Contains(b, []byte(`\ufffd`)) {
		// The encoder marks bad bytes so, which read back as U+FFFD itself.
		var again Manifest
		if err = json.Unmarshal(b, &again); err == nil {
			b, err = encodeManifest(&again)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("manifest of look %d at %s: %w", m.N, m.Source, err)
	}
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("manifest of look %d at %s: %d bytes, more than %d", m.N, m.Source, len(b), MaxManifest)
	}
	return b, nil
}

func encodeManifest(m *Manifest) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// ParseManifest reads what MarshalManifest wrote, and nothing else: every
// manifest has one form, so unknown or doubled keys, other spellings, spaces and
// bytes that are not UTF-8 are errors. A manifest of a version that is not known
// yet is ErrNewer, with the number in the message.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("manifest: %d bytes, more than %d", len(b), MaxManifest)
	}
	if m, ok := scanManifest(b); ok {
		return m, nil
	}
	return parseManifest(b)
}

// parseManifest is ParseManifest for any manifest.
func parseManifest(b []byte) (*Manifest, error) {
	var head struct {
		Version int    `json:"v"`
		Type    string `json:"type"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if head.Version > ManifestVersion {
		return nil, fmt.Errorf("manifest of format %d, this program knows up to %d: %w", head.Version, ManifestVersion, ErrNewer)
	}
	if head.Version != ManifestVersion || head.Type != "look" {
		return nil, fmt.Errorf("manifest: v %d and type %q, want %d and \"look\"", head.Version, head.Type, ManifestVersion)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	own, err := encodeManifest(m)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if !bytes.Equal(own, b) {
		return nil, fmt.Errorf("manifest: not in the form it is written in, from byte %d on: %.40q", firstDifference(own, b), b[firstDifference(own, b):])
	}
	return m, nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
