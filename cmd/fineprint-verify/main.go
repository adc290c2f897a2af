// Command fineprint-verify checks an evidence bundle, a WARC or a WACZ without a
// network. It is the same check as `fineprint verify` in a small static program
// that links no crawler, no storage client and no database.
//
//	fineprint-verify [--key VKEY|FILE] [--policy FILE] [--tsa-roots PEM] [--tls-roots PEM] [--json] PATH
//
// Whom to trust comes from the flags, never from the bundle: without a key or a
// policy its log is unknown. One line for each claim goes to standard output: ok,
// false, not present or unknown. Exit codes: 0 all true, 1 a claim is false, 2
// usage, 4 incomplete (something could not be checked).
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/evidence"
)

// Exit codes beside those of a report.
const (
	exitUsage      = 2
	exitIncomplete = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `Check an evidence bundle, WARC or WACZ without a network.

  fineprint-verify [flags] PATH
  fineprint-verify --key 'example.org/log+1f2e3d4c+AQ…' --tsa-roots roots.pem x.evidence.zip

Get the key from elsewhere than the bundle. Ends with 0 if all is true, 1 if a
claim is false, 2 on wrong usage, 4 if something could not be checked.

`

type options struct {
	key, policy, tsaRoots, tlsRoots string
	json                            bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("fineprint-verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.key, "key", "", "verifier key of the log, or a `file` that holds it")
	flags.StringVar(&o.policy, "policy", "", "C2SP tlog-policy `file`: logs, witnesses, quorum")
	flags.StringVar(&o.tsaRoots, "tsa-roots", "", "PEM `file` of the roots of timestamp authorities, or \"system\"")
	flags.StringVar(&o.tlsRoots, "tls-roots", "", "PEM `file` of the roots of web sites (default: those of this machine)")
	flags.BoolVar(&o.json, "json", false, "print JSON lines, the summary last")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case flags.NArg() != 1:
		flags.Usage()
		return exitUsage
	}
	policy, err := o.trust()
	if err != nil {
		fmt.Fprintln(stderr, "fineprint-verify:", err)
		return exitUsage
	}
	path := flags.Arg(0)
	if _, err := os.Stat(path); err != nil {
		fmt.Fprintln(stderr, "fineprint-verify:", err)
		return exitUsage
	}
	report, err := evidence.VerifyFile(ctx, path, policy)
	if err == nil {
		err = show(stdout, report, path, o.json)
	}
	if err != nil {
		fmt.Fprintln(stderr, "fineprint-verify:", err)
		return exitIncomplete
	}
	return report.ExitCode()
}

// trust reads whom the caller trusts.
func (o options) trust() (p evidence.Policy, err error) {
	if o.policy != "" {
		text, err := os.ReadFile(o.policy)
		if err != nil {
			return p, err
		}
		if p.Logs, err = evidence.ParseTrust(text); err != nil {
			return p, fmt.Errorf("%s: %w", o.policy, err)
		}
	}
	if o.key != "" {
		if p.Logs, err = withKey(p.Logs, o.key); err != nil {
			return p, err
		}
	}
	if o.tsaRoots != "" {
		if p.TSARoots, err = anchor.ReadRoots(o.tsaRoots); err != nil {
			return p, err
		}
	}
	if o.tlsRoots != "" {
		data, err := os.ReadFile(o.tlsRoots)
		if err != nil {
			return p, err
		}
		p.WebRoots = x509.NewCertPool()
		if !p.WebRoots.AppendCertsFromPEM(data) {
			return p, fmt.Errorf("%s: no PEM certificate", o.tlsRoots)
		}
	}
	return p, nil
}

// withKey adds a key, given as such or in a file, to a policy, nil for none.
func withKey(p *anchor.Policy, key string) (*anchor.Policy, error) {
	if text, err := os.ReadFile(key); err == nil {
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

// show prints the report.
func show(w io.Writer, r *evidence.Report, path string, asJSON bool) error {
	if !asJSON {
		for _, f := range r.Findings {
			if _, err := fmt.Fprintf(w, "%s: offset %d: %s: %s: %s %s\n", path, f.Offset, f.Severity, f.Rule, f.Message, f.RecordID); err != nil {
				return err
			}
		}
		return r.WriteText(w)
	}
	enc := json.NewEncoder(w)
	for _, f := range r.Findings {
		line := map[string]any{"severity": f.Severity, "offset": f.Offset, "record": f.RecordID, "rule": f.Rule, "message": f.Message}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	for _, c := range r.Claims {
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return enc.Encode(r.Summary())
}
