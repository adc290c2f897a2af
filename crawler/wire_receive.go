package crawler

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// receiver reads the response of one exchange into its Recorded.
type receiver struct {
	w      *Wire
	r      *Recorded
	src    io.Reader
	method string
	first  func() // called after the first bytes

	head   head
	eof    bool // src has ended
	short  bool // something came, but not the whole response
	err    error
	chunks warc.ChunkCutter
	left   int64     // of a body with framingLength
	sum256 hash.Hash // of the payload
	sum1   hash.Hash
}

// read reads once. It returns the new bytes, valid until the next read; err
// stands beside them only if there are none.
func (c *receiver) read() ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	room, err := c.r.spool.space()
	if err != nil {
		return nil, newError(CodeStorage, err)
	}
	n, err := c.src.Read(room)
	for tries := 0; n == 0 && err == nil && tries < 100; tries++ {
		n, err = c.src.Read(room)
	}
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	c.err = err
	c.eof = c.eof || err == io.EOF
	if n == 0 {
		return nil, err
	}
	if c.first != nil {
		c.first()
		c.first = nil
	}
	return c.r.spool.commit(n), nil
}

// receive reads the final response. What came is in c.r whatever it returns.
func (c *receiver) receive() error {
	end, err := c.readHead()
	if err != nil {
		mem := c.r.spool.memory()[c.r.start:]
		if len(mem) > 0 {
			c.r.Fragment = append([]byte(nil), mem[:min(len(mem), maxSurplus)]...)
			c.short = true
		}
		return err
	}
	r := c.r
	r.Head = int64(end) - r.start
	r.Status, r.Proto, r.Reason, r.Header = c.head.status, c.head.proto, c.head.reason, c.head.header
	r.MIME = mediaType(r.Header)
	r.framing = c.head.framing
	err = c.readBody(end)
	if err == nil && c.head.problem != nil {
		err = newError(CodeProtocol, c.head.problem)
	}
	if err == nil && r.Status == http.StatusSwitchingProtocols {
		err = errorf(CodeProtocol, "the server switched protocols unasked")
	}
	return err
}

// readHead reads until the header block of the final response is whole, and
// returns the spool's index after it. 1xx header blocks before it go to Interim.
func (c *receiver) readHead() (end int, err error) {
	r := c.r
	scanned := 0
	for {
		mem := r.spool.memory()
		for {
			start := int(r.start)
			end = headEnd(mem, start, scanned)
			if end == 0 || end > c.w.cfg.MaxHeader {
				break
			}
			c.head, err = parseHead(mem[start:end], c.method)
			if err != nil {
				return 0, newError(CodeProtocol, err)
			}
			if c.head.status >= 200 || c.head.status == http.StatusSwitchingProtocols {
				return end, nil
			}
			r.Interim = append(r.Interim, mem[start:end]...)
			r.start, scanned = int64(end), end
		}
		if !plausible(mem[r.start:]) {
			return 0, newError(CodeProtocol, errStatusLine)
		}
		if len(mem) >= c.w.cfg.MaxHeader {
			return 0, errorf(CodeTooLarge, "header block is longer than the allowed %d bytes", c.w.cfg.MaxHeader)
		}
		scanned = len(mem)
		if _, err := c.read(); err != nil {
			return 0, connectionEnd(err, headPlace(len(mem) > 0))
		}
	}
}

// headPlace says where a connection ended that brought no whole header block.
func headPlace(some bool) string {
	if some {
		return "within the header block"
	}
	return "before any answer"
}

// readBody reads the body, whose first bytes may follow the header block, which
// ends at index end, in the spool already.
func (c *receiver) readBody(end int) error {
	r := c.r
	c.left = c.head.length
	c.sum256, c.sum1 = c.w.hashes.sha256(), c.w.hashes.sha1()
	// Read straight to the end if the server says where it is.
	rest := r.spool.memory()[end:]
	if c.head.framing == framingLength && c.left > int64(len(rest)) {
		r.spool.expect(c.left - int64(len(rest)))
		rest = r.spool.memory()[end:]
	}
	got, err := c.cut(rest)
	c.short = err != nil
	r.Exchange.Response = section{r.spool, r.start, r.Head + got}
	r.PayloadSHA256, r.PayloadSHA1 = sumDigest(warc.SHA256, c.sum256), sumDigest(warc.SHA1, c.sum1)
	c.w.hashes.putSHA256(c.sum256)
	c.w.hashes.putSHA1(c.sum1)
	c.sum256, c.sum1 = nil, nil
	if c.chunks.Finished() && c.chunks.Trailer() > 2 {
		c.readTrailer(got)
	}
	return err
}

