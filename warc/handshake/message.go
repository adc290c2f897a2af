package handshake

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Types of handshake messages (RFC 8446, section 4; RFC 5246, section 7.4).
const (
	typeClientHello         = 1
	typeServerHello         = 2
	typeEncryptedExtensions = 8
	typeCertificate         = 11
	typeServerKeyExchange   = 12
	typeCertificateRequest  = 13
	typeServerHelloDone     = 14
	typeCertificateVerify   = 15
	typeFinished            = 20
	typeMessageHash         = 254
)

// Extensions that are looked at.
const (
	extServerName        = 0
	extPreSharedKey      = 41
	extSupportedVersions = 43
)

// header is the length of a message's type and length.
const header = 4

// The random of a hello stands behind its header and two bytes of version.
const (
	randomStart = header + 2
	randomEnd   = randomStart + 32
)

// retryRandom is the random of a ServerHello that is a HelloRetryRequest
// (RFC 8446, section 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// clientHello is what is read of a ClientHello.
type clientHello struct {
	session    []byte
	serverName string // "" if the extension is not there
}

// serverHello is what is read of a ServerHello or HelloRetryRequest.
type serverHello struct {
	retry   bool
	version uint16 // tls.VersionTLS13 or what stands in legacy_version
	suite   uint16
	session []byte
}

// extensions calls visit for each extension.
func extensions(s cryptobyte.String, visit func(typ uint16, data cryptobyte.String) bool) bool {
	var list cryptobyte.String
	if s.Empty() {
		return true // TLS 1.2 without extensions
	}
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return false
	}
	seen := map[uint16]bool{}
	for !list.Empty() {
		var typ uint16
		var data cryptobyte.String
		if !list.ReadUint16(&typ) || !list.ReadUint16LengthPrefixed(&data) || seen[typ] || !visit(typ, data) {
			return false
		}
		seen[typ] = true
	}
	return true
}

// parseClientHello reads a whole message (RFC 8446, section 4.1.2).
func parseClientHello(m []byte) (*clientHello, error) {
	h := new(clientHello)
	s := cryptobyte.String(m[header:])
	var session, suites, compression cryptobyte.String
	ok := s.Skip(2+32) && s.ReadUint8LengthPrefixed(&session) && s.ReadUint16LengthPrefixed(&suites) && s.ReadUint8LengthPrefixed(&compression)
	ok = ok && extensions(s, func(typ uint16, data cryptobyte.String) bool {
		switch typ {
		case extServerName:
			return h.readServerName(data)
		case extPreSharedKey:
			return false // we resume nothing
		}
		return true
	})
	if !ok {
		return nil, errors.New("ClientHello is malformed")
	}
	h.session = session
	return h, nil
}

// readServerName reads the one name of type host_name (RFC 6066, section 3).
func (h *clientHello) readServerName(data cryptobyte.String) bool {
	var list, name cryptobyte.String
	var typ uint8
	ok := data.ReadUint16LengthPrefixed(&list) && data.Empty() &&
		list.ReadUint8(&typ) && typ == 0 && list.ReadUint16LengthPrefixed(&name) && list.Empty() && len(name) > 0
	h.serverName = string(name)
	return ok
}

// parseServerHello reads a whole message (RFC 8446, section 4.1.3; RFC 5246,
// section 7.4.1.3).
func parseServerHello(m []byte) (*serverHello, error) {
	h := new(serverHello)
	s := cryptobyte.String(m[header:])
	var random []byte
	var session cryptobyte.String
	var compression uint8
	resumed := false
	ok := s.ReadUint16(&h.version) && s.ReadBytes(&random, 32) && s.ReadUint8LengthPrefixed(&session) && s.ReadUint16(&h.suite) && s.ReadUint8(&compression)
	ok = ok && compression == 0 && extensions(s, func(typ uint16, data cryptobyte.String) bool {
		switch typ {
		case extSupportedVersions:
			return data.ReadUint16(&h.version) && data.Empty() && h.version >= tls.VersionTLS13
		case extPreSharedKey:
			resumed = true
		}
		return true
	})
	if !ok {
		return nil, errorf(Malformed, "ServerHello is malformed")
	}
	if resumed {
		return nil, errorf(NoSignature, "the server resumed a session")
	}
	h.retry, h.session = string(random) == retryRandom, session
	return h, nil
}

