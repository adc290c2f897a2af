package handshake

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Version is the version of the format that Build writes.
const Version = 1

// MaxProof bounds a proof, in bytes, and maxMessages its messages unpacked.
const (
	MaxProof    = 16 << 10
	maxMessages = 64 << 10
)

// ErrNewer says that a proof has a later version than Version.
var ErrNewer = errors.New("written by a newer version; update fineprint to read it")

// Commitment returns the ClientHello.random of a proof:
// SHA-256("fineprint handshake v1\n" || anchor || nonce).
func Commitment(anchor, nonce [32]byte) [32]byte {
	b := append([]byte("fineprint handshake v1\n"), anchor[:]...)
	return sha256.Sum256(append(b, nonce[:]...))
}

// proof is a proof taken apart.
type proof struct {
	anchor, nonce [32]byte
	// messages are whole, but that of the certificates in TLS 1.3 has none.
	messages [][]byte
	retry    bool // messages begin with a ClientHello and a HelloRetryRequest
	client   *clientHello
	server   *serverHello
}

// plain is the length of what stands before the packed messages.
const plain = 1 + 32 + 32

// encode writes a proof. The signature, which does not shrink, stands behind the
// packed messages as it is.
func encode(anchor, nonce [32]byte, messages [][]byte) ([]byte, error) {
	var body []byte
	for _, m := range messages {
		var err error
		if body, err = appendShort(body, m); err != nil {
			return nil, err
		}
	}
	if len(body) > maxMessages {
		return nil, errorf(TooLarge, "handshake messages of %d bytes without certificates", len(body))
	}
	out := append(make([]byte, 0, 1024), Version)
	out = append(out, anchor[:]...)
	out = append(out, nonce[:]...)
	end := len(body) - signatureLength(messages[len(messages)-1])
	out, err := appendPacked(out, nonce, body[:end])
	if err != nil {
		return nil, &Error{Failed, fmt.Errorf("pack: %w", err)}
	}
	if out = append(out, body[end:]...); len(out) > MaxProof {
		return nil, errorf(TooLarge, "proof of %d bytes", len(out))
	}
	return out, nil
}

// appendShort appends a message without what a reader puts in again.
func appendShort(body, m []byte) ([]byte, error) {
	switch m[0] {
	case typeClientHello:
		return append(append(body, m[:randomStart]...), m[randomEnd:]...), nil
	case typeCertificate:
		parts, _, _, err := certificateParts(m, false)
		if err != nil {
			return nil, &Error{Malformed, err}
		}
		return append(body, bytes.Join(parts, nil)...), nil
	}
	return append(body, m...), nil
}

// parse reads a proof.
func parse(b []byte) (*proof, error) {
	if len(b) > MaxProof {
		return nil, fmt.Errorf("%d bytes, more than %d", len(b), MaxProof)
	}
	if len(b) > 0 && b[0] > Version {
		return nil, fmt.Errorf("format %d, this program knows up to %d: %w", b[0], Version, ErrNewer)
	}
	if len(b) < plain || b[0] != Version {
		return nil, errors.New("not a handshake proof")
	}
	p := &proof{anchor: [32]byte(b[1:33]), nonce: [32]byte(b[33:65])}
	body, err := unpack(p.nonce, b[plain:])
	if err != nil {
		return nil, err
	}
	if err := p.split(body); err != nil {
		return nil, err
	}
	return p, p.arrange()
}

// split takes the messages apart.
func (p *proof) split(body []byte) error {
	random := Commitment(p.anchor, p.nonce)
	for len(body) > 0 {
		m, rest, err := takeMessage(body, random[:])
		if err != nil {
			return err
		}
		p.messages, body = append(p.messages, m), rest
	}
	return nil
}

// takeMessage returns the first message of body and what follows it.
func takeMessage(body, random []byte) (m, rest []byte, err error) {
	if body[0] == typeCertificate {
		_, _, rest, err := certificateParts(body, true)
		return body[:len(body)-len(rest)], rest, err
	}
	s := cryptobyte.String(body)
	var n uint32
	if !s.Skip(1) || !s.ReadUint24(&n) {
		return nil, nil, errors.New("a message ends early")
	}
	size := header + int(n)
	if body[0] != typeClientHello {
		if len(body) < size {
			return nil, nil, errors.New("a message ends early")
		}
		return body[:size], body[size:], nil
	}
	if size -= len(random); size < randomStart || len(body) < size {
		return nil, nil, errors.New("ClientHello is malformed")
	}
	m = append(append([]byte(nil), body[:randomStart]...), random...)
	return append(m, body[randomStart:size]...), body[size:], nil
}

// arrange checks that the messages are those of a handshake, in their order.
func (p *proof) arrange() error {
	types := make([]byte, 0, 8)
	for _, m := range p.messages {
		types = append(types, m[0])
	}
	hellos := 2
	if bytes.HasPrefix(types, []byte{typeClientHello, typeServerHello, typeClientHello, typeServerHello}) {
		hellos, p.retry = 4, true
	} else if !bytes.HasPrefix(types, []byte{typeClientHello, typeServerHello}) {
		return fmt.Errorf("messages %v are not those of a handshake", types)
	}
	for i := 0; i < hellos; i += 2 {
		if err := p.hellos(i, i+2 == hellos); err != nil {
			return err
		}
	}
	rest := string(types[hellos:])
	ok := rest == string([]byte{typeEncryptedExtensions, typeCertificate, typeCertificateVerify}) ||
		rest == string([]byte{typeEncryptedExtensions, typeCertificateRequest, typeCertificate, typeCertificateVerify})
	if p.server.version == tls.VersionTLS12 {
		ok = !p.retry && rest == string([]byte{typeServerKeyExchange})
	}
	if !ok {
		return fmt.Errorf("messages %v are not those of a handshake", types)
	}
	return nil
}

// hellos reads the pair of hellos at i. All but the last are a HelloRetryRequest.
func (p *proof) hellos(i int, last bool) error {
	client, err := parseClientHello(p.messages[i])
	if err != nil {
		return err
	}
	server, err := parseServerHello(p.messages[i+1])
	if err != nil {
		return err
	}
	if server.retry == last {
		return errors.New("HelloRetryRequest out of its place")
	}
	s, known := suites[server.suite]
	if !known || s.version != server.version {
		return errorf(UnsupportedSuite, "cipher suite %s of version %#04x", tls.CipherSuiteName(server.suite), server.version)
	}
	if server.version == tls.VersionTLS13 && !bytes.Equal(server.session, client.session) {
		return errors.New("ServerHello is not an answer to ClientHello")
	}
	if p.client != nil && (p.client.serverName != client.serverName || p.server.suite != server.suite) {
		return errors.New("server name or suite changed with HelloRetryRequest")
	}
	p.client, p.server = client, server
	return nil
}
