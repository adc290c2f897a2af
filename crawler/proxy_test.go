package crawler

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// proxyOptions vary a test proxy.
type proxyOptions struct {
	user, password string // wanted if set
	config         *tls.Config
	answer         string // to CONNECT, instead of a tunnel
	socks          bool
}

// testProxy is an HTTP or SOCKS5 proxy on loopback.
type testProxy struct {
	o    proxyOptions
	addr string

	mu  sync.Mutex
	log []string // first lines or SOCKS targets
}

func startProxy(t testing.TB, o proxyOptions) *testProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &testProxy{o: o, addr: l.Addr().String()}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { c.Close() })
			wg.Go(func() {
				defer stop()
				defer c.Close()
				if o.config != nil {
					c = tls.Server(c, o.config)
				}
				if o.socks {
					p.serveSOCKS(c)
				} else {
					p.serveHTTP(c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); cancel(); wg.Wait() })
	return p
}

// url returns the proxy's address with credentials.
func (p *testProxy) url(t testing.TB, scheme, user string) *url.URL {
	t.Helper()
	if user != "" {
		user += "@"
	}
	u, err := url.Parse(scheme + "://" + user + p.addr)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (p *testProxy) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, s)
}

func (p *testProxy) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

// serveHTTP answers one request: a tunnel, or the request passed on as it is
// (the test site does not mind the absolute form).
func (p *testProxy) serveHTTP(c net.Conn) {
	head := readRequest(c)
	if head == nil {
		return
	}
	line, _, _ := strings.Cut(string(head), "\r\n")
	p.note(line)
	want := "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.o.user+":"+p.o.password)) + "\r\n"
	if p.o.user != "" && !bytes.Contains(head, []byte(want)) {
		io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	target := strings.Fields(line)[1]
	if strings.HasPrefix(line, "CONNECT ") {
		if p.o.answer != "" {
			io.WriteString(c, p.o.answer)
			return
		}
		p.join(c, target, "HTTP/1.1 200 Connection established\r\n\r\n", nil)
		return
	}
	u, err := url.Parse(target)
	if err != nil {
		return
	}
	p.join(c, u.Host, "", bytes.Replace(head, []byte(want), nil, 1))
}

// join connects to target, says so, passes head on and then both directions.
func (p *testProxy) join(c net.Conn, target, greeting string, head []byte) {
	o, err := net.Dial("tcp", target)
	if err != nil {
		io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer o.Close()
	io.WriteString(c, greeting)
	o.Write(head)
	done := make(chan bool)
	go func() {
		io.Copy(o, c)
		o.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(c, o)
	c.Close()
	<-done
}

// serveSOCKS answers one SOCKS5 request (RFC 1928, RFC 1929).
func (p *testProxy) serveSOCKS(c net.Conn) {
	r := bufio.NewReader(c)
	pair := func() []byte { // a length and so many bytes
		n, _ := r.ReadByte()
		b := make([]byte, n)
		io.ReadFull(r, b)
		return b
	}
	r.ReadByte() // version
	pair()       // methods
	if p.o.user != "" {
		c.Write([]byte{5, 2})
		r.ReadByte()
		user, password := pair(), pair()
		if string(user) != p.o.user || string(password) != p.o.password {
			c.Write([]byte{1, 1})
			return
		}
		c.Write([]byte{1, 0})
	} else {
		c.Write([]byte{5, 0})
	}
	var head [4]byte
	io.ReadFull(r, head[:])
	var host string
	switch head[3] {
	case 1:
		b := make([]byte, 4)
		io.ReadFull(r, b)
		host = net.IP(b).String()
	case 3:
		host = string(pair())
	}
	var port [2]byte
	io.ReadFull(r, port[:])
	target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:]))))
	p.note(target)
	if p.o.answer != "" {
		c.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	p.join(c, target, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", nil)
}

// TestProxy checks every kind of proxy: what is recorded is what the origin
// received and sent, and the proxy's credentials are nowhere.
func TestProxy(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	s := startSite(t, func(c *siteConn, path string) { c.send(answer); c.over = true })
	ca := newTestCA(t)
	roots := s.roots.Clone()
	roots.AddCert(ca.cert)
	secure := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, leafOptions{})}}
	for _, c := range []struct {
		name, scheme, user string
		o                  proxyOptions
		fails              string // in the error
	}{
		{"http", "http", "", proxyOptions{}, ""},
		{"http credentials", "http", "anna:s3cret", proxyOptions{user: "anna", password: "s3cret"}, ""},
		{"http wrong credentials", "http", "anna:s3cret", proxyOptions{user: "anna", password: "other"}, "407"},
		{"https", "https", "", proxyOptions{config: secure}, ""},
		{"https credentials", "https", "anna:s3cret", proxyOptions{config: secure, user: "anna", password: "s3cret"}, ""},
		{"socks5", "socks5", "", proxyOptions{socks: true}, ""},
		{"socks5h", "socks5h", "", proxyOptions{socks: true}, ""},
		{"socks5 credentials", "socks5", "anna:s3cret", proxyOptions{socks: true, user: "anna", password: "s3cret"}, ""},
		{"socks5 wrong credentials", "socks5", "anna:s3cret", proxyOptions{socks: true, user: "anna", password: "other"}, "password"},
		{"socks5 refusing", "socks5", "", proxyOptions{socks: true, answer: "no"}, "not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, c.o)
			w := newTestWire(t, WireConfig{Proxy: p.url(t, c.scheme, c.user), RootCAs: roots})
			for scheme, addr := range map[string]string{"http": s.plain, "https": s.secure} {
				path := "/" + strings.ReplaceAll(c.name, " ", "-") + "-" + scheme
				r := w.Exchange(t.Context(), newRequest(t, "GET", scheme+"://"+addr+path))
				request := string(readBlock(t, r.Request))
				if strings.Contains(request+r.Detail, "s3cret") || strings.Contains(request, "Proxy-") {
					t.Errorf("credentials in %q, %q", request, r.Detail)
				}
				if c.fails != "" {
					if codeOf(r) != CodeProxy || !strings.Contains(r.Detail, c.fails) {
						t.Errorf("%s: %v", scheme, r.Err)
					}
					r.Close()
					continue
				}
				if r.Err != nil || string(readBlock(t, r.Exchange.Response)) != answer || r.Peer.IsValid() {
					t.Fatalf("%s: %v, peer %v", scheme, r.Err, r.Peer)
				}
				if scheme == "http" && !c.o.socks {
					path = "http://" + addr + path // absolute form
				}
				if got := string(s.seen(t, path, 0).received); got != request {
					t.Errorf("request %q, the origin received %q", request, got)
				}
				if (r.TLS != nil) != (scheme == "https") || r.TLS != nil && len(r.TLS.Chain) != 2 {
					t.Errorf("TLS = %+v", r.TLS)
				}
				r.Close()
			}
		})
	}
}

