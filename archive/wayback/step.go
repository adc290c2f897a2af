package wayback

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// step does all that can be done for an item now. Every return leaves it saved
// without a lease; an error is the outbox's or the reader's, or refused keys.
func (r *run) step(ctx context.Context, work Work, item Item) error {
	if work == WorkRead {
		return r.readBack(ctx, item)
	}
	r.pacer.Seen(item.SubmittedAt)
	if until := r.hostPause(item.URL); until.After(time.Now()) && item.State != StateAccepted {
		item.NextAt = until
		return r.putBack(ctx, item)
	}
	switch {
	case item.State == StateAccepted && !r.forgotten(item):
		return r.follow(ctx, item)
	case item.State == StateAccepted || item.State == StateUnresolved:
		return r.resolve(ctx, item)
	case item.mayExist():
		return r.again(ctx, item)
	}
	return r.submit(ctx, item)
}

// submit sends an item that waits, or whose answer was lost.
//
// A crash before the first Save leaves the row as it was. Between it and the
// second, the job may exist: the row says submitted, and the next worker looks
// into the index and submits again, which within the hour is answered with the
// same job.
func (r *run) submit(ctx context.Context, item Item) error {
	slot, leave, err := r.admit(ctx, item)
	// A pause may hold another page's error.
	if _, held := errors.AsType[*HeldError](err); !held {
		if e, ok := errors.AsType[*Error](err); ok && e.Class == ClassTomorrowURL {
			return r.linkToday(ctx, item, e)
		}
	}
	if err != nil {
		return r.giveBack(ctx, item, err)
	}
	defer slot() // when the job has ended, or is followed no more
	defer leave()

	repeat := item.State != StateWaiting
	if item.State == StateSubmitted {
		item.Attempts = max(0, item.Attempts-1) // the lost one is not held against it
	}
	item.State, item.SubmittedAt, item.Attempts = StateSubmitted, time.Now().UTC(), item.Attempts+1
	item.NextAt, item.JobID, item.Reused = item.SubmittedAt, "", false
	if err := r.hold(ctx, item); err != nil {
		return err
	}
	r.count(func(s *Stats) {
		s.Submits++
		if repeat {
			s.Repeats++
		}
	})
	r.mark("wayback-row")
	accepted, err := r.client.submit(ctx, Request{URL: item.URL, ForceGet: !item.NeedsBrowser, Screenshot: r.screenshot})
	leave()
	r.mark("wayback-post")
	if err != nil {
		return r.unwelcome(ctx, item, err)
	}
	return r.accept(ctx, item, accepted)
}

// accept stores the job id as soon as it is known, then follows the job.
func (r *run) accept(ctx context.Context, item Item, a Accepted) error {
	r.count(func(s *Stats) { s.Accepted++ })
	now := time.Now().UTC()
	item.Reused, item.JobID, item.Receipt, item.Waits = a.Reused, a.JobID, a.Receipt, 0
	item.LastClass, item.LastCode, item.LastError = "", "", ""
	item.State, item.AcceptedAt, item.NextAt = StateAccepted, now, now
	switch {
	case a.JobID == "":
		item.LastError = a.Message
		return r.unresolved(ctx, item, 0)
	case a.StartsIn > 0: // the job's time begins when it starts
		item.NextAt = now.Add(r.limits.scaled(a.StartsIn))
		item.AcceptedAt, item.LastError = item.NextAt, a.Message
		return r.putBack(ctx, item)
	}
	if err := r.hold(ctx, item); err != nil {
		return err
	}
	return r.follow(ctx, item)
}

// admit waits for a slot of ours, for the door, for the turn, and for the service
// to offer a slot. An *Error of ClassTomorrowURL says that the address was
// submitted often enough today. The door stays closed for others until leave is called. It
// gives up in time for the item's lease, which is not prolonged meanwhile.
func (r *run) admit(ctx context.Context, item Item) (slot, leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, min(leaseTime/2, r.limits.scaled(r.limits.Patience)))
	defer cancel()
	slot, err = r.pacer.Slot(ctx)
	if err != nil {
		return nil, nil, err
	}
	leave, err = r.pacer.door(ctx)
	if err != nil {
		slot()
		return nil, nil, err
	}
	if err = r.allowed(ctx, item); err == nil {
		err = r.pacer.Submit(ctx)
	}
	if err == nil {
		err = r.offer(ctx)
	}
	if err != nil {
		leave()
		slot()
		return nil, nil, err
	}
	return slot, leave, nil
}

// allowed returns nil if our own limits of the day allow one more submit. It is
// asked behind the door, so that no other is being counted.
func (r *run) allowed(ctx context.Context, item Item) error {
	ofURL, all, err := r.outbox.Submits(ctx, item.URL, r.limits.Today(time.Now()))
	switch {
	case err != nil:
		return fmt.Errorf("count submits of %s: %w", item.URL, err)
	case r.daily > 0 && all >= r.daily:
		return r.judge(&Error{Op: "submit", Class: ClassTomorrowAccount, Code: "daily-captures",
			Message: fmt.Sprintf("%d submits were made today, as many as the configuration allows", all)})
	case ofURL >= maxURLDay:
		return &Error{Op: "submit", Class: ClassTomorrowURL, Code: "too-many-daily-captures",
			Message: fmt.Sprintf("we submitted the address %d times today", ofURL)}
	}
	return nil
}

