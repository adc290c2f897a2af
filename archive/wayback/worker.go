package wayback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// What the protocol's measurements say about jobs; all scaled by TimeScale.
const (
	pollFirst = 5 * time.Second  // after the acceptance; then half as long again each time
	pollLast  = 60 * time.Second // the longest time between two questions
	// jobLife is how long a job is asked for. Captures take 20 to 120 seconds; a
	// job pending for longer was forgotten.
	jobLife = 10 * time.Minute
	// jobWindow is how long a job id means something, and how long the same
	// address is answered with the same job.
	jobWindow = time.Hour
	// askTimes is how often the free slots are asked for before one submit, while
	// there is none.
	askTimes = 3
	// idlePoll is how often a carrier without work looks for new items while
	// others still work.
	idlePoll = 5 * time.Second
	// maxSubmits ends an item whose jobs are accepted and never resolved.
	maxSubmits = 4
)

const (
	leaseTime   = 3 * time.Minute  // more than two requests of the default timeout
	saveTimeout = 15 * time.Second // for saves that must survive a cancelled run
)

// WorkerConfig configures a Worker.
type WorkerConfig struct {
	Client *Client // required
	Outbox Outbox  // required
	// Owner names this worker in leases. A name that stays the same over restarts
	// (and is used by one process at a time) finds the items of a crash at once;
	// other workers find them after the lease of three minutes. Required.
	Owner string
	// Screenshot asks for a picture with every capture.
	Screenshot bool
	Logger     *slog.Logger // may be nil
}

// Worker carries items of an outbox through Save Page Now. One Run at a time.
type Worker struct {
	client     *Client
	pacer      *Pacer
	limits     Limits
	outbox     Outbox
	owner      string
	screenshot bool
	log        *slog.Logger
}

// NewWorker returns a worker.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	if cfg.Client == nil || cfg.Outbox == nil || cfg.Owner == "" {
		return nil, errors.New("wayback worker: a client, an outbox and an owner are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		client: cfg.Client, pacer: cfg.Client.pacer, limits: cfg.Client.pacer.limits,
		outbox: cfg.Outbox, owner: cfg.Owner, screenshot: cfg.Screenshot, log: cfg.Logger,
	}, nil
}

// Stats says what one Run did.
type Stats struct {
	Submits    int // POST requests, repeated ones included
	Repeats    int // of these: because an answer was lost or a job was not resolved
	Accepted   int
	Reported   int
	Retried    int // sent back to wait, with an attempt used up
	Waited     int // sent back to wait, without
	Unresolved int
	Refused    int
	Failed     int
	Divergent  int
	// NextAction is when something can be done again; zero if nothing is left.
	NextAction time.Time
	// Stopped is the class that stopped the whole queue, with its words in
	// Reason; empty if the run ended because nothing more was due.
	Stopped Class
	Reason  string
}

// Run works the outbox until nothing more can be done now: nothing is due within
// Limits.Patience, or the whole queue has to wait (Stats.Stopped; jobs that were
// accepted are followed to their end all the same). It ends early when until,
// asked between items, returns true (until may be nil), or when ctx ends, with
// what is in hand put back durably and a nil error. Trouble with the Archive is
// not an error but for refused keys, which are an *Error of ClassKeysRefused;
// other errors are the outbox's.
func (w *Worker) Run(ctx context.Context, until func() bool) (Stats, error) {
	if until == nil {
		until = func() bool { return false }
	}
	r := &run{Worker: w, until: until, hosts: make(map[string]time.Time), open: make(map[int64]time.Time), done: make(chan struct{})}
	var wg sync.WaitGroup
	for i := range w.limits.Slots {
		wg.Go(func() { r.carry(ctx, fmt.Sprintf("%s#%d", w.owner, i+1)) })
	}
	wg.Wait()
	r.finish()
	r.log.Info("wayback run ended", "submits", r.stats.Submits, "reported", r.stats.Reported,
		"stopped", string(r.stats.Stopped), "reason", r.stats.Reason, "next", r.stats.NextAction)
	return r.stats, r.err
}
