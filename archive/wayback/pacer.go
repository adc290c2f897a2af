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
	SubmitsPerMinute int // default 6, evenly spaced, as are the others
	IndexPerMinute   int // questions to the index; default 24, which is 80% of what the service allows
	ReplaysPerMinute int // default 120, at most 480, which is 80% likewise
	// RequestsPerMinute is for all other requests; default 30.
	RequestsPerMinute int
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
	set(&l.IndexPerMinute, 24)
	set(&l.ReplaysPerMinute, 120)
	l.ReplaysPerMinute = min(l.ReplaysPerMinute, maxReplays)
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

// Today returns the beginning of the day (UTC) that the service's limits are for.
func (l Limits) Today(now time.Time) time.Time {
	day := int64(l.withDefaults().scaled(24 * time.Hour))
	return time.Unix(0, now.UnixNano()/day*day).UTC()
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

// Kind says which limit a request counts against.
type Kind string

// The kinds.
const (
	KindSubmit Kind = "submit" // POST /save
	KindIndex  Kind = "index"  // the index, and the TimeMap, which is made of it
	KindReplay Kind = "replay" // captures, and the TimeGate
	KindOther  Kind = "other"  // statuses, Availability
)

// maxReplays is the most replays a minute, whatever is configured.
const maxReplays = 480

// Pacer spaces requests by their kind, counts slots and carries pauses, for all
// goroutines of a process. Only one process may speak to the Archive at a time;
// the next one goes on with what State told (see Restore). All methods are safe
// for concurrent use.
//
// Its intervals are measured on the monotonic clock, so a wall clock that is
// wrong or set anew changes neither spacing nor pauses. It decides only when
// "tomorrow" is, and what of a restored state is left.
type Pacer struct {
	limits Limits
	lines  map[Kind]*line // not changed
	slots  *slots
	single chan struct{} // one token: see door

	mu       sync.Mutex
	all      pause          // mu: for every request
	submits  pause          // mu: for submits only
	trouble  int            // mu: outages since the last good answer
	refusals map[string]int // mu: ClassSlot answers in a row, by operation

	told     sync.Mutex       // held while onChange runs, so that the last call has the last state
	onChange func(PacerState) // told
}

// line is where requests of a kind wait: the first one for its turn, the others
// for the first one. Who gives up costs the others nothing.
type line struct {
	first    chan struct{} // one token
	interval time.Duration // unscaled
	next     time.Time     // Pacer.mu: the earliest moment of the next turn
}

// pause lets nothing pass before until.
type pause struct {
	until time.Time
	cause *Error
}

// NewPacer returns a pacer that has seen nothing yet.
func NewPacer(limits Limits) *Pacer {
	l := limits.withDefaults()
	p := &Pacer{limits: l, lines: make(map[Kind]*line), slots: &slots{most: l.Slots},
		single: make(chan struct{}, 1), refusals: make(map[string]int)}
	for kind, perMinute := range map[Kind]int{
		KindSubmit: l.SubmitsPerMinute, KindIndex: l.IndexPerMinute, KindReplay: l.ReplaysPerMinute, KindOther: l.RequestsPerMinute,
	} {
		p.lines[kind] = &line{first: make(chan struct{}, 1), interval: time.Minute / time.Duration(perMinute)}
	}
	return p
}

// Limits returns the limits in force, defaults filled in.
func (p *Pacer) Limits() Limits { return p.limits }

// Submit is Turn for a submit.
func (p *Pacer) Submit(ctx context.Context) error { return p.Turn(ctx, KindSubmit) }

// Request is Turn for a request of KindOther.
func (p *Pacer) Request(ctx context.Context) error { return p.Turn(ctx, KindOther) }

// Turn waits for the turn of a request, in the order of the calls. The turn is
// spent also if the caller does not use it. The error is *HeldError or ctx's.
func (p *Pacer) Turn(ctx context.Context, kind Kind) error {
	l, ok := p.lines[kind]
	if !ok {
		return fmt.Errorf("wayback pacer: no kind %q", kind)
	}
	if on := p.paused(kind); p.tooLong(on) {
		return &HeldError{Until: on.until, Cause: on.cause}
	}
	leave, err := take(ctx, l.first)
	if err != nil {
		return err
	}
	defer leave()
	for {
		if err := p.waitPauses(ctx, kind); err != nil {
			return err
		}
		left := p.spend(l)
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// spend takes the turn if it has come, else it returns the time until then.
func (p *Pacer) spend(l *line) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if left := l.next.Sub(now); left > 0 {
		return left
	}
	l.next = now.Add(p.limits.scaled(l.interval))
	return 0
}

// waitPauses waits while a pause is on, and gives up on one longer than Patience.
func (p *Pacer) waitPauses(ctx context.Context, kind Kind) error {
	for {
		on := p.paused(kind)
		left := time.Until(on.until)
		if left <= 0 {
			return ctx.Err()
		}
		if p.tooLong(on) {
			return &HeldError{Until: on.until, Cause: on.cause}
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// tooLong tells a pause that is not waited for inside a call.
func (p *Pacer) tooLong(on pause) bool {
	return time.Until(on.until) > p.limits.scaled(p.limits.Patience)
}

// paused returns the pause that ends last.
func (p *Pacer) paused(kind Kind) pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == KindSubmit && p.submits.until.After(p.all.until) {
		return p.submits
	}
	return p.all
}

// Slot waits until fewer jobs run than Limits.Slots, and than the service offers
// (see Account), and takes a slot. release gives it back and may be called again.
func (p *Pacer) Slot(ctx context.Context) (release func(), err error) { return p.slots.take(ctx) }

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

// Account tells the pacer what the service says about the account: no more slots
// are used than it has (but at least one is tried), and nothing is submitted until
// 00:00 UTC when the captures of the day are used up.
func (p *Pacer) Account(u UserStatus) {
	if u.Processing >= 0 && u.Available >= 0 {
		p.slots.resize(max(1, min(p.limits.Slots, u.Available+u.Processing)))
	}
	if u.DailyCapturesLimit > 0 && u.DailyCaptures >= u.DailyCapturesLimit {
		p.judge(&Error{Op: "user status", Class: ClassTomorrowAccount, Code: "daily-captures-limit",
			Message: fmt.Sprintf("%d of %d captures of today are used", u.DailyCaptures, u.DailyCapturesLimit)})
	}
}

// Seen tells the pacer of a submit that another process made at t, so that a
// restart does not submit faster than the limit.
func (p *Pacer) Seen(t time.Time) {
	l := p.lines[KindSubmit]
	next := t.Add(p.limits.scaled(l.interval))
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.After(l.next) && next.Before(time.Now().Add(p.limits.scaled(time.Minute))) {
		l.next = next
	}
}

// Hold lets no request pass for d (unscaled).
func (p *Pacer) Hold(d time.Duration, cause *Error) { p.hold(&p.all, d, cause) }

// HoldSubmits lets no submit pass for d (unscaled).
func (p *Pacer) HoldSubmits(d time.Duration, cause *Error) { p.hold(&p.submits, d, cause) }

// hold prolongs a pause, never shortens it.
func (p *Pacer) hold(on *pause, d time.Duration, cause *Error) {
	if p.prolong(on, time.Now().Add(p.limits.scaled(d)), cause) {
		p.tell()
	}
}

// prolong sets a pause and returns true if it does not end earlier already.
func (p *Pacer) prolong(on *pause, until time.Time, cause *Error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !until.After(on.until) {
		return false
	}
	*on = pause{until: until, cause: cause}
	return true
}

// fine ends a series of outages, and of refusals of the same operation.
func (p *Pacer) fine(op string) {
	p.mu.Lock()
	changed := p.trouble > 0 || p.refusals[op] > 0
	p.trouble = 0
	delete(p.refusals, op)
	p.mu.Unlock()
	if changed {
		p.tell()
	}
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
// same operation is answered well. A refused submit leaves everything else alone;
// a refused read waits for at least a minute.
func (p *Pacer) refused(e *Error) {
	p.mu.Lock()
	n := p.refusals[e.Op]
	p.refusals[e.Op] = n + 1
	p.mu.Unlock()
	d := max(e.RetryAfter, classes[ClassSlot].wait(n, time.Now()))
	switch e.Op {
	case "submit":
		p.HoldSubmits(d, e)
	case "status", "user status":
		p.Hold(d, e)
	default:
		p.Hold(max(d, time.Minute), e)
	}
}

// outage pauses everything, longer each time until an answer is good again:
// nothing for the first lost answer; 1, 5, 15, 60 minutes; at least 5 minutes
// if the service can't be reached, turns us away, or shows a page of HTML instead
// of an answer.
func (p *Pacer) outage(e *Error) {
	if e.Code == codePartial {
		return // an answer came; only it is useless
	}
	if p.prolong(&p.all, time.Now().Add(p.limits.scaled(max(p.outagePause(e), e.RetryAfter))), e) {
		p.tell()
	}
}

// outagePause returns the pause for an outage, and counts it.
func (p *Pacer) outagePause(e *Error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.all.until) {
		return 0 // it is the same outage
	}
	delays, step := classes[ClassOutage].delays, p.trouble
	if e.Class == ClassLost {
		step--
	} else if e.Code == codeUnreachable || e.Code == CodeForbidden || e.HTTPStatus == 200 {
		step = max(step, 1)
	}
	p.trouble++
	if step < 0 {
		return 0
	}
	return delays[min(step, len(delays)-1)]
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
