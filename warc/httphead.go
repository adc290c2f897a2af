package warc

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// headLines yields the lines of an HTTP header block without their line ends,
// CR LF or LF alone, the start line first.
func headLines(head []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(head) {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			if len(line) > 0 && !yield(line) {
				return
			}
		}
	}
}

// headValue returns the values of all fields of this name in a header block,
// joined with commas as RFC 9110, section 5.3 allows; "" if there are none. As
// the recorder does, it takes a folded line as part of the value, and a name
// with space before its colon.
func headValue(head []byte, name string) string {
	var all []string
	within := false // the line before belongs to a field of this name
	for line := range headLines(head) {
		if line[0] == ' ' || line[0] == '\t' {
			if within {
				last := &all[len(all)-1]
				*last = strings.TrimSpace(*last + " " + string(bytes.Trim(line, " \t")))
			}
			continue
		}
		field, value, ok := bytes.Cut(line, []byte(":"))
		field = bytes.TrimRight(field, " \t")
		within = ok && len(field) == len(name) && strings.EqualFold(string(field), name)
		if within {
			all = append(all, string(bytes.Trim(value, " \t")))
		}
	}
	return strings.Join(all, ",")
}

// protocolOf returns the protocol of a start line as WARC-Protocol names it,
// "http/1.0" or "http/1.1".
func protocolOf(head []byte) string {
	if bytes.HasPrefix(head, []byte("HTTP/1.0")) {
		return "http/1.0"
	}
	return "http/1.1"
}

// isChunked reports whether the body after this header block is chunked: that
// is the last transfer coding (RFC 9112, section 6.3). HTTP/1.0 knows none.
func isChunked(head []byte) bool {
	codings := headValue(head, "Transfer-Encoding")
	last := codings[strings.LastIndexByte(codings, ',')+1:]
	return strings.EqualFold(strings.Trim(last, " \t"), "chunked") && !isHTTP10(head)
}

// isHTTP10 reports whether the version in the start line is below 1.1. One
// without a minor part means 0.
func isHTTP10(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	version, response := bytes.CutPrefix(line, []byte("HTTP/"))
	if !response {
		return bytes.HasSuffix(bytes.TrimRight(line, "\r"), []byte("HTTP/1.0"))
	}
	version, _, _ = bytes.Cut(version, []byte(" "))
	return string(version) < "1.1"
}

// codedTypes are media types, or their beginnings, of content that is
// compressed by its nature.
var codedTypes = []string{
	"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "video/", "audio/",
	"font/woff", "application/font-woff", "application/zip", "application/gzip", "application/x-gzip", "application/pdf",
	"application/x-bzip", "application/x-xz", "application/x-7z", "application/zstd",
}

// isCoded reports whether the body after this header block is compressed
// already, by its content coding or by its nature.
func isCoded(head []byte, mime string) bool {
	coding := headValue(head, "Content-Encoding")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return true
	}
	return slices.ContainsFunc(codedTypes, func(t string) bool { return strings.HasPrefix(mime, t) })
}

// skip reads n bytes away.
func skip(r io.Reader, n int64) error {
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}
