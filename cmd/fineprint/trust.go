package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/evidence"
)

// trustFlags say whom the caller of verify trusts.
type trustFlags struct {
	key      string // verifier key of a log, or a file with it
	policy   string // file, C2SP tlog-policy
	tsaRoots string // PEM file, or "system"
	tlsRoots string // PEM file
}

// bounds of what is read of the files that the flags name, in bytes.
const (
	maxPolicyFile = 256 << 10
	maxRootsFile  = 4 << 20
)

// read returns the policy that the flags make. Without a key and a policy it
// knows no log.
func (f trustFlags) read() (p evidence.Policy, err error) {
	if f.policy != "" {
		text, err := readBounded(f.policy, maxPolicyFile)
		if err != nil {
			return p, usageErrorf("--policy: %w", err)
		}
		if p.Logs, err = evidence.ParseTrust(text); err != nil {
			return p, usageErrorf("--policy %s: %w", f.policy, err)
		}
	}
	if f.key != "" {
		if p.Logs, err = withKey(p.Logs, f.key); err != nil {
			return p, usageErrorf("--key: %w", err)
		}
	}
	if f.tsaRoots != "" {
		if p.TSARoots, err = anchor.ReadRoots(f.tsaRoots); err != nil {
			return p, usageErrorf("--tsa-roots: %w", err)
		}
	}
	if f.tlsRoots != "" {
		data, err := readBounded(f.tlsRoots, maxRootsFile)
		if err != nil {
			return p, usageErrorf("--tls-roots: %w", err)
		}
		p.WebRoots = x509.NewCertPool()
		if !p.WebRoots.AppendCertsFromPEM(data) {
			return p, usageErrorf("--tls-roots %s: no PEM certificate", f.tlsRoots)
		}
	}
	return p, nil
}

// withKey adds a key, given as such or in a file, to a policy, nil for none.
func withKey(p *anchor.Policy, key string) (*anchor.Policy, error) {
	if _, err := os.Stat(key); err == nil {
		text, err := readBounded(key, maxPolicyFile)
		if err != nil {
			return nil, err
		}
		key = string(text)
	}
	own, err := evidence.ParseTrust([]byte(key))
	if err != nil || p == nil {
		return own, err
	}
	for _, l := range own.Logs() {
		if p, err = p.WithLog(l.VKey); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// withOwn adds to a policy that knows no log what the configuration at hand
// trusts, so that operators need not repeat it to check bundles of their own
// archive: the key of its log, and, where the caller names nobody else, its
// witnesses and the roots of its timestamp authorities. from says whom that is,
// "" if there is no configuration with a log.
func (a *app) withOwn(p evidence.Policy) (_ evidence.Policy, from string) {
	name := a.configFile
	if name == "" {
		name = findConfig(".")
	}
	if name == "" {
		return p, ""
	}
	own, what, err := a.ownTrust(p)
	if err != nil {
		a.talk("the configuration %s is not used: %v", name, err)
		return p, ""
	}
	if what == "" {
		return p, ""
	}
	return own, fmt.Sprintf("%s of this configuration (%s)", what, name)
}

func (a *app) ownTrust(p evidence.Policy) (_ evidence.Policy, what string, err error) {
	c, err := a.config()
	if err != nil || c.Log.Public == "" && missing(c.Log.KeyFile) {
		return p, "", err
	}
	key, err := publicLogKey(c)
	if err != nil {
		return p, "", err
	}
	parties, err := c.anchorParties()
	if err != nil {
		return p, "", err
	}
	what = "the log key"
	if parties.Policy != nil {
		what += ", the witnesses"
	}
	if p.Logs, err = withKey(parties.Policy, key); err != nil {
		return p, "", err
	}
	if p.TSARoots.Empty() {
		for _, authority := range parties.Authorities {
			p.TSARoots = anchor.MergeRoots(p.TSARoots, authority.Roots)
		}
		if !p.TSARoots.Empty() {
			what += ", the timestamp authorities"
		}
	}
	return p, what, nil
}
