package evidence

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

// checkTLS shows that the holder of the site's key answered after the anchors
// that the handshake committed to.
func (v *verifier) checkTLS() error {
	const name = "tls"
	if v.manifest == nil {
		v.report.add(name, Unknown, "", "there is no look to compare it with")
		return nil
	}
	t := v.manifest.TLS
	switch {
	case t == nil:
		v.report.add(name, NotPresent, "", "no TLS connection carried the page")
		return nil
	case t.Proof.IsZero():
		v.report.add(name, NotPresent, "", "no handshake proof: %s", cmp.Or(t.ProofMissing, "there was no anchored checkpoint that it could commit to"))
		return nil
	}
	facts, err := v.handshake(nameWARC, v.contents, v.manifest)
	if err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	after, err := v.committed(warc.Digest{Algorithm: warc.SHA256, Sum: string(facts.Anchor[:])})
	switch {
	case errors.Is(err, errUnknown):
		v.report.add(name, Unknown, "", "%v", err)
	case err != nil:
		v.report.add(name, False, "", "%v", err)
	case facts.Path != nil:
		v.unvouched = after
		v.report.add(name, Unknown, "", "a key for %s answered after %s, and no root of yours vouches for it: %v", facts.ServerName, stamp(after), facts.Path)
	default:
		v.report.After = after
		v.report.add(name, OK, "the certificate authority of the site", "the holder of the key of %s answered after %s; what the page said is not covered", cmp.Or(facts.ServerName, "the server"), stamp(after))
	}
	return nil
}

// errUnknown marks what cannot be told with this policy.
var errUnknown = errors.New("cannot be told")

// handshake checks the proof itself: that of the connection which carried the
// page of a manifest, by the records of the WARC in a file.
func (v *verifier) handshake(file string, c *contents, m *warc.Manifest) (handshake.Facts, error) {
	t := m.TLS
	proof, here := c.blocks[t.Proof]
	if !here || proof.mediaType != warc.MediaHandshake {
		return handshake.Facts{}, fmt.Errorf("%s does not hold the handshake proof that the manifest names", file)
	}
	chain := chainOf(c.chains[t.Chain])
	if chain == nil {
		return handshake.Facts{}, fmt.Errorf("%s does not hold the certificates that the manifest names", file)
	}
	u, err := url.Parse(cmp.Or(m.FinalURL, m.URL))
	if err != nil {
		return handshake.Facts{}, errors.New("the address of the page has no host")
	}
	roots := v.policy.WebRoots
	if roots == nil {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool() // then no path is found, which is said
		}
	}
	facts, err := handshake.Verify(proof.data, chain, handshake.VerifyOptions{Host: u.Hostname(), Roots: roots, Time: m.Time})
	if err == nil && string(facts.Anchor[:]) != t.Anchor.Sum {
		err = errors.New("the handshake proof commits to another anchor than the manifest says")
	}
	return facts, err
}

// committed returns since when the anchors existed that the proof commits to: the
// latest time that a trusted party states among them. Without one the error is
// errUnknown.
func (v *verifier) committed(digest warc.Digest) (time.Time, error) {
	text, err := v.bundle.read(nameList)
	if err == nil && text == nil {
		err = fmt.Errorf("%w: %s, which the handshake commits to, is not there", errUnknown, nameList)
	}
	if err != nil {
		return time.Time{}, err
	}
	if warc.SumSHA256(text) != digest {
		return time.Time{}, fmt.Errorf("%s is not what the handshake commits to", nameList)
	}
	list, err := ParseAnchorList(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", nameList, err)
	}
	files, raw, err := v.listed(list)
	if err != nil {
		return time.Time{}, err
	}
	if err := v.continued(list, raw); err != nil {
		return time.Time{}, err
	}
	return v.latest(files, raw)
}

// listed reads the files that the list names. Others may not stand beside them:
// the handshake commits to none of those, so what they state of the checkpoint
// may be younger than it.
func (v *verifier) listed(list AnchorList) (map[string][]byte, []byte, error) {
	raw, err := v.bundle.read(nameOldCheck)
	if err != nil {
		return nil, nil, err
	}
	if warc.SumSHA256(raw) != list.Checkpoint {
		return nil, nil, fmt.Errorf("%s is not the one that %s names", nameOldCheck, nameList)
	}
	files, err := v.bundle.folder(dirCommitted)
	if err != nil {
		return nil, nil, err
	}
	named := map[string]bool{}
	for _, f := range list.Files {
		named[f.Name] = true
		data, here := files[f.Name]
		if !here {
			return nil, nil, fmt.Errorf("%w: %s%s, which the handshake commits to, is not there", errUnknown, dirCommitted, f.Name)
		}
		if warc.SumSHA256(data) != f.SHA256 {
			return nil, nil, fmt.Errorf("%s%s is not what %s says", dirCommitted, f.Name, nameList)
		}
	}
	for _, name := range sortedKeys(files) {
		if !named[name] {
			return nil, nil, fmt.Errorf("%s%s is not in %s: the handshake does not commit to it", dirCommitted, name, nameList)
		}
	}
	return files, raw, nil
}

