package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/fineprint-archive/fineprint/warc"
)

// EntryVersion is the version of the entries written by this package.
const EntryVersion = 1

// MaxEntry bounds an entry, in bytes: entry bundles of a log hold the length in
// 16 bits (C2SP tlog-tiles, "Log Entries").
const MaxEntry = 1<<16 - 1

// Type says what an entry is about.
type Type string

// The types of entries. The table typeFields says which fields each one has.
const (
	TypeLook       Type = "look"       // one attempt at a source, whatever came of it
	TypeWARCFile   Type = "warcfile"   // a sealed WARC
	TypeReceipt    Type = "receipt"    // another observer says that it has a copy
	TypeAnchor     Type = "anchor"     // outside parties said something about a checkpoint
	TypeLost       Type = "lost"       // a look that was begun and whose records are gone
	TypeTombstone  Type = "tombstone"  // records were taken out of a WARC
	TypeSuccession Type = "succession" // the log goes on in another, or goes on from another
)

// Entry is one leaf of the log. Its fields stand in the order of their JSON keys;
// which of them an entry has depends on Type. The zero value of a field means
// that it is absent.
//
// Encode has the one form of an entry, the bytes that are stored and hashed.
type Entry struct {
	Bytes             warc.BytesState `json:"bytes,omitempty"`             // look: the payload against that of the captured look before
	Capture           string          `json:"capture,omitempty"`           // receipt: the observer's name of its copy, an address
	Checkpoint        string          `json:"checkpoint,omitempty"`        // succession: the last checkpoint of the former log, the whole note
	CheckpointSHA256  warc.Digest     `json:"checkpoint_sha256,omitzero"`  // anchor: of the bytes of log/checkpoints/<tree_size>
	DeclarationSHA256 warc.Digest     `json:"declaration_sha256,omitzero"` // look: of the canonical declaration in force
	Error             string          `json:"error,omitempty"`             // look: code of what failed
	Facts             *warc.Facts     `json:"facts,omitempty"`             // receipt: how the observer's copy compares with our capture
	FinalURL          string          `json:"final_url,omitempty"`         // look: by RedactFinal; absent if it is URL
	Length            int64           `json:"length,omitempty"`            // look: of the manifest's gzip member, in bytes
	List              string          `json:"list,omitempty"`              // anchor: key of the anchor list
	ListSHA256        warc.Digest     `json:"list_sha256,omitzero"`        // anchor: of the anchor list
	Looks             int64           `json:"looks,omitempty"`             // warcfile: number of manifests in it
	Manifest          *Record         `json:"manifest,omitempty"`          // look, receipt: the manifest of the look
	N                 int64           `json:"n,omitempty"`                 // look, lost: number of the look at its source, from 1
	Object            string          `json:"object,omitempty"`            // receipt: key of the observer's answer, if it is an object of its own
	Observer          string          `json:"observer,omitempty"`          // receipt: host name of who saw the page
	Offset            int64           `json:"offset,omitempty"`            // look: of the manifest's gzip member in WARC, in bytes
	Origin            string          `json:"origin,omitempty"`            // succession: of the log that follows
	PayloadSHA1       warc.Digest     `json:"payload_sha1,omitzero"`       // look: of the page's entity body; receipt: what the observer says
	PayloadSHA256     warc.Digest     `json:"payload_sha256,omitzero"`     // look: of the page's entity body
	Prev              *warc.Prev      `json:"prev,omitempty"`              // look: the manifest of the look before; absent for the first
	Reason            string          `json:"reason,omitempty"`            // tombstone: why, for people
	Records           []string        `json:"records,omitempty"`           // tombstone: ids of the records that are gone; receipt: of those that hold the observer's answers; sorted
	Result            warc.Result     `json:"result,omitempty"`            // look
	Run               string          `json:"run,omitempty"`               // lost: id of the run that began the look
	SameAs            *Reference      `json:"same_as,omitempty"`           // look: the full record that the page's revisit record refers to
	SHA256            warc.Digest     `json:"sha256,omitzero"`             // warcfile, tombstone: of the object WARC; receipt: of Object
	Size              int64           `json:"size,omitempty"`              // warcfile: bytes
	Source            string          `json:"source,omitempty"`            // look, lost, receipt: id of the source, or a commitment to it
	Status            int             `json:"status,omitempty"`            // look: HTTP status of the page's last response
	Time              time.Time       `json:"time,omitzero"`               // look, lost: its start; receipt: when the observer saw the page; others: when it was decided
	TLS               *TLS            `json:"tls,omitempty"`               // look: the connection that carried the page
	Tool              string          `json:"tool,omitempty"`              // look: program and version that made it
	TreeSize          int64           `json:"tree_size,omitempty"`         // anchor: number of entries under the checkpoint
	Type              Type            `json:"type"`                        // all
	URL               string          `json:"url,omitempty"`               // look: the declared address, or a commitment to it
	Version           int             `json:"v"`                           // all: 1; set by Encode
	Vantage           string          `json:"vantage,omitempty"`           // look: label of the place it was made from
	VKey              string          `json:"vkey,omitempty"`              // succession: verifier key of the log that follows (C2SP signed-note)
	WARC              string          `json:"warc,omitempty"`              // look, warcfile, tombstone: key of the object
}

