package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// signedBy is a policy without its quorum: the log's signature is enough.
type signedBy struct{ policy *anchor.Policy }

// Check implements torchwood.Policy.
func (s signedBy) Check(origin string, sigs []note.Signature) error {
	for _, l := range s.policy.Logs() {
		for _, sig := range sigs {
			if l.Origin == origin && strings.HasPrefix(l.VKey, fmt.Sprintf("%s+%08x+", sig.Name, sig.Hash)) {
				return nil
			}
		}
	}
	return fmt.Errorf("no log of your policy with origin %q signed", origin)
}

// Verifier implements torchwood.Policy.
func (s signedBy) Verifier(name string, hash uint32) (note.Verifier, error) {
	return s.policy.Verifier(name, hash)
}

// rangeNumbers returns the numbers of the leaves in leaves/, ascending.
func (v *verifier) rangeNumbers() (numbers []int64) {
	for _, name := range v.bundle.in(dirBetween) {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(name, dirBetween), suffixLeaf)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && strconv.FormatInt(n, 10) == digits {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// checkSeries shows that no logged look was left out: of the look before, or of a
// whole range.
func (v *verifier) checkSeries() error {
	const name = "series"
	if !v.lookOK {
		v.report.add(name, Unknown, "", "there is no look")
		return nil
	}
	if numbers := v.rangeNumbers(); len(numbers) > 0 {
		return v.checkRange(numbers)
	}
	e := v.look.entry
	switch {
	case e.N == 1:
		v.report.add(name, OK, "the log, as above", "the first look at this source")
		return nil
	case !v.bundle.has(namePrev):
		v.report.add(name, NotPresent, "", "look %d; the leaf of the look before is not here", e.N)
		return nil
	}
	p, err := v.included(namePrev, namePrevProof)
	if err == nil {
		err = follows(p.entry, e)
	}
	switch {
	case err != nil:
		v.report.add(name, False, "", "%v", err)
	case p.entry.N != e.N-1:
		v.report.add(name, Unknown, "", "look %d follows look %d: of %d numbers between them nothing is here", e.N, p.entry.N, e.N-1-p.entry.N)
	default:
		v.report.add(name, OK, "the log, as above", "look %d follows look %d of %s", e.N, p.entry.N, stamp(p.entry.Time))
	}
	return nil
}

// errorInterrupted is the error of a look that a crash or a signal cut short.
const errorInterrupted = "interrupted"

// follows checks that b is a later look at the source of a, and that it names a
// as the one before, if it names any.
func follows(a, b Entry) error {
	switch {
	case a.Type != TypeLook && a.Type != TypeLost:
		return fmt.Errorf("an entry of type %q in the series", a.Type)
	case a.Source != b.Source:
		return fmt.Errorf("look %d is of another source than look %d", a.N, b.N)
	case a.N >= b.N:
		return fmt.Errorf("look %d stands before look %d", a.N, b.N)
	case b.Type == TypeLost || a.Type == TypeLost:
		return nil // the manifest of a lost look is gone, and may be named or not
	case a.Error == errorInterrupted:
		return nil // its manifest was made when the program started again, perhaps after b
	case b.Prev == nil || b.Prev.Manifest != a.Manifest.Record || b.Prev.SHA256 != a.Manifest.SHA256:
		return fmt.Errorf("look %d does not name look %d as the one before", b.N, a.N)
	}
	return nil
}

func (v *verifier) checkRange(numbers []int64) error {
	const name = "series"
	last, err := v.walkRange(numbers)
	if err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	if err := follows(last, v.look.entry); err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	first, err := v.included(rangeLeaf(numbers[0]))
	if err == nil && first.entry.Type == TypeLook && v.contents != nil {
		_, err = v.ofLeaf(first)
	}
	if err != nil {
		v.report.add(name, False, "", "the first look of the range: %v", err)
		return nil
	}
	v.report.add(name, OK, "the log, as above", "looks %d to %d, every one of them: no logged look was left out", numbers[0], v.look.entry.N)
	return nil
}

func rangeLeaf(n int64) (leaf, proof string) {
	stem := fmt.Sprintf("%s%d", dirBetween, n)
	return stem + suffixLeaf, stem + suffixProof
}

// walkRange checks the leaves one after the other and returns the last.
func (v *verifier) walkRange(numbers []int64) (last Entry, err error) {
	var look *Entry // the last one that has a manifest
	for i, n := range numbers {
		p, err := v.included(rangeLeaf(n))
		if err != nil {
			return last, err
		}
		if p.entry.N != n {
			return last, fmt.Errorf("leaf %d of the range is look %d", n, p.entry.N)
		}
		if i > 0 && numbers[i-1] != n-1 {
			return last, fmt.Errorf("looks %d to %d are missing", numbers[i-1]+1, n-1)
		}
		if i > 0 {
			if err := follows(last, p.entry); err != nil {
				return last, err
			}
		}
		if look != nil && p.entry.Type == TypeLook {
			if err := follows(*look, p.entry); err != nil {
				return last, err
			}
		}
		last = p.entry
		if last.Type == TypeLook {
			look = &p.entry
		}
	}
	if end := v.look.entry.N; last.N != end-1 {
		return last, fmt.Errorf("looks %d to %d are missing", last.N+1, end-1)
	}
	if look != nil && last.Type == TypeLost {
		return last, follows(*look, v.look.entry)
	}
	return last, nil
}

// checkConsistency shows that a newer state of the log still holds this one.
func (v *verifier) checkConsistency() error {
	const name = "consistency"
	proof, err := v.bundle.read(nameNewer)
	switch {
	case err != nil:
		v.report.add(name, False, "", "%v", err)
		return nil
	case proof == nil:
		if v.checkpoint.Raw != nil {
			v.newer = &v.checkpoint
		}
		v.report.add(name, NotPresent, "", "no newer checkpoint")
		return nil
	case !v.known:
		v.report.add(name, Unknown, "", "the log is unknown")
		return nil
	}
	cp, err := tlog.VerifyConsistency(proof, v.checkpoint, signedBy{v.policy.Logs})
	if err != nil {
		v.report.add(name, False, "", "%s: %v", nameNewer, err)
		return nil
	}
	v.newer = &cp
	v.report.add(name, OK, "the log's key", "the log of %d entries still held all %d of them", cp.Size, v.checkpoint.Size)
	return nil
}
