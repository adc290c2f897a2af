package wayback

import (
	"context"
	"errors"
	"time"
)

// note keeps an unwelcome answer with the item.
func (i *Item) note(e *Error) {
	i.LastClass, i.LastCode, i.LastError = e.Class, e.Code, e.Message
	if e.Receipt != nil {
		i.Receipt = e.Receipt
	}
}

// unwelcome does what the table classes says about the answer to a submit, or
// about a job that ended in an error.
func (r *run) unwelcome(ctx context.Context, item Item, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		// Cancelled while the answer was awaited: the row keeps saying submitted.
		return r.putBack(ctx, item)
	}
	if e.Op == "submit" && (classes[e.Class].refused || e.Code == codeUnreachable) {
		item.SubmittedAt = time.Time{} // no job was made
	}
	if e.Op == "submit" && e.Class == ClassLost {
		r.haunt()
	}
	if e.Class == ClassTomorrowURL {
		item.Attempts = max(0, item.Attempts-1)
		return r.linkToday(ctx, item, e)
	}
	item.note(e)
	c, now := classes[e.Class], time.Now().UTC()
	item.State = StateWaiting
	if e.Class == ClassLost || e.Class == ClassOutage && e.Op == "submit" && e.Code != codeUnreachable {
		item.State = StateSubmitted // as after a crash: errors were seen for captures that exist
	}
	if e.Class == ClassUnknown {
		r.log.Warn("wayback: unknown answer", "url", item.URL, "code", e.Code, "message", e.Message)
	}
	var wait time.Duration
	switch {
	case c.attempt && item.Attempts > len(c.delays):
		return r.end(ctx, item, c.end)
	case !item.Created.IsZero() && now.Sub(item.Created) > r.limits.scaled(r.limits.MaxAge):
		return r.end(ctx, item, StateFailed)
	case c.attempt:
		wait, item.Waits = c.delays[max(0, item.Attempts-1)], 0
		r.count(func(s *Stats) { s.Retried++ })
	default:
		wait = c.wait(item.Waits, now)
		item.Waits++
		if item.State == StateWaiting {
			item.Attempts = max(0, item.Attempts-1)
		}
		r.count(func(s *Stats) { s.Waited++ })
	}
	item.NextAt = now.Add(r.limits.scaled(max(wait, e.RetryAfter)))
	return r.after(ctx, item, e)
}

// wait returns the n-th wait of a class whose answers are no attempts.
func (c consequence) wait(n int, now time.Time) time.Duration {
	switch {
	case c.tomorrow:
		return untilTomorrow(now)
	case len(c.delays) == 0:
		return 0
	}
	return c.delays[min(n, len(c.delays)-1)]
}

// after puts an item back and does what its answer means for others.
func (r *run) after(ctx context.Context, item Item, e *Error) error {
	switch classes[e.Class].scope {
	case scopeHost:
		r.pauseHost(item.URL, item.NextAt)
	case scopeQueue:
		r.stop(e, item.NextAt)
	}
	if err := r.putBack(ctx, item); err != nil {
		return err
	}
	if e.Class == ClassKeysRefused {
		return e
	}
	return nil
}

// giveBack puts an item back, in the state that it has, when it could not be
// worked on: the pacer is in a long pause, no slot came free, the account's
// state says no, or the run is cancelled.
func (r *run) giveBack(ctx context.Context, item Item, cause error) error {
	now := time.Now().UTC()
	if held, ok := errors.AsType[*HeldError](cause); ok {
		item.NextAt = held.Until.UTC()
		if held.Cause != nil {
			item.LastClass, item.LastCode, item.LastError = held.Cause.Class, held.Cause.Code, held.Cause.Message
			r.stop(held.Cause, item.NextAt)
		}
		return r.putBack(ctx, item)
	}
	e, ok := errors.AsType[*Error](cause)
	if !ok {
		if ctx.Err() == nil { // no slot or turn within patience
			item.NextAt = now.Add(r.limits.scaled(classes[ClassSlot].wait(item.Waits, now)))
			item.Waits++
		}
		return r.putBack(ctx, item)
	}
	item.LastClass, item.LastCode, item.LastError = e.Class, e.Code, e.Message
	if e.Class != ClassKeysRefused { // with good keys it can go on at once
		c := classes[e.Class]
		if c.attempt {
			c = classes[ClassSlot] // it was not the item that was refused
		}
		item.NextAt = now.Add(r.limits.scaled(max(c.wait(item.Waits, now), e.RetryAfter)))
		item.Waits++
	}
	return r.after(ctx, item, e)
}
