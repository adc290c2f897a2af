package warc

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// began is the time of all test exchanges, with the nanoseconds that records keep.
var began = time.Date(2024, 10, 17, 8, 30, 0, 123456789, time.UTC)

// pinned returns the same random bytes in every test.
func pinned() io.Reader {
	var seed [32]byte
	copy(seed[:], "fineprint")
	return rand.NewChaCha8(seed)
}

// message joins the lines of a header block with CR LF and puts a body behind it.
func message(body string, lines ...string) Bytes {
	return Bytes(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}

// exchange returns a whole exchange over TLS. The facts about the payload are
// worked out by other code than the one under test.
func exchange(t testing.TB, uri string, response Bytes) *Exchange {
	t.Helper()
	head, body, ok := bytes.Cut(response, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("response without a header block: %q", response)
	}
	ex := &Exchange{
		Kind: KindPage, URI: uri, Began: began, Ended: began.Add(87 * time.Millisecond), Method: http.MethodGet,
		Request: message("", "GET /en/tos HTTP/1.1", "Host: "+strings.Split(uri, "/")[2],
			"User-Agent: fineprint/0.1 (+https://archive.example/about; bot@archive.example)",
			"Accept: text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.8",
			"Accept-Language: en", "Accept-Encoding: gzip", "Connection: close"),
		Response: response, Head: int64(len(head) + 4),
		Peer: netip.MustParseAddrPort("192.0.2.7:443"),
		TLS:  &TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256"},
	}
	fmt.Sscanf(string(head), "HTTP/1.1 %d", &ex.Status)
	if bytes.Contains(bytes.ToLower(head), []byte("transfer-encoding: chunked")) {
		var err error
		if body, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body))); err != nil && err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
	}
	ex.MIME = "text/html"
	ex.PayloadSize, ex.PayloadSHA256, ex.PayloadSHA1 = int64(len(body)), SumSHA256(body), SumSHA1(body)
	return ex
}

func chunked(parts ...string) string {
	var b strings.Builder
	for _, p := range append(parts, "") {
		fmt.Fprintf(&b, "%x;ext=1\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

func gzipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, 6)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// terms returns about n bytes of text that compresses like a legal page.
func terms(n int) string {
	words := strings.Fields(`you agree that we may use content posted on the service to train our models
		and that continued use after the effective date means acceptance of these terms arbitration liability
		notice third parties privacy policy account suspend terminate license worldwide royalty-free`)
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("<!doctype html><html lang=en><title>Terms of Service</title><main>")
	for b.Len() < n {
		fmt.Fprintf(&b, `<p id="c%d" class="clause-%x">`, rng.IntN(10000), rng.IntN(1<<16))
		for range 40 {
			b.WriteString(words[rng.IntN(len(words))])
			b.WriteByte(' ')
		}
		b.WriteString("</p>\n")
	}
	return b.String()
}

// browserHead is what a page of a large site sends before its body.
func browserHead(extra ...string) []string {
	return append([]string{"HTTP/1.1 200 OK", "Date: Thu, 17 Oct 2024 08:30:00 GMT", "Content-Type: text/html; charset=utf-8",
		"Server: nginx", "Cache-Control: no-cache, no-store, must-revalidate, pre-check=0, post-check=0", "Vary: Accept-Encoding, Accept-Language",
		"X-Frame-Options: DENY", "Strict-Transport-Security: max-age=631138519", "X-Request-Id: 3f9e2c7d81aa4b6c",
		`ETag: W/"13f7a-k2vT3uQm9xY8bLwZ0a"`, "Connection: close"}, extra...)
}

// pack compresses records for a file.
func pack(t testing.TB, records ...*Record) []*Packed {
	t.Helper()
	var all []*Packed
	for _, r := range records {
		p, err := Compress(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// plain returns the bytes of a record as they are before compression.
func plain(t testing.TB, r *Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := marshal(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// look writes a whole look into f: exchanges, then the manifest. It returns the
// manifest as written.
func writeLook(t testing.TB, f *File, l *Look, exchanges []*Exchange, opt RecordOptions, extra ...*Record) *Manifest {
	t.Helper()
	m := &Manifest{Source: l.Source, N: l.N, URL: exchanges[0].URI, Time: began, Ended: began.Add(time.Second),
		Result: Captured, Status: 200, Bytes: BytesFirst, Run: "20241017T083000Z-7f3a", Tool: "fineprint 0.1.0 (go1.26)",
		Vantage: "de-fra", AcceptLanguage: "en", Robots: &Robots{Policy: "obey", Verdict: "allowed"}}
	var all []*Record
	for _, ex := range exchanges {
		records, stored, err := l.Records(ex, opt)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, records...)
		m.Exchanges = append(m.Exchanges, ExchangeNote{Kind: ex.Kind, Request: stored.RequestID, Response: stored.ResponseID,
			Ms: ex.Ended.Sub(ex.Began).Milliseconds(), Status: ex.Status, Truncated: ex.Truncated})
		m.Payload = &Payload{Record: stored.ResponseID, MIME: ex.MIME, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1}
	}
	all = append(all, extra...)
	placed := must[[]Placed](t)(f.Append(pack(t, all...)...))
	for i, r := range all {
		m.Members = append(m.Members, Member{Record: r.ID(), Type: r.Type(), SHA256: placed[i].SHA256, Offset: placed[i].Offset, Length: placed[i].Length})
	}
	rec := must[*Record](t)(ManifestRecord(Meta{Look: l, Date: m.Ended, WarcinfoID: opt.WarcinfoID}, m))
	must[[]Placed](t)(f.Append(pack(t, rec)...))
	return m
}

func newFile(t testing.TB) *File {
	t.Helper()
	return must[*File](t)(Create(t.TempDir(), FileName("run", began, 1)))
}

func fileHash(t testing.TB, path string) (int64, Digest) {
	t.Helper()
	data := must[[]byte](t)(os.ReadFile(path))
	sum := sha256.Sum256(data)
	return int64(len(data)), Digest{SHA256, string(sum[:])}
}

func published(f *File) string { return filepath.Join(f.dir, f.name) }

// isCut reports whether reading ended because the file was cut.
func isCut(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
