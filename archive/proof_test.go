package archive_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// The handshake proof of a page's connection is a member of its look, and the
// manifest names it by its digest.
func TestHandshakeProof(t *testing.T) {
	t.Parallel()
	dir, err := store.OpenDir(t.TempDir())
	must(t, err)
	b := newBench(t, dir)
	a := b.open(t)
	l, err := a.Begin(t.Context(), b.source, b.canonical, nil)
	must(t, err)
	now := time.Now().UTC()
	proof, body := []byte("the bytes of a proof"), []byte("terms")
	head := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
	ex := &warc.Exchange{
		Kind: warc.KindPage, URI: b.source.URL, Began: now, Ended: now, Method: "GET",
		Request:  warc.Bytes("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
		Response: warc.Bytes(head + string(body)), Head: int64(len(head)), Status: 200,
		PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256(body), PayloadSHA1: warc.SumSHA1(body),
		TLS: &warc.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Chain: [][]byte{[]byte("leaf")}, Proof: proof, Anchor: warc.SumSHA256([]byte("list"))},
	}
	stored, err := l.Exchange(t.Context(), ex)
	must(t, err)
	m := &warc.Manifest{
		Time: now, Ended: now, Result: warc.Captured, Status: 200, TLS: warc.SessionOf(ex.TLS),
		Payload:   &warc.Payload{Record: stored.ResponseID, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1},
		Exchanges: []warc.ExchangeNote{{Kind: warc.KindPage, Request: stored.RequestID, Response: stored.ResponseID}},
	}
	must(t, l.Finish(t.Context(), m, archive.Plan{NextAt: now}, func(catalog.LookRow, error) {}))
	sealed, err := a.Seal(t.Context())
	must(t, err)
	must(t, a.Close())
	b.check(t, 1)

	file, err := os.Open(filepath.Join(dir.Root(), sealed[0].Object))
	must(t, err)
	defer file.Close()
	var found string // id of the proof's record
	var manifest *warc.Manifest
	for rec, err := range warc.NewReader(file).Records() {
		must(t, err)
		block, err := io.ReadAll(rec.Block())
		must(t, err)
		switch rec.Header.Get("Content-Type") {
		case warc.MediaHandshake:
			if found = rec.ID(); string(block) != string(proof) || rec.Header.Get("WARC-Refers-To") != "<"+stored.ResponseID+">" {
				t.Errorf("proof record %v holds %q", rec.Header, block)
			}
		case warc.MediaManifest:
			manifest, err = warc.ParseManifest(block)
			must(t, err)
		}
	}
	if manifest == nil || manifest.TLS.Proof != warc.SumSHA256(proof) || manifest.TLS.Anchor != ex.TLS.Anchor || manifest.TLS.Version != "" {
		t.Fatalf("manifest says %+v", manifest)
	}
	if !slices.ContainsFunc(manifest.Members, func(m warc.Member) bool { return m.Record == found && m.Type == warc.TypeMetadata }) {
		t.Errorf("members %+v, want the proof's record %q among them", manifest.Members, found)
	}
}
