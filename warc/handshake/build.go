package handshake

import (
	"bytes"
	"crypto/tls"
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// MaxFlight bounds what one side sends in a handshake, and any message of it, in
// bytes.
const MaxFlight = 128 << 10

// Recording is what crossed a connection until its handshake was over.
type Recording struct {
	Anchor, Nonce [32]byte
	// Client and Server are the bytes of either side from the first TLS record
	// on. What follows the server's signature is not looked at.
	Client, Server []byte
	// Secret is the SERVER_HANDSHAKE_TRAFFIC_SECRET of TLS 1.3, which opens the
	// server's flight; nil in TLS 1.2.
	Secret []byte
}

// Build returns the proof of a recorded handshake and the certificates in it,
// DER, leaf first. The proof has been verified: its signature holds. An error is
// an *Error with the reason why there is none.
func Build(r Recording) (proof []byte, chain [][]byte, err error) {
	if len(r.Client) > MaxFlight || len(r.Server) > MaxFlight {
		return nil, nil, errorf(TooLarge, "handshake of more than %d bytes", MaxFlight)
	}
	b := builder{r: &r, client: flight{records: r.Client}, server: flight{records: r.Server}}
	if err := b.collect(); err != nil {
		return nil, nil, err
	}
	if proof, err = encode(r.Anchor, r.Nonce, b.messages); err != nil {
		return nil, nil, err
	}
	if err := check(proof, b.chain); err != nil {
		return nil, nil, err
	}
	return proof, b.chain, nil
}

// check verifies a proof that was just made.
func check(proof []byte, chain [][]byte) error {
	p, err := parse(proof)
	if err == nil {
		_, _, err = p.verify(chain)
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, ErrSignature) {
		return &Error{Failed, err}
	}
	return &Error{Malformed, err}
}

// builder takes the messages of a proof out of a recording.
type builder struct {
	r              *Recording
	client, server flight
	messages       [][]byte // of the proof
	chain          [][]byte
}

// collect reads both hellos, and behind them what the version has.
func (b *builder) collect() error {
	if err := b.clientHello(); err != nil {
		return err
	}
	hello, err := b.serverHello()
	if err == nil && hello.retry {
		if err = b.clientHello(); err == nil {
			hello, err = b.serverHello()
		}
	}
	if err != nil {
		return err
	}
	s, known := suites[hello.suite]
	if !known || s.version != hello.version {
		return errorf(UnsupportedSuite, "cipher suite %s of version %#04x", tls.CipherSuiteName(hello.suite), hello.version)
	}
	if hello.version == tls.VersionTLS13 {
		if err := b.server.use(s, b.r.Secret); err != nil {
			return err
		}
		return b.flight13()
	}
	return b.flight12()
}

// clientHello takes the next message of the client, which must be one with our
// random.
func (b *builder) clientHello() error {
	m, err := b.client.next()
	if err != nil {
		return err
	}
	if m[0] != typeClientHello || len(m) < randomEnd {
		return errorf(Malformed, "the client sent message %d instead of ClientHello", m[0])
	}
	if want := Commitment(b.r.Anchor, b.r.Nonce); !bytes.Equal(m[randomStart:randomEnd], want[:]) {
		return errorf(RandomNotOurs, "ClientHello.random is not the commitment: the TLS library does not take it from tls.Config.Rand first")
	}
	b.messages = append(b.messages, m)
	return nil
}

// serverHello takes the next message of the server.
func (b *builder) serverHello() (*serverHello, error) {
	m, err := b.server.next()
	if err != nil {
		return nil, err
	}
	if m[0] != typeServerHello {
		return nil, errorf(Malformed, "the server sent message %d instead of ServerHello", m[0])
	}
	b.messages = append(b.messages, m)
	return parseServerHello(m)
}

// flight13 takes everything up to CertificateVerify.
func (b *builder) flight13() error {
	for {
		m, err := b.server.next()
		if err != nil {
			return err
		}
		if m[0] == typeFinished {
			return errorf(NoSignature, "the server finished without a signature")
		}
		if m[0] == typeCertificate {
			_, certs, rest, err := certificateParts(m, false)
			if err != nil || len(rest) > 0 {
				return errorf(Malformed, "the Certificate message is malformed")
			}
			b.chain = certs
		}
		b.messages = append(b.messages, m)
		if m[0] == typeCertificateVerify {
			return nil
		}
	}
}

// flight12 takes ServerKeyExchange, and the chain in front of it.
func (b *builder) flight12() error {
	for {
		m, err := b.server.next()
		if err != nil {
			return err
		}
		switch m[0] {
		case typeCertificate:
			if b.chain, err = chain12(m); err != nil {
				return err
			}
		case typeServerKeyExchange:
			b.messages = append(b.messages, m)
			return nil
		case typeServerHelloDone, typeFinished:
			return errorf(NoSignature, "the server signed nothing")
		}
	}
}

// chain12 reads a Certificate message of TLS 1.2 (RFC 5246, section 7.4.2).
func chain12(m []byte) ([][]byte, error) {
	s := cryptobyte.String(m[header:])
	var list, der cryptobyte.String
	ok := s.ReadUint24LengthPrefixed(&list) && s.Empty()
	var chain [][]byte
	for ok && !list.Empty() {
		ok = list.ReadUint24LengthPrefixed(&der)
		chain = append(chain, der)
	}
	if !ok {
		return nil, errorf(Malformed, "the Certificate message is malformed")
	}
	return chain, nil
}
