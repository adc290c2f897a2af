package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

type crawlFlags struct {
	ids    []string // these sources only
	due    bool
	dryRun bool
	urls   string

	noDerive     bool          // leave the texts to `derive`
	confirm      bool          // look again within the run at what is new or suspect
	confirmAfter time.Duration // … after this time
}

func (a *app) crawlCommand() *cobra.Command {
	var f crawlFlags
	cmd := &cobra.Command{
		Use:   "crawl [SERVICE…]",
		Short: "Visit the declared pages once, now, and seal what was captured",
		Long: `Visit the declared pages of the named services (all without a name), write
every exchange into a WARC, seal it into the archive, and print a summary.
Without a configuration it makes ./fineprint-data with starter declarations.

An interrupt (Ctrl-C) lets the pages in flight end and seals what was captured;
a second one stops at once, and the next run goes on from the spool.`,
		Example: "  fineprint crawl --contact you@example.org\n  fineprint crawl --due\n  fineprint crawl X OpenAI\n  fineprint crawl --urls pages.txt",
		RunE: func(cmd *cobra.Command, services []string) error {
			f.confirm = cmd.Flags().Changed("confirm-after")
			if f.confirm && f.noDerive {
				return usageErrorf("--confirm-after needs the texts: it does not go with --no-derive")
			}
			if f.confirmAfter < 0 {
				return usageErrorf("--confirm-after is not below zero")
			}
			return a.crawl(cmd.Context(), f, services)
		},
	}
	cmd.Flags().BoolVar(&f.noDerive, "no-derive", false, "do not look at the texts: leave them to fineprint derive")
	cmd.Flags().DurationVar(&f.confirmAfter, "confirm-after", 0, "look again at new or suspect texts after this `TIME` within the run (0s: at once)")
	cmd.Flags().BoolVar(&f.due, "due", false, "only pages whose next visit has come")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be visited, visit nothing")
	cmd.Flags().StringVar(&f.urls, "urls", "", "capture the addresses listed in `FILE` once (- for standard input)")
	return cmd
}

func (a *app) crawl(ctx context.Context, f crawlFlags, services []string) error {
	c, err := a.configOrInit()
	if err != nil {
		return err
	}
	if f.urls != "" && (f.due || len(services) > 0) {
		return usageErrorf("--urls goes neither with --due nor with a service")
	}
	set, err := a.declared(ctx, c, f.urls)
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.crawlDry(ctx, c, set, f, services)
	}
	s, err := a.openSession(ctx, c)
	if err != nil {
		return err
	}
	s.noDerive = f.noDerive
	sum, err := a.crawlSession(ctx, s, set, f, services)
	return errors.Join(err, s.close(), sumError(sum, err))
}

// declaredSet is what a run may visit, with the digests of its files.
type declaredSet struct {
	files map[string]string
	load  func() (*declaration.Set, error) // parses the files
	once  *declaration.Set                 // of --urls: not declared, visited once
}

// declared prepares the declarations without parsing them: the catalog knows
// the digests of the files that it was synchronised with.
func (a *app) declared(ctx context.Context, c *config, urls string) (*declaredSet, error) {
	opt := declaration.Options{Vantage: c.Crawl.Vantage}
	if urls != "" {
		r := a.stdin
		if urls != "-" {
			file, err := os.Open(urls)
			if err != nil {
				return nil, usageErrorf("--urls: %w", err)
			}
			defer file.Close() // only read
			r = file
		}
		set, err := declaration.FromURLs(io.LimitReader(r, 64<<20), opt)
		if err != nil {
			return nil, usageErrorf("--urls %s: %w", urls, err)
		}
		return &declaredSet{once: set}, nil
	}
	if len(c.Declarations) == 0 {
		return nil, usageErrorf("configuration %s names no declarations; add `declarations: [declarations]` or use --urls", c.path)
	}
	digest, err := declaration.Digest(ctx, c.Declarations, opt)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return &declaredSet{files: map[string]string{"declarations": digest}, load: func() (*declaration.Set, error) {
		set, err := declaration.Load(ctx, c.Declarations, opt)
		if err != nil {
			return nil, withCode(exitUsage, err)
		}
		return set, nil
	}}, nil
}

// sync brings the catalog's sources and documents up to the declarations.
func (d *declaredSet) sync(ctx context.Context, db *catalog.DB, say func(string, ...any)) error {
	if d.once != nil {
		return nil // entered when the run wants them
	}
	known, err := db.DeclarationFiles(ctx)
	if err != nil {
		return err
	}
	if maps.Equal(known, d.files) {
		return nil
	}
	set, err := d.load()
	if err != nil {
		return err
	}
	for _, p := range set.Problems {
		say("%s", p)
	}
	stats, err := db.SyncDeclarations(ctx, d.files, declaredRows(set))
	if err != nil {
		return err
	}
	say("declarations: %d sources, %d new, %d changed, %d no longer declared", stats.Sources, stats.Added, stats.Changed, stats.Removed)
	return nil
}

