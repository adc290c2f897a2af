package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

func (a *app) waybackSubmitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "submit [SOURCE...]",
		Short: "Work the outbox until nothing more can be done now",
		Long: `Submit the pages that wait, follow their jobs, read back the captures that are
due for it, keep every answer in a WARC, and end when nothing more can be done
now. For timers; safe to stop at any moment.

A SOURCE (a document or source id, or an address) is put at the head of the
queue, whatever its text: the Archive's capture will be compared with the newest
of your own.`,
		Example: "  fineprint wayback submit\n  fineprint wayback submit https://x.com/en/tos",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.waybackWork(cmd.Context(), true, func(ctx context.Context, db *catalog.DB) error { return a.requestSubmits(ctx, db, args) })
		},
	}
}

func (a *app) waybackVerifyCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "verify [SOURCE...]",
		Short: "Read captures back now",
		Long: `Read captures back now instead of when they are due: those that the service
reported and that were not seen yet more than 24 hours later; with --all also
those that are confirmed or divergent. Nothing is submitted, and no keys are
needed.

Exit code 1: a capture came back altered or with another text, or is gone.`,
		Example: "  fineprint wayback verify\n  fineprint wayback verify --all https://x.com/en/tos",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.waybackWork(cmd.Context(), false, func(ctx context.Context, db *catalog.DB) error { return a.dueNow(ctx, db, args, all) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also captures that are confirmed or divergent")
	return cmd
}

// waybackDone is what one call did, for --json.
type waybackDone struct {
	Submits   int     `json:"submits"`
	Reported  int     `json:"reported"`
	Looks     int     `json:"looks"` // captures that were read back
	Replayed  int     `json:"replayed"`
	Confirmed int     `json:"confirmed"`
	Divergent int     `json:"divergent"`
	Gone      int     `json:"gone"`
	Refused   int     `json:"refused"`
	Failed    int     `json:"failed"`
	Stopped   *string `json:"stopped"` // class of what stopped the queue
	Reason    *string `json:"reason"`
}

// waybackWork works the outbox after prepare. Without submit captures are read back
// alone.
func (a *app) waybackWork(ctx context.Context, submit bool, prepare func(context.Context, *catalog.DB) error) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if off := waybackOff(c); submit && off != "" {
		return usageErrorf("wayback: off (%s)", off)
	}
	with := *c
	with.Wayback.noKeys = !submit
	w, err := a.openWayback(ctx, &with)
	if errors.Is(err, errOthers) {
		a.talk("wayback: %v", err)
		return a.waybackStatus(ctx, "", 0)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	if err := prepare(ctx, w.db); err != nil {
		return err
	}
	worker, err := a.newWaybackWorker(w.session, w.client, w.observer)
	if err != nil {
		return err
	}
	stopTelling := a.tellWork(ctx, w.db)
	stats, runErr := worker.Run(ctx, nil)
	stopTelling()
	_, sealErr := w.seal(ctx, a)
	if err := errors.Join(runErr, sealErr, a.printWork(context.WithoutCancel(ctx), c, w.db, stats)); err != nil {
		return err
	}
	if !submit && stats.Divergent+stats.Gone > 0 {
		return withCode(exitFailed, fmt.Errorf("%d captures came back with other bytes or another text, %d are gone", stats.Divergent, stats.Gone))
	}
	return nil
}

// tellEvery is how often a command that works the outbox says how far it is.
const tellEvery = 15 * time.Second

// tellWork says now and then how far the outbox is, until stop is called.
func (a *app) tellWork(ctx context.Context, db *catalog.DB) (stop func()) {
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			s, err := db.OutboxStats(ctx)
			if err != nil {
				continue // the worker meets it too, and says so
			}
			n := func(states ...wayback.State) (sum int64) {
				for _, state := range states {
					sum += s.States[string(state)]
				}
				return sum
			}
			a.talk("wayback: %d wait, %d under way, %d reported, %d replayed, %d confirmed; %d to be read back now",
				n(wayback.StateWaiting), n(wayback.StateSubmitted, wayback.StateAccepted, wayback.StateUnresolved), n(wayback.StateReported, wayback.StateIndexed),
				n(wayback.StateReplayed), n(wayback.StateConfirmed), s.ReadsDue)
		}
	})
	return func() { close(done); telling.Wait() }
}

// printWork says what was done and what is left.
func (a *app) printWork(ctx context.Context, c *config, db *catalog.DB, stats wayback.Stats) error {
	report, err := waybackReport(ctx, c, db)
	if err != nil {
		return err
	}
	done := &waybackDone{
		Submits: stats.Submits, Reported: stats.Reported, Looks: stats.Looks, Replayed: stats.Replayed, Confirmed: stats.Confirmed, Divergent: stats.Divergent,
		Gone: stats.Gone, Refused: stats.Refused, Failed: stats.Failed, Stopped: orNull(string(stats.Stopped)), Reason: orNull(stats.Reason),
	}
	if a.json {
		report.Done = done
		return a.printJSON(report)
	}
	fmt.Fprintf(a.stdout, "submitted %d, reported %d, read back %d, confirmed %d, divergent %d, gone %d, refused %d, failed %d\n",
		done.Submits, done.Reported, done.Looks, done.Confirmed, done.Divergent, done.Gone, done.Refused, done.Failed)
	if stats.Stopped != "" {
		a.talk("wayback: paused: %s", stats.Reason)
	}
	return report.print(a)
}

// requestSubmits puts the newest captures of some sources at the head of the queue.
func (a *app) requestSubmits(ctx context.Context, db *catalog.DB, names []string) error {
	for _, name := range names {
		ids, err := resolveSource(ctx, db, name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := a.requestSubmit(ctx, db, id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) requestSubmit(ctx context.Context, db *catalog.DB, source string) error {
	rows, err := collectLooks(db.Looks(ctx, catalog.LookFilter{Source: source, Result: warc.Captured, State: catalog.LookSealed, Newest: true, Limit: 1}))
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return usageErrorf("%s has no capture of your own yet that the Archive's could be compared with: `fineprint crawl` or `fineprint capture` makes one", source)
	}
	canonical, err := db.Canonical(ctx, rows[0].Declaration)
	if err != nil {
		return err
	}
	if declared, _, err := declaration.ParseCanonical(canonical); err == nil && declared.Private {
		return usageErrorf("%s is declared private: it is not submitted to anybody", rows[0].URL)
	}
	row, entered, err := db.RequestOutbox(ctx, catalog.OutboxNew{Source: source, N: rows[0].N, URL: rows[0].URL, FinalURL: rows[0].FinalURL, Cause: "requested", At: time.Now()})
	if err == nil && !entered {
		a.talk("wayback: %s is %s already", rows[0].URL, row.State)
	}
	return err
}

// dueNow makes captures due to be read back.
func (a *app) dueNow(ctx context.Context, db *catalog.DB, names []string, all bool) error {
	states := []string{string(wayback.StateReported), string(wayback.StateIndexed), string(wayback.StateReplayed)}
	if all {
		states = append(states, string(wayback.StateConfirmed), string(wayback.StateDivergent))
	}
	filters := []catalog.OutboxFilter{{States: states}}
	if len(names) > 0 {
		filters = nil
	}
	for _, name := range names {
		ids, err := resolveSource(ctx, db, name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			filters = append(filters, catalog.OutboxFilter{States: states, Source: id})
		}
	}
	total := int64(0)
	for _, f := range filters {
		n, err := db.DueNow(ctx, f, time.Now())
		if err != nil {
			return err
		}
		total += n
	}
	a.talk("wayback: %d captures are read back", total)
	return nil
}
