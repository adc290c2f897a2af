package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/warc"
)

func (a *app) verifyCommand() *cobra.Command {
	var notes bool
	cmd := &cobra.Command{
		Use:   "verify PATH",
		Short: "Check a WARC or WACZ: structure, digests, manifests",
		Long: `Read a WARC (.warc, .warc.gz) or WACZ (.wacz) from its first to its last
byte, without a network, and check its structure, every block and payload
digest, and that each look's manifest names exactly the records that are there.
Ends with 1 if anything is false.`,
		Example: "  fineprint verify fineprint-20261122t100000-00001.warc.gz",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.verify(args[0], notes) },
	}
	cmd.Flags().BoolVar(&notes, "notes", false, "also print what cannot be checked with this file alone")
	return cmd
}

// claim is a line of `verify --json`.
type claim struct {
	Severity string `json:"severity"` // error, warning, note
	Offset   int64  `json:"offset"`
	Record   string `json:"record,omitempty"`
	Rule     string `json:"rule"`
	Message  string `json:"message"`
}

func (a *app) verify(path string, notes bool) (err error) {
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
		if report.Errors > 0 {
			verdict = "FALSE"
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s: %d records, %d looks, %d digests compared: %d errors, %d warnings, %d notes\n",
			path, verdict, report.Records, report.Looks, report.Digests, report.Errors, report.Warnings, report.Notes)
	}
	if err == nil && report.Errors > 0 {
		err = withCode(exitFailed, fmt.Errorf("verify %s: %d findings are errors", path, report.Errors))
	}
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