// crawlSession makes one run on an open archive: visit, seal, sum up.
func (a *app) crawlSession(ctx context.Context, s *session, set *declaredSet, f crawlFlags, services []string) (*summary, error) {
	began := time.Now()
	if err := set.sync(ctx, s.db, a.talk); err != nil {
		return nil, err
	}
	if err := checkServices(ctx, s.db, services); err != nil {
		return nil, err
	}
	if f.due {
		// Nothing due is the common case of a timer: one indexed look-up.
		nothing, next, err := s.db.NothingDue(ctx, began)
		if err != nil {
			return nil, err
		}
		if nothing {
			a.talkNothing(next)
			if err := beginRun(ctx, s, began); err != nil {
				return nil, err
			}
			return a.finishRun(ctx, s, newSummary(s, 0), began)
		}
	}
	wanted, err := want(ctx, s, set, catalog.SourceFilter{Services: services, IDs: f.ids, Due: f.due, Now: began})
	if err != nil {
		return nil, err
	}
	visitor, err := a.readyCrawler(ctx, s)
	if err != nil {
		_, forgetErr := s.db.Forget(ctx, s.arch.Run())
		return nil, errors.Join(err, forgetErr)
	}
	if err := beginRun(ctx, s, began); err != nil {
		return nil, errors.Join(err, visitor.Close(ctx))
	}
	e := &engine{session: s, crawler: visitor, interrupted: ctx.Err, last: map[string]warc.Result{}, sum: newSummary(s, wanted)}
	var visitErr error
	if wanted > 0 {
		visitErr = a.visitAll(ctx, e, wanted)
	}
	if visitErr == nil && f.confirm {
		visitErr = a.lookAgain(ctx, e, f.confirmAfter)
	}
	visitErr = errors.Join(visitErr, visitor.Close(context.WithoutCancel(ctx)))
	// Whatever happened, what was captured is sealed and summed up.
	sum, err := a.finishRun(ctx, s, e.summary(ctx), began)
	return sum, errors.Join(visitErr, err)
}

// lookAgain looks once more at the pages whose text is new or suspect.
func (a *app) lookAgain(ctx context.Context, e *engine, after time.Duration) error {
	base := context.WithoutCancel(ctx)
	sealed, err := e.arch.Seal(base)
	e.sum.WARCs = append(e.sum.WARCs, sealed...)
	if err != nil {
		return err
	}
	stats, err := a.deriveRun(base, e.session, &e.sum)
	if err != nil || len(stats.Unsettled) == 0 || ctx.Err() != nil {
		return err
	}
	a.talk("%d pages have a new or suspect text: looking again in %s", len(stats.Unsettled), after)
	select {
	case <-ctx.Done():
		return nil // they stay unconfirmed
	case <-time.After(after):
	}
	wanted, err := e.db.WantAgain(ctx, e.arch.Run(), stats.Unsettled, time.Now())
	if err != nil || wanted == 0 {
		return err
	}
	e.again = wanted
	e.goOn()
	return a.visitAll(ctx, e, wanted)
}

// deriveRun takes in what the run has sealed and adds what came of it to the
// summary.
func (a *app) deriveRun(ctx context.Context, s *session, sum *summary) (archive.DeriveStats, error) {
	if s.noDerive {
		return archive.DeriveStats{}, nil
	}
	stats, err := a.derive(ctx, s.cfg, s.store, s.db, following(s.cfg))
	sum.addTexts(stats)
	return stats, err
}

// submitWithin is how old a look may be whose page goes to the Wayback Machine.
const submitWithin = 7 * 24 * time.Hour

// following says what follows from texts: another look, a submission.
func following(c *config) archive.DeriveConfig {
	return archive.DeriveConfig{
		ConfirmAfter: time.Duration(c.Changes.ConfirmAfter), Submit: waybackOff(c) == "", SubmitEvery: unchangedEvery(c), SubmitSince: time.Now().Add(-submitWithin),
	}
}

// checkServices refuses names that no declared service has.
func checkServices(ctx context.Context, db *catalog.DB, services []string) error {
	unknown, err := db.UnknownServices(ctx, services)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return usageErrorf("no declared service is called %q; `fineprint check` lists them", unknown)
	}
	return nil
}

// beginRun enters the run for `status`.
func beginRun(ctx context.Context, s *session, began time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "" // only for people
	}
	return s.db.BeginRun(ctx, catalog.RunRow{ID: s.arch.Run(), Started: began, Host: host, PID: os.Getpid()})
}

// hosts lists the hosts that the run will visit first.
func (s *session) hosts(ctx context.Context) ([]string, error) {
	due, err := s.db.DueHosts(ctx, s.arch.Run(), time.Now())
	names := make([]string, len(due))
	for i, h := range due {
		names[i] = h.Host
	}
	return names, err
}

