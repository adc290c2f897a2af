package anchor

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// Limits of a policy file. c2sp.org/tlog-policy asks for at least 32 of each.
const (
	maxPolicySize  = 256 << 10 // bytes
	maxPolicyNames = 256       // logs, witnesses and groups, each
)

// Policy says whom one trusts for a log: the keys of its operator, its
// witnesses, and which of them together are enough. It is read from a
// c2sp.org/tlog-policy file:
//
//	log fineprint.example/log+b7a1c2d3+AQ…
//	witness ours  witness.example/w1+5d1f02aa+BA… https://witness.example/
//	witness peer  peer.example/w+77aa0912+BA…     https://peer.example/witness
//	group both all ours peer
//	quorum both
//
// A checkpoint satisfies it if it bears the signature of one of the logs whose
// key name is the checkpoint's origin, and cosignatures that meet the quorum.
//
// The grammar is that of the specification, which is stricter than
// torchwood.ParsePolicy: a public key may be listed once only, whatever its
// name (otherwise one witness could fill a quorum alone), a name may be member
// of one group only, and several logs are alternatives. Comments stand on lines
// of their own. Only Ed25519 keys are understood.
//
// A Policy is immutable and safe for concurrent use.
type Policy struct {
	logs      []PolicyLog
	witnesses []WitnessEndpoint
	quorum    string            // name of a witness or group, or "none"
	cosigners torchwood.Policy  // the quorum alone
	verifiers verifiersByKey    // logs and witnesses
	names     map[string]string // witness name to vkey
}

// PolicyLog is a log that a policy trusts.
type PolicyLog struct {
	Origin string // key name, equal to the first line of the log's checkpoints
	VKey   string // verifier key
	URL    string // "" if the policy names none
}

// WitnessEndpoint is a witness that a policy names.
type WitnessEndpoint struct {
	Name string // within the policy only
	VKey string // verifier key with signature type 4 (timestamped Ed25519)
	URL  string // submission prefix of c2sp.org/tlog-witness; "" if the policy names none
}

// ParsePolicy reads a policy file. The error names the line and the rule.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicySize {
		return nil, fmt.Errorf("policy has %d bytes, more than %d", len(text), maxPolicySize)
	}
	p := policyParser{
		Policy:  Policy{verifiers: verifiersByKey{}, names: map[string]string{}},
		parts:   map[string]torchwood.Policy{},
		grouped: map[string]bool{},
		keys:    map[string]bool{},
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if err := p.line(string(bytes.TrimSuffix(line, []byte("\n")))); err != nil {
			return nil, fmt.Errorf("policy, line %d: %w", number, err)
		}
	}
	if p.quorum == "" {
		return nil, errors.New(`policy has no quorum line: end it with "quorum NAME", or "quorum none" to ask for no witnesses`)
	}
	return &p.Policy, nil
}

// Logs returns the logs in the order of the file.
func (p *Policy) Logs() []PolicyLog { return slices.Clone(p.logs) }

// Witnesses returns the witnesses in the order of the file.
func (p *Policy) Witnesses() []WitnessEndpoint { return slices.Clone(p.witnesses) }

// NeedsWitnesses tells whether the quorum asks for any cosignature.
func (p *Policy) NeedsWitnesses() bool { return p.quorum != "none" }

// WithLog returns a policy that trusts one more log, for a key that was given
// otherwise than by the file. A log that is there already is kept once.
func (p *Policy) WithLog(vkey string) (*Policy, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("log key %q: %w", vkey, err)
	}
	q := *p
	if slices.ContainsFunc(p.logs, func(l PolicyLog) bool { return l.VKey == vkey }) {
		return &q, nil
	}
	q.verifiers = p.verifiers.with(v)
	q.logs = append(slices.Clone(p.logs), PolicyLog{Origin: v.Name(), VKey: vkey})
	return &q, nil
}

// Verifier returns the verifier of a log or witness of the policy, as
// note.Verifiers asks.
func (p *Policy) Verifier(name string, hash uint32) (note.Verifier, error) {
	return p.verifiers.Verifier(name, hash)
}

// Check returns nil if signatures that were verified already satisfy the
// policy for a checkpoint of this origin. It makes Policy a torchwood.Policy.
func (p *Policy) Check(origin string, sigs []note.Signature) error {
	if !p.logSigned(origin, sigs) {
		return fmt.Errorf("no log of the policy with origin %q signed", origin)
	}
	return p.quorumMet(sigs)
}

func (p *Policy) logSigned(origin string, sigs []note.Signature) bool {
	for _, l := range p.logs {
		if l.Origin != origin {
			continue
		}
		v, err := note.NewVerifier(l.VKey)
		if err == nil && slices.ContainsFunc(sigs, func(s note.Signature) bool {
			return s.Name == v.Name() && s.Hash == v.KeyHash()
		}) {
			return true
		}
	}
	return false
}

func (p *Policy) quorumMet(sigs []note.Signature) error {
	if p.quorum == "none" {
		return nil
	}
	if err := p.cosigners.Check("", sigs); err != nil {
		return fmt.Errorf("quorum %q is not met: %w", p.quorum, err)
	}
	return nil
}

// policyParser holds what is needed while the lines are read.
type policyParser struct {
	Policy
	parts   map[string]torchwood.Policy // witnesses and groups by name
	grouped map[string]bool             // names that are member of a group
	keys    map[string]bool             // raw public keys seen
}

