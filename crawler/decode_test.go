package crawler

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/warc"
)

// TestBomb checks that a body which is endless after decoding costs neither
// memory nor much time, and is kept as it was sent.
func TestBomb(t *testing.T) {
	bomb := strings.Repeat("\x00", 6<<20)
	for _, coding := range []string{"gzip", "br", "zstd", "zlib", "deflate"} {
		name := coding
		if coding == "zlib" {
			name = "deflate"
		}
		body := compressed(coding, bomb)
		sent := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", name, len(body), body)
		w := newTestWire(t, WireConfig{MaxDecoded: 2 << 20})
		r, _, err := receiveBytes(w, "GET", []byte(sent), 1)
		if err != nil {
			t.Fatal(err)
		}
		w.decode(t.Context(), r)
		if !r.DecodedSHA256.IsZero() || r.DecodedSize != 0 || !strings.Contains(r.Detail, "2097152") {
			t.Errorf("%s: decoded %d bytes, detail %q", coding, r.DecodedSize, r.Detail)
		}
		if r.PayloadSHA256 != warc.SumSHA256([]byte(body)) {
			t.Errorf("%s: payload digest %v", coding, r.PayloadSHA256)
		}
		resp, err := r.Response(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if e, ok := errors.AsType[*Error](err); n != 1<<20 || !ok || e.Code != CodeTooLarge {
			t.Errorf("%s: body of %d bytes, %v", coding, n, err)
		}
		r.Close()
	}
}

// TestResponseLimit checks the limit at its edges, from the kept copy, from the
// payload and through a decoder.
func TestResponseLimit(t *testing.T) {
	w := newTestWire(t, WireConfig{})
	for _, size := range []int{5000, keepDecoded + 5000} {
		text := legalText(size)
		for coding, body := range map[string]string{"identity": text, "gzip": compressed("gzip", text)} {
			sent := "HTTP/1.1 200 OK\r\nContent-Encoding: " + coding + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
			r, _, err := receiveBytes(w, "GET", []byte(sent), 3)
			if err != nil {
				t.Fatal(err)
			}
			w.decode(t.Context(), r)
			for _, limit := range []int{0, 1, size - 1, size, size + 1} {
				resp, err := r.Response(int64(limit))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if string(got) != text[:min(limit, size)] || (err != nil) != (limit < size) {
					t.Errorf("%s, size %d, limit %d: %d bytes, %v", coding, size, limit, len(got), err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			r.Close()
			r.Close()
		}
	}
}

// TestPartialBody checks that what could be read of a cut page reaches its
// reader, followed by the exchange's error.
func TestPartialBody(t *testing.T) {
	text := legalText(50_000)
	gz := compressed("gzip", text)
	s := startSite(t, func(c *siteConn, path string) {
		c.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + strconv.Itoa(len(gz)) + "\r\n\r\n" + gz[:len(gz)/2])
		c.over = true
	})
	r := newTestWire(t, WireConfig{}).Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
	defer r.Close()
	resp, err := r.Response(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if len(got) < len(text)/4 || !strings.HasPrefix(text, string(got)) {
		t.Errorf("%d bytes of %d", len(got), len(text))
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeTruncated {
		t.Errorf("error %v", err)
	}
}

// TestSpoolDisk checks that a disk which can't be written is our fault, not the
// page's, and that temporary files go away.
func TestSpoolDisk(t *testing.T) {
	body := strings.Repeat("x", 1<<20)
	s := startSite(t, func(c *siteConn, path string) {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + body)
		c.over = true
	})
	dir := t.TempDir()
	w, err := NewWire(WireConfig{AllowPrivate: true, SpoolDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
	if r.Err != nil || r.spool.file == nil {
		t.Fatalf("error %v, file %v", r.Err, r.spool.file)
	}
	r.Close()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	w.cfg.SpoolDir = dir + "/missing"
	r = w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
	defer r.Close()
	if codeOf(r) != CodeStorage {
		t.Errorf("missing folder: %v", r.Err)
	}
}

// TestLazyDecode checks that decoding can be left to the caller.
func TestLazyDecode(t *testing.T) {
	text := legalText(5000)
	gz := compressed("gzip", text)
	s := startSite(t, func(c *siteConn, path string) {
		c.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + strconv.Itoa(len(gz)) + "\r\n\r\n" + gz)
	})
	r := newTestWire(t, WireConfig{LazyDecode: true}).Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
	defer r.Close()
	if r.Err != nil || !r.DecodedSHA256.IsZero() {
		t.Fatalf("error %v, decoded digest %v", r.Err, r.DecodedSHA256)
	}
	for range 2 {
		if r.Decode(t.Context()); r.DecodedSHA256 != warc.SumSHA256([]byte(text)) {
			t.Errorf("decoded digest %v", r.DecodedSHA256)
		}
	}
}

// TestClosed checks that the blocks of a closed exchange are errors, not the
// bytes of another one.
func TestClosed(t *testing.T) {
	w := newTestWire(t, WireConfig{})
	r, _, err := receiveBytes(w, "GET", []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), 1)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if b, err := io.ReadAll(r.Exchange.Response.Open()); err == nil {
		t.Errorf("read %q from a closed exchange", b)
	}
	if b, err := io.ReadAll(r.Payload()); err == nil {
		t.Errorf("read payload %q from a closed exchange", b)
	}
}
