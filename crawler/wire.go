package crawler

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Defaults and bounds of WireConfig.
const (
	defaultTimeout    = 60 * time.Second
	defaultStep       = 20 * time.Second
	defaultMaxBody    = 1 << 30
	defaultMaxDecoded = 512 << 20
	maxHeaderLimit    = 256 << 10
)

// Resolver finds the addresses of a host; *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// WireConfig says how a Wire makes exchanges. The zero value is usable.
type WireConfig struct {
	// Timeout bounds a whole exchange, resolving and connecting included;
	// 60 s if zero. A deadline of the context counts as well.
	Timeout time.Duration
	// ConnectTimeout, HandshakeTimeout and FirstByteTimeout bound its steps:
	// resolving and connecting, the TLS handshake, and the wait for the first
	// byte of the answer. 20 s each if zero.
	ConnectTimeout, HandshakeTimeout, FirstByteTimeout time.Duration

	// MaxHeader bounds the header blocks of an answer, those of 1xx responses
	// included, in bytes; 256 KiB if zero, which is also the most.
	MaxHeader int
	// MaxBody bounds a body as sent, framing included, in bytes; 1 GiB if zero.
	MaxBody int64
	// MaxDecoded bounds a body after content decoding, in bytes; 512 MiB if
	// zero. Larger ones are archived as sent, without a decoded digest.
	MaxDecoded int64

	// Proxy carries all exchanges if not nil: http, https, socks5 or socks5h.
	// https addresses go through a tunnel and keep the origin's own TLS; http
	// addresses are asked in absolute form. Its credentials appear in no error
	// and no recorded byte.
	Proxy *url.URL
	// RootCAs are trusted; nil means the system's. See CAPool.
	RootCAs *x509.CertPool
	// AllowPrivate allows addresses that are not public.
	AllowPrivate bool
	// Resolver is asked for addresses; nil means net.DefaultResolver.
	Resolver Resolver

	// SpoolDir is for temporary files of large bodies; "" means os.TempDir.
	SpoolDir string
	// KeepAlive lets exchanges with one origin share a connection, one after
	// another. Without it every exchange has its own.
	KeepAlive bool
	// LazyDecode leaves DecodedSize and DecodedSHA256 to a call of
	// Recorded.Decode, for callers that may know the payload already: undoing
	// gzip is most of the processor time of an exchange.
	LazyDecode bool
	// DropDecoded keeps no decoded body for Recorded.Response, which nobody is
	// expected to ask for; it decodes again then.
	DropDecoded bool
	// Anchor returns the digest of the newest anchored list, which the handshake
	// proof of a new TLS connection commits to, see package handshake; !ok says
	// that there is none. It is asked for each connection and must be safe for
	// concurrent use. With nil, or !ok, no proof is made.
	Anchor func() (sum [32]byte, ok bool)
	// Now is the clock for the recorded times; nil means time.Now.
	Now func() time.Time
}

// Wire makes single HTTP/1.1 exchanges and keeps what crossed the connection,
// byte for byte, above TLS. It writes requests and reads responses itself:
// nothing is retried, redirected, decoded or normalised behind the caller's back
// (the one exception is a stale kept-alive connection, see Recorded.Retried).
// Safe for concurrent use; concurrent exchanges use different connections.
type Wire struct {
	cfg      WireConfig
	proxy    *proxy // nil without
	buffers  buffers
	decoders decoders
	hashes   hashes
	idle     idlePool
}

// CAPool returns the system's trusted certificates together with those of a PEM
// file. It is an error if the file has none.
func CAPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any; the file's remain
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s: no PEM certificate in it", file)
	}
	return pool, nil
}

