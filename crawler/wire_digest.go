package crawler

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/fineprint-archive/fineprint/warc"
)

// hashes are pools of hash states. Safe for concurrent use.
type hashes struct {
	pool256, pool1 sync.Pool
}

func (p *hashes) sha256() hash.Hash {
	if h, ok := p.pool256.Get().(hash.Hash); ok {
		h.Reset()
		return h
	}
	return sha256.New()
}

func (p *hashes) sha1() hash.Hash {
	if h, ok := p.pool1.Get().(hash.Hash); ok {
		h.Reset()
		return h
	}
	return sha1.New()
}

func (p *hashes) putSHA256(h hash.Hash) { p.pool256.Put(h) }
func (p *hashes) putSHA1(h hash.Hash)   { p.pool1.Put(h) }

// sumDigest returns the digest of what h has seen.
func sumDigest(a warc.Algorithm, h hash.Hash) warc.Digest {
	var room [sha256.Size]byte
	return warc.Digest{Algorithm: a, Sum: string(h.Sum(room[:0]))}
}
