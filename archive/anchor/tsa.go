package anchor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"
)

// The kinds of failure of a timestamp. Errors of this package wrap exactly one
// of them, so that a caller can tell "false" from "cannot be told".
var (
	// ErrTokenAnswer: the authority gave no token (no connection, an HTTP error,
	// a web page, too many bytes, a refusal). Worth another try later.
	ErrTokenAnswer = errors.New("no timestamp token")
	// ErrTokenFormat: the bytes are no RFC 3161 response that can be relied on.
	ErrTokenFormat = errors.New("not a sound timestamp token")
	// ErrTokenImprint: the token is about other bytes.
	ErrTokenImprint = errors.New("the timestamp token is not about these bytes")
	// ErrTokenNonce: the token answers another request.
	ErrTokenNonce = errors.New("the timestamp token answers another request")
	// ErrTokenUntrusted: no path leads from the signer to a given root. The
	// token may be sound; it cannot be told with these roots.
	ErrTokenUntrusted = errors.New("the timestamp authority is not under a trusted root")
	// ErrTokenExpired: a certificate of the chain was not valid at the time that
	// the token states.
	ErrTokenExpired = errors.New("a certificate of the timestamp authority was not valid at the time stated")
	// ErrTokenRevoked: the evidence says that a certificate of the chain cannot
	// be relied on for the time that the token states.
	ErrTokenRevoked = errors.New("a certificate of the timestamp authority was revoked")
)

// Authority is a timestamp authority as an operator configures it.
type Authority struct {
	Name  string // short name; names the files of its tokens: a-z, 0-9, "-", at most 32 letters
	URL   string // http or https address that takes POST requests (RFC 3161 section 3.4)
	Roots Roots  // under which its certificate must stand
}

// Check says what is wrong with the configuration of a, if anything.
func (a Authority) Check() error {
	if !authorityName.MatchString(a.Name) {
		return fmt.Errorf("timestamp authority name %q: use 1 to 32 of a-z, 0-9 and \"-\", beginning with a letter or digit", a.Name)
	}
	u, err := url.Parse(a.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("timestamp authority %s: its url must be an http or https address", a.Name)
	}
	if a.Roots.Empty() {
		return fmt.Errorf("timestamp authority %s: no root certificates; give its root as a PEM file (roots: FILE) or, if this machine trusts it, roots: system", a.Name)
	}
	return nil
}

var authorityName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// PublicAuthority is the name and address of an authority that anybody may use.
type PublicAuthority struct {
	Name string
	URL  string
}

// PublicAuthorities lists authorities known to answer the public, so that a
// configuration can name one instead of spelling its address. Their roots are
// not part of this program: an operator fetches the root certificate from the
// authority's own site, checks it, and gives the file, or says "system" where
// the operating system trusts that root. Each has its own terms of use and asks
// not to be hurried; one token per sealed batch is well within them.
func PublicAuthorities() []PublicAuthority {
	return []PublicAuthority{
		{"apple", "http://timestamp.apple.com/ts01"},
		{"certum", "http://time.certum.pl"},
		{"digicert", "http://timestamp.digicert.com"},
		{"freetsa", "https://freetsa.org/tsr"},
		{"globalsign", "http://timestamp.globalsign.com/tsa/r6advanced1"},
		{"sectigo", "http://timestamp.sectigo.com"},
		{"sigstore", "https://timestamp.sigstore.dev/api/v1/timestamp"},
		{"ssl-com", "http://ts.ssl.com"},
	}
}

// Token is a timestamp as it is stored, with what Stamp learnt about it.
type Token struct {
	Authority string        // name of the authority
	TSR       []byte        // the complete response, DER: <name>.tsr
	Evidence  []byte        // chain, CRLs and OCSP responses, PEM: <name>.pem
	Info      TokenInfo     // what VerifyToken says about TSR with Evidence
	Skew      time.Duration // time stated minus this machine's clock at receipt; see MaxSkew
	Notes     []string      // for a person to see: missing revocation data, clocks that differ
}

// TokenInfo is what a verified token states.
type TokenInfo struct {
	Time       time.Time           // genTime, UTC
	Accuracy   time.Duration       // the true time is within Time ± Accuracy; 0 if the authority did not say
	Serial     string              // of the token, hexadecimal
	Policy     string              // OID under which it was issued, dotted
	Hash       string              // of the imprint: SHA-256, SHA-384 or SHA-512
	Signer     string              // subject of the signing certificate
	Root       string              // subject of the root it was verified under
	Chain      []*x509.Certificate // signer first, root last
	Expires    time.Time           // when the first certificate of the chain expires
	Revocation []Revocation        // one per certificate of Chain but the root
}

// RevocationState says what the evidence tells about one certificate.
type RevocationState string

// The states of a certificate in a token that verified.
const (
	RevocationGood    RevocationState = "good"          // evidence that covers the time stated does not name it
	RevocationUnknown RevocationState = "unknown"       // no evidence covers the time stated
	RevocationLater   RevocationState = "revoked-later" // revoked after the time stated, for a reason that leaves earlier tokens valid
)

// Revocation is the state of one certificate at the time that the token states.
type Revocation struct {
	Subject string
	Serial  string // hexadecimal
	State   RevocationState
	Source  string    // "crl", "ocsp" or "" (unknown)
	Updated time.Time // thisUpdate of the source
	Revoked time.Time // for RevocationLater
}
