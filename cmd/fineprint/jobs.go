package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// River wakes the workers: one job for each host that has something due. It
// holds no truth: a job that is lost, doubled or stuck changes nothing but the
// moment of a visit, because the catalog says what is due and the host's lease
// says who may visit.

// hostJob asks a worker of one run to visit a host.
type hostJob struct {
	Run  string `json:"run"`
	Host string `json:"host"`
}

// Kind names the job in River's table.
func (hostJob) Kind() string { return "visit-host" }

// hostWorker runs host jobs of its own run. Jobs of other runs on the same
// database are of a queue of their own.
type hostWorker struct {
	river.WorkerDefaults[hostJob]
	engine *engine
	done   chan<- struct{}
}

// Work visits the host and comes back later while something of it remains.
func (w *hostWorker) Work(ctx context.Context, job *river.Job[hostJob]) error {
	w.engine.looks.Add(1)
	again, err := w.engine.visitHost(ctx, job.Args.Host)
	w.engine.looks.Done()
	select {
	case w.done <- struct{}{}:
	default: // the run looks anyway
	}
	if err != nil {
		return river.JobCancel(err)
	}
	if again.IsZero() {
		return nil
	}
	return river.JobSnooze(max(0, time.Until(again)))
}

// Timeout is none: every visit has a time limit of its own, and a job stops
// between visits.
func (w *hostWorker) Timeout(*river.Job[hostJob]) time.Duration { return -1 }

// migrateJobs brings River's tables up to date.
func migrateJobs(ctx context.Context, db *catalog.DB) error {
	quiet := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	var err error
	if pool := db.Pool(); pool != nil {
		err = migrateUp(ctx, riverpgxv5.New(pool), quiet)
	} else {
		err = migrateUp(ctx, riversqlite.New(db.SQL()), quiet)
	}
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	return nil
}

