package anchortest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/digitorus/timestamp"
)

// The structures of RFC 3161 section 2.4.2 and RFC 5652, written out here
// rather than taken from a library: those put the present time into the signed
// attributes, while a test needs tokens of any time and with any flaw.
type (
	tokenResponse struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	signedData struct {
		Version      int
		Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue `asn1:"optional"`
		Signers      []signerInfo  `asn1:"set"`
	}
	signerInfo struct {
		Version int
		ID      struct {
			Issuer asn1.RawValue
			Serial *big.Int
		}
		Digest    pkix.AlgorithmIdentifier
		Attrs     []attribute `asn1:"set,tag:0"`
		Signing   pkix.AlgorithmIdentifier
		Signature []byte
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	tstInfo struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Hash   pkix.AlgorithmIdentifier
			Digest []byte
		}
		Serial   *big.Int
		Time     time.Time `asn1:"generalized"`
		Accuracy struct{ Seconds int }
		Nonce    *big.Int `asn1:"optional"`
	}
	// essCertificates is SigningCertificateV2 of RFC 5035 with its defaults.
	essCertificates struct {
		Certs []struct{ Hash []byte }
	}
)

func rsaOID(last ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113549}, last...)
}

func sha256ID() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}
}

// tagged wraps der into the context-specific constructed tag 0.
func tagged(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

// respond makes a response that states the time now.
func (p *pki) respond(req *timestamp.Request, now time.Time, fault TSAFault) ([]byte, error) {
	info, err := newTSTInfo(req, now, fault)
	if err != nil {
		return nil, err
	}
	der, err := p.sign(info, now, fault)
	if err != nil {
		return nil, err
	}
	var resp tokenResponse
	resp.Token.FullBytes = der
	return asn1.Marshal(resp)
}

func newTSTInfo(req *timestamp.Request, now time.Time, fault TSAFault) ([]byte, error) {
	if req.HashAlgorithm != crypto.SHA256 || len(req.HashedMessage) != sha256.Size {
		return nil, errors.New("the test authority stamps SHA-256 only")
	}
	info := tstInfo{Version: 1, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Serial: newSerial(), Time: now.UTC().Truncate(time.Second), Nonce: req.Nonce}
	info.Imprint.Hash, info.Imprint.Digest = sha256ID(), slices.Clone(req.HashedMessage)
	info.Accuracy.Seconds = 1
	switch fault {
	case Lie:
		info.Imprint.Digest[0] ^= 1
	case WrongNonce:
		info.Nonce = newSerial()
	case NoNonce:
		info.Nonce = nil
	}
	return asn1.Marshal(info)
}

// sign makes the CMS signed data around a TSTInfo.
func (p *pki) sign(info []byte, now time.Time, fault TSAFault) ([]byte, error) {
	kind := rsaOID(1, 9, 16, 1, 4)
	if fault == OtherContent {
		kind = rsaOID(1, 7, 1)
	}
	signer, err := p.signerInfo(info, kind, now, fault)
	if err != nil {
		return nil, err
	}
	content, err := asn1.Marshal(info)
	if err != nil {
		return nil, err
	}
	sd := signedData{Version: 3, Digests: []pkix.AlgorithmIdentifier{signer.Digest},
		Content: contentInfo{Type: kind, Content: tagged(content)}, Signers: []signerInfo{signer}}
	if fault != NoSigner {
		sd.Certificates = tagged(slices.Concat(p.signer(fault).Raw, p.issuing.Raw))
	}
	der, err := asn1.Marshal(sd)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{Type: rsaOID(1, 7, 2), Content: tagged(der)})
}

func (p *pki) signerInfo(info []byte, kind asn1.ObjectIdentifier, now time.Time, fault TSAFault) (signerInfo, error) {
	s := signerInfo{Version: 1, Digest: sha256ID(), Signing: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}}
	cert := p.signer(fault)
	s.ID.Issuer.FullBytes, s.ID.Serial = cert.RawIssuer, cert.SerialNumber
	hash := crypto.SHA256
	if fault == WeakDigest {
		hash = crypto.SHA1
		s.Digest.Algorithm = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
		s.Signing.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
	}
	named := sha256.Sum256(cert.Raw)
	if fault == OtherSigner {
		named = sha256.Sum256(p.issuing.Raw)
	}
	ess := essCertificates{Certs: []struct{ Hash []byte }{{named[:]}}}
	for _, a := range []struct {
		kind  asn1.ObjectIdentifier
		value any
	}{
		{rsaOID(1, 9, 3), kind},
		{rsaOID(1, 9, 4), digest(hash, info)},
		{rsaOID(1, 9, 5), now.UTC()},
		{rsaOID(1, 9, 16, 2, 47), ess},
	} {
		der, err := asn1.Marshal(a.value)
		if err != nil {
			return s, err
		}
		s.Attrs = append(s.Attrs, attribute{Type: a.kind, Values: []asn1.RawValue{{FullBytes: der}}})
	}
	signed, err := asn1.MarshalWithParams(s.Attrs, "set")
	if err != nil {
		return s, err
	}
	s.Signature, err = p.leafKey.Sign(rand.Reader, digest(hash, signed), hash)
	if err == nil && fault == BadSignature {
		s.Signature[len(s.Signature)-1] ^= 1
	}
	return s, err
}

func digest(h crypto.Hash, data []byte) []byte {
	if h == crypto.SHA1 {
		sum := sha1.Sum(data)
		return sum[:]
	}
	sum := sha256.Sum256(data)
	return sum[:]
}

// newSerial returns a random positive number of at most 63 bits.
func newSerial() *big.Int {
	var b [8]byte
	rand.Read(b[:])
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b[:])
}
