package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// backfillFlags are those of `wayback backfill`.
type backfillFlags struct {
	from, to string
	limit    int64
	dry      bool

	since, until time.Time // of from and to
}

func (a *app) waybackBackfillCommand() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill SOURCE",
		Short: "Import the history of a page that the Wayback Machine already holds",
		Long: `Ask the Wayback Machine's index for the captures of a page, and bring in one
replay of each distinct body, oldest first: byte for byte as it was answered, as
looks at web.archive.org and never as looks at the page. The texts are graded and
listed as versions "as archived by the Internet Archive":
` + "`fineprint versions --archived SOURCE`" + `.

It keeps the Archive's limits, so a long history takes a while; --dry-run says
how long. Stopped, it goes on where it was. SOURCE is a declared document or
source id or an address.`,
		Example: "  fineprint wayback backfill --dry-run https://x.com/en/tos\n  fineprint wayback backfill --from 2019 --to 2023-06-30 https://x.com/en/tos",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.since, err = parseTime(f.from, false); err != nil {
				return usageErrorf("--from: %w", err)
			}
			if f.until, err = parseTime(f.to, true); err != nil {
				return usageErrorf("--to: %w", err)
			}
			if f.limit < 0 {
				return usageErrorf("--limit: %d is less than none", f.limit)
			}
			return a.waybackBackfill(cmd.Context(), f, args[0])
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "captures from this `TIME` on (RFC 3339, date or 14 digits)")
	cmd.Flags().StringVar(&f.to, "to", "", "captures up to this `TIME`")
	cmd.Flags().Int64Var(&f.limit, "limit", 0, "at most so many replays of each page now")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "only ask the index, and say what there is and how long it would take")
	return cmd
}

// backfillLine is a line of `wayback backfill` for one source (docs/FORMATS.md).
type backfillLine struct {
	Source string `json:"source"`
	URL    string `json:"url"`
	archive.BackfillStats
	Minutes float64 `json:"minutes"` // that the replays to be made take at the pace
}

// backfillSummary is the last line.
type backfillSummary struct {
	Sources  int              `json:"sources"`
	Captures int64            `json:"captures"`
	Distinct int64            `json:"distinct"`
	Requests int64            `json:"requests"`
	Replayed int64            `json:"replayed"`
	Waiting  int64            `json:"waiting"`
	Absent   int64            `json:"absent"`
	Failed   int64            `json:"failed"`
	Minutes  float64          `json:"minutes"`
	DryRun   bool             `json:"dry_run"`
	WARCs    []archive.Sealed `json:"warcs"`
	Stopped  *string          `json:"stopped"` // why the Archive is left alone, and until when
	Resume   *string          `json:"resume"`

	resume time.Time
}

func (s *backfillSummary) add(l backfillLine) {
	s.Sources++
	s.Captures += l.Captures
	s.Distinct += l.Distinct
	s.Requests += l.Requests
	s.Replayed += l.Replayed
	s.Waiting += l.Waiting
	s.Absent += l.Absent
	s.Failed += l.Failed
	s.Minutes += l.Minutes
	if l.Stopped != "" {
		s.Stopped, s.Resume, s.resume = &l.Stopped, rfc(l.Resume), l.Resume
	}
}

func (a *app) waybackBackfill(ctx context.Context, f backfillFlags, name string) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	w, err := a.openWayback(ctx, c)
	if errors.Is(err, errOthers) {
		return withCode(exitIncomplete, fmt.Errorf("backfill: %w", err))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	sources, err := a.backfillSources(ctx, w.session, name)
	if err != nil {
		return err
	}
	sum := backfillSummary{DryRun: f.dry, WARCs: []archive.Sealed{}}
	err = a.backfillAll(ctx, w, f, sources, &sum)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = withCode(exitIncomplete, fmt.Errorf("backfill: %w; the same command goes on from here", errInterrupted))
	}
	if !f.dry {
		err = errors.Join(err, a.keepBackfill(ctx, w, &sum))
	}
	if printErr := a.printBackfill(&sum); err != nil || printErr != nil {
		return errors.Join(err, printErr)
	}
	return sum.exit(f)
}

