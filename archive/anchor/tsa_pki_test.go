package anchor

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// mustQuery makes a request for a token over data.
func mustQuery(t testing.TB, data []byte, nonce *big.Int) []byte {
	t.Helper()
	query, err := timestamp.CreateRequest(bytes.NewReader(data), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true, Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	return query
}

// testPKI is a root that issues directly, with the keys at hand.
type testPKI struct {
	from, until, caUntil time.Time
	points               []string // CRL distribution points of the leaf
	ca, leaf             *x509.Certificate
	caKey, key           *ecdsa.PrivateKey
}

func newTestPKI(t testing.TB) *testPKI {
	t.Helper()
	return &testPKI{
		from:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		until:   time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC),
		caUntil: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (d *testPKI) build(t testing.TB) *testPKI {
	t.Helper()
	for _, key := range []**ecdsa.PrivateKey{&d.caKey, &d.key} {
		var err error
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test ca"}, NotBefore: d.from, NotAfter: d.caUntil,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	d.ca = d.issue(t, ca, ca, d.caKey)
	d.leaf = d.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "test signer"}, NotBefore: d.from, NotAfter: d.until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, CRLDistributionPoints: d.points,
	}, d.ca, d.key)
	return d
}

// issue has the authority certify the public part of key.
func (d *testPKI) issue(t testing.TB, template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, d.caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (d *testPKI) roots(t *testing.T) Roots {
	t.Helper()
	return mustRoots(t, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: d.ca.Raw}))
}

// crl signs a list by the authority.
func (d *testPKI) crl(t testing.TB, l x509.RevocationList) *evidence {
	t.Helper()
	l.Number = big.NewInt(1)
	der, err := x509.CreateRevocationList(rand.Reader, &l, d.ca, d.caKey)
	if err != nil {
		t.Fatal(err)
	}
	ev := &evidence{}
	if err := ev.add(pemCRL, der); err != nil {
		t.Fatal(err)
	}
	return ev
}
