package crawler

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// bufferSizes are the classes of pooled buffers. The third is also the most of
// an exchange that is held in memory: a whole header block of the largest
// allowed size (maxHeaderLimit) fits, with room to read on. The fourth holds
// decoded pages only.
var bufferSizes = [...]int{16 << 10, 96 << 10, 320 << 10, 1 << 20}

// spoolClass is the largest class that a spool uses.
const spoolClass = 2

// buffer is a pooled slice; b has the class's capacity.
type buffer struct {
	b     []byte
	class int
}

// buffers are the pools, one per class. Safe for concurrent use.
type buffers struct {
	pools [len(bufferSizes)]sync.Pool
}

// get returns an empty buffer of at least n bytes, or of the largest class.
func (p *buffers) get(n int) *buffer {
	class := 0
	for class < len(bufferSizes)-1 && bufferSizes[class] < n {
		class++
	}
	if b, ok := p.pools[class].Get().(*buffer); ok {
		b.b = b.b[:0]
		return b
	}
	return &buffer{b: make([]byte, 0, bufferSizes[class]), class: class}
}

// put gives b back; nobody may use it afterwards.
func (p *buffers) put(b *buffer) {
	if b != nil {
		p.pools[b.class].Put(b)
	}
}

// grow returns a buffer with b's bytes and room for at least n in all (or of the
// largest class), giving b back if it was too small.
func (p *buffers) grow(b *buffer, n int) *buffer {
	if n <= cap(b.b) || b.class == len(bufferSizes)-1 {
		return b
	}
	g := p.get(n)
	g.b = append(g.b, b.b...)
	p.put(b)
	return g
}

// spool holds what was read from a connection: in one pooled buffer, and from
// its size on in a temporary file. One goroutine writes; readers may be many
// once writing has ended. The connection reads straight into the buffer, so a
// page is copied nowhere.
type spool struct {
	buffers *buffers
	dir     string  // of the temporary file
	buf     *buffer // the bytes after the file's; nil once released
	file    *os.File
	name    string // of the file, "" once it is unlinked
	flushed int64  // bytes in the file
}

func newSpool(p *buffers, dir string) *spool {
	return &spool{buffers: p, dir: dir, buf: p.get(0)}
}

// size returns the number of bytes held.
func (s *spool) size() int64 {
	if s.buf == nil {
		return s.flushed
	}
	return s.flushed + int64(len(s.buf.b))
}

// memory returns the bytes held, as long as they all are in memory: always so
// for the first bufferSizes[spoolClass] minus minRead bytes.
func (s *spool) memory() []byte {
	if s.file != nil {
		panic("crawler: spool is no longer in memory")
	}
	return s.buf.b
}

// minRead is the least room that space returns.
const minRead = 4 << 10

// space returns room to read into. What was read there is taken over by commit.
// An error means that the temporary file could not be written.
func (s *spool) space() ([]byte, error) {
	if cap(s.buf.b)-len(s.buf.b) < minRead {
		if s.buf.class < spoolClass {
			s.buf = s.buffers.grow(s.buf, bufferSizes[s.buf.class+1])
		} else if err := s.flush(); err != nil {
			return nil, err
		}
	}
	return s.buf.b[len(s.buf.b):cap(s.buf.b)], nil
}

// expect makes room for n more bytes in one step, if they fit into memory.
func (s *spool) expect(n int64) {
	total := int64(len(s.buf.b)) + n + minRead
	if s.file == nil && total <= int64(bufferSizes[spoolClass]) {
		s.buf = s.buffers.grow(s.buf, int(total))
	}
}

// commit takes over n bytes that were read into the last space, and returns
// them; they are valid until the next call of space.
func (s *spool) commit(n int) []byte {
	from := len(s.buf.b)
	s.buf.b = s.buf.b[:from+n]
	return s.buf.b[from:]
}

// flush moves the buffer's bytes to the temporary file.
func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "exchange-*")
		if err != nil {
			return fmt.Errorf("spool a response: %w", err)
		}
		s.file = f
		// The name is not needed, and without it a crash leaves nothing behind.
		// Where an open file can't be unlinked release does it.
		if os.Remove(f.Name()) != nil {
			s.name = f.Name()
		}
	}
	if _, err := s.file.Write(s.buf.b); err != nil {
		return fmt.Errorf("spool a response: %w", err)
	}
	s.flushed += int64(len(s.buf.b))
	s.buf.b = s.buf.b[:0]
	return nil
}

// seal ends writing: with a file everything is in it afterwards, and the buffer
// is given back.
func (s *spool) seal() error {
	if s.file == nil {
		return nil
	}
	err := s.flush()
	s.buffers.put(s.buf)
	s.buf = nil
	return err
}

// errClosed is what readers of a closed exchange get.
var errClosed = errors.New("exchange is closed")

// failedReader returns its error.
type failedReader struct{ err error }

func (r failedReader) Read([]byte) (int, error) { return 0, r.err }

// reader returns a reader over size bytes from off on: a *bytes.Reader if they
// are in memory.
func (s *spool) reader(off, size int64) io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, off, size)
	}
	if s.buf == nil {
		return failedReader{errClosed}
	}
	return bytes.NewReader(s.buf.b[off : off+size])
}

// release frees everything. It may be called twice.
func (s *spool) release() {
	if s.buf != nil {
		s.buffers.put(s.buf)
		s.buf = nil
	}
	if s.file != nil {
		// Best effort: a temporary file that nobody will read again.
		_ = s.file.Close()
		if s.name != "" {
			_ = os.Remove(s.name)
		}
	}
}
