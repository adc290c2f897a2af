package evidence

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// Policy says whom a verifier trusts. It comes from the verifier, never from what
// is verified. The zero value trusts nobody: then every log is unknown. No key is
// built into this program.
type Policy struct {
	// Logs names logs, witnesses and the quorum (ParseTrust reads it).
	Logs *anchor.Policy
	// TSARoots are those under which timestamp authorities must stand.
	TSARoots anchor.Roots
	// WebRoots are those under which certificates of web sites must stand; nil
	// for those of this machine.
	WebRoots *x509.CertPool
	// Bitcoin holds headers of blocks that the verifier knows from elsewhere; a
	// bundle's own headers count by their work, see package anchor.
	Bitcoin anchor.OTSVerifyOptions
}

// ParseTrust reads either a C2SP tlog-policy file or one verifier key of a log,
// which asks for no witnesses.
func ParseTrust(text []byte) (*anchor.Policy, error) {
	one := strings.TrimSpace(string(text))
	if !strings.ContainsAny(one, "\n \t") {
		v, err := tlog.ParseVerifier(one)
		if err != nil {
			return nil, err
		}
		p, err := anchor.ParsePolicy([]byte("quorum none\n"))
		if err != nil {
			return nil, fmt.Errorf("policy of %s: %w", v.Name(), err)
		}
		return p.WithLog(one)
	}
	p, err := anchor.ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	if len(p.Logs()) == 0 {
		return nil, fmt.Errorf(`policy names no log: add a line "log VKEY"`)
	}
	return p, nil
}
