package evidence

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// VerifyFile is Verify for a file. That it cannot be opened or read is an error;
// all that is wrong with it is in the report.
func VerifyFile(ctx context.Context, path string, p Policy) (_ *Report, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("verify %s: not a file", path)
	}
	return Verify(ctx, f, info.Size(), filepath.Base(path), p)
}

// Verify checks a bundle, WACZ or WARC without a network and says for each claim
// whether it is true. What the file is, it finds out from the bytes; name, its
// file name, tells a WARC under its own name, whose records must lie where their
// manifests say, from one whose records were copied out of others.
//
// Whoever names a log, or has a file with the name of a bundle, asks for the log:
// of a WACZ or WARC that claim is Unknown then, however sound the records are.
//
// The bytes may be anybody's: memory is bounded, nothing is unpacked to disk.
// The error is about reading, or that of ctx; findings are in the report.
func Verify(ctx context.Context, r io.ReaderAt, size int64, name string, p Policy) (*Report, error) {
	in := &cancelled{ctx, r}
	kind, err := kindOf(in, size)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", name, err)
	}
	report := &Report{Kind: kind}
	switch kind {
	case KindBundle:
		err = verifyBundle(in, size, p, report)
	case KindWACZ:
		report.Counts, err = warc.CheckWACZ(in, size, report.finding)
		report.records("records")
	default:
		report.Counts, err = checkWARC(in, size, name, report.finding)
		report.records("records")
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", name, err)
	}
	if kind != KindBundle && (p.Logs != nil || strings.HasSuffix(name, Suffix)) {
		report.add("log", Unknown, "", "a %s is no bundle: nothing in it shows that a log holds it", strings.ToUpper(kind))
	}
	return report, nil
}

// cancelled is a reader that fails when its context ends.
type cancelled struct {
	ctx context.Context
	r   io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (c *cancelled) ReadAt(b []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(b, at)
}

// kindOf tells a bundle from a WACZ by the files inside; what is no ZIP is taken
// for a WARC.
func kindOf(r io.ReaderAt, size int64) (string, error) {
	head := make([]byte, 4)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		if err != nil && err != io.EOF {
			return "", err
		}
		return KindWARC, nil
	}
	if head[0] == 0x1f && head[1] == 0x8b || string(head) == "WARC" {
		return KindWARC, nil
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		if strings.HasPrefix(string(head), "PK") {
			return KindBundle, nil // a damaged one: openBundle says how
		}
		return KindWARC, nil
	}
	for _, f := range z.File {
		if f.Name == "datapackage.json" && beginsWith(r, z.File) {
			return KindWACZ, nil
		}
	}
	return KindBundle, nil
}

// beginsWith reports whether one of the files is what the bytes begin with. Else
// the directory is that of a ZIP inside another one whose end is cut off, which a
// lenient reader takes for the whole.
func beginsWith(r io.ReaderAt, files []*zip.File) bool {
	head := make([]byte, localHeader+maxName)
	n, _ := r.ReadAt(head, 0) // what cannot be read is met again
	for _, f := range files {
		if at, err := f.DataOffset(); err == nil && at < int64(n) && bytes.HasPrefix(head[min(n, localHeader):n], []byte(f.Name)) {
			return true
		}
	}
	return false
}

// finding keeps what Check reports about records.
func (r *Report) finding(f warc.Finding) error {
	if f.Severity != warc.SeverityNote && len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
	return nil
}

// records adds the claim about the records of a plain WARC or WACZ.
func (r *Report) records(name string) {
	if r.Counts.Errors > 0 {
		r.add(name, False, "", "%d findings are errors: %s", r.Counts.Errors, r.firstError())
		return
	}
	if r.Counts.Records == 0 {
		r.add(name, False, "", "there is no record")
		return
	}
	r.add(name, OK, "nobody: SHA-256", "%d records, %d looks, %d digests compared, %d warnings; that they are of any log is not shown by this file", r.Counts.Records, r.Counts.Looks, r.Counts.Digests, r.Counts.Warnings)
}

func (r *Report) firstError() string {
	for _, f := range r.Findings {
		if f.Severity == warc.SeverityError {
			return f.String()
		}
	}
	return "none was kept"
}

// checkWARC checks a WARC. Under its own name it is one of an archive.
func checkWARC(r io.ReaderAt, size int64, name string, found func(warc.Finding) error) (warc.Report, error) {
	first, err := warc.NewReader(io.NewSectionReader(r, 0, size)).Next()
	own := err == nil && first.Header.Get("WARC-Filename") == name
	return warc.Check(io.NewSectionReader(r, 0, size), warc.ValidateOptions{Extract: !own}, found)
}

// proven is a leaf whose inclusion was checked.
type proven struct {
	entry Entry
	leaf  []byte
	index int64
}

// verifier holds what the checks of a bundle share.
type verifier struct {
	policy Policy
	report *Report
	bundle *bundle

	look       proven
	lookOK     bool
	origin     string
	checkpoint tlog.Checkpoint
	newer      *tlog.Checkpoint // the newest one that continues it, once that was shown
	known      bool             // the policy knows the log, and its signature holds
	contents   *contents
	manifest   *warc.Manifest // that of the look, once it was found to be it
	unvouched  time.Time      // when a key answered that no root of the policy vouches for
}

// verifyBundle makes the ten checks. A claim that rests on one that is false or
// unknown says so and is unknown.
func verifyBundle(r io.ReaderAt, size int64, p Policy, report *Report) error {
	b, err := openBundle(r, size)
	if err != nil {
		if isReading(err) {
			return err
		}
		report.add("files", False, "", "%v", err)
		return nil
	}
	v := &verifier{policy: p, report: report, bundle: b}
	for _, check := range []func() error{
		v.checkFiles, v.checkLog, v.checkWitnesses, v.checkTimestamps, v.checkRecords, v.checkRefers,
		v.checkTLS, v.checkTime, v.checkSeries, v.checkConsistency, v.checkText, v.checkObserver,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// isReading tells an error of our own reading from what is wrong with the bytes.
func isReading(err error) bool {
	_, path := errors.AsType[*os.PathError](err)
	return path || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
