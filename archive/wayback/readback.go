package wayback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Reader reads a capture back, keeps the answers, and compares it with what we
// saw. It is called by several goroutines at once.
//
// Errors are *Error when the Archive did not answer, or not with an answer (the
// item is looked at again later; that is never an absence), *HeldError when the
// pacer is in a longer pause, or ctx's. Any other error ends the worker's run.
type Reader interface {
	ReadBack(ctx context.Context, item Item) (Reading, error)
}

// Reading is what one look at a capture brought. Both the index and the replay
// were asked.
type Reading struct {
	At       time.Time
	Manifest string    // id of the manifest of the look that keeps the answers
	Row      *IndexRow // the capture in the index; nil if it is not there
	// Found tells that the replay answered with the very capture: status,
	// Memento-Datetime, timestamp and original address are its own.
	Found bool
	Src   string // the Archive's WARC, of the replay
	Facts warc.Facts
	Grade string // of the replayed page: "terms", or what it is instead; empty if it was not graded
}

// readAfter is when a capture is looked at after its report, readEvery how often
// from then on. A replay that comes from a service's fresh storage proves little:
// captures were seen to be listed, and gone within the day.
var readAfter = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 12 * time.Hour, 36 * time.Hour}

const (
	readEvery = 30 * 24 * time.Hour
	// confirmAge is how old a capture is that counts as kept.
	confirmAge = 24 * time.Hour
	// An absence is looked at again after absentSoon, and after absentLater when
	// the capture had been seen before.
	absentSoon  = time.Hour
	absentLater = 24 * time.Hour
	// unreplayedFor is how long after its report a capture that is not confirmed is
	// looked at daily when a look does not bring its replay.
	unreplayedFor = 7 * 24 * time.Hour
)

// readDelays are the waits after looks that were not answered; the last repeats.
var readDelays = []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// nextRead returns when a capture is to be looked at after now.
func (r *run) nextRead(item Item, now time.Time) time.Time {
	for _, d := range readAfter {
		if at := item.ReportedAt.Add(r.limits.scaled(d)); at.After(now) {
			return at
		}
	}
	return now.Add(r.limits.scaled(readEvery))
}

// nextTry is nextRead for a look that did not bring the replay: in the first days
// there is another one every day until the capture is confirmed.
func (r *run) nextTry(item Item, now time.Time) time.Time {
	next := r.nextRead(item, now)
	if item.State == StateConfirmed || now.Sub(item.ReportedAt) >= r.limits.scaled(unreplayedFor) {
		return next
	}
	return earlier(next, now.Add(r.limits.scaled(absentLater)))
}

// readBack looks at an item's capture once.
//
// A crash between the look and the Save leaves the row as it was: the look is
// kept, and another one follows.
func (r *run) readBack(ctx context.Context, item Item) error {
	r.mark("wayback-read")
	got, err := r.reader.ReadBack(ctx, item)
	if err != nil {
		return r.unread(ctx, item, err)
	}
	if got.At.IsZero() {
		got.At = time.Now()
	}
	got.At = got.At.UTC()
	r.mark("wayback-state")
	before := item.State
	item.take(got)
	r.count(func(s *Stats) { s.Looks++ })
	switch {
	case got.Found:
		r.found(&item, got)
	case got.Row != nil:
		if item.State == StateReported {
			item.State = StateIndexed
		}
		item.Absent, item.AbsentAt, item.NextAt = 0, time.Time{}, r.nextTry(item, got.At)
		item.LastCode, item.LastError = "not-replayed", "the index lists the capture, and it is not replayed"
	default:
		r.absent(&item, got.At)
	}
	if item.Work() == WorkNone {
		item.NextAt = time.Time{}
	}
	if item.State != before {
		r.log.Info("wayback read-back", "url", item.URL, "source", item.Source, "state", string(item.State), "before", string(before),
			"snapshot", item.Snapshot, "facts", item.Facts, "grade", item.Grade, "code", item.LastCode)
	}
	return r.putBack(ctx, item)
}

// take keeps what a look brought.
func (i *Item) take(got Reading) {
	i.ReadAt, i.Readback, i.Waits = got.At, got.Manifest, 0
	i.LastClass, i.LastCode, i.LastError = "", "", ""
	facts, err := json.Marshal(got.Facts)
	if err != nil {
		panic(err) // strings alone
	}
	i.Facts, i.Grade = string(facts), got.Grade
	if got.Src != "" {
		i.Src = got.Src
	}
	if got.Row != nil {
		i.Digest = got.Row.RawDigest
		if i.IndexedAt.IsZero() {
			i.IndexedAt = got.At
		}
	}
}

