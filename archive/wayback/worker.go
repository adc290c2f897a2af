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
	// maxURLDay is the most submits of an address in a day. The service takes five,
	// from all its users together.
	maxURLDay = 4
	// ghostLife is how long after it was given up a submit may begin its job.
	ghostLife = 2 * time.Minute
	// indexWait is how long after a job's end its capture is looked for.
	indexWait = 10 * time.Minute
	// clockSlack is by how much the service's clock may be behind ours.
	clockSlack = 5 * time.Minute
)

const (
	leaseTime    = 5 * time.Minute  // more than four requests of the default timeout
	readLease    = 15 * time.Minute // two requests, each after the pacer's patience
	readCarriers = 2                // one waits for an answer while the other is paced
	saveTimeout  = 15 * time.Second // for saves that must survive a cancelled run
)

// WorkerConfig configures a Worker.
type WorkerConfig struct {
	// Client is required. One without keys reads back and submits nothing.
	Client *Client
	Outbox Outbox // required
	// Owner names this worker in leases. A name that stays the same over restarts
	// (and is used by one process at a time) finds the items of a crash at once;
	// other workers find them after their lease, 5 or 15 minutes. Required.
	Owner string
	// Reader reads captures back. Without one, that work is left to others: items
	// stay reported.
	Reader Reader
	// DailyCaptures is the most submits of one day (UTC); the account's own limit
	// holds besides. 0 is no limit of ours.
	DailyCaptures int
	// Screenshot asks for a picture with every capture.
	Screenshot bool
	Logger     *slog.Logger // may be nil

	// Step, if set, is called before each durable step with its name. Tests stop the
	// process there.
	Step func(name string)
}

// Worker carries items of an outbox through Save Page Now. One Run at a time.
type Worker struct {
	client     *Client
	pacer      *Pacer
	limits     Limits
	outbox     Outbox
	reader     Reader
	search     searcher
	daily      int
	owner      string
	screenshot bool
	log        *slog.Logger
	mark       func(step string)
}

// NewWorker returns a worker.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	if cfg.Client == nil || cfg.Outbox == nil || cfg.Owner == "" {
		return nil, errors.New("wayback worker: a client, an outbox and an owner are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	return &Worker{
		client: cfg.Client, pacer: cfg.Client.pacer, limits: cfg.Client.pacer.limits,
		outbox: cfg.Outbox, reader: cfg.Reader, search: clientSearch(cfg.Client), daily: cfg.DailyCaptures,
		owner: cfg.Owner, screenshot: cfg.Screenshot, log: cfg.Logger, mark: cfg.Step,
	}, nil
}

// Stats says what one Run did.
type Stats struct {
	Submits    int // POST requests, repeated ones included
	Repeats    int // of these: because an answer was lost or a job was not resolved
	Accepted   int
	Reported   int
	Linked     int // of these: because the index had a capture
	Retried    int // sent back to wait, with an attempt used up
	Waited     int // sent back to wait, without
	Unresolved int
	Refused    int
	Failed     int
	Divergent  int // also of read-backs
	Looks      int // read-backs that were answered
	Replayed   int // of these: the first that replayed their captures
	Confirmed  int // likewise, more than 24 hours after they were made
	Gone       int
	// NextAction is when something can be done again; zero if nothing is left.
	NextAction time.Time
	// Stopped is the class that stopped the whole queue, with its words in
	// Reason; empty if the run ended because nothing more was due.
	Stopped Class
	Reason  string
}

// Run works the outbox until nothing more can be done now: nothing is due within
// Limits.Patience, or the whole queue has to wait (Stats.Stopped; jobs that were
// accepted are followed to their end all the same, and captures are read back
// unless all requests have to wait). It ends early when until, asked between
// items, returns true (until may be nil), or when ctx ends, with what is in hand
// put back durably and a nil error. Trouble with the Archive is not an error but
// for refused keys, which are an *Error of ClassKeysRefused; other errors are the
// outbox's and the reader's.
func (w *Worker) Run(ctx context.Context, until func() bool) (Stats, error) {
	if until == nil {
		until = func() bool { return false }
	}
	r := newRun(w, until)
	carriers := make(map[Work]int)
	if w.client.keys != (Keys{}) {
		carriers[WorkSubmit] = w.limits.Slots
	}
	if w.reader != nil {
		carriers[WorkRead] = readCarriers
	}
	for work, n := range carriers {
		r.alive[work] = n
	}
	var wg sync.WaitGroup
	for work, n := range carriers {
		for i := range n {
			wg.Go(func() { r.carry(ctx, work, fmt.Sprintf("%s#%s%d", w.owner, ownerMarks[work], i+1)) })
		}
	}
	wg.Wait()
	r.finish()
	r.log.Info("wayback run ended", "submits", r.stats.Submits, "reported", r.stats.Reported, "looks", r.stats.Looks,
		"confirmed", r.stats.Confirmed, "stopped", string(r.stats.Stopped), "reason", r.stats.Reason, "next", r.stats.NextAction)
	return r.stats, r.err
}

// ownerMarks tell the carriers of the kinds of work apart.
var ownerMarks = map[Work]string{WorkSubmit: "", WorkRead: "read"}
