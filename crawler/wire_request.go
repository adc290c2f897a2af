package crawler

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
)

// message is a request as it goes over the wire.
type message struct {
	method     string
	uri        string // of the target, without fragment and credentials
	origin     string // scheme://host:port, the key of kept-alive connections
	host       string // to resolve: a name in ASCII or a literal address
	port       string
	tls        bool
	absolute   bool // sent to an http proxy in absolute form
	idempotent bool
	literal    netip.Addr // of host, if it is an address in any spelling

	wire   []byte // all bytes
	secret [2]int // from, to: the part only meant for the proxy
}

// maxRequestBody bounds the body of a request, in bytes.
const maxRequestBody = 16 << 20

// compose checks req and writes it down.
func (w *Wire) compose(req *http.Request) (*message, error) {
	u := req.URL
	if u == nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not an http or https address")
	}
	m := &message{method: req.Method, uri: targetURI(u), tls: u.Scheme == "https", port: u.Port()}
	if m.method == "" {
		m.method = http.MethodGet
	}
	if !isToken(m.method) || m.method == http.MethodConnect {
		return nil, fmt.Errorf("method %.40q cannot be used", m.method)
	}
	m.idempotent = m.method == http.MethodGet || m.method == http.MethodHead
	if m.port == "" {
		m.port = map[bool]string{false: "80", true: "443"}[m.tls]
	}
	if err := m.setHost(u.Hostname()); err != nil {
		return nil, err
	}
	m.origin = u.Scheme + "://" + net.JoinHostPort(m.host, m.port)
	m.absolute = w.proxy != nil && w.proxy.absolute && !m.tls
	body, err := requestBody(req)
	if err != nil {
		return nil, err
	}
	return m, m.write(req, body, w)
}

// setHost notes the host in the form it is resolved in. Numeric hosts in every
// spelling that the URL standard knows (decimal, octal, hexadecimal, short) are
// turned into the address they mean, so that the check of addresses sees it.
func (m *message) setHost(host string) error {
	if host == "" {
		return errors.New("address without a host")
	}
	ascii := host
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		var err error
		if ascii, err = idna.Lookup.ToASCII(host); err != nil {
			return fmt.Errorf("host name %.80q: %w", host, err)
		}
	}
	m.host = strings.ToLower(ascii)
	if a, err := netip.ParseAddr(m.host); err == nil {
		m.literal = a
		return nil
	}
	if !endsInNumber(m.host) {
		return nil
	}
	u, err := whatwg.Parse("http://" + m.host + "/")
	if err != nil {
		return fmt.Errorf("host %.80q is neither a name nor an address", host)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		m.literal, m.host = a, a.String()
	}
	return nil
}

// endsInNumber reports whether the last label of host makes it an IPv4 address
// by the URL standard ("ends in a number").
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// targetURI returns u as it is recorded.
func targetURI(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment, c.User = "", "", nil
	if c.Path == "" && c.Opaque == "" {
		c.Path = "/"
	}
	return c.String()
}

// requestBody reads the body of a request, if it has one.
func requestBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer req.Body.Close()
	b, err := io.ReadAll(io.LimitReader(req.Body, maxRequestBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	if len(b) > maxRequestBody {
		return nil, fmt.Errorf("request's body is longer than %d bytes", maxRequestBody)
	}
	return b, nil
}

// fieldOrder is the order in which request fields are sent; Host comes first,
// all others follow by name, Connection is the last of ours.
var fieldOrder = []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding"}

// laterFields come after Connection: conditions, which differ from look to look.
var laterFields = []string{"If-None-Match", "If-Modified-Since"}

// ownFields are never taken from the caller: they belong to the connection, or
// we set them.
var ownFields = []string{
	"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Expect", "Content-Length",
}

// write puts the request's bytes together.
func (m *message) write(req *http.Request, body []byte, w *Wire) error {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	host = strings.TrimSuffix(host, ":")
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		host = m.hostPort()
	}
	if !httpguts.ValidHostHeader(host) {
		return fmt.Errorf("host %.80q cannot stand in a header", host)
	}
	b := make([]byte, 0, 512+len(body))
	b = append(b, m.method...)
	b = append(b, ' ')
	if m.absolute {
		b = append(b, "http://"...)
		b = append(b, m.hostPort()...)
	}
	b = appendTarget(b, req.URL)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	var err error
	if b, err = appendFields(b, req.Header); err != nil {
		return err
	}
	if body != nil || m.method == http.MethodPost || m.method == http.MethodPut {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	if !w.cfg.KeepAlive {
		b = append(b, "Connection: close\r\n"...)
	}
	for _, name := range laterFields {
		if b, err = appendField(b, name, req.Header[name]); err != nil {
			return err
		}
	}
	if m.absolute && w.proxy.authorization != "" {
		m.secret[0] = len(b)
		b = append(b, "Proxy-Authorization: "...)
		b = append(b, w.proxy.authorization...)
		b = append(b, "\r\n"...)
		m.secret[1] = len(b)
	}
	b = append(b, "\r\n"...)
	m.wire = append(b, body...)
	return nil
}

// hostPort returns host and port as in a URL, default ports left out.
func (m *message) hostPort() string {
	if m.tls && m.port == "443" || !m.tls && m.port == "80" {
		if strings.Contains(m.host, ":") {
			return "[" + m.host + "]"
		}
		return m.host
	}
	return net.JoinHostPort(m.host, m.port)
}

// recorded returns the first n bytes of the message without those meant for the
// proxy alone: its credentials are no part of the archive.
func (m *message) recorded(n int) []byte {
	from, to := min(n, m.secret[0]), min(n, m.secret[1])
	if from == to {
		return m.wire[:n]
	}
	return slices.Concat(m.wire[:from], m.wire[to:n])
}

// appendTarget writes path and query in origin form. Bytes that may not stand in
// a request line are percent-encoded.
func appendTarget(b []byte, u *url.URL) []byte {
	path := u.EscapedPath()
	if u.Opaque != "" || !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	b = append(b, path...)
	if u.ForceQuery || u.RawQuery != "" {
		b = append(b, '?')
		for _, c := range []byte(u.RawQuery) {
			if c > ' ' && c < 0x7f {
				b = append(b, c)
				continue
			}
			const hex = "0123456789ABCDEF"
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// appendFields writes the caller's fields in our order. Without a say of the
// caller's, gzip is accepted; an Accept-Encoding without values is left out.
func appendFields(b []byte, h http.Header) ([]byte, error) {
	var err error
	for _, name := range fieldOrder {
		values, ok := h[name]
		if !ok && name == "Accept-Encoding" {
			values = []string{"gzip"}
		}
		if b, err = appendField(b, name, values); err != nil {
			return nil, err
		}
	}
	var others []string
	for name := range h {
		if !slices.Contains(fieldOrder, name) && !slices.Contains(laterFields, name) && !slices.Contains(ownFields, http.CanonicalHeaderKey(name)) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		if b, err = appendField(b, name, h[name]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendField writes one line per value, and refuses what could inject lines.
func appendField(b []byte, name string, values []string) ([]byte, error) {
	if len(values) == 0 {
		return b, nil
	}
	if !isToken(name) {
		return nil, fmt.Errorf("header field name %.40q is not allowed", name)
	}
	for _, v := range values {
		if !httpguts.ValidHeaderFieldValue(v) {
			return nil, fmt.Errorf("value of header field %s has control characters", name)
		}
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, strings.TrimSpace(v)...)
		b = append(b, "\r\n"...)
	}
	return b, nil
}
