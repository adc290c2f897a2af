package anchor

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/timestamp-authority/v2/pkg/verification"
)

// VerifyToken checks offline that tsr is a timestamp over exactly data, signed
// by a certificate for time stamping that stands under roots, all of whose chain
// was valid at the time that the token states and, as far as evidence tells, not
// revoked. It does not matter whether the chain has expired since.
//
// evidence is what Stamp stored beside the token, or nil. It is never trusted:
// its certificates only help to complete the chain, its CRLs and OCSP responses
// count when the issuer signed them.
//
// The error is one of the ErrToken kinds. ErrTokenUntrusted alone means that it
// cannot be told with these roots; all others mean that the claim is false.
func VerifyToken(tsr, data, evidence []byte, roots Roots) (TokenInfo, error) {
	return verifyToken(tsr, data, evidence, roots, nil)
}

// verifyToken also checks the nonce, unless it is nil.
func verifyToken(tsr, data, evidence []byte, roots Roots, nonce *big.Int) (TokenInfo, error) {
	p, err := parseToken(tsr)
	if err != nil {
		return TokenInfo{}, err
	}
	ev, err := parseEvidence(evidence)
	if err != nil {
		return TokenInfo{}, fmt.Errorf("%w: evidence: %w", ErrTokenFormat, err)
	}
	if err := p.answers(data, nonce); err != nil {
		return TokenInfo{}, err
	}
	if err := validAt(p.signer, p.info.Time); err != nil {
		return TokenInfo{}, err
	}
	if err := p.checkSignature(tsr); err != nil {
		return TokenInfo{}, err
	}
	chains, err := roots.chains(p.signer, append(p.certs[:len(p.certs):len(p.certs)], ev.certs...), p.info.Time)
	if err != nil {
		return TokenInfo{}, chainError(p, err)
	}
	if err := p.checkTrust(tsr, data, nonce, chains); err != nil {
		return TokenInfo{}, err
	}
	chain, states, err := ev.choose(chains, p.info.Time)
	if err != nil {
		return TokenInfo{}, err
	}
	return p.describe(chain, states), nil
}

// answers reports whether the token is about data and carries nonce.
func (p *parsedToken) answers(data []byte, nonce *big.Int) error {
	h := p.hash.New()
	h.Write(data)
	if sum := h.Sum(nil); !bytes.Equal(sum, p.info.Imprint.Digest) {
		return fmt.Errorf("%w: %s is %x, the token says %.64x", ErrTokenImprint, p.hash, sum, p.info.Imprint.Digest)
	}
	switch {
	case nonce == nil:
	case p.info.Nonce == nil:
		return fmt.Errorf("%w: it has no nonce", ErrTokenNonce)
	case p.info.Nonce.Cmp(nonce) != 0:
		return fmt.Errorf("%w: its nonce is another one", ErrTokenNonce)
	}
	return nil
}

// validAt tells an expired certificate from an untrusted one before the
// libraries mix both up with the signature.
func validAt(cert *x509.Certificate, at time.Time) error {
	if at.Before(cert.NotBefore) || at.After(cert.NotAfter) {
		return fmt.Errorf("%w: %q is valid from %s to %s, the token states %s", ErrTokenExpired, cert.Subject,
			cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkSignature verifies the CMS signature alone, so that a broken token is
// "false" even for a verifier without its root.
func (p *parsedToken) checkSignature(tsr []byte) error {
	err := guarded(func() error {
		ts, err := timestamp.ParseResponse(tsr)
		if err != nil {
			return err
		}
		if !ts.Time.Equal(p.info.Time) || !bytes.Equal(ts.HashedMessage, p.info.Imprint.Digest) {
			return errors.New("two readings of it differ")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenFormat, err)
	}
	return nil
}

// checkTrust has the whole token verified once more, by a library whose only
// purpose this is. It takes a list of roots, not a pool: it gets the ends of the
// chains that were found.
func (p *parsedToken) checkTrust(tsr, data []byte, nonce *big.Int, chains [][]*x509.Certificate) error {
	opts := verification.VerifyOpts{Nonce: nonce, CurrentTime: p.info.Time}
	for _, chain := range chains {
		opts.Roots = append(opts.Roots, chain[len(chain)-1])
		opts.Intermediates = append(opts.Intermediates, chain[1:]...)
	}
	err := guarded(func() error {
		_, err := verification.VerifyTimestampResponse(tsr, bytes.NewReader(data), opts)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenFormat, err)
	}
	return nil
}

// guarded turns a panic of a foreign parser over outside bytes into an error:
// one odd token must not end an audit of ten thousand.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its parser gave up: %v", r)
		}
	}()
	return f()
}

// chainError names the kind of a failed path and the certificate concerned.
func chainError(p *parsedToken, err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Cert != nil {
		switch invalid.Reason {
		case x509.Expired:
			if err := validAt(invalid.Cert, p.info.Time); err != nil {
				return err
			}
		case x509.IncompatibleUsage:
			return fmt.Errorf("%w: %q is not made for time stamping", ErrTokenFormat, invalid.Cert.Subject)
		}
	}
	return fmt.Errorf("%w: it was signed by %q, issued by %q: %w", ErrTokenUntrusted, p.signer.Subject, p.signer.Issuer, err)
}

func (p *parsedToken) describe(chain []*x509.Certificate, states []Revocation) TokenInfo {
	info := TokenInfo{
		Time:       p.info.Time.UTC(),
		Accuracy:   p.accuracy,
		Serial:     p.info.Serial.Text(16),
		Policy:     p.info.Policy.String(),
		Hash:       p.hash.String(),
		Signer:     p.signer.Subject.String(),
		Root:       chain[len(chain)-1].Subject.String(),
		Chain:      chain,
		Revocation: states,
	}
	for _, c := range chain {
		if info.Expires.IsZero() || c.NotAfter.Before(info.Expires) {
			info.Expires = c.NotAfter.UTC()
		}
	}
	return info
}
