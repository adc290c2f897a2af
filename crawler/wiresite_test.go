package crawler

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// site is a server of raw bytes on loopback, plain and with TLS. It knows
// nothing of HTTP beyond the end of a request's header block, and notes what it
// received and sent on every path.
type site struct {
	plain, secure string // host:port
	roots         *x509.CertPool
	play          func(c *siteConn, path string)

	listeners []net.Listener
	wg        sync.WaitGroup
	mu        sync.Mutex
	log       map[string][]siteExchange // by path
	conns     int                       // accepted
	open      map[net.Conn]bool
}

// siteExchange is what crossed the connection as the server saw it.
type siteExchange struct {
	received, sent []byte
}

// siteConn is one connection while it answers one request.
type siteConn struct {
	net.Conn
	raw  *net.TCPConn
	sent []byte
	over bool // close after this answer
}

// send writes bytes and notes them.
func (c *siteConn) send(s string) {
	n, _ := c.Write([]byte(s))
	c.sent = append(c.sent, s[:n]...)
}

// reset ends the connection with a RST.
func (c *siteConn) reset() {
	c.raw.SetLinger(0)
	c.raw.Close()
	c.over = true
}

// startSite serves play on two loopback ports until the test ends.
func startSite(t testing.TB, play func(c *siteConn, path string)) *site {
	t.Helper()
	ca := newTestCA(t)
	s := &site{play: play, log: map[string][]siteExchange{}, open: map[net.Conn]bool{}, roots: ca.pool}
	s.plain = s.listen(t, nil)
	s.secure = s.listen(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, leafOptions{})}, NextProtos: []string{"h2", "http/1.1"}})
	t.Cleanup(s.stop)
	return s
}

// listen serves on a new port and returns its address.
func (s *site) listen(t testing.TB, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listeners = append(s.listeners, l)
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.open[c] = true
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(c.(*net.TCPConn), config) })
		}
	})
	return l.Addr().String()
}

func (s *site) stop() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// serve answers the requests of one connection.
func (s *site) serve(raw *net.TCPConn, config *tls.Config) {
	conn := net.Conn(raw)
	if config != nil {
		conn = tls.Server(raw, config)
	}
	defer func() {
		s.mu.Lock()
		delete(s.open, raw)
		s.mu.Unlock()
		conn.Close()
	}()
	for {
		request := readRequest(conn)
		if request == nil {
			return
		}
		line, _, _ := strings.Cut(string(request), "\r\n")
		target := strings.Fields(line)[1]
		c := &siteConn{Conn: conn, raw: raw}
		s.play(c, target)
		s.mu.Lock()
		s.log[target] = append(s.log[target], siteExchange{request, c.sent})
		s.mu.Unlock()
		if c.over {
			return
		}
	}
}

// readRequest reads a request without body, nil at the end of the connection.
func readRequest(c io.Reader) []byte {
	var b []byte
	one := make([]byte, 4096)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		n, err := c.Read(one)
		b = append(b, one[:n]...)
		if err != nil {
			return nil
		}
	}
	return b
}

// seen returns the last exchange on a path, waiting for its server side to end.
func (s *site) seen(t testing.TB, path string, number int) siteExchange {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		log := s.log[path]
		s.mu.Unlock()
		if len(log) > number {
			return log[number]
		}
	}
	t.Fatalf("the server saw no exchange %d on %s", number, path)
	return siteExchange{}
}

// connections returns how many connections were accepted so far.
func (s *site) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// testCA issues certificates for tests.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newTestCA(t testing.TB) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &testCA{cert, key, pool}
}

// leafOptions vary a certificate from one that is good for loopback.
type leafOptions struct {
	expired    bool
	names      []string // instead of localhost, and without addresses
	selfSigned bool
}

// issue returns a certificate with its chain.
func (ca *testCA) issue(t testing.TB, o leafOptions) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost", "site.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if o.expired {
		tmpl.NotAfter = time.Now().Add(-time.Minute)
	}
	if o.names != nil {
		tmpl.DNSNames, tmpl.IPAddresses = o.names, nil
	}
	parent, signer := ca.cert, ca.key
	if o.selfSigned {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	chain := [][]byte{der}
	if !o.selfSigned {
		chain = append(chain, ca.cert.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key}
}

// chunked writes body in chunks of n bytes, with an extension on each.
func chunked(body string, n int, trailer string) string {
	var b strings.Builder
	for body != "" {
		m := min(n, len(body))
		fmt.Fprintf(&b, "%X;note=\"chunk\"\r\n%s\r\n", m, body[:m])
		body = body[m:]
	}
	return b.String() + "0\r\n" + trailer + "\r\n"
}

// compressed returns s in a content coding.
func compressed(coding, s string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "deflate":
		w, _ = flate.NewWriter(&b, 6)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		panic(coding)
	}
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// legalText returns n bytes of text that compresses like a legal page.
func legalText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<p id=s%d>%d. You agree that clause %x applies; 您同意第%d条适用于您。</p>\n", i, i, i*2654435761%65521, i)
	}
	return b.String()[:n]
}
