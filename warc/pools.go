package warc

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// sha256Pool lends hashers.
var sha256Pool hasherPool

type hasherPool struct{ pool sync.Pool }

type hasher struct{ hash.Hash }

func (p *hasherPool) get() *hasher {
	if h, ok := p.pool.Get().(*hasher); ok {
		h.Reset()
		return h
	}
	return &hasher{sha256.New()}
}

func (p *hasherPool) put(h *hasher) { p.pool.Put(h) }

func (h *hasher) digest() Digest {
	var sum [sha256.Size]byte
	return Digest{SHA256, string(h.Sum(sum[:0]))}
}

// copyBuffers lends buffers for copying.
var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyBuffered is io.Copy with a pooled buffer.
func copyBuffered(w io.Writer, r io.Reader) (int64, error) {
	if wt, ok := r.(io.WriterTo); ok {
		return wt.WriteTo(w)
	}
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, r, buf[:])
}
