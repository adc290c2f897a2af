package warc

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nlnwa/gowarc/v2"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares got with testdata/<name>.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := must[[]byte](t)(os.ReadFile(path))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs from what is written (-want +got):\n%s", path, diff)
	}
}

// TestRecordsGolden pins ids and dates and compares whole records of every type.
func TestRecordsGolden(t *testing.T) {
	const uri = "https://x.example/zh-cn/tos?lang=zh"
	const warcinfo = "urn:uuid:11111111-1111-4111-8111-111111111111"
	meta := func(l *Look) Meta {
		return Meta{ID: "urn:uuid:22222222-2222-4222-8222-222222222222", Date: began, WarcinfoID: warcinfo, Look: l}
	}
	newLook := func() *Look { return NewLook("x.tos.zh", 7, pinned()) }
	records := func(ex *Exchange, ref *Reference) []*Record {
		rs, _, err := newLook().Records(ex, RecordOptions{WarcinfoID: warcinfo, Revisit: ref})
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	page := exchange(t, uri, message(chunked("<p>服务", "条款</p>"), "HTTP/1.1 200 OK", "content-TYPE: text/html;charset=utf-8", "Transfer-Encoding: chunked"))
	earlier := &Reference{Record: "urn:uuid:33333333-3333-8333-8333-333333330002", URI: uri, Date: began.AddDate(0, -1, 0)}
	odd := exchange(t, uri, message("%PDF-1.7 body", "HTTP/1.0 200 OK", "Content-Type: text/html", "Content-Length: 13"))
	odd.Interim, odd.Surplus, odd.TLS = []byte("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"), []byte("trailing junk"), nil
	cut := exchange(t, uri, message("half", "HTTP/1.1 200 OK", "Content-Length: 400"))
	cut.Truncated = TruncatedDisconnect
	nothing := exchange(t, uri, message("", "HTTP/1.1 200 OK"))
	nothing.Response, nothing.Head, nothing.Fragment, nothing.Truncated = nil, 0, []byte("HTTP/1.1 2"), TruncatedDisconnect
	unchanged := exchange(t, uri, message("", "HTTP/1.1 304 Not Modified", `ETag: "a"`))
	proven := exchange(t, uri, message("terms", "HTTP/1.1 200 OK", "Content-Length: 5"))
	proven.TLS.Proof = []byte("a proof")
	l := newLook()
	manifest := &Manifest{Source: l.Source, N: l.N, URL: uri, Time: began, Ended: began, Result: Failed, Error: "timeout",
		Detail: "no answer <&> \xff ", Run: "run-1", Tool: "fineprint 0.1", Prev: &Prev{Manifest: l.ManifestID(), SHA256: SumSHA256(nil)}}
	for _, tc := range []struct {
		name    string
		records []*Record
	}{
		{"response", records(page, nil)},
		{"revisit", records(page, earlier)[1:]},
		{"not-modified-revisit", records(unchanged, earlier)[1:]},
		{"not-modified-response", records(unchanged, nil)[1:]},
		{"extras", records(odd, nil)},
		{"truncated", records(cut, nil)[1:]},
		{"no-response", records(nothing, nil)},
		{"proof", records(proven, nil)[2:]},
		{"warcinfo", []*Record{must[*Record](t)(WarcinfoRecord(Meta{ID: warcinfo, Date: began}, Warcinfo{Filename: "a.warc.gz", Software: "fineprint/0.1",
			Robots: "obey", Operator: "存档 <ops@archive.example>", UserAgent: "fineprint/0.1 (+https://archive.example)", Run: "run-1", Config: SumSHA256(nil)}))}},
		{"chain", []*Record{must[*Record](t)(CertificateChain(meta(nil), [][]byte{[]byte("leaf"), []byte("issuer")}))}},
		{"declaration", []*Record{must[*Record](t)(DeclarationRecord(meta(nil), []byte(`{"url":"https://x.example"}`)))}},
		{"manifest", []*Record{must[*Record](t)(ManifestRecord(meta(l), manifest))}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var all bytes.Buffer
			for _, r := range tc.records {
				all.Write(plain(t, r))
			}
			golden(t, tc.name+".warc", all.Bytes())
		})
	}
}

func TestHeaderInjection(t *testing.T) {
	bad := "https://x.example/\r\nWARC-Type: response"
	ex := exchange(t, "https://x.example/", message("", "HTTP/1.1 200 OK"))
	for name, breakIt := range map[string]func(ex *Exchange, ref *Reference, l *Look){
		"target": func(ex *Exchange, _ *Reference, _ *Look) { ex.URI = bad },
		"cipher": func(ex *Exchange, _ *Reference, _ *Look) { ex.TLS = &TLS{Cipher: "A\nB: c"} },
		"tls":    func(ex *Exchange, _ *Reference, _ *Look) { ex.TLS = &TLS{Version: "1.3\x00"} },
		"source": func(_ *Exchange, _ *Reference, l *Look) { l.Source = "a\r\nb" },
		"refers": func(_ *Exchange, ref *Reference, _ *Look) { ref.URI = bad },
		"record": func(_ *Exchange, ref *Reference, _ *Look) { ref.Record = "urn:x\r\nA: b" },
		"truncate": func(ex *Exchange, _ *Reference, _ *Look) {
			ex.Response, ex.Fragment, ex.Truncated = nil, []byte("x"), "a\rb"
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ref, l := *ex, &Reference{Record: "urn:uuid:1", URI: ex.URI, Date: began}, NewLook("s", 1, pinned())
			breakIt(&c, ref, l)
			_, _, err := l.Records(&c, RecordOptions{Revisit: ref})
			if !errors.Is(err, ErrControl) {
				t.Errorf("Records = %v, want ErrControl", err)
			}
		})
	}
	if _, err := WarcinfoRecord(Meta{Date: began}, Warcinfo{Operator: "a\nrobots: ignore"}); !errors.Is(err, ErrControl) {
		t.Errorf("WarcinfoRecord = %v, want ErrControl", err)
	}
	if err := (Header{{"Bad Name", "x"}}).Check(); err == nil {
		t.Error("Check of a name with a space = nil")
	}
}

