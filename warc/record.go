package warc

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Version is the version of the WARC standard that records are written in.
const Version = "WARC/1.1"

// Types of records (WARC 1.1, section 6).
const (
	TypeWarcinfo = "warcinfo"
	TypeRequest  = "request"
	TypeResponse = "response"
	TypeRevisit  = "revisit"
	TypeMetadata = "metadata"
	TypeResource = "resource"
)

// Media types of record blocks.
const (
	MediaManifest    = "application/vnd.fineprint.manifest+json"
	MediaDeclaration = "application/vnd.fineprint.declaration+json"
	MediaHandshake   = "application/vnd.fineprint.handshake"

	mediaRequest  = "application/http;msgtype=request"
	mediaResponse = "application/http;msgtype=response"
	mediaFields   = "application/warc-fields"
	mediaOctets   = "application/octet-stream"
	mediaPEM      = "application/pem-certificate-chain"
)

// Record is one WARC record: built to be written (see Look.Records, Compress),
// or read from a file (see Reader).
type Record struct {
	Version string // "WARC/1.1"; older files carry others
	Header  Header

	// Where the record lies, set by Reader.
	Offset int64  // of its gzip member in the file, in bytes; known from the start
	Length int64  // of the gzip member, or of the plain record and the blank lines behind it; set by Finish, 0 if another record follows in the same member
	SHA256 Digest // of the decompressed gzip member, or of the record if it is plain or shares its member; set by Finish

	content Block    // of a record that is to be written
	stored  int64    // the last bytes of the content that are compressed already
	stream  *reading // of a record that is being read
}

// ID returns the record id without angle brackets ("urn:uuid:…").
func (r *Record) ID() string { return unbracket(r.Header.Get(fieldRecordID)) }

// Type returns WARC-Type.
func (r *Record) Type() string { return r.Header.Get(fieldType) }

// TargetURI returns WARC-Target-URI without the angle brackets that some
// writers put around it; "" if there is none.
func (r *Record) TargetURI() string { return unbracket(r.Header.Get(fieldTargetURI)) }

// Date returns WARC-Date. The error names what stands there instead of a date.
func (r *Record) Date() (time.Time, error) { return ParseDate(r.Header.Get(fieldDate)) }

// Size returns the number of bytes of the block as Content-Length has it.
func (r *Record) Size() int64 {
	if r.stream != nil {
		return r.stream.size
	}
	return r.content.Size()
}

// Look returns what Fineprint-Look says: the source and the number of the look
// that the record belongs to. ok is false if it does not say, which only
// requests do.
func (r *Record) Look() (source string, n int64, ok bool) {
	source, number, _ := strings.Cut(r.Header.Get(FieldLook), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	return source, n, err == nil
}

// Manifest returns the id of the manifest of the record's look, "" if its id is
// not one that a look hands out.
func (r *Record) Manifest() string {
	id, err := ManifestOf(r.ID())
	if err != nil {
		return ""
	}
	return id
}

// Block returns a reader of the block. Of a record from a Reader it can be read
// once, and only until the Reader moves on; an error other than io.EOF is a
// *FormatError or comes from the source. Of a built record every call starts
// anew.
func (r *Record) Block() io.Reader {
	if r.stream != nil {
		return r.stream
	}
	return r.content.Open()
}

// ReadBlock reads the block into memory. A block of more than limit bytes is an
// error.
func (r *Record) ReadBlock(limit int64) ([]byte, error) {
	if r.Size() > limit {
		return nil, fmt.Errorf("record %s: block of %d bytes, at most %d are read", r.ID(), r.Size(), limit)
	}
	return io.ReadAll(r.Block()) // grows as bytes arrive: the size is a claim
}

// Meta is what every record needs beside its content.
type Meta struct {
	ID         string    // record id; "" for the next one of Look, or a random one
	Date       time.Time // WARC-Date
	WarcinfoID string    // id of the file's warcinfo record; "" leaves the field out
	Look       *Look     // the look that the record belongs to; nil for none
}

// newRecord begins a record with the fields that all have. The block's fields
// are added by finish.
func newRecord(typ string, m Meta) *Record {
	r := &Record{Version: Version, Header: make(Header, 0, 20)}
	if m.ID == "" && m.Look != nil {
		m.ID = m.Look.NextID()
	}
	if m.ID == "" {
		m.ID = NewID(nil)
	}
	h := &r.Header
	h.Add(fieldType, typ)
	h.Add(fieldRecordID, bracket(m.ID))
	if typ == TypeRequest && m.Look != nil {
		h.Add(FieldLook, m.Look.field())
	}
	if m.Look == nil || m.ID == m.Look.ManifestID() {
		// The other records of a look have it from their manifest, whose id is
		// theirs but for the end.
		h.Add(fieldWarcinfoID, bracket(m.WarcinfoID))
	}
	h.Add(fieldDate, FormatDate(m.Date))
	return r
}

// finish gives the record its block, with the SHA-256 of its bytes as the block
// digest, and checks the header.
func (r *Record) finish(mediaType string, block Block) (*Record, error) {
	digest, err := digestBlock(block)
	if err != nil {
		return nil, fmt.Errorf("%s record of %q: %w", r.Type(), r.TargetURI(), err)
	}
	r.Header.Add(fieldBlock, digest.String())
	r.Header.Add(fieldContentType, mediaType)
	r.Header.Add(fieldLength, strconv.FormatInt(block.Size(), 10))
	r.content = block
	if err := r.Header.Check(); err != nil {
		return nil, fmt.Errorf("%s record of %q: %w", r.Type(), r.TargetURI(), err)
	}
	return r, nil
}

func digestBlock(block Block) (Digest, error) {
	if b, ok := block.(Bytes); ok {
		return SumSHA256(b), nil
	}
	h := sha256Pool.get()
	defer sha256Pool.put(h)
	n, err := copyBuffered(h, block.Open())
	if err != nil {
		return Digest{}, fmt.Errorf("read its block: %w", err)
	}
	if n != block.Size() {
		return Digest{}, fmt.Errorf("block of %d bytes says it has %d", n, block.Size())
	}
	return h.digest(), nil
}
