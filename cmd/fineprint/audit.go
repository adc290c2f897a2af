package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// auditFlags are the flags of audit.
type auditFlags struct {
	decode               bool
	since, sample, state string
	seed                 uint64
	fresh, noCatalog     bool
	checkpoints          []string
	trust                trustFlags
}

func (a *app) auditCommand() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Check the whole archive against its log, and the log against itself",
		Long: `Read the log and every WARC again: each entry, tile and checkpoint, each look
and record, the numbers of each source, references, indexes, anchors. Nothing
but the objects and the public key of the log is needed; the catalog is compared
as well if it is there. A line for each finding, then a summary.

A checkpoint that you kept (the file "checkpoint" of an older bundle, a copy of
log/checkpoint of the archive) proves with --checkpoint that nothing before it
was changed, taken out or put in since: the archive itself cannot say that.

An audit that was stopped goes on where it was when it is started again with
the same flags, also after a kill; --fresh begins anew. --since and --sample
leave WARCs out; log, numbers and anchors are checked whole all the same.

Exit codes: 0 all true; 1 something is false; 4 something could not be checked.`,
		Example: "  fineprint audit\n  fineprint audit --archive s3://copy/of-it --key example.org/log+1f2e3d4c+AQ…\n  fineprint audit --checkpoint kept/checkpoint-of-2025\n  fineprint audit --sample 2%",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			return a.audit(cmd.Context(), c, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.since, "since", "", "read only WARCs with a look from `TIME` on")
	f.StringVar(&flags.sample, "sample", "", "read only `N|P%` WARCs, chosen by chance")
	f.Uint64Var(&flags.seed, "seed", 0, "of the choice, to make it again")
	f.StringVar(&flags.state, "state", "", "`FILE` that a stopped audit leaves (default: beside the catalog, or in the spool)")
	f.BoolVar(&flags.fresh, "fresh", false, "do not go on with an audit that was stopped")
	f.BoolVar(&flags.decode, "decode", false, "also compare what bodies with a content coding decode to: takes long")
	f.BoolVar(&flags.noCatalog, "no-catalog", false, "do not compare the catalog")
	f.StringVar(&flags.trust.key, "key", "", "`VKEY` of the log, or a file that holds it (default: that of the configuration)")
	f.StringArrayVar(&flags.checkpoints, "checkpoint", nil, "`FILE` with a checkpoint of the log that you kept: the log must go on from it (may be repeated)")
	f.StringVar(&flags.trust.policy, "policy", "", "C2SP tlog-policy `FILE`: witnesses, quorum")
	f.StringVar(&flags.trust.tsaRoots, "tsa-roots", "", "`PEM` file with the roots of timestamp authorities, or \"system\"")
	return cmd
}

func (a *app) audit(ctx context.Context, c *config, flags auditFlags) (err error) {
	cfg := archive.AuditConfig{Fresh: flags.fresh, Decode: flags.decode, State: flags.stateFile(c), Logger: a.logger()}
	if cfg.Since, err = parseTime(flags.since, false); err != nil {
		return usageErrorf("--since: %w", err)
	}
	if cfg.Sample, err = parseSample(flags.sample); err != nil {
		return err
	}
	cfg.Sample.Seed = flags.seed
	if cfg.Store, err = a.readStore(ctx, c); err != nil {
		return err
	}
	if cfg.Trust, err = flags.trust.read(); err != nil {
		return err
	}
	if cfg.Trust.Logs == nil {
		cfg.Trust, _ = a.withOwn(cfg.Trust)
	}
	if flags.trust.key == "" {
		cfg.Key, err = a.auditKey(ctx, c, cfg.Store)
	} else {
		cfg.Key, err = keyOf(flags.trust.key)
	}
	if err != nil {
		return err
	}
	if cfg.Kept, err = keptCheckpoints(flags.checkpoints, cfg.Key); err != nil {
		return err
	}
	if !flags.noCatalog && (isPostgres(c.Database) || !c.noCatalog()) {
		if cfg.Catalog, err = a.readCatalog(ctx, c); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cfg.Catalog.Close()) }()
	}
	var broken error // of the output
	cfg.Found = func(f archive.AuditFinding) { broken = errors.Join(broken, a.printAuditFinding(f)) }
	cfg.Progress = a.auditProgress()
	report, err := archive.Audit(ctx, cfg)
	if broken != nil {
		return broken
	}
	if err != nil {
		return withCode(exitIncomplete, a.stopped(ctx, cfg, err))
	}
	if err := a.printAudit(cfg, &report); err != nil {
		return err
	}
	switch report.Verdict() {
	case archive.AuditFalse:
		return withCode(exitFailed, fmt.Errorf("audit: %d findings say that something is false", report.False))
	case archive.AuditIncomplete:
		return withCode(exitIncomplete, fmt.Errorf("audit: nothing is false; %d findings say that something could not be checked", report.Open))
	}
	return nil
}

