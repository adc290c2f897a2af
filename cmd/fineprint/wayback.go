package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// unchangedEvery is the interval at which a page is submitted that says the same.
func unchangedEvery(c *config) time.Duration {
	return time.Duration(float64(c.Wayback.UnchangedEvery) / c.Wayback.TimeScale)
}

// waybackOff says why nothing is submitted, "" if it is.
func waybackOff(c *config) string {
	if !c.Wayback.Enabled {
		return "wayback.enabled is false"
	}
	_, _, err := waybackKeys(c)
	if errors.Is(err, wayback.ErrNoKeys) {
		return "no archive.org keys: set IA_ACCESS_KEY_ID and IA_SECRET_ACCESS_KEY, or run `ia configure`"
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func waybackKeys(c *config) (wayback.Keys, string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then only the environment and the configuration can have them
	}
	return wayback.FindKeys(wayback.Keys{Access: c.Wayback.AccessKey, Secret: c.Wayback.SecretKey}, os.LookupEnv, home)
}

func (a *app) waybackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wayback",
		Short: "Submit captured pages to the Wayback Machine",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.waybackUploadCommand(),
		&cobra.Command{
			Use:   "submit",
			Short: "Work the outbox until nothing more can be done now",
			Long: `Submit the pages that wait, follow their jobs, keep the receipts, and end
when nothing more can be done now. For timers; safe to stop at any moment.`,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.waybackSubmit(cmd.Context()) },
		},
		&cobra.Command{
			Use: "status", Short: "What waits, what was accepted, what comes next", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.waybackStatus(cmd.Context()) },
		})
	for _, c := range cmd.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return cmd
}

