package handshake

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// ErrSignature says that the server's signature is not one over this handshake:
// anchor, nonce, a message or the chain is not what it was.
var ErrSignature = errors.New("the signature of the server does not hold")

// ErrNotAsked is Facts.Path where no roots were given.
var ErrNotAsked = errors.New("the path to a root was not checked: no roots were given")

// VerifyOptions says what a proof is held against.
type VerifyOptions struct {
	// Host is the host that was asked, without a port; an IP address stands
	// without brackets. "" accepts any: Facts.ServerName says which.
	Host string
	// Roots are those that a path has to lead to; nil checks no path.
	Roots *x509.CertPool
	// Time is when the path has to be valid, the time of the look. It must be
	// set with Roots.
	Time time.Time
}

// Facts are what a proof shows.
type Facts struct {
	Anchor, Nonce [32]byte

	Version    uint16 // tls.VersionTLS13 or tls.VersionTLS12
	Suite      uint16
	Scheme     tls.SignatureScheme
	ServerName string // in ClientHello; "" if none was sent, as with an IP address
	// Whole says that the signature covers all the messages (TLS 1.3). Without it
	// (TLS 1.2) it covers the randoms and the key exchange alone: suite and
	// server name are then our own word.
	Whole     bool
	PublicKey []byte // of the server's certificate, SubjectPublicKeyInfo in DER

	// Path is nil if a path leads from the server's certificate over those of
	// the chain to one of the roots at Time; ErrNotAsked without roots.
	Path error
	Time time.Time // VerifyOptions.Time
}

// Verify checks a proof against the certificates that the server sent, DER, leaf
// first. Without an error the holder of the leaf's key signed a handshake that
// commits to Facts.Anchor, and the leaf is one for opt.Host. Whether somebody
// vouches for the leaf is told apart, in Facts.Path.
//
// Errors: ErrSignature, ErrNewer, and others for what is malformed or not for
// this host.
func Verify(proof []byte, chain [][]byte, opt VerifyOptions) (Facts, error) {
	p, err := parse(proof)
	if err != nil {
		return Facts{}, fmt.Errorf("handshake proof: %w", err)
	}
	facts, leaf, err := p.verify(chain)
	if err != nil {
		return Facts{}, fmt.Errorf("handshake proof: %w", err)
	}
	if opt.Host != "" {
		if err := checkHost(facts.ServerName, leaf, opt.Host); err != nil {
			return Facts{}, fmt.Errorf("handshake proof: %w", err)
		}
	}
	facts.Time = opt.Time
	facts.Path = checkPath(leaf, chain, opt)
	return facts, nil
}

// verify checks the signature.
func (p *proof) verify(chain [][]byte) (Facts, *x509.Certificate, error) {
	facts := Facts{Anchor: p.anchor, Nonce: p.nonce, Version: p.server.version, Suite: p.server.suite, ServerName: p.client.serverName}
	if len(chain) == 0 {
		return facts, nil, errors.New("no certificate was given")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return facts, nil, fmt.Errorf("certificate of the server: %w", err)
	}
	facts.PublicKey = leaf.RawSubjectPublicKeyInfo
	facts.Whole = facts.Version == tls.VersionTLS13
	var sig signature
	var signed []byte
	if facts.Whole {
		sig, signed, err = p.signed13(chain)
	} else {
		sig, signed, err = p.signed12()
	}
	if err != nil {
		return facts, nil, err
	}
	facts.Scheme = sig.scheme
	return facts, leaf, checkSignature(leaf.PublicKey, facts.Version, sig, signed)
}

// signed13 returns what CertificateVerify is over (RFC 8446, section 4.4.3).
func (p *proof) signed13(chain [][]byte) (signature, []byte, error) {
	h := suites[p.server.suite].hash.New()
	last := len(p.messages) - 1
	for i, m := range p.messages[:last] {
		switch {
		case i == 0 && p.retry: // section 4.4.1
			h.Write(m)
			sum := h.Sum(nil)
			h.Reset()
			h.Write([]byte{typeMessageHash, 0, 0, byte(len(sum))})
			h.Write(sum)
		case m[0] == typeCertificate:
			parts, _, _, err := certificateParts(m, true)
			if err == nil {
				m, err = joinCertificate(parts, chain)
			}
			if err != nil {
				return signature{}, nil, err
			}
			fallthrough
		default:
			h.Write(m)
		}
	}
	sig, ok := readSignature(cryptobyte.String(p.messages[last][header:]))
	if !ok {
		return sig, nil, errors.New("CertificateVerify is malformed")
	}
	signed := bytes.Repeat([]byte{' '}, 64)
	signed = append(signed, "TLS 1.3, server CertificateVerify\x00"...)
	return sig, h.Sum(signed), nil
}

