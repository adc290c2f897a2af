package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// uploadFlags are the flags of wayback upload.
type uploadFlags struct {
	month                       string
	dryRun, test, verify, again bool
}

func (a *app) waybackUploadCommand() *cobra.Command {
	var flags uploadFlags
	cmd := &cobra.Command{
		Use:   "upload",
		Short: "Put sealed WARCs into items of archive.org, and read back what is there",
		Long: `Put the sealed WARCs and their indexes into items of archive.org, one for
each month (wayback.item, wayback.collection), where everybody can read them, and
verify size and MD5 by the item's metadata, which lists a file minutes to hours
later: run it again, by a timer. A stopped upload goes on with the first file
that is missing; the file under way is sent again whole. WARCs with looks at
private sources are never sent. Names of items are for ever: try --test first.

Exit codes: 0 done (files may wait for their read-back); 1 a file came altered or
was refused, or a person must settle something; 2 usage, or not configured;
3 some files wait, the next run sends them; 4 items could not be read back.`,
		Example: "  fineprint wayback upload --dry-run\n  fineprint wayback upload --test\n  fineprint wayback upload --month 2026-11",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.waybackUpload(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.month, "month", "", "only the WARCs of `YYYY-MM`")
	f.BoolVar(&flags.dryRun, "dry-run", false, "list what would be sent, ask nobody")
	f.BoolVar(&flags.test, "test", false, "into items of their own in the test collection, which archive.org empties")
	f.BoolVar(&flags.verify, "verify", false, "send nothing, read back everything that was sent")
	f.BoolVar(&flags.again, "again", false, "send again what was refused or came altered, when the cause is settled")
	return cmd
}

// uploadConfig puts together what both the upload and its plan need.
func (a *app) uploadConfig(c *config, db *catalog.DB, objects store.Store, flags uploadFlags) archive.UploadConfig {
	var mu sync.Mutex
	next := time.Now().Add(progressEvery)
	return archive.UploadConfig{
		Store: objects, Catalog: db, Item: c.Wayback.Item, Collection: c.Wayback.Collection, Test: flags.test, Month: flags.month,
		Again: flags.again, VerifyOnly: flags.verify, Operator: c.Operator, Tool: toolVersion(),
		TimeScale: c.Wayback.TimeScale, Logger: a.logger(), Step: a.step,
		Say: func(line string) { a.talk("upload: %s", line) },
		Progress: func(f archive.UploadFile, sent int64) {
			mu.Lock()
			defer mu.Unlock()
			if time.Now().After(next) {
				next = time.Now().Add(progressEvery)
				a.talk("%s: %s of %s", f.Name, humanBytes(sent), humanBytes(f.Bytes))
			}
		},
	}
}

func (a *app) waybackUpload(ctx context.Context, flags uploadFlags) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if !c.Wayback.Enabled {
		return usageErrorf("wayback upload: off (wayback.enabled is false)")
	}
	if c.Wayback.Item == "" {
		return usageErrorf("wayback upload: off: set wayback.item to the prefix of your items' names at archive.org, which are public, global and for ever (example.org-terms)")
	}
	if _, err := time.Parse("2006-01", flags.month); flags.month != "" && err != nil {
		return usageErrorf("--month %q: write YYYY-MM", flags.month)
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
	cfg := a.uploadConfig(c, db, objects, flags)
	if flags.test || c.Wayback.Collection == wayback.TestCollection {
		a.talk("upload: TEST: into %s, where archive.org removes everything after about a month; this is no storage", wayback.TestCollection)
	}
	if flags.dryRun {
		return a.planUpload(ctx, cfg)
	}
	if cfg.Items, err = a.itemsClient(c); err != nil {
		return err
	}
	if verifier, err := a.logVerifier(ctx, c, objects); err != nil {
		return err
	} else if verifier != nil {
		cfg.Log = tlog.NewReader(objects, verifier)
	}
	release, alone, err := db.LockUploads(ctx)
	if err != nil {
		return err
	}
	if !alone {
		return withCode(exitPartly, errors.New("wayback upload: another process uploads"))
	}
	defer func() { err = errors.Join(err, release()) }()
	return a.runUpload(ctx, cfg)
}

// itemsClient makes the client of archive.org's items. The keys are those of the
// submissions.
func (a *app) itemsClient(c *config) (*wayback.Items, error) {
	keys, _, err := waybackKeys(c)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	client, err := wayback.NewItems(wayback.ItemsConfig{S3URL: c.Wayback.S3URL, ArchiveURL: c.Wayback.ArchiveURL, Keys: keys, UserAgent: c.agent, Logger: a.logger()})
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return client, nil
}

// planUpload prints what would be sent.
func (a *app) planUpload(ctx context.Context, cfg archive.UploadConfig) error {
	files, err := archive.PlanUpload(ctx, cfg)
	if err != nil {
		return withCode(exitUsage, err)
	}
	s := uploadSummary{DryRun: true, Items: []string{}, States: uploadStates(nil)}
	for _, f := range files {
		s.States[f.State]++
		if f.State != catalog.UploadWaiting && f.State != catalog.UploadSending {
			continue
		}
		if n := len(s.Items); n == 0 || s.Items[n-1] != f.Item {
			s.Items = append(s.Items, f.Item)
		}
		s.Bytes += f.Bytes
		if err := a.printUpload(f); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(s)
	}
	fmt.Fprintf(a.stdout, "%d files of %d items would be sent, WARCs of %s; those with private looks will be left out\n",
		s.States[catalog.UploadWaiting]+s.States[catalog.UploadSending], len(s.Items), humanBytes(s.Bytes))
	return nil
}

// uploadSummary is the last line of `wayback upload --json`.
type uploadSummary struct {
	DryRun  bool                          `json:"dry_run"`
	Items   []string                      `json:"items"` // written to or read back; of a dry run: to be written to
	Sent    int64                         `json:"sent"`  // files, by this run
	Bytes   int64                         `json:"bytes"` // sent; of a dry run: to be sent, WARCs alone
	Present int64                         `json:"present"`
	States  map[catalog.UploadState]int64 `json:"states"` // of all files asked for
	NextAt  *string                       `json:"next_action"`
	Held    *string                       `json:"held"`    // why files wait
	Stopped *string                       `json:"stopped"` // what a person has to settle
}

// uploadStates has a count for every state.
func uploadStates(counts map[catalog.UploadState]int64) map[catalog.UploadState]int64 {
	all := map[catalog.UploadState]int64{}
	for _, s := range catalog.UploadStates() {
		all[s] = counts[s]
	}
	return all
}

// runUpload uploads, reads back, and says what came of it.
func (a *app) runUpload(ctx context.Context, cfg archive.UploadConfig) error {
	var broken error // of the output
	cfg.Done = func(f archive.UploadFile) {
		if f.State != catalog.UploadSending {
			broken = errors.Join(broken, a.printUpload(f))
		}
	}
	r, err := archive.Upload(ctx, cfg)
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("wayback upload: %w; the same command goes on from here", errInterrupted)
	}
	if err = errors.Join(err, broken); err != nil {
		return err
	}
	if err := a.printUploaded(&r); err != nil {
		return err
	}
	switch {
	case r.Stopped != "":
		return withCode(exitFailed, fmt.Errorf("wayback upload: stopped: %s", r.Stopped))
	case r.States[catalog.UploadAltered] > 0 || r.Failed > 0:
		return withCode(exitFailed, fmt.Errorf("wayback upload: %d files are altered or gone at archive.org, %d were refused; `fineprint wayback upload --again` sends them again when the cause is settled",
			r.States[catalog.UploadAltered], r.Failed))
	case r.Held != "":
		return withCode(exitPartly, fmt.Errorf("wayback upload: %s", r.Held))
	case r.Unchecked > 0:
		return withCode(exitIncomplete, fmt.Errorf("wayback upload: %d files could not be read back: the next run asks again", r.Unchecked))
	}
	return nil
}

