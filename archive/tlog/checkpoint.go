package tlog

import (
	"errors"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxCheckpoint = 64 << 10 // bytes, with many cosignatures
	maxSize       = 1 << 52  // entries; keeps all index arithmetic within int64
)

// Checkpoint is a verified state of a log.
type Checkpoint struct {
	Origin string
	Size   int64     // entries
	Root   tlog.Hash // of the tree of that size
	Raw    []byte    // the signed note, as read; not to be changed
}

// LogPolicy is the least one asks of a checkpoint: its origin is the name of
// the log's key v, and v signed it. Demands on witnesses come from
// torchwood.ParsePolicy.
func LogPolicy(v note.Verifier) torchwood.Policy {
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
}

// ParseCheckpoint reads a signed checkpoint and verifies that it is of the log
// with key v. Signatures by others are neither needed nor looked at. A
// checkpoint of another log or key, or with a false signature, is ErrWrongKey.
func ParseCheckpoint(raw []byte, v note.Verifier) (Checkpoint, error) {
	cp, _, err := OpenCheckpoint(raw, LogPolicy(v))
	return cp, err
}

// OpenCheckpoint reads a signed checkpoint, verifies that it satisfies the
// policy, and also returns the note with its verified signatures (Sigs) and
// those by keys that the policy does not know (UnverifiedSigs: names and
// claims of others, not checked).
func OpenCheckpoint(raw []byte, policy torchwood.Policy) (Checkpoint, *note.Note, error) {
	if len(raw) > maxCheckpoint {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint has %d bytes, at most %d are read", len(raw), maxCheckpoint)
	}
	c, n, err := torchwood.VerifyCheckpoint(raw, policy)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint: %w", signatureError(err))
	}
	if c.N > maxSize {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint: size %d is beyond any log", c.N)
	}
	if c.N == 0 && c.Hash != emptyRoot() {
		return Checkpoint{}, nil, errors.New("checkpoint: size 0 with a root hash that is not that of the empty tree")
	}
	return Checkpoint{Origin: c.Origin, Size: c.N, Root: c.Hash, Raw: raw}, n, nil
}

// signatureError gives errors about signatures their kind, and says whose
// signatures there are.
func signatureError(err error) error {
	if invalid, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return fmt.Errorf("%w: the signature of %s+%08x is false", ErrWrongKey, invalid.Name, invalid.Hash)
	}
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok || unverified.Note == nil {
		return err
	}
	var by []string
	for _, s := range unverified.Note.Sigs {
		by = append(by, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	for _, s := range unverified.Note.UnverifiedSigs {
		by = append(by, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	origin := "unreadable"
	if c, err := torchwood.ParseCheckpoint(unverified.Note.Text); err == nil {
		origin = c.Origin
	}
	return fmt.Errorf("%w: origin %q, signed by %q: %w", ErrWrongKey, origin, by, err)
}

// signCheckpoint makes a checkpoint and reads it back with the public key, so
// that a wrong pair of keys never signs anything that is kept.
func signCheckpoint(size int64, root tlog.Hash, s note.Signer, v note.Verifier) (Checkpoint, error) {
	text := torchwood.Checkpoint{Origin: s.Name(), Tree: tlog.Tree{N: size, Hash: root}}.String()
	raw, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint of size %d: %w", size, err)
	}
	cp, err := ParseCheckpoint(raw, v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint of size %d: the public key does not belong to the private one: %w", size, err)
	}
	return cp, nil
}
