package warc

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Profiles of revisit records (WARC 1.1, section 6.7).
const (
	ProfileIdenticalPayload = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
	ProfileNotModified      = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
)

// Values of FieldPart: bytes of an exchange that belong to no message.
const (
	PartInterim  = "interim"  // 1xx header blocks that came before the response
	PartSurplus  = "surplus"  // bytes after the end of the response
	PartFragment = "fragment" // what came instead of a complete header block
)

// maxRecords is the number of records that an exchange can become.
const maxRecords = 6

// RecordOptions tells Records what it can't know from the exchange.
type RecordOptions struct {
	WarcinfoID string // id of the file's warcinfo record

	// Revisit names the earlier record that this response repeats, nil if there
	// is none. With status 304 the server says so (profile server-not-modified);
	// with any other the caller has compared SHA-256 and size of the payloads
	// (profile identical-payload-digest).
	Revisit *Reference
}

// Records returns the records of an exchange in the order in which they are to
// be written: request, response or revisit, then metadata records for what
// belongs to neither: bytes outside of the messages, the handshake proof. An exchange that sent nothing has no request record, one
// without a complete response header no response record. The blocks are those
// of the exchange, not copies: they must stay readable until the records are
// written.
//
// A truncated response never becomes a revisit record: that is an error, as
// is a header field with a control character (ErrControl).
func (l *Look) Records(ex *Exchange, opt RecordOptions) ([]*Record, Stored, error) {
	if l.next+maxRecords > maxIDs {
		return nil, Stored{}, fmt.Errorf("records of %s: %w", ex.URI, ErrLookFull)
	}
	b := &exchangeBuilder{look: l, ex: ex, opt: opt}
	if ex.Request != nil {
		b.stored.RequestID = l.NextID()
	}
	if ex.Response != nil {
		b.stored.ResponseID = l.NextID()
		b.stored.Revisit = opt.Revisit != nil
	}
	err := errors.Join(b.request(), b.response(),
		b.part(PartInterim, mediaResponse, ex.Interim),
		b.part(PartSurplus, mediaOctets, ex.Surplus),
		b.part(PartFragment, mediaOctets, ex.Fragment),
		b.proof())
	if err != nil {
		return nil, Stored{}, fmt.Errorf("records of %s: %w", ex.URI, err)
	}
	return b.records, b.stored, nil
}

// exchangeBuilder holds what the records of one exchange share.
type exchangeBuilder struct {
	look    *Look
	ex      *Exchange
	opt     RecordOptions
	stored  Stored
	records []*Record
}

// begin returns a record of the exchange. id "" draws one.
func (b *exchangeBuilder) begin(typ, id string) *Record {
	r := newRecord(typ, Meta{ID: id, Date: b.ex.Began, WarcinfoID: b.opt.WarcinfoID, Look: b.look})
	r.Header.Add(fieldTargetURI, b.ex.URI)
	return r
}

// session adds the peer, the protocols (one field each, as proposed for the
// standard in iipc/warc-specifications issue 42) and the cipher suite. They
// stand once: with the response, or with the request that got none.
func (b *exchangeBuilder) session(h *Header, protocol string) {
	if peer := b.ex.Peer.Addr(); peer.IsValid() {
		h.Add(fieldIPAddress, peer.Unmap().WithZone("").String())
	}
	h.Add(fieldProtocol, protocol)
	if t := b.ex.TLS; t != nil {
		if t.Version != "" {
			h.Add(fieldProtocol, "tls/"+t.Version)
		}
		h.Add(fieldCipherSuite, t.Cipher)
	}
}

func (b *exchangeBuilder) add(r *Record, mediaType string, block Block) error {
	r, err := r.finish(mediaType, block)
	if err == nil {
		b.records = append(b.records, r)
	}
	return err
}

func (b *exchangeBuilder) request() error {
	if b.ex.Request == nil {
		return nil
	}
	r := b.begin(TypeRequest, b.stored.RequestID)
	if b.ex.Response == nil {
		b.session(&r.Header, "http/1.1")
	}
	return b.add(r, mediaRequest, b.ex.Request)
}