// NewWire checks cfg and returns a Wire. Close it after use.
func NewWire(cfg WireConfig) (*Wire, error) {
	cfg.Timeout = orDefault(cfg.Timeout, defaultTimeout)
	cfg.ConnectTimeout = orDefault(cfg.ConnectTimeout, defaultStep)
	cfg.HandshakeTimeout = orDefault(cfg.HandshakeTimeout, defaultStep)
	cfg.FirstByteTimeout = orDefault(cfg.FirstByteTimeout, defaultStep)
	cfg.MaxHeader = orDefault(cfg.MaxHeader, maxHeaderLimit)
	cfg.MaxBody = orDefault(cfg.MaxBody, defaultMaxBody)
	cfg.MaxDecoded = orDefault(cfg.MaxDecoded, defaultMaxDecoded)
	if cfg.Timeout < 0 || cfg.ConnectTimeout < 0 || cfg.HandshakeTimeout < 0 || cfg.FirstByteTimeout < 0 {
		return nil, errors.New("a time limit is negative")
	}
	if cfg.MaxHeader < 0 || cfg.MaxHeader > maxHeaderLimit {
		return nil, fmt.Errorf("header limit %d is not between 1 and %d bytes", cfg.MaxHeader, maxHeaderLimit)
	}
	if cfg.MaxBody < 0 || cfg.MaxDecoded < 0 {
		return nil, errors.New("a body limit is negative")
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Wire{cfg: cfg}
	if cfg.Proxy != nil {
		p, err := newProxy(cfg.Proxy)
		if err != nil {
			return nil, err
		}
		w.proxy = p
	}
	return w, nil
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Close closes the idle connections. Exchanges under way go on.
func (w *Wire) Close() { w.idle.close() }

// Exchange sends req and reads the whole answer. It never returns nil: what went
// wrong stands in the result, beside whatever had come by then. The caller
// closes the result. Kind and Via are the caller's to set.
//
// Of req, the method, URL, Host, Header, Body and ContentLength are used; fields
// that belong to a connection (Connection, Expect, Transfer-Encoding, …) are
// replaced by ours, credentials in the URL are not sent.
func (w *Wire) Exchange(ctx context.Context, req *http.Request) *Recorded {
	m, err := w.compose(req)
	if err != nil {
		return w.refuse(req, err)
	}
	limited, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	r, stale := w.attempt(limited, req, m, true)
	if stale && limited.Err() == nil {
		first := r
		r, _ = w.attempt(limited, req, m, false)
		r.Retried = []*Recorded{first}
	}
	if !w.cfg.LazyDecode {
		r.Decode(ctx) // not under the time limit: the connection is done with
	}
	return r
}

// refuse returns the record of an exchange that was never tried.
func (w *Wire) refuse(req *http.Request, err error) *Recorded {
	now := w.cfg.Now().UTC()
	r := &Recorded{wire: w, req: req}
	r.Method, r.Began, r.Ended = req.Method, now, now
	if req.URL != nil {
		r.URI = targetURI(req.URL)
	}
	r.fail(newError(CodeUnsupported, err))
	return r
}

// attempt makes one exchange on one connection. stale means that a kept-alive
// connection turned out to be closed before the first byte of an answer, and
// that the request may be sent again.
func (w *Wire) attempt(ctx context.Context, req *http.Request, m *message, mayReuse bool) (r *Recorded, stale bool) {
	r = &Recorded{wire: w, req: req}
	r.Method, r.URI = m.method, m.uri
	r.Began = w.cfg.Now().UTC()
	defer func() { r.Ended = w.cfg.Now().UTC() }()

	l, err := w.link(ctx, m, mayReuse, r)
	if err != nil {
		r.fail(w.explain(ctx, err))
		return r, false
	}
	r.Peer, r.TLS, r.Session, r.Reused = l.peer, l.tls, l.session, l.used > 0
	r.Began = w.cfg.Now().UTC() // the request is sent now, not while connecting
	reusable, err := w.converse(ctx, l, m, r)
	if reusable {
		w.idle.put(m.origin, l)
	} else {
		l.close()
	}
	if err == nil {
		return r, false
	}
	e := w.explain(ctx, err)
	r.fail(e)
	return r, r.Reused && m.idempotent && e.Code == CodeTruncated && r.spool.size() == 0
}

// explain classifies err, and asks the context why a deadline expired.
func (w *Wire) explain(ctx context.Context, err error) *Error {
	e := Classify(err)
	if errors.Is(context.Cause(ctx), context.Canceled) && (e.Code == CodeTimeout || e.Code == CodeTruncated || e.Code == CodeDNS || e.Code == CodeConnect || e.Code == CodeProxy || e.Code == CodeTLS) {
		return newError(CodeInterrupted, fmt.Errorf("stopped during the exchange: %w", context.Canceled))
	}
	if e.Code == CodeInternal {
		// An error of the network that Classify does not know by name.
		e = &Error{Code: CodeTruncated, Transient: true, Err: e.Err}
	}
	return e
}

// linger is how long an exchange on its own connection waits after the end of
// the message for bytes that should not be there: most servers close at once.
const linger = 2 * time.Millisecond

// maxSurplus bounds the bytes kept of what follows a message, and of what came
// in place of a header block.
const maxSurplus = 64 << 10

// converse writes the request to l, reads the response and notes both in r. It
// reports whether l may carry another exchange.
func (w *Wire) converse(ctx context.Context, l *link, m *message, r *Recorded) (reusable bool, err error) {
	stop := l.guard(ctx)
	defer func() {
		if !stop() {
			reusable = false // the guard has run or is running
		}
	}()
	l.setDeadline(ctx, time.Time{})
	n, werr := l.conn.Write(m.wire)
	// Recorded is what the connection took: it may have been sent. What the
	// proxy alone may see is not part of it.
	r.Request = warc.Bytes(m.recorded(n))
	l.used++
	l.setDeadline(ctx, time.Now().Add(w.cfg.FirstByteTimeout))

	r.spool = newSpool(&w.buffers, w.cfg.SpoolDir)
	rc := receiver{w: w, r: r, src: l.conn, method: m.method, first: func() { l.setDeadline(ctx, time.Time{}) }}
	err = rc.receive()
	if serr := r.spool.seal(); serr != nil && err == nil {
		err = newError(CodeStorage, serr)
	}
	if err != nil && werr != nil && r.spool.size() == 0 {
		err = fmt.Errorf("send the request: %w", werr)
	}
	if err != nil && rc.short {
		r.Truncated = truncation(w.explain(ctx, err).Code)
	}
	r.whole = r.Exchange.Response != nil && !rc.short
	if err != nil {
		return false, err
	}
	if !w.cfg.KeepAlive && !rc.eof {
		w.linger(ctx, l, r)
	}
	if r.Status == http.StatusProxyAuthRequired && m.absolute {
		return false, &Error{Code: CodeProxy, Err: errors.New("the proxy wants (other) credentials: HTTP status 407")}
	}
	return w.cfg.KeepAlive && rc.head.keep && !rc.eof && len(r.Surplus) == 0 && werr == nil, nil
}

// truncatedUnspecified is the WARC reason for an end that is none of the others
// (WARC 1.1, section 5.13): a malformed body, or we were told to stop.
const truncatedUnspecified warc.Truncation = "unspecified"

// truncation returns the WARC reason for a response cut short by an error.
func truncation(c Code) warc.Truncation {
	switch c {
	case CodeTimeout:
		return warc.TruncatedTime
	case CodeTooLarge:
		return warc.TruncatedLength
	case CodeTruncated:
		return warc.TruncatedDisconnect
	}
	return truncatedUnspecified
}

// linger collects surplus bytes that follow closely.
func (w *Wire) linger(ctx context.Context, l *link, r *Recorded) {
	b := w.buffers.get(0)
	defer w.buffers.put(b)
	until := time.Now().Add(linger)
	l.setDeadline(ctx, until)
	for len(r.Surplus) < maxSurplus && time.Now().Before(until) {
		n, err := l.conn.Read(b.b[:cap(b.b)])
		r.surplus(b.b[:n])
		if err != nil {
			return
		}
	}
}

// surplus keeps bytes that follow the message.
func (r *Recorded) surplus(p []byte) {
	r.Surplus = append(r.Surplus, p[:min(len(p), maxSurplus-len(r.Surplus))]...)
}

// connectionEnd turns the end of a connection into words.
func connectionEnd(err error, where string) error {
	if err == io.EOF {
		return errorf(CodeTruncated, "connection closed %s", where)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errorf(CodeTruncated, "connection closed without a TLS farewell %s", where)
	}
	if isAlert(err) {
		return errorf(CodeTruncated, "TLS alert %s: %w", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
