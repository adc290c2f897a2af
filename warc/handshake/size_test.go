package handshake

import (
	"bytes"
	"crypto/tls"
	"errors"
	"testing"
)

// TestSize holds that proofs stay small, whatever the key and the key share:
// below 700 bytes all of them, and none larger than it was but for the few bytes
// by which signatures and random bytes differ.
func TestSize(t *testing.T) {
	const limit = 700
	servers := []struct {
		name   string
		config *tls.Config
	}{
		{"TLS 1.3", &tls.Config{}},
		{"HelloRetryRequest to P-256", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}},
		{"HelloRetryRequest to P-384", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}},
	}
	a := newAuthority(t)
	for _, c := range []struct {
		key  string
		most [4]int // bytes, for each of servers
	}{
		{"P-256", [4]int{315, 435, 505, 305}},
		{"P-384", [4]int{355, 470, 540, 335}},
		{"Ed25519", [4]int{315, 430, 500, 300}},
		{"RSA-2048", [4]int{500, 620, 690, 485}},
	} {
		for i, s := range servers {
			config := s.config.Clone()
			config.Certificates = []tls.Certificate{a.issue(t, c.key)}
			config.NextProtos = []string{"h2", "http/1.1"}
			proof, _ := connect(t, serve(t, config), a.clientConfig()).prove(t, a)
			t.Logf("%s, %s: %d bytes", c.key, s.name, len(proof))
			if len(proof) > c.most[i] || len(proof) >= limit {
				t.Errorf("%s, %s: proof of %d bytes, want at most %d and less than %d", c.key, s.name, len(proof), c.most[i], limit)
			}
		}
	}
}

// TestRaw holds that a reader takes any number of bytes at the end of the
// messages unpacked, and that a proof has the signature there.
func TestRaw(t *testing.T) {
	for _, v := range vectors(t) {
		body := unpacked(t, v.Proof)
		for _, raw := range []int{0, 1, 100, len(body)} {
			end := len(body) - raw
			proof := append(pack(t, [32]byte(v.Anchor), [32]byte(v.Nonce), body[:end]), body[end:]...)
			facts, err := Verify(proof, v.Chain, v.options(t))
			if err != nil || facts.Nonce != [32]byte(v.Nonce) {
				t.Errorf("%s with %d bytes unpacked: %+v, %v", v.Name, raw, facts, err)
			}
		}
		if !bytes.HasSuffix(v.Proof, body[len(body)-60:]) {
			t.Errorf("%s: the signature does not stand behind the stream", v.Name)
		}
	}
}

// TestBound holds that what stands behind the stream counts as messages too: the
// largest ones are read, and their signature does not hold; one byte more is too
// much.
func TestBound(t *testing.T) {
	v := vectors(t)[3]
	p, err := parse(v.Proof)
	if err != nil {
		t.Fatal(err)
	}
	extensions := &p.messages[2]
	rest := len(short(p.messages)) - len(*extensions)
	for more, readable := range []bool{true, false} {
		n := maxMessages + more - rest - header
		*extensions = append([]byte{typeEncryptedExtensions, byte(n >> 16), byte(n >> 8), byte(n)}, make([]byte, n)...)
		body := short(p.messages)
		end := len(body) - 64
		proof := append(pack(t, p.anchor, p.nonce, body[:end]), body[end:]...)
		if _, err := Verify(proof, v.Chain, v.options(t)); err == nil || errors.Is(err, ErrSignature) != readable {
			t.Errorf("messages of %d bytes: Verify = %v", len(body), err)
		}
	}
}