// backfillSources finds the declared sources that a name stands for.
func (a *app) backfillSources(ctx context.Context, s *session, name string) ([]declaration.Source, error) {
	if err := a.syncDeclared(ctx, s); err != nil {
		return nil, err
	}
	ids, err := s.db.ResolveSource(ctx, name)
	if err == nil && len(ids) == 0 {
		if address, bad := declaration.Normalize(name); bad == nil {
			ids, err = s.db.ResolveSource(ctx, address)
		}
	}
	if err != nil {
		return nil, err
	}
	var list []declaration.Source
	for _, id := range ids {
		canonical, err := s.db.DeclarationOf(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(canonical) == 0 {
			continue
		}
		source, documents, err := declaration.ParseCanonical(canonical)
		switch {
		case err != nil:
			return nil, fmt.Errorf("declaration of source %s: %w", id, err)
		case len(documents) == 0:
			continue // a look at a web archive
		}
		private, err := isPrivate(ctx, s.db, id)
		if err != nil {
			return nil, err
		}
		if private {
			return nil, usageErrorf("%s is declared private: its address is not told to the Wayback Machine", source.ID)
		}
		list = append(list, source)
	}
	if len(list) == 0 {
		return nil, usageErrorf("%q is no declared document, source or address; `fineprint check` lists what is declared", name)
	}
	return list, nil
}

// backfillAll works through the sources until the Archive asks for a long pause.
func (a *app) backfillAll(ctx context.Context, w *waybackSession, f backfillFlags, sources []declaration.Source, sum *backfillSummary) error {
	done := map[string]bool{}
	for _, source := range sources {
		if done[source.URL] {
			a.talk("%s is declared as several sources: its captures are imported for the first", source.URL)
			continue
		}
		done[source.URL] = true
		line := backfillLine{Source: source.ID, URL: source.URL}
		var err error
		if f.dry {
			line.BackfillEstimate, err = a.backfillEstimate(ctx, w, f, source)
		} else {
			line.BackfillStats, err = archive.Backfill(ctx, a.backfillConfig(w, f, source))
		}
		if err != nil && line.Rows == 0 {
			return err // the index has not answered: nothing is known of the page
		}
		line.Minutes = minutesFor(line.Requests, w.client.Pacer().Limits())
		sum.add(line)
		if printErr := a.printBackfillLine(line, f.dry); err != nil || printErr != nil {
			return errors.Join(err, printErr)
		}
		if line.Stopped != "" {
			return nil
		}
	}
	return nil
}

// minutesFor is how long replays take at the pace, to a tenth.
func minutesFor(replays int64, l wayback.Limits) float64 {
	return math.Ceil(float64(replays)/float64(l.ReplaysPerMinute)*10) / 10
}

// backfillEstimate asks the index and keeps nothing.
func (a *app) backfillEstimate(ctx context.Context, w *waybackSession, f backfillFlags, source declaration.Source) (archive.BackfillEstimate, error) {
	var rows []wayback.IndexRow
	for row, err := range w.client.IndexAll(ctx, archive.BackfillQuery(source.URL, f.since, f.until), nil) {
		if err != nil {
			return archive.BackfillEstimate{}, withCode(exitIncomplete, fmt.Errorf("index of the Wayback Machine: %w", err))
		}
		rows = append(rows, row)
	}
	return archive.EstimateBackfill(ctx, w.db, source.ID, source.URL, rows)
}

func (a *app) backfillConfig(w *waybackSession, f backfillFlags, source declaration.Source) archive.BackfillConfig {
	next := time.Now().Add(progressEvery)
	return archive.BackfillConfig{
		Catalog: w.db, Importer: w.observer, Source: source.ID, URL: source.URL, From: f.since, Until: f.until, Limit: f.limit,
		TimeScale: w.client.Pacer().Limits().TimeScale, Logger: a.logger(), Step: a.step,
		Replayed: func(ctx context.Context, s archive.BackfillStats) error {
			if time.Now().After(next) {
				next = time.Now().Add(progressEvery)
				a.talk("%s: %d of %d bodies imported", source.URL, s.Known+s.Replayed, s.Distinct)
			}
			_, err := w.arch.SealIfLarge(context.WithoutCancel(ctx))
			return err
		},
	}
}

// keepBackfill seals what was imported and reads its texts.
func (a *app) keepBackfill(ctx context.Context, w *waybackSession, sum *backfillSummary) error {
	sealed, err := w.seal(ctx, a)
	sum.WARCs = append(sum.WARCs, sealed...)
	if err != nil || ctx.Err() != nil {
		return err // `derive` reads them later
	}
	_, err = a.derive(ctx, w.cfg, w.store, w.db, following(w.cfg))
	return err
}

func (a *app) printBackfillLine(l backfillLine, dry bool) error {
	if a.json {
		return a.printJSON(l)
	}
	fmt.Fprintf(a.stdout, "%s\n", l.URL)
	index := "no capture of the page"
	if l.Rows == 0 && l.Stopped != "" {
		fmt.Fprintln(a.stdout, "  in the index   not known")
		return nil
	}
	if l.First != nil && l.Last != nil {
		index = fmt.Sprintf("%d captures, %s to %s, %d distinct bodies", l.Captures, stamp(*l.First), stamp(*l.Last), l.Distinct)
	}
	if len(l.Others) > 0 {
		index += "; left out: " + counts(l.Others)
	}
	fmt.Fprintf(a.stdout, "  in the index   %s\n", index)
	fmt.Fprintf(a.stdout, "  in the archive %d bodies before, %d to be replayed, about %.1f minutes\n", l.Known, l.Requests, l.Minutes)
	if !dry {
		fmt.Fprintf(a.stdout, "  imported now   %d; absent %d, failed %d, waiting %d\n", l.Replayed, l.Absent, l.Failed, l.Waiting)
	}
	return nil
}

func (a *app) printBackfill(s *backfillSummary) error {
	if a.json {
		return a.printJSON(s)
	}
	a.printSealed(s.WARCs)
	return nil
}

// exit says what a backfill that had no fault of ours could not do.
func (s *backfillSummary) exit(f backfillFlags) error {
	switch {
	case f.dry:
		return nil
	case s.Stopped != nil:
		return withCode(exitIncomplete, fmt.Errorf("backfill: stopped: %s; run it again after %s, and it goes on where it was", *s.Stopped, s.resume.UTC().Format(time.RFC3339)))
	case s.Waiting > 0 && f.limit == 0:
		return withCode(exitIncomplete, fmt.Errorf("backfill: %d bodies still wait; run it again, and it goes on where it was", s.Waiting))
	case s.Absent+s.Failed > 0:
		return withCode(exitPartly, fmt.Errorf("backfill: %d bodies are in the index and could not be replayed, %d got no answer; run it again to try these once more", s.Absent, s.Failed))
	}
	return nil
}
