package anchor

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
)

// ParseOTS reads a detached timestamp file over a SHA-256 digest. Size, depth
// and number of operations are bounded; errors are ErrOTSFormat. Attestations
// of other kinds are kept as they are; operations that cannot be computed here
// (ripemd160, keccak256) are an error, for what follows them has no meaning.
func ParseOTS(data []byte) (*OTSProof, error) {
	r := otsReader{data: data}
	if len(data) > otsMaxSize {
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrOTSFormat, len(data), otsMaxSize)
	}
	if !r.skip(otsMagic) {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrOTSFormat)
	}
	version, err := r.uint()
	if err == nil && version != 1 {
		err = fmt.Errorf("version %d is not known", version)
	}
	if err == nil && !r.skip(string([]byte{otsTagSHA256})) {
		err = errors.New("it is not over a SHA-256 digest")
	}
	p := &OTSProof{root: &otsNode{}}
	if err == nil {
		var digest []byte
		digest, err = r.bytes(len(p.digest))
		copy(p.digest[:], digest)
	}
	if err == nil {
		err = r.stamp(p.root, p.digest[:], 0)
	}
	if err == nil && len(r.data) > 0 {
		err = fmt.Errorf("%d bytes follow its end", len(r.data))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOTSFormat, err)
	}
	return p, nil
}

// parseOTSStamp reads a bare stamp over a message, as calendars send it.
func parseOTSStamp(data, msg []byte) (*otsNode, error) {
	r := otsReader{data: data}
	n := &otsNode{}
	err := r.stamp(n, msg, 0)
	if err == nil && len(r.data) > 0 {
		err = fmt.Errorf("%d bytes follow its end", len(r.data))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOTSFormat, err)
	}
	return n, nil
}

// otsReader takes a proof apart from the front.
type otsReader struct {
	data  []byte
	nodes int // operations and attestations read
}

var errOTSShort = errors.New("it ends early")

func (r *otsReader) skip(prefix string) bool {
	rest, ok := bytes.CutPrefix(r.data, []byte(prefix))
	if ok {
		r.data = rest
	}
	return ok
}

func (r *otsReader) bytes(n int) ([]byte, error) {
	if n > len(r.data) {
		return nil, errOTSShort
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b, nil
}

func (r *otsReader) byte() (byte, error) {
	b, err := r.bytes(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// uint reads a varuint below 2^63.
func (r *otsReader) uint() (uint64, error) {
	var n uint64
	for shift := 0; shift < 63; shift += 7 {
		b, err := r.byte()
		if err != nil {
			return 0, err
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errors.New("a number is too large")
}

func (r *otsReader) varBytes(least, most uint64) (string, error) {
	n, err := r.uint()
	if err != nil {
		return "", err
	}
	if n < least || n > most {
		return "", fmt.Errorf("a field of %d bytes, allowed are %d to %d", n, least, most)
	}
	b, err := r.bytes(int(n))
	return string(b), err
}

// stamp reads the items of a node over msg.
func (r *otsReader) stamp(n *otsNode, msg []byte, depth int) error {
	if depth > otsMaxDepth {
		return fmt.Errorf("more than %d operations in a row", otsMaxDepth)
	}
	for more := true; more; {
		tag, err := r.byte()
		if err != nil {
			return err
		}
		if more = tag == otsTagFork; more {
			if tag, err = r.byte(); err != nil {
				return err
			}
		}
		if r.nodes++; r.nodes > otsMaxNodes {
			return fmt.Errorf("more than %d operations", otsMaxNodes)
		}
		if tag == otsTagAttestation {
			err = r.attestation(n)
		} else {
			err = r.operation(n, tag, msg, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *otsReader) operation(n *otsNode, tag byte, msg []byte, depth int) error {
	arg := ""
	if tag == otsTagAppend || tag == otsTagPrepend {
		var err error
		if arg, err = r.varBytes(1, otsMaxMessage); err != nil {
			return err
		}
	}
	result, err := otsEdge{tag: tag, arg: arg}.apply(msg)
	if err != nil {
		return err
	}
	return r.stamp(n.child(tag, arg), result, depth+1)
}

func (r *otsReader) attestation(n *otsNode) error {
	kind, err := r.bytes(8)
	if err != nil {
		return err
	}
	payload, err := r.varBytes(0, otsMaxPayload)
	if err != nil {
		return err
	}
	a, err := newOTSAttestation(string(kind), payload)
	if err != nil {
		return err
	}
	n.attest(a)
	return nil
}

// newOTSAttestation reads the payload of the kinds that we know and brings it
// into its one canonical form.
func newOTSAttestation(kind, payload string) (otsAttestation, error) {
	r := otsReader{data: []byte(payload)}
	switch kind {
	case otsPendingKind:
		uri, err := r.varBytes(1, otsMaxCalendarURI)
		if err != nil || len(r.data) > 0 {
			return otsAttestation{}, errors.New("malformed pending attestation")
		}
		if i := strings.IndexFunc(uri, notCalendarRune); i >= 0 {
			return otsAttestation{}, errors.New("calendar address with characters that are not allowed")
		}
		return pendingOTS(uri), nil
	case otsBitcoinKind:
		height, err := r.uint()
		if err != nil || len(r.data) > 0 || height > math.MaxInt32 {
			return otsAttestation{}, errors.New("malformed Bitcoin attestation")
		}
		return bitcoinOTS(height), nil
	}
	return otsAttestation{kind: kind, payload: payload}, nil
}

func pendingOTS(uri string) otsAttestation {
	var b bytes.Buffer
	writeOTSBytes(&b, uri)
	return otsAttestation{kind: otsPendingKind, payload: b.String(), uri: uri}
}

func bitcoinOTS(height uint64) otsAttestation {
	var b bytes.Buffer
	writeOTSUint(&b, height)
	return otsAttestation{kind: otsBitcoinKind, payload: b.String(), height: height}
}

// notCalendarRune: what the reference implementation does not allow in the
// address of a calendar (no query, no credentials, no percent signs).
func notCalendarRune(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._/:", r))
}
