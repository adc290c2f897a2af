package warc

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
)

// exchangeTypes are the types of records that belong to a look.
var exchangeTypes = []string{TypeRequest, TypeResponse, TypeRevisit, TypeMetadata}

// manifestBlock reads the block of a manifest.
func (v *validator) manifestBlock(rec *Record, report reporter) (*Manifest, error) {
	block, err := rec.ReadBlock(MaxManifest)
	if err != nil {
		if rec.stream.err != nil {
			return nil, rec.stream.err
		}
		report(SeverityError, "manifest", "%v", err)
		return nil, nil
	}
	sums := newSums()
	defer sums.free()
	sums.Write(block)
	v.compare(sums, fieldBlock, rec.Header.Get(fieldBlock), report)
	m, err := ParseManifest(bytes.Clone(block))
	if err != nil {
		report(SeverityError, "manifest", "%v", err)
		return nil, nil
	}
	return m, nil
}

// look files a record under its look, or checks the manifest that ends it.
func (v *validator) look(rec *Record, manifest *Manifest, report reporter) {
	id := rec.Manifest()
	if id == "" {
		if manifest != nil {
			report(SeverityError, "manifest", "the record id is not that of a manifest")
		}
		if v.stray == nil && slices.Contains(exchangeTypes, rec.Type()) {
			v.stray = &Finding{rec.Offset, rec.ID(), SeverityError, "member", "the record belongs to no look, and others of the file do"}
		}
		return
	}
	l := v.looks[id]
	if l == nil {
		l = &seenLook{first: Finding{Offset: rec.Offset, RecordID: rec.ID()}}
		v.looks[id] = l
	}
	source, n, named := rec.Look()
	if named {
		l.source, l.n, l.named = source, n, true
	}
	if l.done {
		report(SeverityError, "order", "the record stands behind the manifest of its look")
		return
	}
	if rec.Header.Get(fieldContentType) != MediaManifest {
		l.records = append(l.records, rec.ID())
		return
	}
	l.done = true
	if manifest == nil {
		return
	}
	v.report.Looks++
	if l.named && (l.source != manifest.Source || l.n != manifest.N) {
		report(SeverityError, "manifest", "%s says %s %d, the manifest %s %d", FieldLook, l.source, l.n, manifest.Source, manifest.N)
	}
	v.members(l, manifest, report)
	v.payloads(manifest, report)
	l.records = nil
}

// members compares the records that a manifest lists with those of the file.
func (v *validator) members(l *seenLook, m *Manifest, report reporter) {
	listed := make([]string, 0, len(m.Members))
	for _, member := range m.Members {
		listed = append(listed, member.Record)
		s := v.seen[member.Record]
		switch {
		case s == nil:
			report(SeverityError, "member", "member %s is not in front of the manifest", member.Record)
		case s.typ != member.Type:
			report(SeverityError, "member", "member %s is a %s record, the manifest says %s", member.Record, s.typ, member.Type)
		case s.placed.SHA256 != member.SHA256:
			report(SeverityError, "member", "member %s has %s, the manifest says %s", member.Record, s.placed.SHA256, member.SHA256)
		case s.placed.Offset != member.Offset || s.placed.Length != member.Length:
			v.position(s.placed, member, report)
		}
	}
	slices.Sort(listed)
	for i := 1; i < len(listed); i++ {
		if listed[i] == listed[i-1] {
			report(SeverityError, "member", "member %s is listed twice", listed[i])
		}
	}
	for _, id := range l.records {
		if _, ok := slices.BinarySearch(listed, id); !ok {
			report(SeverityError, "member", "record %s of the look is not listed", id)
		}
	}
}

// position reports a member that lies elsewhere than its manifest says.
func (v *validator) position(found Placed, m Member, report reporter) {
	if !v.opt.Extract {
		report(SeverityError, "position", "member %s lies at %d+%d, the manifest says %d+%d", m.Record, found.Offset, found.Length, m.Offset, m.Length)
		return
	}
	if !v.moved {
		report(SeverityNote, "position", "records were copied here from other files: this one from %d+%d", m.Offset, m.Length)
	}
	v.moved = true
}

// payloads compares what a manifest says of bodies with those of the file.
func (v *validator) payloads(m *Manifest, report reporter) {
	check := func(id string, size int64, sums ...Digest) {
		s := v.seen[id]
		if s == nil || s.typ != TypeResponse || !s.body.known {
			return
		}
		if s.body.size != size {
			report(SeverityError, "payload", "payload of %s has %d bytes, the manifest says %d", id, s.body.size, size)
		}
		for _, d := range sums {
			if found := s.body.of(d.Algorithm); !d.IsZero() && found != d {
				report(SeverityError, "payload", "payload of %s has %s, the manifest says %s", id, found, d)
			}
		}
	}
	if p := m.Payload; p != nil {
		check(p.Record, p.Size, p.SHA256, p.SHA1)
		if v.seen[p.Record] == nil {
			report(SeverityError, "payload", "the payload's record %s is not in front of the manifest", p.Record)
		}
	}
	for _, e := range m.Exchanges {
		if e.Response != "" && !e.SHA256.IsZero() {
			check(e.Response, e.Size, e.SHA256)
		}
	}
}

// sums counts bytes and computes both digests of them.
type sums struct {
	sha1   hash.Hash
	sha256 *hasher
	size   int64
}

func newSums() *sums { return &sums{sha1: sha1.New(), sha256: sha256Pool.get()} }

func (s *sums) free() { sha256Pool.put(s.sha256) }

func (s *sums) Write(p []byte) (int, error) {
	s.sha1.Write(p)
	s.sha256.Write(p)
	s.size += int64(len(p))
	return len(p), nil
}

func (s *sums) facts() payloadFacts {
	return payloadFacts{true, s.size, s.of(SHA1), s.of(SHA256)}
}

// of returns the digest of this algorithm.
func (s *sums) of(a Algorithm) Digest {
	switch a {
	case SHA1:
		var b [sha1.Size]byte
		return Digest{SHA1, string(s.sha1.Sum(b[:0]))}
	case SHA256:
		var b [sha256.Size]byte
		return Digest{SHA256, string(s.sha256.Sum(b[:0]))}
	}
	return Digest{}
}

func (p payloadFacts) of(a Algorithm) Digest {
	if a == SHA1 {
		return p.sha1
	}
	return p.sha256
}

// matches reports whether the labelled digest is that of the bytes.
func (s *sums) matches(label string) bool {
	d, err := ParseDigest(label)
	return err == nil && !d.IsZero() && s.of(d.Algorithm) == d
}

// compare reports a labelled digest that is not that of the bytes.
func (v *validator) compare(s *sums, field, label string, report reporter) {
	if label == "" {
		return
	}
	d, err := ParseDigest(label)
	if err != nil {
		report(SeverityNote, "digest", "%s can't be checked: %v", field, err)
		return
	}
	v.report.Digests++
	if found := s.of(d.Algorithm); found != d {
		report(SeverityError, "digest", "%s says %s, the bytes have %s", field, label, fmt.Sprint(found))
	}
}