func migrateUp[T any](ctx context.Context, driver riverdriver.Driver[T], cfg *rivermigrate.Config) error {
	m, err := rivermigrate.New(driver, cfg)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// waybackJob asks a worker to work the outbox while the run goes on.
type waybackJob struct{}

// Kind names the job in River's table.
func (waybackJob) Kind() string { return "wayback-outbox" }

// outboxWorker submits what waits while pages are visited. It ends with the
// visits: what is left is for the next run or for `fineprint wayback submit`.
type outboxWorker struct {
	river.WorkerDefaults[waybackJob]
	worker *wayback.Worker
	ended  func() bool // the visits are over
	log    *slog.Logger
}

// Work works the outbox and comes back when something can be done again.
func (w *outboxWorker) Work(ctx context.Context, _ *river.Job[waybackJob]) error {
	stats, err := w.worker.Run(ctx, w.ended)
	switch {
	case err != nil:
		w.log.Error("wayback", "err", err)
		return river.JobCancel(err)
	case w.ended() || ctx.Err() != nil:
		return nil
	}
	// New rows come with every look, so it looks often.
	const often = 5 * time.Second
	wait := often
	if !stats.NextAction.IsZero() {
		wait = min(often, max(0, time.Until(stats.NextAction)))
	}
	return river.JobSnooze(wait)
}

// Timeout is none: the worker ends with the run.
func (w *outboxWorker) Timeout(*river.Job[waybackJob]) time.Duration { return -1 }

// jobClient is the part of River that a run uses, on either database.
type jobClient interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	InsertMany(ctx context.Context, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
	QueueList(ctx context.Context, params *river.QueueListParams) (*river.QueueListResult, error)
	JobDeleteMany(ctx context.Context, params *river.JobDeleteManyParams) (*river.JobDeleteManyResult, error)
}

// newJobs makes the River client of one run: one queue, so that runs on the
// same database do not take each other's jobs.
func newJobs(db *catalog.DB, queue string, workers int, register func(*river.Workers), log *slog.Logger) (jobClient, error) {
	bundle := river.NewWorkers()
	register(bundle)
	cfg := &river.Config{
		Logger:            log,
		Workers:           bundle,
		Queues:            map[string]river.QueueConfig{queue: {MaxWorkers: workers}},
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: 200 * time.Millisecond,
		// A killed run leaves jobs behind; nobody waits for them, but the table
		// should not keep them for long.
		RescueStuckJobsAfter:        15 * time.Minute,
		CompletedJobRetentionPeriod: time.Hour,
		CancelledJobRetentionPeriod: time.Hour,
		DiscardedJobRetentionPeriod: time.Hour,
		PollOnly:                    true,
	}
	if pool := db.Pool(); pool != nil {
		return river.NewClient(riverpgxv5.New(pool), cfg)
	}
	return river.NewClient(riversqlite.New(db.SQL()), cfg)
}

// enqueueHosts makes a job for each host that has something due in the run.
func (e *engine) enqueueHosts(ctx context.Context, jobs jobClient, queue string) error {
	hosts, err := e.db.DueHosts(ctx, e.arch.Run(), time.Now())
	if err != nil {
		return err
	}
	const batch = 500
	for len(hosts) > 0 {
		n := min(batch, len(hosts))
		params := make([]river.InsertManyParams, n)
		for i, h := range hosts[:n] {
			params[i] = river.InsertManyParams{
				Args:       hostJob{Run: e.arch.Run(), Host: h.Host},
				InsertOpts: &river.InsertOpts{Queue: queue, MaxAttempts: 1},
			}
		}
		if _, err := jobs.InsertMany(ctx, params); err != nil {
			return fmt.Errorf("wake workers: %w", err)
		}
		hosts = hosts[n:]
	}
	return nil
}

// queuePrefix begins the names of River queues; each run has one of its own.
const queuePrefix = "run-"

// crawlAll visits everything that the run wants. An interrupt lets the looks in
// flight end and begins no other. outbox, if not nil, is worked meanwhile.
func (e *engine) crawlAll(ctx context.Context, workers int, outbox *wayback.Worker, log *slog.Logger) error {
	if err := migrateJobs(ctx, e.db); err != nil {
		return err
	}
	queue := queuePrefix + e.arch.Run()
	woken := make(chan struct{}, 1)
	ended := make(chan struct{})
	over := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	if outbox != nil {
		workers++
	}
	jobs, err := newJobs(e.db, queue, workers, func(w *river.Workers) {
		river.AddWorker(w, &hostWorker{engine: e, done: woken})
		river.AddWorker(w, &outboxWorker{worker: outbox, ended: over, log: log})
	}, log)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if outbox != nil {
		_, err := jobs.InsertMany(ctx, []river.InsertManyParams{{Args: waybackJob{}, InsertOpts: &river.InsertOpts{Queue: queue, MaxAttempts: 1}}})
		if err != nil {
			return fmt.Errorf("wake workers: %w", err)
		}
	}
	if err := e.enqueueHosts(ctx, jobs, queue); err != nil {
		return err
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := jobs.Start(base); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	waitErr := e.await(ctx, woken)
	e.finish()
	close(ended)
	stopErr := e.stopJobs(base, cancel, jobs, outbox != nil)
	return errors.Join(waitErr, stopErr, sweepJobs(context.WithoutCancel(ctx), jobs, queue))
}

// stopJobs lets the looks in flight end. The outbox is not waited for: its
// requests are cut, and what is in hand is put back durably.
func (e *engine) stopJobs(ctx context.Context, cancel func(), jobs jobClient, outbox bool) error {
	if outbox {
		e.looks.Wait()
		cancel()
		return jobs.StopAndCancel(context.WithoutCancel(ctx))
	}
	return jobs.Stop(ctx)
}

// sweepJobs deletes the jobs of this run and of runs that died: they woke
// workers that are gone, and hold no truth.
func sweepJobs(ctx context.Context, jobs jobClient, queue string) error {
	dead := []string{queue}
	list, err := jobs.QueueList(ctx, river.NewQueueListParams().First(1000))
	if err != nil {
		return fmt.Errorf("list job queues: %w", err)
	}
	for _, q := range list.Queues {
		// A living client refreshes its queue every few minutes.
		if strings.HasPrefix(q.Name, queuePrefix) && time.Since(q.UpdatedAt) > time.Hour {
			dead = append(dead, q.Name)
		}
	}
	if _, err := jobs.JobDeleteMany(ctx, river.NewJobDeleteManyParams().Queues(dead...).First(10_000)); err != nil {
		return fmt.Errorf("delete finished jobs: %w", err)
	}
	return nil
}

// await returns when nothing of the run remains, when the run must stop, or
// when it is interrupted.
func (e *engine) await(ctx context.Context, woken <-chan struct{}) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		due, later, _, err := e.db.Remaining(ctx, e.arch.Run(), time.Now())
		if err != nil && ctx.Err() == nil {
			return err
		}
		if due+later == 0 || e.stopped() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-tick.C:
		}
	}
}
