package anchor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BitcoinHeaderSize is the size of a block header in bytes.
const BitcoinHeaderSize = 80

// BitcoinMinWork is the least work of a block that Verify takes for Bitcoin's,
// as the binary logarithm of the expected number of hashes. Every block since
// July 2020 shows more (2^78 in 2024). A header is checked offline and could be
// made by anyone who spends that work on it.
const BitcoinMinWork = 76

// BitcoinHeader is the header of a Bitcoin block as it goes over the wire:
// version (4 bytes), previous block (32), Merkle root (32), time (4), nBits (4),
// nonce (4), numbers in little-endian order.
type BitcoinHeader [BitcoinHeaderSize]byte

// ParseBitcoinHeader reads a header file: 160 hexadecimal digits and, if
// wanted, a newline. Such a file lies beside the proof as "<height>.header".
func ParseBitcoinHeader(text []byte) (BitcoinHeader, error) {
	var h BitcoinHeader
	digits := bytes.TrimRight(text, "\r\n")
	if len(digits) != 2*BitcoinHeaderSize {
		return h, fmt.Errorf("block header has %d characters, expected %d hexadecimal digits", len(digits), 2*BitcoinHeaderSize)
	}
	if _, err := hex.Decode(h[:], digits); err != nil {
		return h, fmt.Errorf("block header: %w", err)
	}
	return h, nil
}

// BitcoinHeaderFile is the name of the header file of a height.
func BitcoinHeaderFile(height int64) string { return strconv.FormatInt(height, 10) + ".header" }

// Text is the content of the header file.
func (h BitcoinHeader) Text() []byte { return []byte(hex.EncodeToString(h[:]) + "\n") }

// MerkleRoot returns the root in wire order, which is the order of commitments.
func (h BitcoinHeader) MerkleRoot() [sha256.Size]byte { return [sha256.Size]byte(h[36:68]) }

// Time is the time of the block by its miner's clock, which the network's rules
// hold to about two hours.
func (h BitcoinHeader) Time() time.Time {
	return time.Unix(int64(binary.LittleEndian.Uint32(h[68:])), 0).UTC()
}

// Hash is the block's id as explorers show it, 64 hexadecimal digits.
func (h BitcoinHeader) Hash() string {
	sum := h.sum()
	slices.Reverse(sum)
	return hex.EncodeToString(sum)
}

// sum is the double SHA-256 in wire order.
func (h BitcoinHeader) sum() []byte {
	first := sha256.Sum256(h[:])
	second := sha256.Sum256(first[:])
	return second[:]
}

// Work checks the proof of work: the block's hash must not exceed the target
// that its nBits field states. It returns the binary logarithm, rounded down,
// of the number of hashes that are expected for such a block.
func (h BitcoinHeader) Work() (int, error) {
	target, err := compactTarget(binary.LittleEndian.Uint32(h[72:]))
	if err != nil {
		return 0, err
	}
	sum := h.sum()
	slices.Reverse(sum)
	if new(big.Int).SetBytes(sum).Cmp(target) > 0 {
		return 0, errors.New("the block's hash does not reach the difficulty that it states")
	}
	space := new(big.Int).Lsh(big.NewInt(1), 256)
	return space.Div(space, target.Add(target, big.NewInt(1))).BitLen() - 1, nil
}

// compactTarget expands nBits: one byte of exponent, three of mantissa, to the
// base of 256.
func compactTarget(bits uint32) (*big.Int, error) {
	exponent, mantissa := uint(bits>>24), int64(bits&0x7fffff)
	if bits&0x800000 != 0 || mantissa == 0 || exponent > 34 {
		return nil, fmt.Errorf("block header states no valid difficulty (nBits %08x)", bits)
	}
	target := big.NewInt(mantissa)
	if exponent < 3 {
		target.Rsh(target, 8*(3-exponent))
	} else {
		target.Lsh(target, 8*(exponent-3))
	}
	if target.Sign() == 0 || target.BitLen() > 256 {
		return nil, fmt.Errorf("block header states no valid difficulty (nBits %08x)", bits)
	}
	return target, nil
}

// OTSState is the verdict on one Bitcoin attestation.
type OTSState string

// The verdicts.
const (
	OTSVerified OTSState = "verified"       // the block holds the commitment and shows the work of a Bitcoin block
	OTSNoHeader OTSState = "no-header"      // the header of this block was not given: cannot be told
	OTSWeak     OTSState = "weak"           // it holds the commitment, with less work than a Bitcoin block has: proves nothing
	OTSMismatch OTSState = "mismatch"       // the block has another Merkle root: false
	OTSBadWork  OTSState = "bad-work"       // the header does not reach its own difficulty: false
	OTSOther    OTSState = "other-evidence" // a kind of attestation that is not understood
	OTSPending  OTSState = "pending"        // a calendar's promise: proves nothing yet
)

