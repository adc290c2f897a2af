package evidence

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// Place says where the manifest record of a look lies: Offset and Length are
// those of its gzip member in the object WARC, in bytes.
type Place struct {
	WARC           string // key of the object
	Offset, Length int64
}

// FromManifest returns the entry of a look. It depends on nothing but the
// manifest, the id and the SHA-256 of the manifest record's decompressed gzip
// member, and its place, so that an entry can be made again from the WARC alone
// (of a private source, with the salt: see Private).
//
// The error says what in the manifest cannot stand in an entry; a manifest that
// crawler wrote gives none.
func FromManifest(m *warc.Manifest, id string, sha256 warc.Digest, at Place) (Entry, error) {
	e := fromManifest(m, id, sha256, at)
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("look %d at %s: %w", m.N, m.Source, err)
	}
	return e, nil
}

// AppendLeaf appends the leaf of a look to b: what FromManifest and Encode give
// together, with one check of the entry.
func AppendLeaf(b []byte, m *warc.Manifest, id string, sha256 warc.Digest, at Place) ([]byte, error) {
	e := fromManifest(m, id, sha256, at)
	b, err := e.appendTo(b)
	if err != nil {
		return nil, fmt.Errorf("look %d at %s: %w", m.N, m.Source, err)
	}
	return b, nil
}

// fromManifest is FromManifest without the check.
func fromManifest(m *warc.Manifest, id string, sha256 warc.Digest, at Place) Entry {
	e := Entry{
		Type:              TypeLook,
		Version:           EntryVersion,
		Source:            m.Source,
		URL:               m.URL,
		FinalURL:          RedactFinal(m.URL, m.FinalURL),
		Time:              m.Time.UTC(),
		N:                 m.N,
		Prev:              m.Prev,
		Result:            m.Result,
		Error:             m.Error,
		Status:            m.Status,
		Bytes:             m.Bytes,
		Manifest:          &Record{id, sha256},
		WARC:              at.WARC,
		Offset:            at.Offset,
		Length:            at.Length,
		DeclarationSHA256: m.Declaration,
		Vantage:           m.Vantage,
		Tool:              m.Tool,
	}
	if m.SameAs != nil {
		e.SameAs = &Reference{m.SameAs.Record, m.SameAs.WARC}
	}
	if m.Payload != nil {
		e.PayloadSHA256, e.PayloadSHA1 = m.Payload.SHA256, m.Payload.SHA1
	}
	if t := m.TLS; t != nil {
		if tls := (TLS{Anchor: t.Anchor, Chain: t.Chain, Handshake: t.Proof}); tls != (TLS{}) {
			e.TLS = &tls
		}
	}
	return e
}

// maxFinal bounds a final address in an entry, in bytes.
const maxFinal = 2048

// redacted stands for a final address of which nothing can be said in public.
const redacted = "redacted:"

// RedactFinal returns the final address as it stands in a public log. A server
// chooses that address and may put a token or a visitor's name into it, so, as
// plain operations on text that any language has:
//
//  1. the fragment ("#" and what follows) is cut off;
//  2. in the authority (between "://" and the next "/" or "?") everything up to
//     the last "@" is left out;
//  3. in the path, each ";" is left out with what follows it up to the next "/";
//  4. a query other than that of the declared address becomes "redacted";
//  5. if there is no "://", or more than 2,048 bytes or a control character are in
//     the result, it is "redacted:";
//  6. if the result is the declared address it is "": the field is absent.
//
// The whole address stands in the manifest, which the entry commits to.
func RedactFinal(declared, final string) string {
	if final == "" || final == declared {
		return ""
	}
	final, _, _ = strings.Cut(final, "#")
	scheme, rest, ok := strings.Cut(final, "://")
	if !ok {
		return redacted
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, path, hasPath := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	out := scheme + "://" + host
	if hasPath {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		out += "/" + strings.Join(segments, "/")
	}
	if hasQuery {
		declared, _, _ := strings.Cut(declared, "#")
		if _, own, ok := strings.Cut(declared, "?"); !ok || own != query {
			query = "redacted"
		}
		out += "?" + query
	}
	switch {
	case out == declared:
		return ""
	case len(out) > maxFinal || !publicAddress(out):
		return redacted
	}
	return out
}

// minSalt is the least length of a salt, in bytes.
const minSalt = 16

// SourceSalt derives the salt of a private source from a secret of the operator.
// It is the same for all looks at the source, so that they can be counted, and
// who learns it learns nothing of other sources. Losing the secret means that
// entries of private sources can no longer be made again from their WARCs; those
// in the log stay.
func SourceSalt(secret []byte, source string) []byte {
	return commit(secret, "fineprint private salt v1\n"+source)
}

// Private returns the entry of a private source as it stands in a public log:
// source and url are "private:" and the hexadecimal HMAC-SHA-256, under the salt,
// of "fineprint private source v1\n" and the id, or of "fineprint private url
// v1\n" and the address. What would let a stranger test a guess is left out:
// final_url, payload_sha1, payload_sha256, declaration_sha256 and tls.chain. All
// of it stands in the manifest, which the entry commits to. A salt of less than
// 16 bytes is an error.
func (e Entry) Private(salt []byte) (Entry, error) {
	if len(salt) < minSalt {
		return Entry{}, fmt.Errorf("entry of a private source: salt of %d bytes, want %d at least", len(salt), minSalt)
	}
	if isCommitment(e.Source) {
		return Entry{}, fmt.Errorf("entry of a private source: it is a commitment already")
	}
	e.Source = "private:" + hex.EncodeToString(commit(salt, "fineprint private source v1\n"+e.Source))
	if e.Type != TypeLook {
		return e, nil
	}
	e.URL = "private:" + hex.EncodeToString(commit(salt, "fineprint private url v1\n"+e.URL))
	e.FinalURL = ""
	e.PayloadSHA1, e.PayloadSHA256, e.DeclarationSHA256 = warc.Digest{}, warc.Digest{}, warc.Digest{}
	if e.TLS != nil {
		t := *e.TLS
		if t.Chain = (warc.Digest{}); t == (TLS{}) {
			e.TLS = nil
		} else {
			e.TLS = &t
		}
	}
	return e, nil
}

// IsPrivate reports whether source and address are commitments.
func (e Entry) IsPrivate() bool { return isCommitment(e.Source) }

func commit(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
