package handshake

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// FuzzVerify holds that nothing but what the server signed verifies, and that
// what is read is written back the same. The last bytes of body, as many as raw
// says, stand behind the stream.
func FuzzVerify(f *testing.F) {
	all := vectors(f)
	for i := range all {
		for _, other := range all { // two of them share a key
			f.Add(byte(i), uint16(0), other.Proof[:plain], unpacked(f, other.Proof))
			f.Add(byte(i), uint16(64), other.Proof[:plain], unpacked(f, other.Proof))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, raw uint16, head, body []byte) {
		if len(head) != plain {
			return
		}
		v := all[int(which)%len(all)]
		end := max(len(body)-int(raw), 0)
		proof := pack(t, [32]byte(head[1:33]), [32]byte(head[33:]), body[:end])
		proof = append(proof, body[end:]...)
		proof[0] = head[0]
		p, err := parse(proof)
		if err != nil {
			return
		}
		if again := short(p.messages); !bytes.Equal(again, body) {
			t.Fatalf("read %x, written back as %x", body, again)
		}
		facts, err := Verify(proof, v.Chain, v.options(t))
		if err != nil {
			return
		}
		// A key may have signed several handshakes: this is one of them.
		i := slices.IndexFunc(all, func(o vector) bool { return facts.Nonce == [32]byte(o.Nonce) })
		if i < 0 || !bytes.Equal(facts.PublicKey, publicKey(t, all[i].Chain[0])) {
			t.Fatalf("verified with %+v", facts)
		}
		v = all[i]
		if facts.Path != nil || facts.Anchor != [32]byte(v.Anchor) || facts.Nonce != [32]byte(v.Nonce) || facts.Version != v.Version || facts.Whole && facts.ServerName != v.Host {
			t.Fatalf("verified with %+v", facts)
		}
		genuine, err := parse(v.Proof)
		if err != nil {
			t.Fatal(err)
		}
		last := len(genuine.messages) - 1
		for i, m := range p.messages {
			// ECDSA signatures can be rewritten; TLS 1.2 signs no messages.
			if facts.Whole && i < last && !bytes.Equal(m, genuine.messages[i]) {
				t.Fatalf("verified with message %d = %x, signed was %x", i, m, genuine.messages[i])
			}
		}
	})
}

// FuzzParse reads proofs packed by anybody.
func FuzzParse(f *testing.F) {
	all := vectors(f)
	for _, v := range all {
		f.Add(v.Proof)
	}
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := Verify(b, all[0].Chain, all[0].options(t))
		if err == nil && facts.Anchor != [32]byte(all[0].Anchor) {
			t.Fatalf("verified with %+v", facts)
		}
		if errors.Is(err, ErrNewer) != (len(b) > 0 && len(b) <= MaxProof && b[0] > Version) {
			t.Fatalf("version %d: %v", b[0], err)
		}
	})
}

// FuzzBuild lets a server send anything in the clear. What becomes a proof is
// small and verifies.
func FuzzBuild(f *testing.F) {
	all := vectors(f)
	for i, v := range all {
		f.Add(byte(i), v.Server)
	}
	f.Fuzz(func(t *testing.T, which byte, server []byte) {
		v := all[int(which)%len(all)]
		r := v.recording()
		r.Server = server
		build(t, r)
	})
}

// FuzzFlight lets a server send anything encrypted, in records of a size of its
// choice.
func FuzzFlight(f *testing.F) {
	all := vectors(f)
	for i, v := range all {
		if v.Version == tls.VersionTLS13 {
			f.Add(byte(i), uint16(0), decrypted(f, v))
			f.Add(byte(i), uint16(77), decrypted(f, v))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, size uint16, messages []byte) {
		v := all[int(which)%len(all)]
		if v.Version != tls.VersionTLS13 || len(messages) > MaxFlight {
			return
		}
		r := v.recording()
		clear, key := hellos(t, v)
		r.Server = encrypted(clear, key, messages, int(size)%(1<<14)+1)
		build(t, r)
	})
}

// build checks what Build makes of a recording.
func build(t *testing.T, r Recording) {
	proof, chain, err := Build(r)
	if err != nil {
		if _, typed := errors.AsType[*Error](err); !typed || ReasonOf(err) == NoAnchor || ReasonOf(err) == PlainHTTP {
			t.Fatalf("Build: %v", err)
		}
		return
	}
	facts, err := Verify(proof, chain, VerifyOptions{})
	if err != nil || facts.Anchor != r.Anchor || len(proof) > MaxProof {
		t.Fatalf("%d bytes, %+v, %v", len(proof), facts, err)
	}
}

// publicKey returns that of a certificate.
func publicKey(t testing.TB, der []byte) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c.RawSubjectPublicKeyInfo
}

// unpacked returns the messages of a proof.
func unpacked(t testing.TB, proof []byte) []byte {
	t.Helper()
	body, err := unpack([32]byte(proof[33:plain]), proof[plain:])
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// hellos returns the server's records up to the keys, and a flight with them.
func hellos(t testing.TB, v vector) (clear []byte, key *flight) {
	t.Helper()
	key = &flight{records: v.Server}
	for {
		m, err := key.next()
		if err != nil {
			t.Fatal(err)
		}
		hello, err := parseServerHello(m)
		if err != nil {
			t.Fatal(err)
		}
		if !hello.retry {
			clear = v.Server[:len(v.Server)-len(key.records)]
			if err := key.use(suites[hello.suite], v.Secret); err != nil {
				t.Fatal(err)
			}
			return clear, key
		}
	}
}

// decrypted returns the messages of a server's encrypted flight.
func decrypted(t testing.TB, v vector) (all []byte) {
	t.Helper()
	_, key := hellos(t, v)
	for {
		m, err := key.next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m...)
		if m[0] == typeCertificateVerify {
			return all
		}
	}
}

// encrypted puts messages into records of size bytes behind clear.
func encrypted(clear []byte, key *flight, messages []byte, size int) []byte {
	out := bytes.Clone(clear)
	for sequence := uint64(0); len(messages) > 0; sequence++ {
		n := min(size, len(messages))
		inner := append(bytes.Clone(messages[:n]), recordHandshake)
		messages = messages[n:]
		head := []byte{recordApplication, 3, 3, 0, 0}
		binary.BigEndian.PutUint16(head[3:], uint16(len(inner)+key.aead.Overhead()))
		nonce := bytes.Clone(key.iv)
		for i := range 8 {
			nonce[len(nonce)-1-i] ^= byte(sequence >> (8 * i))
		}
		out = key.aead.Seal(append(out, head...), nonce, inner, head)
	}
	return out
}

// TestFlight holds that FuzzFlight's seeds are whole handshakes: what it encrypts
// is read again.
func TestFlight(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Version != tls.VersionTLS13 {
			continue
		}
		for _, size := range []int{1, 77, 1 << 14} {
			r := v.recording()
			clear, key := hellos(t, v)
			r.Server = encrypted(clear, key, decrypted(t, v), size)
			if _, _, err := Build(r); err != nil {
				t.Errorf("%s in records of %d bytes: %v", v.Name, size, err)
			}
		}
	}
}
