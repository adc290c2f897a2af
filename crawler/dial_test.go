package crawler

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// names is a resolver of a few names, each call answering with the next list.
type names map[string][][]string

// LookupNetIP implements Resolver.
func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	lists := n[host]
	if len(lists) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(lists) > 1 {
		n[host] = lists[1:]
	}
	var out []netip.Addr
	for _, s := range lists[0] {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

func TestPublicAddress(t *testing.T) {
	for s, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "64:ff9b::808:808": true, "2002:808:808::1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.8.9.1": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false,
		"172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.128.0.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "239.255.255.250": false, "255.255.255.255": false,
		"240.0.0.1": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "198.18.0.1": false,
		"198.19.255.255": false, "192.0.0.1": false, "192.88.99.1": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "fec0::1": false, "ff02::1": false,
		"2001:db8::1": false, "3fff::1": false, "2001::1": false, "2001:2::1": false, "100::1": false, "5f00::1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::808:808": false,
		"2002:7f00:1::1": false, "2002:a00:1::1": false, "2002:c0a8:1::": false, "2606:4700::1%eth0": false,
	} {
		if got := publicAddress(netip.MustParseAddr(s)); got != want {
			t.Errorf("publicAddress(%s) = %v, want %v", s, got, want)
		}
	}
	if publicAddress(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

// TestPrivateRefused checks every way to spell or resolve to a private address,
// directly and through a proxy, which resolves names itself.
func TestPrivateRefused(t *testing.T) {
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 204 No Content\r\n\r\n") })
	_, port, _ := net.SplitHostPort(s.plain)
	proxied := startProxy(t, proxyOptions{})
	direct, err := NewWire(WireConfig{Resolver: names{
		"inner.test": {{"127.0.0.1"}}, "mapped.test": {{"::ffff:127.0.0.1", "fd00::1"}}, "localhost": {{"127.0.0.1"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	through, err := NewWire(WireConfig{Proxy: proxied.url(t, "http", "")})
	if err != nil {
		t.Fatal(err)
	}
	literals := []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.",
		"[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0", "169.254.169.254", "10.0.0.1", "localhost", "LOCALHOST.",
	}
	for _, host := range append(literals, "inner.test", "mapped.test") {
		for name, w := range map[string]*Wire{"direct": direct, "proxy": through} {
			if name == "proxy" && strings.HasSuffix(host, ".test") || name == "direct" && strings.HasSuffix(host, ".") && !strings.HasPrefix(host, "1") {
				continue
			}
			for _, scheme := range []string{"http", "https"} {
				r := w.Exchange(t.Context(), newRequest(t, "GET", scheme+"://"+host+":"+port+"/"))
				if codeOf(r) != CodePrivateAddress || r.Request != nil || r.Err.Transient {
					t.Errorf("%s, %s: %v", name, host, r.Err)
				}
				r.Close()
			}
		}
	}
	if n := s.connections(); n != 0 {
		t.Errorf("%d connections to the private server", n)
	}
}

// TestRebinding checks that the address is looked at for every connection: a
// name that was public a moment ago is not trusted.
func TestRebinding(t *testing.T) {
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 204 No Content\r\n\r\n") })
	w, err := NewWire(WireConfig{
		Timeout:  50 * time.Millisecond,
		Resolver: names{"rebind.test": {{"192.0.2.1"}, {"127.0.0.1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.plain)
	for range 2 {
		r := w.Exchange(t.Context(), newRequest(t, "GET", "http://rebind.test:"+port+"/"))
		if codeOf(r) != CodePrivateAddress {
			t.Errorf("error %v", r.Err)
		}
		r.Close()
	}
	if n := s.connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestResolved checks that a name is connected at the address it resolves to,
// the next address being tried when one refuses.
func TestResolved(t *testing.T) {
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 204 No Content\r\n\r\n") })
	w := newTestWire(t, WireConfig{RootCAs: s.roots, Resolver: names{
		"site.test": {{"127.0.0.3", "::1", "127.0.0.1"}}, "down.test": {{"127.0.0.3", "127.0.0.4"}},
	}})
	for scheme, addr := range map[string]string{"http": s.plain, "https": s.secure} {
		_, port, _ := net.SplitHostPort(addr)
		r := w.Exchange(t.Context(), newRequest(t, "GET", scheme+"://site.test:"+port+"/"))
		if r.Err != nil || r.Peer.String() != addr {
			t.Errorf("%s: %v, peer %v", scheme, r.Err, r.Peer)
		}
		r.Close()
		r = w.Exchange(t.Context(), newRequest(t, "GET", scheme+"://down.test:"+port+"/"))
		if codeOf(r) != CodeConnect || !r.Err.Transient || r.Request != nil {
			t.Errorf("%s: %v", scheme, r.Err)
		}
		r.Close()
	}
	r := w.Exchange(t.Context(), newRequest(t, "GET", "http://nowhere.test/"))
	if codeOf(r) != CodeDNS || r.Err.Transient {
		t.Errorf("unknown name: %+v", r.Err)
	}
}

// TestCertificates checks that no data is fetched from a server whose chain is
// not accepted, and that the chain and the reason are kept.
func TestCertificates(t *testing.T) {
	ca, other := newTestCA(t), newTestCA(t)
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") })
	config := func(o leafOptions) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.issue(t, o)}}
	}
	old := config(leafOptions{})
	old.MaxVersion = tls.VersionTLS12
	ancient := config(leafOptions{})
	ancient.MaxVersion, ancient.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	for _, c := range []struct {
		name    string
		config  *tls.Config
		roots   *testCA
		version string
		chain   int
		error   string // in TLS.Error
	}{
		{"good", config(leafOptions{}), ca, "1.3", 2, ""},
		{"TLS 1.2", old, ca, "1.2", 2, ""},
		{"TLS 1.1", ancient, ca, "", 0, "version"},
		{"expired", config(leafOptions{expired: true}), ca, "", 2, "expired"},
		{"wrong host", config(leafOptions{names: []string{"other.test"}}), ca, "", 2, "127.0.0.1"},
		{"self-signed", config(leafOptions{selfSigned: true}), ca, "", 1, "authority"},
		{"unknown CA", config(leafOptions{}), other, "", 2, "authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := s.listen(t, c.config)
			file := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.roots.cert.Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			roots, err := CAPool(file)
			if err != nil {
				t.Fatal(err)
			}
			r := newTestWire(t, WireConfig{RootCAs: roots}).Exchange(t.Context(), newRequest(t, "GET", "https://"+addr+"/x"))
			defer r.Close()
			if r.TLS == nil || len(r.TLS.Chain) != c.chain || r.TLS.Version != c.version || r.Peer.String() != addr {
				t.Fatalf("TLS = %+v, peer %v, error %v", r.TLS, r.Peer, r.Err)
			}
			if c.error == "" {
				if r.Err != nil || r.TLS.Error != "" || r.Session == nil {
					t.Errorf("error %v, %q", r.Err, r.TLS.Error)
				}
				return
			}
			if codeOf(r) != CodeTLS || r.Err.Transient || !strings.Contains(r.TLS.Error, c.error) || r.Request != nil || r.Exchange.Response != nil {
				t.Errorf("error %+v, TLS error %q", r.Err, r.TLS.Error)
			}
			for _, der := range r.TLS.Chain {
				if _, err := x509.ParseCertificate(der); err != nil {
					t.Error(err)
				}
			}
		})
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listeners = append(s.listeners, plain)
	s.wg.Go(func() {
		if c, err := plain.Accept(); err == nil {
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			io.Copy(io.Discard, c)
			c.Close()
		}
	})
	r := newTestWire(t, WireConfig{}).Exchange(t.Context(), newRequest(t, "GET", "https://"+plain.Addr().String()+"/"))
	if codeOf(r) != CodeTLS {
		t.Errorf("TLS to a plain port: %v", r.Err)
	}
	if _, err := CAPool(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("CAPool of a missing file gives no error")
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	os.WriteFile(empty, []byte("no certificate"), 0o600)
	if _, err := CAPool(empty); err == nil || !strings.Contains(err.Error(), "empty.pem") {
		t.Errorf("CAPool of an empty file: %v", err)
	}
}

// TestTimes checks the limits of time and the end of the context, each with
// what had come until then.
func TestTimes(t *testing.T) {
	came := make(chan bool, 1)
	hold := make(chan bool)
	s := startSite(t, func(c *siteConn, path string) {
		c.over = true
		switch path {
		case "/silent":
		case "/head":
			c.send("HTTP/1.1 200 OK\r\nContent-")
		case "/body":
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
		case "/drip":
			c.send("HTTP/1.1 200 OK\r\n\r\n")
			for range 1000 {
				c.send("x")
				select {
				case <-hold:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		}
		came <- true
		<-hold
	})
	defer close(hold)
	for _, c := range []struct {
		path      string
		cfg       WireConfig
		cancel    bool
		code      Code
		truncated warc.Truncation
		response  string // prefix
	}{
		{"/silent", WireConfig{FirstByteTimeout: 20 * time.Millisecond}, false, CodeTimeout, "", ""},
		{"/head", WireConfig{Timeout: 100 * time.Millisecond, FirstByteTimeout: 50 * time.Millisecond}, false, CodeTimeout, "time", ""},
		{"/body", WireConfig{Timeout: 100 * time.Millisecond, FirstByteTimeout: 50 * time.Millisecond}, false, CodeTimeout, "time", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"},
		{"/drip", WireConfig{Timeout: 100 * time.Millisecond}, false, CodeTimeout, "time", "HTTP/1.1 200 OK\r\n\r\nxxx"},
		{"/silent", WireConfig{}, true, CodeInterrupted, "", ""},
		{"/head", WireConfig{}, true, CodeInterrupted, truncatedUnspecified, ""},
		{"/body", WireConfig{}, true, CodeInterrupted, truncatedUnspecified, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() {
			defer close(done)
			if c.cancel {
				<-came
				time.Sleep(10 * time.Millisecond) // the bytes are on their way
				cancel()
			}
		}()
		r := newTestWire(t, c.cfg).Exchange(ctx, newRequest(t, "GET", "http://"+s.plain+c.path))
		response := string(readBlock(t, r.Exchange.Response))
		if codeOf(r) != c.code || r.Truncated != c.truncated || !strings.HasPrefix(response, c.response) || r.Request == nil {
			t.Errorf("%s: %v, truncated %q, response %q", c.path, r.Err, r.Truncated, response)
		}
		if c.path == "/head" && string(r.Fragment) != "HTTP/1.1 200 OK\r\nContent-" {
			t.Errorf("fragment %q", r.Fragment)
		}
		<-done
		if !c.cancel && c.path != "/drip" {
			<-came
		}
		cancel()
		r.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := newTestWire(t, WireConfig{}).Exchange(ctx, newRequest(t, "GET", "http://"+s.plain+"/")); codeOf(r) != CodeInterrupted {
		t.Errorf("context over before: %v", r.Err)
	}
	silent := s.silent(t)
	if r := newTestWire(t, WireConfig{HandshakeTimeout: 20 * time.Millisecond}).Exchange(t.Context(), newRequest(t, "GET", "https://"+silent+"/")); codeOf(r) != CodeTimeout || r.TLS == nil || r.TLS.Error == "" {
		t.Errorf("silent handshake: %v", r.Err)
	}
}

// silent returns the address of a port that accepts and says nothing.
func (s *site) silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listeners = append(s.listeners, l)
	return l.Addr().String()
}

// TestStale checks that a kept-alive connection which the server closes on the
// next request is tried again once on a new one, and that the failed attempt is
// not lost.
func TestStale(t *testing.T) {
	n := 0
	s := startSite(t, func(c *siteConn, path string) {
		n++
		if n == 2 { // the second request on the first connection
			c.over = true
			return
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	})
	w := newTestWire(t, WireConfig{KeepAlive: true})
	for i := range 2 {
		r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
		if r.Err != nil || len(r.Retried) != i {
			t.Fatalf("exchange %d: %v, %d retried", i, r.Err, len(r.Retried))
		}
		for _, f := range r.Retried {
			if codeOf(f) != CodeTruncated || f.Request.Size() != r.Request.Size() || !f.Reused || r.Reused {
				t.Errorf("failed attempt %+v", f)
			}
		}
		r.Close()
	}
	if got := s.connections(); got != 2 {
		t.Errorf("%d connections, want 2", got)
	}
	// Bytes that come between two exchanges end the connection.
	s.play = func(c *siteConn, path string) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") }
	stray := startSite(t, func(c *siteConn, path string) {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
	})
	for range 3 {
		r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+stray.plain+"/"))
		if got := string(readBlock(t, r.Exchange.Response)); !strings.HasSuffix(got, "hi") {
			t.Errorf("response %q", got)
		}
		stray.seen(t, "/", 0)
		time.Sleep(5 * time.Millisecond) // the stray bytes are on their way
		r.Close()
	}
	if got := stray.connections(); got != 3 {
		t.Errorf("%d connections, want 3", got)
	}
}

// TestCutLargeOnReused checks a body that was too large for memory and broke off
// on a kept-alive connection: it is kept, and it is not asked for again.
func TestCutLargeOnReused(t *testing.T) {
	const came = 600 << 10
	s := startSite(t, func(c *siteConn, path string) {
		if path == "/cut" {
			c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 2*came, legalText(came)))
			c.over = true
			return
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	})
	w := newTestWire(t, WireConfig{KeepAlive: true})
	w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/")).Close()
	r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/cut"))
	defer r.Close()
	if !r.Reused || codeOf(r) != CodeTruncated || len(r.Retried) != 0 || r.PayloadSize != came {
		t.Errorf("reused %t, error %v, %d retried, %d bytes", r.Reused, r.Err, len(r.Retried), r.PayloadSize)
	}
}

// TestIdle checks the bounds of the idle connections.
func TestIdle(t *testing.T) {
	var p idlePool
	var others []net.Conn
	origin := func(i int) string { return string(rune('a'+i%26)) + strings.Repeat("x", i/26) }
	for i := range maxIdle + 5 {
		c, o := tcpPair(t)
		others = append(others, o)
		p.put(origin(i), &link{conn: c, raw: c})
	}
	if len(p.links) != maxIdle {
		t.Errorf("%d idle connections, want %d", len(p.links), maxIdle)
	}
	if l := p.take(origin(0)); l != nil {
		t.Error("the oldest connection was kept")
	}
	if l := p.take(origin(20)); l == nil {
		t.Error("no connection to take")
	} else if l.close(); p.take(origin(20)) != nil {
		t.Error("a connection was taken twice")
	}
	p.close()
	for _, o := range others {
		if _, err := o.Read(make([]byte, 1)); err == nil {
			t.Error("a connection is still open")
		}
	}
	c, _ := tcpPair(t)
	if p.put("late", &link{conn: c, raw: c}); p.take("late") != nil {
		t.Error("a closed pool took a connection")
	}
}

// tcpPair returns the two ends of a connection.
func tcpPair(t *testing.T) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}