// signed12 returns what ServerKeyExchange's signature is over (RFC 5246,
// section 7.4.3; RFC 8422, section 5.4).
func (p *proof) signed12() (signature, []byte, error) {
	params, sig, err := parseKeyExchange(p.messages[2])
	if err != nil {
		return sig, nil, err
	}
	client, server := p.messages[0], p.messages[1]
	signed := append([]byte(nil), client[randomStart:randomEnd]...)
	signed = append(signed, server[randomStart:randomEnd]...)
	return sig, append(signed, params...), nil
}

// scheme is a signature scheme that is accepted.
type scheme struct {
	hash  crypto.Hash    // 0 for Ed25519
	curve elliptic.Curve // of ECDSA in TLS 1.3; nil for other keys
	ecdsa bool
	pss   bool
	old   bool // in TLS 1.2 only
}

// schemes are those of RFC 8446, section 4.2.3, but for SHA-1 and keys that are
// for RSASSA-PSS alone, which crypto/x509 does not read.
var schemes = map[tls.SignatureScheme]scheme{
	tls.ECDSAWithP256AndSHA256: {hash: crypto.SHA256, ecdsa: true, curve: elliptic.P256()},
	tls.ECDSAWithP384AndSHA384: {hash: crypto.SHA384, ecdsa: true, curve: elliptic.P384()},
	tls.ECDSAWithP521AndSHA512: {hash: crypto.SHA512, ecdsa: true, curve: elliptic.P521()},
	tls.PSSWithSHA256:          {hash: crypto.SHA256, pss: true},
	tls.PSSWithSHA384:          {hash: crypto.SHA384, pss: true},
	tls.PSSWithSHA512:          {hash: crypto.SHA512, pss: true},
	tls.PKCS1WithSHA256:        {hash: crypto.SHA256, old: true},
	tls.PKCS1WithSHA384:        {hash: crypto.SHA384, old: true},
	tls.PKCS1WithSHA512:        {hash: crypto.SHA512, old: true},
	tls.Ed25519:                {},
}

// checkSignature checks a signature over a message under the leaf's key.
func checkSignature(key crypto.PublicKey, version uint16, sig signature, message []byte) error {
	s, known := schemes[sig.scheme]
	if !known || s.old && version == tls.VersionTLS13 {
		return errorf(UnsupportedSuite, "signature scheme %v", sig.scheme)
	}
	digest := message
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	holds := false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if s.ecdsa && (version == tls.VersionTLS12 || k.Curve == s.curve) {
			holds = ecdsa.VerifyASN1(k, digest, sig.bytes)
		}
	case *rsa.PublicKey:
		switch {
		case s.pss: // the salt is as long as the digest
			holds = rsa.VerifyPSS(k, s.hash, digest, sig.bytes, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		case s.old:
			holds = rsa.VerifyPKCS1v15(k, s.hash, digest, sig.bytes) == nil
		}
	case ed25519.PublicKey:
		holds = s.hash == 0 && ed25519.Verify(k, digest, sig.bytes)
	}
	if !holds {
		return ErrSignature
	}
	return nil
}

// checkHost compares the name that was asked for, the certificate and the host.
func checkHost(asked string, leaf *x509.Certificate, host string) error {
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(host); err == nil {
		// RFC 6066, section 3: addresses are not sent.
		if asked != "" {
			return fmt.Errorf("ClientHello asks for %q, not for the address %s", asked, host)
		}
	} else if !strings.EqualFold(asked, host) {
		return fmt.Errorf("ClientHello asks for %q, not for %q", asked, host)
	}
	if err := leaf.VerifyHostname(host); err != nil {
		return fmt.Errorf("certificate of the server: %w", err)
	}
	return nil
}

// checkPath looks for a path to a root.
func checkPath(leaf *x509.Certificate, chain [][]byte, opt VerifyOptions) error {
	if opt.Roots == nil {
		return ErrNotAsked
	}
	if opt.Time.IsZero() {
		return errors.New("the path to a root was not checked: no time was given")
	}
	others := x509.NewCertPool()
	for _, der := range chain[1:] {
		// One that can't be read leads nowhere.
		if c, err := x509.ParseCertificate(der); err == nil {
			others.AddCert(c)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName: opt.Host, Intermediates: others, Roots: opt.Roots, CurrentTime: opt.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}
