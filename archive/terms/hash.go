package terms

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
)

// Name names a text with everything that the fingerprints are over.
func (p Fingerprints) Name() string {
	h := sha256.Sum256([]byte(p.Words + p.Links + p.Form))
	return hex.EncodeToString(h[:16])
}

// hash adds the block to the three fingerprints.
func (b *Block) hash(words, links, form hash.Hash) {
	io.WriteString(words, b.Text)
	words.Write([]byte{' '})
	number(form, b.Level, len(b.Text), len(b.Marks))
	text(form, string(b.Kind))
	text(form, b.Marker)
	for _, m := range b.Marks {
		if m.Kind == Link {
			text(links, m.URL)
		}
		number(form, m.Start, m.End)
		text(form, string(m.Kind))
	}
}

// number adds numbers in eight bytes each.
func number(h hash.Hash, all ...int) {
	var b [8]byte
	for _, n := range all {
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
}

// text adds a string with its length before it.
func text(h hash.Hash, s string) {
	number(h, len(s))
	io.WriteString(h, s)
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
