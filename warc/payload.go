package warc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MaxHead bounds the header block of an HTTP message in a record, in bytes.
const MaxHead = 1 << 20

// ErrNoHTTP says that a record holds no HTTP message.
var ErrNoHTTP = errors.New("record holds no HTTP message")

// isHTTP reports whether the block is an HTTP message.
func (r *Record) isHTTP() bool {
	mediaType, _, _ := strings.Cut(r.Header.Get(fieldContentType), ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "application/http")
}

// head reads the header block of the HTTP message, blank line included, and
// returns it with a reader of what follows.
func (r *Record) head() ([]byte, *bufio.Reader, error) {
	if !r.isHTTP() {
		return nil, nil, fmt.Errorf("record %s (%s): %w", r.ID(), r.Header.Get(fieldContentType), ErrNoHTTP)
	}
	head, body, err := splitHead(r.Block())
	if err != nil {
		return nil, nil, fmt.Errorf("record %s: %w", r.ID(), err)
	}
	return head, body, nil
}

// splitHead reads a header block, blank line included: CR LF, or LF alone as
// for the recorder.
func splitHead(r io.Reader) ([]byte, *bufio.Reader, error) {
	br := bufio.NewReader(r)
	var head []byte
	for start := 0; ; {
		part, err := br.ReadSlice('\n')
		head = append(head, part...)
		if len(head) > MaxHead {
			return nil, nil, fmt.Errorf("HTTP header block longer than %d bytes", MaxHead)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("HTTP header block: %w", noEOF(err))
		}
		if line := string(head[start:]); line == "\r\n" || line == "\n" {
			return head, br, nil
		}
		start = len(head)
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Payload returns the payload of the record (WARC 1.1, section 2): of an HTTP
// message the entity body, transfer coding removed and content coding kept;
// nothing for a response with status 204, 304 or 1xx; the block of every other
// record. A chunked body that ends too early gives io.ErrUnexpectedEOF after
// the bytes that are there. Like Block, it can be read once.
//
// A body that is declared chunked and is not is given as it is, unless the record
// is marked as truncated: several writers remove the chunks and keep the header.
func (r *Record) Payload() (io.Reader, error) {
	if !r.isHTTP() {
		return r.Block(), nil
	}
	head, body, err := r.head()
	if err != nil {
		return nil, err
	}
	return r.entityBody(head, body), nil
}

// entityBody returns the entity body of the HTTP message that head begins. What
// a writer calls truncated is as it came, so its chunks are looked for anyway.
func (r *Record) entityBody(head []byte, body *bufio.Reader) io.Reader {
	if status := statusOf(head); status == http.StatusNoContent || status == http.StatusNotModified || status/100 == 1 {
		return http.NoBody
	}
	if isChunked(head) && (r.Header.Get(fieldTruncated) != "" || beginsChunk(body)) {
		return &chunkedBody{src: body}
	}
	return body
}

// beginsChunk reports whether the body begins with the size of a chunk, as the
// one who cuts it sees that.
func beginsChunk(body *bufio.Reader) bool {
	var cutter ChunkCutter
	for n := 1; cutter.state == chunkSize; n++ {
		line, err := body.Peek(n)
		if err != nil {
			return true // let the chunked reader say what is missing
		}
		if cutter.step(line[n-1]) != nil {
			return false
		}
	}
	return true
}

// statusOf returns the status of a response's header block, 0 of a request's.
func statusOf(head []byte) int {
	if !bytes.HasPrefix(head, []byte("HTTP/")) {
		return 0
	}
	fields := bytes.Fields(head[:min(len(head), 64)])
	if len(fields) < 2 || len(fields[1]) != 3 {
		return 0
	}
	n := 0
	for _, c := range fields[1] {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// HTTPResponse returns the response of a response or revisit record. Its body
// is the Payload, whatever the header says about lengths and transfer codings.
func (r *Record) HTTPResponse() (*http.Response, error) {
	head, body, err := r.head()
	if err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", r.ID(), err)
	}
	resp.Body = io.NopCloser(r.entityBody(head, body))
	resp.ContentLength, resp.TransferEncoding = -1, nil
	return resp, nil
}

// HTTPRequest returns the request of a request record. Its body is the Payload.
func (r *Record) HTTPRequest() (*http.Request, error) {
	head, body, err := r.head()
	if err != nil {
		return nil, err
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", r.ID(), err)
	}
	req.Body = io.NopCloser(r.entityBody(head, body))
	req.ContentLength, req.TransferEncoding = -1, nil
	return req, nil
}

// Decoded returns the payload with its content codings removed, at most limit
// bytes of it; see Decode. The caller closes it.
func (r *Record) Decoded(limit int64) (io.ReadCloser, error) {
	if !r.isHTTP() {
		return Decode(r.Block(), "", limit)
	}
	head, body, err := r.head()
	if err != nil {
		return nil, err
	}
	return Decode(r.entityBody(head, body), headValue(head, "Content-Encoding"), limit)
}
