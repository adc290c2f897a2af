package warc

import (
	"io"
	"net/netip"
	"time"
)

// Block is a sequence of bytes that can be read any number of times, in memory
// or in a temporary file of its owner.
type Block interface {
	Size() int64
	// Open returns a reader from the first byte on. Several may be open at once.
	Open() io.Reader
}

// Bytes is a Block in memory.
type Bytes []byte

// Truncation says why a response is not whole (WARC 1.1, section 5.13).
type Truncation string

// The reasons for truncation. The empty value means whole.
const (
	TruncatedLength     Truncation = "length"     // our size limit
	TruncatedTime       Truncation = "time"       // our time limit
	TruncatedDisconnect Truncation = "disconnect" // the peer closed or reset the connection
)

// Kind says what part an exchange plays in its look.
type Kind string

// The kinds of exchange.
const (
	KindPage      Kind = "page"      // the address of the source, or where redirects led
	KindRobots    Kind = "robots"    // a robots.txt
	KindRequisite Kind = "requisite" // a stylesheet, image, font of the page
	KindIndex     Kind = "index"     // what the index of a web archive says of the page
)

// Exchange is one HTTP/1.1 request and what came back, byte for byte as they
// crossed the connection above TLS. It is complete when it is handed over:
// nothing more will be read.
type Exchange struct {
	Kind   Kind
	URI    string    // target without fragment
	Began  time.Time // when the request was sent: WARC-Date
	Ended  time.Time
	Method string

	Request  Block  // as sent; nil if nothing was sent
	Response Block  // the final response: header block and body with its framing; nil if no header block was complete
	Head     int64  // bytes of Response that are its header block, blank line included
	Status   int    // 0 without a complete header block
	MIME     string // media type of Content-Type without parameters, lower case

	Interim  []byte // 1xx header blocks that came before the response
	Surplus  []byte // bytes after the end of the message, bounded
	Fragment []byte // what came instead of a complete header block, bounded

	Truncated Truncation

	// Entity body, transfer coding removed and content coding kept. Zero if
	// there is no response.
	PayloadSize   int64
	PayloadSHA256 Digest
	PayloadSHA1   Digest
	// Body with content codings removed; zero if it could not be decoded whole.
	DecodedSize   int64
	DecodedSHA256 Digest

	Peer netip.AddrPort // of the origin; zero behind a proxy or without a connection
	TLS  *TLS           // nil on plain http

	Error  string // closed list of the crawler; "" if the exchange went well
	Detail string // of the error, for people; no secrets
	Via    string // record id of the response that led here (redirect, page); "" for the first
}

// TLS tells about the connection that carried an exchange.
type TLS struct {
	Version string   // "1.3"
	Cipher  string   // IANA name
	ALPN    string   // "" if none was negotiated
	Chain   [][]byte // certificates as served, DER, leaf first
	Error   string   // why the chain was not accepted; "" if it was

	// Proof is the handshake proof of the connection, nil if there is none.
	// Anchor is the digest that it commits to.
	Proof  []byte
	Anchor Digest
	// ProofMissing says why there is no proof, a reason of package handshake; ""
	// if there is one, or no anchor that it could commit to.
	ProofMissing string
}

// Stored says what an exchange became in the archive.
type Stored struct {
	RequestID  string // record id, "" if there is none
	ResponseID string // record id of the response or revisit record, "" if there is none
	Revisit    bool   // the payload equals that of an earlier record
}

// Size returns the number of bytes.
func (b Bytes) Size() int64 { return int64(len(b)) }

// Open returns a reader over the bytes.
func (b Bytes) Open() io.Reader { return newBytesReader(b) }
