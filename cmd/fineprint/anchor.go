package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// noAnchors is what an archive without anchors is told.
const (
	noAnchors     = "nobody outside is asked to state that they saw the log: only its operator says when it was written and that there is no second one"
	noAnchorsCure = "name timestamp authorities, witnesses or calendars (anchors:)"
)

func (a *app) anchorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "anchor",
		Short: "Have outside parties state that they saw the newest checkpoint of the log",
		Long: `Ask the timestamp authorities, witnesses and OpenTimestamps calendars of the
configuration (anchors:) for what is missing about the newest checkpoint, and the
calendars for the proofs that they promised earlier. What they state is kept in
the archive. crawl and seal do the same at their end; this is for timers. It may
run beside a crawl.

Exit codes: 0 everybody has stated it (a calendar may be waiting for its block);
3 some have not, and the next run asks them again; 2 nobody is configured.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			return a.anchor(cmd.Context(), c)
		},
	}
}

func (a *app) anchor(ctx context.Context, c *config) (err error) {
	if c.Anchors.empty() {
		return usageErrorf("%s; %s", noAnchors, noAnchorsCure)
	}
	parties, err := c.anchorParties()
	if err != nil {
		return err
	}
	objects, err := a.readStore(ctx, c)
	if err != nil {
		return err
	}
	db, err := a.readCatalog(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	x, err := a.openAnchorer(ctx, c, parties, objects, db)
	if err != nil {
		return err
	}
	report := archive.AnchorReport{}
	if x != nil {
		if report, err = x.Run(ctx); err != nil {
			return err
		}
	}
	state, err := readAnchorState(ctx, c, db)
	if err == nil {
		err = a.printAnchored(&report, state)
	}
	if n := report.Count(archive.AnchorFailed); err == nil && n > 0 {
		err = withCode(exitPartly, fmt.Errorf("%d of %d statements could not be had: the next run asks again", n, len(report.Outcomes)))
	}
	return err
}

// openAnchorer works without the spool, which a crawl may hold; nil if there is
// no log. Without the private key no cosignature is added to the public
// checkpoint, which the log alone may write.
func (a *app) openAnchorer(ctx context.Context, c *config, parties archive.AnchorParties, objects store.Store, db *catalog.DB) (*archive.Anchorer, error) {
	verifier, err := a.logVerifier(ctx, c, objects)
	if err != nil || verifier == nil {
		return nil, err
	}
	m, ok := objects.(interface{ Mutable() store.Mutable })
	if !ok {
		return nil, errors.New("archive: this kind of store holds no log")
	}
	cfg := archive.AnchorerConfig{
		Parties: parties, Store: objects, Mutable: m.Mutable(), Catalog: db, Reader: tlog.NewReader(objects, verifier),
		Logger: a.logger(), Step: a.step,
	}
	key, err := readLogKey(c.Log.KeyFile)
	switch {
	case err == nil && key.Public == verifierKey(c, key):
		cfg.Log, err = tlog.Open(ctx, tlog.Config{
			Store: objects, Mutable: cfg.Mutable, Signer: key.Signer, Verifier: key.Verifier, Place: logPlace(c), Logger: cfg.Logger,
		})
		if err != nil {
			return nil, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return archive.NewAnchorer(cfg)
}

// verifierKey is the public key that the configuration gives, else that of key.
func verifierKey(c *config, key tlog.Key) string {
	if c.Log.Public != "" {
		return c.Log.Public
	}
	return key.Public
}

// anchorState says how much of the log nobody outside has seen.
type anchorState struct {
	Unanchored *int64 `json:"unanchored"`         // sealed WARC files whose batch no anchored checkpoint covers; null without a log
	Lag        *int64 `json:"anchor_lag_seconds"` // age of the oldest look entry that no anchored checkpoint covers, 0 if there is none; null without a log
	// Contradicted is what witnesses said that contradicts the log, by name: they
	// have seen another history, or more of this one than there is.
	Contradicted map[string]string `json:"contradicted"`
	configured   bool
}

func readAnchorState(ctx context.Context, c *config, db *catalog.DB) (anchorState, error) {
	s := anchorState{configured: !c.Anchors.empty()}
	cover, err := db.AnchorCover(ctx)
	if err != nil {
		return s, err
	}
	if s.Contradicted, err = db.Contradictions(ctx); err != nil || !cover.Logged {
		return s, err
	}
	lag := int64(0)
	if !cover.Oldest.IsZero() {
		lag = max(0, int64(time.Since(cover.Oldest).Seconds()))
	}
	s.Unanchored, s.Lag = &cover.WARCs, &lag
	return s, nil
}

// text is the state in one line for people, "" without a log.
func (s *anchorState) text() string {
	switch {
	case len(s.Contradicted) > 0:
		return "CONTRADICTED by witness " + strings.Join(slices.Sorted(maps.Keys(s.Contradicted)), ", ") +
			": it has seen another history of this log, or more of it: fineprint anchor; the manual says what to do (The log)"
	case s.Unanchored == nil:
		return ""
	case !s.configured:
		return "not anchored: " + noAnchors
	case *s.Unanchored == 0:
		return "anchored: outside parties have seen every sealed look"
	}
	return fmt.Sprintf("%d sealed WARCs un-anchored, the oldest look %s old: fineprint anchor", *s.Unanchored, time.Duration(*s.Lag)*time.Second)
}

// anchorSummary is the last line of `anchor --json`.
type anchorSummary struct {
	Size    int64   `json:"size"` // entries under the newest checkpoint
	List    *string `json:"list"` // key of the newest anchor list about it; null: it is un-anchored
	Failed  int     `json:"failed"`
	Pending int     `json:"pending"`
	anchorState
}

func (a *app) printAnchored(r *archive.AnchorReport, s anchorState) error {
	pending := r.Count(archive.AnchorPending)
	if a.json {
		for _, o := range r.Outcomes {
			if err := a.printJSON(o); err != nil {
				return err
			}
		}
		return a.printJSON(anchorSummary{r.Size, orNull(r.List), r.Count(archive.AnchorFailed), pending, s})
	}
	for _, o := range r.Outcomes {
		if o.State == archive.AnchorPending && o.Size != r.Size {
			continue // counted below
		}
		line := fmt.Sprintf("%-8s %-8s %s", o.State, o.Kind, o.Name)
		if !o.Time.IsZero() {
			line += " at " + o.Time.UTC().Format(time.RFC3339)
		}
		if o.Size != r.Size {
			line += fmt.Sprintf(" (checkpoint %d)", o.Size)
		}
		if o.Detail != "" {
			line += ": " + o.Detail
		}
		fmt.Fprintln(a.stdout, line)
	}
	if pending > 0 {
		fmt.Fprintf(a.stdout, "%d proofs wait for a block, some hours as a rule\n", pending)
	}
	switch {
	case r.Size == 0:
		a.talk("the log has no entry yet: nothing to anchor")
	case r.List == "":
		fmt.Fprintf(a.stdout, "checkpoint of %d entries: un-anchored\n", r.Size)
	default:
		fmt.Fprintf(a.stdout, "checkpoint of %d entries: %s\n", r.Size, r.List)
	}
	return nil
}

// anchorRun has what a run sealed anchored, and what earlier ones could not. A
// party that fails is told of and asked again by the next run; it costs the run
// nothing. An interrupt ends it.
func (a *app) anchorRun(ctx context.Context, s *session) (anchorState, error) {
	keep := context.WithoutCancel(ctx)
	state, err := readAnchorState(keep, s.cfg, s.db)
	if err != nil || state.Unanchored == nil || *state.Unanchored == 0 || s.parties.Empty() || ctx.Err() != nil {
		return state, err
	}
	report, err := s.arch.Anchor(ctx, s.parties)
	if err != nil && ctx.Err() == nil {
		return state, err
	}
	for line := range strings.SplitSeq(report.Failures(), "; ") {
		if line != "" {
			a.talk("anchor: %s", line)
		}
	}
	return readAnchorState(keep, s.cfg, s.db)
}

// probeAnchors says what of the log is anchored and what its lack costs.
func (a *app) probeAnchors(ctx context.Context, c *config) []finding {
	if c.Anchors.empty() {
		return []finding{{"anchors", "warning", noAnchors, noAnchorsCure}}
	}
	if _, err := c.anchorParties(); err != nil {
		return []finding{{"anchors", "error", err.Error(), "check anchors: in the configuration"}}
	}
	f := finding{Check: "anchors", State: "ok", Detail: fmt.Sprintf("%d timestamp authorities, %d calendars, witness policy %q", len(c.Anchors.TSA), len(c.Anchors.Calendars), c.Anchors.WitnessPolicy)}
	if c.noCatalog() {
		return []finding{f}
	}
	db, err := a.openCatalog(ctx, c)
	if err != nil {
		return []finding{f} // the database has a line of its own
	}
	state, err := readAnchorState(ctx, c, db)
	if err := errors.Join(err, db.Close()); err != nil {
		return []finding{{"anchors", "error", err.Error(), ""}}
	}
	if len(state.Contradicted) > 0 {
		return []finding{f, {"anchors", "error", state.text(), "stop before the next crawl and bring the newest copy of the archive back; see The log in docs/OPERATIONS.md"}}
	}
	if state.Unanchored != nil && *state.Unanchored > 0 {
		return []finding{f, {"anchors", "warning", state.text(), "fineprint anchor"}}
	}
	return []finding{f}
}
