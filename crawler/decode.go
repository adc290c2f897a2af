package crawler

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/fineprint-archive/fineprint/warc"
)

// maxCodings is the most content codings that are undone; nobody uses two.
const maxCodings = 3

// maxZstdWindow bounds the memory of one zstd decoder. RFC 9659 allows 8 MiB in
// content codings; a little more is suffered.
const maxZstdWindow = 32 << 20

// decoders are pools of decompressors. Safe for concurrent use.
type decoders struct {
	gzip, zlib, flate, brotli, zstd, buffered sync.Pool
}

// decoder undoes the content codings of one body. close must be called.
type decoder struct {
	io.Reader
	release []func()
}

// close gives the parts back to their pools.
func (d *decoder) close() {
	for _, f := range d.release {
		f()
	}
	d.release, d.Reader = nil, failedReader{errClosed}
}

// contentCodings lists the codings of Content-Encoding in the order they were
// applied (RFC 9110, section 8.4), lower case, identity left out.
func contentCodings(h http.Header) []string {
	var all []string
	for _, v := range h["Content-Encoding"] {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.ToLower(strings.Trim(part, " \t"))
			if part != "" && part != "identity" {
				all = append(all, part)
			}
		}
	}
	return all
}

// open returns a reader that undoes codings over src.
func (p *decoders) open(codings []string, src io.Reader) (*decoder, error) {
	d := &decoder{Reader: src}
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("%d content codings upon each other", len(codings))
	}
	for i := len(codings) - 1; i >= 0; i-- {
		if err := p.stack(d, codings[i]); err != nil {
			d.close()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("content coding %.40q: %w", codings[i], err)
		}
	}
	return d, nil
}

// stack puts the decompressor of one coding upon d.
func (p *decoders) stack(d *decoder, coding string) error {
	src := p.byteReader(d)
	switch coding {
	case "gzip", "x-gzip":
		z, ok := p.gzip.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		d.release = append(d.release, func() { p.gzip.Put(z) })
		if err := z.Reset(src); err != nil {
			return err
		}
		z.Multistream(false)
		d.Reader = &gzipMembers{z: z, src: src}
	case "deflate":
		return p.deflate(d, src)
	case "br":
		b, ok := p.brotli.Get().(*brotli.Reader)
		if !ok {
			b = brotli.NewReader(nil)
		}
		if err := b.Reset(src); err != nil {
			return err
		}
		e := &ended{Reader: b}
		d.release = append(d.release, func() {
			if e.eof { // Reset keeps input that was not consumed
				p.brotli.Put(b)
			}
		})
		d.Reader = e
	case "zstd":
		z, ok := p.zstd.Get().(*zstd.Decoder)
		if !ok {
			var err error
			// One thread: no goroutines, and no memory beyond the window.
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
			if err != nil {
				return err
			}
		}
		d.release = append(d.release, func() {
			// Reset only forgets the source; it can't fail for nil.
			_ = z.Reset(nil)
			p.zstd.Put(z)
		})
		if err := z.Reset(src); err != nil {
			return err
		}
		d.Reader = z
	default:
		return errors.New("not known")
	}
	return nil
}

// ended notes whether a reader was read to its end.
type ended struct {
	io.Reader
	eof bool
}

// Read implements io.Reader.
func (e *ended) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	e.eof = err == io.EOF
	return n, err
}

// byteSource is what decompressors read from without reading ahead.
type byteSource interface {
	io.Reader
	io.ByteReader
}

// byteReader returns d's present reader with ReadByte.
func (p *decoders) byteReader(d *decoder) byteSource {
	if b, ok := d.Reader.(byteSource); ok {
		return b
	}
	b, ok := p.buffered.Get().(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(nil, 32<<10)
	}
	b.Reset(d.Reader)
	d.release = append(d.release, func() {
		b.Reset(nil)
		p.buffered.Put(b)
	})
	return b
}

// deflate handles the coding that is zlib by the book (RFC 9110, section
// 8.4.1.2) and bare deflate from some servers.
func (p *decoders) deflate(d *decoder, src byteSource) error {
	first, err := src.ReadByte()
	if err != nil {
		return err
	}
	second, err := src.ReadByte()
	if err != nil {
		return err
	}
	whole := &unread{two: [2]byte{first, second}, src: src}
	isZlib := first&0x0f == 8 && (int(first)<<8|int(second))%31 == 0
	pool := &p.flate
	if isZlib {
		pool = &p.zlib
	}
	z, ok := pool.Get().(io.ReadCloser)
	switch {
	case ok && isZlib:
		err = z.(zlib.Resetter).Reset(whole, nil)
	case ok:
		err = z.(flate.Resetter).Reset(whole, nil)
	case isZlib:
		z, err = zlib.NewReader(whole)
	default:
		z = flate.NewReader(whole)
	}
	if z != nil {
		d.release = append(d.release, func() { pool.Put(z) })
	}
	d.Reader = z
	return err
}

// unread puts two bytes back in front of a source.
type unread struct {
	two [2]byte
	n   int // of two, given out again
	src byteSource
}

// ReadByte implements io.ByteReader.
func (u *unread) ReadByte() (byte, error) {
	if u.n < len(u.two) {
		u.n++
		return u.two[u.n-1], nil
	}
	return u.src.ReadByte()
}

// Read implements io.Reader.
func (u *unread) Read(b []byte) (int, error) {
	if u.n < len(u.two) {
		n := copy(b, u.two[u.n:])
		u.n += n
		return n, nil
	}
	return u.src.Read(b)
}

// gzipMembers reads gzip members one after another and, like browsers, ignores
// what follows the last one.
type gzipMembers struct {
	z   *gzip.Reader
	src byteSource
}