func (p *policyParser) line(line string) error {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("control character 0x%02x", c)
		}
	}
	// White space is space and tab only; every other byte is part of a name.
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil
	}
	keyword, args := fields[0], fields[1:]
	switch keyword {
	case "log":
		return p.log(args)
	case "witness":
		return p.witness(args)
	case "group":
		return p.group(args)
	case "quorum":
		return p.setQuorum(args)
	}
	return fmt.Errorf("unknown keyword %q: expected log, witness, group or quorum", keyword)
}

func (p *policyParser) log(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New(`expected "log VKEY [URL]"`)
	}
	if len(p.logs) >= maxPolicyNames {
		return fmt.Errorf("more than %d logs", maxPolicyNames)
	}
	v, err := note.NewVerifier(args[0])
	if err != nil {
		return fmt.Errorf("log key %q: %w", args[0], err)
	}
	address, err := optionalURL(args[1:])
	if err != nil {
		return err
	}
	if err := p.add(args[0], v); err != nil {
		return err
	}
	p.logs = append(p.logs, PolicyLog{Origin: v.Name(), VKey: args[0], URL: address})
	return nil
}

func (p *policyParser) witness(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New(`expected "witness NAME VKEY [URL]"`)
	}
	if len(p.witnesses) >= maxPolicyNames {
		return fmt.Errorf("more than %d witnesses", maxPolicyNames)
	}
	name, vkey := args[0], args[1]
	if err := p.newName(name); err != nil {
		return err
	}
	v, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return fmt.Errorf("witness key %q: %w (a timestamped Ed25519 key is expected, signature type 4)", vkey, err)
	}
	address, err := optionalURL(args[2:])
	if err != nil {
		return err
	}
	if err := p.add(vkey, v); err != nil {
		return err
	}
	p.parts[name] = torchwood.SingleVerifierPolicy(v)
	p.names[name] = vkey
	p.witnesses = append(p.witnesses, WitnessEndpoint{Name: name, VKey: vkey, URL: address})
	return nil
}

func (p *policyParser) group(args []string) error {
	if len(args) < 3 {
		return errors.New(`expected "group NAME all|any|NUMBER MEMBER…"`)
	}
	name, count, members := args[0], args[1], args[2:]
	if err := p.newName(name); err != nil {
		return err
	}
	if len(p.parts)-len(p.witnesses) >= maxPolicyNames {
		return fmt.Errorf("more than %d groups", maxPolicyNames)
	}
	var parts []torchwood.Policy
	for _, m := range members {
		part, ok := p.parts[m]
		if !ok {
			return fmt.Errorf("group %q: no witness or group %q on a line before", name, m)
		}
		if p.grouped[m] {
			return fmt.Errorf("group %q: %q is member of a group already", name, m)
		}
		p.grouped[m] = true
		parts = append(parts, part)
	}
	n, err := threshold(count, len(parts))
	if err != nil {
		return fmt.Errorf("group %q: %w", name, err)
	}
	p.parts[name] = torchwood.ThresholdPolicy(n, parts...)
	return nil
}

func threshold(count string, members int) (int, error) {
	switch count {
	case "any":
		return 1, nil
	case "all":
		return members, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || strconv.Itoa(n) != count || n < 1 || n > members {
		return 0, fmt.Errorf("threshold %q is not all, any or a number from 1 to %d", count, members)
	}
	return n, nil
}

func (p *policyParser) setQuorum(args []string) error {
	if len(args) != 1 {
		return errors.New(`expected "quorum NAME"`)
	}
	if p.quorum != "" {
		return errors.New("a second quorum line")
	}
	part, ok := p.parts[args[0]]
	if !ok && args[0] != "none" {
		return fmt.Errorf("quorum: no witness or group %q on a line before", args[0])
	}
	p.quorum, p.cosigners = args[0], part
	return nil
}

func (p *policyParser) newName(name string) error {
	if name == "none" {
		return errors.New(`the name "none" is reserved`)
	}
	if _, ok := p.parts[name]; ok {
		return fmt.Errorf("the name %q is used twice", name)
	}
	return nil
}

// add registers a verifier and refuses a public key that is there already.
func (p *policyParser) add(vkey string, v note.Verifier) error {
	_, rest, _ := strings.Cut(vkey, "+")
	_, key64, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return fmt.Errorf("key %q is no Ed25519 key", vkey)
	}
	raw := string(key[1:])
	if p.keys[raw] {
		return fmt.Errorf("key %q: this public key is listed twice", vkey)
	}
	p.keys[raw] = true
	p.verifiers = p.verifiers.with(v)
	return nil
}

func optionalURL(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	return args[0], checkHTTPURL(args[0])
}

// checkHTTPURL refuses what no request can be sent to, and credentials, which
// would end up in logs.
func checkHTTPURL(address string) error {
	if !utf8.ValidString(address) {
		return fmt.Errorf("address %q is not UTF-8", address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no http or https address", address)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("address %q: credentials, query and fragment are not allowed", u.Redacted())
	}
	return nil
}

// verifiersByKey finds verifiers by name and key hash. The rare two keys with
// the same of both are tried in turn by note.Open's caller; here they are an
// error, as note.VerifierList has it.
type verifiersByKey map[verifierID]note.Verifier

type verifierID struct {
	name string
	hash uint32
}

func (m verifiersByKey) with(v note.Verifier) verifiersByKey {
	next := make(verifiersByKey, len(m)+1)
	for id, old := range m {
		next[id] = old
	}
	next[verifierID{v.Name(), v.KeyHash()}] = v
	return next
}

// Verifier makes verifiersByKey a note.Verifiers.
func (m verifiersByKey) Verifier(name string, hash uint32) (note.Verifier, error) {
	if v, ok := m[verifierID{name, hash}]; ok {
		return v, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}
