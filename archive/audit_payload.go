package archive

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// payloadSums is what reading the payload of a response showed.
type payloadSums struct {
	label   string // WARC-Payload-Digest
	size    int64  // in bytes
	sha1    warc.Digest
	sha256  warc.Digest
	decoded warc.Digest // zero if it was not asked for, or cannot be decoded
	length  int64       // of the decoded payload, in bytes
}

// of returns the digest of an algorithm.
func (s *payloadSums) of(a warc.Algorithm) warc.Digest {
	if a == warc.SHA1 {
		return s.sha1
	}
	return s.sha256
}

// maxDecodedPayload bounds what is decoded of one body, in bytes.
const maxDecodedPayload = 1 << 30

// payloadReader computes digests of payloads, one after the other.
type payloadReader struct {
	decode bool // also without content coding
	sha1   hash.Hash
	sha256 hash.Hash
	size   int64
	plain  hash.Hash // of the decoded bytes
	buf    []byte

	sums  *payloadSums // of the record at hand, nil if it has no payload that can be read
	whole bool         // the record says so
}

func newPayloadReader(decode bool) *payloadReader {
	return &payloadReader{decode: decode, sha1: sha1.New(), sha256: sha256.New(), plain: sha256.New(), buf: make([]byte, 32<<10)}
}

// Write takes bytes of the payload.
func (p *payloadReader) Write(b []byte) (int, error) {
	p.sha1.Write(b)
	p.sha256.Write(b)
	p.size += int64(len(b))
	return len(b), nil
}

// ReadFrom takes the payload with few reads.
func (p *payloadReader) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		got, err := r.Read(p.buf)
		_, _ = p.Write(p.buf[:got]) // a hash does not fail
		n += int64(got)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// begin forgets the record before.
func (p *payloadReader) begin(rec *warc.Record) {
	p.sums, p.whole = &payloadSums{label: rec.Header.Get("WARC-Payload-Digest")}, rec.Header.Get("WARC-Truncated") == ""
}

// visit reads a payload. What is wrong with the chunks of a body or with its
// content coding shows in its digests; a record that cannot be read says so again
// when it is finished. Of a message that was cut within its chunks there is
// nothing to compare.
func (p *payloadReader) visit(head []byte, payload io.Reader) {
	p.sha1.Reset()
	p.sha256.Reset()
	p.size = 0
	coding := ""
	if p.decode {
		coding = contentEncoding(head)
	}
	var err error
	if coding == "" {
		_, err = io.Copy(p, payload)
	} else {
		err = p.decoded(payload, coding)
	}
	s := p.sums
	s.size = p.size
	s.sha1, s.sha256 = digestOf(warc.SHA1, p.sha1), digestOf(warc.SHA256, p.sha256)
	if p.decode && coding == "" {
		s.decoded, s.length = s.sha256, s.size
	}
	if err != nil && !p.whole {
		p.sums = nil
	}
}

// decoded reads a payload and what it decodes to.
func (p *payloadReader) decoded(payload io.Reader, coding string) error {
	payload = io.TeeReader(payload, p)
	plain, err := warc.Decode(payload, coding, maxDecodedPayload)
	if err == nil {
		p.plain.Reset()
		n, bad := io.CopyBuffer(struct{ io.Writer }{p.plain}, struct{ io.Reader }{plain}, p.buf)
		_ = plain.Close() // gives its decoders back
		if bad == nil {
			p.sums.decoded, p.sums.length = digestOf(warc.SHA256, p.plain), n
		}
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, payload, p.buf) // what the decoder left
	return err
}

func digestOf(a warc.Algorithm, h hash.Hash) warc.Digest {
	var sum [sha256.Size]byte
	return warc.Digest{Algorithm: a, Sum: string(h.Sum(sum[:0]))}
}

// contentEncoding returns the content codings of a header block, "" for none.
func contentEncoding(head []byte) string {
	const name = "content-encoding:"
	var all []string
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			all = append(all, strings.Trim(string(line[len(name):]), " \t\r\n"))
		}
	}
	codings := strings.Join(all, ",")
	if strings.EqualFold(codings, "identity") {
		return ""
	}
	return codings
}

// response reads a response record, whose line is made on the way.
func (d *warcReading) response(rec *warc.Record) (line warc.CDXJLine, ok bool, err error) {
	p := d.payload
	p.begin(rec)
	visited := false
	line, ok, err = warc.IndexPayload(rec, d.name, func(head []byte, payload io.Reader) {
		visited = true
		p.visit(head, payload)
	})
	if !visited {
		p.sums = nil // no header block that makes sense, or an address of no index
	}
	return line, ok, err
}

// payloads compares what records and manifest say of payloads with what was read.
// Of a revisit there is no payload here, and of a record that was taken out none
// any more.
func (d *warcReading) payloads(m *warc.Manifest, seen []seenMember, f AuditFinding) {
	bad := func(format string, args ...any) {
		g := f
		g.Detail = fmt.Sprintf(format, args...)
		d.find(g)
	}
	for _, s := range seen {
		if s.sums == nil || s.sums.label == "" {
			continue
		}
		if says, err := warc.ParseDigest(s.sums.label); err != nil || says != s.sums.of(says.Algorithm) {
			bad("the payload of its record %s is not of the digest in the header of the record", s.id)
		}
	}
	if p := m.Payload; p != nil {
		s := sumsOf(seen, p.Record)
		switch {
		case s == nil:
		case s.size != p.Size || !p.SHA256.IsZero() && s.sha256 != p.SHA256 || !p.SHA1.IsZero() && s.sha1 != p.SHA1:
			bad("the payload of its record %s has %d bytes and %s, the manifest says %d, %s and %s", p.Record, s.size, s.sha256, p.Size, p.SHA256, p.SHA1)
		case !s.decoded.IsZero() && !p.DecodedSHA256.IsZero() && (s.decoded != p.DecodedSHA256 || s.length != p.DecodedSize):
			bad("the payload of its record %s decodes to %d bytes and %s, the manifest says %d and %s", p.Record, s.length, s.decoded, p.DecodedSize, p.DecodedSHA256)
		}
	}
	for i := range m.Exchanges {
		x := &m.Exchanges[i]
		if x.SHA256.IsZero() {
			continue // the page's, or one without a payload
		}
		if s := sumsOf(seen, x.Response); s != nil && (s.size != x.Size || s.sha256 != x.SHA256) {
			bad("the payload of its record %s has %d bytes and %s, the manifest says %d and %s", x.Response, s.size, s.sha256, x.Size, x.SHA256)
		}
	}
}

// sumsOf returns what was read of a record's payload, nil if nothing was.
func sumsOf(seen []seenMember, record string) *payloadSums {
	id, err := parseRecordID(record)
	if err != nil {
		return nil
	}
	for i := range seen {
		if seen[i].id == id {
			return seen[i].sums
		}
	}
	return nil
}
