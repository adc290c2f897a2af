package crawler

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"
	socks "golang.org/x/net/proxy"
)

// proxy is the configured proxy, its address taken apart.
type proxy struct {
	host, port    string
	literal       netip.Addr
	tls           bool // https: TLS to the proxy itself
	socks         bool
	absolute      bool // http addresses are asked in absolute form
	auth          *socks.Auth
	authorization string // value of Proxy-Authorization, "" without credentials
}

// newProxy checks the address of a proxy. Errors do not repeat it: it may hold
// credentials.
func newProxy(u *url.URL) (*proxy, error) {
	p := &proxy{host: u.Hostname(), port: u.Port()}
	var port string
	switch u.Scheme {
	case "http":
		port, p.absolute = "80", true
	case "https":
		port, p.absolute, p.tls = "443", true, true
	case "socks5", "socks5h":
		port, p.socks = "1080", true
	default:
		return nil, fmt.Errorf("proxy with scheme %q: use http, https or socks5", u.Scheme)
	}
	if p.host == "" {
		return nil, errors.New("proxy without a host: write it like http://proxy.example:3128")
	}
	if p.port == "" {
		p.port = port
	}
	if a, err := netip.ParseAddr(p.host); err == nil {
		p.literal = a
	}
	if u.User == nil {
		return p, nil
	}
	password, _ := u.User.Password()
	p.auth = &socks.Auth{User: u.User.Username(), Password: password}
	if !p.socks {
		p.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(p.auth.User+":"+password))
	}
	return p, nil
}

// linkProxy connects to m's origin through the proxy. The proxy itself may stand
// at a private address; of the origin only a literal address can be checked,
// since the proxy resolves names.
func (w *Wire) linkProxy(ctx context.Context, m *message, r *Recorded) (*link, error) {
	if !w.cfg.AllowPrivate {
		if m.literal.IsValid() && !publicAddress(m.literal) {
			return nil, errorf(CodePrivateAddress, "%s is not a public address", m.literal)
		}
		if localName(m.host) {
			return nil, errorf(CodePrivateAddress, "%s is not a public host", m.host)
		}
	}
	l, err := w.reachProxy(ctx, m)
	if err != nil {
		return nil, proxyError(err)
	}
	if m.tls {
		if err := w.handshake(ctx, l, m.host, w.recorder()); err != nil {
			r.TLS = l.tls
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// reachProxy opens the connection to the proxy and, where one is needed, the
// tunnel through it.
func (w *Wire) reachProxy(ctx context.Context, m *message) (*link, error) {
	p := w.proxy
	conn, err := w.connect(ctx, p.host, p.port, p.literal, true)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, raw: conn}
	if p.tls {
		if err := w.handshake(ctx, l, p.host, nil); err != nil {
			l.close()
			return nil, err
		}
		l.tls, l.session = nil, nil // the origin's alone is recorded
	}
	stop := l.guard(ctx)
	l.setDeadline(ctx, time.Now().Add(w.cfg.ConnectTimeout))
	switch {
	case p.socks:
		err = p.socksTunnel(l, m)
	case !m.absolute:
		err = p.httpTunnel(l, m)
	}
	stop()
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// proxyError classes what went wrong on the way to or at the proxy.
func proxyError(err error) error {
	e := Classify(err)
	if e.Code == CodeInterrupted || e.Code == CodeStorage || e.Code == CodeProxy {
		return e
	}
	return &Error{Code: CodeProxy, Transient: e.Code != CodeTLS || e.Transient, Err: fmt.Errorf("proxy: %w", e.Err)}
}

// present is a dialer that returns the connection it holds: x/net's SOCKS client
// wants to dial by itself.
type present struct{ conn net.Conn }

// Dial implements the dialer of x/net/proxy.
func (d present) Dial(string, string) (net.Conn, error) { return d.conn, nil }

// socksTunnel asks a SOCKS5 proxy for m's origin by name (RFC 1928).
func (p *proxy) socksTunnel(l *link, m *message) error {
	d, err := socks.SOCKS5("tcp", net.JoinHostPort(p.host, p.port), p.auth, present{l.conn})
	if err != nil {
		return newError(CodeProxy, err)
	}
	c, err := d.Dial("tcp", net.JoinHostPort(m.host, m.port))
	if err != nil {
		return newError(CodeProxy, err)
	}
	l.conn = c
	return nil
}

// maxTunnelAnswer bounds the answer to CONNECT, in bytes.
const maxTunnelAnswer = 16 << 10

// httpTunnel asks an HTTP proxy for a tunnel to m's origin (RFC 9110, section 9.3.6).
func (p *proxy) httpTunnel(l *link, m *message) error {
	target := net.JoinHostPort(m.host, m.port)
	if !httpguts.ValidHostHeader(target) {
		return errorf(CodeUnsupported, "host %.80q cannot stand in a header", m.host)
	}
	ask := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if p.authorization != "" {
		ask += "Proxy-Authorization: " + p.authorization + "\r\n"
	}
	if _, err := l.conn.Write([]byte(ask + "\r\n")); err != nil {
		return fmt.Errorf("ask for a tunnel: %w", err)
	}
	var b []byte
	room := make([]byte, 2<<10)
	for len(b) < maxTunnelAnswer {
		n, err := l.conn.Read(room)
		b = append(b, room[:n]...)
		if end := headEnd(b, 0, 0); end > 0 {
			return tunnelAnswer(b, end)
		}
		if err != nil {
			return fmt.Errorf("answer to CONNECT: %w", err)
		}
	}
	return errorf(CodeProxy, "answer to CONNECT is longer than %d bytes", maxTunnelAnswer)
}

// tunnelAnswer judges the answer to CONNECT, whose header block ends at end.
func tunnelAnswer(b []byte, end int) error {
	h, err := parseHead(b[:end], "CONNECT")
	switch {
	case err != nil:
		return errorf(CodeProxy, "answer to CONNECT: %w", err)
	case h.status == 407:
		return &Error{Code: CodeProxy, Err: errors.New("the proxy wants (other) credentials: status 407 to CONNECT")}
	case h.status < 200 || h.status > 299:
		return errorf(CodeProxy, "the proxy opened no tunnel: status %d to CONNECT", h.status)
	case !bytes.Equal(b[end:], nil):
		// The origin speaks only after us: these bytes are not its.
		return errorf(CodeProxy, "the proxy sent %d bytes after its answer to CONNECT", len(b)-end)
	}
	return nil
}
