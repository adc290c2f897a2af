package warc

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// memoryLimit is the size of a block, in bytes, up to which its gzip member is
// made in memory.
const memoryLimit = 1 << 20

// Packed is a record as one gzip member, ready to be appended to a File.
// Large records are compressed while they are written; all others are held in
// memory until Free.
type Packed struct {
	ID   string // record id
	Type string // WARC-Type

	sha256 Digest        // of the decompressed member
	member *bytes.Buffer // nil for a large record
	record *Record       // of a large record
}

// memberBuffers lends the memory of packed records.
var memberBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Compress makes the gzip member of a record: the same bytes for the same record,
// without time or name. A record with a block of more than 1 MiB is left for
// File.Append, which compresses it straight into the file. Compress may be called
// from any number of goroutines.
func Compress(r *Record) (*Packed, error) {
	if r.content == nil {
		return nil, fmt.Errorf("compress record %s: it was read from a file", r.ID())
	}
	p := &Packed{ID: r.ID(), Type: r.Type()}
	if r.Size() > memoryLimit {
		p.record = r
		return p, nil
	}
	p.member = memberBuffers.Get().(*bytes.Buffer)
	p.member.Reset()
	var err error
	if p.sha256, err = writeMember(p.member, r); err != nil {
		p.Free()
		return nil, fmt.Errorf("compress %s record %s: %w", p.Type, p.ID, err)
	}
	return p, nil
}

// Free gives the memory back; the record can't be appended after that. Calling
// it is worth while in a loop, not an obligation.
func (p *Packed) Free() {
	if p.member != nil && p.member.Cap() <= memoryLimit {
		memberBuffers.Put(p.member)
	}
	p.member = nil
}

// writeMember writes the record as a gzip member and returns the digest of its
// decompressed bytes.
func writeMember(w io.Writer, r *Record) (Digest, error) {
	z := memberWriters.Get().(*memberWriter)
	defer memberWriters.Put(z)
	if err := z.begin(w, r); err != nil {
		return Digest{}, err
	}
	if err := marshal(z.front, r); err != nil {
		return Digest{}, err
	}
	if err := z.close(); err != nil {
		return Digest{}, err
	}
	return z.sum.digest(), nil
}