// Record names a WARC record and commits to it.
type Record struct {
	Record string      `json:"record"` // record id, "urn:uuid:…"
	SHA256 warc.Digest `json:"sha256"` // of its decompressed gzip member
}

// Reference names a record by its id.
type Reference struct {
	Record string `json:"record"`
	WARC   string `json:"warc,omitempty"` // key of the object it lies in; "" if it is that of the look
}

// TLS commits to what is known of a connection.
type TLS struct {
	Anchor    warc.Digest `json:"anchor,omitzero"`    // of the anchor list that the handshake proof commits to
	Chain     warc.Digest `json:"chain,omitzero"`     // warc.ChainDigest of the certificates as served
	Handshake warc.Digest `json:"handshake,omitzero"` // of the handshake proof
}

// Encode returns the leaf: one line of JSON without a line end, in the form of
// RFC 8785 (keys sorted, no white space, only what must be escaped is). Text that
// is not UTF-8, a field that the type does not have, a missing one and a value
// outside its rules are errors; they never quote an address.
func (e Entry) Encode() ([]byte, error) { return e.appendTo(nil) }

// appendTo is Encode behind what b holds.
func (e *Entry) appendTo(b []byte) ([]byte, error) {
	e.Version = EntryVersion
	if !e.Time.IsZero() {
		e.Time = e.Time.UTC()
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("entry of type %q: %w", e.Type, err)
	}
	out := appendEntry(slices.Grow(b, usualEntry), e)
	if n := len(out) - len(b); n > MaxEntry {
		return nil, fmt.Errorf("entry of type %q: %d bytes, a leaf has at most %d", e.Type, n, MaxEntry)
	}
	return out, nil
}

// usualEntry is what most entries do not exceed, in bytes.
const usualEntry = 1536

// ParseEntry reads what Encode wrote, and nothing else: an entry has one form, so
// unknown, doubled, unsorted or misplaced keys, spaces, other spellings of a
// value and bytes that are not UTF-8 are errors. An entry of a version that is
// not known yet is warc.ErrNewer. Encode gives the same bytes again.
func ParseEntry(leaf []byte) (Entry, error) {
	if len(leaf) > MaxEntry {
		return Entry{}, fmt.Errorf("entry: %d bytes, a leaf has at most %d", len(leaf), MaxEntry)
	}
	if !utf8.Valid(leaf) {
		return Entry{}, fmt.Errorf("entry: not UTF-8")
	}
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(leaf, &head); err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	if head.Version > EntryVersion {
		return Entry{}, fmt.Errorf("entry of version %d, this program knows up to %d: %w", head.Version, EntryVersion, warc.ErrNewer)
	}
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(leaf))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	if e.Version != EntryVersion {
		return Entry{}, fmt.Errorf("entry: v is %d, want %d", e.Version, EntryVersion)
	}
	own, err := e.Encode()
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(own, leaf) {
		return Entry{}, fmt.Errorf("entry: not in the form it is written in, from byte %d on", firstDifference(own, leaf))
	}
	return e, nil
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
