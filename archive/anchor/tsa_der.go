package anchor

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// timestampResponse is TimeStampResp of RFC 3161 section 2.4.2.
type timestampResponse struct {
	Status struct {
		Status int
		Text   []string       `asn1:"optional,utf8"`
		Fail   asn1.BitString `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

// contentInfo and the next two are of RFC 5652 (CMS) sections 3 and 5.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version int
	Digests asn1.RawValue
	Content struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	CRLs         asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version int
	ID      struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	Digest        pkix.AlgorithmIdentifier
	SignedAttrs   []cmsAttribute `asn1:"tag:0,set"`
	Signing       pkix.AlgorithmIdentifier
	Signature     []byte
	UnsignedAttrs asn1.RawValue `asn1:"optional,tag:1"`
}

type cmsAttribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// tstInfo is TSTInfo of RFC 3161 section 2.4.2.
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Hash   pkix.AlgorithmIdentifier
		Digest []byte
	}
	Serial   *big.Int
	Time     time.Time `asn1:"generalized"`
	Accuracy struct {
		Seconds int64 `asn1:"optional"`
		Millis  int64 `asn1:"optional,tag:0"`
		Micros  int64 `asn1:"optional,tag:1"`
	} `asn1:"optional"`
	Ordering   bool          `asn1:"optional"`
	Nonce      *big.Int      `asn1:"optional"`
	TSA        asn1.RawValue `asn1:"optional,tag:0"`
	Extensions asn1.RawValue `asn1:"optional,tag:1"`
}

// essCert and essCertV2 are ESSCertID (RFC 2634) and ESSCertIDv2 (RFC 5035).
type essCert struct {
	Hash   []byte
	Issuer asn1.RawValue `asn1:"optional"`
}

type essCertV2 struct {
	Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
	Hash      []byte
	Issuer    asn1.RawValue `asn1:"optional"`
}

type essCertificates[T any] struct {
	Certs    []T
	Policies asn1.RawValue `asn1:"optional"`
}

// unmarshalAll parses der into v and refuses bytes behind it.
func unmarshalAll(der []byte, v any, what string) error {
	rest, err := asn1.Unmarshal(der, v)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s: %d bytes too many", what, len(rest))
	}
	return nil
}

// checkDER walks the nested elements of data: definite lengths that fit, and no
// deeper than depth. The library behind the verifier also reads BER, recursing
// as deep as the bytes say; RFC 3161 section 3.4 allows DER only.
func checkDER(data []byte, depth int) error {
	if depth == 0 {
		return fmt.Errorf("ASN.1 nested deeper than %d", maxDepth)
	}
	for len(data) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(data, &v)
		if err != nil {
			return fmt.Errorf("not DER: %w", err)
		}
		if v.IsCompound {
			if err := checkDER(v.Bytes, depth-1); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}
