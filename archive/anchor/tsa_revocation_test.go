package anchor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
)

// stated is the time that the tokens of these tests state.
var stated = time.Date(2020, 6, 1, 12, 0, 0, 0, time.UTC)

// verdict is what judge makes of ev about the leaf of d.
func (d *testPKI) verdict(ev *evidence) string {
	_, states, err := ev.choose([][]*x509.Certificate{{d.leaf, d.ca}}, stated)
	if errors.Is(err, ErrTokenRevoked) && strings.Contains(err.Error(), `"CN=test signer" (serial 7)`) {
		return "revoked"
	}
	if err != nil {
		return err.Error()
	}
	return string(states[0].State)
}

// narrowed makes an extension that says what a CRL is about.
func narrowed(der string) []pkix.Extension {
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: append([]byte{0x30, byte(len(der))}, der...)}}
}

func TestRevocationByCRL(t *testing.T) {
	t.Parallel()
	const address = "http://example.org/a.crl"
	point := func(s string) string { // distributionPoint [0] { fullName [0] { uri [6] } }
		n := byte(len(s))
		return string([]byte{0xa0, n + 4, 0xa0, n + 2, 0x86, n}) + s
	}
	d := newTestPKI(t)
	d.points = []string{address}
	d.build(t)
	entry := func(after time.Duration, code int) []x509.RevocationListEntry {
		return []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: stated.Add(after), ReasonCode: code}}
	}
	other := []x509.RevocationListEntry{{SerialNumber: big.NewInt(8), RevocationTime: stated.Add(-time.Hour)}}
	for _, tc := range []struct {
		name       string
		list       x509.RevocationList
		made, ends time.Duration // from the time stated; default -1h and +1h
		want       string
	}{
		{name: "not in it", want: "good"},
		{name: "another certificate", list: x509.RevocationList{RevokedCertificateEntries: other}, want: "good"},
		{name: "revoked before", list: x509.RevocationList{RevokedCertificateEntries: entry(-time.Second, 4)}, want: "revoked"},
		{name: "revoked at that moment", list: x509.RevocationList{RevokedCertificateEntries: entry(0, 4)}, want: "revoked"},
		{name: "revoked later, superseded", list: x509.RevocationList{RevokedCertificateEntries: entry(time.Second, 4)}, want: "revoked-later"},
		{name: "revoked later, key compromised", list: x509.RevocationList{RevokedCertificateEntries: entry(time.Second, 1)}, want: "revoked"},
		{name: "revoked later, no reason", list: x509.RevocationList{RevokedCertificateEntries: entry(time.Second, 0)}, want: "revoked"},
		{name: "ended before", ends: -time.Minute, want: "unknown"},
		{name: "ended before, but revoked", ends: -time.Minute, list: x509.RevocationList{RevokedCertificateEntries: entry(-2*time.Hour, 4)}, want: "revoked"},
		{name: "made after the certificate ended", made: 400 * 24 * time.Hour, ends: 500 * 24 * time.Hour, want: "unknown"},
		{name: "delta", list: x509.RevocationList{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}}, want: "unknown"},
		{name: "this address", list: x509.RevocationList{ExtraExtensions: narrowed(point(address))}, want: "good"},
		{name: "another address", list: x509.RevocationList{ExtraExtensions: narrowed(point("http://example.org/b.crl"))}, want: "unknown"},
		{name: "another address, but revoked", list: x509.RevocationList{ExtraExtensions: narrowed(point("http://example.org/b.crl")), RevokedCertificateEntries: entry(-time.Second, 4)}, want: "revoked"},
		{name: "users only", list: x509.RevocationList{ExtraExtensions: narrowed("\x81\x01\xff")}, want: "good"},
		{name: "authorities only", list: x509.RevocationList{ExtraExtensions: narrowed("\x82\x01\xff")}, want: "unknown"},
		{name: "some reasons", list: x509.RevocationList{ExtraExtensions: narrowed("\x83\x02\x06\x40")}, want: "unknown"},
		{name: "indirect", list: x509.RevocationList{ExtraExtensions: narrowed("\x84\x01\xff"), RevokedCertificateEntries: entry(-time.Second, 4)}, want: "unknown"},
		{name: "unreadable narrowing", list: x509.RevocationList{ExtraExtensions: narrowed("\x99")}, want: "unknown"},
	} {
		l := tc.list
		l.ThisUpdate, l.NextUpdate = stated.Add(-3*time.Hour), stated.Add(time.Hour)
		if tc.made != 0 {
			l.ThisUpdate = stated.Add(tc.made)
		}
		if tc.ends != 0 {
			l.NextUpdate = stated.Add(tc.ends)
		}
		if got := d.verdict(d.crl(t, l)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestRevocationUnspecified writes the reason "unspecified" down, which spares
// earlier tokens as no reason at all does not. crypto/x509 leaves it out of the
// lists it makes, so it is put in after parsing.
func TestRevocationUnspecified(t *testing.T) {
	t.Parallel()
	d := newTestPKI(t).build(t)
	ev := d.crl(t, x509.RevocationList{
		ThisUpdate: stated, NextUpdate: stated.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: stated.Add(time.Second)}},
	})
	if got := d.verdict(ev); got != "revoked" {
		t.Errorf("no reason: %s, want revoked", got)
	}
	e := &ev.crls[0].RevokedCertificateEntries[0]
	e.Extensions = append(e.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 21}, Value: []byte{0x0a, 1, 0}})
	if got := d.verdict(ev); got != "revoked-later" {
		t.Errorf("unspecified: %s, want revoked-later", got)
	}
}

