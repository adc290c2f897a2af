package crawler

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

// link is a connection to an origin, ready for requests. One exchange at a time
// uses it.
type link struct {
	conn    net.Conn // above TLS
	raw     net.Conn // the lowest connection: deadlines are set there
	tls     *warc.TLS
	session *tls.ConnectionState
	peer    netip.AddrPort // zero behind a proxy
	used    int            // requests sent
	since   time.Time      // when it became idle
}

// past is a deadline that has expired.
var past = time.Unix(1, 0)

// guard makes everything on l fail as soon as ctx is done. The function it
// returns ends that, and reports whether l was left alone.
func (l *link) guard(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { l.raw.SetDeadline(past) })
}

// setDeadline limits reads and writes to t or to ctx's deadline, whichever comes
// first; the zero time means ctx's alone.
func (l *link) setDeadline(ctx context.Context, t time.Time) {
	if d, ok := ctx.Deadline(); ok && (t.IsZero() || d.Before(t)) {
		t = d
	}
	// A connection that can't take a deadline is closed; reading says so.
	_ = l.raw.SetDeadline(t)
	if ctx.Err() != nil { // do not undo what the guard has set
		_ = l.raw.SetDeadline(past)
	}
}

// close ends the connection. Nothing that matters can fail: what was read is
// complete, and nothing more is written.
func (l *link) close() {
	_ = l.raw.SetDeadline(time.Now().Add(100 * time.Millisecond)) // bounds the TLS farewell
	_ = l.conn.Close()
}

