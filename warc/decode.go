package warc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var (
	// ErrCoding says that a body has a content coding that Decode does not know.
	ErrCoding = errors.New("unknown content coding")
	// ErrTooLarge says that a decoded body is larger than the caller allows.
	ErrTooLarge = errors.New("decoded body is too large")
)

// maxCodings bounds a chain of content codings.
const maxCodings = 4

// zstdWindow bounds the memory of zstd: RFC 9659 allows 8 MiB in HTTP.
const zstdWindow = 8 << 20

// Decode removes the content codings of a body: gzip, deflate (zlib or raw, as
// servers send both), br, zstd, identity, chained with commas in the order in
// which they were applied (RFC 9110, section 8.4). An empty body is empty
// whatever its coding. Reading more than limit bytes gives ErrTooLarge, a
// coding that is not known gives ErrCoding at once, damaged data an error of
// the decoder. Memory is bounded by the decoders' windows (16 MiB for br, 8 MiB
// for zstd). The caller closes the reader, which returns its decoders to a pool
// and leaves body alone.
func Decode(body io.Reader, contentEncoding string, limit int64) (io.ReadCloser, error) {
	d := &decoded{r: body, left: limit}
	codings := strings.Split(strings.ToLower(contentEncoding), ",")
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("content coding %.80q: more than %d in a chain: %w", contentEncoding, maxCodings, ErrCoding)
	}
	for _, coding := range slices.Backward(codings) {
		coding = strings.TrimSpace(coding)
		if coding == "" || coding == "identity" {
			continue
		}
		pool := poolOf(coding)
		if pool == nil {
			d.Close()
			return nil, fmt.Errorf("content coding %.80q: %w", contentEncoding, ErrCoding)
		}
		stage := &stage{pool: pool, src: d.r}
		d.stages = append(d.stages, stage)
		d.r = stage
	}
	return d, nil
}

// decoded is the end of a chain of decoders.
type decoded struct {
	r      io.Reader
	stages []*stage
	left   int64
	err    error
}

func (d *decoded) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if int64(len(p)) > d.left+1 {
		p = p[:d.left+1] // one more shows whether there is more
	}
	n, err := d.r.Read(p)
	if int64(n) > d.left {
		n, err = int(d.left), ErrTooLarge
	}
	d.left -= int64(n)
	d.err = err
	return n, err
}

// Close gives the decoders back.
func (d *decoded) Close() error {
	d.err = errClosedBody
	for _, s := range d.stages {
		s.release()
	}
	d.stages = nil
	return nil
}

var errClosedBody = errors.New("read of a closed body")

// decoder is what the pools hold: a reader that can begin anew.
type decoder interface {
	io.Reader
	reset(io.Reader) error
}

// stage is one decoder of a chain; it begins with the first byte that arrives.
type stage struct {
	pool *sync.Pool
	src  io.Reader
	dec  decoder
	err  error
}

func (s *stage) Read(p []byte) (int, error) {
	if s.dec == nil && s.err == nil {
		s.err = s.begin()
	}
	if s.err != nil {
		return 0, s.err
	}
	return s.dec.Read(p)
}

func (s *stage) begin() error {
	br := bufio.NewReader(s.src)
	if _, err := br.Peek(1); err != nil {
		return err // io.EOF: an empty body
	}
	dec := s.pool.Get().(decoder)
	if err := dec.reset(br); err != nil {
		return noEOF(err)
	}
	s.dec = dec
	return nil
}

func (s *stage) release() {
	if s.dec != nil {
		s.pool.Put(s.dec)
		s.dec, s.err = nil, errClosedBody
	}
}

var (
	gzipDecoders    = &sync.Pool{New: func() any { return new(gzipDecoder) }}
	deflateDecoders = &sync.Pool{New: func() any { return new(deflateDecoder) }}
	brotliDecoders  = &sync.Pool{New: func() any { return new(brotliDecoder) }}
	zstdDecoders    = &sync.Pool{New: func() any { return new(zstdDecoder) }}
)

func poolOf(coding string) *sync.Pool {
	switch coding {
	case "gzip", "x-gzip":
		return gzipDecoders
	case "deflate":
		return deflateDecoders
	case "br":
		return brotliDecoders
	case "zstd":
		return zstdDecoders
	}
	return nil
}

type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) reset(r io.Reader) error { return d.Reset(r) }

// deflateDecoder reads zlib (RFC 9110, section 8.4.1.2) and the raw deflate
// data that some servers send under that name.
type deflateDecoder struct {
	io.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
}

func (d *deflateDecoder) reset(r io.Reader) (err error) {
	br := r.(*bufio.Reader)
	head, err := br.Peek(2)
	// RFC 1950, section 2.2: method 8, and both bytes a multiple of 31.
	if err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		if d.zlib == nil {
			d.zlib, err = zlib.NewReader(br)
		} else {
			err = d.zlib.(zlib.Resetter).Reset(br, nil)
		}
		d.Reader = d.zlib
		return err
	}
	if d.raw == nil {
		d.raw = flate.NewReader(br)
	} else if err := d.raw.(flate.Resetter).Reset(br, nil); err != nil {
		return err
	}
	d.Reader = d.raw
	return nil
}

type brotliDecoder struct{ brotli.Reader }

func (d *brotliDecoder) reset(r io.Reader) error { return d.Reset(r) }

type zstdDecoder struct{ *zstd.Decoder }

func (d *zstdDecoder) reset(r io.Reader) (err error) {
	if d.Decoder != nil {
		return d.Decoder.Reset(r)
	}
	d.Decoder, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	return err
}
