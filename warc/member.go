package warc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Compression levels, chosen with BenchmarkLevels: small records are 1.5% larger
// with 3 than with 6 and cost a quarter less; a page of 80 KB of text is 4%
// larger with 4 than with 6 and costs half.
const (
	levelSmall = 3
	levelLarge = 4
	smallSize  = 16 << 10
)

// maxStored is the most that a stored block of deflate holds (RFC 1951, section
// 3.2.4).
const maxStored = 1<<16 - 1

// memberWriters lends memberWriter values, of about a megabyte each.
var memberWriters = sync.Pool{New: func() any {
	return &memberWriter{sum: sha256Pool.get(), front: bufio.NewWriterSize(nil, 4<<10)}
}}

// memberWriter writes a gzip member (RFC 1952). What is compressed already, a
// body with a content coding, goes into stored blocks as it is: compressing it
// again would cost time and make it larger, while record header and HTTP header
// before it still shrink to half.
type memberWriter struct {
	front *bufio.Writer // gathers the many small writes of a header

	out     io.Writer
	deflate *flate.Writer // small or large
	small   *flate.Writer // levelSmall, nil until it is needed
	large   *flate.Writer // levelLarge, likewise
	left    int64         // bytes that are still to be compressed
	storing bool          // the rest is stored
	pending []byte        // of the stored block that is being filled
	crc     uint32
	size    uint32 // modulo 2^32, as the trailer has it
	sum     *hasher
}

func (z *memberWriter) begin(w io.Writer, r *Record) error {
	z.out, z.crc, z.size, z.pending = w, 0, 0, z.pending[:0]
	z.storing = false
	z.left = headerSize(r.Header) + r.Size() - r.stored
	if r.stored == 0 {
		z.left += int64(len(recordEnd))
	}
	z.sum.Reset()
	z.front.Reset(z)
	if z.left <= smallSize {
		z.deflate = resetDeflate(&z.small, levelSmall, w)
	} else {
		z.deflate = resetDeflate(&z.large, levelLarge, w)
	}
	// Deflate, no flags, no time, no extra flags, operating system unknown.
	_, err := w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	return err
}

func resetDeflate(z **flate.Writer, level int, w io.Writer) *flate.Writer {
	if *z != nil {
		(*z).Reset(w)
		return *z
	}
	var err error
	if *z, err = flate.NewWriter(w, level); err != nil {
		panic(fmt.Sprintf("warc: deflate level %d: %v", level, err)) // a constant of this file
	}
	return *z
}

// Write takes bytes of the record.
func (z *memberWriter) Write(p []byte) (int, error) {
	n := len(p)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	z.size += uint32(n)
	z.sum.Write(p) // a hash never fails
	if z.left > 0 {
		part := p[:min(z.left, int64(n))]
		if _, err := z.deflate.Write(part); err != nil {
			return 0, err
		}
		z.left -= int64(len(part))
		p = p[len(part):]
	}
	if len(p) == 0 {
		return n, nil
	}
	if !z.storing {
		z.storing = true
		if err := z.deflate.Flush(); err != nil { // ends on a whole byte
			return 0, err
		}
	}
	return n, z.store(p)
}

// store fills stored blocks, all but the last to their full size, so that the
// member does not depend on how the bytes arrive.
func (z *memberWriter) store(p []byte) error {
	for len(p) > 0 {
		if len(z.pending) == maxStored {
			if err := z.storeBlock(0); err != nil {
				return err
			}
		}
		n := min(len(p), maxStored-len(z.pending))
		z.pending = append(z.pending, p[:n]...)
		p = p[n:]
	}
	return nil
}

// storeBlock writes the pending bytes; final is 1 for the last block.
func (z *memberWriter) storeBlock(final byte) error {
	var head [5]byte
	head[0] = final
	binary.LittleEndian.PutUint16(head[1:], uint16(len(z.pending)))
	binary.LittleEndian.PutUint16(head[3:], ^uint16(len(z.pending)))
	if _, err := z.out.Write(head[:]); err != nil {
		return err
	}
	_, err := z.out.Write(z.pending)
	z.pending = z.pending[:0]
	return err
}

// close ends the member. The writer that it went to is not closed.
func (z *memberWriter) close() (err error) {
	if err := z.front.Flush(); err != nil {
		return err
	}
	if z.storing {
		err = z.storeBlock(1)
	} else {
		err = z.deflate.Close()
	}
	if err != nil {
		return err
	}
	var trailer [8]byte
	binary.LittleEndian.PutUint32(trailer[:4], z.crc)
	binary.LittleEndian.PutUint32(trailer[4:], z.size)
	_, err = z.out.Write(trailer[:])
	return err
}
