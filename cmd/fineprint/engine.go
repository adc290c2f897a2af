package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// engine visits the wanted sources of one run. The workers that call it are
// woken by River (jobs.go); what is due, who may visit which host, and what
// became of a look stand in the catalog.
type engine struct {
	*session
	crawler     *crawler.Crawler
	observer    observer
	interrupted func() error // Err of the run's context

	looks sync.WaitGroup // host jobs at work

	mu        sync.Mutex // guards what follows
	over      bool       // no further look begins
	fatal     error      // why no further look may begin; nil while looks may
	failures  int        // what fatal stands for: looks that could not be kept
	sum       summary
	again     int64                  // sources that were wanted a second time, to confirm what is new
	completed int64                  // sources with their last look of this run, each time they were wanted
	last      map[string]warc.Result // by source: result of its last look in this run, while it is not captured
}

// observer is told of each finished look, by many goroutines.
type observer interface {
	look(row catalog.LookRow)
}

// shortWait is what a worker waits for its host before it turns to another.
const shortWait = 200 * time.Millisecond

// maxPause is how long a run waits for a host, or for a further look at a page
// that failed. What has to wait longer is left to a later run.
const maxPause = 2 * time.Minute

// pagesPerJob bounds how long a job holds its worker; the job is put back
// behind the others when more of its host is due.
const pagesPerJob = 50

// visitHost looks at sources of one host until none is due, until the host asks
// for a pause, or until its share is used up. again is when to come back; zero
// means that nothing of the host remains.
func (e *engine) visitHost(ctx context.Context, host string) (again time.Time, err error) {
	due, err := e.db.DueSources(ctx, e.arch.Run(), host, time.Now(), pagesPerJob)
	if err != nil {
		return time.Time{}, err
	}
	pause, err := e.visitAll(ctx, due)
	switch {
	case err == nil && time.Until(pause) > maxPause:
		_, err = e.db.Postpone(ctx, e.arch.Run(), host, "", pause)
		return time.Time{}, err
	case err != nil:
		e.stop(err)
		return time.Time{}, err
	case e.stopped():
		return time.Time{}, nil
	case !pause.IsZero():
		return pause, nil
	case len(due) == pagesPerJob:
		return time.Now(), nil
	}
	return e.laterAt(ctx, host)
}

