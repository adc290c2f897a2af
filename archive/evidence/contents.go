package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// Bounds of what is held of a WARC, in bytes and records.
const (
	maxKept    = 64 << 20 // blocks: manifests, chains, declarations, handshake proofs
	maxBlock   = 1 << 20  // one of them, but for manifests
	maxRecords = 200_000
)

// contents is what a bundle's WARC holds: where each record lies, and the blocks
// that a bundle speaks of.
type contents struct {
	members   []member
	byID      map[string]member
	manifests map[string]*manifestRecord // by record id
	chains    map[warc.Digest][]byte     // PEM, by warc.ChainDigest
	blocks    map[warc.Digest]block      // declarations and handshake proofs, by the SHA-256 of their bytes
	kept      int64
}

type member struct {
	record, typ    string
	offset, length int64 // of the gzip member, in bytes
	sha256         warc.Digest
}

type manifestRecord struct {
	member
	manifest *warc.Manifest
}

type block struct {
	mediaType string
	data      []byte
}

// readContents reads a WARC from its first to its last byte.
func readContents(r io.Reader) (*contents, error) {
	c := &contents{byID: map[string]member{}, manifests: map[string]*manifestRecord{}, chains: map[warc.Digest][]byte{}, blocks: map[warc.Digest]block{}}
	for rec, err := range warc.NewReader(r).Records() {
		if err != nil {
			return nil, fmt.Errorf("WARC: %w", err)
		}
		if len(c.members) == maxRecords {
			return nil, fmt.Errorf("WARC: more than %d records", maxRecords)
		}
		if err := c.record(rec); err != nil {
			return nil, fmt.Errorf("WARC: record at %d: %w", rec.Offset, err)
		}
	}
	return c, nil
}

func (c *contents) record(rec *warc.Record) error {
	media := rec.Header.Get("Content-Type")
	var data []byte
	keep := media == warc.MediaManifest || media == warc.MediaDeclaration || media == mediaChain || media == warc.MediaHandshake
	if keep {
		limit := int64(maxBlock)
		if media == warc.MediaManifest {
			limit = warc.MaxManifest
		}
		var err error
		if data, err = rec.ReadBlock(limit); err != nil {
			return err
		}
		if c.kept += int64(len(data)); c.kept > maxKept {
			return fmt.Errorf("more than %d bytes of manifests, certificates and declarations", maxKept)
		}
	}
	if err := rec.Finish(); err != nil {
		return err
	}
	m := member{rec.ID(), rec.Type(), rec.Offset, rec.Length, rec.SHA256}
	c.members = append(c.members, m)
	c.byID[m.record] = m
	switch media {
	case warc.MediaManifest:
		parsed, err := warc.ParseManifest(data)
		if err != nil {
			return err
		}
		c.manifests[m.record] = &manifestRecord{m, parsed}
	case mediaChain:
		if der := chainOf(data); der != nil {
			c.chains[warc.ChainDigest(der)] = data
		}
	case warc.MediaDeclaration, warc.MediaHandshake:
		c.blocks[warc.SumSHA256(data)] = block{media, data}
	}
	return nil
}

// mediaChain is the media type of certificate chain records.
const mediaChain = "application/pem-certificate-chain"

// chainOf returns the certificates of a PEM file, DER; nil if it holds anything
// else.
func chainOf(text []byte) (der [][]byte) {
	for {
		b, rest := pem.Decode(text)
		if b == nil {
			if strings.TrimSpace(string(rest)) != "" {
				return nil
			}
			return der
		}
		if b.Type != "CERTIFICATE" {
			return nil
		}
		der, text = append(der, b.Bytes), rest
	}
}

// table returns the text of members.txt: for each record a line of offset and
// length of its gzip member, SHA-256 of the decompressed member, WARC-Type and
// record id.
func (c *contents) table() []byte {
	var b []byte
	for _, m := range c.members {
		b = fmt.Appendf(b, "%d %d %s %s %s\n", m.offset, m.length, m.sha256.Hex(), m.typ, m.record)
	}
	return b
}

// sums is a list of files with their SHA-256, as sha256sum writes it.
type sums struct {
	names []string
	sum   map[string][sha256.Size]byte
}

// parseSums reads SHA256SUMS: sorted lines of 64 lower-case hexadecimal digits,
// two spaces and a name.
func parseSums(text []byte) (sums, error) {
	s := sums{sum: map[string][sha256.Size]byte{}}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		digits, name, ok := strings.Cut(line, "  ")
		sum, err := hex.DecodeString(digits)
		if !ok || err != nil || len(sum) != sha256.Size || digits != strings.ToLower(digits) {
			return sums{}, fmt.Errorf("%s: line %d is not a SHA-256, two spaces and a name", nameSums, i+1)
		}
		if n := len(s.names); n > 0 && s.names[n-1] >= name {
			return sums{}, fmt.Errorf("%s: line %s is out of order or stands twice", nameSums, strconv.Quote(name))
		}
		s.names = append(s.names, name)
		s.sum[name] = [sha256.Size]byte(sum)
	}
	return s, nil
}
