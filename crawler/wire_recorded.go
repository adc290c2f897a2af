package crawler

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"

	"github.com/fineprint-archive/fineprint/warc"
)

// Recorded is one exchange as it crossed the connection, with what its reader
// needs beside the archived facts. It is complete when Exchange returns it. It
// is not safe for concurrent use, except that its blocks may be read by several
// goroutines. After Close none of its blocks and readers may be used.
type Recorded struct {
	warc.Exchange

	// Err is what Exchange.Error and Exchange.Detail say; nil if the exchange
	// went well, whatever its HTTP status.
	Err *Error
	// Proto, Reason, Header and Trailer are of the final response. Header is
	// nil if no header block was complete.
	Proto   string // as sent: "HTTP/1.1"
	Reason  string
	Header  http.Header
	Trailer http.Header
	// Session is the TLS session that carried the exchange, nil on plain http.
	Session *tls.ConnectionState
	// Reused says that an earlier exchange used the same connection.
	Reused bool
	// Retried holds the attempts on a stale kept-alive connection which came
	// before this one. They are closed together with it.
	Retried []*Recorded

	wire    *Wire
	req     *http.Request
	spool   *spool
	start   int64   // of the response within the spool
	framing framing // of the body
	whole   bool    // nothing of the response is missing
	decoded *buffer // the whole decoded body, nil if not kept
}

// section is a part of a spool as a block.
type section struct {
	spool *spool
	off   int64
	size  int64
}

// Size returns the number of bytes.
func (s section) Size() int64 { return s.size }

// Open returns a reader from the first byte on.
func (s section) Open() io.Reader { return s.spool.reader(s.off, s.size) }

// Payload returns a reader over the entity body: transfer coding removed,
// content coding kept. It ends after PayloadSize bytes, also if the body is not
// whole. Every call starts from the first byte.
func (r *Recorded) Payload() io.Reader {
	if r.Exchange.Response == nil || r.PayloadSize == 0 {
		return bytes.NewReader(nil)
	}
	body := r.start + r.Head
	if r.framing == framingChunked {
		return newChunkReader(r.spool, body, r.Exchange.Response.Size()-r.Head, r.PayloadSize)
	}
	return r.spool.reader(body, r.PayloadSize)
}

// Decode computes DecodedSize and DecodedSHA256 of a whole response, once. A
// body that cannot be decoded leaves them zero and says why in Detail; that is
// no error of the exchange.
func (r *Recorded) Decode(ctx context.Context) {
	if r.whole && r.DecodedSHA256.IsZero() {
		r.wire.decode(ctx, r)
	}
}

// Response returns a copy of the final response for a reader of pages: body
// without content codings, Content-Encoding and Content-Length removed,
// Uncompressed set (so that nobody decodes again). Reading the body ends with
// an error, after whatever could be read, if the exchange failed, the body
// cannot be decoded or is longer than limit bytes (code too-large). Without a
// complete header block the exchange's error is returned. The body reads from
// r and must not be used after r.Close.
func (r *Recorded) Response(limit int64) (*http.Response, error) {
	if r.Header == nil {
		if r.Err == nil {
			return nil, errorf(CodeInternal, "exchange without response and without error")
		}
		return nil, r.Err
	}
	h := r.Header.Clone()
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	h.Del("Transfer-Encoding")
	major, minor := protoVersion(r.Proto)
	resp := &http.Response{
		Status:        strconv.Itoa(r.Status) + " " + r.Reason,
		StatusCode:    r.Status,
		Proto:         r.Proto,
		ProtoMajor:    major,
		ProtoMinor:    minor,
		Header:        h,
		Trailer:       r.Trailer,
		ContentLength: -1,
		Uncompressed:  true,
		Request:       r.req,
		TLS:           r.Session,
	}
	if !r.DecodedSHA256.IsZero() && r.DecodedSize <= limit {
		resp.ContentLength = r.DecodedSize
	}
	resp.Body = &pageBody{r: r, limit: limit}
	return resp, nil
}

// Close frees the buffers and temporary files. It may be called twice.
func (r *Recorded) Close() {
	for _, e := range r.Retried {
		e.Close()
	}
	if r.spool != nil {
		r.spool.release()
	}
	if r.decoded != nil {
		r.wire.buffers.put(r.decoded)
		r.decoded = nil
	}
}

// fail notes why the exchange did not go well.
func (r *Recorded) fail(e *Error) {
	r.Err = e
	r.Error = string(e.Code)
	r.Detail = e.Detail()
}