// offer returns nil when the service has a free slot and captures left today.
func (r *run) offer(ctx context.Context) error {
	for i := range askTimes {
		if i > 0 {
			if err := sleep(ctx, r.limits.scaled(classes[ClassSlot].delays[0])); err != nil {
				return err
			}
		}
		u, err := r.client.UserStatus(ctx)
		if err != nil {
			return err
		}
		if u.DailyCapturesLimit > 0 && u.DailyCaptures >= u.DailyCapturesLimit {
			return r.judge(&Error{Op: "user status", Class: ClassTomorrowAccount, Code: "daily-captures-limit",
				Message: fmt.Sprintf("%d of %d captures of today are used", u.DailyCaptures, u.DailyCapturesLimit)})
		}
		if u.Available > r.haunted() {
			return nil
		}
	}
	return r.judge(&Error{Op: "submit", Class: ClassSlot, Code: "no-slot", Message: "the service has offered no free session for a while"})
}

// judge tells the pacer of an error that the client has not seen as one.
func (r *run) judge(e *Error) *Error {
	r.pacer.judge(e)
	return e
}

// follow asks for the job until it ends, or has been pending for too long.
func (r *run) follow(ctx context.Context, item Item) error {
	wait := pollFirst
	for {
		if err := sleep(ctx, r.limits.scaled(wait)); err != nil {
			return r.giveBack(ctx, item, err)
		}
		got, err := r.ask(ctx, &item)
		if got == answerEnded || err != nil {
			return err
		}
		if time.Since(item.AcceptedAt) >= r.limits.scaled(jobLife) {
			item.LastClass, item.LastCode, item.LastError = ClassLost, "pending", "the job is pending for too long: forgotten, or never seen"
			return r.unresolved(ctx, item, 0)
		}
		wait = min(wait*3/2, pollLast)
		item.NextAt = time.Now().UTC()
		if err := r.hold(ctx, item); err != nil {
			return err
		}
	}
}

// answer is what came of a question about a job.
type answer int

const (
	answerPending answer = iota
	answerNone           // no usable answer; the pacer has drawn its conclusions
	answerEnded          // the item is saved and out of hand
)

// ask asks for the job once.
func (r *run) ask(ctx context.Context, item *Item) (answer, error) {
	r.mark("wayback-poll")
	s, err := r.status(ctx, item.JobID)
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		switch {
		case !ok || e.Class == ClassKeysRefused:
			return answerEnded, r.giveBack(ctx, *item, err)
		case e.Code == codePartial:
			item.note(e)
			return answerEnded, r.unresolved(ctx, *item, indexWait)
		}
		item.LastClass, item.LastCode, item.LastError = e.Class, e.Code, e.Message
		return answerNone, nil
	}
	switch s.State {
	case JobPending:
		return answerPending, nil
	case JobError:
		return answerEnded, r.unwelcome(ctx, *item, r.judge(s.Err()))
	}
	item.Snapshot, item.OriginalURL, item.HTTPStatus, item.Receipt = s.Timestamp, s.OriginalURL, s.HTTPStatus, s.Receipt
	return answerEnded, r.report(ctx, *item)
}

// status asks for a job, and for the one whose capture it shares: that one has
// the right timestamp. If that one is forgotten, the first answer has to do.
func (r *run) status(ctx context.Context, jobID string) (Status, error) {
	s, err := r.client.Status(ctx, jobID)
	if err != nil || s.State != JobSuccess || s.OriginalJobID == "" || s.OriginalJobID == jobID {
		return s, err
	}
	original, err := r.client.Status(ctx, s.OriginalJobID)
	if err != nil || original.State != JobSuccess {
		return s, err
	}
	return original, nil
}

// end saves an item in a final state.
func (r *run) end(ctx context.Context, item Item, state State) error {
	item.State, item.Waits, item.NextAt = state, 0, time.Time{}
	r.count(func(s *Stats) {
		switch state {
		case StateRefused:
			s.Refused++
		case StateFailed:
			s.Failed++
		case StateDivergent:
			s.Divergent++
		}
	})
	r.log.Info("wayback item", "url", item.URL, "source", item.Source, "state", string(state),
		"snapshot", item.Snapshot, "class", string(item.LastClass), "code", item.LastCode)
	return r.putBack(ctx, item)
}

// hold saves an item and prolongs its lease.
func (r *run) hold(ctx context.Context, item Item) error {
	item.LeaseUntil = time.Now().UTC().Add(leaseTime)
	return r.save(ctx, item)
}

// putBack saves an item and gives its lease back.
func (r *run) putBack(ctx context.Context, item Item) error {
	item.LeaseUntil = time.Time{}
	r.putAside(item)
	return r.save(ctx, item)
}

// save saves also when the run is being cancelled: an answer that came is kept.
func (r *run) save(ctx context.Context, item Item) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := r.outbox.Save(ctx, item); err != nil {
		return fmt.Errorf("save outbox item %d: %w", item.ID, err)
	}
	return nil
}
