package wayback

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Limits are what we allow ourselves. The zero value means the defaults. The
// service's own limits (7 submits a minute and 3 slots at the last reading) are
// higher on purpose, and change.
type Limits struct {
	SubmitsPerMinute  int // default 6, evenly spaced
	RequestsPerMinute int // of all other requests, evenly spaced; default 30
	Slots             int // jobs at the same time; default 3, at most what the service offers
	// Patience is the longest wait inside a call; a longer pause is returned as
	// *HeldError. Default 2 minutes.
	Patience time.Duration
	// MaxAge ends an item that was never accepted: it becomes StateFailed.
	// Default 30 days.
	MaxAge time.Duration
	// TimeScale divides every interval of this package (spacing, pauses, retry
	// delays, polling, times until 00:00 UTC). For tests and demonstrations
	// against a stand-in only, where hours must pass in seconds: against the real
	// service anything but 1 breaks its limits. 0 means 1. Leases and network
	// timeouts are not scaled, since they guard against real time.
	TimeScale float64
}

// withDefaults fills in what is not set.
func (l Limits) withDefaults() Limits {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	set(&l.SubmitsPerMinute, 6)
	set(&l.RequestsPerMinute, 30)
	set(&l.Slots, 3)
	if l.Patience <= 0 {
		l.Patience = 2 * time.Minute
	}
	if l.MaxAge <= 0 {
		l.MaxAge = 30 * 24 * time.Hour
	}
	if !(l.TimeScale > 0) {
		l.TimeScale = 1
	}
	return l
}

// scaled turns an interval of the protocol into one of the clock.
func (l Limits) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / l.TimeScale)
}

// HeldError says that the pacer lets nothing pass before Until.
type HeldError struct {
	Until time.Time
	Cause *Error // the answer that caused the pause
}

// Error says how long and why.
func (e *HeldError) Error() string {
	s := "waiting until " + e.Until.UTC().Format(time.RFC3339)
	if e.Cause != nil {
		return fmt.Sprintf("%s after %s", s, e.Cause.Error())
	}
	return s
}

// Unwrap returns the cause.
func (e *HeldError) Unwrap() error {
	if e.Cause == nil {
		return nil
	}
	return e.Cause
}

// Pacer spaces requests, counts slots and carries pauses, for all goroutines of
// a process. All methods are safe for concurrent use.
type Pacer struct {
	limits Limits
	slots  chan struct{} // one token for each slot taken
	single chan struct{} // one token: see door

	mu          sync.Mutex
	nextSubmit  time.Time      // mu: earliest moment of the next submit
	nextRequest time.Time      // mu: likewise of other requests
	all         pause          // mu: for every request
	submits     pause          // mu: for submits only
	trouble     int            // mu: outages since the last good answer
	refusals    map[string]int // mu: ClassSlot answers in a row, by operation
}

// pause lets nothing pass before until.
type pause struct {
	until time.Time
	cause *Error
}

// NewPacer returns a pacer that has seen nothing yet.
func NewPacer(limits Limits) *Pacer {
	l := limits.withDefaults()
	return &Pacer{limits: l, slots: make(chan struct{}, l.Slots), single: make(chan struct{}, 1), refusals: make(map[string]int)}
}

// Limits returns the limits in force, defaults filled in.
func (p *Pacer) Limits() Limits { return p.limits }

// Submit waits for the turn of a submit. The turn is spent also if the caller
// does not use it. The error is *HeldError or ctx's.
func (p *Pacer) Submit(ctx context.Context) error {
	return p.wait(ctx, &p.nextSubmit, time.Minute/time.Duration(p.limits.SubmitsPerMinute), true)
}

// Request waits for the turn of any other request. The error is *HeldError or
// ctx's.
func (p *Pacer) Request(ctx context.Context) error {
	return p.wait(ctx, &p.nextRequest, time.Minute/time.Duration(p.limits.RequestsPerMinute), false)
}

// wait takes the next turn of next. If a pause has begun when the turn comes, the
// turn is given up and a new one taken after the pause; otherwise all who waited
// would pass at its end together.
func (p *Pacer) wait(ctx context.Context, next *time.Time, interval time.Duration, submit bool) error {
	for {
		if err := p.waitPauses(ctx, submit); err != nil {
			return err
		}
		p.mu.Lock()
		now := time.Now()
		turn := *next
		if turn.Before(now) {
			turn = now
		}
		*next = turn.Add(p.limits.scaled(interval))
		p.mu.Unlock()
		if err := sleep(ctx, turn.Sub(now)); err != nil {
			return err
		}
		if !p.paused(submit).until.After(time.Now()) {
			return nil
		}
	}
}

