package crawler

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// wireCase is one way a server may answer. What it sends is interim, response
// and surplus, or fragment; unless play does it by itself.
type wireCase struct {
	name                                 string
	interim, response, surplus, fragment string
	play                                 func(c *siteConn) // instead of sending these
	over                                 bool              // the server closes afterwards
	reset                                bool              // … with a RST
	method                               string            // GET if ""

	status    int
	payload   string // entity body
	decoded   string // after content decoding; payload if ""
	undecoded bool   // cannot be decoded
	truncated warc.Truncation
	code      Code
	detail    string // part of Detail
	mime      string
	check     func(t *testing.T, r *Recorded)
}

// wireCases are the answers that the recorder must keep byte for byte.
func wireCases() []wireCase {
	text := legalText(9000)
	gz := compressed("gzip", text)
	ok := "HTTP/1.1 200 OK\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	redirect := strings.Repeat("<p>moved</p>", 28<<10/12)
	gb := "\xce\xc4\xd7\xd6\xcc\xf5\xbf\xee" // 文字条款 in GB 18030
	coded := func(name, coding, body string, chunks bool) wireCase {
		head := ok + "Content-Encoding: " + coding + "\r\nContent-Type: text/html\r\n"
		if chunks {
			return wireCase{name: name, response: head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 700, ""), status: 200, payload: body, decoded: text, mime: "text/html"}
		}
		return wireCase{name: name, response: head + length(len(body)) + body, status: 200, payload: body, decoded: text, mime: "text/html"}
	}
	return []wireCase{
		{name: "plain", response: ok + "Content-Type: text/html; charset=utf-8\r\n" + length(len(text)) + text, status: 200, payload: text, mime: "text/html"},
		{name: "odd-header", response: "HTTP/1.1  200 Fine, thanks\r\nx-ODD:   spaced  \r\nSERVER:x\r\nX-Odd: again\r\ncOnTent-LENGTH: 2\r\nDate : never\r\n\r\nhi", status: 200, payload: "hi",
			check: func(t *testing.T, r *Recorded) {
				if got := r.Header["X-Odd"]; !slices.Equal(got, []string{"spaced", "again"}) {
					t.Errorf("X-Odd = %q", got)
				}
				if r.Reason != "Fine, thanks" || r.Header.Get("Date") != "never" {
					t.Errorf("reason %q, date %q", r.Reason, r.Header.Get("Date"))
				}
			}},
		{name: "no-reason", response: "HTTP/1.1 200\r\n" + length(0), status: 200},
		{name: "chunked-trailer", response: ok + "Transfer-Encoding: Chunked\r\n\r\n" + chunked(text, 1000, "X-Sum: 1\r\nX-More: 2\r\n"), status: 200, payload: text,
			check: func(t *testing.T, r *Recorded) {
				if r.Trailer.Get("X-Sum") != "1" || r.Trailer.Get("X-More") != "2" {
					t.Errorf("trailer %v", r.Trailer)
				}
			}},
		{name: "chunked-one-byte", response: ok + "Transfer-Encoding: chunked\r\n\r\n" + chunked(text[:300], 1, ""), status: 200, payload: text[:300]},
		{name: "chunked-lf", response: ok + "Transfer-Encoding: chunked\r\n\r\n0005\nhello\n0\n\n", status: 200, payload: "hello"},
		coded("gzip", "gzip", gz, false),
		coded("gzip-chunked", "GZIP", gz, true),
		coded("gzip-two-members", "gzip", compressed("gzip", text[:4000])+compressed("gzip", text[4000:]), false),
		coded("gzip-padded", "x-gzip", gz+strings.Repeat("\x00", 40), false),
		coded("br", "br", compressed("br", text), false),
		coded("br-chunked", "br", compressed("br", text), true),
		coded("zstd", "zstd", compressed("zstd", text), false),
		coded("deflate-zlib", "deflate", compressed("zlib", text), false),
		coded("deflate-bare", "deflate", compressed("deflate", text), true),
		coded("two-codings", "gzip, br", compressed("br", gz), false),
		coded("identity", "identity", text, false),
		{name: "gzip-lie", response: ok + "Content-Encoding: gzip\r\n" + length(len(text)) + text, status: 200, payload: text, undecoded: true, detail: "gzip"},
		{name: "gzip-cut", response: ok + "Content-Encoding: gzip\r\n" + length(len(gz)-20) + gz[:len(gz)-20], status: 200, payload: gz[:len(gz)-20], undecoded: true, detail: "gzip"},
		{name: "gzip-empty", response: ok + "Content-Encoding: gzip\r\n" + length(0), status: 200},
		{name: "coding-unknown", response: ok + "Content-Encoding: rot13\r\n" + length(2) + "uv", status: 200, payload: "uv", undecoded: true, detail: "rot13"},
		{name: "redirect-1", response: "HTTP/1.1 301 Moved\r\nLocation: /redirect-2\r\n" + length(len(redirect)) + redirect, status: 301, payload: redirect},
		{name: "redirect-2", response: "HTTP/1.1 302 Found\r\nLocation: /plain\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(redirect, 4096, ""), status: 302, payload: redirect},
		{name: "304", response: "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 4711\r\n\r\n", status: 304},
		{name: "204", response: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		{name: "204-stray", response: "HTTP/1.1 204 No Content\r\n\r\n", surplus: "\r\nstray", status: 204},
		{name: "head", method: http.MethodHead, response: ok + length(4711), status: 200},
		{name: "404", response: "HTTP/1.1 404 Not Found\r\n" + length(4) + "gone", status: 404, payload: "gone"},
		{name: "503", response: "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n" + length(4) + "wait", status: 503, payload: "wait"},
		{name: "short-body", response: ok + length(5000) + text[:1200], over: true, status: 200, payload: text[:1200], truncated: warc.TruncatedDisconnect, code: CodeTruncated, undecoded: true, detail: "1200 of 5000 bytes"},
		{name: "short-chunk", response: ok + "Transfer-Encoding: chunked\r\n\r\n400\r\n" + text[:700], over: true, status: 200, payload: text[:700], truncated: warc.TruncatedDisconnect, code: CodeTruncated, undecoded: true},
		{name: "no-last-chunk", response: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", over: true, status: 200, payload: "hello", truncated: warc.TruncatedDisconnect, code: CodeTruncated, undecoded: true},
		{name: "reset-body", response: ok + length(5000) + text[:1200], reset: true, status: 200, payload: text[:1200], truncated: warc.TruncatedDisconnect, code: CodeTruncated, undecoded: true},
		{name: "reset-head", fragment: "HTTP/1.1 200 OK\r\nContent-Ty", reset: true, truncated: warc.TruncatedDisconnect, code: CodeTruncated, detail: "within the header block"},
		{name: "close-head", fragment: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", over: true, truncated: warc.TruncatedDisconnect, code: CodeTruncated},
		{name: "no-response", over: true, code: CodeTruncated, detail: "before any answer"},
		{name: "reset-at-once", reset: true, code: CodeTruncated},
		{name: "103", interim: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", response: ok + length(2) + "hi", status: 200, payload: "hi"},
		{name: "100", interim: "HTTP/1.1 100 Continue\r\n\r\n", response: ok + length(2) + "hi", status: 200, payload: "hi"},
		{name: "interim-only", interim: "HTTP/1.1 102 Processing\r\n\r\n", over: true, code: CodeTruncated},
		{name: "101", response: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", over: true, status: 101, code: CodeProtocol},
		{name: "pdf", response: ok + "Content-Type: Application/PDF\r\n" + length(9) + "%PDF-1.7\x00", status: 200, payload: "%PDF-1.7\x00", mime: "application/pdf"},
		{name: "set-cookie", response: ok + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" + length(0), status: 200,
			check: func(t *testing.T, r *Recorded) {
				if got := r.Header["Set-Cookie"]; !slices.Equal(got, []string{"a=1", "b=2"}) {
					t.Errorf("Set-Cookie = %q", got)
				}
			}},
		{name: "gb18030-header", response: ok + "Content-Type: text/html; charset=gb18030\r\n" + length(len(gb)) + gb, status: 200, payload: gb, mime: "text/html"},
		{name: "gb18030-meta", response: ok + "Content-Type: text/html\r\n" + length(25+len(gb)) + "<meta charset=\"gb18030\"/>" + gb, status: 200, payload: "<meta charset=\"gb18030\"/>" + gb, mime: "text/html"},
		{name: "http-1.0", response: "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + text, over: true, status: 200, payload: text, mime: "text/plain"},
		{name: "http-1.0-chunked", response: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", over: true, status: 200, payload: "0\r\n\r\n"},
		{name: "close-delimited", response: ok + "\r\n" + text, over: true, status: 200, payload: text},
		{name: "lf-only", response: "HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nhi", status: 200, payload: "hi"},
		{name: "surplus", response: ok + length(2) + "hi", surplus: "HTTP/1.1 200 OK\r\n\r\nsmuggled", status: 200, payload: "hi"},
		{name: "surplus-chunked", response: ok + "Transfer-Encoding: chunked\r\n\r\n" + chunked("hi", 2, ""), surplus: "more", status: 200, payload: "hi"},
		{name: "length-and-chunked", response: ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("hello", 5, ""), status: 200, payload: "hello"},
		{name: "length-twice", response: ok + "Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nhi", status: 200, payload: "hi"},
		{name: "length-contradicts", response: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhigh", over: true, status: 200, payload: "high", code: CodeProtocol, detail: "2 and 3"},
		{name: "length-negative", response: ok + "Content-Length: -5\r\n\r\nhello", over: true, status: 200, payload: "hello", code: CodeProtocol},
		{name: "length-huge", response: ok + "Content-Length: 99999999999999999999\r\n\r\nhello", over: true, status: 200, payload: "hello", code: CodeProtocol},
		{name: "transfer-unknown", response: ok + "Transfer-Encoding: gzip\r\n\r\nhello", over: true, status: 200, payload: "hello", code: CodeProtocol},
		{name: "chunk-broken", response: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX", over: true, status: 200, payload: "hello", code: CodeProtocol, truncated: truncatedUnspecified, undecoded: true},
		{name: "chunk-negative", response: ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello", over: true, status: 200, code: CodeProtocol, truncated: truncatedUnspecified, undecoded: true},
		{name: "chunk-huge", response: ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello", over: true, status: 200, code: CodeProtocol, truncated: truncatedUnspecified, undecoded: true},
		{name: "chunked-not", response: ok + "Transfer-Encoding: chunked\r\n\r\n<html>hello", over: true, status: 200, code: CodeProtocol, truncated: truncatedUnspecified, undecoded: true},
		{name: "chunked-spaced", response: ok + "Transfer-Encoding: chunked\r\n\r\n5 ;a=b\r\nhello\r\n00000000000000000000 \r\n\r\n", status: 200, payload: "hello"},
		{name: "transfer-list", response: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked("hello", 5, ""), status: 200, payload: "hello", code: CodeProtocol},
		{name: "transfer-twice", response: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("hello", 5, ""), status: 200, payload: "hello", code: CodeProtocol},
		{name: "transfer-folded", response: ok + "Transfer-Encoding :\r\n chunked\r\n\r\n" + chunked("hello", 5, ""), status: 200, payload: "hello"},
		{name: "transfer-http-1.0-named", response: "HTTP/1.1 200 no HTTP/1.0 here\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("hello", 5, ""), status: 200, payload: "hello"},
		{name: "line-cr-cr-lf", response: ok + "X-A: b\r\n\r\r\n" + length(2) + "hi", status: 200, payload: "hi"},
		{name: "obs-fold", response: ok + "X-Long: one\r\n  two\r\n\tthree\r\n" + length(2) + "hi", status: 200, payload: "hi",
			check: func(t *testing.T, r *Recorded) {
				if got := r.Header.Get("X-Long"); got != "one two three" {
					t.Errorf("X-Long = %q", got)
				}
			}},
		{name: "nul-in-header", response: ok + "X-Nul: a\x00b\r\n" + length(2) + "hi", status: 200, payload: "hi"},
		{name: "non-ascii-header", response: ok + "X-Titel: Geschäftsbedingungen 利用規約 \xff\r\n" + length(2) + "hi", status: 200, payload: "hi"},
		{name: "no-colon", response: ok + "this is no field\r\n: no name\r\n" + length(2) + "hi", status: 200, payload: "hi"},
		{name: "not-http", fragment: "SSH-2.0-OpenSSH_9.9\r\n", over: true, code: CodeProtocol, truncated: truncatedUnspecified, detail: "status line"},
		{name: "bad-status", fragment: "HTTP/1.1 2000 OK\r\n\r\n", over: true, code: CodeProtocol, truncated: truncatedUnspecified},
		{name: "endless-header", code: CodeTooLarge, truncated: warc.TruncatedLength, play: func(c *siteConn) {
			c.over = true
			c.Write([]byte("HTTP/1.1 200 OK\r\n"))
			for line := []byte("X-More: " + strings.Repeat("x", 1000) + "\r\n"); ; {
				if _, err := c.Write(line); err != nil {
					return
				}
			}
		}, check: func(t *testing.T, r *Recorded) {
			if len(r.Fragment) != maxSurplus || !bytes.HasPrefix(r.Fragment, []byte("HTTP/1.1 200 OK\r\nX-More: x")) {
				t.Errorf("fragment of %d bytes", len(r.Fragment))
			}
		}},
		{name: "endless-interim", code: CodeTooLarge, truncated: warc.TruncatedLength, play: func(c *siteConn) {
			c.over = true
			for {
				if _, err := c.Write([]byte("HTTP/1.1 103 Early Hints\r\nX: " + strings.Repeat("x", 500) + "\r\n\r\n")); err != nil {
					return
				}
			}
		}, check: func(t *testing.T, r *Recorded) {
			if len(r.Interim) == 0 || len(r.Interim) > maxHeaderLimit {
				t.Errorf("%d bytes of interim responses", len(r.Interim))
			}
		}},
	}
}

// largeCases are answers that do not fit into memory or below the limit of a
// body. They take time: each is played in one mode only.
func largeCases(limit int) map[string]wireCase {
	ok := "HTTP/1.1 200 OK\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	big := strings.Repeat("0123456789abcdef", limit/16)
	gz := compressed("gzip", big)
	return map[string]wireCase{
		"http/keep=false": {name: "30-MiB", response: ok + length(len(big)) + big, status: 200, payload: big},
		"https/keep=true": {name: "30-MiB-chunked", response: ok + "Transfer-Encoding: chunked\r\n\r\n" + chunked(big[:len(big)*9/10], 100_003, "X-End: yes\r\n"), status: 200, payload: big[:len(big)*9/10],
			check: func(t *testing.T, r *Recorded) {
				if r.Trailer.Get("X-End") != "yes" {
					t.Errorf("trailer %v", r.Trailer)
				}
			}},
		"http/keep=true": {name: "30-MiB-gzip", response: ok + "Content-Encoding: gzip\r\n" + length(len(gz)) + gz, status: 200, payload: gz, decoded: big},
		"https/keep=false": {name: "endless-body", status: 200, code: CodeTooLarge, truncated: warc.TruncatedLength, undecoded: true, play: func(c *siteConn) {
			c.over = true
			c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			for b := bytes.Repeat([]byte("x"), 1<<16); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}, check: func(t *testing.T, r *Recorded) {
			if r.PayloadSize != int64(limit) || r.Exchange.Response.Size() != r.Head+int64(limit) {
				t.Errorf("payload %d, response %d bytes", r.PayloadSize, r.Exchange.Response.Size())
			}
		}},
	}
}

// TestConformance plays every case over plain connections and TLS, with and
// without keep-alive, and compares what was recorded with what the server
// received and sent.
func TestConformance(t *testing.T) {
	cases := map[string]wireCase{}
	var names []string
	for _, c := range wireCases() {
		cases["/"+c.name] = c
		names = append(names, c.name)
	}
	const limit = 30 << 20
	large := largeCases(limit)
	for _, c := range large {
		cases["/"+c.name] = c
	}
	s := startSite(t, func(c *siteConn, path string) {
		w := cases[path]
		if w.play != nil {
			w.play(c)
			return
		}
		c.send(w.interim + w.response + w.surplus + w.fragment)
		c.over = w.over
		if w.reset {
			c.reset()
		}
	})
	turn := map[string]int{}
	for _, keep := range []bool{false, true} {
		for _, scheme := range []string{"http", "https"} {
			mode := fmt.Sprintf("%s/keep=%v", scheme, keep)
			t.Run(mode, func(t *testing.T) {
				w := newTestWire(t, WireConfig{RootCAs: s.roots, KeepAlive: keep, MaxBody: limit})
				before := s.connections()
				names := append(slices.Clone(names), large[mode].name)
				for _, name := range names {
					t.Run(name, func(t *testing.T) {
						checkCase(t, w, s, scheme, cases["/"+name], turn["/"+name])
					})
					turn["/"+name]++
				}
				if n := s.connections() - before; !keep && n != len(names) || keep && n >= len(names) {
					t.Errorf("%d connections for %d exchanges", n, len(names))
				}
			})
		}
	}
}

func newTestWire(t testing.TB, cfg WireConfig) *Wire {
	t.Helper()
	cfg.AllowPrivate = true
	cfg.SpoolDir = t.TempDir()
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	w, err := NewWire(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func newRequest(t testing.TB, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "fineprint-test (+mailto:test@example.org)")
	req.Header.Set("Accept", "text/html,*/*;q=0.1")
	return req
}

func readBlock(t testing.TB, b warc.Block) []byte {
	t.Helper()
	if b == nil {
		return nil
	}
	all, err := io.ReadAll(b.Open())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(all)) != b.Size() {
		t.Fatalf("block of size %d has %d bytes", b.Size(), len(all))
	}
	return all
}

// checkCase makes the exchange of one case and checks all that is recorded.
func checkCase(t *testing.T, w *Wire, s *site, scheme string, c wireCase, turn int) {
	addr := s.plain
	if scheme == "https" {
		addr = s.secure
	}
	method := c.method
	if method == "" {
		method = http.MethodGet
	}
	req := newRequest(t, method, scheme+"://"+addr+"/"+c.name+"#part")
	r := w.Exchange(t.Context(), req)
	defer r.Close()
	if codeOf(r) != c.code || r.Error != string(c.code) {
		t.Fatalf("error %q (%v), want %q", r.Error, r.Err, c.code)
	}
	server := s.seen(t, "/"+c.name, turn)
	if got := readBlock(t, r.Request); !bytes.Equal(got, server.received) {
		t.Errorf("request\n%q, the server received\n%q", got, server.received)
	}
	response := readBlock(t, r.Exchange.Response)
	if c.play == nil {
		for _, part := range []struct {
			name, got, want string
		}{
			{"interim", string(r.Interim), c.interim}, {"response", string(response), c.response},
			{"surplus", string(r.Surplus), c.surplus}, {"fragment", string(r.Fragment), c.fragment},
			{"all", string(r.Interim) + string(response) + string(r.Surplus) + string(r.Fragment), string(server.sent)},
		} {
			if part.got != part.want {
				t.Errorf("%s = %.300q (%d bytes), want %.300q (%d bytes)", part.name, part.got, len(part.got), part.want, len(part.want))
			}
		}
		checkPayload(t, r, c)
	}
	if r.Status != c.status || r.MIME != c.mime || r.Truncated != c.truncated {
		t.Errorf("status %d, MIME %q, truncated %q, want %d, %q, %q", r.Status, r.MIME, r.Truncated, c.status, c.mime, c.truncated)
	}
	if !strings.Contains(r.Detail, c.detail) {
		t.Errorf("detail %q, want %q in it", r.Detail, c.detail)
	}
	if want := scheme + "://" + addr + "/" + c.name; r.URI != want || r.Method != method {
		t.Errorf("%s %s, want %s %s", r.Method, r.URI, method, want)
	}
	if r.Peer.String() != addr {
		t.Errorf("peer %v, want %v", r.Peer, addr)
	}
	if scheme == "https" && (r.TLS == nil || r.TLS.Version != "1.3" || r.TLS.ALPN != "http/1.1" || len(r.TLS.Chain) != 2 || !strings.HasPrefix(r.TLS.Cipher, "TLS_") || r.TLS.Error != "") {
		t.Errorf("TLS = %+v", r.TLS)
	}
	if scheme == "http" && r.TLS != nil {
		t.Errorf("TLS = %+v on a plain connection", r.TLS)
	}
	if c.check != nil {
		c.check(t, r)
	}
}

// codeOf returns the exchange's error code, "" without error.
func codeOf(r *Recorded) Code {
	if r.Err == nil {
		return ""
	}
	return r.Err.Code
}

// checkPayload compares payload, digests and the decoded copy with the case.
func checkPayload(t *testing.T, r *Recorded, c wireCase) {
	t.Helper()
	payload, err := io.ReadAll(r.Payload())
	if err != nil || string(payload) != c.payload {
		t.Errorf("payload = %.200q (%d bytes), %v, want %.200q (%d bytes)", payload, len(payload), err, c.payload, len(c.payload))
	}
	if c.status == 0 {
		if r.Exchange.Response != nil || !r.PayloadSHA256.IsZero() || r.Header != nil {
			t.Errorf("a response without a header block")
		}
		if resp, err := r.Response(1 << 20); resp != nil || err == nil {
			t.Errorf("Response = %v, %v without a header block", resp, err)
		}
		return
	}
	if r.PayloadSize != int64(len(c.payload)) || r.PayloadSHA256 != warc.SumSHA256(payload) || r.PayloadSHA1 != warc.SumSHA1(payload) {
		t.Errorf("payload size %d, digests %v, %v", r.PayloadSize, r.PayloadSHA256, r.PayloadSHA1)
	}
	if c.method != http.MethodHead {
		compareRecord(t, r, payload)
	}
	want := c.decoded
	if want == "" {
		want = c.payload
	}
	var sum warc.Digest
	if !c.undecoded {
		sum = warc.SumSHA256([]byte(want))
	}
	if r.DecodedSHA256 != sum || !c.undecoded && r.DecodedSize != int64(len(want)) {
		t.Errorf("decoded size %d, digest %v, want %d, %v", r.DecodedSize, r.DecodedSHA256, len(want), sum)
	}
	resp, err := r.Response(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if c.code == "" && !c.undecoded {
		if err != nil || string(body) != want {
			t.Errorf("Response body = %.200q (%d bytes), %v, want %.200q (%d bytes)", body, len(body), err, want, len(want))
		}
	} else if err == nil {
		t.Errorf("Response body ends without an error")
	}
	if resp.Header.Get("Content-Encoding") != "" || !resp.Uncompressed || resp.StatusCode != c.status {
		t.Errorf("Response = %+v", resp)
	}
}

// TestConformanceRace runs all small cases at once on one Wire.
func TestConformanceRace(t *testing.T) {
	cases := map[string]wireCase{}
	for _, c := range wireCases() {
		if c.play == nil {
			cases["/"+c.name] = c
		}
	}
	s := startSite(t, func(c *siteConn, path string) {
		w := cases[path]
		c.send(w.interim + w.response + w.surplus + w.fragment)
		if c.over = w.over; w.reset {
			c.reset()
		}
	})
	w := newTestWire(t, WireConfig{RootCAs: s.roots, KeepAlive: true})
	var wg sync.WaitGroup
	for _, path := range slices.Sorted(maps.Keys(cases)) {
		wg.Go(func() {
			c := cases[path]
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			for _, url := range []string{"http://" + s.plain, "https://" + s.secure} {
				r := w.Exchange(t.Context(), newRequest(t, method, url+path))
				if got := string(readBlock(t, r.Exchange.Response)); codeOf(r) != c.code || got != c.response {
					t.Errorf("%s: %v, response %.100q, want %.100q", path, r.Err, got, c.response)
				}
				r.Close()
			}
		})
	}
	wg.Wait()
}

// TestRequestBytes pins the order and form of a request.
func TestRequestBytes(t *testing.T) {
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 204 No Content\r\n\r\n") })
	req := newRequest(t, "GET", "http://"+s.plain+"/a%20b/%E6%9D%A1?q=x y&ü#f")
	req.Header.Set("Accept-Language", "zh-CN,zh;q=0.9")
	req.Header.Set("If-None-Match", `"v1"`)
	req.Header.Set("Referer", "http://example.org/")
	req.Header.Set("Expect", "100-continue")
	req.Header.Set("Connection", "upgrade")
	r := newTestWire(t, WireConfig{}).Exchange(t.Context(), req)
	defer r.Close()
	want := "GET /a%20b/%E6%9D%A1?q=x%20y&%C3%BC HTTP/1.1\r\nHost: " + s.plain + "\r\n" +
		"User-Agent: fineprint-test (+mailto:test@example.org)\r\nAccept: text/html,*/*;q=0.1\r\n" +
		"Accept-Language: zh-CN,zh;q=0.9\r\nAccept-Encoding: gzip\r\nReferer: http://example.org/\r\n" +
		"Connection: close\r\nIf-None-Match: \"v1\"\r\n\r\n"
	if got := string(readBlock(t, r.Request)); got != want {
		t.Errorf("request\n%q, want\n%q", got, want)
	}
}

// TestRequestRefused checks that nothing is sent that could be misread.
func TestRequestRefused(t *testing.T) {
	w := newTestWire(t, WireConfig{})
	for name, change := range map[string]func(*http.Request){
		"scheme":          func(r *http.Request) { r.URL.Scheme = "ftp" },
		"no host":         func(r *http.Request) { r.URL.Host = "" },
		"value injection": func(r *http.Request) { r.Header.Set("X-A", "b\r\nX-C: d") },
		"name injection":  func(r *http.Request) { r.Header["X-A: b\r\nX-C"] = []string{"d"} },
		"host injection":  func(r *http.Request) { r.Host = "a\r\nX-C: d" },
		"method":          func(r *http.Request) { r.Method = "GET /x HTTP/1.1\r\nX:" },
		"numeric host":    func(r *http.Request) { r.URL.Host = "1.2.3.4.5" },
		"port":            func(r *http.Request) { r.URL.Host = "127.0.0.1:99999" },
	} {
		req := httptest.NewRequest("GET", "http://127.0.0.1:1/", nil)
		req.RequestURI = ""
		change(req)
		r := w.Exchange(t.Context(), req)
		if codeOf(r) != CodeUnsupported || r.Request != nil {
			t.Errorf("%s: error %v, request %v", name, r.Err, r.Request)
		}
		r.Close()
	}
}
