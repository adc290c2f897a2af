package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	xtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// checkFiles compares every file with SHA256SUMS: none missing, none too many.
func (v *verifier) checkFiles() error {
	text, err := v.bundle.read(nameSums)
	if err == nil && text == nil {
		err = fmt.Errorf("%s is missing", nameSums)
	}
	var listed sums
	if err == nil {
		listed, err = parseSums(text)
	}
	if err != nil {
		v.report.add("files", False, "", "%v", err)
		return nil
	}
	var wrong []string
	for _, name := range v.bundle.names {
		want, ok := listed.sum[name]
		switch {
		case name == nameSums:
			continue
		case !ok:
			wrong = append(wrong, name+" is not listed in "+nameSums)
			continue
		}
		sum, err := v.bundle.sum(name)
		switch {
		case err != nil && isReading(err):
			return err
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
		case sum != want:
			wrong = append(wrong, name+" is not what "+nameSums+" says")
		}
	}
	for _, name := range listed.names {
		if name == nameSums || !v.bundle.has(name) {
			wrong = append(wrong, fmt.Sprintf("%.100q is listed and not there", name))
		}
	}
	if len(wrong) > 0 {
		v.report.add("files", False, "", "%s", some(wrong))
		return nil
	}
	v.report.add("files", OK, "nobody: SHA-256", "%d files as listed in %s, none too many", len(listed.names), nameSums)
	return nil
}

// some joins the first of many findings.
func some(all []string) string {
	const shown = 5
	if len(all) > shown {
		return strings.Join(all[:shown], "; ") + fmt.Sprintf("; and %d more", len(all)-shown)
	}
	return strings.Join(all, "; ")
}

// checkLog shows that the leaf is in a log that the policy knows.
func (v *verifier) checkLog() error {
	report, err := v.openCheckpoint()
	if err == nil {
		v.look, err = v.included(nameLeaf, nameProof)
	}
	v.lookOK = err == nil && v.look.entry.Type == TypeLook
	switch {
	case errors.Is(err, warc.ErrNewer):
		v.report.add("log", Unknown, "", "%v", err)
	case err != nil:
		v.report.add("log", False, "", "%v", err)
	case !v.lookOK:
		v.report.add("log", False, "", "%s is of type %q, want %q", nameLeaf, v.look.entry.Type, TypeLook)
	case report.LogInvalid:
		v.report.add("log", False, "", "the signature of %s on %s is wrong", v.origin, nameCheckpoint)
	case !v.known:
		v.report.add("log", Unknown, "", "unknown log %q: no key of your policy signed its checkpoint (give --key or --policy, from elsewhere than this bundle)", v.origin)
	default:
		v.report.add("log", OK, "that your key is the one of "+v.origin, "entry %d of %d of log %s", v.look.index, v.checkpoint.Size, v.origin)
	}
	return nil
}

// noTrust knows no log.
func noTrust() (*anchor.Policy, error) { return anchor.ParsePolicy([]byte("quorum none\n")) }

func (v *verifier) trust() (*anchor.Policy, error) {
	if v.policy.Logs != nil {
		return v.policy.Logs, nil
	}
	return noTrust()
}

// openCheckpoint reads the bundle's checkpoint and its signature.
func (v *verifier) openCheckpoint() (*anchor.CosignatureReport, error) {
	raw, err := v.bundle.read(nameCheckpoint)
	if err == nil && raw == nil {
		err = fmt.Errorf("%s is missing", nameCheckpoint)
	}
	if err != nil {
		return nil, err
	}
	policy, err := v.trust()
	if err != nil {
		return nil, err
	}
	report, err := anchor.VerifyCosignatures(raw, nil, policy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameCheckpoint, err)
	}
	v.origin = report.Checkpoint.Origin
	v.known = report.LogSigned
	v.checkpoint = tlog.Checkpoint{Origin: v.origin, Size: report.Checkpoint.N, Root: report.Checkpoint.Hash, Raw: raw}
	return report, nil
}

// included reads a leaf and checks its proof against the bundle's checkpoint,
// whether or not the policy knows the log.
func (v *verifier) included(leafName, proofName string) (proven, error) {
	p, in, err := v.readProven(leafName, proofName)
	if err != nil {
		return proven{}, err
	}
	return p, holds(in, v.checkpoint, nameCheckpoint, p.leaf, leafName, proofName)
}