// TestProxyAnswers checks what a proxy may say in place of opening a tunnel.
func TestProxyAnswers(t *testing.T) {
	for _, c := range []struct {
		answer, detail string
		transient      bool
	}{
		{"HTTP/1.1 403 Forbidden\r\n\r\n", "403", true},
		{"HTTP/1.1 407 Who\r\n\r\n", "407", false},
		{"HTTP/1.1 200 OK\r\n\r\nsurplus", "7 bytes", true},
		{"SSH-2.0\r\n\r\n", "status line", true},
		{"HTTP/1.1 200 OK\r\nX:", "CONNECT", true},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxTunnelAnswer), "longer", true},
	} {
		p := startProxy(t, proxyOptions{answer: c.answer})
		r := newTestWire(t, WireConfig{Proxy: p.url(t, "http", "")}).Exchange(t.Context(), newRequest(t, "GET", "https://site.test/"))
		if codeOf(r) != CodeProxy || !strings.Contains(r.Detail, c.detail) || r.Err.Transient != c.transient || r.Request != nil {
			t.Errorf("%.40q: %+v", c.answer, r.Err)
		}
		if got := p.lines(); len(got) != 1 || got[0] != "CONNECT site.test:443 HTTP/1.1" {
			t.Errorf("the proxy was asked %q", got)
		}
		r.Close()
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	u := &url.URL{Scheme: "http", Host: dead.Addr().String(), User: url.UserPassword("anna", "s3cret")}
	r := newTestWire(t, WireConfig{Proxy: u}).Exchange(t.Context(), newRequest(t, "GET", "http://site.test/"))
	if codeOf(r) != CodeProxy || !r.Err.Transient || strings.Contains(r.Err.Error(), "s3cret") {
		t.Errorf("dead proxy: %v", r.Err)
	}
	for _, bad := range []string{"ftp://anna:s3cret@p", "http://anna:s3cret@"} {
		u, err := url.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewWire(WireConfig{Proxy: u}); err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "anna") {
			t.Errorf("NewWire(%s): %v", bad, err)
		}
	}
}
