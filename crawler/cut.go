package crawler

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// This file finds the parts of a response in the bytes of a connection, by
// RFC 9112, and as leniently as browsers do wherever the framing stays certain:
// bare LF, folded lines, lines without a colon and odd octets in values are no
// reason to lose a page.

// framing says what ends a body (RFC 9112, section 6.3).
type framing uint8

const (
	framingNone    framing = iota // there is no body
	framingLength                 // Content-Length
	framingChunked                // Transfer-Encoding: chunked
	framingClose                  // the end of the connection
)

// head is a parsed header block.
type head struct {
	proto   string
	status  int
	reason  string
	header  http.Header
	framing framing
	length  int64 // of the body, with framingLength
	keep    bool  // the connection may carry another exchange
	problem error // the framing contradicts itself; nil if not
}

// headEnd returns the index after the empty line that ends the header block
// starting at b[start], or 0 if it is not there yet. Lines end with LF or CR LF
// (RFC 9112, section 2.2). Bytes before from are known not to contain the end,
// unless its first LF is one of the last two of them.
func headEnd(b []byte, start, from int) int {
	for i := max(start, from-2); i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n
		if i+1 < len(b) && b[i+1] == '\n' {
			return i + 2
		}
		if i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n' {
			return i + 3
		}
	}
	return 0
}

// plausible reports whether b may be the start of a response.
func plausible(b []byte) bool {
	const want = "HTTP/"
	n := min(len(b), len(want))
	return string(b[:n]) == want[:n]
}

// errStatusLine says that there is no HTTP response.
var errStatusLine = errors.New("the answer does not begin with an HTTP status line")

// parseHead parses a whole header block, the empty line included, as the answer
// to a request of the given method.
func parseHead(block []byte, method string) (head, error) {
	text := string(block) // all values are parts of this one copy
	line, rest := cutLine(text)
	h, err := parseStatusLine(line)
	if err != nil {
		return head{}, err
	}
	h.header = parseFields(rest)
	h.frame(method)
	return h, nil
}

// cutLine returns the first line of s without its end, and what follows.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseStatusLine parses "HTTP/1.1 200 OK" (RFC 9112, section 4). The reason and
// the space before it may be missing, as they often are.
func parseStatusLine(line string) (head, error) {
	proto, rest, ok := strings.Cut(line, " ")
	if !ok || !validProto(proto) {
		return head{}, errStatusLine
	}
	code, reason, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	status, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || status < 100 {
		return head{}, fmt.Errorf("status code %.20q is not a number of three digits", code)
	}
	return head{proto: proto, status: int(status), reason: reason}, nil
}

// validProto reports whether s is HTTP-version, with or without a minor part.
func validProto(s string) bool {
	v, ok := strings.CutPrefix(s, "HTTP/")
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	switch len(v) {
	case 1:
		return ok && digit(v[0])
	case 3:
		return ok && digit(v[0]) && v[1] == '.' && digit(v[2])
	}
	return false
}

// protoVersion returns the numbers of an HTTP-version.
func protoVersion(proto string) (major, minor int) {
	if !validProto(proto) {
		return 0, 0
	}
	v := proto[len("HTTP/"):]
	if len(v) == 3 {
		minor = int(v[2] - '0')
	}
	return int(v[0] - '0'), minor
}

