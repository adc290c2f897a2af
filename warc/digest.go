package warc

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// Algorithm names a digest algorithm as WARC header fields do.
type Algorithm string

// The algorithms this package writes. SHA-1 exists for comparison with the
// Wayback Machine's index and with other tools; nothing is trusted because of it.
const (
	SHA256 Algorithm = "sha256"
	SHA1   Algorithm = "sha1"
)

// Digest is a digest value together with its algorithm. The zero value means
// "not known". Digests are comparable with ==.
type Digest struct {
	Algorithm Algorithm
	Sum       string // the raw bytes of the sum
}

// SumSHA256 returns the SHA-256 digest of b.
func SumSHA256(b []byte) Digest {
	s := sha256.Sum256(b)
	return Digest{SHA256, string(s[:])}
}

// SumSHA1 returns the SHA-1 digest of b.
func SumSHA1(b []byte) Digest {
	s := sha1.Sum(b)
	return Digest{SHA1, string(s[:])}
}

// IsZero reports whether the digest is not known.
func (d Digest) IsZero() bool { return d.Algorithm == "" }

// Hex returns the sum in lower-case hexadecimal.
func (d Digest) Hex() string { return hex.EncodeToString([]byte(d.Sum)) }

// Base32 returns the sum in RFC 4648 base32, upper case, as the Internet
// Archive's indexes print SHA-1.
func (d Digest) Base32() string { return base32.StdEncoding.EncodeToString([]byte(d.Sum)) }

// String returns the labelled form of WARC header fields: "sha256:" and
// lower-case hexadecimal, or "sha1:" and upper-case base32. The zero digest is "".
func (d Digest) String() string {
	switch d.Algorithm {
	case "":
		return ""
	case SHA1:
		return string(d.Algorithm) + ":" + d.Base32()
	}
	return string(d.Algorithm) + ":" + d.Hex()
}

// ParseDigest reads a labelled digest ("sha1:…", "sha256:…"), the sum in
// hexadecimal or base32 of any case, as tools in the field write both. The
// empty string is the zero digest.
func ParseDigest(s string) (Digest, error) {
	if s == "" {
		return Digest{}, nil
	}
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return Digest{}, fmt.Errorf("digest %q has no algorithm label", s)
	}
	var size int
	alg := Algorithm(strings.ReplaceAll(strings.ToLower(name), "-", ""))
	switch alg {
	case SHA256:
		size = sha256.Size
	case SHA1:
		size = sha1.Size
	default:
		return Digest{}, fmt.Errorf("digest %q: unknown algorithm", s)
	}
	if len(value) == hex.EncodedLen(size) {
		if sum, err := hex.DecodeString(value); err == nil {
			return Digest{alg, string(sum)}, nil
		}
	}
	sum, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(value, "=")))
	if err != nil || len(sum) != size {
		return Digest{}, fmt.Errorf("digest %q is neither hexadecimal nor base32 of %d bytes", s, size)
	}
	return Digest{alg, string(sum)}, nil
}

// MarshalText returns the labelled form, so that JSON carries it as a string.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the labelled form.
func (d *Digest) UnmarshalText(b []byte) error {
	p, err := ParseDigest(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
