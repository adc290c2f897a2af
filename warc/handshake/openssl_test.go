package handshake

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenSSL makes proofs of handshakes with openssl s_server: every suite, and
// messages cut and padded in ways that crypto/tls does not write.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	a := newAuthority(t)
	for _, c := range []struct {
		name  string
		key   string
		args  string
		suite uint16 // 0 for any
		most  int
	}{
		{"AES-128-GCM", "P-256", "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", tls.TLS_AES_128_GCM_SHA256, 320},
		{"AES-256-GCM", "P-256", "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", tls.TLS_AES_256_GCM_SHA384, 320},
		{"ChaCha20", "P-256", "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", tls.TLS_CHACHA20_POLY1305_SHA256, 320},
		{"default", "RSA-2048", "", 0, 520},
		{"Ed25519", "Ed25519", "-tls1_3", 0, 315},
		{"HelloRetryRequest", "P-256", "-tls1_3 -groups P-384 -ciphersuites TLS_AES_256_GCM_SHA384", tls.TLS_AES_256_GCM_SHA384, 520},
		{"HelloRetryRequest P-256 RSA", "RSA-2048", "-tls1_3 -groups P-256 -ciphersuites TLS_AES_256_GCM_SHA384", tls.TLS_AES_256_GCM_SHA384, 625},
		{"HelloRetryRequest P-384 RSA", "RSA-2048", "-tls1_3 -groups P-384 -ciphersuites TLS_AES_256_GCM_SHA384", tls.TLS_AES_256_GCM_SHA384, 690},
		{"HelloRetryRequest P-384 RSA ChaCha20", "RSA-2048", "-tls1_3 -groups P-384 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", tls.TLS_CHACHA20_POLY1305_SHA256, 690},
		{"fragments", "RSA-2048", "-tls1_3 -max_send_frag 512", 0, 520},
		{"padding", "RSA-2048", "-tls1_3 -record_padding 700", 0, 520},
		{"no middlebox messages", "P-256", "-tls1_3 -no_middlebox", 0, 320},
		{"asks for a certificate", "P-256", "-tls1_3 -verify 1", 0, 355},
		{"TLS 1.2 ECDSA AES-128-GCM", "P-256", "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 340},
		{"TLS 1.2 ECDSA ChaCha20", "P-256", "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 340},
		{"TLS 1.2 RSA AES-256-GCM", "RSA-2048", "-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 520},
		{"TLS 1.2 RSA AES-128-CBC", "RSA-2048", "-tls1_2 -cipher ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, 520},
		{"TLS 1.2 PKCS1", "RSA-2048", "-tls1_2 -sigalgs RSA+SHA256", 0, 520},
		{"TLS 1.2 P-521 share", "RSA-2048", "-tls1_2 -groups P-521", 0, 630},
		{"TLS 1.2 fragments", "RSA-2048", "-tls1_2 -max_send_frag 512", 0, 520},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := serveOpenSSL(t, program, a.issue(t, c.key), strings.Fields(c.args))
			s := connect(t, address, a.clientConfig())
			if _, err := s.conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			proof, facts := s.prove(t, a)
			if c.suite != 0 && facts.Suite != c.suite || facts.Suite != s.state.CipherSuite || facts.Version != s.state.Version {
				t.Errorf("facts = %+v", facts)
			}
			if strings.Contains(c.args, "RSA+SHA256") && facts.Scheme != tls.PKCS1WithSHA256 {
				t.Errorf("scheme %v", facts.Scheme)
			}
			t.Logf("%d bytes", len(proof))
			if len(proof) > c.most {
				t.Errorf("proof of %d bytes, want at most %d", len(proof), c.most)
			}
		})
	}
}

// serveOpenSSL starts s_server for one connection.
func serveOpenSSL(t *testing.T, program string, cert tls.Certificate, args []string) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, typ string, ders ...[]byte) string {
		var b strings.Builder
		for _, der := range ders {
			if err := pem.Encode(&b, &pem.Block{Type: typ, Bytes: der}); err != nil {
				t.Fatal(err)
			}
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	args = append([]string{
		"s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-www", "-alpn", "http/1.1",
		"-key", write("key.pem", "PRIVATE KEY", key),
		"-cert", write("leaf.pem", "CERTIFICATE", cert.Certificate[0]),
		"-cert_chain", write("chain.pem", "CERTIFICATE", cert.Certificate[1:]...),
	}, args...)
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context ends it
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			return address
		}
	}
	_ = cmd.Process.Kill() // it closed its output already
	t.Fatalf("openssl %s: it does not listen: %s", strings.Join(args, " "), complaint.String())
	return ""
}