func (b *exchangeBuilder) response() error {
	ex := b.ex
	if ex.Response == nil {
		return nil
	}
	if ex.Head <= 0 || ex.Head > ex.Response.Size() {
		return fmt.Errorf("header block of %d bytes in a response of %d", ex.Head, ex.Response.Size())
	}
	head := make([]byte, ex.Head)
	if _, err := io.ReadFull(ex.Response.Open(), head); err != nil {
		return fmt.Errorf("read the header block: %w", err)
	}
	typ := TypeResponse
	if b.opt.Revisit != nil {
		typ = TypeRevisit
	}
	r := b.begin(typ, b.stored.ResponseID)
	r.Header.Add(fieldConcurrentTo, bracket(b.stored.RequestID))
	b.session(&r.Header, protocolOf(head))
	if b.opt.Revisit != nil {
		return b.revisit(r, head)
	}
	r.Header.Add(fieldTruncated, string(ex.Truncated))
	r.Header.Add(fieldPayload, ex.PayloadSHA1.String())
	r.Header.Add(fieldIdentified, b.identify(head))
	if isCoded(head, ex.MIME) {
		r.stored = ex.Response.Size() - ex.Head
	}
	return b.add(r, mediaResponse, ex.Response)
}

// revisit writes the header block alone for a repeated payload, the whole
// message for a 304, which has none.
func (b *exchangeBuilder) revisit(r *Record, head []byte) error {
	ex, ref := b.ex, b.opt.Revisit
	if ex.Truncated != "" {
		return fmt.Errorf("a truncated response (%s) can't be a revisit", ex.Truncated)
	}
	notModified := ex.Status == http.StatusNotModified
	profile := ProfileIdenticalPayload
	if notModified {
		profile = ProfileNotModified
	}
	r.Header.Add(fieldProfile, profile)
	r.Header.Add(fieldRefersTo, bracket(ref.Record))
	r.Header.Add(fieldRefersToURI, ref.URI)
	r.Header.Add(fieldRefersToDate, FormatDate(ref.Date))
	if notModified {
		return b.add(r, mediaResponse, ex.Response)
	}
	if ex.PayloadSHA1.IsZero() {
		return errors.New("a revisit needs the payload digest")
	}
	r.Header.Add(fieldTruncated, string(TruncatedLength)) // a "shall" of section 6.7.2
	r.Header.Add(fieldPayload, ex.PayloadSHA1.String())
	return b.add(r, mediaResponse, Bytes(head))
}

// part writes bytes that belong to no message as a metadata record.
func (b *exchangeBuilder) part(name, mediaType string, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	r := b.about()
	r.Header.Add(FieldPart, name)
	if name == PartFragment {
		r.Header.Add(fieldTruncated, string(b.ex.Truncated))
	}
	return b.add(r, mediaType, Bytes(data))
}

// proof writes the handshake proof of the connection as a metadata record.
func (b *exchangeBuilder) proof() error {
	if b.ex.TLS == nil || len(b.ex.TLS.Proof) == 0 {
		return nil
	}
	return b.add(b.about(), MediaHandshake, Bytes(b.ex.TLS.Proof))
}

// about returns a metadata record about the response, or about the request that
// got none.
func (b *exchangeBuilder) about() *Record {
	r := b.begin(TypeMetadata, "")
	refers := b.stored.ResponseID
	if refers == "" {
		refers = b.stored.RequestID
	}
	r.Header.Add(fieldRefersTo, bracket(refers))
	return r
}

// identify returns the media type that the first bytes of the payload show,
// where it contradicts Content-Type: a PDF that is served as HTML. Only types
// with a binary signature count, and only bodies without a content coding.
func (b *exchangeBuilder) identify(head []byte) string {
	if b.ex.PayloadSize == 0 || headValue(head, "Content-Encoding") != "" {
		return ""
	}
	body := b.ex.Response.Open()
	if err := skip(body, b.ex.Head); err != nil {
		return ""
	}
	if isChunked(head) {
		body = &chunkedBody{src: bufio.NewReader(body)}
	}
	var buf [512]byte
	n, _ := io.ReadFull(body, buf[:]) // a short body or a broken chunk shows what it shows
	found, _, _ := strings.Cut(http.DetectContentType(buf[:n]), ";")
	if found == b.ex.MIME || strings.HasPrefix(found, "text/") || found == mediaOctets {
		return ""
	}
	return found
}

// Warcinfo tells about a WARC file; see WarcinfoRecord.
type Warcinfo struct {
	Filename  string // of the file when it is published
	Software  string // name and version
	Robots    string // policy, in words
	Operator  string // who runs the crawl and how to reach them
	UserAgent string // as sent
	Config    Digest // of the configuration, secrets left out
	Run       string // id of the run
}

