package anchor

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Limits of OpenTimestamps proofs. The first three are those of the reference
// implementation; a proof by four calendars has about 400 operations in 4 kB.
const (
	otsMaxMessage     = 4096 // bytes that an operation takes or gives
	otsMaxPayload     = 8192 // bytes of an attestation
	otsMaxDepth       = 255  // operations from the digest to an attestation
	otsMaxSize        = 128 << 10
	otsMaxNodes       = 4096 // operations and attestations
	otsMaxCalendarURI = 1000
)

// otsMagic opens every detached timestamp file; the version 1 follows.
const otsMagic = "\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94"

// Tags of the format. Every other tag below 0xff is an operation that we
// cannot compute.
const (
	otsTagAttestation = 0x00
	otsTagSHA1        = 0x02
	otsTagSHA256      = 0x08
	otsTagAppend      = 0xf0
	otsTagPrepend     = 0xf1
	otsTagReverse     = 0xf2
	otsTagHexlify     = 0xf3
	otsTagFork        = 0xff
)

// Kinds of attestations.
const (
	otsPendingKind = "\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e"
	otsBitcoinKind = "\x05\x88\x96\x0d\x73\xd7\x19\x01"
)

// ErrOTSFormat: the bytes are no OpenTimestamps proof that can be read.
var ErrOTSFormat = errors.New("not an OpenTimestamps proof")

// OTSProof is an OpenTimestamps proof (a detached timestamp file, .ots): a tree
// of operations that lead from a SHA-256 digest to attestations. A pending
// attestation says that a calendar took the commitment; it proves nothing. A
// Bitcoin attestation says that the commitment is the Merkle root of a block.
//
//	proof = magic, varuint 1, 0x08, digest (32 bytes), stamp
//	stamp = { 0xff, item } item             the last item without 0xff
//	item  = 0x00, kind (8 bytes), varuint length, payload      an attestation
//	      | op, stamp                                          on the result of op
//	op    = 0x02 | 0x08 | 0xf2 | 0xf3                          sha1, sha256, reverse, hexlify
//	      | 0xf0 varuint length, bytes | 0xf1 …                append, prepend
//	payload = varuint length, address (pending) | varuint height (Bitcoin)
//
// varuint is little-endian base 128. Proofs are written with their items in
// the order of the reference implementation, whatever the order they were read
// in. Stamp, Upgrade and Drop change a proof; without them it is safe for
// concurrent use.
type OTSProof struct {
	digest [sha256.Size]byte
	root   *otsNode
}

// otsNode is what is known about one message. Messages are not stored: they
// follow from the digest, and computing them bounds memory.
type otsNode struct {
	attestations []otsAttestation // ascending, no two equal
	edges        []otsEdge        // ascending, no two with the same operation
}

type otsEdge struct {
	tag  byte
	arg  string // of append and prepend
	next *otsNode
}

type otsAttestation struct {
	kind    string // 8 bytes
	payload string // as on the wire
	uri     string // of a pending one
	height  uint64 // of a Bitcoin one
}

// Digest returns the SHA-256 digest of the stamped bytes.
func (p *OTSProof) Digest() [sha256.Size]byte { return p.digest }

// OTSAttestation is one leaf of a proof.
type OTSAttestation struct {
	Commitment []byte // the message that is attested, computed from the digest
	Calendar   string // address of the calendar that took it; "" if not pending
	Height     int64  // height of the Bitcoin block; -1 if not a Bitcoin attestation
	Kind       string // 16 hexadecimal digits
}

// Attestations lists the leaves of the proof in the order of the file.
func (p *OTSProof) Attestations() []OTSAttestation {
	var list []OTSAttestation
	for node, msg := range p.nodes() {
		for _, a := range node.attestations {
			o := OTSAttestation{Commitment: msg, Calendar: a.uri, Height: -1, Kind: hex.EncodeToString([]byte(a.kind))}
			if a.kind == otsBitcoinKind {
				o.Height = int64(a.height)
			}
			list = append(list, o)
		}
	}
	return list
}

// Heights returns the heights of the blocks that the proof names, ascending.
// None means that the proof is still pending.
func (p *OTSProof) Heights() []int64 {
	var heights []int64
	for _, a := range p.Attestations() {
		if a.Height >= 0 {
			heights = append(heights, a.Height)
		}
	}
	slices.Sort(heights)
	return slices.Compact(heights)
}

// Drop removes the attestations of a block that turned out not to hold the
// commitment (it left the chain, or the calendar erred), so that the next
// Upgrade asks the calendar again. It returns false and leaves the proof as it
// is if nothing else would be left in it.
func (p *OTSProof) Drop(height int64) bool {
	root := p.root.clone()
	if root.drop(uint64(height)) {
		return false
	}
	p.root = root
	return true
}

// drop also removes branches that lead to no attestation any more: they cannot
// be written.
func (n *otsNode) drop(height uint64) (empty bool) {
	n.attestations = slices.DeleteFunc(n.attestations, func(a otsAttestation) bool {
		return a.kind == otsBitcoinKind && a.height == height
	})
	n.edges = slices.DeleteFunc(n.edges, func(e otsEdge) bool { return e.next.drop(height) })
	return len(n.edges) == 0 && len(n.attestations) == 0
}

func (n *otsNode) clone() *otsNode {
	c := &otsNode{attestations: slices.Clone(n.attestations), edges: slices.Clone(n.edges)}
	for i := range c.edges {
		c.edges[i].next = c.edges[i].next.clone()
	}
	return c
}

