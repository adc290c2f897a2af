package crawler

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// leaseTTL is how long a lease outlives the last sign of life of its owner:
	// a host is free again within ten seconds of a kill.
	leaseTTL = 6 * time.Second
	// leaseRenew is the time between two heartbeats, one for all hosts.
	leaseRenew = 1500 * time.Millisecond
	// leaseIdle is how long a host stays ours after its last exchange.
	leaseIdle = 3 * time.Second
	// leasePoll is the shortest time between two questions for a lease that
	// another process holds; up to as much again is added by chance.
	leasePoll = 250 * time.Millisecond
	// hostsSweep is the time between two searches for hosts to forget.
	hostsSweep = time.Minute
)

// hostTurns keeps the peace with the hosts: over all visits of this process, and
// through Leases over all processes, a host has at most one exchange in flight,
// and its requests start no closer together than its interval. It is safe for
// concurrent use.
//
// A turn is held for one exchange only, never while waiting for another host,
// so redirects and requisites across hosts cannot lock each other out. Turns of
// a host are given in the order they were asked for.
type hostTurns struct {
	leases Leases // nil: this process is alone
	owner  string
	delay  time.Duration
	random func() float64
	log    *slog.Logger

	mu     sync.Mutex
	hosts  map[string]*host // guarded by mu
	swept  time.Time        // guarded by mu
	stop   chan struct{}    // ends the keeper; nil while none runs; guarded by mu
	closed bool             // guarded by mu
	keeper sync.WaitGroup
}

// host is the state of one host, guarded by hostTurns.mu.
type host struct {
	key     string
	busy    bool            // someone has the turn
	queue   []chan struct{} // who waits for the turn, first come first; closed to hand it over
	next    time.Time       // earliest start of the next request
	limited time.Time       // until when the server asked us to stay away
	crawl   time.Duration   // Crawl-delay of its robots.txt
	started time.Time       // start of the last request of this process

	leased  bool      // the row in the lease store is ours
	renewed time.Time // wall clock of its last renewal
	idle    time.Time // end of the last turn
}

// newHosts returns the turns of all hosts. close must be called.
func newHosts(leases Leases, owner string, delay time.Duration, random func() float64, log *slog.Logger) *hostTurns {
	return &hostTurns{leases: leases, owner: owner, delay: delay, random: random, log: log, hosts: map[string]*host{}}
}

// HostKey returns the name under which a host is kept: its name in lower case,
// with the port unless it is that of http or https, so that both schemes of a
// site share one turn.
func HostKey(u *url.URL) string {
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || port == "80" || port == "443" {
		return name
	}
	return name + ":" + port
}

// nextAllowed returns the time from which a host may be asked again, as far as
// this process knows: the zero time if that is now. The key is that of HostKey.
func (h *hostTurns) nextAllowed(key string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.hosts[key]; s != nil && s.next.After(time.Now()) {
		return s.next
	}
	return time.Time{}
}

// setCrawlDelay sets the Crawl-delay of a host, from its robots.txt.
func (h *hostTurns) setCrawlDelay(key string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.hosts[key]; s != nil {
		s.crawl = d
		if d > 0 && !s.started.IsZero() {
			// The request for robots.txt itself counts.
			s.next = later(s.next, s.started.Add(d))
		}
	} else if d > 0 {
		h.hosts[key] = &host{key: key, crawl: d, idle: time.Now()}
	}
}

// turn is the right to send one request to a host.
type turn struct {
	hosts *hostTurns
	host  *host
	start time.Time
}

// acquire waits for the turn of a host, at most until the deadline. Beside the
// context's end it fails with the codes host-busy (another visit or process kept
// the host for longer), rate-limited (the server asked for a longer pause) and
// storage (the lease store failed). The caller ends the turn with done.
func (h *hostTurns) acquire(ctx context.Context, key string, deadline time.Time) (*turn, error) {
	s, err := h.enqueue(ctx, key, deadline)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(ctx, s, deadline); err != nil {
		h.release(s)
		return nil, err
	}
	t := &turn{hosts: h, host: s, start: time.Now()}
	h.mu.Lock()
	h.space(s, t.start)
	h.mu.Unlock()
	return t, nil
}

// done ends a turn. Began is when the request was sent (zero if none was),
// until is the time before which the server asked not to be asked again (zero
// if it did not).
func (t *turn) done(began, until time.Time) {
	if began.Before(t.start) {
		began = t.start
	}
	h := t.hosts
	h.mu.Lock()
	h.space(t.host, began)
	if until.After(t.host.limited) {
		t.host.limited = until
		t.host.next = later(t.host.next, until)
	}
	h.mu.Unlock()
	h.release(t.host)
}