// found takes in a replay of the very capture.
func (r *run) found(item *Item, got Reading) {
	item.Absent, item.AbsentAt = 0, time.Time{}
	if item.ReplayedAt.IsZero() {
		item.ReplayedAt = got.At
		r.count(func(s *Stats) { s.Replayed++ })
	}
	item.NextAt = r.nextRead(*item, got.At)
	if code, words := divergence(item, got); code != "" {
		if item.State != StateDivergent {
			r.count(func(s *Stats) { s.Divergent++ })
		}
		item.State = StateDivergent
		item.LastClass, item.LastCode, item.LastError = ClassDivergent, code, words
		return
	}
	if item.State != StateConfirmed {
		item.State = StateReplayed
	}
	if r.old(item, got.At) {
		item.State = StateConfirmed
		if item.ConfirmedAt.IsZero() {
			item.ConfirmedAt = got.At
			r.count(func(s *Stats) { s.Confirmed++ })
		}
	}
}

// old tells whether a capture is old enough to count as kept, by the service's
// clock and by ours.
func (r *run) old(item *Item, now time.Time) bool {
	made, err := time.Parse(stampForm, item.Snapshot)
	return err == nil && now.Sub(later(made, item.ReportedAt)) > r.limits.scaled(confirmAge)
}

// gradeTerms and gradeBrowser are the grades of a page that shows its terms, and
// of one whose text is made by scripts: a replay without them can't show it.
const (
	gradeTerms   = "terms"
	gradeBrowser = "needs-browser"
)

// divergence tells by a code and in words why a capture does not show what we
// saw; "" if it does, or if that could not be told. That the bytes differ is
// usual: the Archive fetched the page itself.
func divergence(item *Item, got Reading) (code, words string) {
	switch {
	case got.Facts.Replay == warc.FactDifferent:
		return "altered-bytes", "the replayed bytes do not have the digest that the index shows"
	case got.Grade != "" && got.Grade != gradeTerms && !(item.NeedsBrowser && got.Grade == gradeBrowser):
		return "grade-" + clean(got.Grade, maxCode-len("grade-")), "the capture does not show terms: the Archive was shown another page"
	case got.Facts.Text == warc.FactDifferent:
		return "other-text", "the capture shows another text than we saw"
	}
	return "", ""
}

// absent counts a look at which the capture was neither in the index nor
// replayed. It is gone if that is so at two looks an hour apart: for one that was
// never seen only after the schedule, since it may be late; for one that was seen
// also a day later, since the index is known to forget for a while.
func (r *run) absent(item *Item, now time.Time) {
	if item.Absent == 0 {
		item.AbsentAt = now
	}
	item.Absent++
	item.LastCode, item.LastError = "absent", "the capture is neither in the index nor replayed"
	soon, late := r.limits.scaled(absentSoon), r.limits.scaled(absentLater)
	lasted := now.Sub(item.AbsentAt)
	seen := !item.IndexedAt.IsZero() || !item.ReplayedAt.IsZero()
	over := !now.Before(item.ReportedAt.Add(r.limits.scaled(readAfter[len(readAfter)-1])))
	switch {
	case seen && item.Absent > 2 && lasted >= late:
		r.gone(item, "vanished", "the capture was there, and is neither in the index nor replayed any more")
	case !seen && over && item.Absent > 1 && lasted >= soon:
		r.gone(item, "never-appeared", "the service said that it made the capture, which is neither in the index nor replayed")
	case seen && lasted < soon:
		item.NextAt = item.AbsentAt.Add(soon)
	case seen && lasted < late:
		item.NextAt = item.AbsentAt.Add(late)
	case seen || over:
		item.NextAt = now.Add(soon)
	default:
		item.NextAt = r.nextRead(*item, now)
	}
}

// gone ends an item whose capture is not there.
func (r *run) gone(item *Item, code, words string) {
	item.State, item.LastCode, item.LastError = StateGoneAgain, code, words
	r.count(func(s *Stats) { s.Gone++ })
}

// unread postpones a look that was not answered. That says nothing about the
// capture.
func (r *run) unread(ctx context.Context, item Item, cause error) error {
	now := time.Now().UTC()
	if held, ok := errors.AsType[*HeldError](cause); ok {
		r.holdReads(held.Until)
		return r.putBack(ctx, item) // as it was: due when the pause ends
	}
	e, ok := errors.AsType[*Error](cause)
	if !ok {
		if ctx.Err() == nil {
			cause = fmt.Errorf("read back %s of %s: %w", item.Snapshot, item.OriginalURL, cause)
			if err := r.putBack(ctx, item); err != nil && !errors.Is(err, ErrLeaseLost) {
				return errors.Join(cause, err)
			}
			return cause
		}
		return r.putBack(ctx, item)
	}
	item.LastClass, item.LastCode, item.LastError = e.Class, e.Code, e.Message
	wait := r.limits.scaled(max(readDelays[min(item.Waits, len(readDelays)-1)], e.RetryAfter))
	item.NextAt = now.Add(wait)
	if e.Class == ClassPermanent { // the Archive shows the page to nobody
		item.NextAt = r.nextTry(item, now)
	}
	item.Waits++
	r.log.Debug("wayback read-back not answered", "url", item.URL, "class", string(e.Class), "code", e.Code, "next", item.NextAt)
	return r.putBack(ctx, item)
}