// WarcinfoRecord returns the record that begins a file (WARC 1.1, section 6.2).
func WarcinfoRecord(m Meta, info Warcinfo) (*Record, error) {
	fields := Header{}
	fields.Add("software", info.Software)
	fields.Add("format", "WARC File Format 1.1")
	fields.Add("conformsTo", "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/")
	fields.Add("robots", info.Robots)
	fields.Add("operator", info.Operator)
	fields.Add("http-header-user-agent", info.UserAgent)
	fields.Add("fineprint-run", info.Run)
	fields.Add("fineprint-config", info.Config.String())
	if err := fields.Check(); err != nil {
		return nil, fmt.Errorf("warcinfo record: %w", err)
	}
	var block bytes.Buffer
	for _, f := range fields {
		block.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	m.WarcinfoID = "" // it is one
	r := newRecord(TypeWarcinfo, m)
	r.Header.Add(fieldFilename, info.Filename)
	return r.finish(mediaFields, Bytes(block.Bytes()))
}

// ChainDigest returns the SHA-256 over the certificates of a chain, DER, one
// behind the other. The zero Digest stands for no chain.
func ChainDigest(der [][]byte) Digest {
	if len(der) == 0 {
		return Digest{}
	}
	return SumSHA256(bytes.Join(der, nil))
}

// ChainURN returns the target address of the record of a chain with this
// ChainDigest.
func ChainURN(d Digest) string { return "urn:tls-chain:sha256:" + d.Hex() }

// DigestURN returns the target address of the record of a declaration whose
// canonical form has this SHA-256.
func DigestURN(d Digest) string { return "urn:sha256:" + d.Hex() }

// CertificateChain returns a resource record of certificates, DER, as PEM
// (application/pem-certificate-chain, RFC 8555, section 9.1) with target
// urn:tls-chain:sha256:<hex of ChainDigest>. One in each file is enough.
func CertificateChain(m Meta, der [][]byte) (*Record, error) {
	if len(der) == 0 {
		return nil, errors.New("certificate chain record: no certificate")
	}
	var block bytes.Buffer
	for _, c := range der {
		if err := pem.Encode(&block, &pem.Block{Type: "CERTIFICATE", Bytes: c}); err != nil {
			return nil, fmt.Errorf("certificate chain record: %w", err)
		}
	}
	r := newRecord(TypeResource, m)
	r.Header.Add(fieldTargetURI, ChainURN(ChainDigest(der)))
	return r.finish(mediaPEM, Bytes(block.Bytes()))
}

// SessionOf returns what a manifest says of a connection, nil for plain http.
func SessionOf(t *TLS) *Session {
	if t == nil {
		return nil
	}
	s := &Session{Version: t.Version, Cipher: t.Cipher, ALPN: t.ALPN, Chain: ChainDigest(t.Chain), ProofMissing: t.ProofMissing, Error: t.Error}
	if len(t.Proof) > 0 {
		s.Proof, s.Anchor = SumSHA256(t.Proof), t.Anchor
	}
	return s
}

// DeclarationRecord returns a resource record of a declaration in its canonical
// form with target urn:sha256:<hex of its SHA-256>.
func DeclarationRecord(m Meta, canonical []byte) (*Record, error) {
	r := newRecord(TypeResource, m)
	r.Header.Add(fieldTargetURI, DigestURN(SumSHA256(canonical)))
	return r.finish(MediaDeclaration, Bytes(canonical))
}

// ManifestRecord returns the last record of a look; its block is what
// MarshalManifest returns. m.Look is the look: source and number of the manifest
// must be its own. m.ID is not used.
func ManifestRecord(m Meta, manifest *Manifest) (*Record, error) {
	if m.Look == nil || m.Look.Source != manifest.Source || m.Look.N != manifest.N {
		return nil, fmt.Errorf("manifest of look %d at %s: not the look that it is written for", manifest.N, manifest.Source)
	}
	block, err := MarshalManifest(manifest)
	if err != nil {
		return nil, err
	}
	m.ID = m.Look.ManifestID()
	r := newRecord(TypeMetadata, m)
	r.Header.Add(fieldTargetURI, manifest.URL)
	return r.finish(MediaManifest, Bytes(block))
}