func TestRevocationNeedsIssuer(t *testing.T) {
	t.Parallel()
	d, namesake := newTestPKI(t).build(t), newTestPKI(t).build(t)
	l := x509.RevocationList{
		ThisUpdate: stated, NextUpdate: stated.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: stated.Add(-time.Hour)}},
	}
	ev := namesake.crl(t, l)
	if got := d.verdict(ev); got != "unknown" {
		t.Errorf("a list by a namesake of the issuer: %s, want unknown", got)
	}
	ev.crls = append(ev.crls, d.crl(t, x509.RevocationList{ThisUpdate: stated, NextUpdate: stated.Add(time.Hour)}).crls...)
	if got := d.verdict(ev); got != "good" {
		t.Errorf("with the issuer's own: %s, want good", got)
	}
	ev.crls = append(ev.crls, d.crl(t, l).crls...)
	if got := d.verdict(ev); got != "revoked" {
		t.Errorf("with the issuer's later one: %s, want revoked", got)
	}
}

func TestRevocationByOCSP(t *testing.T) {
	t.Parallel()
	d := newTestPKI(t).build(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	responder := func(until time.Time, usage ...x509.ExtKeyUsage) *x509.Certificate {
		return d.issue(t, &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "responder"},
			NotBefore: d.from, NotAfter: until, ExtKeyUsage: usage}, d.ca, key)
	}
	entitled := responder(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), x509.ExtKeyUsageOCSPSigning)
	for _, tc := range []struct {
		name   string
		signer *x509.Certificate
		key    *ecdsa.PrivateKey
		status int
		after  time.Duration
		reason int
		want   string
	}{
		{"issuer, good", d.ca, d.caKey, ocsp.Good, 0, 0, "good"},
		{"issuer, unknown", d.ca, d.caKey, ocsp.Unknown, 0, 0, "unknown"},
		{"issuer, revoked before", d.ca, d.caKey, ocsp.Revoked, -time.Hour, 4, "revoked"},
		{"issuer, superseded later", d.ca, d.caKey, ocsp.Revoked, time.Hour, 4, "revoked-later"},
		{"issuer, compromised later", d.ca, d.caKey, ocsp.Revoked, time.Hour, 1, "revoked"},
		{"issuer, later without a reason", d.ca, d.caKey, ocsp.Revoked, time.Hour, 0, "revoked"},
		{"entitled responder", entitled, key, ocsp.Good, 0, 0, "good"},
		{"responder without the right", responder(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), x509.ExtKeyUsageServerAuth), key, ocsp.Good, 0, 0, "unknown"},
		{"responder that had ended", responder(stated.Add(-100*24*time.Hour), x509.ExtKeyUsageOCSPSigning), key, ocsp.Good, 0, 0, "unknown"},
		{"the certificate about itself", d.leaf, d.key, ocsp.Good, 0, 0, "unknown"},
	} {
		template := ocsp.Response{Status: tc.status, SerialNumber: big.NewInt(7), ThisUpdate: stated.Add(-time.Hour), NextUpdate: stated.Add(time.Hour),
			RevokedAt: stated.Add(tc.after), RevocationReason: tc.reason}
		if tc.signer != d.ca {
			template.Certificate = tc.signer
		}
		der, err := ocsp.CreateResponse(d.ca, tc.signer, template, tc.key)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.verdict(&evidence{ocsp: [][]byte{der}}); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestStampRevoked has the authority's certificate revoked, as CRL and OCSP say.
func TestStampRevoked(t *testing.T) {
	t.Parallel()
	for _, byOCSP := range []bool{false, true} {
		tsa, a := newTestTSA(t, anchortest.TSAConfig{OCSP: byOCSP})
		before := mustStamp(t, &Stamper{}, a)
		tsa.Revoke(time.Now().Add(-time.Minute), 1)
		_, err := (&Stamper{}).Stamp(t.Context(), a, tsaData)
		if !errors.Is(err, ErrTokenRevoked) || !strings.Contains(err.Error(), "test signer") {
			t.Errorf("OCSP %v: error = %v, want %v naming the certificate", byOCSP, err, ErrTokenRevoked)
		}
		if _, err := VerifyToken(before.TSR, tsaData, before.Evidence, a.Roots); err != nil {
			t.Errorf("OCSP %v: with the evidence of before: %v", byOCSP, err)
		}
	}
}

// TestGatherNotes wants every missing piece named, on one line each.
func TestGatherNotes(t *testing.T) {
	t.Parallel()
	tsa, a := newTestTSA(t, anchortest.TSAConfig{OCSP: true})
	token := mustStamp(t, &Stamper{}, a)
	if err := tsa.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("gone", func(t *testing.T) {
		ev, notes := (&Stamper{}).gather(t.Context(), token.Info.Chain, token.Info.Time)
		if len(ev.crls)+len(ev.ocsp) != 0 || len(notes) != 2 {
			t.Fatalf("%d CRLs, %d OCSP responses, notes %q", len(ev.crls), len(ev.ocsp), notes)
		}
		for _, words := range []string{"test signer", "OCSP: ", "; CRL: ", "refused"} {
			if !strings.Contains(notes[0], words) || strings.Contains(notes[0], "\n") {
				t.Errorf("note %q, want one line with %q", notes[0], words)
			}
		}
	})
	t.Run("other schemes", func(t *testing.T) {
		d := newTestPKI(t)
		d.points = []string{"ldap://example.org/cn=crl"}
		d.build(t)
		_, notes := (&Stamper{}).gather(t.Context(), []*x509.Certificate{d.leaf, d.ca}, stated)
		if len(notes) != 1 || !strings.Contains(notes[0], "not an http address") {
			t.Errorf("notes = %q", notes)
		}
	})
}

func TestEvidenceRoundTrip(t *testing.T) {
	t.Parallel()
	_, a := newTestTSA(t, anchortest.TSAConfig{OCSP: true})
	token := mustStamp(t, &Stamper{}, a)
	ev, err := parseEvidence(token.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	if len(ev.certs) != 3 || len(ev.crls) != 1 || len(ev.ocsp) != 1 {
		t.Errorf("%d certificates, %d CRLs, %d OCSP responses, want 3, 1, 1", len(ev.certs), len(ev.crls), len(ev.ocsp))
	}
	if got := ev.encode(); !bytes.Equal(got, token.Evidence) {
		t.Errorf("written again:\n%s\nwant:\n%s", got, token.Evidence)
	}
	many := bytes.Repeat((&evidence{certs: ev.certs[:1]}).encode(), maxBlocks+1)
	if _, err := parseEvidence(many); err == nil {
		t.Errorf("%d blocks: no error", maxBlocks+1)
	}
	if _, err := parseEvidence(make([]byte, MaxEvidence+1)); err == nil {
		t.Error("more than MaxEvidence bytes: no error")
	}
}