// waitPauses waits while a pause is on, and gives up on one longer than Patience.
func (p *Pacer) waitPauses(ctx context.Context, submit bool) error {
	for {
		on := p.paused(submit)
		left := time.Until(on.until)
		if left <= 0 {
			return ctx.Err()
		}
		if left > p.limits.scaled(p.limits.Patience) {
			return &HeldError{Until: on.until, Cause: on.cause}
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// paused returns the pause that ends last.
func (p *Pacer) paused(submit bool) pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	if submit && p.submits.until.After(p.all.until) {
		return p.submits
	}
	return p.all
}

// Slot waits until fewer than Limits.Slots are taken and takes one. release gives
// it back and may be called again.
func (p *Pacer) Slot(ctx context.Context) (release func(), err error) { return take(ctx, p.slots) }

// door lets one submit at a time ask for the service's free slots and be sent, so
// that no two take the same one.
func (p *Pacer) door(ctx context.Context) (release func(), err error) { return take(ctx, p.single) }

// take puts a token into tokens; release takes one out.
func take(ctx context.Context, tokens chan struct{}) (release func(), err error) {
	select {
	case tokens <- struct{}{}:
		return sync.OnceFunc(func() { <-tokens }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Seen tells the pacer of a submit that another process made at t, so that a
// restart does not submit faster than the limit.
func (p *Pacer) Seen(t time.Time) {
	next := t.Add(p.limits.scaled(time.Minute / time.Duration(p.limits.SubmitsPerMinute)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.After(p.nextSubmit) && next.Before(time.Now().Add(p.limits.scaled(time.Minute))) {
		p.nextSubmit = next
	}
}

// Hold lets no request pass for d (unscaled).
func (p *Pacer) Hold(d time.Duration, cause *Error) { p.hold(&p.all, d, cause) }

// HoldSubmits lets no submit pass for d (unscaled).
func (p *Pacer) HoldSubmits(d time.Duration, cause *Error) { p.hold(&p.submits, d, cause) }

// hold prolongs a pause, never shortens it.
func (p *Pacer) hold(on *pause, d time.Duration, cause *Error) {
	until := time.Now().Add(p.limits.scaled(d))
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(on.until) {
		*on = pause{until: until, cause: cause}
	}
}

// fine ends a series of outages, and of refusals of the same operation.
func (p *Pacer) fine(op string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = 0
	delete(p.refusals, op)
}

// judge draws the conclusions of an answer that concern every request.
func (p *Pacer) judge(e *Error) {
	switch e.Class {
	case ClassSlot:
		p.refused(e)
	case ClassTomorrowAccount, ClassOperator:
		p.HoldSubmits(untilTomorrow(time.Now()), e)
	case ClassOutage, ClassLost:
		p.outage(e)
	default:
		if e.RetryAfter > 0 {
			p.Hold(e.RetryAfter, e)
		}
	}
}

// refused pauses after "too fast" or "no session": longer each time until the
// same operation is answered well. A refused submit leaves questions about jobs
// alone.
func (p *Pacer) refused(e *Error) {
	p.mu.Lock()
	n := p.refusals[e.Op]
	p.refusals[e.Op] = n + 1
	p.mu.Unlock()
	d := max(e.RetryAfter, classes[ClassSlot].wait(n, time.Now()))
	if e.Op == "submit" {
		p.HoldSubmits(d, e)
		return
	}
	p.Hold(d, e)
}

// outage pauses everything, longer each time until an answer is good again:
// nothing for the first lost answer; 1, 5, 15, 60 minutes; at least 5 minutes
// if the service can't be reached or shows a page of HTML instead of an answer.
func (p *Pacer) outage(e *Error) {
	if e.Code == codePartial {
		return // an answer came; only it is useless
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var d time.Duration
	if now.After(p.all.until) || p.all.until.IsZero() { // else it is the same outage
		delays := classes[ClassOutage].delays
		step := p.trouble
		if e.Class == ClassLost {
			step--
		} else if e.Code == codeUnreachable || e.HTTPStatus == 200 {
			step = max(step, 1)
		}
		if step >= 0 {
			d = delays[min(step, len(delays)-1)]
		}
		p.trouble++
	}
	d = max(d, e.RetryAfter)
	if until := now.Add(p.limits.scaled(d)); until.After(p.all.until) {
		p.all = pause{until: until, cause: e}
	}
}

// untilTomorrow returns the time until the next 00:00 UTC, when the service's
// daily limits begin anew.
func untilTomorrow(now time.Time) time.Duration {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC).Sub(now)
}

// sleep waits for d or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
