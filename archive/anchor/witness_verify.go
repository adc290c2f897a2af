package anchor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// Limits of a signed checkpoint.
const (
	maxCheckpointSize  = 64 << 10 // bytes, signatures included
	maxCheckpointLines = 100      // signature lines, as in package note
)

// CosignatureReport is what a policy says of a checkpoint and its signatures.
type CosignatureReport struct {
	Checkpoint torchwood.Checkpoint // what was signed: origin, size, root hash

	// LogSigned: the signature of a log of the policy, whose key name is the
	// origin, is there and valid. False means "unknown log" unless LogInvalid.
	LogSigned  bool
	LogInvalid bool // a line claims to be of such a log, and its signature is wrong

	Witnesses []WitnessReport // one for each witness of the policy, in its order

	// Quorum: the cosignatures meet the policy's quorum ("none" is always met).
	Quorum      bool
	QuorumTime  time.Time // when the quorum was complete; zero if it needs no witness
	QuorumError string    // why it is not met, "" if it is
}

// WitnessReport is what one witness said of the checkpoint.
type WitnessReport struct {
	Name     string // as in the policy
	VKey     string
	Cosigned bool      // a valid cosignature is there
	Time     time.Time // of the earliest of them, UTC, whole seconds, by the clock of the witness
	Invalid  bool      // a line claims to be of this witness, and its signature is wrong
}

// OK tells whether the checkpoint satisfies the whole policy.
func (r *CosignatureReport) OK() bool { return r.LogSigned && r.Quorum }

// VerifyCosignatures checks the signatures of a checkpoint against a policy:
// those that it bears and those in lines, which may be empty (note signature
// lines, "— name base64", in any order, repeats allowed). Lines of unknown keys
// are passed over; a wrong signature spoils its own line only.
//
// The result is about the data. The error is nil unless the bytes are no
// checkpoint or no signature lines at all.
func VerifyCosignatures(checkpoint, lines []byte, policy *Policy) (*CosignatureReport, error) {
	text, own, err := splitCheckpoint(checkpoint)
	if err != nil {
		return nil, err
	}
	c, err := torchwood.ParseCheckpoint(text)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	more, err := signatureLines(lines)
	if err != nil {
		return nil, err
	}
	r := &CosignatureReport{Checkpoint: c}
	valid, invalid, err := openLines(text, append(own, more...), policy)
	if err != nil {
		return nil, err
	}
	r.LogSigned = policy.logSigned(c.Origin, valid)
	r.LogInvalid = !r.LogSigned && policy.logSigned(c.Origin, invalid)
	r.fillWitnesses(policy, valid, invalid)
	r.fillQuorum(policy, valid)
	return r, nil
}

func (r *CosignatureReport) fillWitnesses(policy *Policy, valid, invalid []note.Signature) {
	for _, w := range policy.witnesses {
		report := WitnessReport{Name: w.Name, VKey: w.VKey}
		for _, sig := range valid {
			if !isBy(sig, w.VKey) {
				continue
			}
			at := cosignatureTime(sig)
			if !report.Cosigned || at.Before(report.Time) {
				report.Cosigned, report.Time = true, at
			}
		}
		report.Invalid = slices.ContainsFunc(invalid, func(s note.Signature) bool { return isBy(s, w.VKey) })
		r.Witnesses = append(r.Witnesses, report)
	}
}

// fillQuorum adds the cosignatures in the order of their times until they are
// enough: the quorum's time is that of the one that completed it.
func (r *CosignatureReport) fillQuorum(policy *Policy, valid []note.Signature) {
	if err := policy.quorumMet(valid); err != nil {
		r.QuorumError = err.Error()
		return
	}
	r.Quorum = true
	if !policy.NeedsWitnesses() {
		return
	}
	cosigs := slices.DeleteFunc(slices.Clone(valid), func(s note.Signature) bool {
		return !slices.ContainsFunc(policy.witnesses, func(w WitnessEndpoint) bool { return isBy(s, w.VKey) })
	})
	slices.SortStableFunc(cosigs, func(a, b note.Signature) int {
		return cosignatureTime(a).Compare(cosignatureTime(b))
	})
	for i := range cosigs {
		if policy.quorumMet(cosigs[:i+1]) == nil {
			r.QuorumTime = cosignatureTime(cosigs[i])
			return
		}
	}
}

// isBy tells whether a signature line bears the name and key hash of a vkey.
func isBy(sig note.Signature, vkey string) bool {
	return strings.HasPrefix(vkey, fmt.Sprintf("%s+%08x+", sig.Name, sig.Hash))
}

// cosignatureTime is the time of a cosignature that verified.
func cosignatureTime(sig note.Signature) time.Time {
	at, err := torchwood.CosignatureTimestamp(sig)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

// openLines verifies each signature line by itself, so that a broken one does
// not hide the others. Lines of keys that verifiers does not know are dropped.
func openLines(text string, lines []string, verifiers note.Verifiers) (valid, invalid []note.Signature, err error) {
	if len(lines) > maxCheckpointLines {
		return nil, nil, fmt.Errorf("checkpoint has %d signature lines, more than %d", len(lines), maxCheckpointLines)
	}
	for _, line := range lines {
		n, err := note.Open([]byte(text+"\n"+line), verifiers)
		var unknown *note.UnverifiedNoteError
		var wrong *note.InvalidSignatureError
		switch {
		case errors.As(err, &unknown):
		case errors.As(err, &wrong):
			invalid = append(invalid, note.Signature{Name: wrong.Name, Hash: wrong.Hash})
		case err != nil:
			return nil, nil, fmt.Errorf("signature line %.100q: %w", line, err)
		case zeroTime(n.Sigs[0], verifiers):
			invalid = append(invalid, n.Sigs[0])
		default:
			valid = append(valid, n.Sigs[0])
		}
	}
	return valid, invalid, nil
}

// zeroTime finds cosignatures without a time, which c2sp.org/tlog-witness
// forbids for whole trees.
func zeroTime(sig note.Signature, verifiers note.Verifiers) bool {
	v, err := verifiers.Verifier(sig.Name, sig.Hash)
	if err != nil {
		return false
	}
	if _, ok := v.(*torchwood.CosignatureVerifier); !ok {
		return false
	}
	at, err := torchwood.CosignatureTimestamp(sig)
	return err != nil || at == 0
}

// splitCheckpoint parts a signed note into its text, which ends in a newline,
// and its signature lines, each with its newline.
func splitCheckpoint(signed []byte) (text string, lines []string, err error) {
	if len(signed) > maxCheckpointSize {
		return "", nil, fmt.Errorf("checkpoint has %d bytes, more than %d", len(signed), maxCheckpointSize)
	}
	// The signatures follow the last blank line (c2sp.org/signed-note).
	i := bytes.LastIndex(signed, []byte("\n\n"))
	if i < 0 {
		return "", nil, errors.New("read checkpoint: no blank line before signatures")
	}
	lines, err = signatureLines(signed[i+2:])
	return string(signed[:i+1]), lines, err
}

// signatureLines splits note signature lines and checks their outer form.
func signatureLines(data []byte) ([]string, error) {
	if len(data) > maxCheckpointSize {
		return nil, fmt.Errorf("signature lines have %d bytes, more than %d", len(data), maxCheckpointSize)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "— ") || !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("%.100q is no signature line (— NAME BASE64)", line)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
