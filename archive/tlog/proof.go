package tlog

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	inclusionHeader = "c2sp.org/tlog-proof@v1\n"
	maxProofHashes  = 63 // c2sp.org/tlog-witness; no tree is higher
	maxProof        = maxCheckpoint + 16<<10
)

// Inclusion is an inclusion proof as text c2sp.org/tlog-proof@v1, taken apart
// and not yet verified.
type Inclusion struct {
	Index  int64 // of the entry, from 0
	Extra  []byte
	Hashes tlog.RecordProof
	Raw    []byte // the signed checkpoint
}

// Included is what a verified inclusion proof says.
type Included struct {
	Index      int64
	Checkpoint Checkpoint
	Note       *note.Note // the checkpoint's verified and unknown signatures
}

// InclusionProof returns the proof that entry index is in the tree of cp, as
// text c2sp.org/tlog-proof@v1 with the checkpoint as given, cosignatures
// included.
func (r *Reader) InclusionProof(ctx context.Context, cp Checkpoint, index int64) ([]byte, error) {
	if index < 0 || index >= cp.Size {
		return nil, fmt.Errorf("prove entry %d: the checkpoint has entries 0 to %d", index, cp.Size-1)
	}
	v, err := r.at(ctx, cp)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	p, err := tlog.ProveRecord(cp.Size, index, v.hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	return torchwood.FormatProof(index, p, cp.Raw), nil
}

// ParseInclusion takes an inclusion proof apart. It verifies nothing.
func ParseInclusion(text []byte) (Inclusion, error) {
	in, err := parseInclusion(string(text))
	if err != nil {
		return Inclusion{}, fmt.Errorf("inclusion proof: %w", err)
	}
	return in, nil
}

func parseInclusion(text string) (Inclusion, error) {
	var in Inclusion
	rest, ok := strings.CutPrefix(text, inclusionHeader)
	if !ok || len(text) > maxProof {
		return Inclusion{}, fmt.Errorf("it does not begin with %q, or has more than %d bytes", strings.TrimSpace(inclusionHeader), maxProof)
	}
	if after, ok := strings.CutPrefix(rest, "extra "); ok {
		line, after, ok := strings.Cut(after, "\n")
		extra, err := base64.StdEncoding.Strict().DecodeString(line)
		if !ok || err != nil || base64.StdEncoding.EncodeToString(extra) != line {
			return Inclusion{}, errors.New("its line of extra data is malformed")
		}
		in.Extra, rest = extra, after
	}
	var err error
	if in.Index, in.Hashes, in.Raw, err = parseHashes("index ", rest); err != nil {
		return Inclusion{}, err
	}
	return in, nil
}

// VerifyInclusion verifies that the proof is one for leaf, under a checkpoint
// that satisfies the policy (LogPolicy, torchwood.ParsePolicy). It needs no
// store. ErrWrongKey: the checkpoint does not satisfy the policy.
func VerifyInclusion(proof, leaf []byte, policy torchwood.Policy) (Included, error) {
	in, err := ParseInclusion(proof)
	if err != nil {
		return Included{}, err
	}
	cp, n, err := OpenCheckpoint(in.Raw, policy)
	if err != nil {
		return Included{}, fmt.Errorf("inclusion proof: %w", err)
	}
	if err := tlog.CheckRecord(in.Hashes, cp.Size, cp.Root, in.Index, tlog.RecordHash(leaf)); err != nil {
		return Included{}, fmt.Errorf("inclusion proof: the leaf is not entry %d of the tree of size %d", in.Index, cp.Size)
	}
	return Included{Index: in.Index, Checkpoint: cp, Note: n}, nil
}

// Consistency is a consistency proof as text, taken apart and not yet verified.
type Consistency struct {
	Old    int64 // size of the smaller tree
	Hashes tlog.TreeProof
	Raw    []byte // the signed checkpoint of the larger tree
}

// ConsistencyProof returns the proof that the tree of cp continues this log's
// tree of size old, as the text that witnesses are asked with
// (c2sp.org/tlog-witness, add-checkpoint): a line "old" with the size, the
// hashes in base64, an empty line, the checkpoint as given.
func (r *Reader) ConsistencyProof(ctx context.Context, old int64, cp Checkpoint) ([]byte, error) {
	if old < 0 || old > cp.Size {
		return nil, fmt.Errorf("prove consistency with size %d: the checkpoint has size %d", old, cp.Size)
	}
	c := Consistency{Old: old, Raw: cp.Raw}
	if old > 0 {
		v, err := r.at(ctx, cp)
		if err != nil {
			return nil, fmt.Errorf("prove consistency with size %d: %w", old, err)
		}
		if c.Hashes, err = tlog.ProveTree(cp.Size, old, v.hashes(ctx)); err != nil {
			return nil, fmt.Errorf("prove consistency with size %d: %w", old, err)
		}
	}
	return c.Format(), nil
}

// Format writes the text of the proof.
func (c Consistency) Format() []byte {
	b := fmt.Appendf(nil, "old %d\n", c.Old)
	for _, h := range c.Hashes {
		b = fmt.Appendf(b, "%s\n", h)
	}
	return append(append(b, '\n'), c.Raw...)
}

// ParseConsistency takes a consistency proof apart. It verifies nothing.
func ParseConsistency(text []byte) (Consistency, error) {
	if len(text) > maxProof {
		return Consistency{}, fmt.Errorf("consistency proof has more than %d bytes", maxProof)
	}
	old, hashes, raw, err := parseHashes("old ", string(text))
	if err != nil {
		return Consistency{}, fmt.Errorf("consistency proof: %w", err)
	}
	return Consistency{Old: old, Hashes: hashes, Raw: raw}, nil
}

// VerifyConsistency verifies that the checkpoint in the proof satisfies the
// policy and continues the tree of old, and returns it. It needs no store.
func VerifyConsistency(proof []byte, old Checkpoint, policy torchwood.Policy) (Checkpoint, error) {
	c, err := ParseConsistency(proof)
	if err != nil {
		return Checkpoint{}, err
	}
	cp, _, err := OpenCheckpoint(c.Raw, policy)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("consistency proof: %w", err)
	}
	if cp.Origin != old.Origin || c.Old != old.Size {
		return Checkpoint{}, fmt.Errorf("consistency proof: it is about size %d of %q, not size %d of %q", c.Old, cp.Origin, old.Size, old.Origin)
	}
	if err := CheckConsistency(c.Hashes, old, cp); err != nil {
		return Checkpoint{}, fmt.Errorf("consistency proof: %w", err)
	}
	return cp, nil
}

