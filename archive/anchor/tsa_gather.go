package anchor

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// revocationTimeout bounds all requests for the CRLs and OCSP responses of a token.
const revocationTimeout = 20 * time.Second

// gather fetches what the certificates of a verified chain name as the places
// to learn about their revocation: OCSP first, since it is small, and the CRL
// where there is no OCSP or no useful answer. The addresses are those of
// certificates under the operator's roots, never of an unverified answer. What
// cannot be had becomes a note.
func (s *Stamper) gather(ctx context.Context, chain []*x509.Certificate, at time.Time) (*evidence, []string) {
	ctx, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	ev := &evidence{certs: chain}
	var notes []string
	for i, cert := range chain[:len(chain)-1] {
		if err := s.learn(ctx, ev, cert, chain[i+1], at); err != nil {
			notes = append(notes, fmt.Sprintf("no revocation data for %q: %s", cert.Subject, flat(err)))
		}
	}
	return ev, notes
}

// learn adds one statement about cert to ev, or says why there is none.
func (s *Stamper) learn(ctx context.Context, ev *evidence, cert, issuer *x509.Certificate, at time.Time) error {
	var errs []error
	for _, address := range cert.OCSPServer {
		der, err := s.askOCSP(ctx, address, cert, issuer)
		if err == nil {
			err = useful(ev, pemOCSP, der, cert, issuer, at)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("OCSP: %w", err))
	}
	for _, address := range cert.CRLDistributionPoints {
		der, err := s.getCRL(ctx, address)
		if err == nil {
			err = useful(ev, pemCRL, der, cert, issuer, at)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("CRL: %w", err))
	}
	if len(errs) == 0 {
		return errors.New("it names neither an OCSP responder nor a CRL")
	}
	return errors.Join(errs...)
}

// useful adds der to ev if it states something about cert at that time.
func useful(ev *evidence, kind string, der []byte, cert, issuer *x509.Certificate, at time.Time) error {
	var one evidence
	if err := one.add(kind, der); err != nil {
		return err
	}
	for _, s := range one.statements(cert, issuer, at) {
		if s.revoked || s.covers {
			return ev.add(kind, der)
		}
	}
	return errors.New("it states nothing about this certificate at this time, or the issuer did not sign it")
}

func (s *Stamper) askOCSP(ctx context.Context, address string, cert, issuer *x509.Certificate) ([]byte, error) {
	query, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return nil, err
	}
	req, err := revocationRequest(ctx, http.MethodPost, address, query)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	return s.fetch(s.client(), req, "application/ocsp-response", maxRevocation)
}

// getCRL fetches a CRL. Its media type is not looked at: servers name several.
func (s *Stamper) getCRL(ctx context.Context, address string) ([]byte, error) {
	req, err := revocationRequest(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	body, err := s.fetch(s.client(), req, "", maxRevocation)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(body); block != nil && block.Type == pemCRL {
		body = block.Bytes
	}
	return body, nil
}

func revocationRequest(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		return nil, fmt.Errorf("%.100q is not an http address", address)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, plainError(err)
	}
	return req, nil
}

// flat puts a joined error on one line.
func flat(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
