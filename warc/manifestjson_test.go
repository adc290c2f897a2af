package warc

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fullManifest() *Manifest {
	sum := SumSHA256([]byte("x"))
	ref := &Reference{Record: "urn:uuid:1", URI: "https://x.example/tos", Date: began, WARC: "warc/2024/10/a.warc.gz"}
	session := &Session{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ALPN: "http/1.1", Chain: sum, Proof: sum, Anchor: SumSHA256(nil), ProofMissing: "too-large", Error: "expired"}
	return &Manifest{
		Version: ManifestVersion, Type: "look", Source: "x.tos", URL: "https://x.example/tos", FinalURL: "https://x.example/zh/服务条款", AcceptLanguage: "zh",
		Vantage: "jp-tyo", Time: began, Ended: began.Add(time.Second), N: 12, Prev: &Prev{"urn:uuid:2", sum}, Result: Captured, Error: "e", Detail: `<a href="&">` + "\u2028",
		Status: 200, Bytes: BytesSame, SameAs: ref, Payload: &Payload{Record: "urn:uuid:3", MIME: "text/html", Size: 9, SHA256: sum, SHA1: SumSHA1(nil), DecodedSize: 10, DecodedSHA256: sum, ETag: `W/"a"`, LastModified: "Thu"},
		TLS: session, Robots: &Robots{"ignore", "public contract", "disallowed", "/"}, Declaration: sum, Run: "r", Tool: "t",
		Exchanges: []ExchangeNote{{Kind: KindPage, URI: "u", Request: "a", Response: "b", Via: "c", SameAs: ref, Ms: 1, Size: 2, SHA256: sum, Status: 301, Peer: "[::1]:443", TLS: session, Truncated: TruncatedTime, Error: "timeout", Detail: "d"}},
		Members:   []Member{{"urn:uuid:3", TypeResponse, sum, 10, 20}},
	}
}

func TestManifestForm(t *testing.T) {
	for name, m := range map[string]*Manifest{"full": fullManifest(), "empty": {Time: began, Ended: began}} {
		b := must[[]byte](t)(MarshalManifest(m))
		golden(t, "manifest-"+name+".json", b)
		again := must[*Manifest](t)(ParseManifest(b))
		m.Version, m.Type = ManifestVersion, "look"
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("%s came back differently (-want +got):\n%s", name, diff)
		}
	}
	bad := fullManifest()
	bad.Detail, bad.Error = "broken \xff\xfe text", `kept \ufffd`
	again := must[*Manifest](t)(ParseManifest(must[[]byte](t)(MarshalManifest(bad))))
	if again.Detail != "broken \ufffd\ufffd text" || again.Error != bad.Error {
		t.Errorf("bad text came back as %q and %q", again.Detail, again.Error)
	}
	bad.Detail = strings.Repeat("a", MaxManifest)
	if _, err := MarshalManifest(bad); err == nil {
		t.Error("MarshalManifest wrote more than MaxManifest")
	}
}

func TestManifestRefused(t *testing.T) {
	good := string(must[[]byte](t)(MarshalManifest(fullManifest())))
	if _, err := ParseManifest([]byte(strings.Replace(good, `"v":1`, `"v":2,"new":true`, 1))); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a newer manifest: %v, want ErrNewer with the number", err)
	}
	for name, text := range map[string]string{
		"unknown key":   strings.Replace(good, `"v":1,`, `"v":1,"extra":1,`, 1),
		"twice":         strings.Replace(good, `"n":12,`, `"n":13,"n":12,`, 1),
		"case":          strings.Replace(good, `"source"`, `"Source"`, 1),
		"space":         strings.Replace(good, `,`, `, `, 1),
		"line end":      good + "\n",
		"escape":        strings.Replace(good, `"x.tos"`, `"\u0078.tos"`, 1),
		"order":         strings.Replace(good, `"v":1,"type":"look"`, `"type":"look","v":1`, 1),
		"digest":        strings.Replace(good, "sha256:2", "sha256:g", 1),
		"digest form":   strings.Replace(good, "sha256:", "SHA-256:", 1),
		"not UTF-8":     strings.Replace(good, "expired", "exp\xffred", 1),
		"version 0":     strings.Replace(good, `"v":1`, `"v":0`, 1),
		"type":          strings.Replace(good, `"look"`, `"looks"`, 1),
		"not an object": `[1]`,
		"nothing":       ``,
		"huge":          strings.Repeat(" ", MaxManifest) + good,
	} {
		if m, err := ParseManifest([]byte(text)); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: ParseManifest = %v, %v, want an error", name, m, err)
		}
	}
}

// FuzzManifest checks that what is read is written back the same.
func FuzzManifest(f *testing.F) {
	for _, m := range []*Manifest{fullManifest(), {Time: began, Ended: began}} {
		b, err := MarshalManifest(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"type":"look","detail":"\ufffd"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if scanned, ok := scanManifest(b); ok && (err != nil || !cmp.Equal(scanned, m)) {
			t.Fatalf("scanManifest took %q, parseManifest says %v\n%s", b, err, cmp.Diff(m, scanned))
		}
		if err != nil {
			return
		}
		m.Time, m.Ended = m.Time.UTC(), m.Ended.UTC()
		again, err := MarshalManifest(m)
		if err != nil {
			t.Fatalf("%q was read and can't be written: %v", b, err)
		}
		m2, err := ParseManifest(again)
		if err != nil {
			t.Fatalf("%q was written and can't be read: %v", again, err)
		}
		if diff := cmp.Diff(m, m2); diff != "" {
			t.Fatalf("came back differently:\n%s", diff)
		}
		if bytes.Contains(again, []byte("\n")) {
			t.Fatalf("more than one line: %q", again)
		}
	})
}