// certificateParts takes a TLS 1.3 Certificate message apart (RFC 8446,
// section 4.4.2): parts[i] comes before the i-th certificate, the last one
// behind all. With cut set the certificates themselves are not there, as in a
// proof; else they are returned. rest is what follows the message.
func certificateParts(b []byte, cut bool) (parts, certs [][]byte, rest []byte, err error) {
	bad := errors.New("the Certificate message is malformed")
	s := cryptobyte.String(b)
	var length, list uint32
	var context, data, ext cryptobyte.String
	if !s.Skip(1) || !s.ReadUint24(&length) || !s.ReadUint8LengthPrefixed(&context) || !s.ReadUint24(&list) || length != uint32(1+len(context)+3)+list {
		return nil, nil, nil, bad
	}
	start := 0 // of the part at hand
	for left := int64(list); left > 0; {
		var n uint32
		if !s.ReadUint24(&n) || n == 0 {
			return nil, nil, nil, bad
		}
		parts = append(parts, b[start:len(b)-len(s)])
		if !cut {
			if !s.ReadBytes((*[]byte)(&data), int(n)) {
				return nil, nil, nil, bad
			}
			certs = append(certs, data)
		}
		start = len(b) - len(s)
		if !s.ReadUint16LengthPrefixed(&ext) {
			return nil, nil, nil, bad
		}
		if left -= int64(3 + n + 2 + uint32(len(ext))); left < 0 {
			return nil, nil, nil, bad
		}
	}
	if len(parts) == 0 {
		return nil, nil, nil, errors.New("a Certificate message without a certificate")
	}
	return append(parts, b[start:len(b)-len(s)]), certs, s, nil
}

// joinCertificate puts a chain back into the parts of a Certificate message.
func joinCertificate(parts, chain [][]byte) ([]byte, error) {
	if len(chain) != len(parts)-1 {
		return nil, fmt.Errorf("chain of %d certificates, the server sent %d", len(chain), len(parts)-1)
	}
	var out []byte
	for i, der := range chain {
		p := parts[i]
		if n := int(p[len(p)-3])<<16 | int(p[len(p)-2])<<8 | int(p[len(p)-1]); n != len(der) {
			return nil, fmt.Errorf("certificate %d of the chain has %d bytes, that of the handshake %d", i+1, len(der), n)
		}
		out = append(append(out, p...), der...)
	}
	return append(out, parts[len(chain)]...), nil
}

// signature is a signature with its scheme, as the messages hold it.
type signature struct {
	scheme tls.SignatureScheme
	bytes  []byte
}

// readSignature reads the rest of s.
func readSignature(s cryptobyte.String) (sig signature, ok bool) {
	var scheme uint16
	var b cryptobyte.String
	ok = s.ReadUint16(&scheme) && s.ReadUint16LengthPrefixed(&b) && s.Empty()
	return signature{tls.SignatureScheme(scheme), b}, ok
}

// signatureLength returns how many bytes at the end of a CertificateVerify or
// ServerKeyExchange are its signature. Of a malformed one it says nothing useful,
// but never more than the message has.
func signatureLength(m []byte) int {
	sig, _ := readSignature(cryptobyte.String(m[header:]))
	if m[0] == typeServerKeyExchange {
		_, sig, _ = parseKeyExchange(m)
	}
	return len(sig.bytes)
}

// parseKeyExchange reads a ServerKeyExchange with a named curve (RFC 8422,
// section 5.4). params is what the signature covers beside the randoms.
func parseKeyExchange(m []byte) (params []byte, sig signature, err error) {
	s := cryptobyte.String(m[header:])
	var curveType uint8
	var point cryptobyte.String
	ok := s.ReadUint8(&curveType) && curveType == 3 && s.Skip(2) && s.ReadUint8LengthPrefixed(&point)
	if ok {
		params = m[header : len(m)-len(s)]
		sig, ok = readSignature(s)
	}
	if !ok {
		return nil, sig, errors.New("ServerKeyExchange is malformed")
	}
	return bytes.Clone(params), sig, nil
}
