package main

import (
	"context"
	"encoding/json"
	"errors"
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
	if c.Wayback.noKeys {
		return wayback.Keys{}, "", wayback.ErrNoKeys
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then only the environment and the configuration can have them
	}
	return wayback.FindKeys(wayback.Keys{Access: c.Wayback.AccessKey, Secret: c.Wayback.SecretKey}, os.LookupEnv, home)
}

func (a *app) waybackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wayback",
		Short: "Work with the Wayback Machine: submit, read back, import, upload",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.waybackBackfillCommand(),
		a.waybackUploadCommand(),
		a.waybackSubmitCommand(), a.waybackStatusCommand(), a.waybackVerifyCommand(), a.waybackDiffCommand())
	for _, c := range cmd.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return cmd
}

// newWaybackClient makes the client of the Wayback Machine, without keys if there
// are none: reading needs none. It goes on with the pauses that the process before
// it was told to make, and saves its own for the next one; db nil: it does not.
func (a *app) newWaybackClient(ctx context.Context, c *config, db *catalog.DB) (*wayback.Client, error) {
	keys, _, err := waybackKeys(c)
	if err != nil && !errors.Is(err, wayback.ErrNoKeys) {
		return nil, withCode(exitUsage, err)
	}
	pacer := wayback.NewPacer(wayback.Limits{SubmitsPerMinute: c.Wayback.SubmitsPerMinute, TimeScale: c.Wayback.TimeScale})
	if db != nil {
		if err := a.keepPauses(ctx, pacer, db); err != nil {
			return nil, err
		}
	}
	client, err := wayback.New(wayback.Config{
		BaseURL: c.Wayback.BaseURL, ArchiveURL: c.Wayback.ArchiveURL, Keys: keys, UserAgent: c.agent, Logger: a.logger(), Pacer: pacer,
	})
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return client, nil
}

// keepPauses restores the state of a pacer and saves what becomes of it.
func (a *app) keepPauses(ctx context.Context, pacer *wayback.Pacer, db *catalog.DB) error {
	saved, err := db.LoadPacer(ctx)
	if err != nil {
		return err
	}
	var state wayback.PacerState
	if len(saved) > 0 && json.Unmarshal(saved, &state) == nil { // what is no state is of no use
		pacer.Restore(state)
	}
	log := a.logger()
	pacer.OnChange(func(s wayback.PacerState) {
		text, err := json.Marshal(s)
		if err == nil {
			err = db.SavePacer(context.WithoutCancel(ctx), text)
		}
		if err != nil { // the next process learns of the pause from the Archive
			log.Warn("wayback: the pause is not kept", "err", err)
		}
	})
	return nil
}

// newWaybackWorker makes the worker of the outbox. The caller holds its lock, so
// that items leased to its name are left over from a crash.
func (a *app) newWaybackWorker(s *session, client *wayback.Client, reader wayback.Reader) (*wayback.Worker, error) {
	return wayback.NewWorker(wayback.WorkerConfig{
		Client: client, Outbox: outbox{s.db}, Reader: reader, Owner: "wayback", Screenshot: s.cfg.Wayback.Screenshot,
		DailyCaptures: s.cfg.Wayback.DailyCaptures, Logger: a.logger(), Step: a.step,
	})
}

// outbox is the catalog's outbox in the words of package wayback.
type outbox struct{ db *catalog.DB }

// Claim leases the next due item. What waits to be submitted, and whose source was
// declared private since, is refused on the way.
func (o outbox) Claim(ctx context.Context, work wayback.Work, now time.Time, owner string, lease time.Duration) (wayback.Item, bool, error) {
	for {
		row, ok, err := o.db.ClaimOutbox(ctx, catalog.OutboxWork(work), now, owner, lease)
		item := outboxItem(row)
		if err != nil || !ok || item.State != wayback.StateWaiting {
			return item, ok, err
		}
		if private, err := isPrivate(ctx, o.db, item.Source); err != nil || !private {
			return item, err == nil, err
		}
		item.State, item.NextAt, item.LeaseUntil = wayback.StateRefused, time.Time{}, time.Time{}
		item.LastClass, item.LastCode, item.LastError = wayback.ClassPermanent, "private", "the source is declared private by now: it is not submitted to anybody"
		if err := o.Save(ctx, item); err != nil {
			return item, false, err
		}
	}
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
		ID: r.ID, Source: r.Source, URL: r.URL, LookN: r.N, Cause: r.Cause, Created: r.Created, Priority: r.Priority, NeedsBrowser: r.NeedsBrowser, FinalURL: r.FinalURL,
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
		ID: i.ID, Source: i.Source, URL: i.URL, N: i.LookN, Cause: i.Cause, Created: i.Created, Priority: i.Priority, NeedsBrowser: i.NeedsBrowser, FinalURL: i.FinalURL,
		State: string(i.State), Work: catalog.OutboxWork(i.Work()), JobID: i.JobID, Attempts: i.Attempts, Waits: i.Waits, NextAt: i.NextAt, Reused: i.Reused,
		LastClass: string(i.LastClass), LastCode: i.LastCode, LastError: i.LastError,
		SubmittedAt: i.SubmittedAt, AcceptedAt: i.AcceptedAt, ReportedAt: i.ReportedAt,
		Snapshot: i.Snapshot, OriginalURL: i.OriginalURL, HTTPStatus: i.HTTPStatus, Receipt: i.Receipt,
		Digest: i.Digest, Src: i.Src, Facts: i.Facts, Grade: i.Grade, Readback: i.Readback, ReadAt: i.ReadAt,
		IndexedAt: i.IndexedAt, ReplayedAt: i.ReplayedAt, ConfirmedAt: i.ConfirmedAt, Absent: i.Absent, AbsentAt: i.AbsentAt,
		Owner: i.Owner, LeaseUntil: i.LeaseUntil,
	}
}
