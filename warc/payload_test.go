package warc

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// httpRecord returns a read record with the given message as its block.
func httpRecord(t testing.TB, typ, mediaType, block string) *Record {
	t.Helper()
	r := newRecord(typ, Meta{Date: began})
	r.Header.Add(fieldTargetURI, "https://x.example/")
	rec := must[*Record](t)(r.finish(mediaType, Bytes(block)))
	return must[*Record](t)(NewReader(bytes.NewReader(plain(t, rec))).Next())
}

func TestPayload(t *testing.T) {
	long, zeros := strings.Repeat("x", 70_000), strings.Repeat("0", 20)
	for _, tc := range []struct{ name, block, want, err string }{
		{"plain", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", "body", ""},
		{"line feeds", "HTTP/1.1 200 OK\nA: b\n\nbody", "body", ""},
		{"empty", "HTTP/1.1 200 OK\r\n\r\n", "", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunked("ab", "cd") + "", "abcd", ""},
		{"chunked with trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n", "ab", ""},
		{"chunked and large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(long, long), long + long, ""},
		{"chunked and cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab", "ab", "unexpected EOF"},
		{"chunked with many zeros", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + zeros + "2 ;x\r\nab\r\n" + zeros + "\r\n\r\n", "ab", ""},
		{"chunked by name and long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + zeros + zeros + "x", zeros + zeros + "x", ""},
		{"chunked by name and hexadecimal", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("f", 20), strings.Repeat("f", 20), ""},
		{"chunked by name only", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>", "<html>", ""},
		{"HTTP/1.0 is never chunked", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", ""},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n\r\n", "", ""},
		{"304", "HTTP/1.1 304 Not Modified\r\n\r\n", "", ""},
		{"longer than Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nbody", "body", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := must[io.Reader](t)(httpRecord(t, TypeResponse, mediaResponse, tc.block).Payload())
			got, err := io.ReadAll(r)
			if string(got) != tc.want || (err != nil || tc.err != "") && (err == nil || err.Error() != tc.err) {
				t.Errorf("Payload = %.80q, %v, want %.80q, %q", got, err, tc.want, tc.err)
			}
		})
	}
	if _, err := httpRecord(t, TypeResponse, mediaResponse, "HTTP/1.1 200 OK\r\nA: b").Payload(); !isCut(err) {
		t.Errorf("Payload without a whole header = %v, want unexpected EOF", err)
	}
	if _, err := httpRecord(t, TypeResponse, mediaResponse, "HTTP/1.1 200 OK\r\n"+strings.Repeat("A: b\r\n", MaxHead/6+1)).Payload(); err == nil {
		t.Error("Payload took an endless header")
	}
	r := must[io.Reader](t)(httpRecord(t, TypeResource, "text/plain", "whole").Payload())
	if got, err := io.ReadAll(r); string(got) != "whole" || err != nil {
		t.Errorf("Payload of a resource = %q, %v", got, err)
	}
}

func TestHTTPMessages(t *testing.T) {
	block := "HTTP/1.1 404 Not Here\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunked(encode(t, "gzip", "服务条款"))
	resp := must[*http.Response](t)(httpRecord(t, TypeResponse, mediaResponse, block).HTTPResponse())
	body := must[[]byte](t)(io.ReadAll(resp.Body))
	if resp.StatusCode != 404 || resp.Header.Get("Content-Type") != "text/html" || string(body) != encode(t, "gzip", "服务条款") {
		t.Errorf("HTTPResponse = %d, %v, body of %d bytes", resp.StatusCode, resp.Header, len(body))
	}
	decoded := must[io.ReadCloser](t)(httpRecord(t, TypeResponse, mediaResponse, block).Decoded(100))
	if got, err := io.ReadAll(decoded); string(got) != "服务条款" || err != nil {
		t.Errorf("Decoded = %q, %v", got, err)
	}
	// A revisit has the header alone, whatever that says of a body.
	resp = must[*http.Response](t)(httpRecord(t, TypeRevisit, mediaResponse, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n").HTTPResponse())
	if body, err := io.ReadAll(resp.Body); len(body) != 0 || err != nil {
		t.Errorf("body of a revisit = %q, %v", body, err)
	}
	req := must[*http.Request](t)(httpRecord(t, TypeRequest, mediaRequest, "POST /a?b HTTP/1.1\r\nHost: x.example\r\nContent-Length: 2\r\n\r\nhi").HTTPRequest())
	if body, err := io.ReadAll(req.Body); req.Method != "POST" || req.URL.String() != "/a?b" || req.Host != "x.example" || string(body) != "hi" || err != nil {
		t.Errorf("HTTPRequest = %s %s, body %q, %v", req.Method, req.URL, body, err)
	}
	if _, err := httpRecord(t, TypeResource, "text/html", "x").HTTPResponse(); !errors.Is(err, ErrNoHTTP) {
		t.Errorf("HTTPResponse of a resource = %v, want ErrNoHTTP", err)
	}
}