// cut consumes rest and what follows until the body is whole. It returns the
// size of the body with its framing.
func (c *receiver) cut(rest []byte) (got int64, err error) {
	limit := c.w.cfg.MaxBody
	for {
		p := rest[:min(int64(len(rest)), limit-got)]
		n, done, err := c.feed(p)
		if err != nil {
			// All of what came is kept; where a body of this kind ends nobody can say.
			return got + int64(len(p)), newError(CodeProtocol, fmt.Errorf("chunked body: %w", err))
		}
		got += int64(n)
		if done {
			c.r.surplus(rest[n:])
			return got, nil
		}
		if len(rest) > len(p) {
			return got, errorf(CodeTooLarge, "body is longer than the allowed %d bytes", limit)
		}
		rest, err = c.read()
		if err == io.EOF && c.head.framing == framingClose {
			return got, nil
		}
		if err != nil {
			return got, connectionEnd(err, c.bodyPlace())
		}
	}
}

// bodyPlace says where a connection ended that brought no whole body.
func (c *receiver) bodyPlace() string {
	if c.head.framing == framingLength {
		return fmt.Sprintf("after %d of %d bytes of the body", c.r.PayloadSize, c.head.length)
	}
	return fmt.Sprintf("after %d bytes of the body", c.r.PayloadSize)
}

// feed consumes p, or its part up to the end of the body, and reports that end.
func (c *receiver) feed(p []byte) (n int, done bool, err error) {
	switch c.head.framing {
	case framingNone:
		return 0, true, nil
	case framingLength:
		n = int(min(c.left, int64(len(p))))
		c.payload(p[:n])
		c.left -= int64(n)
		return n, c.left == 0, nil
	case framingClose:
		c.payload(p)
		return len(p), false, nil
	}
	for n < len(p) && !c.chunks.Finished() {
		data, m, err := c.chunks.Next(p[n:])
		n += m
		c.payload(data)
		if err != nil {
			return n, false, err
		}
	}
	return n, c.chunks.Finished(), nil
}

// payload takes bytes of the entity body.
func (c *receiver) payload(p []byte) {
	if len(p) == 0 {
		return
	}
	c.r.PayloadSize += int64(len(p))
	c.sum256.Write(p) // hashes never fail
	c.sum1.Write(p)
}

// readTrailer parses the trailer fields, the last bytes of a chunked body of the
// given size.
func (c *receiver) readTrailer(size int64) {
	b := make([]byte, c.chunks.Trailer())
	src := io.NewSectionReader(spoolAt{c.r.spool}, c.r.start+c.r.Head+size-c.chunks.Trailer(), c.chunks.Trailer())
	if _, err := io.ReadFull(src, b); err != nil {
		return // best effort: the trailer is in the record in any case
	}
	if t := parseFields(string(b)); len(t) > 0 {
		c.r.Trailer = t
	}
}

// spoolAt reads a spool that is still being written, wherever its bytes are.
type spoolAt struct{ s *spool }

// ReadAt implements io.ReaderAt.
func (a spoolAt) ReadAt(p []byte, off int64) (n int, err error) {
	s := a.s
	if off < s.flushed {
		n, err = s.file.ReadAt(p[:min(int64(len(p)), s.flushed-off)], off)
		if err != nil {
			return n, err
		}
	}
	if n < len(p) {
		i := off + int64(n) - s.flushed
		if i > int64(len(s.buf.b)) {
			return n, errors.New("beyond the end of the spool")
		}
		n += copy(p[n:], s.buf.b[i:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// mediaType returns the type of Content-Type without parameters, lower case.
func mediaType(h http.Header) string {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.Trim(t, " \t"))
}