func TestRevisitRefused(t *testing.T) {
	ref := &Reference{Record: "urn:uuid:1", URI: "https://x.example/", Date: began}
	cut := exchange(t, ref.URI, message("x", "HTTP/1.1 200 OK"))
	cut.Truncated = TruncatedLength
	blank := exchange(t, ref.URI, message("x", "HTTP/1.1 200 OK"))
	blank.PayloadSHA1 = Digest{}
	for name, ex := range map[string]*Exchange{"truncated": cut, "no digest": blank} {
		if _, _, err := NewLook("s", 1, nil).Records(ex, RecordOptions{Revisit: ref}); err == nil {
			t.Errorf("%s: Records made a revisit", name)
		}
	}
}

func TestLookIDs(t *testing.T) {
	l := NewLook("s", 3, nil)
	seen := map[string]bool{l.ManifestID(): true}
	for range maxIDs - 1 {
		id := l.NextID()
		if m, err := ManifestOf(id); err != nil || m != l.ManifestID() {
			t.Fatalf("ManifestOf(%s) = %s, %v, want %s", id, m, err, l.ManifestID())
		}
		if seen[id] {
			t.Fatalf("id %s came twice", id)
		}
		seen[id] = true
	}
	ex := exchange(t, "https://x.example/", message("x", "HTTP/1.1 200 OK"))
	if _, _, err := l.Records(ex, RecordOptions{}); !errors.Is(err, ErrLookFull) {
		t.Errorf("Records of a full look = %v, want ErrLookFull", err)
	}
	again := must[*Look](t)(ResumeLook("s", 3, l.ManifestID()))
	if again.ManifestID() != l.ManifestID() {
		t.Errorf("ResumeLook gives manifest %s, want %s", again.ManifestID(), l.ManifestID())
	}
	for _, bad := range []string{"", "urn:uuid:", "urn:uuid:11111111-1111-4111-8111-111111110000", strings.ToUpper(l.ManifestID()), l.ManifestID() + "0"} {
		if _, err := ManifestOf(bad); err == nil {
			t.Errorf("ManifestOf(%q) = nil error", bad)
		}
	}
	if _, err := ResumeLook("s", 3, NewLook("s", 3, nil).NextID()); err == nil {
		t.Error("ResumeLook took an id that is not a manifest's")
	}
}

// TestGowarcAgrees lets the strict reader of gowarc judge our records.
func TestGowarcAgrees(t *testing.T) {
	f := newFile(t)
	must[[]Placed](t)(f.Append(pack(t, must[*Record](t)(WarcinfoRecord(Meta{Date: began}, Warcinfo{Filename: f.Name(), Software: "fineprint"})))...))
	l := NewLook("x.tos", 1, nil)
	page := exchange(t, "https://x.example/tos", message(terms(3000), "HTTP/1.1 200 OK", "Content-Type: text/html"))
	chain := must[*Record](t)(CertificateChain(Meta{Date: began}, [][]byte{{1, 2, 3}}))
	writeLook(t, f, l, []*Exchange{page}, RecordOptions{}, chain)
	must[Summary](t)(f.Close())
	r := must[*gowarc.WarcFileReader](t)(gowarc.NewWarcFileReader(published(f), 0, gowarc.WithStrictValidation(), gowarc.WithFixDigest(false)))
	defer r.Close()
	count := 0
	for {
		rec, _, v, err := r.Next()
		if rec == nil {
			break
		}
		if err != nil || !v.Valid() {
			t.Fatalf("gowarc: %v, %v", err, v)
		}
		count++
	}
	if count != 5 {
		t.Errorf("gowarc read %d records, want 5", count)
	}
}

// TestSessionOf holds what a manifest says of a connection's proof.
func TestSessionOf(t *testing.T) {
	chain, anchor := [][]byte{[]byte("leaf"), []byte("issuer")}, SumSHA256([]byte("list"))
	bare := Session{Version: "1.3", Cipher: "c", ALPN: "http/1.1", Chain: SumSHA256([]byte("leafissuer"))}
	proven, missing := bare, bare
	proven.Proof, proven.Anchor = SumSHA256([]byte("proof")), anchor
	missing.ProofMissing = "too-large"
	for _, c := range []struct {
		name string
		tls  *TLS
		want *Session
	}{
		{"plain http", nil, nil},
		{"no anchor", &TLS{Version: "1.3", Cipher: "c", ALPN: "http/1.1", Chain: chain}, &bare},
		{"proof", &TLS{Version: "1.3", Cipher: "c", ALPN: "http/1.1", Chain: chain, Proof: []byte("proof"), Anchor: anchor}, &proven},
		{"missing", &TLS{Version: "1.3", Cipher: "c", ALPN: "http/1.1", Chain: chain, Anchor: anchor, ProofMissing: "too-large"}, &missing},
	} {
		if diff := cmp.Diff(c.want, SessionOf(c.tls)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