// add merges what an answer says about one message of the proof. A proof that
// would exceed the limits of ParseOTS stays as it is.
func (p *OTSProof) add(msg []byte, stamp *otsNode) (changed bool, err error) {
	saved := p.root.clone()
	for node, m := range p.nodes() {
		if bytes.Equal(m, msg) {
			changed = node.merge(stamp)
			break
		}
	}
	if _, err := ParseOTS(p.Bytes()); err != nil {
		p.root = saved
		return false, fmt.Errorf("with the answer it would be %w", err)
	}
	return changed, nil
}

// nodes yields every node with its message, a node before its descendants.
func (p *OTSProof) nodes() iter.Seq2[*otsNode, []byte] {
	return func(yield func(*otsNode, []byte) bool) { p.root.walk(p.digest[:], yield) }
}

func (n *otsNode) walk(msg []byte, yield func(*otsNode, []byte) bool) bool {
	if !yield(n, msg) {
		return false
	}
	for _, e := range n.edges {
		result, err := e.apply(msg)
		if err != nil {
			panic("anchor: an OpenTimestamps operation that was checked when read fails: " + err.Error())
		}
		if !e.next.walk(result, yield) {
			return false
		}
	}
	return true
}

// apply computes the operation.
func (e otsEdge) apply(msg []byte) ([]byte, error) {
	var result []byte
	switch e.tag {
	case otsTagSHA1:
		sum := sha1.Sum(msg)
		return sum[:], nil
	case otsTagSHA256:
		sum := sha256.Sum256(msg)
		return sum[:], nil
	case otsTagAppend:
		result = slices.Concat(msg, []byte(e.arg))
	case otsTagPrepend:
		result = slices.Concat([]byte(e.arg), msg)
	case otsTagReverse:
		result = slices.Clone(msg)
		slices.Reverse(result)
	case otsTagHexlify:
		result = []byte(hex.EncodeToString(msg))
	default:
		return nil, fmt.Errorf("operation 0x%02x cannot be computed here", e.tag)
	}
	if len(result) > otsMaxMessage {
		return nil, fmt.Errorf("operation 0x%02x gives %d bytes, more than %d", e.tag, len(result), otsMaxMessage)
	}
	return result, nil
}

// child finds or adds the node that an operation leads to.
func (n *otsNode) child(tag byte, arg string) *otsNode {
	e := otsEdge{tag: tag, arg: arg}
	i, found := slices.BinarySearchFunc(n.edges, e, otsEdge.compare)
	if !found {
		e.next = &otsNode{}
		n.edges = slices.Insert(n.edges, i, e)
	}
	return n.edges[i].next
}

// attest adds an attestation unless it is there already.
func (n *otsNode) attest(a otsAttestation) (added bool) {
	i, found := slices.BinarySearchFunc(n.attestations, a, otsAttestation.compare)
	if !found {
		n.attestations = slices.Insert(n.attestations, i, a)
	}
	return !found
}

// merge adds what another tree over the same message says.
func (n *otsNode) merge(other *otsNode) (changed bool) {
	for _, a := range other.attestations {
		if n.attest(a) {
			changed = true
		}
	}
	for _, e := range other.edges {
		if n.child(e.tag, e.arg).merge(e.next) {
			changed = true
		}
	}
	return changed
}

// settled tells whether a Bitcoin attestation stands at or below a node.
func (n *otsNode) settled() bool {
	return slices.ContainsFunc(n.attestations, func(a otsAttestation) bool { return a.kind == otsBitcoinKind }) ||
		slices.ContainsFunc(n.edges, func(e otsEdge) bool { return e.next.settled() })
}

// Bytes returns the proof as a file. ParseOTS reads it back.
func (p *OTSProof) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString(otsMagic)
	b.Write([]byte{1, otsTagSHA256})
	b.Write(p.digest[:])
	p.root.write(&b)
	return b.Bytes()
}

// write appends a stamp: attestations first, then operations.
func (n *otsNode) write(b *bytes.Buffer) {
	items := len(n.attestations) + len(n.edges)
	fork := func() {
		if items--; items > 0 {
			b.WriteByte(otsTagFork)
		}
	}
	for _, a := range n.attestations {
		fork()
		b.WriteByte(otsTagAttestation)
		b.WriteString(a.kind)
		writeOTSBytes(b, a.payload)
	}
	for _, e := range n.edges {
		fork()
		b.WriteByte(e.tag)
		if e.tag == otsTagAppend || e.tag == otsTagPrepend {
			writeOTSBytes(b, e.arg)
		}
		e.next.write(b)
	}
}

// compare and its sister below give the order of the reference implementation.
func (e otsEdge) compare(f otsEdge) int {
	return cmp.Or(cmp.Compare(e.tag, f.tag), cmp.Compare(e.arg, f.arg))
}

func (a otsAttestation) compare(b otsAttestation) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.height, b.height), cmp.Compare(a.uri, b.uri), cmp.Compare(a.payload, b.payload))
}

func writeOTSUint(b *bytes.Buffer, n uint64) {
	for ; n > 0x7f; n >>= 7 {
		b.WriteByte(byte(n) | 0x80)
	}
	b.WriteByte(byte(n))
}

func writeOTSBytes(b *bytes.Buffer, s string) {
	writeOTSUint(b, uint64(len(s)))
	b.WriteString(s)
}
