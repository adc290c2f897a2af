package anchor

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
)

// Limits on what an authority sends or a bundle carries.
const (
	// MaxTSR bounds a response. Real ones have 1 to 8 kB.
	MaxTSR = 64 << 10
	// maxDepth bounds the nesting of its ASN.1. Real ones have about 15.
	maxDepth = 48
	// maxAccuracy bounds what an authority may call accuracy.
	maxAccuracy = 24 * time.Hour
)

// oid returns the object identifiers this package looks for.
func oid(last ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113549}, last...)
}

// parsedToken is a response whose form is sound. Nothing in it is verified yet
// but the tie between signer and certificate.
type parsedToken struct {
	info     tstInfo
	hash     crypto.Hash
	accuracy time.Duration
	signer   *x509.Certificate
	certs    []*x509.Certificate
}

// parseToken checks the form of a response, more strictly than the libraries
// that verify its signature: they take SHA-1 signatures, any content type, any
// number for an accuracy, trailing bytes, and do not look at the signing
// certificate attribute, which is what ties the signer's certificate to the
// signature (RFC 5816). Errors are ErrTokenFormat or ErrTokenAnswer (a refusal).
func parseToken(tsr []byte) (*parsedToken, error) {
	p, err := parseResponse(tsr)
	if err != nil && !errors.Is(err, ErrTokenAnswer) {
		err = fmt.Errorf("%w: %w", ErrTokenFormat, err)
	}
	return p, err
}

func parseResponse(tsr []byte) (*parsedToken, error) {
	if len(tsr) > MaxTSR {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(tsr), MaxTSR)
	}
	if err := checkDER(tsr, maxDepth); err != nil {
		return nil, err
	}
	var resp timestampResponse
	if err := unmarshalAll(tsr, &resp, "response"); err != nil {
		return nil, err
	}
	if resp.Status.Status != 0 {
		return nil, fmt.Errorf("%w: %s", ErrTokenAnswer, refusal(resp))
	}
	var info contentInfo
	if err := unmarshalAll(resp.Token.FullBytes, &info, "token"); err != nil {
		return nil, err
	}
	if !info.Type.Equal(oid(1, 7, 2)) {
		return nil, fmt.Errorf("the token is %s, not signed data", info.Type)
	}
	var sd signedData
	if err := unmarshalAll(info.Content.Bytes, &sd, "signed data"); err != nil {
		return nil, err
	}
	return parseSigned(&sd)
}

// refusal puts a PKIStatusInfo into words.
func refusal(resp timestampResponse) string {
	words := "the authority says: " + timestamp.Status(resp.Status.Status).String()
	for i := range resp.Status.Fail.BitLength {
		if resp.Status.Fail.At(i) != 0 {
			words += ", " + timestamp.FailureInfo(i).String()
		}
	}
	if text := strings.Join(resp.Status.Text, " "); text != "" {
		words += fmt.Sprintf(" (%.200q)", text)
	}
	return words
}