// CheckConsistency returns nil if the hashes prove that the tree of cp
// continues that of old. Both were verified by the caller.
func CheckConsistency(hashes tlog.TreeProof, old, cp Checkpoint) error {
	ok := false
	switch {
	case old.Size > cp.Size:
	case old.Size == 0: // every tree continues the empty one
		ok = len(hashes) == 0 && old.Root == emptyRoot()
	default:
		ok = tlog.CheckTree(hashes, cp.Size, cp.Root, old.Size, old.Root) == nil
	}
	if !ok {
		return fmt.Errorf("the tree of size %d does not continue the one of size %d", cp.Size, old.Size)
	}
	return nil
}

// parseHashes reads a line of a name and a number, hashes in base64, an empty
// line, and the checkpoint.
func parseHashes(name, text string) (number int64, hashes []tlog.Hash, raw []byte, err error) {
	line, rest, ok := strings.Cut(text, "\n")
	digits, named := strings.CutPrefix(line, name)
	number, err = strconv.ParseInt(digits, 10, 64)
	if !ok || !named || err != nil || number < 0 || number > maxSize || strconv.FormatInt(number, 10) != digits {
		return 0, nil, nil, fmt.Errorf("%.40q is not the line %q with a number", line, strings.TrimSpace(name))
	}
	for {
		line, rest, ok = strings.Cut(rest, "\n")
		if !ok {
			return 0, nil, nil, errors.New("the empty line behind its hashes is missing")
		}
		if line == "" {
			break
		}
		h, err := tlog.ParseHash(line)
		if err != nil || h.String() != line || len(hashes) == maxProofHashes {
			return 0, nil, nil, fmt.Errorf("hash %d is malformed or one too many", len(hashes))
		}
		hashes = append(hashes, h)
	}
	return number, hashes, bytes.Clone([]byte(rest)), nil
}
