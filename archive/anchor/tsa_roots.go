package anchor

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Roots is a set of root certificates to trust. The zero value trusts nothing.
// It is never changed after it was made and may be shared.
type Roots struct {
	anchors []*x509.Certificate
	helpers []*x509.Certificate
	system  *x509.CertPool
}

// SystemRootsName is the word that ReadRoots takes for SystemRoots.
const SystemRootsName = "system"

// ParseRoots reads PEM certificates. Self-issued ones (subject equal to issuer)
// are trusted; the others only help to complete a chain, which is the rule of
// openssl's -CAfile. Blocks of other types are refused: a private key in a file
// of roots is a mistake worth stopping at.
func ParseRoots(data []byte) (Roots, error) {
	var r Roots
	for n := 1; ; n++ {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != pemCertificate {
			return Roots{}, fmt.Errorf("root certificates: block %d is a %q, want only %q", n, block.Type, pemCertificate)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Roots{}, fmt.Errorf("root certificates: block %d: %w", n, err)
		}
		if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			r.anchors = append(r.anchors, cert)
		} else {
			r.helpers = append(r.helpers, cert)
		}
	}
	switch {
	case len(r.anchors)+len(r.helpers) == 0:
		return Roots{}, errors.New("root certificates: no PEM certificate; convert DER with `openssl x509 -inform DER -in FILE`")
	case len(r.anchors) == 0:
		return Roots{}, fmt.Errorf("root certificates: %s is no root (another issued it); add the self-signed certificate at the end of its chain", r.helpers[0].Subject)
	}
	return r, nil
}

// SystemRoots trusts what this machine trusts. That set changes with the
// machine and its updates, and holds many certificate authorities: name a root
// by file where the verdict must be the same in ten years.
func SystemRoots() (Roots, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return Roots{}, fmt.Errorf("this machine's root certificates: %w", err)
	}
	return Roots{system: pool}, nil
}

// ReadRoots reads a PEM file; the name "system" means SystemRoots.
func ReadRoots(name string) (Roots, error) {
	if name == SystemRootsName {
		return SystemRoots()
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Roots{}, fmt.Errorf("root certificates: %w", err)
	}
	r, err := ParseRoots(data)
	if err != nil {
		return Roots{}, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// MergeRoots trusts what any of sets trusts.
func MergeRoots(sets ...Roots) Roots {
	var r Roots
	for _, s := range sets {
		r.anchors = append(r.anchors, s.anchors...)
		r.helpers = append(r.helpers, s.helpers...)
		if s.system != nil {
			r.system = s.system
		}
	}
	return r
}

// Empty reports whether r trusts nothing.
func (r Roots) Empty() bool { return len(r.anchors) == 0 && r.system == nil }

// chains returns the paths from cert to a root of r, all certificates of which
// were valid at the time at and may serve time stamping.
func (r Roots) chains(cert *x509.Certificate, others []*x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	pool := x509.NewCertPool()
	if r.system != nil {
		pool = r.system.Clone()
	}
	for _, c := range r.anchors {
		pool.AddCert(c)
	}
	between := x509.NewCertPool()
	for _, c := range append(r.helpers[:len(r.helpers):len(r.helpers)], others...) {
		between.AddCert(c)
	}
	return cert.Verify(x509.VerifyOptions{
		Roots:         pool,
		Intermediates: between,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
}
