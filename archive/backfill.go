package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/warc"
)

// Importer asks a web archive and keeps its answers. An [Observer] is one.
type Importer interface {
	// Index returns the rows of the index that the query selects; source is the id
	// of our source. The answers are kept as a look when it returns.
	Index(ctx context.Context, source string, q wayback.IndexQuery) ([]wayback.IndexRow, error)
	// Import replays a capture and keeps the answer as a look, durable when it
	// returns. A capture that is not there is a row whose fact Replay is absent.
	Import(ctx context.Context, want ImportRequest) (catalog.MementoRow, error)
}

// BackfillConfig tells Backfill what to bring in, and how.
type BackfillConfig struct {
	Catalog  *catalog.DB
	Importer Importer

	Source string // id of the source
	URL    string // its address
	// From and Until bound the times of the captures; zero for no bound.
	From, Until time.Time
	// Limit ends the work after so many replays; 0 is no limit.
	Limit int64
	// MaxWait is the longest pause of the web archive that is waited for; after a
	// longer one Backfill ends with what there is. Default 30 minutes.
	MaxWait time.Duration

	// TimeScale divides the pauses, see wayback.Limits; 0 means 1.
	TimeScale float64

	Logger *slog.Logger
	Now    func() time.Time
	// Replayed is told of each replay that is kept: the place to seal. May be nil.
	Replayed func(context.Context, BackfillStats) error
	// Step, if set, is called before each durable step with its name. Tests stop
	// the process there.
	Step func(name string)
}

// BackfillStats says what the web archive has of a page and what became of it.
type BackfillStats struct {
	BackfillEstimate
	Replayed int64 `json:"replayed"` // by this call
	Waiting  int64 `json:"waiting"`  // bodies still to be replayed
	Absent   int64 `json:"absent"`   // in the index, and replayed by no capture
	Failed   int64 `json:"failed"`   // tried too often; the next backfill tries again
	// Resumed says that an earlier backfill's plan was gone on with, and that the
	// index was not asked again.
	Resumed bool `json:"resumed"`
	// Stopped says why the work ended before its end, "" if it did not, and Resume
	// when it may go on.
	Stopped string    `json:"stopped,omitempty"`
	Resume  time.Time `json:"resume,omitzero"`
}

const (
	// planFor is how long a plan is gone on with before the index is asked again.
	planFor = 24 * time.Hour
	// importTries is how often a replay is tried.
	importTries = 4
	// maxTrouble is after how many replays in a row without an answer the web
	// archive is left alone.
	maxTrouble = 8
	// absentFor is when a capture that was absent is asked for again.
	absentFor = 30 * 24 * time.Hour
	// defaultMaxWait is the longest pause that is waited for.
	defaultMaxWait = 30 * time.Minute
)

// Backfill brings in what a web archive holds of a page: it asks the index, and
// replays one capture of each body that is not in the archive yet, oldest first.
// Stopped at any moment it goes on where it was: a replay whose look is finished is
// not made again. Bodies that could not be had are no error; the statistics say
// how many there are.
//
// Only one process may speak to the web archive at a time: the caller holds the
// outbox' lock. The looks are left to be sealed and derived.
func Backfill(ctx context.Context, cfg BackfillConfig) (BackfillStats, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = defaultMaxWait
	}
	if cfg.TimeScale <= 0 {
		cfg.TimeScale = 1
	}
	b := &backfill{cfg: cfg}
	err := b.run(ctx)
	if err != nil {
		return b.stats, fmt.Errorf("backfill of %s: %w", cfg.URL, err)
	}
	return b.stats, nil
}

// backfill is one call of Backfill.
type backfill struct {
	cfg   BackfillConfig
	plan  catalog.ImportPlan
	stats BackfillStats

	trouble int // replays without an answer since the last one with
}

