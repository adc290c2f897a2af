package anchortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// pki is a root, a certificate authority under it, and a signer under that.
type pki struct {
	root, issuing, leaf          *x509.Certificate
	web, loose                   *x509.Certificate // leaf with other extended key usages
	rootKey, issuingKey, leafKey *ecdsa.PrivateKey
}

func newPKI(cfg TSAConfig, base string) (*pki, error) {
	p := &pki{}
	for _, key := range []**ecdsa.PrivateKey{&p.rootKey, &p.issuingKey, &p.leafKey} {
		var err error
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: newSerial(),
			Subject:      pkix.Name{Organization: []string{"fineprint test authority"}, CommonName: cfg.Name + " " + name},
			NotBefore:    cfg.NotBefore, NotAfter: cfg.NotAfter,
			BasicConstraintsValid: true, IsCA: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
	}
	root, issuing, leaf := template("root"), template("issuing"), template("signer")
	leaf.IsCA, leaf.KeyUsage = false, x509.KeyUsageDigitalSignature
	// x509 would not mark the extended key usage critical, as RFC 3161 section 2.3 demands.
	eku, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	leaf.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: eku}}
	if !cfg.NoCRL {
		issuing.CRLDistributionPoints = []string{base + "/root.crl"}
		leaf.CRLDistributionPoints = []string{base + "/issuing.crl"}
	}
	if cfg.OCSP {
		leaf.OCSPServer = []string{base + "/ocsp"}
	}
	if p.root, err = issue(root, root, p.rootKey, p.rootKey); err != nil {
		return nil, err
	}
	if p.issuing, err = issue(issuing, p.root, p.issuingKey, p.rootKey); err != nil {
		return nil, err
	}
	if p.leaf, err = issue(leaf, p.issuing, p.leafKey, p.issuingKey); err != nil {
		return nil, err
	}
	leaf.SerialNumber = newSerial()
	leaf.ExtraExtensions, leaf.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	if p.loose, err = issue(leaf, p.issuing, p.leafKey, p.issuingKey); err != nil {
		return nil, err
	}
	leaf.SerialNumber, leaf.ExtKeyUsage = newSerial(), []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	p.web, err = issue(leaf, p.issuing, p.leafKey, p.issuingKey)
	return p, err
}

// signer returns the certificate that a token is signed under.
func (p *pki) signer(fault TSAFault) *x509.Certificate {
	switch fault {
	case OtherUsage:
		return p.web
	case LooseUsage:
		return p.loose
	}
	return p.leaf
}

func issue(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (p *pki) rootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.root.Raw})
}

func (p *pki) rootCRL(now time.Time) ([]byte, error) {
	return x509.CreateRevocationList(rand.Reader, newList(now), p.root, p.rootKey)
}

func (p *pki) issuingCRL(now time.Time, r *revocation) ([]byte, error) {
	list := newList(now)
	if r != nil {
		list.RevokedCertificateEntries = []x509.RevocationListEntry{
			{SerialNumber: p.leaf.SerialNumber, RevocationTime: r.at, ReasonCode: r.reason},
		}
	}
	return x509.CreateRevocationList(rand.Reader, list, p.issuing, p.issuingKey)
}

func newList(now time.Time) *x509.RevocationList {
	return &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.AddDate(0, 0, 1)}
}

func (p *pki) ocspResponse(now time.Time, r *revocation) ([]byte, error) {
	template := ocsp.Response{Status: ocsp.Good, SerialNumber: p.leaf.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.AddDate(0, 0, 1)}
	if r != nil {
		template.Status, template.RevokedAt, template.RevocationReason = ocsp.Revoked, r.at, r.reason
	}
	return ocsp.CreateResponse(p.issuing, p.issuing, template, p.issuingKey)
}