// want marks what the run is to visit and returns how many sources that are.
func want(ctx context.Context, s *session, set *declaredSet, filter catalog.SourceFilter) (int64, error) {
	if set.once == nil {
		return s.db.Want(ctx, s.arch.Run(), filter)
	}
	return int64(len(set.once.Sources)), s.db.WantListed(ctx, s.arch.Run(), declaredRows(set.once), filter.Now)
}

func (a *app) visitAll(ctx context.Context, e *engine, wanted int64) error {
	p := a.newProgress(wanted)
	e.observer = p
	outbox, release, err := a.outboxWorker(ctx, e)
	if err != nil {
		return err
	}
	err = e.crawlAll(ctx, e.cfg.Crawl.Concurrency, outbox, a.logger())
	p.finish()
	return errors.Join(err, release(), e.failure())
}

// readyCrawler makes the crawler of a run, or says what the configuration lacks.
func (a *app) readyCrawler(ctx context.Context, s *session) (*crawler.Crawler, error) {
	if err := checkContact(ctx, s.cfg, s.hosts); err != nil {
		return nil, err
	}
	return newCrawler(s.cfg, s.db, s.arch.Run(), s.arch.AnchoredSum, a.logger())
}

// outboxWorker returns the worker that submits while pages are visited; nil if
// submissions are off or another process makes them.
func (a *app) outboxWorker(ctx context.Context, e *engine) (worker *wayback.Worker, release func() error, err error) {
	nothing := func() error { return nil }
	if waybackOff(e.cfg) != "" {
		return nil, nothing, nil
	}
	unlock, alone, err := e.db.LockOutbox(ctx)
	if err != nil || !alone {
		return nil, nothing, err
	}
	client, observer, done, err := a.newObserver(ctx, e.session)
	if err != nil {
		return nil, nothing, errors.Join(err, unlock())
	}
	worker, err = a.newWaybackWorker(e.session, client, observer)
	if err != nil {
		done()
		return nil, nothing, errors.Join(err, unlock())
	}
	return worker, func() error { done(); return unlock() }, nil
}

// summary returns the counts; a fatal error of the archive is reported beside it.
func (e *engine) summary(ctx context.Context) summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sum.Unreached = int64(len(e.last))
	e.sum.Deferred = e.sum.Sources + e.again - e.completed
	e.sum.Interrupted = ctx.Err() != nil
	return e.sum
}

func newSummary(s *session, wanted int64) summary {
	return summary{Run: s.arch.Run(), Sources: wanted, Errors: map[string]int64{}, Grades: map[string]int64{}, WARCs: []archive.Sealed{}}
}

// finishRun seals, enters the run's summary and prints it.
func (a *app) finishRun(ctx context.Context, s *session, sum summary, began time.Time) (*summary, error) {
	base := context.WithoutCancel(ctx)
	sealed, err := s.arch.Seal(base)
	sum.WARCs = append(sum.WARCs, sealed...)
	if err == nil {
		_, err = a.deriveRun(base, s, &sum)
	}
	left, leftErr := s.db.Forget(base, s.arch.Run())
	leftErr = errors.Join(leftErr, offerCheckpoint(base, s))
	sum.Deferred = max(left, sum.Deferred)
	if waybackOff(s.cfg) == "" {
		report, statErr := waybackReport(base, s.cfg, s.db)
		leftErr = errors.Join(leftErr, statErr)
		if statErr == nil {
			sum.Wayback = &report.Waiting
		}
	}
	anchors, anchorErr := a.anchorRun(ctx, s)
	sum.anchorState, leftErr = anchors, errors.Join(leftErr, anchorErr)
	if s.sealed != nil && err == nil {
		err = s.sealed(base, &sum)
	}
	sum.Elapsed = float64(time.Since(began).Milliseconds()) / 1000
	text, marshalErr := json.Marshal(sum)
	err = errors.Join(err, leftErr, marshalErr, s.db.EndRun(base, s.arch.Run(), time.Now(), text))
	if a.json {
		err = errors.Join(err, a.printJSON(sum))
	} else {
		sum.print(a.stdout, s.cfg)
	}
	if !a.json && sum.Wayback == nil {
		a.talk("wayback: off (%s)", waybackOff(s.cfg))
	}
	return &sum, err
}

// sumError is the exit code of a run that worked.
func sumError(sum *summary, err error) error {
	if err != nil || sum == nil {
		return nil
	}
	if sum.Unreached > 0 || sum.Deferred > 0 {
		return withCode(exitPartly, fmt.Errorf("%d pages could not be captured, %d were not reached", sum.Unreached, sum.Deferred))
	}
	return nil
}

func (a *app) talkNothing(next time.Time) {
	if next.IsZero() {
		a.talk("nothing is due")
		return
	}
	a.talk("nothing is due before %s", next.Local().Format(time.DateTime))
}
