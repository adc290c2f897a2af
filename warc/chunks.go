package warc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// chunkState is where a ChunkCutter stands.
type chunkState uint8

const (
	chunkSize     chunkState = iota // in the digits of a size
	chunkExt                        // after them, up to LF
	chunkSizeLF                     // after the CR that follows the digits
	chunkData                       // in the data
	chunkDataCR                     // after the data
	chunkDataLF                     // after the CR that follows the data
	chunkTrailer                    // at the start of a trailer line
	chunkLine                       // within a trailer line
	chunkLastLF                     // after a CR at the start of a trailer line
	chunkFinished                   // after the last byte of the body
)

// The most that a chunk's line (size and extensions) and all trailer fields may have.
const (
	maxChunkLine = 16 << 10
	maxTrailer   = 64 << 10
)

// ChunkCutter finds the data in a chunked body (RFC 9112, section 7.1), fed in
// pieces of any size. Recorder and readers share it, so that they agree on the
// payload of bodies that are not quite as the rule wants them: LF alone ends a
// line, space may follow the size, extensions are passed over. The zero value
// stands before the first chunk.
type ChunkCutter struct {
	state   chunkState
	left    int64 // of the chunk's data; while in the digits the size so far
	digits  int   // seen of the size
	line    int   // bytes of the chunk line seen
	trailer int64 // bytes of trailer fields, the empty line included
}

// Finished reports whether the body is over: nothing more is consumed.
func (c *ChunkCutter) Finished() bool { return c.state == chunkFinished }

// Trailer returns the size of the trailer fields so far, in bytes, the empty
// line included.
func (c *ChunkCutter) Trailer() int64 { return c.trailer }

// Next consumes up to the end of the next piece of data in p. It returns that
// piece, a part of p which may be empty, and how many bytes of p are done with.
// On an error the last of the n bytes is the wrong one.
func (c *ChunkCutter) Next(p []byte) (data []byte, n int, err error) {
	for n < len(p) && c.state != chunkFinished {
		if c.state == chunkData {
			m := int(min(c.left, int64(len(p)-n)))
			data = p[n : n+m]
			c.left -= int64(m)
			if c.left == 0 {
				c.state = chunkDataCR
			}
			return data, n + m, nil
		}
		b := p[n]
		n++
		if err := c.step(b); err != nil {
			return nil, n, err
		}
	}
	return nil, n, nil
}

// step consumes one byte outside of data.
func (c *ChunkCutter) step(b byte) error {
	switch c.state {
	case chunkSize, chunkSizeLF, chunkExt:
		return c.sizeLine(b)
	case chunkDataCR, chunkDataLF:
		switch {
		case b == '\n':
			c.state, c.left, c.digits, c.line = chunkSize, 0, 0, 0
		case b == '\r' && c.state == chunkDataCR:
			c.state = chunkDataLF
		default:
			return errors.New("chunk is longer than its size says")
		}
		return nil
	}
	c.trailer++
	if c.trailer > maxTrailer {
		return fmt.Errorf("trailer fields longer than %d bytes", maxTrailer)
	}
	switch {
	case b == '\n' && c.state == chunkLine:
		c.state = chunkTrailer
	case b == '\n':
		c.state = chunkFinished
	case b == '\r' && c.state == chunkTrailer:
		c.state = chunkLastLF
	default:
		c.state = chunkLine
	}
	return nil
}

// sizeLine consumes one byte of a chunk's first line.
func (c *ChunkCutter) sizeLine(b byte) error {
	c.line++
	if c.line > maxChunkLine {
		return fmt.Errorf("chunk line longer than %d bytes", maxChunkLine)
	}
	if c.state == chunkSize {
		if d, ok := unhex(b); ok {
			if c.left > 1<<58 {
				return errors.New("chunk size is beyond all bounds")
			}
			c.left = c.left<<4 | int64(d)
			c.digits++
			return nil
		}
	}
	if c.digits == 0 {
		return errors.New("chunk without a size")
	}
	switch {
	case b == '\n' && c.left == 0:
		c.state = chunkTrailer
	case b == '\n':
		c.state = chunkData
	case c.state == chunkExt:
	case c.state == chunkSizeLF:
		return errors.New("chunk size is not followed by a line end")
	case b == '\r':
		c.state = chunkSizeLF
	case b == ';' || b == ' ' || b == '\t':
		c.state = chunkExt
	default:
		return errors.New("chunk size is not hexadecimal")
	}
	return nil
}

func unhex(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// chunkedBody reads the data of a chunked body. Whatever ends it but its last
// chunk is an error: io.ErrUnexpectedEOF, or what is wrong with the chunks.
type chunkedBody struct {
	src    *bufio.Reader
	data   []byte // not handed out yet, a part of the buffer of src
	cutter ChunkCutter
}

// Read implements io.Reader.
func (b *chunkedBody) Read(p []byte) (int, error) {
	for len(b.data) == 0 {
		if b.cutter.Finished() {
			return 0, io.EOF
		}
		if _, err := b.src.Peek(1); err != nil {
			return 0, noEOF(err)
		}
		window, _ := b.src.Peek(b.src.Buffered()) // no more than is there
		data, n, err := b.cutter.Next(window)
		b.src.Discard(n) // likewise; the bytes stand until src is read again
		if err != nil {
			return 0, err
		}
		b.data = data
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}