// parseFields parses header or trailer fields up to the empty line. A folded
// line continues its value after one space; a line without a colon or with a
// name that is no token is skipped.
func parseFields(text string) http.Header {
	lines := strings.Count(text, "\n")
	h := make(http.Header, min(lines, 64))
	values := make([]string, 0, min(lines, 64)) // shared backing for single values
	var name string
	for text != "" {
		var line string
		line, text = cutLine(text)
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if vv := h[name]; len(vv) > 0 {
				vv[len(vv)-1] = strings.TrimSpace(vv[len(vv)-1] + " " + strings.Trim(line, " \t"))
			}
			continue
		}
		var value string
		var ok bool
		name, value, ok = strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !ok || !isToken(name) {
			name = ""
			continue
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		value = strings.Trim(value, " \t")
		if vv, ok := h[name]; ok {
			h[name] = append(vv, value)
			continue
		}
		if len(values) == cap(values) {
			values = make([]string, 0, 16)
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return h
}

// isToken reports whether s is a field name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// frame finds out what ends the body (RFC 9112, section 6.3).
func (h *head) frame(method string) {
	major, minor := protoVersion(h.proto)
	atLeast11 := major > 1 || major == 1 && minor >= 1
	h.keep = atLeast11 && !hasToken(h.header["Connection"], "close")
	if method == http.MethodHead || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		h.framing = framingNone
		return
	}
	h.framing = framingClose
	te := h.header["Transfer-Encoding"]
	// A Transfer-Encoding in an HTTP/1.0 message is not obeyed by anybody.
	if len(te) > 0 && atLeast11 && !(len(te) == 1 && strings.EqualFold(te[0], "identity")) {
		h.transfer(te)
		return
	}
	length, ok, err := contentLength(h.header["Content-Length"])
	switch {
	case err != nil:
		h.problem = err
	case ok:
		h.framing, h.length = framingLength, length
		return
	}
	h.keep = false
}

// transfer handles Transfer-Encoding. It overrides Content-Length; that a
// message has both is suspicious, so the connection is not used again.
func (h *head) transfer(te []string) {
	all := strings.Join(te, ",")
	last := all[strings.LastIndexByte(all, ',')+1:]
	if strings.EqualFold(strings.Trim(last, " \t"), "chunked") {
		h.framing = framingChunked
	}
	if !strings.EqualFold(strings.Trim(all, " \t,"), "chunked") {
		h.problem = fmt.Errorf("transfer coding %.60q was not asked for", all)
	}
	if h.framing != framingChunked || h.problem != nil || len(h.header["Content-Length"]) > 0 {
		h.keep = false
	}
}

// contentLength reads Content-Length. Several equal values count as one (RFC
// 9110, section 8.6); anything else leaves the end of the body uncertain.
func contentLength(values []string) (n int64, ok bool, err error) {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.Trim(part, " \t")
			m, err := strconv.ParseUint(part, 10, 63)
			if err != nil {
				return 0, false, fmt.Errorf("content length %.40q is not a number of bytes", part)
			}
			if ok && int64(m) != n {
				return 0, false, fmt.Errorf("two content lengths: %d and %d", n, m)
			}
			n, ok = int64(m), true
		}
	}
	return n, ok, nil
}

// hasToken reports whether a comma-separated list contains token.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// chunkReader reads the data of a chunked body again from its spool.
type chunkReader struct {
	src    io.Reader // nil if everything is in window
	room   []byte    // what src is read into
	window []byte    // framed bytes not consumed yet
	data   []byte    // data not handed out yet, a part of what window was
	cutter warc.ChunkCutter
	left   int64 // of the payload
}

// newChunkReader reads size framed bytes from off on, which are known to hold
// payload bytes of data.
func newChunkReader(s *spool, off, size, payload int64) *chunkReader {
	r := &chunkReader{left: payload}
	if s.file == nil && s.buf != nil {
		r.window = s.buf.b[off : off+size]
		return r
	}
	r.src = s.reader(off, size)
	r.room = make([]byte, 32<<10)
	return r
}

// fill makes data non-empty, or returns why it can't.
func (r *chunkReader) fill() error {
	for len(r.data) == 0 {
		if r.left == 0 {
			return io.EOF
		}
		if len(r.window) == 0 {
			if r.src == nil {
				return io.ErrUnexpectedEOF
			}
			n, err := r.src.Read(r.room)
			if n == 0 && err != nil {
				return err
			}
			r.window = r.room[:n]
		}
		data, n, err := r.cutter.Next(r.window)
		if err != nil {
			return err
		}
		r.window = r.window[n:]
		r.data = data
	}
	return nil
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	r.left -= int64(n)
	return n, nil
}

// ReadByte implements io.ByteReader, which decompressors like to have.
func (r *chunkReader) ReadByte() (byte, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	b := r.data[0]
	r.data = r.data[1:]
	r.left--
	return b, nil
}