// stopped says how an audit that did not come to its end goes on.
func (a *app) stopped(ctx context.Context, cfg archive.AuditConfig, err error) error {
	if cfg.State == "" || ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w; the same command goes on from here", err)
}

// stateFile is where an audit of this archive keeps how far it came.
func (f auditFlags) stateFile(c *config) string {
	switch {
	case f.state != "":
		return f.state
	case !isPostgres(c.Database):
		return filepath.Join(filepath.Dir(c.Database), "audit.state")
	}
	return filepath.Join(c.Spool, "audit.state")
}

// auditKey is the public key of the configuration; nil if it has none.
func (a *app) auditKey(ctx context.Context, c *config, s store.Store) (note.Verifier, error) {
	if c.Log.Public == "" && missing(c.Log.KeyFile) {
		return nil, nil // a finding of the audit
	}
	return a.logVerifier(ctx, c, s)
}

// keyOf reads a public key, given as such or in a file.
func keyOf(key string) (note.Verifier, error) {
	if !missing(key) {
		text, err := readBounded(key, maxPolicyFile)
		if err != nil {
			return nil, usageErrorf("--key: %w", err)
		}
		key = string(text)
	}
	v, err := tlog.ParseVerifier(strings.TrimSpace(key))
	if err != nil {
		return nil, usageErrorf("--key: %w", err)
	}
	return v, nil
}

// keptCheckpoints reads checkpoints of the log with a key.
func keptCheckpoints(names []string, key note.Verifier) ([]tlog.Checkpoint, error) {
	var kept []tlog.Checkpoint
	for _, name := range names {
		if key == nil {
			return nil, usageErrorf("--checkpoint: it cannot be verified without the public key of the log: give --key")
		}
		raw, err := readBounded(name, maxPolicyFile)
		if err != nil {
			return nil, usageErrorf("--checkpoint: %w", err)
		}
		if bytes.HasPrefix(raw, []byte("PK")) {
			return nil, usageErrorf("--checkpoint %s: it is a zip: take the file `checkpoint` out of the bundle and give that", name)
		}
		cp, err := tlog.ParseCheckpoint(raw, key)
		if err != nil {
			return nil, usageErrorf("--checkpoint %s: %w; the key is that of %s", name, err, key.Name())
		}
		kept = append(kept, cp)
	}
	return kept, nil
}

// parseSample reads a number of WARCs or a percentage.
func parseSample(text string) (s archive.Sample, err error) {
	if text == "" {
		return s, nil
	}
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		s.Percent, err = strconv.ParseFloat(percent, 64)
		if err != nil || !(s.Percent > 0 && s.Percent <= 100) {
			return s, usageErrorf("--sample %q: write a percentage above 0 and up to 100", text)
		}
		return s, nil
	}
	if s.WARCs, err = strconv.ParseInt(text, 10, 64); err != nil || s.WARCs < 1 {
		return s, usageErrorf("--sample %q: write a number of WARCs (100) or a percentage (2%%)", text)
	}
	return s, nil
}

// auditProgress returns a function that says now and then how far the audit is.
func (a *app) auditProgress() func(archive.AuditReport) {
	next := time.Now().Add(progressEvery)
	return func(r archive.AuditReport) {
		if now := time.Now(); now.After(next) {
			next = now.Add(progressEvery)
			a.talk("%d of %d WARCs, %s, %d looks, %d log entries, %d findings", r.Read+r.Skipped, r.WARCs, humanBytes(r.Bytes), r.Looks, r.Entries, r.False+r.Open)
		}
	}
}

// auditLine is a line of `audit --json`.
type auditLine struct {
	Kind    archive.AuditKind `json:"kind"`
	Verdict string            `json:"verdict"` // false, unknown
	Object  *string           `json:"object"`
	Index   *int64            `json:"index"`
	Source  *string           `json:"source"`
	N       *int64            `json:"n"`
	Detail  string            `json:"detail"`
}

func verdictOf(k archive.AuditKind) string {
	if k.False() {
		return "false"
	}
	return "unknown"
}

func (a *app) printAuditFinding(f archive.AuditFinding) error {
	line := auditLine{Kind: f.Kind, Verdict: verdictOf(f.Kind), Detail: f.Detail}
	var where []string
	if f.Object != "" {
		line.Object = &f.Object
		where = append(where, f.Object)
	}
	if f.Index >= 0 {
		line.Index = &f.Index
		where = append(where, fmt.Sprintf("entry %d", f.Index))
	}
	if f.Source != "" {
		line.Source = &f.Source
		where = append(where, "source "+f.Source)
	}
	if f.N > 0 {
		line.N = &f.N
		where = append(where, fmt.Sprintf("look %d", f.N))
	}
	if a.json {
		return a.printJSON(line)
	}
	text := fmt.Sprintf("%s %s: ", line.Verdict, f.Kind)
	if len(where) > 0 {
		text += strings.Join(where, ", ") + ": "
	}
	_, err := fmt.Fprintln(a.stdout, text+f.Detail)
	return err
}