func (b *backfill) run(ctx context.Context) error {
	planned, err := b.prepare(ctx)
	if err != nil || !planned {
		return err
	}
	err = b.replayAll(ctx)
	counts, countErr := b.cfg.Catalog.ImportCounts(context.WithoutCancel(ctx), b.plan)
	b.stats.Waiting, b.stats.Absent, b.stats.Failed = counts[catalog.ImportWaiting], counts[catalog.ImportAbsent], counts[catalog.ImportFailed]
	return errors.Join(err, countErr)
}

// prepare finds the plan to go on with, or makes one; it reports whether there is
// one.
func (b *backfill) prepare(ctx context.Context) (bool, error) {
	db := b.cfg.Catalog
	if _, err := db.SettleImports(ctx, b.cfg.Source); err != nil {
		return false, err
	}
	plan, known, err := db.ImportPlan(ctx, b.cfg.Source)
	if err != nil {
		return false, err
	}
	if known && plan.From.Equal(b.cfg.From) && plan.Until.Equal(b.cfg.Until) && b.cfg.Now().Sub(plan.Planned) < planFor {
		counts, err := db.ImportCounts(ctx, plan)
		if err != nil {
			return false, err
		}
		if counts[catalog.ImportWaiting] > 0 {
			b.plan, b.stats.Resumed = plan, true
			err := json.Unmarshal([]byte(plan.Estimate), &b.stats.BackfillEstimate)
			b.stats.Known, b.stats.Requests = counts[catalog.ImportDone], counts[catalog.ImportWaiting]
			return true, err
		}
	}
	return b.ask(ctx)
}

// ask asks the index and plans what it lists.
func (b *backfill) ask(ctx context.Context) (bool, error) {
	var list []wayback.IndexRow
	asked, err := b.insist(ctx, func() (err error) {
		list, err = b.cfg.Importer.Index(ctx, b.cfg.Source, BackfillQuery(b.cfg.URL, b.cfg.From, b.cfg.Until))
		return err
	})
	if err != nil || !asked {
		return false, err
	}
	rows, estimate := planImports(b.cfg.Source, b.cfg.URL, list, b.cfg.Now())
	if err := estimate.known(ctx, b.cfg.Catalog, b.cfg.Source, rows); err != nil {
		return false, err
	}
	text, err := json.Marshal(estimate)
	if err != nil {
		return false, err
	}
	b.stats.BackfillEstimate = estimate
	b.plan = catalog.ImportPlan{Source: b.cfg.Source, From: b.cfg.From, Until: b.cfg.Until, Planned: b.cfg.Now(), Estimate: string(text)}
	b.cfg.Step("plan")
	if err := b.cfg.Catalog.PlanImports(ctx, b.plan, rows); err != nil {
		return false, err
	}
	_, err = b.cfg.Catalog.SettleImports(ctx, b.cfg.Source)
	return true, err
}

// insist tries to ask until an answer comes, as long as the pauses are short. It
// reports whether there was one.
func (b *backfill) insist(ctx context.Context, ask func() error) (bool, error) {
	for try := 1; ; try++ {
		err := ask()
		if err == nil {
			return true, nil
		}
		p, ours := b.pauseAfter(err, try)
		if ours {
			return false, err
		}
		if p.final || try == importTries || p.wait > b.cfg.MaxWait {
			b.stop(p)
			return false, nil
		}
		if err := b.sleep(ctx, p); err != nil {
			return false, err
		}
	}
}

// respite is what an unwelcome answer of the web archive asks of us.
type respite struct {
	why   string
	wait  time.Duration
	held  bool // nothing was asked: no attempt
	final bool // it will say the same again
}

// importDelays are the waits after the first, second, … try.
var importDelays = [importTries]time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// pauseAfter turns an error of an Importer into a pause; ours says that it is not
// the web archive's.
func (b *backfill) pauseAfter(err error, try int) (p respite, ours bool) {
	if held, ok := errors.AsType[*wayback.HeldError](err); ok {
		return respite{why: err.Error(), wait: max(held.Until.Sub(b.cfg.Now()), 0), held: true}, false
	}
	answer, ok := errors.AsType[*wayback.Error](err)
	if !ok {
		return respite{}, true
	}
	wait := max(importDelays[min(try, importTries)-1], answer.RetryAfter)
	p = respite{why: answer.Error(), wait: time.Duration(float64(wait) / b.cfg.TimeScale)}
	switch answer.Class {
	case wayback.ClassPermanent, wayback.ClassDivergent, wayback.ClassKeysRefused, wayback.ClassOperator:
		p.final = true
	}
	return p, false
}

