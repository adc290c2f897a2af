package evidence

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// agreement says in words what a receipt's facts come to, the worst first, and
// whether the observer saw what we saw. Only a replay that is not what its index
// says, and another text, are disagreement: bytes differ from one visitor to the
// next on many pages.
func agreement(f *warc.Facts, grade string) (words string, agrees bool) {
	switch {
	case f.Replay == warc.FactDifferent:
		return "ALTERED: what it replays is not what its index says", false
	case f.Index == warc.FactAbsent && f.Replay == warc.FactAbsent:
		return "ABSENT: the capture is neither in its index nor replayed", false
	case f.Replay == warc.FactAbsent:
		return "ABSENT: the capture is not replayed", false
	case f.Text == warc.FactDifferent:
		return "DIFFERENT TEXT: it was shown other words than we were", false
	case f.Index == warc.FactSame:
		return "THE SAME BYTES as ours", true
	case f.Content == warc.FactSame:
		return "THE SAME CONTENT as ours, encoded otherwise", true
	case f.Text == warc.FactSame:
		return "THE SAME TEXT as ours, in other bytes", true
	case f.Text == warc.FactVariant:
		return "ANOTHER TEXT, which we saw at other looks ourselves", false
	case f.Index == warc.FactAbsent:
		return "ABSENT from its index", false
	case grade != "" && grade != "terms":
		return "OTHER BYTES, and no terms: it was shown a page graded " + grade, false
	}
	return "OTHER BYTES; the texts were not compared", false
}

// factWords lists the facts that there are, "index same, replay same".
func factWords(f *warc.Facts) string {
	var all []string
	for _, fact := range []struct {
		name string
		fact warc.Fact
	}{{"index", f.Index}, {"replay", f.Replay}, {"content", f.Content}, {"text", f.Text}} {
		if fact.fact != "" {
			all = append(all, fact.name+" "+string(fact.fact))
		}
	}
	return strings.Join(all, ", ")
}

// maxDecodedBody bounds what is decoded of one body, in bytes.
const maxDecodedBody = 1 << 30

// errNoBody says that a body is not where it is looked for.
var errNoBody = errors.New("the body is not in this bundle")

// bodyOf computes the digests of the page that a manifest tells of, from the
// record in c that holds it in full. errNoBody: there is none. Other errors say
// what contradicts the manifest.
func bodyOf(r io.ReaderAt, c *contents, m *warc.Manifest) (warc.Body, error) {
	if m.Payload == nil {
		return warc.Body{}, errNoBody
	}
	at := c.byID[m.Payload.Record]
	if at.typ == warc.TypeRevisit && m.SameAs != nil {
		at = c.byID[m.SameAs.Record]
	}
	if at.typ != warc.TypeResponse {
		return warc.Body{}, errNoBody
	}
	var b warc.Body
	var err error
	open := func() (*warc.Record, error) { return warc.ReadRecordAt(r, at.offset, at.length) }
	if b.SHA1, b.SHA256, err = bodySums(open, func(rec *warc.Record) (io.Reader, error) { return rec.Payload() }); err != nil {
		return warc.Body{}, fmt.Errorf("record %s: %w", at.record, err)
	}
	if b.SHA256 != m.Payload.SHA256 || !m.Payload.SHA1.IsZero() && b.SHA1 != m.Payload.SHA1 {
		return warc.Body{}, fmt.Errorf("the payload of record %s has %s, the manifest says %s", at.record, b.SHA256, m.Payload.SHA256)
	}
	plain1, plain256, err := bodySums(open, func(rec *warc.Record) (io.Reader, error) { return rec.Decoded(maxDecodedBody) })
	if err == nil { // else its content coding is one that nobody can undo: nothing to compare
		b.DecodedSHA1, b.DecodedSHA256 = plain1, plain256
	}
	if d := m.Payload.DecodedSHA256; err == nil && !d.IsZero() && d != plain256 {
		return warc.Body{}, fmt.Errorf("the payload of record %s decodes to %s, the manifest says %s", at.record, plain256, d)
	}
	return b, nil
}

// bodySums reads one form of a record's body.
func bodySums(open func() (*warc.Record, error), body func(*warc.Record) (io.Reader, error)) (_, _ warc.Digest, err error) {
	rec, err := open()
	if err != nil {
		return warc.Digest{}, warc.Digest{}, err
	}
	r, err := body(rec)
	if err != nil {
		return warc.Digest{}, warc.Digest{}, err
	}
	if c, ok := r.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	one, two := sha1.New(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(one, two), r); err != nil {
		return warc.Digest{}, warc.Digest{}, err
	}
	return digest(warc.SHA1, one), digest(warc.SHA256, two), nil
}

func digest(a warc.Algorithm, h hash.Hash) warc.Digest {
	return warc.Digest{Algorithm: a, Sum: string(h.Sum(nil))}
}
