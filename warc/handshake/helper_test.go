package handshake

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// host is the name of all test servers.
const host = "policies.example.com"

// authority issues certificates, over one intermediate.
type authority struct {
	roots  *x509.CertPool
	root   *x509.Certificate
	middle *x509.Certificate
	key    crypto.Signer // of middle
}

// keys are made once: RSA keys take time.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	ec := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{
		"P-256": ec(elliptic.P256()), "P-384": ec(elliptic.P384()), "P-521": ec(elliptic.P521()),
		"RSA-2048": rsaKey, "Ed25519": edKey, "CA": ec(elliptic.P256()),
	}
})

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{roots: x509.NewCertPool(), key: keys()["CA"]}
	ca := func(name string, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent = template
		}
		return sign(t, template, parent, a.key.Public(), a.key)
	}
	a.root = ca("root", nil)
	a.middle = ca("middle", a.root)
	a.roots.AddCert(a.root)
	return a
}

func sign(t testing.TB, template, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// issue returns a certificate for host and 127.0.0.1 with a chain of three.
func (a *authority) issue(t testing.TB, kind string) tls.Certificate {
	t.Helper()
	key := keys()[kind]
	leaf := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: kind}, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.middle, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.middle.Raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}
}

// anchor is that of all test proofs.
var anchor = Commitment([32]byte{1}, [32]byte{2})

// serve answers one connection with TLS and a byte of application data.
func serve(t testing.TB, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			_, _ = s.Write([]byte("!"))
			_, _ = io.Copy(io.Discard, s)
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// session is a connection with its recorder before the proof was asked for.
type session struct {
	recorder *Recorder
	conn     *tls.Conn
	state    tls.ConnectionState
	chain    [][]byte
}

// connect makes a recorded handshake with the server at address.
func connect(t testing.TB, address string, config *tls.Config) *session {
	t.Helper()
	return connectWith(t, NewRecorder(anchor), address, config)
}

// connectWith makes a handshake that r records.
func connectWith(t testing.TB, r *Recorder, address string, config *tls.Config) *session {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	r.Configure(config)
	s := &session{recorder: r, conn: tls.Client(r.Conn(raw), config)}
	if err := s.conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	s.state = s.conn.ConnectionState()
	for _, c := range s.state.PeerCertificates {
		s.chain = append(s.chain, c.Raw)
	}
	return s
}

// clientConfig is what the crawler uses.
func (a *authority) clientConfig() *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: a.roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// recording copies what the recorder holds before its proof is asked for.
func (s *session) recording() Recording {
	r := s.recorder
	return Recording{Anchor: r.anchor, Nonce: r.nonce, Client: bytes.Clone(r.client), Server: bytes.Clone(r.server), Secret: bytes.Clone(r.secret)}
}

// pack writes a proof of any content, all of it packed.
func pack(t testing.TB, anchor, nonce [32]byte, body []byte) []byte {
	t.Helper()
	out, err := appendPacked(slices.Concat([]byte{Version}, anchor[:], nonce[:]), nonce, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