// space keeps the next request an interval away from one that started at the
// given time. The caller holds mu.
func (h *hostTurns) space(s *host, start time.Time) {
	s.started = later(s.started, start)
	interval := s.crawl
	if h.delay > 0 {
		// A fiftieth on top, so that a server that counts from the arrival of
		// one request to that of the next sees no less than the delay; up to a
		// quarter by chance.
		jitter := h.delay/50 + time.Duration(h.random()*float64(h.delay/4))
		interval = max(interval, h.delay+jitter)
	}
	if interval > 0 {
		s.next = later(s.next, start.Add(interval))
	}
}

// enqueue waits until the host's turn is ours.
func (h *hostTurns) enqueue(ctx context.Context, key string, deadline time.Time) (*host, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, errors.New("crawler is closed")
	}
	h.sweep()
	s := h.hosts[key]
	if s == nil {
		s = &host{key: key}
		h.hosts[key] = s
	}
	if !s.busy {
		s.busy = true
		h.mu.Unlock()
		return s, nil
	}
	mine := make(chan struct{})
	s.queue = append(s.queue, mine)
	h.mu.Unlock()

	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	var err error
	select {
	case <-mine:
		return s, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = errorf(CodeHostBusy, "host %s: other looks were before this one for too long", key)
	}
	h.leave(s, mine)
	return nil, err
}

// leave gives up a place in the queue, or the turn if it came just then.
func (h *hostTurns) leave(s *host, mine chan struct{}) {
	h.mu.Lock()
	for i, c := range s.queue {
		if c == mine {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			h.mu.Unlock()
			return
		}
	}
	h.mu.Unlock()
	h.release(s)
}

// release hands the turn to the next in the queue.
func (h *hostTurns) release(s *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.queue) > 0 {
		close(s.queue[0])
		s.queue = s.queue[1:]
		return
	}
	s.busy = false
	s.idle = time.Now()
}

// prepare takes the lease, if it is not ours, and waits for the interval. The
// turn is the caller's.
func (h *hostTurns) prepare(ctx context.Context, s *host, deadline time.Time) error {
	for {
		h.mu.Lock()
		now := time.Now()
		wait := s.next.Sub(now)
		limited := s.limited.After(now)
		leased := h.leases == nil || s.leased && now.Round(0).Sub(s.renewed) < leaseTTL-time.Second
		h.mu.Unlock()
		switch {
		case wait > 0 && now.Add(wait).After(deadline):
			return s.tooLong(wait, limited)
		case leased && wait <= 0:
			return nil
		case leased:
			if err := sleep(ctx, wait); err != nil {
				return err
			}
		default:
			if err := h.lease(ctx, s, deadline); err != nil {
				return err
			}
		}
	}
}

// tooLong is the error for a wait that the look has no time for.
func (s *host) tooLong(wait time.Duration, limited bool) *Error {
	e := errorf(CodeHostBusy, "host %s: its next request is %s away", s.key, wait.Round(time.Second))
	if limited {
		e = errorf(CodeRateLimited, "host %s: asked for a pause that ends in %s", s.key, wait.Round(time.Second))
	}
	e.RetryAfter = wait
	return e
}

// lease asks the lease store for the host until it is ours.
func (h *hostTurns) lease(ctx context.Context, s *host, deadline time.Time) error {
	for {
		asked := time.Now()
		next, ok, err := h.leases.TakeLease(ctx, s.key, h.owner, leaseTTL)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errorf(CodeStorage, "lease of host %s: %w", s.key, err)
		}
		if ok {
			h.mu.Lock()
			s.leased, s.renewed = true, asked.Round(0)
			// Nobody asks for a longer pause than that: the time was written by
			// a process whose clock was ahead.
			if !next.After(asked.Add(maxPause)) {
				s.next = later(s.next, next)
			}
			h.keep()
			h.mu.Unlock()
			return nil
		}
		pause := leasePoll + time.Duration(h.random()*float64(leasePoll))
		if time.Now().Add(pause).After(deadline) {
			return errorf(CodeHostBusy, "host %s: another process holds it", s.key)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// sweep forgets hosts of which nothing is left to know. The caller holds mu.
func (h *hostTurns) sweep() {
	now := time.Now()
	if now.Sub(h.swept) < hostsSweep {
		return
	}
	h.swept = now
	for key, s := range h.hosts {
		if !s.busy && !s.leased && s.next.Before(now) && now.Sub(s.idle) > hostsSweep {
			delete(h.hosts, key)
		}
	}
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sleep waits, at most until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