// link returns a connection for m: an idle one, or a new one. On an error it
// notes in r what is known of the connection.
func (w *Wire) link(ctx context.Context, m *message, mayReuse bool, r *Recorded) (*link, error) {
	if w.cfg.KeepAlive && mayReuse {
		if l := w.idle.take(m.origin); l != nil {
			return l, nil
		}
	}
	if w.proxy != nil {
		return w.linkProxy(ctx, m, r)
	}
	conn, err := w.connect(ctx, m.host, m.port, m.literal, w.cfg.AllowPrivate)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, raw: conn, peer: peerOf(conn)}
	if m.tls {
		if err := w.handshake(ctx, l, m.host, w.recorder()); err != nil {
			r.Peer, r.TLS = l.peer, l.tls
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func peerOf(c net.Conn) netip.AddrPort {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// connect resolves host and connects to it. Unless private is set it never
// connects to an address that is not public, whatever the name resolves to at
// this moment: the addresses that were checked are those that are dialled.
func (w *Wire) connect(ctx context.Context, host, port string, literal netip.Addr, private bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.ConnectTimeout)
	defer cancel()
	addrs := []netip.Addr{literal}
	if !literal.IsValid() {
		var err error
		if addrs, err = w.cfg.Resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, resolveError(host, err)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, errorf(CodeUnsupported, "port %.20q is not a number up to 65535", port)
	}
	var targets []netip.AddrPort
	var refused netip.Addr
	for _, a := range addrs {
		if !private && !publicAddress(a) {
			refused = a
			continue
		}
		targets = append(targets, netip.AddrPortFrom(a.Unmap(), uint16(n)))
	}
	switch {
	case len(targets) > 0:
		return dialAny(ctx, targets)
	case refused.IsValid():
		return nil, errorf(CodePrivateAddress, "%s is at %s, which is not a public address", host, refused)
	}
	return nil, resolveError(host, errors.New("no address"))
}

// resolveError classes a failed look-up, whatever kind of error the resolver uses.
func resolveError(host string, err error) error {
	e := Classify(err)
	if e.Code == CodeInterrupted || e.Code == CodeDNS {
		return e
	}
	return errorf(CodeDNS, "resolve %s: %w", host, err)
}

// nextAddress is how long an address may take before the next is tried as well
// (RFC 8305, section 5).
const nextAddress = 300 * time.Millisecond

// dialAny connects to the first target that answers. Targets are started one
// after another: the next when the one before failed or is slow.
func dialAny(ctx context.Context, targets []netip.AddrPort) (net.Conn, error) {
	if len(targets) == 1 {
		return dialOne(ctx, targets[0])
	}
	targets = alternate(targets)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	results := make(chan outcome, len(targets))
	pending := 0
	start := func() {
		t := targets[0]
		targets = targets[1:]
		pending++
		go func() {
			c, err := dialOne(ctx, t)
			results <- outcome{c, err}
		}()
	}
	timer := time.NewTimer(nextAddress)
	defer timer.Stop()
	var first error
	for start(); pending > 0; {
		select {
		case <-timer.C:
			if len(targets) > 0 {
				start()
				timer.Reset(nextAddress)
			}
		case o := <-results:
			pending--
			if o.err == nil {
				cancel()
				for ; pending > 0; pending-- {
					if late := <-results; late.conn != nil {
						_ = late.conn.Close() // never used
					}
				}
				return o.conn, nil
			}
			if first == nil {
				first = o.err
			}
			if len(targets) > 0 && ctx.Err() == nil {
				start()
				timer.Reset(nextAddress)
			}
		}
	}
	return nil, first
}

// alternate puts the families in turns, beginning with that of the first
// (RFC 8305, section 4).
func alternate(all []netip.AddrPort) []netip.AddrPort {
	var same, other []netip.AddrPort
	for _, a := range all {
		if a.Addr().Is4() == all[0].Addr().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.AddrPort, 0, len(all))
	for i := 0; i < max(len(same), len(other)); i++ {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// dialOne connects to one address.
func dialOne(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	c, err := d.DialContext(ctx, "tcp", a.String())
	if err == nil {
		return c, nil
	}
	if e := Classify(err); e.Code == CodeTimeout || e.Code == CodeInterrupted || e.Code == CodeStorage {
		return nil, err
	}
	return nil, newError(CodeConnect, err)
}

// handshake puts TLS upon l and notes the session. A chain that is not accepted
// is noted too, with the reason, and is an error. With a recorder the session
// gets its handshake proof.
func (w *Wire) handshake(ctx context.Context, l *link, host string, rec *handshake.Recorder) error {
	stop := l.guard(ctx)
	defer stop()
	l.setDeadline(ctx, time.Now().Add(w.cfg.HandshakeTimeout))
	cfg := &tls.Config{
		ServerName: strings.TrimSuffix(host, "."),
		RootCAs:    w.cfg.RootCAs,
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		Time:       w.cfg.Now,
	}
	conn := l.conn
	if rec != nil {
		rec.Configure(cfg)
		conn = rec.Conn(conn)
	}
	t := tls.Client(conn, cfg)
	// The deadline and the guard bound it; a context would cost a goroutine.
	err := t.HandshakeContext(context.Background())
	if err != nil {
		l.tls = refusedTLS(err)
		unproven(l.tls, rec)
		return handshakeError(host, err)
	}
	l.conn = t
	s := t.ConnectionState()
	l.session = &s
	l.tls = &warc.TLS{
		Version: strings.TrimPrefix(tls.VersionName(s.Version), "TLS "),
		Cipher:  tls.CipherSuiteName(s.CipherSuite),
		ALPN:    s.NegotiatedProtocol,
	}
	for _, c := range s.PeerCertificates {
		l.tls.Chain = append(l.tls.Chain, c.Raw)
	}
	prove(l.tls, rec)
	return nil
}

// refusedTLS is what is kept of a session that did not come to be.
func refusedTLS(err error) *warc.TLS {
	t := &warc.TLS{Error: err.Error()}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		t.Error = e.Err.Error()
		for _, c := range e.UnverifiedCertificates {
			t.Chain = append(t.Chain, c.Raw)
		}
	}
	return t
}

// handshakeError classes a failed handshake. That the connection broke says
// little about the server, everything else much.
func handshakeError(host string, err error) error {
	err = fmt.Errorf("TLS handshake with %s: %w", host, err)
	e := Classify(err)
	switch e.Code {
	case CodeTimeout, CodeInterrupted:
		return e
	}
	broken := e.Code == CodeTruncated || errors.Is(err, io.EOF)
	return &Error{Code: CodeTLS, Transient: broken, Err: err}
}