// readProven reads a leaf and its proof, which it does not check.
func (v *verifier) readProven(leafName, proofName string) (proven, tlog.Inclusion, error) {
	fail := func(err error) (proven, tlog.Inclusion, error) { return proven{}, tlog.Inclusion{}, err }
	leaf, err := v.bundle.read(leafName)
	if err == nil && leaf == nil {
		err = fmt.Errorf("%s is missing", leafName)
	}
	if err != nil {
		return fail(err)
	}
	proof, err := v.bundle.read(proofName)
	if err == nil && proof == nil {
		err = fmt.Errorf("%s is missing", proofName)
	}
	if err != nil {
		return fail(err)
	}
	in, err := tlog.ParseInclusion(proof)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", proofName, err))
	}
	e, err := ParseEntry(leaf)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", leafName, err))
	}
	return proven{e, leaf, in.Index}, in, nil
}

// holds checks an inclusion proof against a checkpoint, which stands in a file.
func holds(in tlog.Inclusion, cp tlog.Checkpoint, file string, leaf []byte, leafName, proofName string) error {
	if !sameCheckpoint(in.Raw, cp.Raw) {
		return fmt.Errorf("%s is about another checkpoint than %s", proofName, file)
	}
	if err := xtlog.CheckRecord(in.Hashes, cp.Size, cp.Root, in.Index, xtlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("%s does not prove that %s is entry %d of the log", proofName, leafName, in.Index)
	}
	return nil
}

// sameCheckpoint reports whether two signed checkpoints have the same text.
func sameCheckpoint(a, b []byte) bool {
	textA, _, okA := bytes.Cut(a, []byte("\n\n"))
	textB, _, okB := bytes.Cut(b, []byte("\n\n"))
	return okA && okB && bytes.Equal(textA, textB)
}

// signatureLines returns the lines behind the text of a signed checkpoint.
func signatureLines(raw []byte) []byte {
	_, lines, _ := bytes.Cut(raw, []byte("\n\n"))
	return lines
}

// checkWitnesses holds the cosignatures against the policy's quorum.
func (v *verifier) checkWitnesses() error {
	const name = "witnesses"
	if v.checkpoint.Raw == nil {
		v.report.add(name, Unknown, "", "there is no checkpoint to look at")
		return nil
	}
	cosigned, err := v.bundle.read(nameCosigned)
	if err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	if cosigned != nil && !sameCheckpoint(cosigned, v.checkpoint.Raw) {
		v.report.add(name, False, "", "%s is about another checkpoint than %s", nameCosigned, nameCheckpoint)
		return nil
	}
	policy, err := v.trust()
	if err != nil {
		return err
	}
	lines := signatureLines(cosigned)
	report, err := anchor.VerifyCosignatures(v.checkpoint.Raw, lines, policy)
	if err != nil {
		v.report.add(name, False, "", "%s: %v", nameCosigned, err)
		return nil
	}
	v.witnessClaim(report, policy, cosigned != nil)
	return nil
}

func (v *verifier) witnessClaim(report *anchor.CosignatureReport, policy *anchor.Policy, present bool) {
	const name = "witnesses"
	var names, wrong []string
	for _, w := range report.Witnesses {
		if w.Cosigned {
			names = append(names, fmt.Sprintf("%s at %s", w.Name, stamp(w.Time)))
		}
		if w.Invalid {
			wrong = append(wrong, w.Name)
		}
	}
	switch {
	case len(wrong) > 0:
		v.report.add(name, False, "", "the cosignature of %s is wrong", strings.Join(wrong, ", "))
	case policy.NeedsWitnesses() && report.Quorum:
		v.before(report.QuorumTime.Add(time.Second)) // their clocks are in whole seconds
		v.report.add(name, OK, "the quorum of your policy", "cosigned by %s: nobody was shown another log", strings.Join(names, ", "))
	case policy.NeedsWitnesses():
		v.report.add(name, Unknown, "", "%s; got %d cosignatures of your witnesses", report.QuorumError, len(names))
	case len(names) > 0:
		v.report.add(name, OK, "these witnesses", "cosigned by %s; your policy asks for none", strings.Join(names, ", "))
	case present:
		v.report.add(name, Unknown, "", "there are cosignatures, and your policy names no witness (give --policy)")
	default:
		v.report.add(name, NotPresent, "", "nobody cosigned this checkpoint: that all are shown the same log is not proven")
	}
}

// before lowers the upper bound of the time.
func (v *verifier) before(t time.Time) {
	if v.report.Before.IsZero() || t.Before(v.report.Before) {
		v.report.Before = t
	}
}

