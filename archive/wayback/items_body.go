package wayback

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// errChanged marks a body that is not what was announced.
var errChanged = errors.New("the bytes are not those that were announced")

// itemBody streams a file into a PUT. It is opened at the first read, so that a
// redirect before the body costs no reading, and holds the end of the file back
// until the MD5 of all of it was compared: what is damaged does not become an
// object.
type itemBody struct {
	ctx   context.Context // of this request alone
	file  *ItemFile
	hash  hash.Hash
	moved func()
	n     atomic.Int64 // bytes handed out

	mu   sync.Mutex // the transport closes while it reads
	r    io.ReadCloser
	err  error // the first one of our own
	over bool
}

// Read hands out what the file has, and checks it before its last byte.
func (b *itemBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.over:
		return 0, errors.New("read of a closed body")
	case b.ctx.Err() != nil:
		return 0, b.ctx.Err() // the transport may read on for a while: a stopped PUT is not completed
	case b.n.Load() == b.file.Size:
		return 0, io.EOF
	}
	if b.r == nil {
		r, err := b.file.Open(b.ctx)
		if err != nil {
			b.err = err
			return 0, err
		}
		b.r = r
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.file.Size-b.n.Load())])
	b.hash.Write(p[:n])
	last := b.n.Load()+int64(n) == b.file.Size
	switch {
	case last:
		b.err = b.compare()
	case err == io.EOF:
		b.err = fmt.Errorf("%w: %d of %d", errChanged, b.n.Load()+int64(n), b.file.Size)
	case err != nil:
		b.err = err
	}
	if b.err != nil {
		return 0, b.err
	}
	b.n.Add(int64(n))
	b.moved()
	if b.file.Progress != nil {
		b.file.Progress(b.n.Load())
	}
	return n, nil
}

// compare is for a body that was read whole.
func (b *itemBody) compare() error {
	if got := hex.EncodeToString(b.hash.Sum(nil)); got != b.file.MD5 {
		return fmt.Errorf("%w: MD5 %s, want %s", errChanged, got, b.file.MD5)
	}
	return nil
}

// Close closes the file. The transport calls it when it is done with the body.
func (b *itemBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.r == nil {
		return nil
	}
	r := b.r
	b.r = nil
	return r.Close()
}

// failure is what went wrong on our side, nil if nothing did.
func (b *itemBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
