package warc

import (
	"bytes"
	"time"
)

func newBytesReader(b []byte) *bytes.Reader { return bytes.NewReader(b) }

// ManifestVersion is the version of the manifest format written by this package.
const ManifestVersion = 1

// Result says what a look brought, a fact fixed at crawl time.
type Result string

// The results of a look.
const (
	Captured    Result = "captured"     // a whole response with status 200 (2xx) was stored
	NotModified Result = "not-modified" // the server said 304; its claim
	Failed      Result = "failed"       // anything else; Error says what
)

// BytesState compares the payload of a look with the one before.
type BytesState string

// The states. A look without a payload has none ("").
const (
	BytesFirst     BytesState = "first"
	BytesSame      BytesState = "same"
	BytesDifferent BytesState = "different"
)

// Manifest is the last record of a look (WARC type metadata, Content-Type
// application/vnd.fineprint.manifest+json): the facts of the look and every
// member record with its digest. The log entry commits to its digest.
type Manifest struct {
	Version int    `json:"v"`
	Type    string `json:"type"` // "look"

	Source         string    `json:"source"`
	URL            string    `json:"url"`
	FinalURL       string    `json:"final_url,omitempty"`
	AcceptLanguage string    `json:"accept_language,omitempty"`
	Vantage        string    `json:"vantage,omitempty"`
	Private        bool      `json:"private,omitempty"` // the log entry hides source and address
	Time           time.Time `json:"time"`              // start of the look
	Ended          time.Time `json:"ended"`             // end of the look
	N              int64     `json:"n"`
	Prev           *Prev     `json:"prev"` // null for the first look of a source

	Result Result     `json:"result"`
	Error  string     `json:"error,omitempty"`
	Detail string     `json:"detail,omitempty"`
	Status int        `json:"status,omitempty"`
	Bytes  BytesState `json:"bytes,omitempty"`
	SameAs *Reference `json:"same_as,omitempty"` // the earlier record whose payload is the same

	Payload *Payload `json:"payload,omitempty"` // of the page's last response
	TLS     *Session `json:"tls,omitempty"`     // of the connection that carried it
	Robots  *Robots  `json:"robots,omitempty"`  // nil: obeyed, and the page is allowed

	Declaration Digest `json:"declaration_sha256,omitzero"`
	Run         string `json:"run"`
	Tool        string `json:"tool"`

	// Transient says that what failed may pass by itself: for the scheduler, not
	// part of the record.
	Transient bool `json:"-"`

	Memento *Memento `json:"memento,omitempty"` // nil: the look is at a page itself

	Exchanges []ExchangeNote `json:"exchanges,omitempty"`
	Members   []Member       `json:"members,omitempty"`
}

// Prev names the manifest of the look before at the same source.
type Prev struct {
	Manifest string `json:"manifest"` // record id
	SHA256   Digest `json:"sha256"`   // of its decompressed gzip member
}

// Reference names a record by everything a revisit record says of it.
type Reference struct {
	Record string    `json:"record"`
	URI    string    `json:"uri,omitempty"`  // "" in a manifest: the revisit record says it
	Date   time.Time `json:"date,omitzero"`  // likewise
	WARC   string    `json:"warc,omitempty"` // object key, "" if the same file
}

// Payload describes the page's entity body.
type Payload struct {
	Record        string `json:"record"` // id of the response or revisit record
	MIME          string `json:"mime,omitempty"`
	Size          int64  `json:"size"`
	SHA256        Digest `json:"sha256"`
	SHA1          Digest `json:"sha1"`
	DecodedSize   int64  `json:"decoded_size,omitempty"`
	DecodedSHA256 Digest `json:"decoded_sha256,omitzero"`
	ETag          string `json:"etag,omitempty"`
	LastModified  string `json:"last_modified,omitempty"`
}

// Session is what is kept of a TLS connection beside its certificate chain.
type Session struct {
	Version string `json:"version,omitempty"` // "" with a response record, which says it
	Cipher  string `json:"cipher,omitempty"`  // likewise
	ALPN    string `json:"alpn,omitempty"`    // likewise: http/1.1 or none
	Chain   Digest `json:"chain"`             // SHA-256 over the concatenated DER certificates

	Proof        Digest `json:"proof,omitzero"`          // SHA-256 of the handshake proof
	Anchor       Digest `json:"anchor,omitzero"`         // that the proof commits to
	ProofMissing string `json:"proof_missing,omitempty"` // why there is no proof; "" too if no anchor was there

	Error string `json:"error,omitempty"`
}

// Robots is the answer of robots.txt for the page.
type Robots struct {
	Policy  string `json:"policy"`            // "obey" or "ignore"
	Reason  string `json:"reason,omitempty"`  // of ignore
	Verdict string `json:"verdict,omitempty"` // "allowed", "disallowed", "unreachable"
	Rule    string `json:"rule,omitempty"`    // the rule that decided
}

// ExchangeNote tells about one exchange what its records do not.
type ExchangeNote struct {
	Kind      Kind       `json:"kind,omitempty"`    // "" is page
	URI       string     `json:"uri,omitempty"`     // omitted if there is a request record
	Request   string     `json:"request,omitempty"` // "" with a response record, which names it
	Response  string     `json:"response,omitempty"`
	Via       string     `json:"via,omitempty"`
	SameAs    *Reference `json:"same_as,omitempty"` // of a revisit record; the page's stands in Manifest.SameAs
	Ms        int64      `json:"ms"`                // from the request's start to the end
	Size      int64      `json:"size,omitempty"`    // of the entity body; the page's stands in Payload
	SHA256    Digest     `json:"sha256,omitzero"`   // of the entity body; the page's stands in Payload
	Status    int        `json:"status,omitempty"`  // 0 with a response record, which says it
	Peer      string     `json:"peer,omitempty"`
	TLS       *Session   `json:"tls,omitempty"` // of other connections than the page's
	Truncated Truncation `json:"truncated,omitempty"`
	Error     string     `json:"error,omitempty"`
	Detail    string     `json:"detail,omitempty"`
}

// Member names a record of the look and commits to it.
type Member struct {
	Record string `json:"record"`
	Type   string `json:"type"`   // WARC-Type
	SHA256 Digest `json:"sha256"` // of the decompressed gzip member
	Offset int64  `json:"offset"`
	Length int64  `json:"length"` // of the compressed member
}
