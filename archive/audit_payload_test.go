package archive_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// told is what a crawler says of the look that brought a page by a redirect.
type told struct {
	hop, page *warc.Exchange
	payload   *warc.Payload
	note      *warc.ExchangeNote // of the redirect
}

// lie makes a look whose records are what crawler says they are but for what
// change does, sealed and logged like any other.
func (b *audited) lie(t *testing.T, a *archive.Archive, source declaration.Source, canonical []byte, response string, body, plain []byte, change func(*told)) {
	t.Helper()
	l, err := a.Begin(t.Context(), source, canonical, nil)
	must(t, err)
	now := time.Now().UTC()
	ex := func(response string, body []byte) *warc.Exchange {
		return &warc.Exchange{
			Kind: warc.KindPage, URI: source.URL, Began: now, Ended: now, Method: "GET", Request: warc.Bytes("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
			Response: warc.Bytes(response), Head: int64(strings.Index(response, "\r\n\r\n") + 4), Status: 200, MIME: "text/plain",
			PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256(body), PayloadSHA1: warc.SumSHA1(body),
		}
	}
	w := &told{hop: ex("HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nthis", []byte("this")), page: ex(response, body)}
	w.payload = &warc.Payload{Size: w.page.PayloadSize, SHA256: w.page.PayloadSHA256, SHA1: w.page.PayloadSHA1, DecodedSize: int64(len(plain)), DecodedSHA256: warc.SumSHA256(plain)}
	w.note = &warc.ExchangeNote{Size: w.hop.PayloadSize, SHA256: w.hop.PayloadSHA256}
	change(w)
	first, err := l.Exchange(t.Context(), w.hop)
	must(t, err)
	second, err := l.Exchange(t.Context(), w.page)
	must(t, err)
	w.payload.Record, w.note.Response = second.ResponseID, first.ResponseID
	m := &warc.Manifest{Time: now, Ended: now, Result: warc.Captured, Status: 200, Payload: w.payload,
		Exchanges: []warc.ExchangeNote{*w.note, {Response: second.ResponseID}}}
	entered := make(chan error, 1)
	must(t, l.Finish(t.Context(), m, archive.Plan{NextAt: now}, func(_ catalog.LookRow, err error) { entered <- err }))
	a.Flush()
	must(t, <-entered)
}

// TestAuditPayload has a crawler say something else of a payload than it stored:
// every digest of a record, every entry and every index is good.
func TestAuditPayload(t *testing.T) {
	t.Parallel()
	var coded bytes.Buffer
	z := gzip.NewWriter(&coded)
	_, err := z.Write([]byte("the terms"))
	must(t, err)
	must(t, z.Close())
	other := []byte("other terms")
	none := func(*told) {}
	const (
		page    = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nthe terms"
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthe\r\n6\r\n terms\r\n0\r\n\r\n"
		look    = "look "
	)
	gz := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-encoding:  GZIP \r\n\r\n" + coded.String()
	bad := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nthe terms"
	for _, tc := range []struct {
		name, response string
		body           []byte // entity body
		change         func(*told)
		decode         bool
		want           string // in the one finding, "" for none
	}{
		{"true", page, []byte("the terms"), none, true, ""},
		{"chunked", chunked, []byte("the terms"), none, true, ""},
		{"coded", gz, coded.Bytes(), none, true, ""},
		{"coded, not decoded", gz, coded.Bytes(), none, false, ""},
		{"cannot be decoded", bad, []byte("the terms"), none, true, ""},
		{"cut within a chunk", chunked[:len(chunked)-14], []byte("the "), func(w *told) { w.page.Truncated = warc.TruncatedLength }, false, ""},
		{"label of the record", page, []byte("the terms"), func(w *told) { w.page.PayloadSHA1 = warc.SumSHA1(other) }, false, "is not of the digest in the header of the record"},
		{"label of the redirect", page, []byte("the terms"), func(w *told) { w.hop.PayloadSHA1 = warc.SumSHA1(other) }, false, "is not of the digest in the header of the record"},
		{"SHA-1 of the manifest", page, []byte("the terms"), func(w *told) { w.payload.SHA1 = warc.SumSHA1(other) }, false, warc.SumSHA1(other).String()},
		{"SHA-256", page, []byte("the terms"), func(w *told) { w.payload.SHA256 = warc.SumSHA256(other) }, false, warc.SumSHA256(other).String()},
		{"size", page, []byte("the terms"), func(w *told) { w.payload.Size++ }, false, "has 9 bytes"},
		{"SHA-256 of chunks", chunked, []byte("the terms"), func(w *told) { w.payload.SHA256 = warc.SumSHA256(other) }, false, warc.SumSHA256(other).String()},
		{"SHA-256 of the redirect", page, []byte("the terms"), func(w *told) { w.note.SHA256 = warc.SumSHA256(other) }, false, warc.SumSHA256(other).String()},
		{"size of the redirect", page, []byte("the terms"), func(w *told) { w.note.Size++ }, false, "has 4 bytes"},
		{"decoded", gz, coded.Bytes(), func(w *told) { w.payload.DecodedSHA256 = warc.SumSHA256(other) }, true, "decodes to 9 bytes"},
		{"decoded size", gz, coded.Bytes(), func(w *told) { w.payload.DecodedSize++ }, true, "decodes to 9 bytes"},
		{"decoded without coding", page, []byte("the terms"), func(w *told) { w.payload.DecodedSHA256 = warc.SumSHA256(other) }, true, "decodes to 9 bytes"},
		{"decoded, not asked for", gz, coded.Bytes(), func(w *told) { w.payload.DecodedSHA256 = warc.SumSHA256(other) }, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := makeAudited(t, 1, func(b *audited, a *archive.Archive, set *declaration.Set, _ int) {
				b.capture(t, a, set.Sources[0], set.Canonical(set.Sources[0].ID), "another page")
				s := set.Sources[1]
				b.lie(t, a, s, set.Canonical(s.ID), tc.response, tc.body, []byte("the terms"), tc.change)
			})
			_, found := b.audit(t, func(cfg *archive.AuditConfig) { cfg.Decode = tc.decode })
			if tc.want == "" {
				if len(found) > 0 {
					t.Errorf("findings %q, want none", found)
				}
				return
			}
			about := fmt.Sprintf("%s%s 1 %s 1: ", look, b.warcs[0], b.sources[1].ID)
			if len(found) != 1 || !strings.HasPrefix(found[0], about) || !strings.Contains(found[0], tc.want) {
				t.Errorf("findings %q, want one that begins %q and has %q", found, about, tc.want)
			}
		})
	}
}