// uploadLine is a file in the JSON lines of `wayback upload`.
type uploadLine struct {
	Item     string              `json:"item"`
	Name     string              `json:"name"`
	WARC     *string             `json:"warc"` // null for a checkpoint of the log
	State    catalog.UploadState `json:"state"`
	Bytes    *int64              `json:"bytes"`
	MD5      *string             `json:"md5"`
	URL      string              `json:"url"`
	Attempts int                 `json:"attempts"`
	Class    *string             `json:"class"`
	Error    *string             `json:"error"`
}

// printUpload prints a file.
func (a *app) printUpload(f archive.UploadFile) error {
	if a.json {
		return a.printJSON(uploadLine{f.Item, f.Name, orNull(f.WARC), f.State, orNull(f.Bytes), orNull(f.MD5), f.URL, f.Attempts, orNull(f.Class), orNull(f.Error)})
	}
	line := fmt.Sprintf("%-8s %10s  %s", f.State, humanBytes(f.Bytes), f.URL)
	if f.MD5 == "" && f.Bytes == 0 {
		line = fmt.Sprintf("%-8s %10s  %s", f.State, "", f.URL)
	}
	if f.Error != "" {
		line += ": " + f.Error
	}
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

func (a *app) printUploaded(r *archive.UploadReport) error {
	if a.json {
		items := r.Items
		if items == nil {
			items = []string{}
		}
		return a.printJSON(uploadSummary{Items: items, Sent: r.Sent, Bytes: r.SentBytes, Present: r.Present, States: uploadStates(r.States),
			NextAt: timeOrNull(r.NextAt), Held: orNull(r.Held), Stopped: orNull(r.Stopped)})
	}
	fmt.Fprintf(a.stdout, "sent %d files (%s), found %d there; now waiting %d, sent %d, verified %d, refused %d, altered %d\n", r.Sent, humanBytes(r.SentBytes), r.Present,
		r.States[catalog.UploadWaiting]+r.States[catalog.UploadSending], r.States[catalog.UploadSent], r.States[catalog.UploadVerified],
		r.States[catalog.UploadRefused], r.States[catalog.UploadAltered])
	if !r.NextAt.IsZero() {
		fmt.Fprintf(a.stdout, "next read-back %s: run it again\n", r.NextAt.UTC().Format(time.RFC3339))
	}
	return nil
}
