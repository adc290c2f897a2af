package handshake

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestCryptoTLSTakesOurs fails loudly should a Go release stop putting the first
// bytes of tls.Config.Rand into ClientHello.random, for then no handshake has a
// proof any more, or the next ones into legacy_session_id, for then they may have
// become a key that every proof discloses.
func TestCryptoTLSTakesOurs(t *testing.T) {
	a := newAuthority(t)
	for name, config := range map[string]*tls.Config{
		"TLS 1.3":           {},
		"TLS 1.2":           {MaxVersion: tls.VersionTLS12},
		"HelloRetryRequest": {CurvePreferences: []tls.CurveID{tls.CurveP384}},
	} {
		config.Certificates = []tls.Certificate{a.issue(t, "P-256")}
		s := connect(t, serve(t, config), a.clientConfig())
		r := s.recording()
		random, id := Commitment(r.Anchor, r.Nonce), sessionID(r.Nonce)
		hellos := flight{records: r.Client}
		for range 1 + strings.Count(name, "Retry") {
			hello, err := hellos.next()
			if err != nil || hello[0] != typeClientHello {
				t.Fatalf("%s: message %v, %v", name, hello, err)
			}
			if !bytes.Equal(hello[randomStart:randomEnd], random[:]) {
				t.Fatalf("%s: %s DOES NOT TAKE ClientHello.random FROM tls.Config.Rand ANY MORE: no handshake proof can be made "+
					"with this release. See makeClientHello in crypto/tls, and the section \"What it relies on\" of this package.", name, runtime.Version())
			}
			if parsed, err := parseClientHello(hello); err != nil || !bytes.Equal(parsed.session, id[:]) {
				t.Fatalf("%s: %s DOES NOT TAKE legacy_session_id FROM tls.Config.Rand BEHIND ClientHello.random ANY MORE: it used those bytes, which "+
					"follow from the nonce in the proof, for something else, perhaps for a key. Recorder must not supply them with this release. "+
					"See makeClientHello in crypto/tls, and the section \"What it relies on\" of this package.", name, runtime.Version())
			}
		}
		if len(s.recorder.ours) > 0 {
			t.Errorf("%s: %d bytes were not asked for", name, len(s.recorder.ours))
		}
	}
}

// TestOtherSession makes a proof with a session id that is not ours: it verifies,
// and is larger by that.
func TestOtherSession(t *testing.T) {
	a := newAuthority(t)
	r := NewRecorder(anchor)
	r.ours = r.ours[:32]
	config := &tls.Config{Certificates: []tls.Certificate{a.issue(t, "Ed25519")}}
	other, _ := connectWith(t, r, serve(t, config), a.clientConfig()).prove(t, a)
	own, _ := connect(t, serve(t, config), a.clientConfig()).prove(t, a)
	if more := len(other) - len(own); more < 20 || more > 50 {
		t.Errorf("proof of %d bytes with another session id, %d with ours", len(other), len(own))
	}
}

// TestRecorderFailed asks for a proof where no handshake took place.
func TestRecorderFailed(t *testing.T) {
	a := newAuthority(t)
	client, server := net.Pipe()
	go func() {
		_, _ = server.Read(make([]byte, 5000))
		_, _ = server.Write([]byte("SSH-2.0-dropbear\r\n"))
		server.Close()
	}()
	r := NewRecorder(anchor)
	config := a.clientConfig()
	r.Configure(config)
	if err := tls.Client(r.Conn(client), config).Handshake(); err == nil {
		t.Fatal("handshake with an SSH server")
	}
	if _, err := r.Proof(); ReasonOf(err) != Malformed {
		t.Errorf("Proof = %v, want %s", err, Malformed)
	}
}

// TestRecorderBounded holds that a server which talks too much costs no memory.
func TestRecorderBounded(t *testing.T) {
	r := NewRecorder(anchor)
	client, server := net.Pipe()
	go func() {
		for range 40 {
			_, _ = server.Write(make([]byte, 4<<10))
		}
		server.Close()
	}()
	if n, err := io.Copy(io.Discard, r.Conn(client)); n != 160<<10 || err != nil {
		t.Fatal(n, err)
	}
	if r.server != nil || !r.large {
		t.Errorf("%d bytes kept", len(r.server))
	}
	if _, err := r.Proof(); ReasonOf(err) != TooLarge {
		t.Errorf("Proof = %v, want %s", err, TooLarge)
	}
}

// TestKeyLog holds that only one secret is ever kept.
func TestKeyLog(t *testing.T) {
	r := NewRecorder(anchor)
	log := keyLog{r}
	for _, line := range []string{
		"CLIENT_RANDOM 00 11\n", "CLIENT_HANDSHAKE_TRAFFIC_SECRET 00 22\n", "CLIENT_TRAFFIC_SECRET_0 00 33\n",
		"SERVER_TRAFFIC_SECRET_0 00 44\n", "EXPORTER_SECRET 00 55\n", "",
	} {
		if n, err := log.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("Write(%q) = %d, %v", line, n, err)
		}
	}
	if r.secret != nil {
		t.Errorf("kept %x", r.secret)
	}
	if _, err := log.Write([]byte(label + "00 abc\n")); err == nil || strings.Contains(err.Error(), "abc") {
		t.Errorf("a malformed line: %v", err)
	}
	if _, err := log.Write([]byte(label + "00 66\n")); err != nil || !bytes.Equal(r.secret, []byte{0x66}) {
		t.Errorf("secret %x, %v", r.secret, err)
	}
	kept := r.secret
	if r.Stop(); r.secret != nil || kept[0] != 0 {
		t.Error("the secret outlives the recording")
	}
}

// TestRand holds the order of the random bytes.
func TestRand(t *testing.T) {
	r := NewRecorder(anchor)
	source := randReader{r}
	want := Commitment(anchor, r.nonce)
	id := sessionID(r.nonce)
	got := make([]byte, 80)
	for _, part := range [][]byte{got[:1], got[1:30], got[30:70], got[70:]} {
		if n, err := source.Read(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if !bytes.Equal(got[:64], slices.Concat(want[:], id[:])) || bytes.Equal(got[64:70], make([]byte, 6)) || bytes.Equal(got[70:], make([]byte, 10)) {
		t.Errorf("read %x, want %x and %x first", got, want, id)
	}
	again := make([]byte, 32)
	if _, err := source.Read(again); err != nil || bytes.Equal(again, want[:]) || bytes.Equal(again, id[:]) {
		t.Errorf("our bytes came twice: %x, %v", again, err)
	}
	if other := NewRecorder(anchor); other.nonce == r.nonce {
		t.Error("two recorders have one nonce")
	}
}