// Read implements io.Reader.
func (g *gzipMembers) Read(b []byte) (int, error) {
	for {
		n, err := g.z.Read(b)
		if n > 0 || err != io.EOF {
			if err == io.EOF {
				err = nil // found again by the next Read
			}
			return n, err
		}
		if g.z.Reset(g.src) != nil {
			return 0, io.EOF
		}
		g.z.Multistream(false)
	}
}

// keepDecoded is the most of a decoded body that is kept for Response.
const keepDecoded = 1 << 20

// decode does the work of Recorded.Decode. It keeps the decoded body if it is
// small, so that Response need not decode it again.
func (w *Wire) decode(ctx context.Context, r *Recorded) {
	codings := contentCodings(r.Header)
	if len(codings) == 0 || r.PayloadSize == 0 {
		r.DecodedSize, r.DecodedSHA256 = r.PayloadSize, r.PayloadSHA256
		return
	}
	d, err := w.decoders.open(codings, r.Payload())
	if err != nil {
		r.undecoded(err)
		return
	}
	defer d.close()
	sum := w.hashes.sha256()
	defer w.hashes.putSHA256(sum)
	guess := int(min(4*r.PayloadSize, keepDecoded))
	if w.cfg.DropDecoded {
		guess = 0
	}
	n, kept, err := w.digestDecoded(ctx, d, sum, guess)
	if err != nil {
		r.undecoded(fmt.Errorf("content coding %.40q: %w", strings.Join(codings, ", "), err))
		return
	}
	r.DecodedSize, r.DecodedSHA256, r.decoded = n, sumDigest(warc.SHA256, sum), kept
}

// undecoded notes why the body was not decoded, unless there is an error to note.
func (r *Recorded) undecoded(err error) {
	if r.Err == nil {
		r.Detail = "not decoded: " + err.Error()
	}
}

// digestDecoded hashes what d holds. It returns its size and, if it is at most
// keepDecoded bytes, the bytes.
func (w *Wire) digestDecoded(ctx context.Context, d io.Reader, sum hash.Hash, guess int) (n int64, kept *buffer, err error) {
	b := w.buffers.get(guess)
	whole := true // b holds everything read so far
	for {
		if len(b.b) == cap(b.b) && w.cfg.DropDecoded {
			whole, b.b = false, b.b[:0]
		}
		if len(b.b) == cap(b.b) {
			if g := w.buffers.grow(b, len(b.b)+1); whole && g != b {
				b = g
			} else {
				whole = false
				b.b = b.b[:0]
			}
		}
		m, rerr := d.Read(b.b[len(b.b):cap(b.b)])
		sum.Write(b.b[len(b.b) : len(b.b)+m])
		b.b = b.b[:len(b.b)+m]
		n += int64(m)
		switch {
		case rerr == io.EOF && whole:
			return n, b, nil
		case rerr == nil && n > w.cfg.MaxDecoded:
			rerr = fmt.Errorf("more than the allowed %d bytes", w.cfg.MaxDecoded)
		case rerr == nil:
			rerr = ctx.Err()
		}
		if rerr != nil {
			w.buffers.put(b)
			if rerr == io.EOF {
				rerr = nil
			}
			return n, nil, rerr
		}
	}
}

// pageBody is the body of Recorded.Response.
type pageBody struct {
	r     *Recorded
	limit int64
	src   io.Reader
	d     *decoder // nil if src needs no decoder
	n     int64    // bytes given out
	err   error    // the end
}

// Read implements io.Reader.
func (p *pageBody) Read(b []byte) (int, error) {
	if p.src == nil && p.err == nil {
		p.open()
	}
	if p.err != nil {
		return 0, p.err
	}
	if len(b) == 0 {
		return 0, nil
	}
	if p.n == p.limit { // one byte more tells whether that was all
		b = b[:1]
	} else if int64(len(b)) > p.limit-p.n {
		b = b[:p.limit-p.n]
	}
	n, err := p.src.Read(b)
	if n > 0 && p.n == p.limit {
		p.end(errorf(CodeTooLarge, "decoded body is longer than %d bytes", p.limit))
		return 0, p.err
	}
	p.n += int64(n)
	if err != nil {
		p.end(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, p.err
}

// open starts reading: from the kept copy, the payload as it is, or a decoder.
func (p *pageBody) open() {
	if p.r.decoded != nil {
		p.src = bytes.NewReader(p.r.decoded.b)
		return
	}
	codings := contentCodings(p.r.Header)
	if len(codings) == 0 || p.r.PayloadSize == 0 {
		p.src = p.r.Payload()
		return
	}
	d, err := p.r.wire.decoders.open(codings, p.r.Payload())
	if err != nil {
		p.end(err)
		return
	}
	p.src, p.d = d, d
}

// end notes how reading ended: an exchange that failed says so in place of EOF
// and of the decoder's complaint about the missing rest.
func (p *pageBody) end(err error) {
	_, ours := errors.AsType[*Error](err)
	switch {
	case p.r.Err != nil && !ours:
		err = p.r.Err
	case err != io.EOF && !ours:
		err = newError(CodeProtocol, fmt.Errorf("decode the body: %w", err))
	}
	p.err = err
	p.closeDecoder()
}

func (p *pageBody) closeDecoder() {
	if p.d != nil {
		p.d.close()
		p.d = nil
	}
}

// Close gives the decoder back; the exchange stays open.
func (p *pageBody) Close() error {
	p.closeDecoder()
	if p.err == nil {
		p.err = http.ErrBodyReadAfterClose
	}
	return nil
}