func parseSigned(sd *signedData) (*parsedToken, error) {
	if !sd.Content.Type.Equal(oid(1, 9, 16, 1, 4)) {
		return nil, fmt.Errorf("it signs a %s, not a timestamp", sd.Content.Type)
	}
	if len(sd.Signers) != 1 {
		return nil, fmt.Errorf("%d signers, want 1", len(sd.Signers))
	}
	var content []byte
	if err := unmarshalAll(sd.Content.Content.Bytes, &content, "content"); err != nil {
		return nil, err
	}
	p := &parsedToken{}
	if err := unmarshalAll(content, &p.info, "timestamp info"); err != nil {
		return nil, err
	}
	certs, err := x509.ParseCertificates(sd.Certificates.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	p.certs = certs
	for _, step := range []func() error{
		p.checkInfo,
		func() error { return checkAlgorithms(&sd.Signers[0]) },
		func() error { return p.findSigner(&sd.Signers[0]) },
		func() error { return p.checkAttributes(&sd.Signers[0]) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *parsedToken) checkInfo() error {
	if p.info.Version != 1 {
		return fmt.Errorf("timestamp version %d, want 1", p.info.Version)
	}
	p.hash = strongHash(p.info.Imprint.Hash.Algorithm)
	if p.hash == 0 {
		return fmt.Errorf("imprint by %s, want SHA-256, SHA-384 or SHA-512", p.info.Imprint.Hash.Algorithm)
	}
	// A zero time would be read as "now" by those who verify a chain at it.
	if y := p.info.Time.Year(); y < 1990 || y > 9000 {
		return fmt.Errorf("it states the year %d", y)
	}
	a := p.info.Accuracy
	if a.Seconds < 0 || a.Seconds > int64(maxAccuracy/time.Second) || a.Millis < 0 || a.Millis > 999 || a.Micros < 0 || a.Micros > 999 {
		return fmt.Errorf("accuracy of %d s %d ms %d µs", a.Seconds, a.Millis, a.Micros)
	}
	p.accuracy = time.Duration(a.Seconds)*time.Second + time.Duration(a.Millis)*time.Millisecond + time.Duration(a.Micros)*time.Microsecond
	return nil
}

// checkAlgorithms refuses signatures over SHA-1 and MD5.
func checkAlgorithms(s *signerInfo) error {
	if strongHash(s.Digest.Algorithm) == 0 {
		return fmt.Errorf("signature over digest %s, want SHA-256, SHA-384 or SHA-512", s.Digest.Algorithm)
	}
	for _, weak := range []asn1.ObjectIdentifier{
		oid(1, 1, 2), oid(1, 1, 4), oid(1, 1, 5), {1, 2, 840, 10040, 4, 3}, {1, 2, 840, 10045, 4, 1},
	} {
		if s.Signing.Algorithm.Equal(weak) {
			return fmt.Errorf("signature by weak algorithm %s", weak)
		}
	}
	return nil
}

func (p *parsedToken) findSigner(s *signerInfo) error {
	for _, c := range p.certs {
		if c.SerialNumber.Cmp(s.ID.Serial) == 0 && bytes.Equal(c.RawIssuer, s.ID.Issuer.FullBytes) {
			p.signer = c
			return nil
		}
	}
	return errors.New("the signer's certificate is not in it; the authority must be asked for it (certReq)")
}

// checkAttributes looks at the signed attributes that RFC 3161 section 2.4.2
// demands: each once, the content type of a timestamp, and the digest of the
// signing certificate.
func (p *parsedToken) checkAttributes(s *signerInfo) error {
	seen := map[string]asn1.RawValue{}
	for _, a := range s.SignedAttrs {
		name := a.Type.String()
		if _, twice := seen[name]; twice || len(a.Values) != 1 {
			return fmt.Errorf("signed attribute %s does not have exactly one value", name)
		}
		seen[name] = a.Values[0]
	}
	var content asn1.ObjectIdentifier
	if err := unmarshalAll(seen[oid(1, 9, 3).String()].FullBytes, &content, "signed content type"); err != nil {
		return err
	}
	if !content.Equal(oid(1, 9, 16, 1, 4)) {
		return fmt.Errorf("it signs a %s, not a timestamp", content)
	}
	v1, has1 := seen[oid(1, 9, 16, 2, 12).String()]
	v2, has2 := seen[oid(1, 9, 16, 2, 47).String()]
	if !has1 && !has2 {
		return errors.New("no signing certificate attribute")
	}
	if has1 {
		var ess essCertificates[essCert]
		if err := unmarshalAll(v1.FullBytes, &ess, "signing certificate attribute"); err != nil {
			return err
		}
		if len(ess.Certs) == 0 || !p.signerHas(crypto.SHA1, ess.Certs[0].Hash) {
			return errors.New("the signing certificate attribute names another certificate")
		}
	}
	if has2 {
		var ess essCertificates[essCertV2]
		if err := unmarshalAll(v2.FullBytes, &ess, "signing certificate attribute"); err != nil {
			return err
		}
		if len(ess.Certs) == 0 || !p.signerHas(essHash(ess.Certs[0].Algorithm), ess.Certs[0].Hash) {
			return errors.New("the signing certificate attribute names another certificate")
		}
	}
	return nil
}

func (p *parsedToken) signerHas(h crypto.Hash, digest []byte) bool {
	if h == 0 || !h.Available() {
		return false
	}
	w := h.New()
	w.Write(p.signer.Raw)
	return bytes.Equal(w.Sum(nil), digest)
}

// essHash applies the default of ESSCertIDv2: no algorithm means SHA-256.
func essHash(a pkix.AlgorithmIdentifier) crypto.Hash {
	if len(a.Algorithm) == 0 {
		return crypto.SHA256
	}
	return strongHash(a.Algorithm)
}

// strongHash returns the SHA-2 function that id names, or 0.
func strongHash(id asn1.ObjectIdentifier) crypto.Hash {
	switch {
	case id.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}):
		return crypto.SHA256
	case id.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}):
		return crypto.SHA384
	case id.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}):
		return crypto.SHA512
	}
	return 0
}
