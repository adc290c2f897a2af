package anchor

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// statement is what one CRL or OCSP response says about one certificate.
type statement struct {
	source  string // "crl" or "ocsp"
	updated time.Time
	revoked bool
	when    time.Time
	// spares: the reason leaves tokens made before "when" valid. RFC 3161
	// section 4: so do unspecified, affiliationChanged, superseded and
	// cessationOfOperation, but only where the reason is written down; without
	// it, and after a compromise, every token of that key is worthless.
	spares bool
	covers bool // if not revoked: it speaks for the time asked about
}

// choose returns the first of chains that no evidence speaks against, with the
// state of each certificate below its root. The error is ErrTokenRevoked.
func (ev *evidence) choose(chains [][]*x509.Certificate, at time.Time) ([]*x509.Certificate, []Revocation, error) {
	var first error
	for _, chain := range chains {
		states, err := ev.check(chain, at)
		if err == nil {
			return chain, states, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, first
}

func (ev *evidence) check(chain []*x509.Certificate, at time.Time) ([]Revocation, error) {
	states := make([]Revocation, 0, len(chain))
	for i, cert := range chain[:len(chain)-1] {
		r, err := judge(cert, at, ev.statements(cert, chain[i+1], at))
		if err != nil {
			return nil, err
		}
		states = append(states, r)
	}
	return states, nil
}

// judge weighs statements: one that revokes outweighs any that does not.
func judge(cert *x509.Certificate, at time.Time, all []statement) (Revocation, error) {
	r := Revocation{Subject: cert.Subject.String(), Serial: cert.SerialNumber.Text(16), State: RevocationUnknown}
	for _, s := range all {
		switch {
		case s.revoked && (!s.spares || !s.when.After(at)):
			why := "the revocation has no reason that would spare earlier tokens"
			if s.spares {
				why = "that is not after the time stated, " + at.UTC().Format(time.RFC3339)
			}
			return Revocation{}, fmt.Errorf("%w: %q (serial %s) at %s; %s", ErrTokenRevoked,
				r.Subject, r.Serial, s.when.UTC().Format(time.RFC3339), why)
		case s.revoked:
			r.State, r.Source, r.Updated, r.Revoked = RevocationLater, s.source, s.updated.UTC(), s.when.UTC()
		case s.covers && r.State == RevocationUnknown:
			r.State, r.Source, r.Updated = RevocationGood, s.source, s.updated.UTC()
		}
	}
	return r, nil
}

// statements collects what ev says about cert, as far as issuer signed it.
func (ev *evidence) statements(cert, issuer *x509.Certificate, at time.Time) []statement {
	var all []statement
	for _, l := range ev.crls {
		if s, ok := crlStatement(l, cert, issuer, at); ok {
			all = append(all, s)
		}
	}
	for _, der := range ev.ocsp {
		if s, ok := ocspStatement(der, cert, issuer, at); ok {
			all = append(all, s)
		}
	}
	return all
}

func crlStatement(l *x509.RevocationList, cert, issuer *x509.Certificate, at time.Time) (statement, bool) {
	if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
		return statement{}, false
	}
	scope := crlScope(l, cert)
	if scope == scopeOther {
		return statement{}, false
	}
	s := statement{source: "crl", updated: l.ThisUpdate}
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(cert.SerialNumber) != 0 {
			continue
		}
		reasoned := slices.ContainsFunc(e.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) })
		s.revoked, s.when, s.spares = true, e.RevocationTime, reasoned && sparing(e.ReasonCode)
		return s, true
	}
	s.covers = scope == scopeWhole && covers(l.ThisUpdate, l.NextUpdate, at, cert)
	return s, true
}

// The scope of a CRL with respect to one certificate.
const (
	scopeOther = iota // entries are about other issuers' certificates
	scopePart         // a certificate that is not in it may be revoked all the same
	scopeWhole        // a certificate that is not in it is not revoked
)

