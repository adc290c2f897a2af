package handshake

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
)

// Recorder makes the proof of one connection:
//
//	r := handshake.NewRecorder(anchor)
//	r.Configure(config)
//	conn := tls.Client(r.Conn(raw), config)
//	err := conn.Handshake()
//	proof, err := r.Proof() // or r.Stop()
//
// It belongs to the goroutine of the handshake until Proof or Stop returned;
// from then on it lets everything through and may be used by any.
type Recorder struct {
	anchor, nonce [32]byte
	ours          []byte // what randReader has still to give: commitment, session id

	over           bool // nothing is recorded any more
	large          bool // more came than is kept
	client, server []byte
	secret         []byte
}

// NewRecorder draws a nonce for a connection that commits to anchor.
func NewRecorder(anchor [32]byte) *Recorder {
	r := &Recorder{anchor: anchor}
	_, _ = rand.Read(r.nonce[:]) // never fails
	c, id := Commitment(r.anchor, r.nonce), sessionID(r.nonce)
	r.ours = append(c[:], id[:]...)
	return r
}

// Anchor returns what the connection commits to.
func (r *Recorder) Anchor() [32]byte { return r.anchor }

// Configure sets what of a client's configuration makes the proof: Rand,
// KeyLogWriter, and CurvePreferences without the hybrid key shares of 1.2 kB. It
// switches off the resumption of sessions, which leaves nothing signed.
func (r *Recorder) Configure(c *tls.Config) {
	c.Rand = randReader{r}
	c.KeyLogWriter = keyLog{r}
	c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	c.ClientSessionCache, c.SessionTicketsDisabled = nil, true
}

// Conn returns c with the handshake recorded.
func (r *Recorder) Conn(c net.Conn) net.Conn { return &conn{c, r} }

// Stop ends the recording and forgets it.
func (r *Recorder) Stop() {
	clear(r.secret)
	r.over, r.client, r.server, r.secret = true, nil, nil, nil
}

// Proof ends the recording and returns the proof of the handshake. An error is
// an *Error.
func (r *Recorder) Proof() ([]byte, error) {
	defer r.Stop()
	switch {
	case r.over:
		return nil, errorf(Failed, "the recording was stopped")
	case r.large:
		return nil, errorf(TooLarge, "handshake of more than %d bytes", MaxFlight)
	}
	proof, _, err := Build(Recording{Anchor: r.anchor, Nonce: r.nonce, Client: r.client, Server: r.server, Secret: r.secret})
	return proof, err
}

// keep appends what crossed the connection.
func (r *Recorder) keep(to *[]byte, p []byte) {
	switch {
	case r.over || r.large:
	case len(*to)+len(p) > MaxFlight:
		r.large, r.client, r.server = true, nil, nil
	default:
		*to = append(*to, p...)
	}
}

// randReader is the tls.Config.Rand of a recorder: first the commitment, then the
// session id, then crypto/rand. That crypto/tls takes ClientHello.random and
// legacy_session_id from it first, in this order, is no promise of its
// documentation, hence RandomNotOurs; see the package comment for the session id.
type randReader struct{ r *Recorder }

// Read implements io.Reader.
func (s randReader) Read(p []byte) (int, error) {
	if len(s.r.ours) == 0 {
		return rand.Read(p)
	}
	n := copy(p, s.r.ours)
	s.r.ours = s.r.ours[n:]
	if n < len(p) {
		m, err := io.ReadFull(rand.Reader, p[n:])
		return n + m, err
	}
	return n, nil
}

// keyLog keeps the secret that opens the server's part of the handshake. All
// others, those of the application data first of all, are dropped.
type keyLog struct{ r *Recorder }

// label is the label of that secret in the format of SSLKEYLOGFILE.
const label = "SERVER_HANDSHAKE_TRAFFIC_SECRET "

// Write implements io.Writer: one line "label random secret", hexadecimal.
func (k keyLog) Write(line []byte) (int, error) {
	values, ours := bytes.CutPrefix(line, []byte(label))
	if !ours || k.r.over {
		return len(line), nil
	}
	_, digits, _ := bytes.Cut(bytes.TrimSuffix(values, []byte("\n")), []byte(" "))
	secret := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(secret, digits); err != nil {
		return 0, errors.New("a line of the key log is malformed") // without the line: it is a secret
	}
	k.r.secret = secret
	return len(line), nil
}

// conn records what crosses a connection.
type conn struct {
	net.Conn
	r *Recorder
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.r.over {
		c.r.keep(&c.r.server, p[:n])
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !c.r.over {
		c.r.keep(&c.r.client, p[:n])
	}
	return n, err
}
