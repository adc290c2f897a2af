package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

func (a *app) verifyCommand() *cobra.Command {
	var notes bool
	var trust trustFlags
	cmd := &cobra.Command{
		Use:   "verify PATH",
		Short: "Check a bundle, WARC or WACZ without a network",
		Long: `Read a bundle (.evidence.zip), WARC (.warc, .warc.gz) or WACZ (.wacz) from its
first to its last byte, without a network.

Of a bundle each claim gets a line: ok (and on whose word), false, not present,
or unknown, which means that it could not be checked. Whom to trust comes from
you, never from the bundle: --key is the public key of the log, --policy names
logs and witnesses, --tsa-roots the roots of timestamp authorities. Without
--key and --policy what your own configuration trusts counts (log, witnesses,
timestamp authorities), if there is one, and that is said.

Of a WARC or WACZ the structure is checked, every block and payload digest, and
that each look's manifest names exactly the records that are there. Anybody can
make one: with --key or --policy the answer is 4 at best.

Exit codes: 0 all true; 1 something is false; 4 something could not be checked.`,
		Example: "  fineprint verify fineprint-20261122t100000-00001.warc.gz\n  fineprint verify x.evidence.zip --key example.org/log+1f2e3d4c+AQ… --tsa-roots roots.pem",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args[0], trust, notes) },
	}
	f := cmd.Flags()
	f.BoolVar(&notes, "notes", false, "also print what cannot be checked with this file alone")
	f.StringVar(&trust.key, "key", "", "`VKEY` of the log, or a file that holds it")
	f.StringVar(&trust.policy, "policy", "", "C2SP tlog-policy `FILE`: logs, witnesses, quorum")
	f.StringVar(&trust.tsaRoots, "tsa-roots", "", "`PEM` file with the roots of timestamp authorities, or \"system\"")
	f.StringVar(&trust.tlsRoots, "tls-roots", "", "`PEM` file with the roots of web sites (default: those of this machine)")
	return cmd
}

// claim is a line of `verify --json` about a record.
type claim struct {
	Severity string `json:"severity"` // error, warning, note
	Offset   int64  `json:"offset"`
	Record   string `json:"record,omitempty"`
	Rule     string `json:"rule"`
	Message  string `json:"message"`
}

func (a *app) verify(ctx context.Context, path string, trust trustFlags, notes bool) (err error) {
	policy, err := trust.read()
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return usageErrorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return usageErrorf("verify %s: not a file", path)
	}
	if !strings.HasSuffix(path, ".wacz") && isZIP(f) {
		return a.verifyBundle(ctx, f, info.Size(), path, policy)
	}
	check := func(found warc.Finding) error {
		if found.Severity == warc.SeverityNote && !a.json && !notes {
			return nil
		}
		return a.printFinding(path, found)
	}
	var report warc.Report
	if strings.HasSuffix(path, ".wacz") {
		report, err = warc.CheckWACZ(f, info.Size(), check)
	} else {
		report, err = verifyWARC(f, path, check)
	}
	if err != nil {
		return withCode(exitIncomplete, fmt.Errorf("verify %s: %w", path, err))
	}
	if a.json {
		err = a.printJSON(report)
	} else {
		verdict := "ok"
		if report.Errors > 0 || report.Records == 0 {
			verdict = "FALSE"
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s: %d records, %d looks, %d digests compared: %d errors, %d warnings, %d notes\n",
			path, verdict, report.Records, report.Looks, report.Digests, report.Errors, report.Warnings, report.Notes)
	}
	switch {
	case err != nil:
		return err
	case report.Errors > 0:
		return withCode(exitFailed, fmt.Errorf("verify %s: %d findings are errors", path, report.Errors))
	case report.Records == 0:
		return withCode(exitFailed, fmt.Errorf("verify %s: there is no record in it", path))
	case policy.Logs != nil || strings.HasSuffix(path, evidence.Suffix):
		return withCode(exitIncomplete, fmt.Errorf("verify %s: it is no bundle: nothing in it shows that a log holds it", path))
	}
	return nil
}

// isZIP tells a bundle from a WARC: a ZIP begins with a file or, if it is empty,
// with its directory.
func isZIP(r io.ReaderAt) bool {
	head := make([]byte, 4)
	n, _ := r.ReadAt(head, 0) // what cannot be read is met again by who reads it
	return bytes.HasPrefix(head[:n], []byte("PK"))
}

// verifyBundle prints a line for each claim of a bundle.
func (a *app) verifyBundle(ctx context.Context, r io.ReaderAt, size int64, path string, policy evidence.Policy) error {
	trusted := ""
	if policy.Logs == nil {
		policy, trusted = a.withOwn(policy)
	}
	report, err := evidence.Verify(ctx, r, size, filepath.Base(path), policy)
	if err != nil {
		return withCode(exitIncomplete, err)
	}
	if report.Verdict("log") != evidence.OK {
		trusted = "" // it is the key of another log
	}
	for _, found := range report.Findings {
		if err := a.printFinding(path, found); err != nil {
			return err
		}
	}
	if err := a.printClaims(report, path, trusted); err != nil {
		return err
	}
	switch code := report.ExitCode(); code {
	case exitDone:
		return nil
	case exitFailed:
		return withCode(code, fmt.Errorf("verify %s: something is false", path))
	default:
		return withCode(code, fmt.Errorf("verify %s: something could not be checked", path))
	}
}

// printClaims prints the claims of a bundle and a summary. trusted says whom
// the verdict rests on that was not named on the command line.
func (a *app) printClaims(report *evidence.Report, path, trusted string) error {
	if a.json {
		for _, c := range report.Claims {
			if err := a.printJSON(c); err != nil {
				return err
			}
		}
		return a.printJSON(struct {
			evidence.Summary
			Trusted string `json:"trusted,omitempty"`
		}{report.Summary(), trusted})
	}
	if err := report.WriteText(a.stdout); err != nil {
		return err
	}
	count := map[evidence.Verdict]int{}
	for _, c := range report.Claims {
		count[c.Verdict]++
	}
	verdict := map[int]string{exitDone: "ok", exitFailed: "FALSE", exitIncomplete: "incomplete"}[report.ExitCode()]
	if trusted != "" {
		if _, err := fmt.Fprintln(a.stdout, "trusted:", trusted); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s: %d claims true, %d false, %d unknown, %d not checked, %d not present\n", path, verdict,
		count[evidence.OK], count[evidence.False], count[evidence.Unknown], count[evidence.NotChecked], count[evidence.NotPresent])
	return err
}

// verifyWARC checks a WARC. Under its own name it is one of an archive, so
// positions in its manifests must be true; any other is taken for an export,
// whose records were copied out of such files.
func verifyWARC(f *os.File, path string, found func(warc.Finding) error) (warc.Report, error) {
	first, err := warc.NewReader(f).Next()
	own := err == nil && first.Header.Get("WARC-Filename") == filepath.Base(path)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return warc.Report{}, err
	}
	return warc.Check(f, warc.ValidateOptions{Extract: !own}, found)
}

func (a *app) printFinding(path string, f warc.Finding) error {
	if a.json {
		return a.printJSON(claim{string(f.Severity), f.Offset, f.RecordID, f.Rule, f.Message})
	}
	_, err := fmt.Fprintf(a.stdout, "%s: offset %d: %s: %s: %s %s\n", path, f.Offset, f.Severity, f.Rule, f.Message, f.RecordID)
	return err
}