// OTSVerdict is what Verify says of one attestation.
type OTSVerdict struct {
	State    OTSState
	Calendar string    // of a pending one
	Height   int64     // as the proof claims it (a header does not say); -1 if not a Bitcoin attestation
	Block    string    // id of the block, to be compared with any Bitcoin node or explorer; "" without header
	Time     time.Time // of the block; zero without header
	Work     int       // binary logarithm of the expected hashes; 0 if not known
	Detail   string    // why, where the state alone does not say
}

// OTSReport is what a proof says, one verdict for each attestation.
type OTSReport struct {
	Verdicts []OTSVerdict
	Verified bool      // one attestation at least is verified
	False    bool      // one at least is false (mismatch, bad-work)
	Time     time.Time // of the earliest verified block; the bytes existed then, give or take two hours
	Height   int64     // of this block
}

// OTSVerifyOptions are what a verifier brings along.
type OTSVerifyOptions struct {
	Headers map[int64]BitcoinHeader // by height
	MinWork int                     // 0: BitcoinMinWork; lower for a chain of one's own
}

// Verify checks a proof offline against block headers. digest is the SHA-256 of
// the bytes that the proof should be about; another one is an error.
func (p *OTSProof) Verify(digest [sha256.Size]byte, opt OTSVerifyOptions) (*OTSReport, error) {
	if digest != p.digest {
		return nil, fmt.Errorf("OpenTimestamps proof is about SHA-256 %x, not %x", p.digest, digest)
	}
	if opt.MinWork == 0 {
		opt.MinWork = BitcoinMinWork
	}
	r := &OTSReport{Height: -1}
	for _, a := range p.Attestations() {
		v := verifyOTS(a, opt)
		r.Verdicts = append(r.Verdicts, v)
		switch v.State {
		case OTSVerified:
			if !r.Verified || v.Time.Before(r.Time) {
				r.Time, r.Height = v.Time, v.Height
			}
			r.Verified = true
		case OTSMismatch, OTSBadWork:
			r.False = true
		}
	}
	return r, nil
}

func verifyOTS(a OTSAttestation, opt OTSVerifyOptions) OTSVerdict {
	v := OTSVerdict{Height: a.Height, Calendar: a.Calendar}
	switch {
	case a.Calendar != "":
		v.State = OTSPending
		return v
	case a.Height < 0:
		v.State, v.Detail = OTSOther, "attestation of kind "+a.Kind
		return v
	}
	h, ok := opt.Headers[a.Height]
	if !ok {
		v.State, v.Detail = OTSNoHeader, "needs "+BitcoinHeaderFile(a.Height)
		return v
	}
	v.Block, v.Time = h.Hash(), h.Time()
	root := h.MerkleRoot()
	if !bytes.Equal(a.Commitment, root[:]) {
		v.State, v.Detail = OTSMismatch, fmt.Sprintf("the block's Merkle root is %x, the proof leads to %x", root, a.Commitment)
		return v
	}
	work, err := h.Work()
	v.Work = work
	switch {
	case err != nil:
		v.State, v.Detail = OTSBadWork, err.Error()
	case work < opt.MinWork:
		v.State, v.Detail = OTSWeak, fmt.Sprintf("the block shows 2^%d hashes of work, less than 2^%d", work, opt.MinWork)
	default:
		v.State = OTSVerified
	}
	return v
}

// FetchBitcoinHeader asks a block explorer for the header of a height, by the
// calls of the Esplora interface (GET base/block-height/H, base/block/ID/header).
// The explorer is not trusted for more than having it: the header must have the
// id that it was asked by, and Verify judges it.
func FetchBitcoinHeader(ctx context.Context, client *http.Client, base string, height int64) (BitcoinHeader, error) {
	var none BitcoinHeader
	if err := checkHTTPURL(base); err != nil {
		return none, fmt.Errorf("block explorer: %w", err)
	}
	base = strings.TrimSuffix(base, "/")
	id, err := explorerLine(ctx, client, fmt.Sprintf("%s/block-height/%d", base, height), 64)
	if err != nil {
		return none, err
	}
	text, err := explorerLine(ctx, client, base+"/block/"+id+"/header", 2*BitcoinHeaderSize)
	if err != nil {
		return none, err
	}
	h, err := ParseBitcoinHeader([]byte(text))
	if err == nil && h.Hash() != id {
		err = fmt.Errorf("its id is %s, not %s", h.Hash(), id)
	}
	if err != nil {
		return none, fmt.Errorf("block explorer %s: header of block %d: %w", base, height, err)
	}
	return h, nil
}

// explorerLine gets an answer of so many hexadecimal digits.
func explorerLine(ctx context.Context, client *http.Client, address string, digits int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", fmt.Errorf("block explorer: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("block explorer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return "", fmt.Errorf("block explorer %s: %w", address, err)
	}
	line := strings.ToLower(strings.TrimSpace(string(body)))
	if _, err := hex.DecodeString(line); resp.StatusCode != http.StatusOK || err != nil || len(line) != digits {
		return "", fmt.Errorf("block explorer %s: HTTP status %d, %q is not %d hexadecimal digits", address, resp.StatusCode, clip(body), digits)
	}
	return line, nil
}
