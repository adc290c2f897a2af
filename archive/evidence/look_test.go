package evidence

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

func sampleManifest() *warc.Manifest {
	return &warc.Manifest{
		Version: 1, Type: "look", Source: "b0e2411edd372d3b", URL: "https://x.example/tos", FinalURL: "https://x.example/tos?sid=0815", Vantage: "jp",
		Time: day, Ended: day.Add(time.Second), N: 2, Prev: &warc.Prev{Manifest: idB, SHA256: sum("prev")}, Result: warc.Captured, Status: 200,
		Bytes: warc.BytesSame, SameAs: &warc.Reference{Record: idB, WARC: "warc/2024/10/a.warc.gz"},
		Payload:     &warc.Payload{Record: idB, Size: 9, SHA256: sum("p"), SHA1: warc.SumSHA1([]byte("p"))},
		TLS:         &warc.Session{Chain: sum("chain")},
		Declaration: sum("d"), Run: "r", Tool: "fineprint 0.2.0",
	}
}

func TestFromManifest(t *testing.T) {
	e, err := FromManifest(sampleManifest(), idA, sum("m"), Place{"warc/2024/10/b.warc.gz", 35894, 1752})
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "from-manifest.json", b)
	if bytes.Contains(b, []byte("0815")) {
		t.Errorf("the entry holds the final query: %s", b)
	}
	t.Logf("%d bytes", len(b))
	m := sampleManifest()
	m.URL = "https://u:secret@x.example/tos"
	if _, err := FromManifest(m, idA, sum("m"), Place{"w", 1, 1}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a declared address with a password: %v, want an error without it", err)
	}
}

func TestRedactFinal(t *testing.T) {
	const declared = "https://x.example/tos?lang=en"
	for _, c := range []struct{ final, want string }{
		{"", ""},
		{declared, ""},
		{declared + "#top", ""},
		{"https://x.example/tos?lang=en&sid=0815", "https://x.example/tos?redacted"},
		{"https://x.example/tos?token", "https://x.example/tos?redacted"},
		{"https://y.example/?lang=en", "https://y.example/?lang=en"},
		{"https://y.example/a;jsessionid=AA/b;c?lang=en", "https://y.example/a/b?lang=en"},
		{"https://u:p@x.example/tos", "https://x.example/tos"},
		{"https://x.example/%7eann/服务", "https://x.example/%7eann/服务"},
		{"https://x.example/" + strings.Repeat("a", 3000), "redacted:"},
		{"https://x.example/%zz?secret", "https://x.example/%zz?redacted"},
		{"https://x.example/a b?secret", "https://x.example/a b?redacted"},
		{"https://x.example/a\x01b?secret", "redacted:"},
		{"https://x.example", "https://x.example"},
		{"https://x.example?", "https://x.example?redacted"},
		{"mailto:a@x.example", "redacted:"},
		{"http://[::1%25eth0]:80/a", "http://[::1%25eth0]:80/a"},
	} {
		got := RedactFinal(declared, c.final)
		if got != c.want {
			t.Errorf("RedactFinal(…, %.60q) = %q, want %q", c.final, got, c.want)
		}
		if got != "" && !publicAddress(got) {
			t.Errorf("%q may not stand in an entry", got)
		}
	}
}

func TestPrivate(t *testing.T) {
	e, err := FromManifest(sampleManifest(), idA, sum("m"), Place{"warc/2024/10/b.warc.gz", 35894, 1752})
	if err != nil {
		t.Fatal(err)
	}
	salt := SourceSalt([]byte("secret of the operator"), e.Source)
	p, err := e.Private(salt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "private.json", b)
	m := sampleManifest()
	for _, guess := range []string{m.Source, "x.example", m.Payload.SHA256.Hex(), m.Payload.SHA1.Base32(), m.TLS.Chain.Hex(), m.Declaration.Hex()} {
		if bytes.Contains(b, []byte(guess)) {
			t.Errorf("the entry of a private source shows %s: %s", guess, b)
		}
	}
	if other, err := e.Private(SourceSalt([]byte("another"), e.Source)); err != nil || other.Source == p.Source || other.URL == p.URL {
		t.Errorf("another salt: %v, %s; want another commitment", err, other.Source)
	}
	if _, err := e.Private([]byte("short")); err == nil {
		t.Error("Private took a short salt")
	}
	if _, err := p.Private(salt); err == nil {
		t.Error("Private committed to a commitment")
	}
	lost, err := Entry{Type: TypeLost, Source: e.Source, N: 1, Run: "r", Time: day}.Private(salt)
	if err != nil || lost.Source != p.Source {
		t.Errorf("the lost look of a private source is of %q, %v, want %q", lost.Source, err, p.Source)
	}
}