// continued shows that the committed checkpoint is an earlier state of this log.
func (v *verifier) continued(list AnchorList, raw []byte) error {
	policy, err := v.trust()
	if err != nil {
		return err
	}
	if !v.known {
		return fmt.Errorf("%w: the log is unknown", errUnknown)
	}
	old, _, err := tlog.OpenCheckpoint(raw, signedBy{policy})
	if err != nil {
		return fmt.Errorf("%s: %w", nameOldCheck, err)
	}
	if old.Size != list.Size || old.Origin != v.origin {
		return fmt.Errorf("%s is of size %d of log %s, want %d of %s", nameOldCheck, old.Size, old.Origin, list.Size, v.origin)
	}
	if old.Size == v.checkpoint.Size && old.Root == v.checkpoint.Root {
		return nil
	}
	proof, err := v.bundle.read(nameOldProof)
	if err == nil && proof == nil {
		err = fmt.Errorf("%w: %s is not there", errUnknown, nameOldProof)
	}
	if err != nil {
		return err
	}
	cp, err := tlog.VerifyConsistency(proof, old, signedBy{policy})
	if err != nil {
		return fmt.Errorf("%s: %w", nameOldProof, err)
	}
	if cp.Size != v.checkpoint.Size || cp.Root != v.checkpoint.Root {
		return fmt.Errorf("%s does not lead to %s", nameOldProof, nameCheckpoint)
	}
	return nil
}

// latest returns the latest time that a trusted party states about raw.
func (v *verifier) latest(files map[string][]byte, raw []byte) (latest time.Time, err error) {
	later := func(t time.Time) {
		if t.After(latest) {
			latest = t
		}
	}
	for _, t := range v.tokens(files, raw) {
		switch t.verdict {
		case OK:
			later(t.info.Time.Add(-t.info.Accuracy))
		case False:
			return latest, fmt.Errorf("%s%s: %w", dirCommitted, t.name, t.err)
		}
	}
	policy, err := v.trust()
	if err != nil {
		return latest, err
	}
	for name, data := range files {
		if !strings.HasPrefix(string(data), "— ") {
			continue
		}
		report, err := anchor.VerifyCosignatures(raw, data, policy)
		if err != nil {
			return latest, fmt.Errorf("%s%s: %w", dirCommitted, name, err)
		}
		for _, w := range report.Witnesses {
			if w.Cosigned {
				later(w.Time)
			}
		}
	}
	if latest.IsZero() {
		return latest, fmt.Errorf("%w: the handshake holds, and nobody whom your policy trusts says when its anchors were made", errUnknown)
	}
	return latest, nil
}

// checkTime prints the sandwich: anchors that the handshake commits to, the look,
// the first outside party that saw it.
func (v *verifier) checkTime() error {
	const name = "time"
	r := v.report
	if v.lookOK {
		r.Look = v.look.entry.Time
	}
	switch {
	case !v.lookOK:
		r.add(name, Unknown, "", "there is no look")
	case !r.Before.IsZero() && r.Look.After(r.Before):
		r.add(name, False, "", "the look says %s, and the log held it at %s already", stamp(r.Look), stamp(r.Before))
	case r.Look.Before(r.After) || r.Look.Before(v.unvouched):
		r.add(name, False, "", "the look says %s, and its handshake was made after %s", stamp(r.Look), stamp(later(r.After, v.unvouched)))
	case r.Before.IsZero() && r.After.IsZero() && r.pending("timestamp", "bitcoin", "witnesses", "tls"):
		r.add(name, Unknown, "", "the look says %s; the anchors could not be checked", stamp(r.Look))
	case r.Before.IsZero() && r.After.IsZero():
		r.add(name, NotPresent, "", "the look says %s, on the operator's word alone", stamp(r.Look))
	case r.After.IsZero():
		r.add(name, OK, "one of those who stamped or cosigned", "not later than %s; the look says %s; %s", stamp(r.Before), stamp(r.Look), v.noLowerBound())
	case r.Before.IsZero():
		r.add(name, OK, "those who anchored before, and the site's certificate authority", "not earlier than %s; the look says %s; nothing bounds it from above", stamp(r.After), stamp(r.Look))
	default:
		r.add(name, OK, "one of those who stamped or cosigned before and after", "between %s and %s, %s apart; the look says %s", stamp(r.After), stamp(r.Before), r.Before.Sub(r.After).Round(time.Second), stamp(r.Look))
	}
	return nil
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// noLowerBound says why nothing bounds the time of the look from below.
func (v *verifier) noLowerBound() string {
	if v.unvouched.IsZero() {
		return "no handshake proof bounds it from below"
	}
	return fmt.Sprintf("that it is not earlier than %s rests on the claim tls, which is unknown", stamp(v.unvouched))
}

// pending reports whether one of the claims is unknown.
func (r *Report) pending(names ...string) bool {
	for _, n := range names {
		if r.Verdict(n) == Unknown {
			return true
		}
	}
	return false
}