// stop notes why the work ends before its end.
func (b *backfill) stop(p respite) {
	b.stats.Stopped, b.stats.Resume = p.why, b.cfg.Now().Add(p.wait)
}

// sleep waits for the web archive.
func (b *backfill) sleep(ctx context.Context, p respite) error {
	if p.wait > time.Second {
		b.cfg.Logger.Warn("waiting for the web archive", "url", b.cfg.URL, "wait", p.wait.Round(time.Second), "err", p.why)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(p.wait):
		return nil
	}
}

// replayAll replays what waits.
func (b *backfill) replayAll(ctx context.Context) error {
	for b.cfg.Limit <= 0 || b.stats.Replayed < b.cfg.Limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, ok, err := b.cfg.Catalog.NextImport(ctx, b.plan, b.cfg.Now())
		if err != nil {
			return err
		}
		if ok {
			if err := b.replay(ctx, row); err != nil {
				return err
			}
			if b.stats.Stopped != "" {
				return nil
			}
			continue
		}
		if row.NextAt.IsZero() {
			return nil
		}
		p := respite{why: "captures without an answer are to be asked for again", wait: row.NextAt.Sub(b.cfg.Now())}
		if p.wait > b.cfg.MaxWait {
			b.stop(p)
			return nil
		}
		if err := b.sleep(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// replay brings in one body. A crash before its row is saved leaves a finished
// look, which SettleImports finds, or none.
func (b *backfill) replay(ctx context.Context, row catalog.ImportRow) error {
	b.cfg.Step("replay")
	got, err := b.cfg.Importer.Import(ctx, ImportRequest{Source: b.cfg.Source, URL: b.cfg.URL, Row: indexRow(row)})
	if err != nil {
		return b.failed(ctx, row, err)
	}
	b.cfg.Step("replayed")
	b.trouble = 0
	row.Error = ""
	if got.Facts.Replay == warc.FactAbsent {
		b.absent(&row)
	} else {
		row.State, row.Look = catalog.ImportDone, got.Look
		b.stats.Replayed++
	}
	// The look is there: what became of it is noted, whoever wants us to stop.
	if err := b.cfg.Catalog.SaveImport(context.WithoutCancel(ctx), row); err != nil {
		return err
	}
	if b.cfg.Replayed == nil {
		return nil
	}
	return b.cfg.Replayed(ctx, b.stats)
}

// absent turns to the next capture with the same body, if there is one.
func (b *backfill) absent(row *catalog.ImportRow) {
	if len(row.Others) > 0 {
		row.ImportCapture, row.Others, row.Attempts = row.Others[0], row.Others[1:], 0
		return
	}
	row.State, row.NextAt = catalog.ImportAbsent, b.cfg.Now().Add(absentFor)
	row.Error = "in the index, and not replayed"
}

// failed notes that a replay got no answer, or ends the work.
func (b *backfill) failed(ctx context.Context, row catalog.ImportRow, err error) error {
	p, ours := b.pauseAfter(err, row.Attempts+1)
	switch {
	case ours:
		return err
	case p.held && p.wait > b.cfg.MaxWait:
		b.stop(p)
		return nil
	case p.held:
		return b.sleep(ctx, p)
	}
	row.Attempts++
	row.Error, row.NextAt = p.why, b.cfg.Now().Add(p.wait)
	if p.final || row.Attempts >= importTries {
		row.State = catalog.ImportFailed
	}
	if b.trouble++; b.trouble >= maxTrouble {
		b.stop(p)
	}
	return b.cfg.Catalog.SaveImport(context.WithoutCancel(ctx), row)
}