// visitAll looks at sources of one host, one after the other, and returns when
// the looks stand in the catalog, since it will be asked again. pause is when
// the host may be asked for the rest; zero if there is none.
func (e *engine) visitAll(ctx context.Context, due []catalog.SourceState) (pause time.Time, err error) {
	var entering sync.WaitGroup
	defer func() {
		e.arch.Flush()
		entering.Wait()
	}()
	for _, source := range due {
		if e.stopped() {
			return time.Time{}, nil
		}
		if next := e.crawler.NextAllowed(source.URL); time.Until(next) > shortWait {
			return next, nil
		}
		if err := e.visit(ctx, source, &entering); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, nil
}

// laterAt returns when a further look at a source of the host is due in this
// run; zero if none will be.
func (e *engine) laterAt(ctx context.Context, host string) (time.Time, error) {
	far := time.Now().Add(1000 * 24 * time.Hour)
	later, err := e.db.DueSources(ctx, e.arch.Run(), host, far, 1)
	if err != nil || len(later) == 0 {
		return time.Time{}, err
	}
	return later[0].NextAt, nil
}

// visit makes one look; entering is done when the look stands in the catalog. An
// error means that the archive could not keep it.
func (e *engine) visit(ctx context.Context, state catalog.SourceState, entering *sync.WaitGroup) error {
	source, documents, err := declaration.ParseCanonical(state.Canonical)
	if err != nil {
		return fmt.Errorf("declaration of source %s: %w", state.ID, err)
	}
	look, err := e.arch.Begin(context.WithoutCancel(ctx), source, state.Canonical, &state)
	if errors.Is(err, catalog.ErrLookBegun) {
		_, err = e.db.Postpone(ctx, e.arch.Run(), "", state.ID, time.Now())
		return err
	}
	if err != nil {
		return err
	}
	m := e.crawler.Visit(ctx, source, look, e.ask(source, state))
	if m.Error == string(crawler.CodeStorage) {
		look.Abandon()
		return fmt.Errorf("look at %s: %s", source.URL, m.Detail)
	}
	plan := e.plan(source, state, &m)
	entering.Add(1)
	err = look.Finish(context.WithoutCancel(ctx), &m, plan, func(row catalog.LookRow, err error) {
		defer entering.Done()
		if err != nil {
			e.stop(err)
			return
		}
		e.count(row, plan.Retry)
		describe(&row, documents)
		e.observer.look(row)
	})
	if err != nil {
		entering.Done()
		return err
	}
	sealed, err := e.arch.SealIfLarge(context.WithoutCancel(ctx))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sum.WARCs = append(e.sum.WARCs, sealed...)
	return err
}

// describe adds to a row what the catalog joins when it lists looks.
func describe(row *catalog.LookRow, documents []declaration.Document) {
	for _, d := range documents {
		row.Documents = append(row.Documents, d.ID)
	}
	if len(documents) > 0 {
		d := documents[0]
		row.Service, row.ServiceID, row.Terms, row.Lang = d.Service, d.ServiceID, d.Terms, d.Lang
	}
}

// ask says what the visit may leave out: validators only from a whole capture
// with status 200, and not when a full fetch is due.
func (e *engine) ask(source declaration.Source, state catalog.SourceState) crawler.Ask {
	fullEvery := time.Duration(e.cfg.Crawl.FullEvery)
	if source.FullEvery > 0 {
		fullEvery = source.FullEvery
	}
	var ask crawler.Ask
	if state.Last.Time.Add(fullEvery).After(time.Now()) {
		ask.ETag, ask.LastModified, ask.ValidatorsFor = state.Last.ETag, state.Last.LastModified, state.Last.URL
	}
	ask.AlwaysRequisites = state.RequisitesAt.Add(fullEvery).Before(time.Now())
	return ask
}

// plan sets the next visit: soon after a passing failure while tries remain,
// else after the source's interval.
func (e *engine) plan(source declaration.Source, state catalog.SourceState, m *warc.Manifest) archive.Plan {
	every := time.Duration(e.cfg.Crawl.Every)
	if source.Every > 0 {
		every = source.Every
	}
	now := time.Now()
	p := archive.Plan{NextAt: now.Add(every)}
	delay, again := e.crawler.RetryDelay(m, state.Attempt+1)
	if !again {
		return p
	}
	p.NextAt = now.Add(delay)
	if delay <= maxPause {
		p.Retry = true
		p.Attempt = state.Attempt + 1
	}
	return p
}

// count adds a look to the summary.
func (e *engine) count(row catalog.LookRow, retry bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sum.add(row, retry)
	if !retry {
		e.completed++
	}
	if row.Result == warc.Failed {
		e.last[row.Source] = row.Result
	} else {
		delete(e.last, row.Source)
	}
}

// toldFailures bounds the errors that are told when a run has to stop.
const toldFailures = 2

// stop ends the run because of err: no further look begins. A full disk fails
// every look in flight alike, so the first errors are told and the rest counted.
func (e *engine) stop(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failures++; e.failures <= toldFailures {
		e.fatal = errors.Join(e.fatal, err)
	}
}

// failure is what stopped the run, nil if nothing did.
func (e *engine) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failures > toldFailures {
		return fmt.Errorf("%w\nand %d more looks could not be kept", e.fatal, e.failures-toldFailures)
	}
	return e.fatal
}

// stopped reports whether no further look may begin, from the moment on at which
// the run is interrupted.
func (e *engine) stopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over || e.fatal != nil || e.interrupted() != nil
}

// finish lets no further look begin.
func (e *engine) finish() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
}

// goOn lets looks begin again, unless something has broken.
func (e *engine) goOn() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = false
}
