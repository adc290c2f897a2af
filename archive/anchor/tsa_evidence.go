package anchor

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// The PEM block types of an evidence file. openssl writes and reads the first two.
const (
	pemCertificate = "CERTIFICATE"
	pemCRL         = "X509 CRL"
	pemOCSP        = "OCSP RESPONSE" // DER of OCSPResponse, RFC 6960 section 4.2.1
)

// Limits of an evidence file.
const (
	// MaxEvidence bounds the file, in bytes.
	MaxEvidence = 8 << 20
	// maxRevocation bounds one CRL or OCSP response, in bytes.
	maxRevocation = 1 << 20
	// maxBlocks bounds the number of blocks.
	maxBlocks = 64
)

// evidence is the parsed file that is stored beside a token.
type evidence struct {
	certs []*x509.Certificate
	crls  []*x509.RevocationList
	ocsp  [][]byte
}

// parseEvidence reads an evidence file; nil gives none.
func parseEvidence(data []byte) (*evidence, error) {
	if len(data) > MaxEvidence {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), MaxEvidence)
	}
	ev := &evidence{}
	for n := 1; ; n++ {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if n > maxBlocks {
			return nil, fmt.Errorf("more than %d blocks", maxBlocks)
		}
		if err := ev.add(block.Type, block.Bytes); err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
	}
	if rest := bytes.TrimSpace(data); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes at its end are no PEM", len(rest))
	}
	return ev, nil
}

// add takes one DER object of the type that its PEM block names.
func (ev *evidence) add(kind string, der []byte) error {
	switch kind {
	case pemCertificate:
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		ev.certs = append(ev.certs, c)
	case pemCRL:
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		ev.crls = append(ev.crls, l)
	case pemOCSP:
		ev.ocsp = append(ev.ocsp, der)
	default:
		return fmt.Errorf("a %q is no evidence", kind)
	}
	return nil
}

// encode writes the file: certificates, then CRLs, then OCSP responses, each in
// the order they were added.
func (ev *evidence) encode() []byte {
	var b bytes.Buffer
	write := func(kind string, der []byte) {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for _, c := range ev.certs {
		write(pemCertificate, c.Raw)
	}
	for _, l := range ev.crls {
		write(pemCRL, l.Raw)
	}
	for _, r := range ev.ocsp {
		write(pemOCSP, r)
	}
	return b.Bytes()
}