// auditSummary is the last line of `audit --json`.
type auditSummary struct {
	Verdict     archive.AuditVerdict        `json:"verdict"`
	Origin      *string                     `json:"origin"`
	Size        *int64                      `json:"log_size"`
	Checkpoints int64                       `json:"checkpoints"`
	Continued   int64                       `json:"continued"`
	WARCs       int64                       `json:"warcs"`
	Read        int64                       `json:"warcs_read"`
	Resumed     int64                       `json:"warcs_resumed"`
	Skipped     int64                       `json:"warcs_skipped"`
	Bytes       int64                       `json:"bytes"`
	Unpacked    int64                       `json:"bytes_unpacked"`
	Records     int64                       `json:"records"`
	Looks       int64                       `json:"looks"`
	Sources     int64                       `json:"sources"`
	Lost        int64                       `json:"lost"`
	Withdrawn   int64                       `json:"withdrawn"`
	Anchors     int64                       `json:"anchors"`
	Tokens      int64                       `json:"tokens"`
	Cosigned    int64                       `json:"cosigned"`
	Unknown     int64                       `json:"unknown"`
	Catalog     *int64                      `json:"catalog_looks"`
	False       int64                       `json:"false"`
	Open        int64                       `json:"open"`
	Findings    map[archive.AuditKind]int64 `json:"findings"`
	Seed        *uint64                     `json:"seed"`
	Elapsed     float64                     `json:"elapsed_s"`
}

func (a *app) printAudit(cfg archive.AuditConfig, r *archive.AuditReport) error {
	sampled := cfg.Sample.WARCs > 0 || cfg.Sample.Percent > 0
	if !a.json {
		return a.printAuditText(cfg, r, sampled)
	}
	s := auditSummary{
		Verdict: r.Verdict(), Checkpoints: r.Checkpoints, Continued: r.Continued, WARCs: r.WARCs, Read: r.Read, Resumed: r.Resumed, Skipped: r.Skipped,
		Bytes: r.Bytes, Unpacked: r.Unpacked, Records: r.Records, Looks: r.Looks, Sources: r.Sources, Lost: r.Lost, Withdrawn: r.Withdrawn,
		Anchors: r.Anchors, Tokens: r.Tokens, Cosigned: r.Cosigned, Unknown: r.Unknown, False: r.False, Open: r.Open, Findings: r.Findings,
		Elapsed: r.Elapsed.Seconds(),
	}
	if r.Checkpoint.Origin != "" {
		s.Origin, s.Size = &r.Checkpoint.Origin, &r.Checkpoint.Size
	}
	if cfg.Catalog != nil {
		s.Catalog = &r.Rows
	}
	if sampled {
		s.Seed = &r.Seed
	}
	return a.printJSON(s)
}

func (a *app) printAuditText(cfg archive.AuditConfig, r *archive.AuditReport, sampled bool) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s "+format+"\n", append([]any{name}, args...)...)
	}
	if r.Checkpoint.Origin != "" {
		line("log", "%s, %d entries, %d checkpoints", r.Checkpoint.Origin, r.Checkpoint.Size, r.Checkpoints)
	}
	if len(cfg.Kept) > 0 {
		line("", "it goes on from %d of the %d checkpoints given", r.Continued, len(cfg.Kept))
	}
	line("WARCs", "%d read of %d, %s (%s unpacked), %d records, %d looks", r.Read, r.WARCs, humanBytes(r.Bytes), humanBytes(r.Unpacked), r.Records, r.Looks)
	if r.Resumed > 0 {
		line("", "%d of them were found good before the audit was stopped", r.Resumed)
	}
	if r.Skipped > 0 {
		line("", "%d left out as asked", r.Skipped)
	}
	if sampled {
		line("sample", "--seed %d makes the same choice", r.Seed)
	}
	line("sources", "%d, %d looks lost, %d records withdrawn", r.Sources, r.Lost, r.Withdrawn)
	line("anchors", "%d lists, %d timestamps and the cosignatures of %d verified", r.Anchors, r.Tokens, r.Cosigned)
	if r.Unknown > 0 {
		line("", "%d statements that your trust does not cover, or references into what was not read", r.Unknown)
	}
	if cfg.Catalog != nil {
		line("catalog", "%d looks compared", r.Rows)
	} else {
		line("catalog", "not there, not compared")
	}
	verdict := map[archive.AuditVerdict]string{archive.AuditOK: "all true", archive.AuditFalse: "FALSE", archive.AuditIncomplete: "INCOMPLETE"}[r.Verdict()]
	line("verdict", "%s: %d false, %d unknown (%.1f s, %s/s unpacked)", verdict, r.False, r.Open, r.Elapsed.Seconds(), humanBytes(int64(float64(r.Unpacked)/max(r.Elapsed.Seconds(), 1e-3))))
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}
