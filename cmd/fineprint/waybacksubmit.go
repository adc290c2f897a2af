package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
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
			return a.waybackSubmit(cmd.Context(), args)
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

Exit codes: 1 a capture came back altered or with another text, or is gone; 4 the
Archive did not answer for all of them, or another process speaks to it.`,
		Example: "  fineprint wayback verify\n  fineprint wayback verify --all https://x.com/en/tos",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.waybackVerify(cmd.Context(), args, all)
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

// waybackSubmit puts the newest captures of some sources at the head of the queue,
// and works it. While another process does, that one will come to them.
func (a *app) waybackSubmit(ctx context.Context, names []string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	if off := waybackOff(c); off != "" {
		return usageErrorf("wayback: off (%s)", off)
	}
	w, err := a.openWayback(ctx, c)
	if errors.Is(err, errOthers) {
		return a.leaveRequests(ctx, c, names)
	}
	if err != nil {
		return err
	}
	if err = a.syncDeclared(ctx, w.session); err == nil {
		err = a.requestSubmits(ctx, w.db, names)
	}
	if err == nil {
		_, err = a.waybackWork(ctx, c, w)
	}
	return errors.Join(err, w.end())
}

// leaveRequests enters what is asked for into the queue that another process works.
func (a *app) leaveRequests(ctx context.Context, c *config, names []string) error {
	if len(names) > 0 {
		db, err := a.openCatalog(ctx, c)
		if err != nil {
			return err
		}
		if err := errors.Join(a.requestSubmits(ctx, db, names), db.Close()); err != nil {
			return err
		}
	}
	a.talk("wayback: another process speaks to the Wayback Machine for this archive, and works the queue; what it leaves, the next `fineprint wayback submit` does")
	return a.waybackStatus(ctx, "", 0)
}

// waybackVerify reads captures back now. It needs no keys.
func (a *app) waybackVerify(ctx context.Context, names []string, all bool) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	with := *c
	with.Wayback.noKeys = true
	w, err := a.openWayback(ctx, &with)
	if errors.Is(err, errOthers) {
		return withCode(exitIncomplete, fmt.Errorf("wayback verify: nothing was read back: %w", err))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	asked, err := verifyFilters(ctx, w.db, names, all)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := a.dueNow(ctx, w.db, asked, began); err != nil {
		return err
	}
	stats, err := a.waybackWork(ctx, c, w)
	if err != nil {
		return err
	}
	return verified(context.WithoutCancel(ctx), w.db, asked, began, stats)
}

// verified says what is wrong with the captures that were read back, and how many of
// those asked for were not.
func verified(ctx context.Context, db *catalog.DB, asked []catalog.OutboxFilter, began time.Time, stats wayback.Stats) error {
	var divergent, unread int64
	for _, f := range asked {
		_, left, err := db.ReadsSince(ctx, f, began)
		if err != nil {
			return err
		}
		f.States = []string{string(wayback.StateDivergent)}
		wrong, _, err := db.ReadsSince(ctx, f, began)
		if err != nil {
			return err
		}
		divergent, unread = divergent+wrong, unread+left
	}
	switch {
	case divergent > 0 || stats.Gone > 0:
		return withCode(exitFailed, fmt.Errorf("%d captures came back with other bytes or another text, %d are gone", divergent, stats.Gone))
	case unread > 0:
		return withCode(exitIncomplete, fmt.Errorf("%d captures could not be read back now: that says nothing about them", unread))
	}
	return nil
}

// waybackWork works the outbox until nothing more can be done now, keeps what was
// read, and says what came of it.
func (a *app) waybackWork(ctx context.Context, c *config, w *waybackSession) (wayback.Stats, error) {
	worker, err := a.newWaybackWorker(w.session, w.client, w.observer)
	if err != nil {
		return wayback.Stats{}, err
	}
	stopTelling := a.tellWork(ctx, w.db)
	stats, runErr := worker.Run(ctx, nil)
	stopTelling()
	_, sealErr := w.seal(ctx, a)
	return stats, errors.Join(runErr, sealErr, a.printWork(context.WithoutCancel(ctx), c, w.db, stats))
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
	private, err := isPrivate(ctx, db, source)
	if err != nil {
		return err
	}
	if private {
		return usageErrorf("%s is declared private: it is not submitted to anybody", rows[0].URL)
	}
	row, entered, err := db.RequestOutbox(ctx, catalog.OutboxNew{Source: source, N: rows[0].N, URL: rows[0].URL, FinalURL: rows[0].FinalURL, Cause: "requested", At: time.Now()})
	if err == nil && !entered {
		a.talk("wayback: %s is %s already", rows[0].URL, row.State)
	}
	return err
}

// verifyFilters select the captures of some sources, or all, that are to be read back.
func verifyFilters(ctx context.Context, db *catalog.DB, names []string, all bool) ([]catalog.OutboxFilter, error) {
	states := []string{string(wayback.StateReported), string(wayback.StateIndexed), string(wayback.StateReplayed)}
	if all {
		states = append(states, string(wayback.StateConfirmed), string(wayback.StateDivergent))
	}
	if len(names) == 0 {
		return []catalog.OutboxFilter{{States: states}}, nil
	}
	var filters []catalog.OutboxFilter
	for _, name := range names {
		ids, err := resolveSource(ctx, db, name)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			f := catalog.OutboxFilter{States: states, Source: id}
			if !slices.ContainsFunc(filters, func(g catalog.OutboxFilter) bool { return g.Source == id }) {
				filters = append(filters, f)
			}
		}
	}
	return filters, nil
}

// dueNow makes captures due to be read back.
func (a *app) dueNow(ctx context.Context, db *catalog.DB, asked []catalog.OutboxFilter, now time.Time) error {
	total := int64(0)
	for _, f := range asked {
		n, err := db.DueNow(ctx, f, now)
		if err != nil {
			return err
		}
		total += n
	}
	a.talk("wayback: %d captures are to be read back", total)
	return nil
}
