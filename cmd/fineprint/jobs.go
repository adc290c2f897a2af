package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/fineprint-archive/fineprint/archive/catalog"
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
	again, err := w.engine.visitHost(ctx, job.Args.Host)
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
		err = migrateWith(ctx, func() (*rivermigrate.MigrateResult, error) {
			m, err := rivermigrate.New(riverpgxv5.New(pool), quiet)
			if err != nil {
				return nil, err
			}
			return m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		})
	} else {
		err = migrateWith(ctx, func() (*rivermigrate.MigrateResult, error) {
			m, err := rivermigrate.New(riversqlite.New(db.SQL()), quiet)
			if err != nil {
				return nil, err
			}
			return m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		})
	}
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	return nil
}

func migrateWith(_ context.Context, f func() (*rivermigrate.MigrateResult, error)) error {
	_, err := f()
	return err
}

// jobClient is the part of River that a run uses, on either database.
type jobClient interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	InsertMany(ctx context.Context, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
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
		FetchCooldown:     5 * time.Millisecond,
		FetchPollInterval: 100 * time.Millisecond,
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

// crawlAll visits everything that the run wants. An interrupt lets the looks in
// flight end and begins no other.
func (e *engine) crawlAll(ctx context.Context, workers int, log *slog.Logger) error {
	if err := migrateJobs(ctx, e.db); err != nil {
		return err
	}
	// River names allow letters, digits, - and _.
	queue := "run-" + e.arch.Run()
	woken := make(chan struct{}, 1)
	jobs, err := newJobs(e.db, queue, workers, func(w *river.Workers) {
		river.AddWorker(w, &hostWorker{engine: e, done: woken})
	}, log)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := e.enqueueHosts(ctx, jobs, queue); err != nil {
		return err
	}
	base := context.WithoutCancel(ctx)
	if err := jobs.Start(base); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	waitErr := e.await(ctx, woken)
	stopErr := jobs.Stop(base)
	return errors.Join(waitErr, stopErr)
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
		if ctx.Err() != nil || due+later == 0 || e.stopped() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-tick.C:
		}
	}
}