func (a *app) waybackSubmit(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if off := waybackOff(c); off != "" {
		return usageErrorf("wayback: off (%s)", off)
	}
	w, err := a.openWayback(ctx, c)
	if errors.Is(err, errOthers) {
		a.talk("wayback: %v", err)
		return a.waybackStatus(ctx)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	worker, err := a.newWaybackWorker(w.session, w.client, w.observer)
	if err != nil {
		return err
	}
	stats, err := worker.Run(ctx, nil)
	_, sealErr := w.seal(ctx, a)
	if err = errors.Join(err, sealErr); err != nil {
		return err
	}
	report, err := waybackReport(context.WithoutCancel(ctx), c, w.db)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	fmt.Fprintf(a.stdout, "submitted %d, reported %d, refused %d, failed %d, divergent %d\n",
		stats.Submits, stats.Reported, stats.Refused, stats.Failed, stats.Divergent)
	if stats.Stopped != "" {
		a.talk("wayback: paused: %s", stats.Reason)
	}
	return report.print(a)
}

// newWaybackClient makes the client of the Wayback Machine, without keys if there
// are none: reading needs none.
func (a *app) newWaybackClient(c *config) (*wayback.Client, error) {
	keys, _, err := waybackKeys(c)
	if err != nil && !errors.Is(err, wayback.ErrNoKeys) {
		return nil, withCode(exitUsage, err)
	}
	client, err := wayback.New(wayback.Config{
		BaseURL: c.Wayback.BaseURL, Keys: keys, UserAgent: c.agent, Logger: a.logger(),
		Pacer: wayback.NewPacer(wayback.Limits{SubmitsPerMinute: c.Wayback.SubmitsPerMinute, TimeScale: c.Wayback.TimeScale}),
	})
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return client, nil
}

// newWaybackWorker makes the worker of the outbox. The caller holds its lock, so
// that items leased to its name are left over from a crash.
func (a *app) newWaybackWorker(s *session, client *wayback.Client, reader wayback.Reader) (*wayback.Worker, error) {
	return wayback.NewWorker(wayback.WorkerConfig{
		Client: client, Outbox: outbox{s.db}, Reader: reader, Owner: "wayback", Screenshot: s.cfg.Wayback.Screenshot, Logger: a.logger(),
	})
}

// outbox is the catalog's outbox in the words of package wayback.
type outbox struct{ db *catalog.DB }

// Claim leases the next due item.
func (o outbox) Claim(ctx context.Context, work wayback.Work, now time.Time, owner string, lease time.Duration) (wayback.Item, bool, error) {
	row, ok, err := o.db.ClaimOutbox(ctx, catalog.OutboxWork(work), now, owner, lease)
	return outboxItem(row), ok, err
}

// Save stores an item that is leased to its owner.
func (o outbox) Save(ctx context.Context, item wayback.Item) error {
	err := o.db.SaveOutbox(ctx, outboxRow(item))
	if errors.Is(err, catalog.ErrOutboxLease) {
		return wayback.ErrLeaseLost
	}
	return err
}

// Submits counts submits.
func (o outbox) Submits(ctx context.Context, address string, since time.Time) (ofAddress, all int, err error) {
	return o.db.OutboxSubmits(ctx, address, since)
}

// outboxItem and outboxRow turn the catalog's row into the item and back.
func outboxItem(r catalog.OutboxRow) wayback.Item {
	return wayback.Item{
		ID: r.ID, Source: r.Source, URL: r.URL, LookN: r.N, Cause: r.Cause, Created: r.Created, Priority: r.Priority, NeedsBrowser: r.NeedsBrowser,
		State: wayback.State(r.State), JobID: r.JobID, Attempts: r.Attempts, Waits: r.Waits, NextAt: r.NextAt, Reused: r.Reused,
		LastClass: wayback.Class(r.LastClass), LastCode: r.LastCode, LastError: r.LastError,
		SubmittedAt: r.SubmittedAt, AcceptedAt: r.AcceptedAt, ReportedAt: r.ReportedAt,
		Snapshot: r.Snapshot, OriginalURL: r.OriginalURL, HTTPStatus: r.HTTPStatus, Receipt: r.Receipt,
		Digest: r.Digest, Src: r.Src, Facts: r.Facts, Grade: r.Grade, Readback: r.Readback, ReadAt: r.ReadAt,
		IndexedAt: r.IndexedAt, ReplayedAt: r.ReplayedAt, ConfirmedAt: r.ConfirmedAt, Absent: r.Absent, AbsentAt: r.AbsentAt,
		Owner: r.Owner, LeaseUntil: r.LeaseUntil,
	}
}

func outboxRow(i wayback.Item) catalog.OutboxRow {
	return catalog.OutboxRow{
		ID: i.ID, Source: i.Source, URL: i.URL, N: i.LookN, Cause: i.Cause, Created: i.Created, Priority: i.Priority, NeedsBrowser: i.NeedsBrowser,
		State: string(i.State), Work: catalog.OutboxWork(i.State.Work()), JobID: i.JobID, Attempts: i.Attempts, Waits: i.Waits, NextAt: i.NextAt, Reused: i.Reused,
		LastClass: string(i.LastClass), LastCode: i.LastCode, LastError: i.LastError,
		SubmittedAt: i.SubmittedAt, AcceptedAt: i.AcceptedAt, ReportedAt: i.ReportedAt,
		Snapshot: i.Snapshot, OriginalURL: i.OriginalURL, HTTPStatus: i.HTTPStatus, Receipt: i.Receipt,
		Digest: i.Digest, Src: i.Src, Facts: i.Facts, Grade: i.Grade, Readback: i.Readback, ReadAt: i.ReadAt,
		IndexedAt: i.IndexedAt, ReplayedAt: i.ReplayedAt, ConfirmedAt: i.ConfirmedAt, Absent: i.Absent, AbsentAt: i.AbsentAt,
		Owner: i.Owner, LeaseUntil: i.LeaseUntil,
	}
}

// waybackState is what `wayback status --json` prints (docs/FORMATS.md).
type waybackState struct {
	Waiting    int64            `json:"waiting"` // not yet accepted by the Archive
	States     map[string]int64 `json:"states"`
	BudgetLeft *int64           `json:"budget_left"` // null until the account was asked
	NextAction *string          `json:"next_action"`
	Off        *string          `json:"off"` // why nothing is submitted
}

func waybackReport(ctx context.Context, c *config, db *catalog.DB) (*waybackState, error) {
	counts, err := db.OutboxStats(ctx)
	if err != nil {
		return nil, err
	}
	s := &waybackState{States: map[string]int64{}, Off: orNull(waybackOff(c))}
	for _, info := range wayback.States() {
		s.States[string(info.State)] = counts.States[string(info.State)]
	}
	s.Waiting = counts.States[string(wayback.StateWaiting)] + counts.States[string(wayback.StateSubmitted)]
	s.NextAction = timeOrNull(counts.NextAt)
	return s, nil
}

func (s *waybackState) print(a *app) error {
	for _, info := range wayback.States() {
		if n := s.States[string(info.State)]; n > 0 {
			fmt.Fprintf(a.stdout, "%-11s %6d  %s\n", info.State, n, info.Meaning)
		}
	}
	if s.NextAction != nil {
		fmt.Fprintf(a.stdout, "next action %s\n", *s.NextAction)
	}
	if s.Off != nil {
		fmt.Fprintf(a.stdout, "off: %s\n", *s.Off)
	}
	return nil
}

func (a *app) waybackStatus(ctx context.Context) (err error) {
	c, db, err := a.openCatalogToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	report, err := waybackReport(ctx, c, db)
	if err != nil {
		return err
	}
	if left, asked := a.waybackBudget(ctx, c); asked {
		report.BudgetLeft = &left
	}
	if a.json {
		return a.printJSON(report)
	}
	return report.print(a)
}

// waybackBudget asks the account how many captures are left today. No answer is
// no error: the state of the outbox is worth printing without it.
func (a *app) waybackBudget(ctx context.Context, c *config) (int64, bool) {
	keys, _, err := waybackKeys(c)
	if err != nil || waybackOff(c) != "" {
		return 0, false
	}
	client, err := wayback.New(wayback.Config{BaseURL: c.Wayback.BaseURL, Keys: keys, UserAgent: c.agent, Timeout: 10 * time.Second,
		Pacer: wayback.NewPacer(wayback.Limits{TimeScale: c.Wayback.TimeScale})})
	if err != nil {
		return 0, false
	}
	status, err := client.UserStatus(ctx)
	if err != nil {
		a.talk("wayback: the account's limits could not be asked: %v", err)
		return 0, false
	}
	return int64(status.DailyCapturesLimit - status.DailyCaptures), true
}