// checkTimestamps checks all that stands in anchors/.
func (v *verifier) checkTimestamps() error {
	files, err := v.bundle.folder(dirAnchors)
	if err != nil {
		v.report.add("timestamp", False, "", "%v", err)
		return nil
	}
	tokens := v.tokens(files, v.checkpoint.Raw)
	for _, t := range tokens {
		switch t.verdict {
		case OK:
			v.before(t.info.Time.Add(t.info.Accuracy))
			v.report.add("timestamp", OK, t.info.Signer, "%s: the checkpoint existed at %s", t.name, stamp(t.info.Time))
		default:
			v.report.add("timestamp", t.verdict, "", "%s: %v", t.name, t.err)
		}
	}
	if len(tokens) == 0 {
		v.report.add("timestamp", NotPresent, "", "no timestamp authority stamped the checkpoint")
	}
	v.checkBitcoin(files)
	return nil
}

// folder reads the files of a folder, by name without it.
func (b *bundle) folder(dir string) (map[string][]byte, error) {
	const most = 200 // files
	files := map[string][]byte{}
	names := b.in(dir)
	if len(names) > most {
		return nil, fmt.Errorf("%s holds %d files, at most %d are read", dir, len(names), most)
	}
	for _, n := range names {
		data, err := b.read(n)
		if err != nil {
			return nil, err
		}
		files[strings.TrimPrefix(n, dir)] = data
	}
	return files, nil
}

// token is a timestamp and what came of checking it.
type token struct {
	name    string
	info    anchor.TokenInfo
	verdict Verdict
	err     error
}

// tokens checks the timestamps among files: NAME.tsr with its chain NAME.pem.
func (v *verifier) tokens(files map[string][]byte, stamped []byte) (all []token) {
	for _, name := range sortedKeys(files) {
		short, ok := strings.CutSuffix(name, ".tsr")
		if !ok {
			continue
		}
		t := token{name: short, verdict: OK}
		t.info, t.err = anchor.VerifyToken(files[name], stamped, files[short+".pem"], v.policy.TSARoots)
		switch {
		case errors.Is(t.err, anchor.ErrTokenUntrusted):
			t.verdict = Unknown
			if v.policy.TSARoots.Empty() {
				t.err = errors.New("not checked: your policy has no roots of timestamp authorities (give --tsa-roots)")
			}
		case t.err != nil:
			t.verdict = False
		}
		all = append(all, t)
	}
	return all
}

// checkBitcoin checks OpenTimestamps proofs against the headers beside them.
func (v *verifier) checkBitcoin(files map[string][]byte) {
	const name = "bitcoin"
	seen := false
	for _, file := range sortedKeys(files) {
		if !strings.HasSuffix(file, ".ots") {
			continue
		}
		seen = true
		report, err := v.readOTS(files[file], files)
		switch {
		case err != nil:
			v.report.add(name, False, "", "%s: %v", file, err)
		case report.False:
			v.report.add(name, False, "", "%s: %s", file, otsDetail(report))
		case report.Verified:
			v.before(report.Time.Add(2 * time.Hour)) // the network's rule for the clocks of miners
			v.report.add(name, OK, "that block "+otsBlock(report)+" is in Bitcoin's chain: compare it", "%s: the checkpoint existed at %s, give or take two hours", file, stamp(report.Time))
		case slices.ContainsFunc(report.Verdicts, func(o anchor.OTSVerdict) bool { return o.State == anchor.OTSNoHeader || o.State == anchor.OTSWeak }):
			v.report.add(name, Unknown, "", "%s: %s", file, otsDetail(report))
		default:
			v.report.add(name, NotPresent, "", "%s is a calendar's promise: it proves nothing before it is upgraded", file)
		}
	}
	if !seen {
		v.report.add(name, NotPresent, "", "no OpenTimestamps proof")
	}
}

func (v *verifier) readOTS(data []byte, files map[string][]byte) (*anchor.OTSReport, error) {
	p, err := anchor.ParseOTS(data)
	if err != nil {
		return nil, err
	}
	opt := v.policy.Bitcoin
	headers := map[int64]anchor.BitcoinHeader{}
	for _, height := range p.Heights() {
		if text := files[anchor.BitcoinHeaderFile(height)]; text != nil {
			if headers[height], err = anchor.ParseBitcoinHeader(text); err != nil {
				return nil, err
			}
		}
		if own, ok := opt.Headers[height]; ok {
			headers[height] = own
		}
	}
	opt.Headers = headers
	return p.Verify(sha256.Sum256(v.checkpoint.Raw), opt)
}

func otsDetail(r *anchor.OTSReport) string {
	var all []string
	for _, o := range r.Verdicts {
		if o.Detail != "" {
			all = append(all, fmt.Sprintf("block %d: %s", o.Height, o.Detail))
		}
	}
	return some(all)
}

func otsBlock(r *anchor.OTSReport) string {
	for _, o := range r.Verdicts {
		if o.State == anchor.OTSVerified && o.Height == r.Height {
			return o.Block
		}
	}
	return "unknown"
}