// crlScope reads the extensions of RFC 5280 section 5.2 that narrow a CRL.
func crlScope(l *x509.RevocationList, cert *x509.Certificate) int {
	scope := scopeWhole
	for _, x := range l.Extensions {
		switch {
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			scope = min(scope, pointScope(x.Value, cert))
		case x.Critical: // a delta CRL (2.5.29.27), or something newer than this code
			scope = min(scope, scopePart)
		}
	}
	return scope
}

// pointScope reads IssuingDistributionPoint, RFC 5280 section 5.2.5.
func pointScope(der []byte, cert *x509.Certificate) int {
	var idp struct {
		Point      asn1.RawValue  `asn1:"optional,tag:0"`
		Users      bool           `asn1:"optional,tag:1"`
		CAs        bool           `asn1:"optional,tag:2"`
		Reasons    asn1.BitString `asn1:"optional,tag:3"`
		Indirect   bool           `asn1:"optional,tag:4"`
		Attributes bool           `asn1:"optional,tag:5"`
	}
	if unmarshalAll(der, &idp, "issuing distribution point") != nil || idp.Indirect || idp.Attributes {
		return scopeOther
	}
	if idp.Users && cert.IsCA || idp.CAs && !cert.IsCA || idp.Reasons.BitLength > 0 {
		return scopePart
	}
	if len(idp.Point.Bytes) > 0 && !pointNames(idp.Point.Bytes, cert.CRLDistributionPoints) {
		return scopePart
	}
	return scopeWhole
}

// pointNames reports whether a DistributionPointName holds one of the addresses.
func pointNames(der []byte, addresses []string) bool {
	var full asn1.RawValue // fullName [0] GeneralNames
	if unmarshalAll(der, &full, "distribution point name") != nil {
		return false
	}
	for rest := full.Bytes; len(rest) > 0; {
		var name asn1.RawValue // uniformResourceIdentifier [6] IA5String
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return false
		}
		if name.Class == asn1.ClassContextSpecific && name.Tag == 6 && slices.Contains(addresses, string(name.Bytes)) {
			return true
		}
	}
	return false
}

func ocspStatement(der []byte, cert, issuer *x509.Certificate, at time.Time) (statement, bool) {
	r, err := ocsp.ParseResponseForCert(der, cert, issuer)
	if err != nil || !mayAnswer(r, issuer) || r.Status == ocsp.Unknown {
		return statement{}, false
	}
	s := statement{source: "ocsp", updated: r.ThisUpdate}
	if r.Status == ocsp.Revoked {
		// The library does not tell "unspecified" (0) from no reason at all.
		s.revoked, s.when, s.spares = true, r.RevokedAt, r.RevocationReason != 0 && sparing(r.RevocationReason)
		return s, true
	}
	s.covers = covers(r.ThisUpdate, r.NextUpdate, at, cert)
	return s, true
}

// mayAnswer checks what the OCSP library leaves out: a responder that is not the
// issuer itself must be entitled by it (RFC 6960 section 4.2.2.2). Otherwise any
// certificate of the issuer could call itself good.
func mayAnswer(r *ocsp.Response, issuer *x509.Certificate) bool {
	c := r.Certificate
	if c == nil || bytes.Equal(c.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) &&
		!r.ProducedAt.Before(c.NotBefore) && !r.ProducedAt.After(c.NotAfter)
}

// sparing reports whether a written reason leaves earlier tokens valid.
func sparing(reason int) bool {
	return reason == 0 || reason == 3 || reason == 4 || reason == 5
}

// covers reports whether a statement made for updated to next tells that cert
// was not revoked at the time at. Lists drop expired certificates, so one made
// after the end of cert says nothing about it.
func covers(updated, next, at time.Time, cert *x509.Certificate) bool {
	if updated.After(cert.NotAfter) {
		return false
	}
	if next.IsZero() {
		next = updated.Add(24 * time.Hour)
	}
	return !at.After(next)
}
